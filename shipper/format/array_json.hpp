// Arrays as JSON arrays, in PostgreSQL's binary and text form, with an array in the array per further dimension. Lower
// bounds are not published.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

// Writes a value of the array type `type`, its elements through write_element(). Throws DataError.
void write_array(JsonWriter &out, const ValueType &type, const Value &value);

} // namespace waybill
