// The log in SQL: waybill.read_changes(), row by row as they are asked for, for the view waybill.changes.
//
// Chunks are fetched a few at a time, by a query of their own with the snapshot of the one that asks: nothing is open
// between calls, and what was not asked for was not read. Chunks of the log come in the order of (csn, chunk), and
// transactions that were prepared and have no place yet among them, where their number says.
#include "decode.hpp"
#include "locks.hpp"
#include "log_objects.hpp"
#include "log_row.hpp"
#include "postgres.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

using Csn = std::int64_t;
using record::Operation;

struct Chunk {
    Csn csn;
    std::int32_t number;
    TransactionId xid;
    TimestampTz committed_at;
    std::string_view payload;
};

// Eight chunks at a time: who asks for a few changes gets them from one, who asks for all does not run too many
// queries.
constexpr const char *log_query =
    "SELECT csn, chunk, xid, committed_at, payload FROM waybill_internal.change_log"
    " WHERE (csn, chunk) OPERATOR(pg_catalog.>) ($1, $2) AND csn OPERATOR(pg_catalog.<) $3"
    " ORDER BY csn, chunk LIMIT 8";
// By numbers of chunks, as the index has them.
constexpr const char *prepared_query =
    "SELECT csn, chunk, xid, committed_at, payload FROM waybill_internal.prepared_log"
    " WHERE csn OPERATOR(pg_catalog.=) $1 AND chunk OPERATOR(pg_catalog.>) $2"
    " AND chunk OPERATOR(pg_catalog.<=) ($2 OPERATOR(pg_catalog.+) 8) ORDER BY chunk";
constexpr const char *prepared_transactions_query =
    "SELECT csn FROM waybill_internal.unplaced() WHERE csn OPERATOR(pg_catalog.>) $1 ORDER BY csn";

// Runs one of the queries above, and `take` on its result.
template <typename Take>
void look(SPIPlanPtr &plan, const char *query, Csn csn, std::int32_t chunk, Csn limit, Take take) {
    SPI_connect();
    if (plan == nullptr) {
        std::array<Oid, 3> types{INT8OID, INT4OID, INT8OID};
        SPIPlanPtr made = SPI_prepare(query, static_cast<int>(types.size()), types.data());
        if (made == nullptr || SPI_keepplan(made) != 0) elog(ERROR, "could not plan: %d", SPI_result);
        plan = made;
    }
    std::array<Datum, 3> arguments{Int64GetDatum(csn), Int32GetDatum(chunk), Int64GetDatum(limit)};
    if (SPI_execute_plan(plan, arguments.data(), nullptr, true, 0) != SPI_OK_SELECT) elog(ERROR, "could not look");
    take();
    SPI_finish();
}

Datum column_of(std::uint64_t row, int attribute) {
    bool is_null;
    return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, attribute, &is_null);
}

// Hands out chunks, in order.
class ChunkReader {
public:
    // Reads what is behind `after`; keeps what it needs in `context`.
    ChunkReader(Csn after, MemoryContext context)
        : context_{context}, batch_context_{AllocSetContextCreate(context, "waybill chunks", ALLOCSET_DEFAULT_SIZES)},
          log_csn_{after}, log_chunk_{std::numeric_limits<std::int32_t>::max()} {}

    // Valid until the next call.
    std::optional<Chunk> next() {
        if (!prepared_known_) find_prepared();
        if (taken_ == batch_.size()) fetch();
        if (taken_ == batch_.size()) return std::nullopt;
        return batch_[taken_++];
    }

private:
    static constexpr Csn no_limit = std::numeric_limits<Csn>::max();

    void find_prepared() {
        static SPIPlanPtr plan;
        // To the end of the transaction: what is found must not be placed and emptied before we come to it.
        for (std::int64_t slot = 0; slot < prepared_slots; ++slot)
            if (!is_empty(prepared_table(slot)))
                lock_in_time(prepared_table(slot), AccessShareLock, "could not read the change log");
        look(plan, prepared_transactions_query, log_csn_, 0, no_limit, [&] {
            auto *csns = static_cast<Csn *>(MemoryContextAllocHuge(context_, sizeof(Csn) * (SPI_processed + 1)));
            for (std::uint64_t row = 0; row < SPI_processed; ++row) csns[row] = DatumGetInt64(column_of(row, 1));
            prepared_ = {csns, SPI_processed};
        });
        prepared_known_ = true;
    }

    void fetch() {
        static SPIPlanPtr log_plan;
        static SPIPlanPtr prepared_plan;
        MemoryContextReset(batch_context_);
        batch_ = {};
        taken_ = 0;
        while (batch_.empty()) {
            if (in_prepared_) {
                look(prepared_plan, prepared_query, prepared_.front(), prepared_chunk_, no_limit, [&] { keep(); });
                if (!batch_.empty()) {
                    prepared_chunk_ = batch_.back().number;
                    return;
                }
                in_prepared_ = false;
                prepared_ = prepared_.subspan(1);
            }
            const Csn limit = prepared_.empty() ? no_limit : prepared_.front();
            look(log_plan, log_query, log_csn_, log_chunk_, limit, [&] { keep(); });
            if (!batch_.empty()) {
                log_csn_ = batch_.back().csn;
                log_chunk_ = batch_.back().number;
            } else if (prepared_.empty()) {
                return;
            } else {
                in_prepared_ = true;
                prepared_chunk_ = -1;
            }
        }
    }

    // Copies what SPI has found.
    void keep() {
        with_memory_context(batch_context_, [&] {
            auto *chunks = static_cast<Chunk *>(palloc(sizeof(Chunk) * (SPI_processed + 1)));
            for (std::uint64_t row = 0; row < SPI_processed; ++row) {
                const auto *payload = DatumGetByteaPCopy(column_of(row, 5));
                chunks[row] = {.csn = DatumGetInt64(column_of(row, 1)),
                               .number = DatumGetInt32(column_of(row, 2)),
                               .xid = DatumGetTransactionId(column_of(row, 3)),
                               .committed_at = DatumGetTimestampTz(column_of(row, 4)),
                               .payload = {VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload)}};
            }
            batch_ = {chunks, SPI_processed};
            return true;
        });
    }

    MemoryContext context_;
    MemoryContext batch_context_;
    std::span<const Chunk> batch_{};
    std::size_t taken_ = 0;
    Csn log_csn_; // behind it
    std::int32_t log_chunk_;
    std::span<const Csn> prepared_{}; // transactions that were not handed out whole
    bool prepared_known_ = false;
    bool in_prepared_ = false; // in the first of them, behind this chunk
    std::int32_t prepared_chunk_ = -1;
};

const char *operation_name(Operation operation) {
    switch (operation) {
    case Operation::insert: return "insert";
    case Operation::update: return "update";
    case Operation::remove: return "delete";
    case Operation::truncate: return "truncate";
    case Operation::context: break;
    }
    corrupt("unknown operation");
}

enum ChangeColumn {
    change_csn,
    change_index,
    change_xid,
    change_committed_at,
    change_table,
    change_op,
    change_key,
    change_before,
    change_after,
    change_context,
    change_columns
};

struct ChangeRow {
    std::array<Datum, change_columns> values;
    std::array<bool, change_columns> nulls;

    void put(ChangeColumn column, Datum value) {
        values[column] = value;
        nulls[column] = false;
    }
};

// Hands out changes, in order. Lives in the memory context of the set-returning function's calls.
class ChangeReader {
public:
    ChangeReader(Csn after, MemoryContext context) : chunks_{after, context}, context_{context} {
        initStringInfo(&stream_);
        HASHCTL control{};
        control.keysize = sizeof(DecodedShape::number);
        control.entrysize = sizeof(DecodedShape);
        control.hcxt = context;
        shapes_ = hash_create("waybill shapes of changes", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    }

    // In the present memory context; false at the end.
    bool next(ChangeRow &row) {
        for (;;) {
            const std::optional<std::string_view> record = take_record();
            if (record && record->size() > 1 && (*record)[0] == static_cast<char>(Operation::context)) {
                set_context(record->substr(1));
            } else if (record) {
                decode(Bytes{record->data(), record->size()}, row);
                return true;
            } else if (!read_chunk()) {
                return false;
            }
        }
    }

private:
    // Of the bytes at hand; nothing when its end is not among them.
    std::optional<std::string_view> take_record() {
        const char *from = stream_.data + consumed_;
        const char *end = stream_.data + stream_.len;
        std::uint64_t length;
        const char *body = record::get_varint(from, end, length);
        if (body == nullptr) {
            if (static_cast<std::size_t>(end - from) >= record::max_varint_size) corrupt("bad number");
            return std::nullopt;
        }
        if (length > record::max_record_size) corrupt("too long");
        if (static_cast<std::size_t>(end - body) < length) return std::nullopt;
        consumed_ = static_cast<int>(body - stream_.data) + static_cast<int>(length);
        return std::string_view{body, length};
    }

    bool read_chunk() {
        const bool is_complete = consumed_ == stream_.len;
        std::memmove(stream_.data, stream_.data + consumed_, static_cast<std::size_t>(stream_.len - consumed_));
        stream_.len -= consumed_;
        consumed_ = 0;
        const std::optional<Chunk> chunk = chunks_.next();
        const bool begins = !chunk || chunk->csn != csn_;
        if (begins && !is_complete) corrupt("too short");
        if (!chunk) return false;
        if (begins) {
            csn_ = chunk->csn;
            xid_ = chunk->xid;
            committed_at_ = chunk->committed_at;
            index_ = 0;
            if (transaction_context_ != nullptr) pfree(transaction_context_);
            transaction_context_ = nullptr;
        }
        appendBinaryStringInfo(&stream_, chunk->payload.data(), static_cast<int>(chunk->payload.size()));
        return true;
    }

    void set_context(std::string_view utf8) {
        const char *text = server_cstring(utf8);
        transaction_context_ = with_memory_context(context_, [&] { return cstring_to_text(text); });
    }

    void decode(Bytes body, ChangeRow &row) {
        const auto operation = static_cast<Operation>(body.take(1)[0]);
        row.nulls.fill(true);
        row.put(change_op, CStringGetTextDatum(operation_name(operation)));
        body.varint(); // the rank: the records are in its order already
        const DecodedShape &shape = find_shape(body.varint());
        row.put(change_csn, Int64GetDatum(csn_));
        row.put(change_index, Int64GetDatum(index_++));
        row.put(change_xid, TransactionIdGetDatum(xid_));
        row.put(change_committed_at, TimestampTzGetDatum(committed_at_));
        row.put(change_table, shape.table_name);
        if (transaction_context_ != nullptr) row.put(change_context, PointerGetDatum(transaction_context_));

        std::span<EncodedValue> newer;
        std::span<EncodedValue> older;
        if (operation == Operation::insert || operation == Operation::update) newer = read_row(body, shape);
        if (operation == Operation::remove || operation == Operation::update) older = read_row(body, shape);
        if (operation == Operation::update)
            for (std::size_t i = 0; i < older.size(); ++i)
                if (older[i].header == record::unchanged_header) older[i] = newer[i];
        if (!body.empty()) corrupt("too long");
        if (!newer.empty()) row.put(change_after, row_to_jsonb(shape, newer, false));
        if (!older.empty()) row.put(change_before, row_to_jsonb(shape, older, false));
        const bool has_key = std::any_of(shape.columns.begin(), shape.columns.end(),
                                         [](const ColumnReader &column) { return column.is_key; });
        if (const auto key_row = newer.empty() ? older : newer; has_key && !key_row.empty())
            row.put(change_key, row_to_jsonb(shape, key_row, true));
    }

    const DecodedShape &find_shape(std::uint64_t number) {
        if (const auto *known = static_cast<DecodedShape *>(hash_search(shapes_, &number, HASH_FIND, nullptr)))
            return *known;
        const DecodedShape read = with_memory_context(context_, [&] { return read_shape(number); });
        auto *entry = static_cast<DecodedShape *>(hash_search(shapes_, &number, HASH_ENTER, nullptr));
        *entry = read;
        return *entry;
    }

    ChunkReader chunks_;
    MemoryContext context_;
    HTAB *shapes_;
    StringInfoData stream_{}; // of one transaction; a record can go over several chunks
    int consumed_ = 0;        // bytes of it
    Csn csn_ = -1;
    TransactionId xid_ = InvalidTransactionId;
    TimestampTz committed_at_ = 0;
    std::int64_t index_ = 0;
    text *transaction_context_ = nullptr;
};

static_assert(std::is_trivially_destructible_v<ChangeReader>);

ChangeReader *begin_changes(FunctionCallInfo fcinfo, FuncCallContext &calls) {
    return with_memory_context(calls.multi_call_memory_ctx, [&] {
        if (get_call_result_type(fcinfo, nullptr, &calls.tuple_desc) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "return type must be a row type");
        BlessTupleDesc(calls.tuple_desc);
        auto *reader = static_cast<ChangeReader *>(palloc(sizeof(ChangeReader)));
        *reader = ChangeReader{PG_GETARG_INT64(0), calls.multi_call_memory_ctx};
        return reader;
    });
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_read_changes);
PGDLLEXPORT Datum waybill_read_changes(PG_FUNCTION_ARGS);

// read_changes(after_csn bigint) → one row per change, one a call
Datum waybill_read_changes(PG_FUNCTION_ARGS) {
    using namespace waybill;
    if (SRF_IS_FIRSTCALL()) {
        FuncCallContext *begun = SRF_FIRSTCALL_INIT();
        begun->user_fctx = begin_changes(fcinfo, *begun);
    }
    FuncCallContext *calls = SRF_PERCALL_SETUP();
    ChangeRow row;
    bool found = false;
    // Receive functions read text in the client's encoding; they are given the database's.
    const std::array<SettingValue, 1> encoding{{{"client_encoding", GetDatabaseEncodingName()}}};
    with_settings(encoding, [&] { found = static_cast<ChangeReader *>(calls->user_fctx)->next(row); });
    if (!found) SRF_RETURN_DONE(calls);
    SRF_RETURN_NEXT(calls, HeapTupleGetDatum(heap_form_tuple(calls->tuple_desc, row.values.data(), row.nulls.data())));
}

} // extern "C"
