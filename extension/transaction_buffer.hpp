// The changes of the transaction in progress: a stream of records in chunks, which pre-commit makes rows of the log.
#pragma once

#include "moved_rows.hpp"
#include "postgres.hpp"
#include "row_encoder.hpp"
#include "table_info.hpp"
#include "trigger_call.hpp"

namespace waybill {

// A change is captured: its number among those of its transaction (command_order.hpp). end_change() follows, when it is
// added, or nothing is.
// Error: when the transaction's changes were logged already.
CommandOrder::Number begin_change(const TriggerCall &call, const TableInfo &table);
void end_change();

// Adds an encoded change of that number. It is dropped again if the savepoint in force is rolled back. Beyond
// waybill.buffer_size in memory the changes go to a temporary file.
void append_to_transaction(const EncodedChange &change, CommandOrder::Number number);

// Keeps a row that moves to another partition (moved_rows.hpp) until its command's next change takes it; else it
// becomes a delete when its (sub)transaction ends.
void keep_moved_row(const TriggerCall &call, const TableInfo &table, CommandOrder::Number number);

// The row that a command keeps, if any, in memory of the caller.
std::optional<MovedRow> take_moved_row(CommandId command);

// To be called before anything of a captured table is truncated, in a BEFORE trigger: PostgreSQL forgets what it has
// counted of the table, that of a subtransaction partly when it ends. `unseen`: more may be counted before anybody
// looks.
void note_truncation(bool unseen);

// A TRUNCATE's tables are truncated: they count as made. To be called before the next change is captured, whose
// savepoint is not to take them back.
void note_truncated(std::uint32_t tables);

// Writes the transaction's changes into the log at pre-commit, drops them at its end.
void register_transaction_callbacks();

} // namespace waybill
