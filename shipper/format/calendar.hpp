// The proleptic Gregorian calendar, as PostgreSQL and Java count it. Years are astronomical: 1 BC is year 0.
#pragma once

#include <cstdint>

namespace waybill {

struct CivilDate {
    std::int64_t year = 0;
    std::uint32_t month = 0; // 1 to 12
    std::uint32_t day = 0;   // 1 to 31
};

// Days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
inline constexpr std::int64_t pg_epoch_days = 10'957;

// Years are taken to begin in March, so that the leap day is a year's last; 400 of them, an era, have 146097 days.
[[nodiscard]] constexpr CivilDate civil_from_days(std::int64_t days_since_1970) {
    const std::int64_t days = days_since_1970 + 719'468; // since 0000-03-01
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const auto day_of_era = static_cast<std::uint32_t>(days - era * 146'097);
    const std::uint32_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::uint32_t month_from_march = (5 * day_of_year + 2) / 153;
    const std::uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return {.year = std::int64_t{year_of_era} + era * 400 + (month <= 2 ? 1 : 0),
            .month = month,
            .day = day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

[[nodiscard]] constexpr std::int64_t days_from_civil(const CivilDate &date) {
    const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const auto year_of_era = static_cast<std::uint32_t>(year - era * 400);
    const std::uint32_t day_of_year = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1;
    const std::uint32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + std::int64_t{day_of_era} - 719'468;
}

static_assert(days_from_civil({.year = 2000, .month = 1, .day = 1}) == pg_epoch_days);

} // namespace waybill
