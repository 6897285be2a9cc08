// The change log: how a committing transaction writes its changes.
//
//   writer, at pre-commit                                  reader (log_reader.cpp)
//   1 draw csn from commit_seq    takes a lock on commit_seq
//   2 segment = value(segment)                             a C0 = value(commit_seq)
//   3 insert chunks into segment                           b wait for all who hold a lock on commit_seq now
//   4 commit: becomes visible                              c new snapshot
//   5 release the lock                                     d read csn <= C0: nothing can appear there later
//
// Whoever drew a csn <= C0 held its lock at b or had already released it, after having become visible. 1 before 2:
// else a writer could be numbered after a segment was closed and yet write to it.
#include "change_log.hpp"

#include "log_objects.hpp"
#include "log_row.hpp"

namespace waybill {

namespace {

static_assert(log_row_fixed_size == sizeof(std::int64_t) * 2 + sizeof(std::int32_t) * 5);

Oid segment_object(std::int64_t segment, const char *suffix) {
    std::array<char, NAMEDATALEN> name;
    snprintf(name.data(), name.size(), "segment_" INT64_FORMAT "%s", static_cast<int64>(segment % segment_count),
             suffix);
    return log_object(name.data());
}

// Inserts rows into a segment and its index; only the log's own kind of table: no constraints, triggers or TOAST.
class SegmentWriter {
public:
    SegmentWriter(std::int64_t segment, std::size_t rows)
        : table_{table_open(segment_table(segment), RowExclusiveLock)},
          index_{index_open(segment_index(segment), RowExclusiveLock)}, index_info_{BuildIndexInfo(index_)},
          // Many rows fill their pages: don't search for room in the ones that exist.
          bulk_{rows > bulk_rows ? GetBulkInsertState() : nullptr} {}

    void insert(Datum *values) {
        std::array<bool, log_columns> nulls{};
        HeapTuple row = heap_form_tuple(RelationGetDescr(table_), values, nulls.data());
        heap_insert(table_, row, GetCurrentCommandId(true), bulk_ != nullptr ? HEAP_INSERT_SKIP_FSM : 0, bulk_);
        std::array<Datum, 2> key{values[log_csn], values[log_chunk]};
        insert_into_index(index_, key.data(), nulls.data(), &row->t_self, table_, index_info_);
        heap_freetuple(row);
    }

    void close() {
        if (bulk_ != nullptr) FreeBulkInsertState(bulk_);
        index_close(index_, NoLock); // locks are kept until the transaction ends
        table_close(table_, NoLock);
    }

private:
    static constexpr std::size_t bulk_rows = 64;

    Relation table_;
    Relation index_;
    IndexInfo *index_info_;
    BulkInsertState bulk_;
};

} // namespace

Oid segment_table(std::int64_t segment) {
    return segment_object(segment, "");
}
Oid segment_index(std::int64_t segment) {
    return segment_object(segment, "_idx");
}

void append_to_log(Oid commit_sequence, ChunkStream &context, ChunkStream &changes) {
    const Csn csn = draw_from_sequence(commit_sequence);
    const std::int64_t segment = sequence_value(log_object("segment_seq"));

    const std::size_t chunks = context.size() + changes.size();
    SegmentWriter writer{segment, chunks};
    std::array<Datum, log_columns> row;
    row[log_csn] = Int64GetDatum(csn);
    row[log_committed_at] = TimestampTzGetDatum(GetCurrentTimestamp());
    row[log_chunks] = Int32GetDatum(static_cast<int32>(chunks));
    row[log_timeline] = Int32GetDatum(static_cast<int32>(current_timeline()));
    row[log_xid] = TransactionIdGetDatum(GetTopTransactionId());
    for (std::size_t i = 0; i < chunks; ++i) {
        CHECK_FOR_INTERRUPTS();
        Chunk &chunk = i < context.size() ? context.chunk(i) : changes.chunk(i - context.size());
        SET_VARSIZE(chunk.payload.data(), VARHDRSZ + chunk.size);
        row[log_chunk] = Int32GetDatum(static_cast<int32>(i));
        row[log_changes] = Int32GetDatum(static_cast<int32>(chunk.changes));
        row[log_payload] = PointerGetDatum(chunk.payload.data());
        writer.insert(row.data());
    }
    writer.close();
}

} // namespace waybill
