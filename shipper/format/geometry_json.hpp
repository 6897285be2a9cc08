// Points, PostgreSQL's other geometric types and those of PostGIS as Debezium's structs. All write a value that is not
// null, and throw DataError.
#pragma once

#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

void write_point(JsonWriter &out, const Value &value);
void write_outline(JsonWriter &out, const ValueType &type, const Value &value); // lseg, path, box, polygon
void write_line(JsonWriter &out, const Value &value);
void write_circle(JsonWriter &out, const Value &value);

// PostGIS' geometry and geography. `wkb` is its own, with the flag and the number of the spatial reference system in
// it.
void write_geometry(JsonWriter &out, const ValueType &type, const Value &value);

} // namespace waybill
