// Which transactions in the prepared log have no place yet: those with a first chunk and without a row that says so.
// Nothing is ever deleted there, so both are read side by side, in the order of their numbers.
#include "prepared_log.hpp"

#include "log_objects.hpp"
#include "set_result.hpp"

namespace waybill {

namespace {

constexpr std::int32_t first_chunk = 0;
constexpr std::int32_t placed_chunk = -1;

// The rows with one chunk number in a slot of the prepared log, by their csn; stands on a row or at the end.
class ChunkScan {
public:
    ChunkScan(Relation table, Relation index, Snapshot snapshot, std::int32_t chunk)
        : row_{table_slot_create(table, nullptr)}, scan_{begin_index_scan(table, index, snapshot, 1)} {
        ScanKeyData key;
        ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(chunk));
        index_rescan(scan_, &key, 1, nullptr, 0);
        advance();
    }

    [[nodiscard]] bool at_end() const { return at_end_; }
    [[nodiscard]] Datum value(LogColumn column) const { return row_->tts_values[column]; }
    [[nodiscard]] Csn csn() const { return DatumGetInt64(value(log_csn)); }
    void advance() {
        at_end_ = !index_getnext_slot(scan_, ForwardScanDirection, row_);
        if (!at_end_) slot_getsomeattrs(row_, log_payload); // all before the payload
    }
    void close() const {
        index_endscan(scan_);
        ExecDropSingleTupleTableSlot(row_);
    }

private:
    TupleTableSlot *row_;
    IndexScanDesc scan_;
    bool at_end_;
};

// Calls `visit` with the first chunk of each of them that is in a slot, until that returns false.
template <typename Visit>
void visit_unplaced(std::int64_t slot, Snapshot snapshot, Visit visit) {
    if (is_empty(prepared_table(slot))) return; // as mostly
    Relation table = table_open(prepared_table(slot), AccessShareLock);
    Relation index = index_open(prepared_index(slot), AccessShareLock);
    ChunkScan placed{table, index, snapshot, placed_chunk};
    ChunkScan first{table, index, snapshot, first_chunk};
    for (; !first.at_end(); first.advance()) {
        while (!placed.at_end() && placed.csn() < first.csn()) placed.advance();
        if (!placed.at_end() && placed.csn() == first.csn()) continue;
        if (!visit(first)) break;
    }
    first.close();
    placed.close();
    index_close(index, AccessShareLock);
    table_close(table, AccessShareLock);
}

} // namespace

bool has_unplaced(Csn last) {
    // Newer than every fence that was passed before.
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    bool found = false;
    for (std::int64_t slot = 0; slot < prepared_slots && !found; ++slot)
        visit_unplaced(slot, snapshot, [&](const ChunkScan &first) {
            found = first.csn() <= last;
            return false; // they come in the order of their numbers
        });
    UnregisterSnapshot(snapshot);
    return found;
}

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_unplaced);
PGDLLEXPORT Datum waybill_unplaced(PG_FUNCTION_ARGS);

// unplaced() → rows (slot regclass, csn bigint, chunks int, xid xid)
Datum waybill_unplaced(PG_FUNCTION_ARGS) {
    const waybill::SetResult result = waybill::begin_set_result(fcinfo);
    for (std::int64_t slot = 0; slot < waybill::prepared_slots; ++slot)
        waybill::visit_unplaced(slot, GetActiveSnapshot(), [&](const waybill::ChunkScan &first) {
            std::array<Datum, 4> values{ObjectIdGetDatum(waybill::prepared_table(slot)), first.value(waybill::log_csn),
                                        first.value(waybill::log_chunks), first.value(waybill::log_xid)};
            std::array<bool, 4> nulls{};
            tuplestore_putvalues(result.store, result.descriptor, values.data(), nulls.data());
            return true;
        });
    PG_RETURN_NULL();
}

} // extern "C"
