// A checked call of one of our trigger functions.
#include "trigger_call.hpp"

namespace waybill {

namespace {

[[noreturn]] void refuse(const char *function, const char *wanted) {
    ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
            errmsg("function \"waybill_internal.%s\" must be called by %s trigger", function, wanted),
            errhint("Use waybill.enable_capture() to capture a table."));
    pg_unreachable();
}

bool is_frozen(HeapTupleHeader header) {
    return (header->t_infomask & HEAP_XMIN_FROZEN) == HEAP_XMIN_FROZEN;
}

// The command that made a row version; a combo command id is resolved. Only valid for versions that this transaction
// made. Those that COPY FREEZE makes forget it when they are changed again. It runs inside no other statement, so
// everything that is captured while its rows wait comes behind them.
CommandId inserting_command(const HeapTupleData &tuple) {
    if (is_frozen(tuple.t_data)) return FirstCommandId;
    return (tuple.t_data->t_infomask & HEAP_COMBOCID) != 0 ? HeapTupleHeaderGetCmin(tuple.t_data)
                                                           : HeapTupleHeaderGetRawCommandId(tuple.t_data);
}

// The command that changed or deleted a row version which this transaction had made: it has a combo command id then, if
// it is not frozen.
CommandId consuming_command(const HeapTupleData &tuple) {
    HeapTupleHeader header = tuple.t_data;
    if (((header->t_infomask & HEAP_COMBOCID) == 0 && !is_frozen(header)) ||
        (header->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask))
        return CommandOrder::no_command;
    // Not one that was rolled back.
    if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header))) return CommandOrder::no_command;
    return HeapTupleHeaderGetCmax(header);
}

} // namespace

const TriggerData &row_trigger_data(FunctionCallInfo fcinfo) {
    const auto *data = reinterpret_cast<const TriggerData *>(fcinfo->context);
    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event))
        refuse("capture", "an AFTER INSERT OR UPDATE OR DELETE ... FOR EACH ROW");
    return *data;
}

const TriggerData &truncate_trigger_data(FunctionCallInfo fcinfo) {
    const auto *data = reinterpret_cast<const TriggerData *>(fcinfo->context);
    if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
        refuse("capture_truncate", "a BEFORE or AFTER TRUNCATE");
    return *data;
}

TriggerCall row_change(const TriggerData &data) {
    TriggerCall call{};
    call.relation = data.tg_relation;
    call.consumer = CommandOrder::no_command;
    call.counted = true;
    call.has_large_values = HeapTupleHasExternal(data.tg_trigtuple) ||
                            (data.tg_newtuple != nullptr && HeapTupleHasExternal(data.tg_newtuple));
    if (TRIGGER_FIRED_BY_INSERT(data.tg_event)) {
        call.operation = record::Operation::insert;
        call.command = inserting_command(*data.tg_trigtuple);
        call.consumer = consuming_command(*data.tg_trigtuple);
        call.arrives = !is_frozen(data.tg_trigtuple->t_data); // as COPY makes them, and no UPDATE
        call.new_row = data.tg_trigslot;
    } else if (TRIGGER_FIRED_BY_UPDATE(data.tg_event)) {
        call.operation = record::Operation::update;
        call.command = inserting_command(*data.tg_newtuple);
        call.consumer = consuming_command(*data.tg_newtuple);
        call.old_row = data.tg_trigslot;
        call.new_row = data.tg_newslot;
    } else {
        call.operation = record::Operation::remove;
        call.command = HeapTupleHeaderGetCmax(data.tg_trigtuple->t_data);
        call.moved = HeapTupleHeaderIndicatesMovedPartitions(data.tg_trigtuple->t_data);
        call.old_row = data.tg_trigslot;
    }
    return call;
}

TriggerCall truncation(const TriggerData &data, CommandId command) {
    TriggerCall call{};
    call.operation = record::Operation::truncate;
    call.relation = data.tg_relation;
    call.command = command;
    call.consumer = CommandOrder::no_command;
    return call;
}

} // namespace waybill
