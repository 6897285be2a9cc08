// How the log is read, up to what safe_csn() said (fence.cpp).
#include "locks.hpp"
#include "log_objects.hpp"
#include "log_row.hpp"
#include "postgres.hpp"
#include "set_result.hpp"

namespace waybill {

namespace {

// What a batch is made of: rows of [(csn, chunk) > after, csn <= upto], in that order.
struct BatchRange {
    Csn after_csn;
    std::int32_t after_chunk;
    Csn upto;
};

// A scan of one segment in (csn, chunk) order, standing on a row or at its end.
struct SegmentScan {
    Relation table;
    Relation index;
    IndexScanDesc scan;
    TupleTableSlot *slot;
    // The row comparison (csn, chunk) > (after_csn, after_chunk), which a B-tree answers in one descent.
    std::array<ScanKeyData, 2> after;
    std::array<ScanKeyData, 2> keys;
    Csn csn;
    bool at_end;
};

void advance(SegmentScan &segment) {
    segment.at_end = !index_getnext_slot(segment.scan, ForwardScanDirection, segment.slot);
    if (segment.at_end) return;
    slot_getallattrs(segment.slot);
    segment.csn = DatumGetInt64(segment.slot->tts_values[log_csn]);
}

// False, with nothing left open, when there is nothing in the segment: as in most of the ring.
bool open_scan(SegmentScan &segment, std::int64_t number, const BatchRange &range, Snapshot snapshot) {
    // All in a free slot is acknowledged, and before a writer gets there it is free no more: who has just emptied it,
    // and keeps it locked, is not waited for.
    if (sequence_value(segment_upto(number)) == 0) return false;
    // Who empties it holds it for an instant, unless that is part of an open transaction.
    const Oid table = segment_table(number);
    lock_in_time(table, AccessShareLock, "could not read the change log");
    segment.table = table_open(table, NoLock);
    if (RelationGetNumberOfBlocks(segment.table) == 0) {
        table_close(segment.table, AccessShareLock);
        return false;
    }
    segment.index = index_open(segment_index(number), AccessShareLock);
    segment.slot = table_slot_create(segment.table, nullptr);

    auto *after = segment.after.data();
    ScanKeyEntryInitialize(&after[0], SK_ROW_MEMBER, 1, BTGreaterStrategyNumber, INT8OID, InvalidOid, F_BTINT8CMP,
                           Int64GetDatum(range.after_csn));
    ScanKeyEntryInitialize(&after[1], SK_ROW_MEMBER | SK_ROW_END, 2, BTGreaterStrategyNumber, INT4OID, InvalidOid,
                           F_BTINT4CMP, Int32GetDatum(range.after_chunk));
    ScanKeyData &header = segment.keys[0];
    header = {};
    header.sk_flags = SK_ROW_HEADER;
    header.sk_attno = 1;
    header.sk_strategy = BTGreaterStrategyNumber;
    header.sk_argument = PointerGetDatum(after);
    ScanKeyInit(&segment.keys[1], 1, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(range.upto));

    segment.scan = begin_index_scan(segment.table, segment.index, snapshot, static_cast<int>(segment.keys.size()));
    index_rescan(segment.scan, segment.keys.data(), static_cast<int>(segment.keys.size()), nullptr, 0);
    advance(segment);
    return true;
}

void close_scan(SegmentScan &segment) {
    index_endscan(segment.scan);
    ExecDropSingleTupleTableSlot(segment.slot);
    index_close(segment.index, AccessShareLock);
    table_close(segment.table, AccessShareLock);
}

// Puts rows of `range` into `result`, at least one if there is one, until their payloads reach `max_bytes`. Returns
// the WAL position up to which they are durable: an asynchronous commit is visible before that.
XLogRecPtr read_batch(const BatchRange &range, std::int64_t max_bytes, const SetResult &result) {
    // The latest snapshot, whatever the isolation level: newer than every fence that was passed before the call.
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    std::array<SegmentScan, segment_count> segments;
    std::size_t open = 0;
    for (std::int64_t number = 0; number < segment_count; ++number)
        if (open_scan(segments[open], number, range, snapshot)) ++open;

    XLogRecPtr durable_at = InvalidXLogRecPtr;
    std::int64_t bytes = 0;
    do {
        // A transaction's chunks are all in one segment, so the csn alone decides.
        SegmentScan *next = nullptr;
        for (SegmentScan &segment : std::span{segments.data(), open})
            if (!segment.at_end && (next == nullptr || segment.csn < next->csn)) next = &segment;
        if (next == nullptr) break;
        CHECK_FOR_INTERRUPTS();
        TupleTableSlot *row = next->slot;
        bool copied;
        const HeapTupleData *tuple = ExecFetchSlotHeapTuple(row, false, &copied);
        durable_at = std::max(durable_at, TransactionIdGetCommitLSN(HeapTupleHeaderGetXmin(tuple->t_data)));
        bytes += static_cast<std::int64_t>(VARSIZE_ANY_EXHDR(DatumGetPointer(row->tts_values[log_payload])));

        constexpr std::array order{log_csn,      log_chunk, log_chunks,       log_changes,
                                   log_timeline, log_xid,   log_committed_at, log_payload};
        std::array<Datum, log_columns> values;
        std::array<bool, log_columns> nulls{};
        for (std::size_t i = 0; i < order.size(); ++i) values[i] = row->tts_values[order[i]];
        tuplestore_putvalues(result.store, result.descriptor, values.data(), nulls.data());
        advance(*next);
    } while (bytes < max_bytes);

    for (SegmentScan &segment : std::span{segments.data(), open}) close_scan(segment);
    UnregisterSnapshot(snapshot);
    return durable_at;
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_fetch);
PG_FUNCTION_INFO_V1(waybill_sequence_value);
PGDLLEXPORT Datum waybill_sequence_value(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_fetch(PG_FUNCTION_ARGS);

// fetch(after_csn bigint, after_chunk int, upto bigint, max_bytes int) → rows of the log
Datum waybill_fetch(PG_FUNCTION_ARGS) {
    waybill::refuse_recovery();
    const int max_bytes = PG_GETARG_INT32(3);
    const waybill::SetResult result = waybill::begin_set_result(fcinfo, std::max(work_mem, max_bytes / 1024 * 2));
    const waybill::BatchRange range{
        .after_csn = PG_GETARG_INT64(0), .after_chunk = PG_GETARG_INT32(1), .upto = PG_GETARG_INT64(2)};
    const XLogRecPtr durable_at = waybill::read_batch(range, max_bytes, result);
    XLogFlush(durable_at); // nothing is handed out that a crash could undo
    PG_RETURN_NULL();
}

// sequence_value(sequence text) → bigint; the sequence is one of the extension's
Datum waybill_sequence_value(PG_FUNCTION_ARGS) {
    const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const Oid sequence = waybill::log_object(name);
    if (get_rel_relkind(sequence) != RELKIND_SEQUENCE)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
                errmsg("\"%s.%s\" is not a sequence", waybill::log_schema, name));
    PG_RETURN_INT64(waybill::sequence_value(sequence));
}

} // extern "C"
