// Something that `check` found: one line with what, why, remedy.
#pragma once

#include <cstdint>
#include <string>

namespace waybill {

struct Finding {
    enum class Kind : std::uint8_t {
        advice,  // it works, and could be better
        warning, // it may not do what was meant, or not for long
        failure, // it does not work
        wrong,   // the configuration has to be changed: exit code 2
    };
    Kind kind = Kind::advice;
    std::string text;
};

} // namespace waybill
