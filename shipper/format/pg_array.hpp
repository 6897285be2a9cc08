// Walks through array_send()'s bytes.
#pragma once

#include "pg_binary.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace waybill {

inline constexpr std::size_t max_array_dimensions = 6; // MAXDIM of PostgreSQL

struct PgArrayDimension {
    std::uint32_t size = 0;
    std::int32_t lower_bound = 1;
};

namespace detail {

template <typename Visitor>
void walk_pg_array_dimension(BinaryReader &reader, std::span<const PgArrayDimension> dimensions, Visitor &visitor) {
    visitor.open();
    for (std::uint32_t at = 0; at < dimensions.front().size; ++at) {
        if (at != 0) visitor.separate();
        if (dimensions.size() > 1) {
            walk_pg_array_dimension(reader, dimensions.subspan(1), visitor);
            continue;
        }
        const std::int32_t length = reader.int32();
        if (length < -1) throw DataError("an array with an element of negative length");
        if (length == -1)
            visitor.null();
        else
            visitor.element(reader.bytes(static_cast<std::size_t>(length)));
    }
    visitor.close();
}

} // namespace detail

// Calls `visitor` with bounds(dimensions), then with open() and close() around each dimension, separate() between what
// is in it, element(bytes) and null(). An empty array has no dimensions, but is opened and closed. Throws DataError.
template <typename Visitor>
void walk_pg_array(std::string_view bytes, Visitor visitor) {
    BinaryReader reader(bytes);
    const std::uint32_t count = reader.uint32();
    if (count > max_array_dimensions) throw DataError("an array of too many dimensions");
    reader.uint32(); // whether there are nulls
    reader.uint32(); // the elements' type, as declared
    std::array<PgArrayDimension, max_array_dimensions> dimensions;
    for (std::uint32_t at = 0; at < count; ++at) {
        dimensions[at].size = reader.uint32();
        dimensions[at].lower_bound = reader.int32();
        // Then every element claimed takes bytes, and damaged sizes end the reading soon.
        if (dimensions[at].size == 0) throw DataError("an array with an empty dimension");
    }
    visitor.bounds(std::span(dimensions).first(count));
    if (count == 0) {
        visitor.open();
        visitor.close();
    } else {
        detail::walk_pg_array_dimension(reader, std::span<const PgArrayDimension>(dimensions).first(count), visitor);
    }
    reader.finish();
}

} // namespace waybill
