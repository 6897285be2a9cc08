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

// The command that made or deleted a row version; a combo command id is resolved. Only valid for versions that this
// transaction made or deleted. (COPY FREEZE makes rows whose xmin is not ours; those have no combo id.)
CommandId inserting_command(const HeapTupleData &tuple) {
    return (tuple.t_data->t_infomask & HEAP_COMBOCID) != 0 ? HeapTupleHeaderGetCmin(tuple.t_data)
                                                           : HeapTupleHeaderGetRawCommandId(tuple.t_data);
}

MadeRow made_row(const HeapTupleData &tuple, CommandId command) {
    return {.command = command, .relation = tuple.t_tableOid, .place = tuple.t_self};
}

// A row version that this transaction made, and has updated or deleted again: it has a combo command id.
std::optional<MadeRow> consumed_row(const HeapTupleData &old_tuple) {
    if ((old_tuple.t_data->t_infomask & HEAP_COMBOCID) == 0) return std::nullopt;
    return made_row(old_tuple, HeapTupleHeaderGetCmin(old_tuple.t_data));
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
    call.has_large_values = HeapTupleHasExternal(data.tg_trigtuple) ||
                            (data.tg_newtuple != nullptr && HeapTupleHasExternal(data.tg_newtuple));
    if (TRIGGER_FIRED_BY_INSERT(data.tg_event)) {
        call.operation = record::Operation::insert;
        call.command = inserting_command(*data.tg_trigtuple);
        call.made = made_row(*data.tg_trigtuple, call.command);
        call.new_row = data.tg_trigslot;
    } else if (TRIGGER_FIRED_BY_UPDATE(data.tg_event)) {
        call.operation = record::Operation::update;
        call.command = inserting_command(*data.tg_newtuple);
        call.made = made_row(*data.tg_newtuple, call.command);
        call.consumed = consumed_row(*data.tg_trigtuple);
        call.old_row = data.tg_trigslot;
        call.new_row = data.tg_newslot;
    } else {
        call.operation = record::Operation::remove;
        call.command = HeapTupleHeaderGetCmax(data.tg_trigtuple->t_data);
        call.consumed = consumed_row(*data.tg_trigtuple);
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
    return call;
}

} // namespace waybill
