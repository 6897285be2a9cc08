#include "value_json.hpp"

#include "array_json.hpp"
#include "extension_json.hpp"
#include "geometry_json.hpp"
#include "java_float.hpp"
#include "numeric_json.hpp"
#include "pg_text_writer.hpp"
#include "pg_value.hpp"
#include "temporal_json.hpp"

#include <algorithm>
#include <string>

namespace waybill {

namespace {

template <typename Integer>
void write_fixed_integer(JsonWriter &out, const Value &value) {
    if (is_binary(value))
        out.integer(fixed<Integer>(value.bytes));
    else
        out.integer(pg_text::parse_integer(value.bytes));
}

template <typename Float, typename Bits>
void write_float(JsonWriter &out, const Value &value) {
    write_java_float(out, float_of<Float, Bits>(value));
}

void write_boolean(JsonWriter &out, bool value) {
    out.raw(value ? "true" : "false");
}

void write_text(JsonWriter &out, const Value &value) {
    out.string(value.bytes);
}

using TextWriter = void (*)(JsonWriter &, const ValueType &, const Value &);

// PostgreSQL's text, by `write` when it is not at hand.
void write_pg_string(JsonWriter &out, const ValueType &type, const Value &value, TextWriter write) {
    if (!is_binary(value)) return write_text(out, value);
    out.raw('"');
    const std::size_t from = out.size();
    write(out, type, value);
    out.escape_from(from);
    out.raw('"');
}

void write_uuid(JsonWriter &out, const Value &value) {
    if (!is_binary(value)) return write_text(out, value);
    out.raw('"');
    write_pg_uuid(out, value.bytes);
    out.raw('"');
}

// A timestamptz in UTC with its zone written Z: 2024-05-01 10:00:00Z, 0044-03-15 00:00:00Z BC.
void write_zulu(JsonWriter &out, const ValueType &type, const Value &value) {
    constexpr std::string_view utc = "+00";
    constexpr std::string_view era = " BC";
    out.raw('"');
    const std::size_t from = out.size();
    write_pg_element_text(out, type, value);
    const std::size_t zone = out.view(from).find(utc);
    if (zone != std::string_view::npos) { // no infinity
        const std::string_view behind = out.view(from + zone + utc.size());
        const bool before_christ = behind == era;
        if (!behind.empty() && !before_christ) throw DataError("the text of a timestamp does not read");
        out.truncate(from + zone);
        out.raw('Z');
        if (before_christ) out.raw(era);
    }
    out.escape_from(from);
    out.raw('"');
}

void write_bytes(JsonWriter &out, const ValueType &type, const Value &value) {
    std::string parsed;
    if (!is_binary(value)) parsed = pg_text::parse_hex(value.bytes);
    const std::string_view bytes = is_binary(value) ? value.bytes : std::string_view(parsed);
    if (type.mapping != Mapping::hex) return out.base64(bytes, type.mapping == Mapping::base64_url);
    constexpr std::string_view digits = "0123456789abcdef";
    char *to = out.room(2 * bytes.size() + 2);
    *to++ = '"';
    for (const char c : bytes) {
        *to++ = digits[static_cast<unsigned char>(c) >> 4];
        *to++ = digits[static_cast<unsigned char>(c) & 15];
    }
    *to++ = '"';
    out.advance(to);
}

// The bits, the first being the highest, as a little-endian number without zero bytes at its end.
void write_bits(JsonWriter &out, const ValueType &type, const Value &value) {
    const BitString bits(value);
    const std::size_t count = bits.size();
    if (type.mapping == Mapping::boolean_bit) return write_boolean(out, count == 1 && bits[0]);
    std::string number(count / 8 + (count % 8 != 0 ? 1 : 0), '\0');
    for (std::size_t at = 0; at < count; ++at) {
        const std::size_t power = count - 1 - at;
        if (bits[at]) number[power / 8] = static_cast<char>(number[power / 8] | 1 << power % 8);
    }
    const std::size_t last = number.find_last_not_of('\0');
    out.base64(std::string_view(number).substr(0, last == number.npos ? 0 : last + 1));
}

// What the document says. A json's text has the spaces and line breaks that it was given, but only between tokens; a
// record stays on one line.
void write_raw_json(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::string_view text = type.oid == TypeOid::jsonb ? jsonb_text(value) : value.bytes;
    char *const to = out.room(text.size());
    out.advance(std::transform(text.begin(), text.end(), to,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20 ? ' ' : c; }));
}

} // namespace

void write_value(JsonWriter &out, const ValueType &type, const Value &value) {
    if (type.is_array)
        write_array(out, type, value);
    else
        write_element(out, type, value);
}

void write_element(JsonWriter &out, const ValueType &type, const Value &value) {
    switch (type.mapping) {
    case Mapping::boolean:
        return write_boolean(out, is_binary(value) ? fixed<std::uint8_t>(value.bytes) != 0
                                                   : pg_text::parse_bool(value.bytes));
    case Mapping::int16: return write_fixed_integer<std::int16_t>(out, value);
    case Mapping::int32: return write_fixed_integer<std::int32_t>(out, value);
    case Mapping::int64: return write_fixed_integer<std::int64_t>(out, value);
    case Mapping::oid: return write_fixed_integer<std::uint32_t>(out, value);
    case Mapping::float32: return write_float<float, std::uint32_t>(out, value);
    case Mapping::float64: return write_float<double, std::uint64_t>(out, value);
    case Mapping::decimal:
    case Mapping::variable_decimal:
    case Mapping::decimal_string:
    case Mapping::decimal_double:
    case Mapping::decimal_number: return write_numeric(out, type, value);
    case Mapping::money:
    case Mapping::money_string:
    case Mapping::money_double:
    case Mapping::money_number: return write_money(out, type, value);
    case Mapping::string:
    case Mapping::enumeration:
    case Mapping::json:
    case Mapping::xml: return write_text(out, value);
    case Mapping::opaque:
    case Mapping::ltree:
    case Mapping::tsvector: require_text(value); return write_text(out, value);
    case Mapping::uuid: return write_uuid(out, value);
    case Mapping::single_char:
    case Mapping::pg_text: return write_pg_string(out, type, value, write_pg_element_text);
    case Mapping::pg_text_of_whole: return write_pg_string(out, type, value, write_pg_text);
    case Mapping::pg_text_zulu: return write_zulu(out, type, value);
    case Mapping::jsonb: return out.string(jsonb_text(value));
    case Mapping::raw_json: return write_raw_json(out, type, value);
    case Mapping::bytes:
    case Mapping::base64:
    case Mapping::base64_url:
    case Mapping::hex: return write_bytes(out, type, value);
    case Mapping::boolean_bit:
    case Mapping::bits: return write_bits(out, type, value);
    case Mapping::date:
    case Mapping::connect_date: return write_date_number(out, value);
    case Mapping::iso_date: return write_iso_date(out, type, value);
    case Mapping::time_ms:
    case Mapping::connect_time: return write_time_number(out, value, TimeUnit::millisecond);
    case Mapping::time_us: return write_time_number(out, value, TimeUnit::microsecond);
    case Mapping::time_ns: return write_time_number(out, value, TimeUnit::nanosecond);
    case Mapping::iso_time: return write_iso_time(out, type, value);
    case Mapping::zoned_time: return write_zoned_time(out, value);
    case Mapping::timestamp_ms:
    case Mapping::connect_timestamp: return write_timestamp_number(out, type, value, TimeUnit::millisecond);
    case Mapping::timestamp_us: return write_timestamp_number(out, type, value, TimeUnit::microsecond);
    case Mapping::timestamp_ns: return write_timestamp_number(out, type, value, TimeUnit::nanosecond);
    case Mapping::iso_timestamp: return write_iso_timestamp(out, type, value);
    case Mapping::zoned_timestamp: return write_zoned_timestamp(out, type, value);
    case Mapping::interval: return write_interval_number(out, type, value);
    case Mapping::iso_interval: return write_iso_interval(out, value);
    case Mapping::hstore: return write_hstore_string(out, value);
    case Mapping::hstore_map: return write_hstore_object(out, value);
    case Mapping::point: return write_point(out, value);
    case Mapping::geometry:
    case Mapping::geography: return write_geometry(out, type, value);
    case Mapping::double_vector:
    case Mapping::float_vector: return write_vector(out, type, value);
    case Mapping::sparse_vector: return write_sparse_vector(out, value);
    case Mapping::line_string:
    case Mapping::polygon: return write_outline(out, type, value);
    case Mapping::line: return write_line(out, value);
    case Mapping::circle: return write_circle(out, value);
    }
}

} // namespace waybill
