// A checked call of one of our trigger functions.
#pragma once

#include "change_record.hpp"
#include "command_order.hpp"
#include "postgres.hpp"
#include "scope.hpp"

namespace waybill {

struct TriggerCall {
    record::Operation operation;
    Relation relation;       // the table or partition that holds the row
    CommandId command;       // that made the change
    CommandId consumer;      // that changed the new row again meanwhile, or CommandOrder::no_command
    bool counted;            // by PostgreSQL, as rows that were inserted, updated or deleted
    bool moved;              // a delete that is one half of an update: moved_rows.hpp
    bool arrives;            // an insert that may be the other half
    bool has_large_values;   // perhaps: some are stored outside of the rows
    TupleTableSlot *old_row; // null for insert and truncate
    TupleTableSlot *new_row; // null for delete and truncate
};

// Checks a call of waybill_internal.capture() (AFTER, row level) or waybill_internal.capture_truncate() (statement
// level). Error: e_r_i_e_trigger_protocol_violated when it was not called as the trigger it is made for.
const TriggerData &row_trigger_data(FunctionCallInfo fcinfo);
const TriggerData &truncate_trigger_data(FunctionCallInfo fcinfo);

// The change of a row of a table of ours: what a foreign table's trigger gets has no command ids.
TriggerCall row_change(const TriggerData &data);

// A TRUNCATE of a table, by `command`.
TriggerCall truncation(const TriggerData &data, CommandId command);

// Calls `take` with the removal of each row that a TRUNCATE is about to remove from a table. The table is locked, and
// nobody else has anything uncommitted in it: what is there counts, also what this transaction made and what a snapshot
// or row security hides.
template <typename Take>
void for_each_row_to_truncate(const TriggerData &data, Take take) {
    TriggerCall removal{};
    removal.operation = record::Operation::remove;
    removal.relation = data.tg_relation;
    removal.command = GetCurrentCommandId(false);
    removal.consumer = CommandOrder::no_command;
    removal.has_large_values = true;
    removal.old_row = table_slot_create(data.tg_relation, nullptr);
    MemoryContext row_context =
        AllocSetContextCreate(CurrentMemoryContext, "waybill truncated row", ALLOCSET_DEFAULT_SIZES);
    // In the order in which they lie there, not from where another scan happens to be.
    TableScanDesc scan = table_beginscan_strat(data.tg_relation, SnapshotSelf, 0, nullptr, true, false);
    while (table_scan_getnextslot(scan, ForwardScanDirection, removal.old_row)) {
        CHECK_FOR_INTERRUPTS();
        with_memory_context(row_context, [&] {
            take(removal);
            return true;
        });
        MemoryContextReset(row_context);
    }
    table_endscan(scan);
    ExecDropSingleTupleTableSlot(removal.old_row);
    MemoryContextDelete(row_context);
}

} // namespace waybill
