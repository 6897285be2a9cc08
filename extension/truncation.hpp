// The TRUNCATEs in progress.
//
// One fires the BEFORE triggers of all its tables, a partitioned one's usually before its partitions', then truncates,
// then fires the AFTER triggers. A table that is truncated as such is announced in the first and recorded in the last.
// The rows of a partition that is truncated by itself are recorded as removed in its BEFORE trigger, while they can be
// read: what other triggers still do to the partition before it is truncated goes the same way, and is not recorded.
//
// An announcement is found until its TRUNCATE ends, whether or not it succeeds.
#pragma once

#include "postgres.hpp"

namespace waybill {

// To be called in a BEFORE trigger, in the memory context in which it was called: that ends with the TRUNCATE.
void announce_truncate(const RelationData &table);

// The same for a partition by itself, when its rows are recorded.
void announce_removal(const RelationData &partition);

// Whether a TRUNCATE in progress announced the table.
bool is_announced(Oid table);

// Whether the rows of a partition are recorded as removed, and are yet to be. (Not when its file is truncated, which
// cannot be seen: PostgreSQL does that with the file of a table that the same subtransaction made or truncated.)
bool is_recorded_as_removed(const RelationData &partition);

// What an AFTER trigger records.
struct TruncatingCommand {
    CommandId command;    // of the TRUNCATE
    std::uint32_t tables; // that it truncates, when this is the first to ask: the others are recorded later
};

// The command of a TRUNCATE, in an AFTER trigger: one for all its tables, behind what their BEFORE triggers did and
// before what their AFTER triggers do.
TruncatingCommand truncating_command(Oid table);

} // namespace waybill
