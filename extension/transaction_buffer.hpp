// The changes of the transaction in progress: a stream of records in chunks, which pre-commit makes rows of the log.
#pragma once

#include "moved_rows.hpp"
#include "postgres.hpp"
#include "table_info.hpp"
#include "trigger_call.hpp"

namespace waybill {

// The place of a change among those of its transaction (command_order.hpp): to be asked once, before it is added.
// Error: when the transaction's changes were logged already.
std::uint32_t rank_in_transaction(const TriggerCall &call);

// Adds an encoded change of that rank. It is dropped again if the savepoint in force is rolled back. Beyond
// waybill.buffer_size in memory the changes go to a temporary file.
void append_to_transaction(std::span<const char> record, std::uint32_t rank);

// Keeps a row that moves to another partition (moved_rows.hpp) until its command's next change takes it; else it
// becomes a delete when its (sub)transaction ends.
void keep_moved_row(const TriggerCall &call, const TableInfo &table, std::uint32_t rank);

// The row that a command keeps, if any, in memory of the caller.
std::optional<MovedRow> take_moved_row(CommandId command);

// To be called before a captured table is truncated, in a BEFORE trigger.
void announce_truncate(Oid relation);

// Whether the TRUNCATE that fires the present trigger announced the table.
bool being_truncated(Oid relation);

// The command id of a TRUNCATE, in an AFTER trigger: one id for all its tables, behind what their BEFORE triggers did
// and before what their AFTER triggers do.
CommandId truncating_command(Oid relation);

// Writes the transaction's changes into the log at pre-commit, drops them at its end.
void register_transaction_callbacks();

} // namespace waybill
