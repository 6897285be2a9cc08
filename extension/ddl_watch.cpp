// waybill.watch_ddl(): the event trigger that keeps captured tables captured. It is called for every CREATE TABLE and
// ALTER TABLE of the database, and has to be nothing for nearly all of them.
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

void after_ddl(bool new_partition) {
    SPI_connect();
    std::array<Oid, 1> types{BOOLOID};
    std::array<Datum, 1> arguments{BoolGetDatum(new_partition)};
    SPI_execute_with_args("SELECT waybill.after_ddl($1)", 1, types.data(), arguments.data(), nullptr, false, 0);
    SPI_finish();
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_watch_ddl);
PGDLLEXPORT Datum waybill_watch_ddl(PG_FUNCTION_ARGS);

Datum waybill_watch_ddl(PG_FUNCTION_ARGS) {
    using namespace waybill;
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                errmsg("function \"waybill.watch_ddl\" must be called by an event trigger"));
    const auto *data = reinterpret_cast<const EventTriggerData *>(fcinfo->context);
    if (const Concern concern = concern_of(data->parsetree); concern != Concern::none)
        after_ddl(concern == Concern::new_partition);
    PG_RETURN_NULL();
}

} // extern "C"
