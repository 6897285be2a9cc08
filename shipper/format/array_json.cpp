#include "array_json.hpp"

#include "../errors.hpp"
#include "pg_binary.hpp"
#include "value_json.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace waybill {

namespace {

constexpr std::size_t max_dimensions = 6; // MAXDIM of PostgreSQL

class BinaryArray {
public:
    BinaryArray(JsonWriter &out, const ValueType &type, std::string_view bytes)
        : out_(out), type_(type), reader_(bytes) {}

    void write() {
        const std::uint32_t dimensions = reader_.uint32();
        if (dimensions > max_dimensions) throw DataError("an array of too many dimensions");
        reader_.uint32(); // whether there are nulls
        reader_.uint32(); // the elements' type, as declared
        for (std::uint32_t dimension = 0; dimension < dimensions; ++dimension) {
            sizes_[dimension] = reader_.uint32();
            reader_.uint32(); // the lower bound
            // Then every element claimed takes bytes, and damaged sizes end the reading soon.
            if (sizes_[dimension] == 0) throw DataError("an array with an empty dimension");
        }
        if (dimensions == 0)
            out_.raw("[]");
        else
            write_dimension(std::span(sizes_).first(dimensions));
        reader_.finish();
    }

private:
    void write_dimension(std::span<const std::uint32_t> sizes) {
        out_.raw('[');
        for (std::uint32_t at = 0; at < sizes.front(); ++at) {
            if (at != 0) out_.raw(',');
            if (sizes.size() > 1)
                write_dimension(sizes.subspan(1));
            else
                write_next_element();
        }
        out_.raw(']');
    }

    void write_next_element() {
        const std::int32_t length = reader_.int32();
        if (length == -1) return out_.raw("null");
        if (length < 0) throw DataError("an array with an element of negative length");
        write_element(out_, type_,
                      {.kind = Value::Kind::binary, .bytes = reader_.bytes(static_cast<std::size_t>(length))});
    }

    JsonWriter &out_;
    const ValueType &type_;
    BinaryReader reader_;
    std::array<std::uint32_t, max_dimensions> sizes_{};
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
        if (depth > max_dimensions || take() != '{') fail();
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
        BinaryArray(out, type, value.bytes).write();
    else
        TextArray(out, type, value.bytes).write();
}

} // namespace waybill
