// The one door to PostgreSQL's headers, and the only file that knows of differences between its versions (13 to 18,
// and 19 as of its first release candidate).
//
// Rules for everything behind this door: an error is a longjmp, so every type is trivially destructible and all memory
// is palloc'ed; nothing throws; entry points are extern "C". `make lint-boundary` checks it on the object code.
#pragma once

// The standard library first: PostgreSQL redefines printf and friends as macros.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

extern "C" {
#include <postgres.h>

#include <access/detoast.h>
#include <access/genam.h>
#include <access/heapam.h>
#include <access/htup_details.h>
#include <access/nbtree.h>
#include <access/parallel.h>
#include <access/relation.h>
#include <access/table.h>
#include <access/tableam.h>
#include <access/transam.h>
#include <access/tupmacs.h>
#include <access/twophase.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <access/xloginsert.h>
#include <catalog/dependency.h>
#include <catalog/index.h>
#include <catalog/indexing.h>
#include <catalog/namespace.h>
#include <catalog/partition.h>
#include <catalog/pg_class.h>
#include <catalog/pg_conversion.h>
#include <catalog/pg_enum.h>
#include <catalog/pg_index.h>
#include <catalog/pg_inherits.h>
#include <catalog/pg_namespace.h>
#include <catalog/pg_operator.h>
#include <catalog/pg_proc.h>
#include <catalog/pg_trigger.h>
#include <catalog/pg_type.h>
#include <commands/event_trigger.h>
#include <commands/sequence.h>
#if PG_VERSION_NUM >= 190000
#include <commands/sequence_xlog.h>
#endif
#include <commands/tablecmds.h>
#include <commands/tablespace.h>
#include <commands/trigger.h>
#include <common/hashfn.h>
#include <executor/executor.h>
#include <executor/spi.h>
#include <fmgr.h>
#include <funcapi.h>
#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <nodes/makefuncs.h>
#include <nodes/nodeFuncs.h>
#include <optimizer/optimizer.h>
#include <parser/parse_clause.h>
#include <parser/parse_collate.h>
#include <parser/parse_relation.h>
#include <parser/parser.h>
#include <pgstat.h>
#include <port/pg_bswap.h>
#include <replication/logicalworker.h>
#include <storage/buffile.h>
#include <storage/bufmgr.h>
#include <storage/latch.h>
#include <storage/lmgr.h>
#include <storage/lock.h>
#include <storage/predicate.h>
#include <storage/proc.h>
#include <storage/procarray.h>
#include <storage/sinvaladt.h>
#include <tcop/deparse_utility.h>
#include <utils/acl.h>
#include <utils/array.h>
#include <utils/builtins.h>
#include <utils/bytea.h>
#include <utils/date.h>
#include <utils/datum.h>
#include <utils/float.h>
#include <utils/fmgroids.h>
#include <utils/guc.h>
#include <utils/hsearch.h>
#include <utils/inval.h>
#include <utils/json.h>
#include <utils/jsonb.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#if PG_VERSION_NUM >= 150000
#include <utils/pgstat_internal.h>
#endif
#include <utils/regproc.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include <utils/resowner.h>
#include <utils/ruleutils.h>
#include <utils/snapmgr.h>
#include <utils/syscache.h>
#include <utils/timestamp.h>
#include <utils/tuplesort.h>
#include <utils/tuplestore.h>
#include <utils/typcache.h>
#include <utils/uuid.h>
#if PG_VERSION_NUM >= 140000
#include <utils/wait_event.h>
#endif
}

#if PG_VERSION_NUM < 130000
#error "waybill needs PostgreSQL 13 or later"
#endif

// Subcommands of ALTER TABLE that there were not always.
#define HAS_DETACH_FINALIZE (PG_VERSION_NUM >= 140000)
#define HAS_SET_ACCESS_METHOD (PG_VERSION_NUM >= 150000)
#define NOT_NULL_IS_A_CONSTRAINT (PG_VERSION_NUM >= 180000)
#define HAS_DROP_COLUMN_RECURSE (PG_VERSION_NUM < 160000)

// Empty before PostgreSQL 16, but we compile with hidden visibility.
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))

namespace waybill {

// What callbacks of the system caches are told, and LockBuffer().
#if PG_VERSION_NUM >= 190000
using SystemCacheId = SysCacheIdentifier;
using BufferLock = BufferLockMode;
#else
using SystemCacheId = int;
using BufferLock = int;
#endif

// Whether GetLockConflicts() tells prepared transactions, which it left out before 13.5 and 14.1. Asked of the server,
// for the same library runs on all minor versions.
inline bool prepared_locks_are_listed() {
#if PG_VERSION_NUM >= 150000
    return true;
#else
    const int version = pg_strtoint32(GetConfigOption("server_version_num", false, false));
    return version >= 140001 || (version >= 130005 && version < 140000);
#endif
}

// The timeline on which this server writes WAL.
inline TimeLineID current_timeline() {
#if PG_VERSION_NUM >= 150000
    return GetWALInsertionTimeLine();
#else
    return ThisTimeLineID;
#endif
}

// Backends by number, from 0 or 1 on. A prepared transaction has none.
inline std::uint32_t my_backend_number() {
#if PG_VERSION_NUM >= 170000
    return static_cast<std::uint32_t>(MyProcNumber);
#else
    return static_cast<std::uint32_t>(MyBackendId);
#endif
}

inline std::optional<std::uint32_t> backend_number(const VirtualTransactionId &transaction) {
#if PG_VERSION_NUM >= 170000
    if (transaction.procNumber == INVALID_PROC_NUMBER) return {};
    return static_cast<std::uint32_t>(transaction.procNumber);
#else
    if (transaction.backendId == InvalidBackendId) return {};
    return static_cast<std::uint32_t>(transaction.backendId);
#endif
}

// The process in which a transaction runs, or ran; 0 when that has ended or the transaction is prepared.
inline int process_of(const VirtualTransactionId &transaction) {
    if (!backend_number(transaction)) return 0;
#if PG_VERSION_NUM >= 170000
    const PGPROC *backend = ProcNumberGetProc(transaction.procNumber);
#else
    const PGPROC *backend = BackendIdGetProc(transaction.backendId);
#endif
    return backend == nullptr ? 0 : backend->pid;
}

inline bool holds_lock(const LOCKTAG &tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
    return LockHeldByMe(&tag, mode, false);
#else
    return LockHeldByMe(&tag, mode);
#endif
}

// The size of the first character of text that is not empty; 0 when it is none of the encoding, or zero.
inline std::size_t character_size(int encoding, std::string_view text) {
    if (text.front() == '\0') return 0;
#if PG_VERSION_NUM >= 140000
    const int size = pg_encoding_verifymbchar(encoding, text.data(), static_cast<int>(text.size()));
#else
    const int size = pg_encoding_verifymb(encoding, text.data(), static_cast<int>(text.size()));
#endif
    return static_cast<std::size_t>(std::max(size, 0));
}

#if PG_VERSION_NUM < 140000
// Whether text could be converted as a whole. A conversion function holds nothing that an abort would have to give
// back, so its error can be caught without one.
inline bool try_convert(Oid function, int from, int to, std::string_view text, char *converted) {
    const MemoryContext memory = CurrentMemoryContext;
    const uint32 holdoff = InterruptHoldoffCount; // an error sets it to zero
    volatile bool done = false;
    PG_TRY();
    {
        OidFunctionCall5(function, Int32GetDatum(from), Int32GetDatum(to), CStringGetDatum(text.data()),
                         CStringGetDatum(converted), Int32GetDatum(static_cast<int>(text.size())));
        done = true;
    }
    PG_CATCH();
    {
        const int code = geterrcode();
        if (code != ERRCODE_UNTRANSLATABLE_CHARACTER && code != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE) PG_RE_THROW();
        MemoryContextSwitchTo(memory);
        FlushErrorState();
        InterruptHoldoffCount = holdoff;
    }
    PG_END_TRY();
    return done;
}
#endif

// Converts text by a conversion function from its front to the first character that has no equivalent; returns how many
// bytes of it that were. `converted` has `room` for all, and is terminated. Before PostgreSQL 14 functions could only
// convert all or fail.
inline std::size_t convert_front(Oid function, int from, int to, std::string_view text, char *converted,
                                 std::size_t room) {
#if PG_VERSION_NUM >= 140000
    auto *source = reinterpret_cast<unsigned char *>(const_cast<char *>(text.data()));
    const int consumed =
        pg_do_encoding_conversion_buf(function, from, to, source, static_cast<int>(text.size()),
                                      reinterpret_cast<unsigned char *>(converted), static_cast<int>(room), true);
    return static_cast<std::size_t>(consumed);
#else
    if (try_convert(function, from, to, text, converted)) return text.size();
    std::size_t at = 0;
    std::size_t written = 0;
    while (at < text.size()) {
        const std::size_t size = character_size(from, text.substr(at));
        if (size == 0 || !try_convert(function, from, to, text.substr(at, size), converted + written)) break;
        at += size;
        written += std::strlen(converted + written);
    }
    converted[written] = '\0';
    return at;
#endif
}

// The size of the part of text in front that is well-formed in the encoding, without zeros.
inline std::size_t valid_size(int encoding, std::string_view text) {
#if PG_VERSION_NUM >= 140000
    return static_cast<std::size_t>(pg_encoding_verifymbstr(encoding, text.data(), static_cast<int>(text.size())));
#else
    if (pg_verify_mbstr(encoding, text.data(), static_cast<int>(text.size()), true)) return text.size();
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t size = character_size(encoding, text.substr(at));
        if (size == 0) break;
        at += size;
    }
    return at;
#endif
}

inline bool insert_into_index(Relation index, Datum *values, bool *nulls, ItemPointer tid, Relation heap,
                              IndexInfo *info) {
#if PG_VERSION_NUM >= 140000
    return index_insert(index, values, nulls, tid, heap, UNIQUE_CHECK_NO, false, info);
#else
    return index_insert(index, values, nulls, tid, heap, UNIQUE_CHECK_NO, info);
#endif
}

// A table into which rows are inserted by the executor's means; the table is the caller's.
struct InsertTarget {
    EState *state;
    ResultRelInfo *table;
};

inline InsertTarget open_insert_target(Relation table) {
    const InsertTarget target{.state = CreateExecutorState(), .table = makeNode(ResultRelInfo)};
    Index place = 0; // in no range table
#if PG_VERSION_NUM < 140000
    // The message about a violated constraint looks for the table's entry.
    RangeTblEntry *entry = makeNode(RangeTblEntry);
    entry->rtekind = RTE_RELATION;
    entry->relid = RelationGetRelid(table);
    entry->relkind = table->rd_rel->relkind;
    entry->rellockmode = RowExclusiveLock;
    ExecInitRangeTable(target.state, list_make1(entry));
    target.state->es_result_relation_info = target.table;
    place = 1;
#endif
    InitResultRelInfo(target.table, table, place, nullptr, 0);
    ExecOpenIndices(target.table, false);
    return target;
}

inline void insert_into_indexes(const InsertTarget &target, TupleTableSlot *row) {
    if (target.table->ri_NumIndices == 0) return;
#if PG_VERSION_NUM >= 190000
    ExecInsertIndexTuples(target.table, target.state, 0, row, NIL, nullptr);
#elif PG_VERSION_NUM >= 160000
    ExecInsertIndexTuples(target.table, row, target.state, false, false, nullptr, NIL, false);
#elif PG_VERSION_NUM >= 140000
    ExecInsertIndexTuples(target.table, row, target.state, false, false, nullptr, NIL);
#else
    ExecInsertIndexTuples(row, target.state, false, nullptr, NIL);
#endif
}

inline void close_insert_target(const InsertTarget &target) {
    ExecCloseIndices(target.table);
    FreeExecutorState(target.state);
}

// Gives a table a new, empty file; the old one goes with the transaction's commit.
inline void set_new_storage(Relation table) {
#if PG_VERSION_NUM >= 160000
    RelationSetNewRelfilenumber(table, table->rd_rel->relpersistence);
#else
    RelationSetNewRelfilenode(table, table->rd_rel->relpersistence);
#endif
}

// Whether TRUNCATE empties the file of a table instead of giving it a new one.
inline bool is_truncated_in_place(const RelationData &table) {
    const SubTransactionId present = GetCurrentSubTransactionId();
#if PG_VERSION_NUM >= 160000
    return table.rd_createSubid == present || table.rd_newRelfilelocatorSubid == present;
#else
    return table.rd_createSubid == present || table.rd_newRelfilenodeSubid == present;
#endif
}

inline void rebuild_indexes(Oid table) {
#if PG_VERSION_NUM >= 170000
    ReindexParams parameters{};
    reindex_relation(nullptr, table, 0, &parameters);
#elif PG_VERSION_NUM >= 140000
    ReindexParams parameters{};
    reindex_relation(table, 0, &parameters);
#else
    reindex_relation(table, 0, 0);
#endif
}

inline IndexScanDesc begin_index_scan(Relation heap, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 190000
    return index_beginscan(heap, index, snapshot, nullptr, keys, 0, SO_NONE);
#elif PG_VERSION_NUM >= 180000
    return index_beginscan(heap, index, snapshot, nullptr, keys, 0);
#else
    return index_beginscan(heap, index, snapshot, keys, 0);
#endif
}

inline List *parse_statements(const char *text) {
#if PG_VERSION_NUM >= 140000
    return raw_parser(text, RAW_PARSE_DEFAULT);
#else
    return raw_parser(text);
#endif
}

// Whether `visit` is true of any child of a node. (It was declared without its parameters before PostgreSQL 16.)
inline bool walk_expression(Node *node, bool (*visit)(Node *, void *), void *context) {
#if PG_VERSION_NUM >= 160000
    return expression_tree_walker_impl(node, visit, context);
#else
    return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(visit)), context);
#endif
}

// Makes a trigger AFTER DELETE FOR EACH ROW on a table and its partitions, with a WHEN that was parsed before; it takes
// the place of one of the same name (before PostgreSQL 14 there must be none).
inline void make_condition_trigger(Oid table, const char *name, Oid function, Node *when) {
    auto *statement = makeNode(CreateTrigStmt);
#if PG_VERSION_NUM >= 140000
    statement->replace = true;
#endif
    statement->trigname = pstrdup(name);
    statement->row = true;
    statement->timing = TRIGGER_TYPE_AFTER;
    statement->events = TRIGGER_TYPE_DELETE;
    const ObjectAddress made = CreateTrigger(statement, "", table, InvalidOid, InvalidOid, InvalidOid, function,
                                             InvalidOid, when, false, false);
    // As CreateTrigger() does for a WHEN that it parses itself.
    recordDependencyOnSingleRelExpr(&made, when, table, DEPENDENCY_NORMAL, DEPENDENCY_NORMAL, false);
}

// Whether the present role owns a table. Error: there is none of this oid.
inline bool owns_table(Oid table) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, table, GetUserId());
#else
    return pg_class_ownercheck(table, GetUserId());
#endif
}

// Virtual generated columns (PostgreSQL 18) have no stored value.
inline bool is_stored(const FormData_pg_attribute &attribute) {
#if PG_VERSION_NUM >= 180000
    return !attribute.attisdropped && attribute.attgenerated != ATTRIBUTE_GENERATED_VIRTUAL;
#else
    return !attribute.attisdropped;
#endif
}

// Whether no row has a null there. Since PostgreSQL 18 a NOT NULL that was added as NOT VALID may stand beside nulls of
// before; the descriptor must be the relation cache's.
inline bool is_never_null(TupleDesc descriptor, const FormData_pg_attribute &attribute) {
#if PG_VERSION_NUM >= 180000
    return TupleDescCompactAttr(descriptor, attribute.attnum - 1)->attnullability == ATTNULLABLE_VALID;
#else
    return attribute.attnotnull;
#endif
}

// Logs that a sequence goes on behind what `tuple` says. In a critical section, with the buffer locked.
inline void log_sequence(Relation sequence, Buffer buffer, HeapTupleHeader tuple, std::size_t tuple_size) {
    xl_seq_rec record;
#if PG_VERSION_NUM >= 160000
    record.locator = sequence->rd_locator;
#else
    record.node = sequence->rd_node;
#endif
    XLogBeginInsert();
    XLogRegisterBuffer(0, buffer, REGBUF_WILL_INIT);
    XLogRegisterData(reinterpret_cast<char *>(&record), sizeof record);
#if PG_VERSION_NUM >= 160000
    XLogRegisterData(reinterpret_cast<char *>(tuple), static_cast<uint32>(tuple_size));
#else
    XLogRegisterData(reinterpret_cast<char *>(tuple), static_cast<int>(tuple_size));
#endif
    const XLogRecPtr end = XLogInsert(RM_SEQ_ID, XLOG_SEQ_LOG); // PageSetLSN is a macro that reads it twice
    PageSetLSN(BufferGetPage(buffer), end);
}

// The rows of a table that the present transaction has inserted, updated and deleted, as PostgreSQL counts them for its
// statistics.
inline std::uint64_t made_in_transaction(const PgStat_TableStatus &status) {
    PgStat_Counter count = 0;
    for (const PgStat_TableXactStatus *level = status.trans; level != nullptr; level = level->upper) {
        count += level->tuples_inserted + level->tuples_updated + level->tuples_deleted;
#if PG_VERSION_NUM >= 150000
        if (level->truncdropped)
            count += level->inserted_pre_truncdrop + level->updated_pre_truncdrop + level->deleted_pre_truncdrop;
#else
        if (level->truncated) count += level->inserted_pre_trunc + level->updated_pre_trunc + level->deleted_pre_trunc;
#endif
    }
    return static_cast<std::uint64_t>(count);
}

inline Oid table_of(const PgStat_TableStatus &status) {
#if PG_VERSION_NUM >= 160000
    return status.id;
#else
    return status.t_id;
#endif
}

// What PostgreSQL counts of the table that the present subtransaction was the last to change for the first time; null
// when there is none, or it cannot be told.
inline const PgStat_TableXactStatus *last_changed_table() {
#if PG_VERSION_NUM >= 150000
    return pgstat_get_xact_stack_level(GetCurrentTransactionNestLevel())->first;
#else
    return nullptr;
#endif
}

// Whether PostgreSQL tells which tables the transaction has changed.
inline constexpr bool changed_tables_are_listed = PG_VERSION_NUM >= 150000;

// Visits each table that the transaction has changed, the last ones of the present subtransaction first, until `visit`
// returns false; none when it cannot be told.
template <typename Visit>
void visit_changed_tables(Visit visit) {
#if PG_VERSION_NUM >= 150000
    const PgStat_SubXactStatus *level = pgstat_get_xact_stack_level(GetCurrentTransactionNestLevel());
    for (; level != nullptr; level = level->prev)
        for (const PgStat_TableXactStatus *table = level->first; table != nullptr; table = table->next)
            if (!visit(*table)) return;
#endif
}

// A temporary file that lives as long as the transaction, also when a savepoint in which it was made is rolled back.
inline BufFile *create_transaction_file(MemoryContext context) {
    PrepareTempTablespaces();
    MemoryContext memory = MemoryContextSwitchTo(context);
    ResourceOwner owner = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    BufFile *file = BufFileCreateTemp(false);
    CurrentResourceOwner = owner;
    MemoryContextSwitchTo(memory);
    return file;
}

inline void seek_block(BufFile *file, std::size_t block) {
    if (BufFileSeekBlock(file, static_cast<long>(block)) != 0)
        ereport(ERROR, errcode_for_file_access(), errmsg("could not seek in a temporary file of waybill"));
}

inline void write_block(BufFile *file, void *block) {
    BufFileWrite(file, block, BLCKSZ);
}

inline void read_block(BufFile *file, void *block) {
#if PG_VERSION_NUM >= 160000
    BufFileReadExact(file, block, BLCKSZ);
#else
    if (BufFileRead(file, block, BLCKSZ) != BLCKSZ)
        ereport(ERROR, errcode_for_file_access(), errmsg("could not read from a temporary file of waybill"));
#endif
}

// Sorts in work_mem, beyond it on disk.
inline Tuplesortstate *begin_tuple_sort(TupleDesc descriptor, int keys, AttrNumber *attributes, Oid *operators,
                                        Oid *collations, bool *nulls_first) {
#if PG_VERSION_NUM >= 150000
    constexpr int options = TUPLESORT_NONE;
#else
    constexpr bool options = false; // no random access
#endif
    return tuplesort_begin_heap(descriptor, keys, attributes, operators, collations, nulls_first, work_mem, nullptr,
                                options);
}

// The element type of a true array, invalid for other types: PostgreSQL 13's get_element_type() answers for all with
// elements, and int2vector and the like have text forms of their own.
inline Oid array_element_type(Oid type) {
    const Oid element = get_element_type(type);
    return OidIsValid(element) && get_array_type(element) == type ? element : InvalidOid;
}

// The range type of a multirange type (PostgreSQL 14); invalid for other types.
inline Oid range_of_multirange(Oid type) {
#if PG_VERSION_NUM >= 140000
    return get_multirange_range(type);
#else
    return InvalidOid;
#endif
}

inline void reserve_setting_prefix(const char *prefix) {
#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved(prefix);
#else
    EmitWarningsOnPlaceholders(prefix);
#endif
}

} // namespace waybill
