// What the text of a type's values depends on besides the values, so that only that is looked at for each row.
#pragma once

#include "postgres.hpp"
#include "scope.hpp"

namespace waybill {

// A set of what the text of some values depends on.
using TextSettings = std::uint8_t;
namespace text_setting {
inline constexpr TextSettings date_style = 1;
inline constexpr TextSettings time_zone = 2;
inline constexpr TextSettings interval_style = 4;
inline constexpr TextSettings float_digits = 8;
inline constexpr TextSettings bytea_format = 16;
inline constexpr TextSettings any = 32; // all that with_pinned_settings() pins
} // namespace text_setting

// What the text of values depends on.
struct TextDependence {
    TextSettings settings;
    List *row_types; // oids of their relations: composite types in it, which can get columns of other types
};

// Adds what the text of a type depends on: of built-in types on nothing but settings, of types of users on anything.
void add_text_dependence(Oid type, TextDependence &to);

// Runs `work` with what `settings` are pinned; for each row that is written. So it looks at what the settings come down
// to, which mostly is as wanted: there is no setting, and no looking up by name.
template <typename Work>
void with_pinned_settings(TextSettings settings, Work work) {
    if (settings == 0) return work();
    if ((settings & text_setting::any) != 0) return with_pinned_settings(work);
    std::array<SettingValue, 5> wanted;
    std::size_t count = 0;
    const auto want = [&](TextSettings setting, bool holds, SettingValue value) {
        if ((settings & setting) != 0 && !holds) wanted[count++] = value;
    };
    want(text_setting::date_style, DateStyle == USE_ISO_DATES, {"datestyle", "ISO, YMD"}); // ISO ignores the order
    long offset; // set for zones that never have another: UTC has many names
    want(text_setting::time_zone, pg_get_timezone_offset(session_timezone, &offset) && offset == 0,
         {"timezone", "UTC"});
    want(text_setting::interval_style, IntervalStyle == INTSTYLE_POSTGRES, {"intervalstyle", "postgres"});
    want(text_setting::float_digits, extra_float_digits > 0, {"extra_float_digits", "1"}); // more makes no difference
    want(text_setting::bytea_format, bytea_output == BYTEA_OUTPUT_HEX, {"bytea_output", "hex"});
    if (count == 0) return work();
    with_settings(std::span<const SettingValue>{wanted.data(), count}, work);
}

} // namespace waybill
