// The extension's tables, written and emptied unseen by logical decoding, and closed to what it brings.
#include "log_storage.hpp"

#include "locks.hpp"
#include "log_objects.hpp"

namespace waybill {

void insert_unseen(Relation table, HeapTuple row) {
    const InsertTarget target = open_insert_target(table);
    TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsHeapTuple);
    ExecStoreHeapTuple(row, slot, false);
    if (RelationGetDescr(table)->constr != nullptr) ExecConstraints(target.table, slot, target.state);
    table_tuple_insert(table, slot, GetCurrentCommandId(true), TABLE_INSERT_NO_LOGICAL, nullptr);
    insert_into_indexes(target, slot);
    ExecDropSingleTupleTableSlot(slot);
    close_insert_target(target);
}

void delete_unseen(Relation table, ItemPointer row) {
    if (table->rd_rel->relreplident != REPLICA_IDENTITY_NOTHING)
        elog(ERROR, "table \"%s\" has a replica identity", RelationGetRelationName(table));
    simple_heap_delete(table, row);
}

void empty_table(Oid table) {
    Relation relation = table_open(table, AccessExclusiveLock);
    mark_as_emptied(table);
    if (OidIsValid(relation->rd_rel->reltoastrelid))
        elog(ERROR, "table \"%s\" has a TOAST table", RelationGetRelationName(relation));
    CheckTableNotInUse(relation, "maintain");
    CheckTableForSerializableConflictIn(relation);
    set_new_storage(relation);
    pgstat_count_truncate(relation);
    table_close(relation, NoLock); // locked until the transaction ends
    rebuild_indexes(table);
}

namespace {

// Rows that come from elsewhere tell of another database: by a subscription's first COPY, or from a publisher that does
// not keep them to itself. All others are written here, unseen: those of our functions in SQL, and of a dump.
Datum write_or_refuse(const TriggerData &data) {
    if (TRIGGER_FIRED_BY_TRUNCATE(data.tg_event)) // which no trigger can leave out
        ereport(
            ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("cannot truncate table \"%s\" of the extension waybill", RelationGetRelationName(data.tg_relation)),
            errdetail("Changes that are not shipped yet would be lost."),
            errhint("waybill.maintain() empties what every stream has acknowledged."));
    HeapTuple nothing = nullptr;
    if (IsLogicalWorker()) return PointerGetDatum(nothing);
    if (TRIGGER_FIRED_BY_UPDATE(data.tg_event)) return PointerGetDatum(data.tg_newtuple);
    if (TRIGGER_FIRED_BY_DELETE(data.tg_event)) return PointerGetDatum(data.tg_trigtuple);
    insert_unseen(data.tg_relation, data.tg_trigtuple);
    return PointerGetDatum(nothing); // the row is there already
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_write_unseen);
PG_FUNCTION_INFO_V1(waybill_delete_unseen);
PG_FUNCTION_INFO_V1(waybill_empty_table);
PG_FUNCTION_INFO_V1(waybill_is_replicated);
PGDLLEXPORT Datum waybill_write_unseen(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_delete_unseen(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_empty_table(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_is_replicated(PG_FUNCTION_ARGS);

// Trigger, BEFORE INSERT OR UPDATE OR DELETE FOR EACH ROW and BEFORE TRUNCATE
Datum waybill_write_unseen(PG_FUNCTION_ARGS) {
    if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "write_unseen() was not called as a trigger");
    return waybill::write_or_refuse(*reinterpret_cast<const TriggerData *>(fcinfo->context));
}

// delete_unseen(table regclass, row tid)
Datum waybill_delete_unseen(PG_FUNCTION_ARGS) {
    Relation table = table_open(PG_GETARG_OID(0), RowExclusiveLock);
    waybill::delete_unseen(table, reinterpret_cast<ItemPointer>(PG_GETARG_POINTER(1)));
    table_close(table, NoLock);
    PG_RETURN_VOID();
}

// empty_table(table text); the table is one of waybill_internal
Datum waybill_empty_table(PG_FUNCTION_ARGS) {
    waybill::empty_table(waybill::log_object(text_to_cstring(PG_GETARG_TEXT_PP(0))));
    PG_RETURN_VOID();
}

// is_replicated() → boolean: whether what happens is a subscription's doing
Datum waybill_is_replicated(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(IsLogicalWorker());
}

} // extern "C"
