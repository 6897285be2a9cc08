// The extension's settings (GUCs).
#pragma once

#include <cstddef>

namespace waybill::settings {

// Defines the settings; called once, when the library is loaded.
void define();

// Error: waybill.context was SET to something too long before the library was loaded, and so before that could be
// refused. To be called once the settings are defined.
void require_context();

// waybill.context: text to be stored with the transaction and shipped with each of its changes; empty: none, or, with a
// warning, too long. Valid until the setting changes.
const char *context();

// waybill.max_change_size in bytes, at most what the record format allows.
std::size_t max_change_size();

// waybill.buffer_size in bytes: the most a transaction's changes may take in memory.
std::size_t buffer_size();

} // namespace waybill::settings
