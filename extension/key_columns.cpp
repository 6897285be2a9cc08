// waybill_internal.key_columns(): the key under which a captured table is published, for the view
// waybill.captured_tables.
#include "postgres.hpp"
#include "table_info.hpp"

extern "C" {

PG_FUNCTION_INFO_V1(waybill_key_columns);
PGDLLEXPORT Datum waybill_key_columns(PG_FUNCTION_ARGS);

// key_columns(table regclass) → name[]; NULL when the table is not captured or gone, empty when it has no key
Datum waybill_key_columns(PG_FUNCTION_ARGS) {
    using namespace waybill;
    Relation relation = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
    if (relation == nullptr) PG_RETURN_NULL(); // dropped since the caller's snapshot
    const std::optional<std::span<const Datum>> names = published_key(*relation);
    relation_close(relation, AccessShareLock);
    if (!names) PG_RETURN_NULL();
    PG_RETURN_ARRAYTYPE_P(construct_array(const_cast<Datum *>(names->data()), static_cast<int>(names->size()), NAMEOID,
                                          NAMEDATALEN, false, TYPALIGN_CHAR));
}

} // extern "C"
