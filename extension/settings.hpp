// The extension's settings (GUCs).
#pragma once

#include <cstddef>

namespace waybill::settings {

// Defines the settings; called once, when the library is loaded.
void define();

// waybill.context: text stored with the transaction and shipped with each of its changes; empty: none.
// Valid until the setting changes.
const char *context();

// waybill.buffer_size in bytes: the most a transaction's changes may take in memory.
std::size_t buffer_size();

} // namespace waybill::settings
