// Types of extensions as JSON, from their text: hstore, pgvector's vectors.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

// All write a value that is not null, and throw DataError.

void write_hstore_object(JsonWriter &out, const Value &value);
void write_hstore_string(JsonWriter &out, const Value &value); // the object, in a string

void write_vector(JsonWriter &out, const ValueType &type, const Value &value);
void write_sparse_vector(JsonWriter &out, const Value &value);

} // namespace waybill
