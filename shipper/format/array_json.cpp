#include "array_json.hpp"

#include "../errors.hpp"
#include "pg_array.hpp"
#include "value_json.hpp"

#include <algorithm>
#include <string>

namespace waybill {

namespace {

class ArrayJson {
public:
    ArrayJson(JsonWriter &out, const ValueType &type) : out_(out), type_(type) {}

    void bounds(std::span<const PgArrayDimension> /*dimensions*/) {}
    void open() { out_.raw('['); }
    void close() { out_.raw(']'); }
    void separate() { out_.raw(','); }
    void null() { out_.raw("null"); }
    void element(std::string_view bytes) { write_element(out_, type_, {.kind = Value::Kind::binary, .bytes = bytes}); }

private:
    JsonWriter &out_;
    const ValueType &type_;
};

// {1,NULL,"a \"quoted\" one"}, {{1,2},{3,4}}, [0:1]={1,2}
class TextArray {
public:
    TextArray(JsonWriter &out, const ValueType &type, std::string_view text) : out_(out), type_(type), rest_(text) {}

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
                if (behind != type_.delimiter) fail();
                out_.raw(',');
            }
        }
        out_.raw(']');
    }

    void write_next_element() {
        element_.clear();
        const bool quoted = front() == '"';
        if (quoted) rest_.remove_prefix(1);
        while (quoted ? front() != '"' : front() != '}' && front() != type_.delimiter) {
            if (front() == '\\') rest_.remove_prefix(1);
            element_ += take();
        }
        if (quoted) rest_.remove_prefix(1);
        if (!quoted && element_ == "NULL") return out_.raw("null");
        write_element(out_, type_, {.kind = Value::Kind::text, .bytes = element_});
    }

    JsonWriter &out_;
    const ValueType &type_;
    std::string_view rest_;
    std::string element_;
};

// How many arrays there are in one of several dimensions.
std::uint32_t first_dimension(const Value &value) {
    if (value.kind == Value::Kind::binary) {
        constexpr std::size_t begin = 3 * sizeof(std::uint32_t); // dimensions, nulls, type
        if (value.bytes.size() < begin + sizeof(std::uint32_t)) throw DataError("a binary array ends too early");
        return load_big_endian<std::uint32_t>(value.bytes.data() + begin);
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
    const bool cannot_be_null = type.mapping == Mapping::enumeration || type.mapping == Mapping::tsvector;
    out.raw('[');
    for (std::uint32_t at = 0; at < count; ++at) {
        if (at != 0) out.raw(',');
        out.raw(cannot_be_null ? R"("")" : "null");
    }
    out.raw(']');
}

} // namespace

void write_array(JsonWriter &out, const ValueType &type, const Value &value) {
    if (type.as_debezium && array_dimensions(value) > 1) return write_nulls(out, type, first_dimension(value));
    if (value.kind == Value::Kind::binary)
        walk_pg_array(value.bytes, ArrayJson(out, type));
    else
        TextArray(out, type, value.bytes).write();
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
