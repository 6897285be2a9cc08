#include "temporal_json.hpp"

#include "clock_text.hpp"
#include "numeric.hpp"
#include "pg_value.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace waybill {

namespace {

using pg_text::us_per_day;
using pg_text::us_per_second;

constexpr std::int64_t pg_epoch_us = pg_epoch_days * us_per_day;
constexpr std::int64_t us_per_ms = 1'000;
constexpr std::int64_t ns_per_us = 1'000;
constexpr std::size_t max_moment_size = 48;

// Java's ISO form: at least four digits, a plus sign before more; the year before 1 is 0.
char *put_iso_date(char *to, const CivilDate &date) {
    if (date.year > 9999) *to++ = '+';
    if (date.year < 0) *to++ = '-';
    return put_month_and_day(put_year_digits(to, date.year < 0 ? -date.year : date.year), date);
}

bool write_infinite(JsonWriter &out, bool infinite, bool minus_infinite) {
    if (infinite) out.raw("\"infinity\"");
    if (minus_infinite) out.raw("\"-infinity\"");
    return infinite || minus_infinite;
}

template <typename Integer>
bool write_infinite(JsonWriter &out, Integer value) {
    return write_infinite(out, value == pg_text::infinity<Integer>, value == pg_text::minus_infinity<Integer>);
}

// The same in an ISO form, for which Debezium has the ends of Java's dates.
template <typename Integer>
bool write_infinite(JsonWriter &out, const ValueType &type, Integer value, std::string_view last,
                    std::string_view first) {
    if (!type.as_debezium) return write_infinite(out, value);
    const bool infinite = value == pg_text::infinity<Integer>;
    if (!infinite && value != pg_text::minus_infinity<Integer>) return false;
    out.string(infinite ? last : first);
    return true;
}

// Writes what `put` puts behind a day and its time, in quotes and with Z for UTC.
template <typename Put>
void write_iso(JsonWriter &out, Put put) {
    char *to = out.room(max_moment_size);
    *to++ = '"';
    to = put(to);
    *to++ = 'Z';
    *to++ = '"';
    out.advance(to);
}

char *put_short_time(char *to, std::int64_t us_of_day) {
    return put_short_fraction(put_time_of_day(to, us_of_day), static_cast<std::uint32_t>(us_of_day % us_per_second));
}

char *put_day_and_time(char *to, const DayAndTime &moment) {
    to = put_iso_date(to, civil_from_days(moment.days + pg_epoch_days));
    *to++ = 'T';
    return put_time_of_day(to, moment.us_of_day);
}

} // namespace

void write_date_number(JsonWriter &out, const Value &value) {
    // Debezium's for the infinities, which are no dates that PostgreSQL has.
    constexpr std::int32_t java_infinity = 2'146'033'979;
    constexpr std::int32_t java_minus_infinity = -2'147'472'691;
    const std::int32_t days = date_of(value);
    if (days == pg_text::infinity<std::int32_t>) return out.integer(java_infinity);
    if (days == pg_text::minus_infinity<std::int32_t>) return out.integer(java_minus_infinity);
    out.integer(days + pg_epoch_days);
}

void write_time_number(JsonWriter &out, const Value &value, TimeUnit unit) {
    const std::int64_t us = time_of(value);
    switch (unit) {
    case TimeUnit::nanosecond: return out.integer(us * ns_per_us);
    case TimeUnit::microsecond: return out.integer(us);
    case TimeUnit::millisecond: return out.integer(us / us_per_ms);
    }
}

namespace {

// What may be beyond 64 bits: for Debezium the nearest number that is not.
void write_long(JsonWriter &out, const ValueType &type, Int128 number) {
    constexpr Int128 least = std::numeric_limits<std::int64_t>::min();
    constexpr Int128 most = std::numeric_limits<std::int64_t>::max();
    write_integer(out, type.as_debezium ? std::clamp(number, least, most) : number);
}

} // namespace

void write_timestamp_number(JsonWriter &out, const ValueType &type, const Value &value, TimeUnit unit) {
    const std::int64_t us = timestamp_of(value);
    const bool infinite = us == pg_text::infinity<std::int64_t>;
    const bool minus_infinite = us == pg_text::minus_infinity<std::int64_t>;
    const bool in_ms = unit == TimeUnit::millisecond;
    // What Java makes of the infinities: its longest, and pgjdbc's own in milliseconds.
    constexpr std::int64_t java_infinity_ms = 9'223'372'036'825'200'000;
    constexpr std::int64_t java_minus_infinity_ms = -9'223'372'036'832'400'000;
    if (infinite) return out.integer(in_ms ? java_infinity_ms : std::numeric_limits<std::int64_t>::max());
    if (minus_infinite) return out.integer(in_ms ? java_minus_infinity_ms : std::numeric_limits<std::int64_t>::min());
    if (unit == TimeUnit::nanosecond) {
        const Int128 ns = (Int128{us} + pg_epoch_us) * ns_per_us;
        if (type.as_debezium && static_cast<std::int64_t>(ns) != ns) return out.raw("null");
        return write_integer(out, ns);
    }
    // PostgreSQL's last days are beyond 64 bits when counted from 1970.
    if (us > pg_text::infinity<std::int64_t> - pg_epoch_us)
        return write_long(out, type, (Int128{us} + pg_epoch_us) / (in_ms ? us_per_ms : 1));
    const std::int64_t since_1970 = us + pg_epoch_us;
    out.integer(in_ms ? since_1970 / us_per_ms - (since_1970 % us_per_ms < 0 ? 1 : 0) : since_1970);
}

void write_interval_number(JsonWriter &out, const ValueType &type, const Value &value) {
    constexpr std::int64_t us_per_month = 2'629'800 * us_per_second; // 365.25 / 12 days
    const pg_text::Interval interval = interval_of(value);
    // No number of microseconds could be told from infinities. (They are its ends when all is to be a long.)
    if (!type.as_debezium && write_infinite(out, interval.is_infinite(), interval.is_minus_infinite())) return;
    write_long(out, type,
               Int128{interval.us} + Int128{interval.days} * us_per_day + Int128{interval.months} * us_per_month);
}

void write_iso_date(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::int32_t days = date_of(value);
    if (write_infinite(out, type, days, "+5877611-06-21Z", "-5877611-06-22Z")) return;
    write_iso(out, [&](char *to) { return put_iso_date(to, civil_from_days(days + pg_epoch_days)); });
}

void write_iso_time(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::int64_t us = time_of(value);
    // Java's day has no 24:00.
    write_iso(out, [us = type.as_debezium ? us % us_per_day : us](char *to) { return put_short_time(to, us); });
}

void write_zoned_time(JsonWriter &out, const Value &value) {
    const pg_text::TimeTz time = timetz_of(value);
    std::int64_t us = time.us;
    if (time.seconds_west != 0) { // the end of a day in UTC stays one
        us = (us + time.seconds_west * us_per_second) % us_per_day;
        if (us < 0) us += us_per_day;
    }
    write_iso(out, [&](char *to) { return put_short_time(to, us); });
}

void write_iso_timestamp(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::int64_t us = timestamp_of(value);
    if (write_infinite(out, type, us, "+292278994-08-16T23:00:00Z", "-292275055-05-16T23:00:00Z")) return;
    write_iso(out, [moment = day_and_time(us)](char *to) {
        return put_short_fraction(put_day_and_time(to, moment),
                                  static_cast<std::uint32_t>(moment.us_of_day % us_per_second));
    });
}

void write_zoned_timestamp(JsonWriter &out, const ValueType &type, const Value &value) {
    const std::int64_t us = timestamp_of(value);
    if (write_infinite(out, us)) return;
    write_iso(out, [&, moment = day_and_time(us)](char *to) {
        to = put_day_and_time(to, moment);
        if (type.precision == 0) return to;
        *to++ = '.';
        return put_fraction(to, static_cast<std::uint32_t>(moment.us_of_day % us_per_second), type.precision);
    });
}

// All components, each with its own sign, as PostgreSQL prints them.
void write_iso_interval(JsonWriter &out, const Value &value) {
    const pg_text::Interval interval = interval_of(value);
    if (write_infinite(out, interval.is_infinite(), interval.is_minus_infinite())) return;
    const auto part = [&](std::int64_t count, std::string_view unit) {
        out.integer(count);
        out.raw(unit);
    };
    const std::int64_t seconds = interval.us / us_per_second;
    const std::int64_t fraction = interval.us % us_per_second;
    out.raw("\"P");
    part(interval.months / 12, "Y");
    part(interval.months % 12, "M");
    part(interval.days, "DT");
    part(seconds / 3600, "H");
    part(seconds / 60 % 60, "M");
    if (seconds % 60 == 0 && fraction < 0) out.raw('-');
    out.integer(seconds % 60);
    char *const to = out.room(8);
    out.advance(put_short_fraction(to, static_cast<std::uint32_t>(fraction < 0 ? -fraction : fraction)));
    out.raw("S\"");
}

} // namespace waybill
