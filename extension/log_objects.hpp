// The extension's own tables and sequences, by name.
#pragma once

#include "postgres.hpp"

namespace waybill {

inline constexpr const char *log_schema = "waybill";

// The oid of waybill.<name>. Two syscache look-ups: cheap enough not to be cached, so never stale.
// Error: undefined_object when the extension is not (or no longer) installed.
Oid log_object(const char *name);

// The same, or InvalidOid.
Oid find_log_object(const char *name);

// last_value of a sequence. Unlike nextval and setval, reading takes no lock that the fence would wait for.
std::int64_t sequence_value(Oid sequence);

// Sets last_value, at once and whatever becomes of the transaction.
void set_sequence_value(Oid sequence, std::int64_t value);

} // namespace waybill
