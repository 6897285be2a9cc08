// How the values of a column are published: decided once per shape, not per value.
#pragma once

#include "../change.hpp"
#include "type_oid.hpp"
#include "type_options.hpp"

#include <cstdint>
#include <string>

namespace waybill {

// What a value becomes. docs/types.md says which PostgreSQL type becomes which, and by which setting.
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
    decimal_string,
    decimal_double,
    decimal_number, // a JSON number of all its digits
    money,
    money_string,
    money_double,
    money_number,

    string,      // a type whose send format is its text, too
    opaque,      // any type that is only read as text
    single_char, // "char"
    enumeration,
    uuid,
    json,
    jsonb,
    raw_json, // json and jsonb as what they say, not as a string
    xml,
    ltree,
    tsvector,
    pg_text,          // PostgreSQL's text of a value, or of an array's element
    pg_text_of_whole, // PostgreSQL's text of a value that may be an array
    pg_text_zulu,     // PostgreSQL's text of a timestamptz with Z for its zone

    bytes,
    base64,
    base64_url,
    hex,
    boolean_bit, // bit(1)
    bits,

    date,
    connect_date,
    iso_date,
    time_ms,
    time_us,
    time_ns,
    connect_time,
    iso_time,
    zoned_time,
    timestamp_ms,
    timestamp_us,
    timestamp_ns,
    connect_timestamp,
    iso_timestamp,
    zoned_timestamp,
    interval,
    iso_interval,

    hstore,
    hstore_map,
    point,
    geometry,
    geography,
    double_vector,
    float_vector,
    sparse_vector,

    line_string, // lseg, path, as Debezium's Geometry
    polygon,     // box, polygon
    line,
    circle,
};

struct ValueType {
    Mapping mapping = Mapping::opaque; // of the elements when it is an array
    bool is_array = false;             // published as an array
    bool holds_array = false;          // an array in PostgreSQL
    std::uint32_t dimensions = 1;      // of an array, in its schema
    char delimiter = ',';              // between an array's elements, in text
    TypeOid oid = TypeOid::unknown;    // of the value, of the elements of an array
    std::int32_t precision =
        0;                    // decimal: digits in all; zoned_timestamp: digits of the second's fraction; bits: length
    std::int32_t scale = 0;   // decimal, money: digits behind the point
    std::string allowed;      // enumeration: the labels, with commas between them
    bool as_debezium = false; // nothing that Debezium's schemas have no form for
};

[[nodiscard]] ValueType value_type_of(const Column &column, const TypeOptions &options = {});

// Whether Debezium publishes nothing of such a column.
[[nodiscard]] bool is_left_out_by_debezium(const Column &column, const ValueType &type);

// Makes it PostgreSQL's text of the whole value.
void publish_as_text(ValueType &type);

// For Maxwell's format: numbers are JSON's numbers, documents are JSON, all else but booleans, bytea, hstore and arrays
// is PostgreSQL's text. `as_text` is that of TypeOptions.
[[nodiscard]] ValueType value_type_of_maxwell(const Column &column, const std::vector<Pattern> &as_text = {});

} // namespace waybill
