// The shipper's errors. Everything throws; only the pump and main decide what an error means.
#pragma once

#include <stdexcept>
#include <string>

namespace waybill {

// The configuration is wrong: exit code 2. The message is one line: what, why, remedy.
struct ConfigError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The log holds bytes that do not decode, or a change that cannot be encoded. Never retried.
struct DataError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace waybill
