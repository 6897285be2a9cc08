// What a shipper does to its stream: take it, ask how far it is, acknowledge.
//
// A stream is given to roles: USAGE of its sequence stream_<id>_acknowledged_at_seq is the privilege, which PostgreSQL
// keeps, dumps and drops with the role, and by which nothing can be done to the stream otherwise. It is the caller who
// must have it, so he is asked for here, before the extension's owner does what was asked for.
#include "locks.hpp"
#include "log_objects.hpp"
#include "log_row.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

struct OpenedStream {
    const char *name;
    std::int32_t id;
};

Oid stream_sequence(std::int32_t id, const char *what) {
    return log_object(psprintf("stream_%d_%s", id, what));
}

struct Argument {
    Oid type;
    Datum value;
};

// The int4 that a statement of the extension's owner returns; 0 for null.
template <std::size_t Count>
std::int32_t query(const char *statement, const std::array<Argument, Count> &arguments) {
    std::array<Oid, Count> types;
    std::array<Datum, Count> values;
    for (std::size_t i = 0; i < Count; ++i) {
        types[i] = arguments[i].type;
        values[i] = arguments[i].value;
    }
    std::int32_t result = 0;
    with_role(log_owner(), [&] {
        SPI_connect();
        if (SPI_execute_with_args(statement, static_cast<int>(Count), types.data(), values.data(), nullptr, false, 1) !=
            SPI_OK_SELECT)
            elog(ERROR, "could not run %s", statement);
        bool is_null;
        result = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
        SPI_finish();
    });
    return result;
}

// The stream that the first argument names. Error: there is none, or the caller may not ship it.
OpenedStream open_stream(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the name of the stream must not be NULL"));
    const OpenedStream stream{.name = TextDatumGetCString(PG_GETARG_DATUM(0)),
                              .id = query("SELECT waybill_internal.stream_id($1)",
                                          std::array{Argument{.type = TEXTOID, .value = PG_GETARG_DATUM(0)}})};
    if (pg_class_aclcheck(stream_sequence(stream.id, "acknowledged_at_seq"), GetUserId(), ACL_USAGE) != ACLCHECK_OK)
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                errmsg("role \"%s\" may not ship stream \"%s\"", GetUserNameFromId(GetUserId(), false), stream.name),
                errhint("Run as the extension's owner: SELECT waybill.grant_shipper(%s, %s)",
                        quote_literal_cstr(quote_identifier(GetUserNameFromId(GetUserId(), false))),
                        quote_literal_cstr(stream.name)));
    return stream;
}

void acknowledge(const OpenedStream &stream, Csn csn) {
    const Argument id{.type = INT4OID, .value = Int32GetDatum(stream.id)};
    if (!take_stream(stream.id, Hold::transaction))
        ereport(ERROR, errcode(ERRCODE_OBJECT_IN_USE),
                errmsg("stream \"%s\" is being shipped by process %d, which alone may acknowledge", stream.name,
                       query("SELECT waybill_internal.stream_shipper($1)", std::array{id})),
                errhint("Stop that shipper first. A shipper must stay on one session of the server: do not put a "
                        "pooler in transaction mode between them."));
    query("SELECT waybill_internal.acknowledge($1, $2)",
          std::array{id, Argument{.type = INT8OID, .value = Int64GetDatum(csn)}});
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_take_stream);
PG_FUNCTION_INFO_V1(waybill_acknowledged);
PG_FUNCTION_INFO_V1(waybill_acknowledge);
PG_FUNCTION_INFO_V1(waybill_lock_stream);
PGDLLEXPORT Datum waybill_take_stream(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_acknowledged(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_acknowledge(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_lock_stream(PG_FUNCTION_ARGS);

// take_stream(stream text) → boolean
Datum waybill_take_stream(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(waybill::take_stream(waybill::open_stream(fcinfo).id, waybill::Hold::session));
}

// acknowledged(stream text) → bigint
Datum waybill_acknowledged(PG_FUNCTION_ARGS) {
    const waybill::OpenedStream stream = waybill::open_stream(fcinfo);
    PG_RETURN_INT64(waybill::sequence_value(waybill::stream_sequence(stream.id, "acknowledged_seq")));
}

// acknowledge(stream text, csn bigint)
Datum waybill_acknowledge(PG_FUNCTION_ARGS) {
    const waybill::OpenedStream stream = waybill::open_stream(fcinfo);
    if (PG_ARGISNULL(1))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the csn to acknowledge must not be NULL"));
    waybill::acknowledge(stream, PG_GETARG_INT64(1));
    PG_RETURN_VOID();
}

// lock_stream(stream integer) → boolean
Datum waybill_lock_stream(PG_FUNCTION_ARGS) {
    PG_RETURN_BOOL(waybill::take_stream(PG_GETARG_INT32(0), waybill::Hold::transaction));
}

} // extern "C"
