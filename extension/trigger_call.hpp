// A checked call of one of our trigger functions.
#pragma once

#include "change_record.hpp"
#include "command_order.hpp"
#include "postgres.hpp"

namespace waybill {

struct TriggerCall {
    record::Operation operation;
    Relation relation; // the table or partition that holds the row
    const Trigger *trigger;
    CommandId command;               // that made the change
    std::optional<MadeRow> made;     // the new row
    std::optional<MadeRow> consumed; // the old row, if this transaction made it
    TupleTableSlot *old_row;         // null for insert and truncate
    TupleTableSlot *new_row;         // null for delete and truncate
};

// Reads the call of waybill.capture() (row level) or waybill.capture_truncate() (statement level).
// Error: e_r_i_e_trigger_protocol_violated when it was not called as the AFTER trigger it is made for.
TriggerCall row_trigger_call(FunctionCallInfo fcinfo);
TriggerCall truncate_trigger_call(FunctionCallInfo fcinfo);

} // namespace waybill
