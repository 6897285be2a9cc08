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

} // namespace

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_key_columns);
PG_FUNCTION_INFO_V1(waybill_condition_text);
PG_FUNCTION_INFO_V1(waybill_partitions);
PGDLLEXPORT Datum waybill_key_columns(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_condition_text(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum waybill_partitions(PG_FUNCTION_ARGS);

// key_columns(table regclass) → name[]; NULL when the table is not captured, gone or locked, empty when it has no key
Datum waybill_key_columns(PG_FUNCTION_ARGS) {
    using namespace waybill;
    const auto names = look_at(PG_GETARG_OID(0), [](const RelationData &relation) { return published_key(relation); });
    if (!names) PG_RETURN_NULL();
    PG_RETURN_ARRAYTYPE_P(construct_array(const_cast<Datum *>(names->data()), static_cast<int>(names->size()), NAMEOID,
                                          NAMEDATALEN, false, TYPALIGN_CHAR));
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
