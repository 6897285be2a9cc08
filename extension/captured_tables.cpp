// What the view waybill.captured_tables looks at. It waits for nobody: of a table that is being altered, perhaps for
// hours, it only tells who has it.
#include "postgres.hpp"
#include "set_result.hpp"
#include "table_info.hpp"

namespace waybill {

namespace {

// Runs `look` when nobody keeps the table from being looked at, and it is still there.
template <typename Look>
auto look_at(Oid table, Look look) -> decltype(look(*Relation{})) {
    if (!ConditionalLockRelationOid(table, AccessShareLock)) return std::nullopt;
    Relation relation = try_relation_open(table, NoLock);
    auto result = relation == nullptr ? std::nullopt : look(*relation);
    if (relation != nullptr) relation_close(relation, NoLock);
    UnlockRelationOid(table, AccessShareLock);
    return result;
}

const char *name_of(KeySource source) {
    switch (source) {
    case KeySource::none: return nullptr;
    case KeySource::named_columns: return "named columns";
    case KeySource::primary_key: return "primary key";
    case KeySource::replica_identity: return "replica identity";
    case KeySource::unique_index: return "unique index";
    }
    return nullptr;
}

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_published_key);
PG_FUNCTION_INFO_V1(waybill_condition_text);
PG_FUNCTION_INFO_V1(waybill_partitions);
PGDLLEXPORT Datum waybill_published_key(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_condition_text(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_partitions(PG_FUNCTION_ARGS);

// published_key(table regclass, OUT key name[], OUT source text); NULL when the table is not captured, gone or locked.
// Without a key the array is empty, and the source NULL.
Datum waybill_published_key(PG_FUNCTION_ARGS) {
    using namespace waybill;
    const auto key = look_at(PG_GETARG_OID(0), [](const RelationData &relation) { return published_key(relation); });
    if (!key) PG_RETURN_NULL();
    TupleDesc descriptor;
    if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    const char *source = name_of(key->source);
    std::array<Datum, 2> values{
        PointerGetDatum(construct_array(const_cast<Datum *>(key->columns.data()), static_cast<int>(key->columns.size()),
                                        NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR)),
        source == nullptr ? Datum{0} : CStringGetTextDatum(source)};
    std::array<bool, 2> nulls{false, source == nullptr};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values.data(), nulls.data())));
}

// condition_text(condition pg_node_tree, table regclass) → text; NULL when the table is gone or locked
Datum waybill_condition_text(PG_FUNCTION_ARGS) {
    const Datum condition = PG_GETARG_DATUM(0);
    const auto printed = waybill::look_at(PG_GETARG_OID(1), [=](const RelationData &relation) -> std::optional<Datum> {
        return DirectFunctionCall2(pg_get_expr, condition, ObjectIdGetDatum(relation.rd_id)); // which locks it
    });
    if (!printed) PG_RETURN_NULL();
    PG_RETURN_DATUM(*printed);
}

// partitions(root regclass) → rows (relation regclass, is_leaf boolean), without the root; none if it is no root
Datum waybill_partitions(PG_FUNCTION_ARGS) {
    const waybill::SetResult result = waybill::begin_set_result(fcinfo);
    const Oid root = PG_GETARG_OID(0);
    if (get_rel_relkind(root) != RELKIND_PARTITIONED_TABLE) PG_RETURN_NULL();
    List *relations = find_all_inheritors(root, NoLock, nullptr);
    ListCell *cell;
    foreach (cell, relations) {
        const Oid relation = lfirst_oid(cell);
        const char kind = get_rel_relkind(relation);
        if (relation == root || kind == '\0') continue; // or dropped meanwhile
        std::array<Datum, 2> values{ObjectIdGetDatum(relation), BoolGetDatum(kind != RELKIND_PARTITIONED_TABLE)};
        std::array<bool, 2> nulls{};
        tuplestore_putvalues(result.store, result.descriptor, values.data(), nulls.data());
    }
    PG_RETURN_NULL();
}

} // extern "C"
