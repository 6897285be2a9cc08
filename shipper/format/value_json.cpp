#include "value_json.hpp"

#include "../errors.hpp"
#include "array_json.hpp"
#include "calendar.hpp"
#include "java_float.hpp"
#include "numeric.hpp"
#include "pg_binary.hpp"
#include "pg_text.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace waybill {

namespace {

using pg_text::us_per_day;
using pg_text::us_per_second;

constexpr std::int64_t us_per_ms = 1'000;
constexpr std::int64_t pg_epoch_us = pg_epoch_days * us_per_day;

bool is_binary(const Value &value) {
    return value.kind == Value::Kind::binary;
}

// A binary value that is one integer.
template <typename Integer>
Integer fixed(std::string_view bytes) {
    if (bytes.size() != sizeof(Integer)) throw DataError("a binary value has the wrong size");
    return static_cast<Integer>(load_big_endian<std::make_unsigned_t<Integer>>(bytes.data()));
}

template <typename Integer>
void write_fixed_integer(JsonWriter &out, const Value &value) {
    if (is_binary(value))
        out.integer(fixed<Integer>(value.bytes));
    else
        out.integer(pg_text::parse_integer(value.bytes));
}

template <typename Float, typename Bits>
void write_float(JsonWriter &out, const Value &value) {
    write_java_float(out, is_binary(value) ? std::bit_cast<Float>(fixed<Bits>(value.bytes))
                                           : pg_text::parse_float<Float>(value.bytes));
}

void write_boolean(JsonWriter &out, bool value) {
    out.raw(value ? "true" : "false");
}

// Writes what is no number as its name, which neither Decimal nor VariableScaleDecimal could hold: a reader of numbers
// must fail on it rather than take it for one.
bool write_special(JsonWriter &out, const Numeric &numeric) {
    switch (numeric.kind()) {
    case Numeric::Kind::finite: return false;
    case Numeric::Kind::nan: out.raw("\"NaN\""); return true;
    case Numeric::Kind::infinity: out.raw("\"Infinity\""); return true;
    case Numeric::Kind::minus_infinity: out.raw("\"-Infinity\""); return true;
    }
    return false;
}

void write_numeric(JsonWriter &out, const ValueType &type, const Value &value) {
    Numeric numeric = is_binary(value) ? Numeric::from_binary(value.bytes) : Numeric::from_text(value.bytes);
    if (write_special(out, numeric)) return;
    if (type.mapping == Mapping::decimal) {
        numeric.set_scale(type.scale);
        return numeric.write_unscaled(out);
    }
    numeric.strip_trailing_zeros();
    out.raw("{\"scale\":");
    out.integer(numeric.scale());
    out.raw(",\"value\":");
    numeric.write_unscaled(out);
    out.raw('}');
}

void write_money(JsonWriter &out, const Value &value) {
    write_twos_complement(out, is_binary(value) ? fixed<std::int64_t>(value.bytes) : pg_text::parse_money(value.bytes));
}

void write_text(JsonWriter &out, const Value &value) {
    out.string(value.bytes);
}

// charsend() sends the byte itself, charout() writes those above ASCII in octal and 0 as nothing. The bytes need not
// be text in any encoding, so the text form is what is published.
void write_single_char(JsonWriter &out, const Value &value) {
    if (!is_binary(value)) return write_text(out, value);
    const auto byte = fixed<std::uint8_t>(value.bytes);
    if (byte == 0) return out.raw("\"\"");
    if (byte < 0x80) return out.string(value.bytes);
    const std::array<char, 4> octal = {'\\', static_cast<char>('0' + (byte >> 6)),
                                       static_cast<char>('0' + (byte >> 3 & 7)), static_cast<char>('0' + (byte & 7))};
    out.string({octal.data(), octal.size()});
}

void write_bytes(JsonWriter &out, const Value &value) {
    if (is_binary(value))
        out.base64(value.bytes);
    else
        out.base64(pg_text::parse_hex(value.bytes));
}

// The bits, the first being the highest, as a little-endian number without zero bytes at its end.
void write_bits(JsonWriter &out, const ValueType &type, const Value &value) {
    std::string_view packed; // bit_send(): eight bits a byte, the first highest; the last byte padded
    std::size_t count = value.bytes.size();
    if (is_binary(value)) {
        BinaryReader reader(value.bytes);
        count = reader.uint32();
        packed = reader.bytes(count / 8 + (count % 8 != 0 ? 1 : 0));
        reader.finish();
    } else if (value.bytes.find_first_not_of("01") != value.bytes.npos) {
        throw DataError("the text of a bit string does not read");
    }
    const auto bit = [&](std::size_t at) {
        return is_binary(value) ? (packed[at / 8] >> (7 - at % 8) & 1) != 0 : value.bytes[at] == '1';
    };
    if (type.mapping == Mapping::boolean_bit) return write_boolean(out, count == 1 && bit(0));
    std::string number(count / 8 + (count % 8 != 0 ? 1 : 0), '\0');
    for (std::size_t at = 0; at < count; ++at) {
        const std::size_t power = count - 1 - at;
        if (bit(at)) number[power / 8] = static_cast<char>(number[power / 8] | 1 << power % 8);
    }
    const std::size_t last = number.find_last_not_of('\0');
    out.base64(std::string_view(number).substr(0, last == number.npos ? 0 : last + 1));
}

char *put_two_digits(char *to, std::uint32_t value) {
    *to++ = static_cast<char>('0' + value / 10);
    *to++ = static_cast<char>('0' + value % 10);
    return to;
}

// The first `count` of a fraction's six digits.
char *put_fraction(char *to, std::uint32_t us, std::int32_t count) {
    std::array<char, 6> digits{};
    for (std::size_t at = digits.size(); at-- > 0; us /= 10) digits[at] = static_cast<char>('0' + us % 10);
    return std::copy_n(digits.begin(), count, to);
}

char *put_time_of_day(char *to, std::int64_t us_of_day) {
    const auto seconds = static_cast<std::uint32_t>(us_of_day / us_per_second);
    to = put_two_digits(to, seconds / 3600);
    *to++ = ':';
    to = put_two_digits(to, seconds / 60 % 60);
    *to++ = ':';
    return put_two_digits(to, seconds % 60);
}

// Java's ISO form: at least four digits, a plus sign before more.
char *put_year(char *to, std::int64_t year) {
    if (year > 9999) *to++ = '+';
    if (year < 0) {
        *to++ = '-';
        year = -year;
    }
    for (std::int64_t power = 1000; power > 1 && year < power; power /= 10) *to++ = '0';
    return std::to_chars(to, to + 8, year).ptr;
}

void write_date(JsonWriter &out, const Value &value) {
    const std::int32_t days = is_binary(value) ? fixed<std::int32_t>(value.bytes) : pg_text::parse_date(value.bytes);
    // Debezium adds 32-bit numbers here, so its infinities wrap around; they are told from dates by that.
    out.integer(static_cast<std::int32_t>(static_cast<std::uint32_t>(days) + std::uint32_t{pg_epoch_days}));
}

void write_time(JsonWriter &out, const Value &value, std::int64_t unit_us) {
    const std::int64_t us = is_binary(value) ? fixed<std::int64_t>(value.bytes) : pg_text::parse_time(value.bytes);
    out.integer(us / unit_us);
}

void write_zoned_time(JsonWriter &out, const Value &value) {
    pg_text::TimeTz time;
    if (is_binary(value)) {
        BinaryReader reader(value.bytes);
        time.us = reader.int64();
        time.seconds_west = reader.int32();
        reader.finish();
        if (time.us < 0 || time.us > us_per_day) throw DataError("a time of day out of range");
    } else {
        time = pg_text::parse_timetz(value.bytes);
    }
    std::int64_t us = (time.us + time.seconds_west * us_per_second) % us_per_day;
    if (us < 0) us += us_per_day;
    char *to = out.room(24);
    *to++ = '"';
    to = put_time_of_day(to, us);
    auto fraction = static_cast<std::uint32_t>(us % us_per_second);
    if (fraction != 0) {
        *to++ = '.';
        to = put_fraction(to, fraction, 6);
        while (to[-1] == '0') --to;
    }
    *to++ = 'Z';
    *to++ = '"';
    out.advance(to);
}

std::int64_t timestamp_of(const Value &value) {
    return is_binary(value) ? fixed<std::int64_t>(value.bytes) : pg_text::parse_timestamp(value.bytes);
}

void write_timestamp(JsonWriter &out, const Value &value, std::int64_t unit_us) {
    // What pgjdbc makes of the infinities, in microseconds.
    constexpr std::int64_t java_infinity = 9'223'372'036'825'200'000;
    constexpr std::int64_t java_minus_infinity = -9'223'372'036'832'400'000;
    const std::int64_t us = timestamp_of(value);
    if (us == pg_text::infinity<std::int64_t>) return out.integer(java_infinity / unit_us);
    if (us == pg_text::minus_infinity<std::int64_t>) return out.integer(java_minus_infinity / unit_us);
    // PostgreSQL's last days are beyond 64 bits when counted from 1970.
    if (us > pg_text::infinity<std::int64_t> - pg_epoch_us)
        return write_integer(out, (Int128{us} + pg_epoch_us) / unit_us);
    const std::int64_t since_1970 = us + pg_epoch_us;
    out.integer(since_1970 / unit_us - (since_1970 % unit_us < 0 ? 1 : 0));
}

void write_zoned_timestamp(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::int64_t us = timestamp_of(value);
    if (us == pg_text::infinity<std::int64_t>) return out.raw("\"infinity\"");
    if (us == pg_text::minus_infinity<std::int64_t>) return out.raw("\"-infinity\"");
    std::int64_t days = us / us_per_day;
    std::int64_t us_of_day = us % us_per_day;
    if (us_of_day < 0) {
        us_of_day += us_per_day;
        --days;
    }
    const CivilDate date = civil_from_days(days + pg_epoch_days);
    char *to = out.room(48);
    *to++ = '"';
    to = put_year(to, date.year);
    *to++ = '-';
    to = put_two_digits(to, date.month);
    *to++ = '-';
    to = put_two_digits(to, date.day);
    *to++ = 'T';
    to = put_time_of_day(to, us_of_day);
    if (type.precision > 0) {
        *to++ = '.';
        to = put_fraction(to, static_cast<std::uint32_t>(us_of_day % us_per_second), type.precision);
    }
    *to++ = 'Z';
    *to++ = '"';
    out.advance(to);
}

bool is_all(const pg_text::Interval &interval, std::int64_t us, std::int32_t days_and_months) {
    return interval.us == us && interval.days == days_and_months && interval.months == days_and_months;
}

void write_interval(JsonWriter &out, const Value &value) {
    constexpr std::int64_t us_per_month = 2'629'800 * us_per_second; // 365.25 / 12 days
    pg_text::Interval interval;
    if (is_binary(value)) {
        BinaryReader reader(value.bytes);
        interval.us = reader.int64();
        interval.days = reader.int32();
        interval.months = reader.int32();
        reader.finish();
    } else if (value.bytes == "infinity" || value.bytes == "-infinity") {
        return write_text(out, value);
    } else {
        interval = pg_text::parse_interval(value.bytes);
    }
    // PostgreSQL 17's infinities, which no number of microseconds could be told from.
    if (is_all(interval, pg_text::infinity<std::int64_t>, pg_text::infinity<std::int32_t>))
        return out.raw("\"infinity\"");
    if (is_all(interval, pg_text::minus_infinity<std::int64_t>, pg_text::minus_infinity<std::int32_t>))
        return out.raw("\"-infinity\"");
    write_integer(out,
                  Int128{interval.us} + Int128{interval.days} * us_per_day + Int128{interval.months} * us_per_month);
}

void write_uuid(JsonWriter &out, const Value &value) {
    if (!is_binary(value)) return write_text(out, value);
    if (value.bytes.size() != 16) throw DataError("a binary uuid has the wrong size");
    constexpr std::string_view digits = "0123456789abcdef";
    char *to = out.room(38);
    *to++ = '"';
    for (std::size_t at = 0; at < 16; ++at) {
        if (at == 4 || at == 6 || at == 8 || at == 10) *to++ = '-';
        const auto byte = static_cast<unsigned char>(value.bytes[at]);
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    *to++ = '"';
    out.advance(to);
}

void write_jsonb(JsonWriter &out, const Value &value) {
    if (!is_binary(value)) return write_text(out, value);
    if (value.bytes.empty() || value.bytes.front() != 1) throw DataError("a jsonb of an unknown version");
    out.string(value.bytes.substr(1));
}

// "key"=>"value", "other"=>NULL: a JSON object, itself in a string.
void write_hstore(JsonWriter &out, const Value &value) {
    if (is_binary(value)) throw DataError("a binary value of a type that is read as text only");
    JsonWriter object;
    std::string_view rest = value.bytes;
    std::string unquoted;
    const auto fail = [] { throw DataError("the text of an hstore does not read"); };
    const auto skip = [&](std::string_view expected) {
        if (rest.substr(0, expected.size()) != expected) return false;
        rest.remove_prefix(expected.size());
        return true;
    };
    const auto write_quoted = [&] {
        if (!skip("\"")) fail();
        unquoted.clear();
        while (!skip("\"")) {
            skip("\\");
            if (rest.empty()) fail();
            unquoted += rest.front();
            rest.remove_prefix(1);
        }
        object.string(unquoted);
    };
    object.raw('{');
    if (!rest.empty()) {
        for (;;) {
            write_quoted();
            object.raw(':');
            if (!skip("=>")) fail();
            if (skip("NULL"))
                object.raw("null");
            else
                write_quoted();
            if (rest.empty()) break;
            if (!skip(", ")) fail();
            object.raw(',');
        }
    }
    object.raw('}');
    out.string(object.view());
}

// Debezium's Point: both coordinates, and once more as well-known binary.
void write_point(JsonWriter &out, const Value &value) {
    double x = 0;
    double y = 0;
    if (is_binary(value)) {
        BinaryReader reader(value.bytes);
        x = reader.float8();
        y = reader.float8();
        reader.finish();
    } else {
        const std::string_view text = value.bytes;
        const std::size_t comma = text.find(',');
        if (text.size() < 5 || text.front() != '(' || text.back() != ')' || comma == text.npos)
            throw DataError("the text of a point does not read");
        x = pg_text::parse_float<double>(text.substr(1, comma - 1));
        y = pg_text::parse_float<double>(text.substr(comma + 1, text.size() - comma - 2));
    }
    std::array<char, 21> wkb{1, 1}; // little-endian; a point
    const auto put_little_endian = [&](std::size_t at, double coordinate) {
        const auto bits = std::bit_cast<std::uint64_t>(coordinate);
        for (std::size_t byte = 0; byte < 8; ++byte) wkb[at + byte] = static_cast<char>(bits >> (8 * byte) & 0xFF);
    };
    put_little_endian(5, x);
    put_little_endian(13, y);
    out.raw("{\"x\":");
    write_java_float(out, x);
    out.raw(",\"y\":");
    write_java_float(out, y);
    out.raw(",\"wkb\":");
    out.base64({wkb.data(), wkb.size()});
    out.raw(",\"srid\":null}");
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
    case Mapping::variable_decimal: return write_numeric(out, type, value);
    case Mapping::money: return write_money(out, value);
    case Mapping::string:
    case Mapping::enumeration:
    case Mapping::json:
    case Mapping::xml: return write_text(out, value);
    case Mapping::opaque:
    case Mapping::ltree:
    case Mapping::tsvector:
        if (is_binary(value)) throw DataError("a binary value of a type that is read as text only");
        return write_text(out, value);
    case Mapping::single_char: return write_single_char(out, value);
    case Mapping::bytes: return write_bytes(out, value);
    case Mapping::boolean_bit:
    case Mapping::bits: return write_bits(out, type, value);
    case Mapping::date: return write_date(out, value);
    case Mapping::time_ms: return write_time(out, value, us_per_ms);
    case Mapping::time_us: return write_time(out, value, 1);
    case Mapping::zoned_time: return write_zoned_time(out, value);
    case Mapping::timestamp_ms: return write_timestamp(out, value, us_per_ms);
    case Mapping::timestamp_us: return write_timestamp(out, value, 1);
    case Mapping::zoned_timestamp: return write_zoned_timestamp(out, type, value);
    case Mapping::interval: return write_interval(out, value);
    case Mapping::uuid: return write_uuid(out, value);
    case Mapping::jsonb: return write_jsonb(out, value);
    case Mapping::hstore: return write_hstore(out, value);
    case Mapping::point: return write_point(out, value);
    }
}

} // namespace waybill
