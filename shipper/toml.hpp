// toml++. What it takes for impossible, some wrong files do ("[[;"): that is an error in the file, not the end of the
// process.
#pragma once

#include <stdexcept>

namespace waybill {

struct TomlSurprise : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail_toml() {
    throw TomlSurprise("it is not TOML");
}

} // namespace waybill

#define TOML_ASSERT(condition) ((condition) ? void() : waybill::fail_toml())
#include <toml++/toml.h>
