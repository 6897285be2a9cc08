// The change log: how a committing transaction writes its changes.
//
//   writer, at pre-commit                                  reader (log_reader.cpp)
//   1 mark itself                  a lock of our own
//   2 draw csn from commit_seq     takes a lock on it first
//   3 segment = value(segment)                             a C0 = value(commit_seq)
//   4 insert chunks into segment                           b wait for all who hold a lock on commit_seq now
//   5 commit: becomes visible                                and are marked
//   6 release both locks                                   c new snapshot
//                                                          d read csn <= C0: nothing can appear there later
//
// Whoever drew a csn <= C0 held both locks at b or had already released them, after having become visible: it took them
// before it drew, in whatever order. 2 before 3: else a writer could be numbered after a segment was closed and yet
// write to it.
//
// Why two locks: who holds the one on commit_seq is cheap to find, as it is kept by each backend for itself and all are
// looked at in one go; but any role can take it, by nextval() of its oid, which locks before it refuses. The mark
// cannot be taken by SQL (locks.hpp); each backend has one of its own, so that committing ones do not meet over it.
//
// A transaction that is prepared cannot hold that lock: readers would wait until COMMIT PREPARED. Its chunks go to the
// prepared log, with a number that tells what was before it; the first reader that sees them gives them their place
// (waybill_internal.release()).
#include "change_log.hpp"

#include "locks.hpp"
#include "log_objects.hpp"
#include "log_row.hpp"

namespace waybill {

namespace {

static_assert(log_row_fixed_size == sizeof(std::int64_t) * 2 + sizeof(std::int32_t) * 5);

Oid numbered_object(std::string_view kind, std::int64_t number, std::string_view suffix) {
    std::array<char, NAMEDATALEN> name{};
    char *end = std::copy(kind.begin(), kind.end(), name.data());
    *end++ = '_';
    end = std::to_chars(end, name.data() + name.size(), number).ptr;
    std::copy(suffix.begin(), suffix.end(), end);
    return log_object(name.data());
}

// Inserts rows into a table of the log and its index, unseen by logical decoding (log_storage.hpp); only the log's own
// kind of table: no constraints, triggers or TOAST.
class LogWriter {
public:
    LogWriter(Oid table, Oid index, std::array<LogColumn, 2> key, std::size_t rows)
        : table_{table_open(table, RowExclusiveLock)}, index_{index_open(index, RowExclusiveLock)},
          index_info_{BuildIndexInfo(index_)}, key_{key},
          // Many rows fill their pages: don't search for room in the ones that exist.
          bulk_{rows > bulk_rows ? GetBulkInsertState() : nullptr} {}

    void insert(Datum *values) {
        std::array<bool, log_columns> nulls{};
        HeapTuple row = heap_form_tuple(RelationGetDescr(table_), values, nulls.data());
        const int options = HEAP_INSERT_NO_LOGICAL | (bulk_ != nullptr ? HEAP_INSERT_SKIP_FSM : 0);
        heap_insert(table_, row, GetCurrentCommandId(true), options, bulk_);
        std::array<Datum, 2> key{values[key_[0]], values[key_[1]]};
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
    std::array<LogColumn, 2> key_;
    BulkInsertState bulk_;
};

// Writes the transaction's stream: `context`, then `changes`.
void write_chunks(LogWriter &writer, Csn csn, ChunkStream &context, ChunkStream &changes) {
    const std::size_t chunks = context.size() + changes.size();
    std::array<Datum, log_columns> row;
    row[log_csn] = Int64GetDatum(csn);
    row[log_committed_at] = TimestampTzGetDatum(GetCurrentTimestamp());
    row[log_chunks] = Int32GetDatum(static_cast<int32>(chunks));
    row[log_timeline] = Int32GetDatum(position_timeline());
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

} // namespace

std::int32_t position_timeline() {
    // A backend that may write stays on its timeline.
    static Oid known_sequence;
    static std::int32_t known;
    const Oid sequence = log_object("timeline_seq");
    while (sequence != known_sequence) {
        // What is added to the server's timeline, and in the lower half the server's timeline when last seen.
        constexpr unsigned half = 32;
        constexpr std::int64_t lower_half = (std::int64_t{1} << half) - 1;
        const std::int64_t state = sequence_value(sequence);
        const std::int64_t seen = state & lower_half;
        const auto present = static_cast<std::int64_t>(current_timeline());
        const std::int64_t added = (state >> half) + (present < seen ? seen : 0);
        const std::int64_t new_state = added << half | present;
        if (new_state != state && !set_sequence(sequence, state, new_state)) continue;
        known = static_cast<std::int32_t>(added + present);
        known_sequence = sequence;
    }
    return known;
}

Oid segment_table(std::int64_t segment) {
    return numbered_object("segment", segment % segment_count, "");
}
Oid segment_upto(std::int64_t segment) {
    return numbered_object("segment", segment % segment_count, "_upto_seq");
}
Oid segment_index(std::int64_t segment) {
    return numbered_object("segment", segment % segment_count, "_idx");
}
Oid prepared_table(std::int64_t slot) {
    return numbered_object("prepared", slot, "");
}
Oid prepared_index(std::int64_t slot) {
    return numbered_object("prepared", slot, "_idx");
}

void append_to_log(Oid commit_sequence, ChunkStream &context, ChunkStream &changes) {
    mark_as_committing();
    const Csn csn = draw_from_sequence(commit_sequence, csn_step);
    const std::int64_t segment = sequence_value(log_object("segment_seq"));
    LogWriter writer{
        segment_table(segment), segment_index(segment), {log_csn, log_chunk}, context.size() + changes.size()};
    write_chunks(writer, csn, context, changes);
}

void append_to_prepared_log(Oid commit_sequence, ChunkStream &context, ChunkStream &changes) {
    if (MaxBackends + max_prepared_xacts >= csn_step)
        ereport(ERROR, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                errmsg("cannot PREPARE a transaction that changed captured tables"),
                errdetail("With max_connections and max_prepared_transactions as they are, more than %d transactions "
                          "could be prepared at a time: too many to keep their changes in order.",
                          static_cast<int>(csn_step) - 1),
                errhint("Lower these settings, or use COMMIT."));
    // Before the number is drawn: who sees nobody marked knows that the numbers to come are greater than those drawn.
    mark_as_prepared();
    // Any of the slots will do: readers look into all. The lock on its table, the transaction's to its end, keeps it
    // from being emptied.
    const std::int64_t slot = sequence_value(log_object("prepared_slot_seq"));
    LogWriter writer{prepared_table(slot), prepared_index(slot), {log_chunk, log_csn}, context.size() + changes.size()};
    write_chunks(writer, draw_without_lock(commit_sequence, csn_step), context, changes);
}

} // namespace waybill
