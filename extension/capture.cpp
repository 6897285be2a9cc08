// Capture: the triggers that record each change of a table in the transaction that makes it.
//
// A change is encoded here and kept in the transaction's buffer; the buffer becomes part of the change log at
// pre-commit (change_log.cpp). So a rolled-back transaction or savepoint leaves nothing, and a transaction that commits
// has its changes in the log: both are one and the same commit.
#include "postgres.hpp"
#include "row_encoder.hpp"
#include "table_info.hpp"
#include "transaction_buffer.hpp"
#include "trigger_call.hpp"
#include "truncation.hpp"

namespace {

using namespace waybill;

// What a change is for consumers, who have just the rows that satisfy the table's condition: an update that makes a row
// satisfy it brings the row, one that ends that takes it away. False when it is nothing.
bool apply_condition(RowCondition &condition, TriggerCall &call) {
    if (call.operation == record::Operation::truncate) return true;
    if (call.old_row != nullptr && !satisfies(condition, call.old_row)) call.old_row = nullptr;
    if (call.new_row != nullptr && !satisfies(condition, call.new_row)) call.new_row = nullptr;
    if (call.operation == record::Operation::update && call.old_row == nullptr)
        call.operation = record::Operation::insert;
    else if (call.operation == record::Operation::update && call.new_row == nullptr)
        call.operation = record::Operation::remove;
    return call.old_row != nullptr || call.new_row != nullptr;
}

void record(TriggerCall &call, const TableInfo &table) {
    const CommandOrder::Number number = begin_change(call, table);
    const bool counts = !is_recorded_as_removed(*call.relation) &&
                        (table.condition == nullptr || apply_condition(*table.condition, call));
    const std::optional<MovedRow> moved = take_moved_row(call.command);
    if (moved && counts && call.arrives && moved->published_relation == table.published_relation &&
        moved->shape == table.shape) {
        append_to_transaction(encode_move(call, table, *moved), number);
    } else {
        if (moved) append_to_transaction(encode_removal(*moved), moved->number);
        if (counts && call.moved)
            keep_moved_row(call, table, number);
        else if (counts)
            append_to_transaction(encode_change(call, table), number);
    }
    end_change();
}

// To be called before anything is captured that may be rolled back without the TRUNCATE.
void note_found_truncation() {
    if (const std::uint32_t tables = find_truncated(); tables > 0) note_truncated(tables);
}

void capture_row(const TriggerData &data) {
    const TableInfo &table = table_info(*data.tg_relation);
    if (data.tg_trigger->tgoid != table.trigger) return; // another one of the same table records, or none
    note_found_truncation();
    TriggerCall call = row_change(data);
    record(call, table);
}

void capture_truncate(const TriggerData &data) {
    const TableInfo &table = table_info(*data.tg_relation);
    if (!OidIsValid(table.trigger)) return;
    note_found_truncation();
    if (TRIGGER_FIRED_BEFORE(data.tg_event))
        note_truncation(table.published_relation != table.relation || is_truncated_in_place(*data.tg_relation));
    if (table.published_relation != table.relation) {
        // A partition by itself: its rows go, those of its root stay. (A partitioned one has none; its leaves come
        // too.)
        if (!TRIGGER_FIRED_BEFORE(data.tg_event) || data.tg_relation->rd_rel->relkind != RELKIND_RELATION) return;
        if (is_announced(table.published_relation)) {
            announce_partition(table.published_relation, *data.tg_relation);
        } else {
            for_each_row_to_truncate(data, [&](TriggerCall removal) { record(removal, table); });
            announce_removal(*data.tg_relation);
        }
    } else if (TRIGGER_FIRED_BEFORE(data.tg_event)) {
        announce_truncate(*data.tg_relation);
    } else {
        const TruncatingCommand truncating = truncating_command(table.relation);
        note_truncated(truncating.tables);
        TriggerCall call = truncation(data, truncating.command);
        record(call, table);
    }
}

} // namespace

extern "C" {

PG_FUNCTION_INFO_V1(waybill_capture);
PG_FUNCTION_INFO_V1(waybill_capture_truncate);
PGDLLEXPORT Datum waybill_capture(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_capture_truncate(PG_FUNCTION_ARGS);

Datum waybill_capture(PG_FUNCTION_ARGS) {
    capture_row(row_trigger_data(fcinfo));
    return Datum{0}; // an AFTER trigger's result is ignored, a statement trigger's is null
}

Datum waybill_capture_truncate(PG_FUNCTION_ARGS) {
    capture_truncate(truncate_trigger_data(fcinfo));
    return Datum{0};
}

} // extern "C"
