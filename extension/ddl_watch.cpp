// waybill.watch_ddl() and watch_drop(): the event triggers that keep captured tables captured. They are called for
// every CREATE TABLE and ALTER TABLE of the database and for all that is dropped, and have to be nothing for nearly all
// of it.
#include "postgres.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

enum class Concern : std::uint8_t { none, triggers, new_partition };

Concern concern_of(AlterTableType subcommand) {
    switch (subcommand) {
    case AT_AttachPartition: return Concern::new_partition;
    case AT_EnableTrig: // turns an ALWAYS trigger into an ordinary one, as the next two
    case AT_EnableTrigAll:
    case AT_EnableTrigUser:
    case AT_EnableReplicaTrig:
    case AT_DisableTrig:
    case AT_DisableTrigAll:
    case AT_DisableTrigUser:
    case AT_SetUnLogged: return Concern::triggers;
    default: return is_detach(subcommand) ? Concern::triggers : Concern::none;
    }
}

Concern concern_of(const Node *statement) {
    if (IsA(statement, CreateStmt) || IsA(statement, CreateForeignTableStmt)) {
        // CreateForeignTableStmt begins with a CreateStmt.
        return reinterpret_cast<const CreateStmt *>(statement)->partbound != nullptr ? Concern::new_partition
                                                                                     : Concern::none;
    }
    Concern concern = Concern::none;
    if (IsA(statement, AlterTableStmt)) {
        const ListCell *cell;
        foreach (cell, reinterpret_cast<const AlterTableStmt *>(statement)->cmds)
            concern = std::max(concern, concern_of(static_cast<const AlterTableCmd *>(lfirst(cell))->subtype));
    }
    return concern;
}

// Whether more than what was named and what belongs to it may have been dropped: a table's triggers go with it.
bool drops_other_objects(const Node *statement) {
    return !IsA(statement, DropStmt) || reinterpret_cast<const DropStmt *>(statement)->behavior == DROP_CASCADE;
}

bool drops_trigger(const Node *statement) {
    return IsA(statement, DropStmt) && reinterpret_cast<const DropStmt *>(statement)->removeType == OBJECT_TRIGGER;
}

void call(const char *function, bool argument) {
    SPI_connect();
    std::array<Oid, 1> types{BOOLOID};
    std::array<Datum, 1> arguments{BoolGetDatum(argument)};
    SPI_execute_with_args(psprintf("SELECT waybill.%s($1)", function), 1, types.data(), arguments.data(), nullptr,
                          false, 0);
    SPI_finish();
}

const Node *statement_of_event(FunctionCallInfo fcinfo, const char *function) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                errmsg("function \"waybill.%s\" must be called by an event trigger", function));
    return reinterpret_cast<const EventTriggerData *>(fcinfo->context)->parsetree;
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_watch_ddl);
PG_FUNCTION_INFO_V1(waybill_watch_drop);
PGDLLEXPORT Datum waybill_watch_ddl(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_watch_drop(PG_FUNCTION_ARGS);

Datum waybill_watch_ddl(PG_FUNCTION_ARGS) {
    using namespace waybill;
    if (const Concern concern = concern_of(statement_of_event(fcinfo, "watch_ddl")); concern != Concern::none)
        call("after_ddl", concern == Concern::new_partition);
    PG_RETURN_NULL();
}

Datum waybill_watch_drop(PG_FUNCTION_ARGS) {
    using namespace waybill;
    const Node *statement = statement_of_event(fcinfo, "watch_drop");
    if (drops_trigger(statement) || drops_other_objects(statement)) call("after_drop", drops_trigger(statement));
    PG_RETURN_NULL();
}

} // extern "C"
