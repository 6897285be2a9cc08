// The TRUNCATEs in progress.
//
// One fires the BEFORE triggers of all its tables, a partitioned one's usually before its partitions', then truncates,
// then fires the AFTER triggers. A table that is truncated as such is announced in the first and recorded in the last.
// The rows of a partition that is truncated by itself are recorded as removed in its BEFORE trigger, while they can be
// read: what other triggers still do to the partition before it is truncated goes the same way, and is not recorded.
//
// Among what other triggers do, a table is truncated when it gets a new file. That cannot be seen when its file is
// truncated instead: PostgreSQL does that where the same subtransaction made or truncated the table before.
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

// A partition of an announced table, in its BEFORE trigger: it gets a new file when the table is truncated, which has
// none.
void announce_partition(Oid table, const RelationData &partition);

// Whether the rows of a partition are recorded as removed, and are yet to be.
bool is_recorded_as_removed(const RelationData &partition);

// How many announced tables turn out to be truncated, before any of their AFTER triggers has told: they are recorded
// later.
std::uint32_t find_truncated();

// What an AFTER trigger records.
struct TruncatingCommand {
    CommandId command;    // of the TRUNCATE: before what its AFTER triggers do
    std::uint32_t tables; // that it truncates, when that turns out now: the others are recorded later
};

// The command of a TRUNCATE, in an AFTER trigger.
TruncatingCommand truncating_command(Oid table);

} // namespace waybill
