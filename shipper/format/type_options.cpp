#include "type_options.hpp"

#include "../errors.hpp"

#include <initializer_list>
#include <string_view>

namespace waybill {

namespace {

template <typename Mode>
struct Named {
    std::string_view name;
    Mode mode;
};

template <typename Mode>
Mode mode_named(const std::string &text, const std::string &where, std::initializer_list<Named<Mode>> modes) {
    std::string possible;
    for (const Named<Mode> &one : modes) {
        if (text == one.name) return one.mode;
        possible += (possible.empty() ? "\"" : ", \"") + std::string(one.name) + '"';
    }
    throw ConfigError(where + " = \"" + text + "\" is not supported; possible: " + possible);
}

} // namespace

DecimalMode decimal_mode(const std::string &text, const std::string &where) {
    return mode_named<DecimalMode>(
        text, where,
        {{"precise", DecimalMode::precise}, {"string", DecimalMode::as_string}, {"double", DecimalMode::as_double}});
}

TimeMode time_mode(const std::string &text, const std::string &where) {
    return mode_named<TimeMode>(text, where,
                                {{"adaptive", TimeMode::adaptive},
                                 {"adaptive_time_microseconds", TimeMode::adaptive_time_microseconds},
                                 {"connect", TimeMode::connect},
                                 {"isostring", TimeMode::isostring},
                                 {"microseconds", TimeMode::microseconds},
                                 {"nanoseconds", TimeMode::nanoseconds}});
}

BinaryMode binary_mode(const std::string &text, const std::string &where) {
    return mode_named<BinaryMode>(text, where,
                                  {{"bytes", BinaryMode::bytes},
                                   {"base64", BinaryMode::base64},
                                   {"base64_url_safe", BinaryMode::base64_url_safe},
                                   {"hex", BinaryMode::hex}});
}

IntervalMode interval_mode(const std::string &text, const std::string &where) {
    return mode_named<IntervalMode>(text, where,
                                    {{"numeric", IntervalMode::numeric}, {"string", IntervalMode::as_string}});
}

HstoreMode hstore_mode(const std::string &text, const std::string &where) {
    return mode_named<HstoreMode>(text, where, {{"json", HstoreMode::json}, {"map", HstoreMode::map}});
}

} // namespace waybill
