#include "value_type.hpp"

#include <limits>
#include <string_view>

namespace waybill {

namespace {

// The oids of pg_type.dat, which never change.
enum class TypeOid : std::uint32_t {
    boolean = 16,
    bytea = 17,
    one_char = 18,
    name = 19,
    int8 = 20,
    int2 = 21,
    int4 = 23,
    text = 25,
    oid = 26,
    json = 114,
    xml = 142,
    point = 600,
    box = 603,
    float4 = 700,
    float8 = 701,
    money = 790,
    bpchar = 1042,
    varchar = 1043,
    date = 1082,
    time = 1083,
    timestamp = 1114,
    timestamptz = 1184,
    interval = 1186,
    timetz = 1266,
    bit = 1560,
    varbit = 1562,
    numeric = 1700,
    uuid = 2950,
    tsvector = 3614,
    jsonb = 3802,
};

constexpr std::int32_t max_fraction_digits = 6;

// What Connect calls milliseconds holds a time of at most this many digits behind the second.
constexpr std::int32_t max_ms_fraction_digits = 3;

// An extension's types have no oids of their own: "public.vector(3)[]" is known by its "vector".
std::string_view bare_type_name(std::string_view name) {
    name = name.substr(0, name.find_first_of("(["));
    const std::size_t dot = name.rfind('.');
    return dot == name.npos ? name : name.substr(dot + 1);
}

Mapping extension_mapping(std::string_view type_name) {
    const std::string_view name = bare_type_name(type_name);
    if (name == "hstore") return Mapping::hstore;
    if (name == "ltree") return Mapping::ltree;
    if (name == "citext") return Mapping::string;
    return Mapping::opaque;
}

void set_numeric(ValueType &type, std::int32_t typmod) {
    if (typmod < 4) {
        type.mapping = Mapping::variable_decimal;
        return;
    }
    // numeric.c: precision in the upper half, the scale in eleven bits with a sign.
    constexpr std::int32_t scale_sign = 1024;
    type.mapping = Mapping::decimal;
    type.precision = ((typmod - 4) >> 16) & 0xFFFF;
    type.scale = (((typmod - 4) & 0x7FF) ^ scale_sign) - scale_sign;
}

void set_bits(ValueType &type, std::int32_t length) {
    type.mapping = length == 1 ? Mapping::boolean_bit : Mapping::bits;
    type.precision = length < 0 ? std::numeric_limits<std::int32_t>::max() : length;
}

void set_scalar(ValueType &type, std::uint32_t oid, const Column &column) {
    const bool has_fraction = column.typmod >= 0 && column.typmod <= max_fraction_digits;
    const std::int32_t fraction = has_fraction ? column.typmod : max_fraction_digits;
    const bool in_ms = fraction <= max_ms_fraction_digits;
    switch (static_cast<TypeOid>(oid)) {
    case TypeOid::boolean: type.mapping = Mapping::boolean; return;
    case TypeOid::int2: type.mapping = Mapping::int16; return;
    case TypeOid::int4: type.mapping = Mapping::int32; return;
    case TypeOid::int8: type.mapping = Mapping::int64; return;
    case TypeOid::oid: type.mapping = Mapping::oid; return;
    case TypeOid::float4: type.mapping = Mapping::float32; return;
    case TypeOid::float8: type.mapping = Mapping::float64; return;
    case TypeOid::numeric: set_numeric(type, column.typmod); return;
    case TypeOid::money: type.mapping = Mapping::money; return;
    case TypeOid::text:
    case TypeOid::varchar:
    case TypeOid::bpchar:
    case TypeOid::name: type.mapping = Mapping::string; return;
    case TypeOid::one_char: type.mapping = Mapping::single_char; return;
    case TypeOid::bytea: type.mapping = Mapping::bytes; return;
    case TypeOid::bit:
    case TypeOid::varbit: set_bits(type, column.typmod); return;
    case TypeOid::date: type.mapping = Mapping::date; return;
    case TypeOid::time: type.mapping = in_ms ? Mapping::time_ms : Mapping::time_us; return;
    case TypeOid::timetz: type.mapping = Mapping::zoned_time; return;
    case TypeOid::timestamp: type.mapping = in_ms ? Mapping::timestamp_ms : Mapping::timestamp_us; return;
    case TypeOid::timestamptz:
        type.mapping = Mapping::zoned_timestamp;
        type.precision = type.is_array ? max_fraction_digits : fraction; // as Debezium does
        return;
    case TypeOid::interval: type.mapping = Mapping::interval; return;
    case TypeOid::uuid: type.mapping = Mapping::uuid; return;
    case TypeOid::json: type.mapping = Mapping::json; return;
    case TypeOid::jsonb: type.mapping = Mapping::jsonb; return;
    case TypeOid::xml: type.mapping = Mapping::xml; return;
    case TypeOid::point: type.mapping = Mapping::point; return;
    case TypeOid::tsvector: type.mapping = Mapping::tsvector; return;
    case TypeOid::box: type.delimiter = ';'; return;
    }
    if (column.kind == 'e') {
        type.mapping = Mapping::enumeration;
        for (const std::string &label : column.labels) {
            if (&label != &column.labels.front()) type.allowed += ',';
            type.allowed += label;
        }
    } else if (column.kind == 'b') {
        type.mapping = extension_mapping(column.type_name);
    }
}

} // namespace

ValueType value_type_of(const Column &column) {
    ValueType type;
    type.is_array = column.element != 0;
    set_scalar(type, type.is_array ? column.element : column.type, column);
    return type;
}

} // namespace waybill
