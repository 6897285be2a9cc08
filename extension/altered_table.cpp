// waybill_internal.alteration(): what an ALTER TABLE did that capture has to know of, for the event trigger
// watch_ddl(). Most of what it does is nothing to capture. And table_of_dropped_index(), for watch_drop().
#include "postgres.hpp"

namespace waybill {

namespace {

const char *alteration(AlterTableType subcommand) {
    switch (subcommand) {
    case AT_AttachPartition: return "attached";
    case AT_DetachPartition:
#if HAS_DETACH_FINALIZE
    case AT_DetachPartitionFinalize:
#endif
        return "detached";
    case AT_EnableTrig: // turns an ALWAYS trigger into an ordinary one, as the next two
    case AT_EnableTrigAll:
    case AT_EnableTrigUser:
    case AT_EnableReplicaTrig:
    case AT_DisableTrig:
    case AT_DisableTrigAll:
    case AT_DisableTrigUser:
    case AT_SetUnLogged:
#if HAS_SET_ACCESS_METHOD
    case AT_SetAccessMethod:
#endif
#if HAS_DROP_COLUMN_RECURSE
    case AT_DropColumnRecurse:
#endif
    case AT_DropColumn: return "changed";
#if !NOT_NULL_IS_A_CONSTRAINT // which watch_drop() is told of
    case AT_DropNotNull: return "nullable";
#endif
    default: return nullptr;
    }
}

const char *alteration(const CollectedCommand &command) {
    if (command.type != SCT_AlterTable) return nullptr;
    const char *found = nullptr;
    const ListCell *cell;
    foreach (cell, command.d.alterTable.subcmds) {
        const auto *collected = static_cast<const CollectedATSubcmd *>(lfirst(cell));
        const AlterTableType subtype = reinterpret_cast<const AlterTableCmd *>(collected->parsetree)->subtype;
        const char *kind = alteration(subtype);
        // ATTACH and DETACH come alone.
        if (kind != nullptr && (found == nullptr || subtype != AT_DropNotNull)) found = kind;
    }
    return found;
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_alteration);
PG_FUNCTION_INFO_V1(waybill_is_own_transaction);
PG_FUNCTION_INFO_V1(waybill_table_of_dropped_index);
PGDLLEXPORT Datum waybill_table_of_dropped_index(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_alteration(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_is_own_transaction(PG_FUNCTION_ARGS);

// alteration(command pg_ddl_command) → text
Datum waybill_alteration(PG_FUNCTION_ARGS) {
    const char *kind = waybill::alteration(*reinterpret_cast<const CollectedCommand *>(PG_GETARG_POINTER(0)));
    if (kind == nullptr) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(kind));
}

// is_own_transaction(xid) → boolean
Datum waybill_is_own_transaction(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(TransactionIdIsCurrentTransactionId(DatumGetTransactionId(PG_GETARG_DATUM(0))));
}
// table_of_dropped_index(index oid) → oid. What an event trigger is told of a dropped index does not say whose it was;
// the row that says it is deleted, but still there until the transaction has ended.
Datum waybill_table_of_dropped_index(PG_FUNCTION_ARGS) {
    Relation pg_index = table_open(IndexRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_index_indexrelid, BTEqualStrategyNumber, F_OIDEQ, PG_GETARG_DATUM(0));
    SysScanDesc scan = systable_beginscan(pg_index, IndexRelidIndexId, true, SnapshotAny, 1, &key);
    Oid table = InvalidOid;
    if (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple)) {
        const auto *form = reinterpret_cast<const FormData_pg_index *>(GETSTRUCT(tuple));
        if (form->indisunique) table = form->indrelid;
    }
    systable_endscan(scan);
    table_close(pg_index, AccessShareLock);
    if (!OidIsValid(table)) PG_RETURN_NULL();
    PG_RETURN_OID(table);
}

} // extern "C"
