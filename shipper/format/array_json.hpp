// Arrays as JSON arrays, in PostgreSQL's binary and text form, with an array in the array per further dimension. Lower
// bounds are not published.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

#include <cstdint>

namespace waybill {

// Writes a value of the array type `type`, its elements through write_element(). Throws DataError.
void write_array(JsonWriter &out, const ValueType &type, const Value &value);

// How many dimensions an array has, 0 when it is empty. Nothing is said of a value whose bytes are not an array's.
[[nodiscard]] std::uint32_t array_dimensions(const Value &value);

} // namespace waybill
