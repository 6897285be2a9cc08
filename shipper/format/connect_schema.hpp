// Kafka Connect's description of types, as JsonConverter writes it with schemas.enable=true.
#pragma once

#include "json_writer.hpp"
#include "value_type.hpp"

#include <string_view>

namespace waybill {

// Writes the schema of a column as a field of a struct. `parameters` are those of a column that a rule alters, an
// object; `default_json` is the default as write_value() writes it; both empty when there is none.
void write_field_schema(JsonWriter &out, const ValueType &type, bool optional, std::string_view parameters,
                        std::string_view default_json, std::string_view field);

} // namespace waybill
