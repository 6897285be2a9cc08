// Numerics and money as JSON.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

// Write a value that is not null in the way that the type's mapping says, and throw DataError.
void write_numeric(JsonWriter &out, const ValueType &type, const Value &value);
void write_money(JsonWriter &out, const ValueType &type, const Value &value);

} // namespace waybill
