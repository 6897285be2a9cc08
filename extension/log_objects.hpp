// The extension's own tables and sequences, by name.
#pragma once

#include "postgres.hpp"

namespace waybill {

inline constexpr const char *log_schema = "waybill_internal";

// The oid of waybill_internal.<name>; known from the last time if nothing was invalidated since.
// Error: undefined_object when the extension is not (or no longer) installed.
Oid log_object(const char *name);

// The same, or InvalidOid.
Oid find_log_object(const char *name);

// The function waybill_internal.<name>() of some of our triggers, by which they are told.
// Error: as log_object(): what fires our triggers and does not find us would capture nothing.
Oid trigger_function(const char *name);

// The role whose the extension's objects are.
Oid log_owner();

// last_value of a sequence. Unlike nextval and setval, reading takes no lock that the fence would wait for.
std::int64_t sequence_value(Oid sequence);

// The same, but never one that a crash could take back.
std::int64_t durable_value(Oid sequence);

// Draws the next value, `step` behind the last, and locks the sequence until the transaction ends: nextval() without
// its side effects, which an application would see: it would become what lastval() speaks of, and fail in a transaction
// set to READ ONLY.
std::int64_t draw_from_sequence(Oid sequence, std::int64_t step = 1);

// The same, without a lock that the fence would wait for.
std::int64_t draw_without_lock(Oid sequence, std::int64_t step);

// Sets a sequence that is at `from` to `to`, at once and for good, like setval() but whatever the caller's privileges;
// false when it was set to something else meanwhile.
bool set_sequence(Oid sequence, std::int64_t from, std::int64_t to);

// Whether there is nothing in a table of the extension that anybody misses: it has no pages, or is being emptied.
bool is_empty(Oid table);

// Before what is kept for the log is forgotten, as the extension was made anew. Error: in a subtransaction, whose
// rollback would bring the old log back.
void leave_old_log();

// Error: a standby has the sequences' values logged ahead, and knows nothing of the primary's locks.
void refuse_recovery();

} // namespace waybill
