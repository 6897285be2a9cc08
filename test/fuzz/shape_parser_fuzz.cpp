// Any bytes as the definition of a shape: a shape whose parts fit together, or a DataError.
#include "errors.hpp"
#include "fuzzing.hpp"
#include "shape_parser.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace waybill {
namespace {

using fuzzing::require;

constexpr std::int32_t id = 7;

std::optional<Shape> parse(std::string_view definition) {
    try {
        return parse_shape(id, definition);
    } catch (const DataError &error) {
        require(std::string_view(error.what()).starts_with("shape 7"), "an error without the shape's id");
        return std::nullopt;
    }
}

void check(std::string_view definition) {
    std::optional<Shape> shape;
    {
        // In memory of its own: nothing is read behind its end, and the shape does not refer to it.
        const std::unique_ptr<char[]> bytes(new char[definition.size()]);
        std::copy(definition.begin(), definition.end(), bytes.get());
        shape = parse({bytes.get(), definition.size()});
    }
    if (!shape) return;
    require(shape->id == id, "another shape's id");
    for (const std::uint16_t position : shape->key)
        require(position < shape->columns.size(), "a key of a column that is not there");
    for (const Column &column : shape->columns) require(column.kind != 0, "a column of no kind");
}

} // namespace
} // namespace waybill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    waybill::check(waybill::fuzzing::Bytes(data, size).rest());
    return 0;
}
