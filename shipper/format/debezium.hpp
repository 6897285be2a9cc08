// The Debezium PostgreSQL connector's JSON envelope.
#pragma once

#include "format.hpp"

#include <memory>

namespace waybill {

// It has no settings of its own.
[[nodiscard]] std::unique_ptr<Format> make_debezium_format(const Source &source, const FormatOptions &options);

} // namespace waybill
