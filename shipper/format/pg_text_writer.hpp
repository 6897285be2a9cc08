// PostgreSQL's own text of a value, whichever form it was captured in: what the type's output function prints under the
// settings that the extension pins (ISO dates, UTC, postgres intervals, hex bytea, shortest exact floats, C money).
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

// Writes the text of a value of any column that is not null, as it is: without quotes or escapes. Throws DataError.
void write_pg_text(JsonWriter &out, const ValueType &type, const Value &value);

// The same for one element of an array of `type`, without the quotes that it may need there.
void write_pg_element_text(JsonWriter &out, const ValueType &type, const Value &value);

// What output functions make of send functions' bytes.
void write_pg_numeric(JsonWriter &out, std::string_view bytes);
void write_pg_uuid(JsonWriter &out, std::string_view bytes);

} // namespace waybill
