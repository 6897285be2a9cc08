// The row alone, as Debezium's transform ExtractNewRecordState leaves it.
#pragma once

#include "format.hpp"

#include <memory>

namespace waybill {

// Settings: deletes (delete.tombstone.handling.mode there), add_fields, add_headers, and their prefixes.
// Throws ConfigError when one of them is wrong.
[[nodiscard]] std::unique_ptr<Format> make_flattened_format(const Source &source, const FormatOptions &options);

} // namespace waybill
