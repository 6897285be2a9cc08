#include "array_json.hpp"

#include "../errors.hpp"
#include "pg_array.hpp"
#include "value_json.hpp"

#include <algorithm>
#include <string>

namespace waybill {

namespace {

// Labels and the like are not optional in Debezium's arrays.
bool cannot_be_null(const ValueType &type) {
    return type.mapping == Mapping::enumeration || type.mapping == Mapping::tsvector;
}

// Writes elements, and notes when Debezium has no form for an array with such a one: then it has null for the whole.
class Elements {
public:
    Elements(JsonWriter &out, const ValueType &type) : out_(out), type_(type) {}

    void null() {
        is_lost_ = is_lost_ || cannot_be_null(type_);
        out_.raw("null");
    }

    void write(const Value &value) {
        const std::size_t from = out_.size();
        write_element(out_, type_, value);
        const bool is_decimal = type_.mapping == Mapping::decimal || type_.mapping == Mapping::variable_decimal;
        is_lost_ = is_lost_ || (is_decimal && out_.view(from) == "null");
    }

    [[nodiscard]] bool is_lost() const { return type_.as_debezium && is_lost_; }

private:
    JsonWriter &out_;
    const ValueType &type_;
    bool is_lost_ = false;
};

class ArrayJson {
public:
    ArrayJson(JsonWriter &out, Elements &elements) : out_(out), elements_(elements) {}

    void bounds(std::span<const PgArrayDimension> /*dimensions*/) {}
    void open() { out_.raw('['); }
    void close() { out_.raw(']'); }
    void separate() { out_.raw(','); }
    void null() { elements_.null(); }
    void element(std::string_view bytes) { elements_.write({.kind = Value::Kind::binary, .bytes = bytes}); }

private:
    JsonWriter &out_;
    Elements &elements_;
};

// {1,NULL,"a \"quoted\" one"}, {{1,2},{3,4}}, [0:1]={1,2}
class TextArray {
public:
    TextArray(JsonWriter &out, Elements &elements, char delimiter, std::string_view text)
        : out_(out), elements_(elements), delimiter_(delimiter), rest_(text) {}

    void write() {
        if (!rest_.empty() && rest_.front() == '[') rest_.remove_prefix(std::min(rest_.find('{'), rest_.size()));
        write_dimension(1);
        if (!rest_.empty()) fail();
    }

private:
    [[noreturn]] static void fail() { throw DataError("the text of an array does not read"); }

    [[nodiscard]] char front() const {
        if (rest_.empty()) fail();
        return rest_.front();
    }

    char take() {
        const char c = front();
        rest_.remove_prefix(1);
        return c;
    }

    void write_dimension(std::size_t depth) {
        if (depth > max_array_dimensions || take() != '{') fail();
        out_.raw('[');
        if (front() == '}') {
            rest_.remove_prefix(1);
        } else {
            for (;;) {
                if (front() == '{')
                    write_dimension(depth + 1);
                else
                    write_next_element();
                const char behind = take();
                if (behind == '}') break;
                if (behind != delimiter_) fail();
                out_.raw(',');
            }
        }
        out_.raw(']');
    }

    void write_next_element() {
        element_.clear();
        const bool quoted = front() == '"';
        if (quoted) rest_.remove_prefix(1);
        while (quoted ? front() != '"' : front() != '}' && front() != delimiter_) {
            if (front() == '\\') rest_.remove_prefix(1);
            element_ += take();
        }
        if (quoted) rest_.remove_prefix(1);
        if (!quoted && element_ == "NULL") return elements_.null();
        elements_.write({.kind = Value::Kind::text, .bytes = element_});
    }

    JsonWriter &out_;
    Elements &elements_;
    const char delimiter_;
    std::string_view rest_;
    std::string element_;
};

// How many arrays there are in one of several dimensions.
std::uint32_t first_dimension(const Value &value) {
    if (value.kind == Value::Kind::binary) {
        constexpr std::size_t begin = 3 * sizeof(std::uint32_t); // dimensions, nulls, type
        if (value.bytes.size() < begin + sizeof(std::uint32_t)) throw DataError("a binary array ends too early");
        const auto count = load_big_endian<std::uint32_t>(value.bytes.data() + begin);
        if (count > value.bytes.size()) throw DataError("a binary array ends too early"); // each has elements
        return count;
    }
    std::uint32_t count = 0;
    std::uint32_t depth = 0;
    bool quoted = false;
    for (std::size_t at = value.bytes.find('{'); at < value.bytes.size(); ++at) {
        const char c = value.bytes[at];
        if (c == '\\') ++at;
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '}') --depth;
        if (c == '{' && ++depth == 2) ++count;
    }
    return count;
}

// Debezium has no form for an array in an array: each is a null. (Labels and the like cannot be null there.)
void write_nulls(JsonWriter &out, const ValueType &type, std::uint32_t count) {
    out.raw('[');
    for (std::uint32_t at = 0; at < count; ++at) {
        if (at != 0) out.raw(',');
        out.raw(cannot_be_null(type) ? R"("")" : "null");
    }
    out.raw(']');
}

} // namespace

void write_array(JsonWriter &out, const ValueType &type, const Value &value) {
    if (type.as_debezium && array_dimensions(value) > 1) return write_nulls(out, type, first_dimension(value));
    const std::size_t from = out.size();
    Elements elements(out, type);
    if (value.kind == Value::Kind::binary)
        walk_pg_array(value.bytes, ArrayJson(out, elements));
    else
        TextArray(out, elements, type.delimiter, value.bytes).write();
    if (!elements.is_lost()) return;
    out.truncate(from);
    out.raw("null");
}

std::uint32_t array_dimensions(const Value &value) {
    if (value.kind == Value::Kind::null) return 0;
    if (value.kind == Value::Kind::binary)
        return value.bytes.size() < sizeof(std::uint32_t) ? 0 : load_big_endian<std::uint32_t>(value.bytes.data());
    const std::size_t begin = value.bytes.find('{'); // behind bounds
    if (begin == value.bytes.npos) return 0;
    const std::size_t end = std::min(value.bytes.find_first_not_of('{', begin), value.bytes.size());
    const bool is_empty = end < value.bytes.size() && value.bytes[end] == '}';
    return is_empty ? 0 : static_cast<std::uint32_t>(end - begin);
}

} // namespace waybill
