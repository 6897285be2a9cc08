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

} // namespace

void write_array(JsonWriter &out, const ValueType &type, const Value &value) {
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
