#include "value_type.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace waybill {

namespace {

constexpr std::int32_t max_fraction_digits = 6;

// What Connect calls milliseconds holds a time of at most this many digits behind the second.
constexpr std::int32_t max_ms_fraction_digits = 3;

Mapping decimal_mapping(const TypeOptions &options, bool has_scale) {
    switch (options.decimal) {
    case DecimalMode::precise: return has_scale ? Mapping::decimal : Mapping::variable_decimal;
    case DecimalMode::as_string: return Mapping::decimal_string;
    case DecimalMode::as_double: return Mapping::decimal_double;
    }
    return Mapping::variable_decimal;
}

void set_numeric(ValueType &type, std::int32_t typmod, const TypeOptions &options) {
    const bool has_scale = typmod >= 4;
    type.mapping = decimal_mapping(options, has_scale);
    if (!has_scale) return;
    // numeric.c: precision in the upper half, the scale in eleven bits with a sign.
    constexpr std::int32_t scale_sign = 1024;
    type.precision = ((typmod - 4) >> 16) & 0xFFFF;
    type.scale = (((typmod - 4) & 0x7FF) ^ scale_sign) - scale_sign;
}

void set_money(ValueType &type, const TypeOptions &options) {
    type.scale = options.money_fraction_digits;
    switch (options.decimal) {
    case DecimalMode::precise: type.mapping = Mapping::money; return;
    case DecimalMode::as_string: type.mapping = Mapping::money_string; return;
    case DecimalMode::as_double: type.mapping = Mapping::money_double; return;
    }
}

Mapping bytes_mapping(BinaryMode mode) {
    switch (mode) {
    case BinaryMode::bytes: return Mapping::bytes;
    case BinaryMode::base64: return Mapping::base64;
    case BinaryMode::base64_url_safe: return Mapping::base64_url;
    case BinaryMode::hex: return Mapping::hex;
    }
    return Mapping::bytes;
}

void set_bits(ValueType &type, std::int32_t length) {
    type.mapping = length == 1 ? Mapping::boolean_bit : Mapping::bits;
    type.precision = length < 0 ? std::numeric_limits<std::int32_t>::max() : length;
}

Mapping date_mapping(TimeMode mode) {
    if (mode == TimeMode::connect) return Mapping::connect_date;
    if (mode == TimeMode::isostring) return Mapping::iso_date;
    return Mapping::date;
}

Mapping time_mapping(TimeMode mode, bool in_ms) {
    switch (mode) {
    case TimeMode::adaptive: return in_ms ? Mapping::time_ms : Mapping::time_us;
    case TimeMode::adaptive_time_microseconds:
    case TimeMode::microseconds: return Mapping::time_us;
    case TimeMode::connect: return Mapping::connect_time;
    case TimeMode::isostring: return Mapping::iso_time;
    case TimeMode::nanoseconds: return Mapping::time_ns;
    }
    return Mapping::time_us;
}

Mapping timestamp_mapping(TimeMode mode, bool in_ms) {
    switch (mode) {
    case TimeMode::adaptive:
    case TimeMode::adaptive_time_microseconds: return in_ms ? Mapping::timestamp_ms : Mapping::timestamp_us;
    case TimeMode::microseconds: return Mapping::timestamp_us;
    case TimeMode::connect: return Mapping::connect_timestamp;
    case TimeMode::isostring: return Mapping::iso_timestamp;
    case TimeMode::nanoseconds: return Mapping::timestamp_ns;
    }
    return Mapping::timestamp_us;
}

void set_extension_type(ValueType &type, std::string_view name, const TypeOptions &options) {
    if (name == "hstore")
        type.mapping = options.hstore == HstoreMode::map ? Mapping::hstore_map : Mapping::hstore;
    else if (name == "ltree")
        type.mapping = Mapping::ltree;
    else if (name == "citext")
        type.mapping = Mapping::string;
    else if (name == "vector")
        type.mapping = Mapping::double_vector;
    else if (name == "halfvec")
        type.mapping = Mapping::float_vector;
    else if (name == "sparsevec")
        type.mapping = Mapping::sparse_vector;
    else if (name == "geometry")
        type.mapping = Mapping::geometry;
    else if (name == "geography")
        type.mapping = Mapping::geography;
}

void set_enum(ValueType &type, const std::vector<std::string> &labels) {
    type.mapping = Mapping::enumeration;
    for (const std::string &label : labels) {
        if (&label != &labels.front()) type.allowed += ',';
        type.allowed += label;
    }
}

// What Debezium has structs for, and we the text.
void set_geometry(ValueType &type) {
    switch (type.oid) {
    case TypeOid::lseg:
    case TypeOid::path: type.mapping = Mapping::line_string; return;
    case TypeOid::box:
    case TypeOid::polygon: type.mapping = Mapping::polygon; return;
    case TypeOid::line: type.mapping = Mapping::line; return;
    default: type.mapping = Mapping::circle; return;
    }
}

void set_scalar(ValueType &type, const Column &column, const TypeOptions &options) {
    const bool has_fraction = column.typmod >= 0 && column.typmod <= max_fraction_digits;
    const std::int32_t fraction = has_fraction ? column.typmod : max_fraction_digits;
    const bool in_ms = fraction <= max_ms_fraction_digits;
    switch (type.oid) {
    case TypeOid::boolean: type.mapping = Mapping::boolean; return;
    case TypeOid::int2: type.mapping = Mapping::int16; return;
    case TypeOid::int4: type.mapping = Mapping::int32; return;
    case TypeOid::int8: type.mapping = Mapping::int64; return;
    case TypeOid::oid: type.mapping = Mapping::oid; return;
    case TypeOid::float4: type.mapping = Mapping::float32; return;
    case TypeOid::float8: type.mapping = Mapping::float64; return;
    case TypeOid::numeric: set_numeric(type, column.typmod, options); return;
    case TypeOid::money: set_money(type, options); return;
    case TypeOid::text:
    case TypeOid::varchar:
    case TypeOid::bpchar:
    case TypeOid::name: type.mapping = Mapping::string; return;
    case TypeOid::one_char: type.mapping = Mapping::single_char; return;
    case TypeOid::bytea: type.mapping = bytes_mapping(options.binary); return;
    case TypeOid::bit:
    case TypeOid::varbit: set_bits(type, column.typmod); return;
    case TypeOid::date: type.mapping = date_mapping(options.time); return;
    case TypeOid::time: type.mapping = time_mapping(options.time, in_ms); return;
    case TypeOid::timetz: type.mapping = Mapping::zoned_time; return;
    case TypeOid::timestamp: type.mapping = timestamp_mapping(options.time, in_ms); return;
    case TypeOid::timestamptz:
        type.mapping = Mapping::zoned_timestamp;
        type.precision = fraction;
        return;
    case TypeOid::interval:
        type.mapping = options.interval == IntervalMode::as_string ? Mapping::iso_interval : Mapping::interval;
        return;
    case TypeOid::uuid: type.mapping = Mapping::uuid; return;
    case TypeOid::json: type.mapping = Mapping::json; return;
    case TypeOid::jsonb: type.mapping = Mapping::jsonb; return;
    case TypeOid::xml: type.mapping = Mapping::xml; return;
    case TypeOid::point: type.mapping = Mapping::point; return;
    case TypeOid::tsvector: type.mapping = Mapping::tsvector; return;
    case TypeOid::lseg:
    case TypeOid::path:
    case TypeOid::box:
    case TypeOid::polygon:
    case TypeOid::line:
    case TypeOid::circle:
        if (type.as_debezium) set_geometry(type);
        return;
    case TypeOid::unknown: break;
    }
    if (column.kind == 'e')
        set_enum(type, column.labels);
    else
        set_extension_type(type, column.extension_type, options);
}

// Those that PostgreSQL has had from the start, and the network's addresses.
bool is_known_by_its_text(const Column &column) {
    constexpr std::array<std::uint32_t, 10> oids{650, 774, 829, 869, 3904, 3906, 3908, 3910, 3912, 3926};
    return std::find(oids.begin(), oids.end(), column.element != 0 ? column.element : column.type) != oids.end();
}

// What Maxwell publishes is what MySQL's types are; the others are text.
Mapping maxwell_mapping(Mapping mapping) {
    switch (mapping) {
    case Mapping::decimal:
    case Mapping::variable_decimal: return Mapping::decimal_number;
    case Mapping::money: return Mapping::money_number;
    case Mapping::json:
    case Mapping::jsonb: return Mapping::raw_json;
    case Mapping::hstore: return Mapping::hstore_map;
    case Mapping::zoned_timestamp: return Mapping::pg_text_zulu;
    case Mapping::boolean:
    case Mapping::int16:
    case Mapping::int32:
    case Mapping::int64:
    case Mapping::oid:
    case Mapping::float32:
    case Mapping::float64:
    case Mapping::string:
    case Mapping::enumeration:
    case Mapping::bytes: return mapping;
    default: return Mapping::pg_text;
    }
}

} // namespace

ValueType value_type_of(const Column &column, const TypeOptions &options) {
    ValueType type;
    type.holds_array = column.element != 0;
    type.is_array = type.holds_array;
    type.oid = static_cast<TypeOid>(type.is_array ? column.element : column.type);
    type.delimiter = column.delimiter;
    type.as_debezium = options.compatibility == Compatibility::debezium_3_7;
    set_scalar(type, column, options);
    if (any_matches(options.as_text, column.type_name)) publish_as_text(type);
    return type;
}

bool is_left_out_by_debezium(const Column &column, const ValueType &type) {
    if (column.generated) return true;
    if (!type.holds_array) return type.mapping == Mapping::opaque && !is_known_by_its_text(column);
    if (column.domain && column.kind != 'e') return true;
    switch (type.mapping) {
    case Mapping::money:
    case Mapping::money_string:
    case Mapping::money_double:
    case Mapping::interval:
    case Mapping::iso_interval:
    case Mapping::xml:
    case Mapping::point: return true;
    case Mapping::opaque: return !is_known_by_its_text(column);
    default: return type.oid == TypeOid::name || type.oid == TypeOid::varbit;
    }
}

void publish_as_text(ValueType &type) {
    type.mapping = Mapping::pg_text_of_whole;
    type.is_array = false;
}

ValueType value_type_of_maxwell(const Column &column, const std::vector<Pattern> &as_text) {
    ValueType type = value_type_of(column);
    type.mapping = maxwell_mapping(type.mapping);
    if (any_matches(as_text, column.type_name)) publish_as_text(type);
    return type;
}

} // namespace waybill
