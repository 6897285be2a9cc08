// How the values of a column are published: decided once per shape, not per value.
#pragma once

#include "../change.hpp"

#include <cstdint>
#include <string>

namespace waybill {

// What a value becomes. docs/types.md says which PostgreSQL type becomes which.
enum class Mapping : std::uint8_t {
    boolean,
    int16,
    int32,
    int64,
    oid,
    float32,
    float64,
    decimal,          // numeric(precision, scale)
    variable_decimal, // numeric
    money,
    string,      // a type whose send format is its text, too
    opaque,      // any type that is only read as text
    single_char, // "char"
    enumeration,
    bytes,
    boolean_bit, // bit(1)
    bits,
    date,
    time_ms,
    time_us,
    zoned_time,
    timestamp_ms,
    timestamp_us,
    zoned_timestamp,
    interval,
    uuid,
    json,
    jsonb,
    xml,
    hstore,
    ltree,
    tsvector,
    point,
};

struct ValueType {
    Mapping mapping = Mapping::opaque; // of the elements when it is an array
    bool is_array = false;
    char delimiter = ','; // between an array's elements, in text
    std::int32_t precision =
        0;                  // decimal: digits in all; zoned_timestamp: digits of the second's fraction; bits: length
    std::int32_t scale = 0; // decimal: digits behind the point
    std::string allowed;    // enumeration: the labels, with commas between them
};

[[nodiscard]] ValueType value_type_of(const Column &column);

} // namespace waybill
