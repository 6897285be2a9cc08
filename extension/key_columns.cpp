// waybill.key_columns(): the key under which a captured table is published, for the view waybill.captured_tables.
#include "postgres.hpp"
#include "table_info.hpp"

extern "C" {

PG_FUNCTION_INFO_V1(waybill_key_columns);
PGDLLEXPORT Datum waybill_key_columns(PG_FUNCTION_ARGS);

// key_columns(table regclass) → name[]; NULL when the table is not captured, empty when it has no key
Datum waybill_key_columns(PG_FUNCTION_ARGS) {
    using namespace waybill;
    Relation relation = relation_open(PG_GETARG_OID(0), AccessShareLock);
    const Trigger *capture = nullptr;
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
        if (std::strcmp(triggers->triggers[i].tgname, capture_trigger_name) == 0) capture = &triggers->triggers[i];
    if (capture == nullptr) {
        relation_close(relation, AccessShareLock);
        PG_RETURN_NULL();
    }
    const std::span<const AttrNumber> key =
        key_attributes(relation, {capture->tgargs, static_cast<std::size_t>(capture->tgnargs)});
    auto *names = static_cast<Datum *>(palloc(sizeof(Datum) * (key.size() + 1)));
    for (std::size_t i = 0; i < key.size(); ++i)
        names[i] = NameGetDatum(&TupleDescAttr(RelationGetDescr(relation), key[i] - 1)->attname);
    ArrayType *array = construct_array(names, static_cast<int>(key.size()), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR);
    relation_close(relation, AccessShareLock);
    PG_RETURN_ARRAYTYPE_P(array);
}

} // extern "C"
