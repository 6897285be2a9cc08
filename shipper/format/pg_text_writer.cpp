#include "pg_text_writer.hpp"

#include "clock_text.hpp"
#include "pg_array.hpp"
#include "pg_float.hpp"
#include "pg_value.hpp"

#include <array>
#include <cstdlib>

namespace waybill {

namespace {

using pg_text::us_per_second;

void write_hex(JsonWriter &out, std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    char *to = out.room(2 * bytes.size() + 2);
    *to++ = '\\';
    *to++ = 'x';
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    out.advance(to);
}

// charsend() sends the byte itself, charout() writes those above ASCII in octal and 0 as nothing. The bytes need not
// be text in any encoding.
void write_single_char(JsonWriter &out, std::string_view bytes) {
    const auto byte = fixed<std::uint8_t>(bytes);
    if (byte == 0) return;
    if (byte < 0x80) return out.raw(bytes);
    out.raw('\\');
    for (const int shift : {6, 3, 0}) out.raw(static_cast<char>('0' + (byte >> shift & 7)));
}

void write_bits(JsonWriter &out, const Value &value) {
    const BitString bits(value);
    char *to = out.room(bits.size());
    for (std::size_t at = 0; at < bits.size(); ++at) *to++ = bits[at] ? '1' : '0';
    out.advance(to);
}

// $1,234.56
void write_money(JsonWriter &out, std::int64_t hundredths) {
    const std::uint64_t magnitude =
        hundredths < 0 ? -static_cast<std::uint64_t>(hundredths) : static_cast<std::uint64_t>(hundredths);
    std::array<char, 32> text{};
    const char *const end = std::to_chars(text.data(), text.data() + text.size(), magnitude / 100).ptr;
    const auto digits = static_cast<std::size_t>(end - text.data());
    out.raw(hundredths < 0 ? "-$" : "$");
    for (std::size_t at = 0; at < digits; ++at) {
        if (at != 0 && (digits - at) % 3 == 0) out.raw(',');
        out.raw(text[at]);
    }
    out.raw('.');
    char *const to = out.room(2);
    out.advance(put_two_digits(to, static_cast<std::uint32_t>(magnitude % 100)));
}

// The year before 1 is 0 here and 1 BC in PostgreSQL.
char *put_date(char *to, const CivilDate &date) {
    return put_month_and_day(put_year_digits(to, date.year > 0 ? date.year : 1 - date.year), date);
}

template <typename Integer>
bool write_infinite(JsonWriter &out, Integer value) {
    if (value == pg_text::infinity<Integer>)
        out.raw("infinity");
    else if (value == pg_text::minus_infinity<Integer>)
        out.raw("-infinity");
    else
        return false;
    return true;
}

constexpr std::size_t max_moment_size = 48;

void write_date(JsonWriter &out, std::int32_t days) {
    if (write_infinite(out, days)) return;
    const CivilDate date = civil_from_days(days + pg_epoch_days);
    char *to = put_date(out.room(max_moment_size), date);
    if (date.year <= 0) to = put_text(to, " BC");
    out.advance(to);
}

void write_timestamp(JsonWriter &out, std::int64_t us, std::string_view zone) {
    if (write_infinite(out, us)) return;
    const DayAndTime moment = day_and_time(us);
    const CivilDate date = civil_from_days(moment.days + pg_epoch_days);
    char *to = put_date(out.room(max_moment_size), date);
    *to++ = ' ';
    to = put_time_of_day(to, moment.us_of_day);
    to = put_short_fraction(to, static_cast<std::uint32_t>(moment.us_of_day % us_per_second));
    to = put_text(to, zone);
    if (date.year <= 0) to = put_text(to, " BC");
    out.advance(to);
}

char *put_time(char *to, std::int64_t us) {
    return put_short_fraction(put_time_of_day(to, us), static_cast<std::uint32_t>(us % us_per_second));
}

void write_timetz(JsonWriter &out, const pg_text::TimeTz &time) {
    char *to = put_time(out.room(max_moment_size), time.us);
    if (time.seconds_west == pg_text::minus_infinity<std::int32_t>) throw DataError("a time zone out of range");
    const auto seconds = static_cast<std::uint32_t>(std::abs(time.seconds_west));
    if (seconds >= 100 * 3600) throw DataError("a time zone out of range");
    *to++ = time.seconds_west <= 0 ? '+' : '-';
    to = put_two_digits(to, seconds / 3600);
    if (seconds % 3600 != 0) {
        *to++ = ':';
        to = put_two_digits(to, seconds / 60 % 60);
    }
    if (seconds % 60 != 0) {
        *to++ = ':';
        to = put_two_digits(to, seconds % 60);
    }
    out.advance(to);
}

// 1 year -2 mons +3 days -04:05:06.789
void write_interval(JsonWriter &out, const pg_text::Interval &interval) {
    if (interval.is_infinite()) return out.raw("infinity");
    if (interval.is_minus_infinite()) return out.raw("-infinity");
    bool first = true;
    bool behind_negative = false; // then what is positive needs a sign
    const auto part = [&](std::int32_t count, std::string_view unit) {
        if (count == 0) return;
        if (!first) out.raw(' ');
        if (behind_negative && count > 0) out.raw('+');
        out.integer(count);
        out.raw(' ');
        out.raw(unit);
        if (count != 1) out.raw('s');
        behind_negative = count < 0;
        first = false;
    };
    part(interval.months / 12, "year");
    part(interval.months % 12, "mon");
    part(interval.days, "day");
    if (!first && interval.us == 0) return;
    if (!first) out.raw(' ');
    if (interval.us < 0)
        out.raw('-');
    else if (behind_negative)
        out.raw('+');
    const std::uint64_t us =
        interval.us < 0 ? -static_cast<std::uint64_t>(interval.us) : static_cast<std::uint64_t>(interval.us);
    const std::uint64_t seconds = us / static_cast<std::uint64_t>(us_per_second);
    char *to = out.room(max_moment_size);
    if (seconds / 3600 < 10) *to++ = '0';
    to = std::to_chars(to, to + 20, seconds / 3600).ptr;
    *to++ = ':';
    to = put_two_digits(to, static_cast<std::uint32_t>(seconds / 60 % 60));
    *to++ = ':';
    to = put_two_digits(to, static_cast<std::uint32_t>(seconds % 60));
    out.advance(put_short_fraction(to, static_cast<std::uint32_t>(us % static_cast<std::uint64_t>(us_per_second))));
}

void write_point(JsonWriter &out, const Point &point) {
    out.raw('(');
    write_pg_float(out, point.x);
    out.raw(',');
    write_pg_float(out, point.y);
    out.raw(')');
}

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_null_word(std::string_view text) {
    constexpr std::string_view word = "null";
    return std::equal(text.begin(), text.end(), word.begin(), word.end(), [](char c, char lower) {
        return c == lower || (c >= 'A' && c <= 'Z' && c + ('a' - 'A') == lower);
    });
}

// array_out()'s rule.
void write_quoted_if_needed(JsonWriter &out, std::string_view text, char delimiter) {
    const bool plain = !text.empty() && !is_null_word(text) && std::none_of(text.begin(), text.end(), [&](char c) {
        return c == '"' || c == '\\' || c == '{' || c == '}' || c == delimiter || is_space(c);
    });
    if (plain) return out.raw(text);
    out.raw('"');
    for (const char c : text) {
        if (c == '"' || c == '\\') out.raw('\\');
        out.raw(c);
    }
    out.raw('"');
}

class ArrayText {
public:
    ArrayText(JsonWriter &out, const ValueType &type) : out_(out), type_(type) {}

    void bounds(std::span<const PgArrayDimension> dimensions) {
        const bool usual =
            std::all_of(dimensions.begin(), dimensions.end(), [](const auto &one) { return one.lower_bound == 1; });
        if (usual) return;
        for (const PgArrayDimension &one : dimensions) {
            out_.raw('[');
            out_.integer(one.lower_bound);
            out_.raw(':');
            out_.integer(std::int64_t{one.lower_bound} + one.size - 1);
            out_.raw(']');
        }
        out_.raw('=');
    }
    void open() { out_.raw('{'); }
    void close() { out_.raw('}'); }
    void separate() { out_.raw(type_.delimiter); }
    void null() { out_.raw("NULL"); }
    void element(std::string_view bytes) {
        element_.clear();
        write_pg_element_text(element_, type_, {.kind = Value::Kind::binary, .bytes = bytes});
        write_quoted_if_needed(out_, element_.view(), type_.delimiter);
    }

private:
    JsonWriter &out_;
    const ValueType &type_;
    JsonWriter element_;
};

} // namespace

void write_pg_numeric(JsonWriter &out, std::string_view bytes) {
    constexpr std::int32_t digits_per_group = 4;
    constexpr std::int32_t max_scale = 16383;
    BinaryReader reader(bytes);
    const std::int32_t groups = reader.uint16();
    const std::int32_t weight = reader.int16(); // of the first group, in powers of 10^4
    const std::uint16_t sign = reader.uint16();
    const std::int32_t scale = reader.uint16();
    const std::string_view digits = reader.bytes(static_cast<std::size_t>(groups) * 2);
    reader.finish();
    switch (sign) {
    case 0x0000: break;
    case 0x4000: out.raw('-'); break;
    case 0xC000: return out.raw("NaN");
    case 0xD000: return out.raw("Infinity");
    case 0xF000: return out.raw("-Infinity");
    default: throw DataError("a numeric with an unknown sign");
    }
    if (scale > max_scale) throw DataError("a numeric of too many digits");
    const auto group = [&](std::int32_t at) -> std::uint32_t {
        if (at < 0 || at >= groups) return 0;
        const auto value = load_big_endian<std::uint16_t>(&digits[static_cast<std::size_t>(at) * 2]);
        if (value > 9999) throw DataError("a numeric with a digit above 9999");
        return value;
    };
    if (weight < 0) {
        out.raw('0');
    } else {
        if (weight > 0 && group(0) == 0) throw DataError("a numeric that begins with zeros");
        out.integer(group(0));
        char *to = out.room(static_cast<std::size_t>(weight) * digits_per_group);
        for (std::int32_t at = 1; at <= weight; ++at)
            to = put_two_digits(put_two_digits(to, group(at) / 100), group(at) % 100);
        out.advance(to);
    }
    if (scale == 0) return;
    out.raw('.');
    char *const fraction = out.room(static_cast<std::size_t>(scale) + digits_per_group);
    char *to = fraction;
    for (std::int32_t at = weight + 1; to - fraction < scale; ++at)
        to = put_two_digits(put_two_digits(to, group(at) / 100), group(at) % 100);
    out.advance(fraction + scale);
}

void write_pg_uuid(JsonWriter &out, std::string_view bytes) {
    if (bytes.size() != 16) throw DataError("a binary uuid has the wrong size");
    constexpr std::string_view digits = "0123456789abcdef";
    char *to = out.room(36);
    for (std::size_t at = 0; at < 16; ++at) {
        if (at == 4 || at == 6 || at == 8 || at == 10) *to++ = '-';
        const auto byte = static_cast<unsigned char>(bytes[at]);
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    out.advance(to);
}

void write_pg_element_text(JsonWriter &out, const ValueType &type, const Value &value) {
    if (!is_binary(value)) return out.raw(value.bytes);
    const std::string_view bytes = value.bytes;
    switch (type.oid) {
    case TypeOid::boolean: return out.raw(fixed<std::uint8_t>(bytes) != 0 ? 't' : 'f');
    case TypeOid::int2: return out.integer(fixed<std::int16_t>(bytes));
    case TypeOid::int4: return out.integer(fixed<std::int32_t>(bytes));
    case TypeOid::int8: return out.integer(fixed<std::int64_t>(bytes));
    case TypeOid::oid: return out.integer(fixed<std::uint32_t>(bytes));
    case TypeOid::float4: return write_pg_float(out, float_of<float, std::uint32_t>(value));
    case TypeOid::float8: return write_pg_float(out, float_of<double, std::uint64_t>(value));
    case TypeOid::numeric: return write_pg_numeric(out, bytes);
    case TypeOid::money: return write_money(out, money_of(value));
    case TypeOid::name:
    case TypeOid::text:
    case TypeOid::varchar:
    case TypeOid::bpchar:
    case TypeOid::json:
    case TypeOid::xml: return out.raw(bytes);
    case TypeOid::jsonb: return out.raw(jsonb_text(value));
    case TypeOid::one_char: return write_single_char(out, bytes);
    case TypeOid::bytea: return write_hex(out, bytes);
    case TypeOid::bit:
    case TypeOid::varbit: return write_bits(out, value);
    case TypeOid::date: return write_date(out, date_of(value));
    case TypeOid::time: {
        char *const to = out.room(max_moment_size);
        return out.advance(put_time(to, time_of(value)));
    }
    case TypeOid::timetz: return write_timetz(out, timetz_of(value));
    case TypeOid::timestamp: return write_timestamp(out, timestamp_of(value), "");
    case TypeOid::timestamptz: return write_timestamp(out, timestamp_of(value), "+00");
    case TypeOid::interval: return write_interval(out, interval_of(value));
    case TypeOid::uuid: return write_pg_uuid(out, bytes);
    case TypeOid::point: return write_point(out, point_of(value));
    case TypeOid::tsvector:
    case TypeOid::lseg:
    case TypeOid::path:
    case TypeOid::box:
    case TypeOid::polygon:
    case TypeOid::line:
    case TypeOid::circle:
    case TypeOid::unknown: break;
    }
    if (type.mapping == Mapping::string) return out.raw(bytes); // citext
    throw DataError("a binary value of a type that is read as text only");
}

void write_pg_text(JsonWriter &out, const ValueType &type, const Value &value) {
    if (type.holds_array && is_binary(value))
        walk_pg_array(value.bytes, ArrayText(out, type));
    else
        write_pg_element_text(out, type, value);
}

} // namespace waybill
