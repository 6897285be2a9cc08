// waybill.enable_capture() and disable_capture(): what a table's owner asks for, done by the extension's owner.
//
// A trigger of ours counts because of who made it: the trigger functions are in a schema that nobody else can use. So
// the triggers are made and dropped here with the rights of the extension's owner, for those who own the table.
//
// A condition comes from them, and already parsing it may run their code: the literal of a composite type checks its
// fields' domains. So it is parsed with their rights, once, and what came of that becomes the WHEN of the trigger.
#include "log_objects.hpp"
#include "parse_condition.hpp"
#include "postgres.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

void check_owner(Oid table) {
    if (owns_table(table)) return;
    ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
            errmsg("must be owner of table %s to capture it",
                   DatumGetCString(OidFunctionCall1(F_REGCLASSOUT, ObjectIdGetDatum(table)))),
            errhint("Run it as the owner of the table or as a superuser."));
}

Oid function_owner(Oid function) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", function);
    const Oid owner = reinterpret_cast<const FormData_pg_proc *>(GETSTRUCT(tuple))->proowner;
    ReleaseSysCache(tuple);
    return owner;
}

struct Argument {
    Oid type;
    std::optional<Datum> value; // nothing: null
};

// Runs a statement with the rights of a role. Returns the name in the first column of its first row; nothing for null.
template <std::size_t Count>
std::optional<NameData> execute_as(Oid role, const char *statement, const std::array<Argument, Count> &arguments) {
    std::array<Oid, Count> types;
    std::array<Datum, Count> values;
    std::array<char, Count> nulls;
    for (std::size_t i = 0; i < Count; ++i) {
        types[i] = arguments[i].type;
        values[i] = arguments[i].value ? *arguments[i].value : Datum{0};
        nulls[i] = arguments[i].value ? ' ' : 'n';
    }
    std::optional<NameData> name;
    with_role(role, [&] {
        SPI_connect();
        if (SPI_execute_with_args(statement, static_cast<int>(Count), types.data(), values.data(), nulls.data(), false,
                                  0) != SPI_OK_SELECT)
            elog(ERROR, "could not run %s", statement);
        bool is_null = true;
        const Datum result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
        if (!is_null && SPI_gettypeid(SPI_tuptable->tupdesc, 1) == NAMEOID) name = *DatumGetName(result);
        SPI_finish();
    });
    return name;
}

void enable_capture(Oid owner, Oid table, std::optional<Datum> key, const char *condition) {
    check_owner(table);
    const Argument table_argument{.type = REGCLASSOID, .value = ObjectIdGetDatum(table)};
    const Argument key_argument{.type = NAMEARRAYOID, .value = key};
    execute_as(owner, "SELECT waybill_internal.check_capturable($1, $2)", std::array{table_argument, key_argument});
    ParsedCondition parsed{};
    if (condition != nullptr) parsed = parse_condition(table, condition);
    const Argument text_argument{.type = TEXTOID,
                                 .value = parsed.text == nullptr ? std::nullopt
                                                                 : std::optional{CStringGetTextDatum(parsed.text)}};
    const std::optional<NameData> keeper = execute_as(owner, "SELECT waybill_internal.enable_capture($1, $2, $3)",
                                                      std::array{table_argument, key_argument, text_argument});
    if (keeper) {
        with_role(owner, [&] {
            make_condition_trigger(table, NameStr(*keeper), trigger_function("capture_condition"), parsed.expression);
        });
        CommandCounterIncrement();
        execute_as(owner, "SELECT waybill_internal.settle_condition($1, $2)",
                   std::array{table_argument, Argument{.type = NAMEOID, .value = NameGetDatum(&*keeper)}});
    }
    check_owner(table); // still, now that it is locked
}

void disable_capture(Oid owner, Oid table) {
    check_owner(table);
    execute_as(owner, "SELECT waybill_internal.disable_capture($1)",
               std::array{Argument{.type = REGCLASSOID, .value = ObjectIdGetDatum(table)}});
    check_owner(table);
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_enable_capture);
PG_FUNCTION_INFO_V1(waybill_disable_capture);
PGDLLEXPORT Datum waybill_enable_capture(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_disable_capture(PG_FUNCTION_ARGS);

// enable_capture(table regclass, key name[], condition text)
Datum waybill_enable_capture(PG_FUNCTION_ARGS) {
    if (PG_ARGISNULL(0))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the table to capture must not be NULL"));
    waybill::enable_capture(waybill::function_owner(fcinfo->flinfo->fn_oid), PG_GETARG_OID(0),
                            PG_ARGISNULL(1) ? std::nullopt : std::optional{PG_GETARG_DATUM(1)},
                            PG_ARGISNULL(2) ? nullptr : TextDatumGetCString(PG_GETARG_DATUM(2)));
    PG_RETURN_VOID();
}

// disable_capture(table regclass)
Datum waybill_disable_capture(PG_FUNCTION_ARGS) {
    waybill::disable_capture(waybill::function_owner(fcinfo->flinfo->fn_oid), PG_GETARG_OID(0));
    PG_RETURN_VOID();
}

} // extern "C"
