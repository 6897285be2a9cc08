// The shipper's version: extension/waybill.control's default_version, handed over by the Makefile.
#pragma once

#include <string_view>

namespace waybill {

inline constexpr std::string_view version = WAYBILL_VERSION;

} // namespace waybill
