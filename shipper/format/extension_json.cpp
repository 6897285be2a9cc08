#include "extension_json.hpp"

#include "java_float.hpp"
#include "pg_value.hpp"

#include <string>

namespace waybill {

namespace {

// Takes text from the front.
class Scanner {
public:
    Scanner(const Value &value, const char *what) : rest_(value.bytes), what_(what) { require_text(value); }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    bool skip(std::string_view expected) {
        if (rest_.substr(0, expected.size()) != expected) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }

    void expect(std::string_view expected) {
        if (!skip(expected)) fail();
    }

    char take() {
        if (rest_.empty()) fail();
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    std::string_view until_any_of(std::string_view ends) {
        const std::string_view taken = rest_.substr(0, rest_.find_first_of(ends));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    [[noreturn]] void fail() const { throw DataError(std::string("the text of ") + what_ + " does not read"); }

private:
    std::string_view rest_;
    const char *what_;
};

template <typename Float>
void write_float(JsonWriter &out, std::string_view text) {
    write_java_float(out, pg_text::parse_float<Float>(text));
}

} // namespace

namespace {

// "key"=>"value", "other"=>NULL
void write_hstore(JsonWriter &out, const Value &value, bool escapes_pairs) {
    Scanner scanner(value, "an hstore");
    std::string unquoted;
    const auto write_quoted = [&] {
        scanner.expect("\"");
        unquoted.clear();
        while (!scanner.skip("\"")) {
            scanner.skip("\\");
            unquoted += scanner.take();
        }
        out.string(unquoted, escapes_pairs);
    };
    out.raw('{');
    while (!scanner.at_end()) {
        write_quoted();
        scanner.expect("=>");
        out.raw(':');
        if (scanner.skip("NULL"))
            out.raw("null");
        else
            write_quoted();
        if (scanner.at_end()) break;
        scanner.expect(", ");
        out.raw(',');
    }
    out.raw('}');
}

} // namespace

void write_hstore_object(JsonWriter &out, const Value &value) {
    write_hstore(out, value, true);
}

void write_hstore_string(JsonWriter &out, const Value &value) {
    JsonWriter object;
    write_hstore(object, value, false);
    out.string(object.view());
}

// [1,2.5,3]
void write_vector(JsonWriter &out, const ValueType &type, const Value &value) {
    Scanner scanner(value, "a vector");
    scanner.expect("[");
    out.raw('[');
    for (;;) {
        const std::string_view number = scanner.until_any_of(",]");
        if (type.mapping == Mapping::float_vector)
            write_float<float>(out, number);
        else
            write_float<double>(out, number);
        if (scanner.skip("]")) break;
        scanner.expect(",");
        out.raw(',');
    }
    if (!scanner.at_end()) scanner.fail();
    out.raw(']');
}

// {1:10,3:20}/5: Connect's form of a map whose keys are no strings.
void write_sparse_vector(JsonWriter &out, const Value &value) {
    Scanner scanner(value, "a sparse vector");
    JsonWriter pairs;
    scanner.expect("{");
    while (!scanner.skip("}")) {
        if (pairs.size() != 0) {
            scanner.expect(",");
            pairs.raw(',');
        }
        pairs.raw('[');
        pairs.integer(pg_text::parse_integer(scanner.until_any_of(":")));
        scanner.expect(":");
        pairs.raw(',');
        write_float<double>(pairs, scanner.until_any_of(",}"));
        pairs.raw(']');
    }
    scanner.expect("/");
    out.raw("{\"dimensions\":");
    out.integer(pg_text::parse_integer(scanner.until_any_of("")));
    out.raw(",\"vector\":[");
    out.raw(pairs.view());
    out.raw("]}");
}

} // namespace waybill
