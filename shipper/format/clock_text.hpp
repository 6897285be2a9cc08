// The digits of dates and times, for the forms of PostgreSQL and Java alike. Each function writes at `to` and returns
// where it ended.
#pragma once

#include "calendar.hpp"
#include "pg_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace waybill {

inline char *put_text(char *to, std::string_view text) {
    return std::copy(text.begin(), text.end(), to);
}

inline char *put_two_digits(char *to, std::uint32_t value) {
    *to++ = static_cast<char>('0' + value / 10);
    *to++ = static_cast<char>('0' + value % 10);
    return to;
}

// The first `count` of a fraction's six digits.
inline char *put_fraction(char *to, std::uint32_t us, std::int32_t count) {
    std::array<char, 6> digits{};
    for (std::size_t at = digits.size(); at-- > 0; us /= 10) digits[at] = static_cast<char>('0' + us % 10);
    return std::copy_n(digits.begin(), count, to);
}

// A point and a fraction without zeros at its end; nothing when it is 0.
inline char *put_short_fraction(char *to, std::uint32_t us) {
    if (us == 0) return to;
    *to++ = '.';
    to = put_fraction(to, us, 6);
    while (to[-1] == '0') --to;
    return to;
}

// 23:59:59, without the fraction.
inline char *put_time_of_day(char *to, std::int64_t us_of_day) {
    const auto seconds = static_cast<std::uint32_t>(us_of_day / pg_text::us_per_second);
    to = put_two_digits(to, seconds / 3600);
    *to++ = ':';
    to = put_two_digits(to, seconds / 60 % 60);
    *to++ = ':';
    return put_two_digits(to, seconds % 60);
}

// At least four digits.
inline char *put_year_digits(char *to, std::int64_t year) {
    for (std::int64_t power = 1000; power > 1 && year < power; power /= 10) *to++ = '0';
    return std::to_chars(to, to + 8, year).ptr;
}

inline char *put_month_and_day(char *to, const CivilDate &date) {
    *to++ = '-';
    to = put_two_digits(to, date.month);
    *to++ = '-';
    return put_two_digits(to, date.day);
}

// A moment as a day and what has passed of it.
struct DayAndTime {
    std::int64_t days = 0; // since PostgreSQL's epoch
    std::int64_t us_of_day = 0;
};

[[nodiscard]] constexpr DayAndTime day_and_time(std::int64_t us_since_2000) {
    DayAndTime result{.days = us_since_2000 / pg_text::us_per_day, .us_of_day = us_since_2000 % pg_text::us_per_day};
    if (result.us_of_day < 0) {
        result.us_of_day += pg_text::us_per_day;
        --result.days;
    }
    return result;
}

} // namespace waybill
