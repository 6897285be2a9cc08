// `waybill-shipper check`: all that can be known before anything is shipped.
#pragma once

#include "options.hpp"
#include "waiter.hpp"

#include <functional>

namespace waybill {

// Writes a line for each thing it looked at: ok and advice to stdout, warning and error to stderr. Returns the exit
// code: 0, 1 when something does not work, 2 when the configuration has to be changed. Throws Stopped.
[[nodiscard]] int check(const Options &options, const Pump::MakeFormat &make_format, Waiter &waiter);

} // namespace waybill
