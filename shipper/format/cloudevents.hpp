// CloudEvents 1.0 around Debezium's before and after: structured, as Debezium's CloudEventsConverter writes them, or in
// the Kafka protocol binding's binary mode.
#pragma once

#include "format.hpp"

#include <memory>

namespace waybill {

// Settings: mode (structured or binary), attributes (debezium or specification: whose names the extensions have).
// Throws ConfigError when one of them is wrong.
[[nodiscard]] std::unique_ptr<Format> make_cloudevents_format(const Source &source, const FormatOptions &options);

} // namespace waybill
