// Dates, times and intervals as JSON, in Debezium's forms.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "value_type.hpp"

namespace waybill {

// All write a value that is not null, and throw DataError.

// Days since 1970.
void write_date_number(JsonWriter &out, const Value &value);

enum class TimeUnit : std::uint8_t { nanosecond, microsecond, millisecond };
void write_time_number(JsonWriter &out, const Value &value, TimeUnit unit);
void write_timestamp_number(JsonWriter &out, const ValueType &type, const Value &value, TimeUnit unit);
void write_interval_number(JsonWriter &out, const ValueType &type, const Value &value); // microseconds

// Strings in ISO 8601's forms.
void write_iso_date(JsonWriter &out, const ValueType &type, const Value &value);
void write_iso_time(JsonWriter &out, const ValueType &type, const Value &value);
void write_zoned_time(JsonWriter &out, const Value &value);
void write_iso_timestamp(JsonWriter &out, const ValueType &type, const Value &value);
void write_zoned_timestamp(JsonWriter &out, const ValueType &type, const Value &value);
void write_iso_interval(JsonWriter &out, const Value &value);

} // namespace waybill
