// waybill_internal.alteration(): what an ALTER TABLE did that capture has to know of, for the event trigger
// watch_ddl(). Most of what it does is nothing to capture.
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
    default: return nullptr;
    }
}

const char *alteration(const CollectedCommand &command) {
    if (command.type != SCT_AlterTable) return nullptr;
    const char *found = nullptr;
    const ListCell *cell;
    foreach (cell, command.d.alterTable.subcmds) {
        const auto *collected = static_cast<const CollectedATSubcmd *>(lfirst(cell));
        const char *kind = alteration(reinterpret_cast<const AlterTableCmd *>(collected->parsetree)->subtype);
        if (kind != nullptr) found = kind; // ATTACH and DETACH come alone
    }
    return found;
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_alteration);
PG_FUNCTION_INFO_V1(waybill_is_own_transaction);
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

} // extern "C"
