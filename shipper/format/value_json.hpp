// A column's value as the JSON that Debezium with its default settings publishes for it.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

// Writes a value that is not null. Throws DataError when its bytes are not of its type; what was written until then
// is to be thrown away.
void write_value(JsonWriter &out, const ValueType &type, const Value &value);

// The same for one element of an array of `type`.
void write_element(JsonWriter &out, const ValueType &type, const Value &value);

} // namespace waybill
