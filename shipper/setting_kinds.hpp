// What the rows of settings.cpp are made of: how a setting of each kind is read and shown.
#pragma once

#include "errors.hpp"
#include "format/setting_text.hpp"
#include "named.hpp"
#include "settings.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace waybill::setting {

// The member at the end of a path: member<&Options::kafka, &KafkaOptions::partitions>(options).
template <auto... Path>
decltype(auto) member(auto &options) {
    return (options.*....*Path);
}

template <auto... Path>
using Member = std::remove_reference_t<decltype(member<Path...>(std::declval<Options &>()))>;

// A text. Read() makes of it what is kept, or throws ConfigError; Show() makes of that what the log may show.
template <auto Read, auto Show, auto... Path>
constexpr Setting text(std::string_view key, std::string_view flag, std::string_view help) {
    return {.key = key,
            .flag = flag,
            .help = help,
            .kind = Setting::Kind::text,
            .set = [](Options &options, std::span<const std::string> values,
                      const std::string &where) { member<Path...>(options) = Read(values.front(), where); },
            .show = [](const Options &options) { return Show(member<Path...>(options)); }};
}

// true or false.
template <auto... Path>
constexpr Setting boolean(std::string_view key, std::string_view flag, std::string_view help) {
    return {.key = key,
            .flag = flag,
            .help = help,
            .kind = Setting::Kind::boolean,
            .set =
                [](Options &options, std::span<const std::string> values, const std::string &where) {
                    const std::string &value = values.front();
                    if (value != "true" && value != "false")
                        throw ConfigError(where + " = \"" + value + "\" must be true or false");
                    member<Path...>(options) = value == "true";
                },
            .show = [](const Options &options) { return std::string(member<Path...>(options) ? "true" : "false"); }};
}

inline std::int64_t read_integer(const std::string &value, const std::string &where, std::int64_t least,
                                 std::int64_t most) {
    std::int64_t number = 0;
    const char *const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    if (error == std::errc::invalid_argument || stop != end)
        throw ConfigError(where + " = \"" + value + "\" must be a number");
    if (error == std::errc::result_out_of_range || number < least || number > most)
        throw ConfigError(where + " = " + value + " is out of range; possible: " + std::to_string(least) + " to " +
                          std::to_string(most));
    return number;
}

// A number from Least to Most, of integers or of milliseconds.
template <std::int64_t Least, std::int64_t Most, auto... Path>
constexpr Setting integer(std::string_view key, std::string_view flag, std::string_view help) {
    return {.key = key,
            .flag = flag,
            .help = help,
            .kind = Setting::Kind::integer,
            .set =
                [](Options &options, std::span<const std::string> values, const std::string &where) {
                    member<Path...>(options) =
                        static_cast<Member<Path...>>(read_integer(values.front(), where, Least, Most));
                },
            .show =
                [](const Options &options) {
                    if constexpr (std::is_same_v<Member<Path...>, std::chrono::milliseconds>)
                        return std::to_string(member<Path...>(options).count());
                    else
                        return std::to_string(member<Path...>(options));
                }};
}

// Several of what Read() and Show() are for.
template <auto Read, auto Show, auto... Path>
constexpr Setting list(std::string_view key, std::string_view flag, std::string_view help) {
    return {.key = key,
            .flag = flag,
            .help = help,
            .kind = Setting::Kind::list,
            .set =
                [](Options &options, std::span<const std::string> values, const std::string &where) {
                    Member<Path...> read;
                    for (const std::string &value : values) read.push_back(Read(value, where));
                    member<Path...>(options) = std::move(read);
                },
            .show =
                [](const Options &options) {
                    std::string shown;
                    for (const auto &value : member<Path...>(options))
                        shown += (shown.empty() ? "" : ";") + Show(value);
                    return shown;
                }};
}

// One of the values in an array of Named.
template <const auto &Names, auto... Path>
constexpr Setting choice(std::string_view key, std::string_view flag, std::string_view help) {
    return {.key = key,
            .flag = flag,
            .help = help,
            .kind = Setting::Kind::text,
            .set =
                [](Options &options, std::span<const std::string> values, const std::string &where) {
                    std::vector<std::string_view> names;
                    for (const auto &[name, value] : Names) {
                        if (values.front() == name) {
                            member<Path...>(options) = value;
                            return;
                        }
                        names.push_back(name);
                    }
                    fail_unsupported(values.front(), where, names);
                },
            .show =
                [](const Options &options) {
                    const auto found = std::find_if(Names.begin(), Names.end(), [&](const auto &one) {
                        return one.value == member<Path...>(options);
                    });
                    return std::string(found->name);
                }};
}

} // namespace waybill::setting
