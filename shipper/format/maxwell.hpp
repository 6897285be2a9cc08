// Maxwell's JSON: one record a change, with the old values of what changed.
#pragma once

#include "format.hpp"

#include <memory>

namespace waybill {

// Settings: database (a template for the field of that name), key (hash or array), output (which optional fields there
// are). Throws ConfigError when one of them is wrong.
[[nodiscard]] std::unique_ptr<Format> make_maxwell_format(const Source &source, const FormatOptions &options);

} // namespace waybill
