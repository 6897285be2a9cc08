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

namespace {

using namespace waybill;

void capture(const TriggerCall &call) {
    const TableInfo &table = table_info(*call.relation, *call.trigger);
    const std::uint32_t rank = rank_in_transaction(call);
    append_to_transaction(encode_change(call, table, rank));
}

} // namespace

extern "C" {

PG_FUNCTION_INFO_V1(waybill_capture);
PG_FUNCTION_INFO_V1(waybill_capture_truncate);
PGDLLEXPORT Datum waybill_capture(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_capture_truncate(PG_FUNCTION_ARGS);

Datum waybill_capture(PG_FUNCTION_ARGS) {
    capture(row_trigger_call(fcinfo));
    return PointerGetDatum(nullptr); // an AFTER trigger's result is ignored
}

Datum waybill_capture_truncate(PG_FUNCTION_ARGS) {
    capture(truncate_trigger_call(fcinfo));
    return PointerGetDatum(nullptr);
}

} // extern "C"
