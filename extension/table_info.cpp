// What capture knows of a table, cached per backend.
#include "table_info.hpp"

#include "scope.hpp"
#include "shape.hpp"

namespace waybill {

namespace {

struct CacheEntry {
    Oid relation; // the hash key
    bool valid;
    const TableInfo *info;
    MemoryContext context; // owns `info`
};

HTAB *cache;
std::uint64_t invalidations; // how many arrived

void create_cache() {
    HASHCTL control{};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(CacheEntry);
    cache = hash_create("waybill tables", 64, &control, HASH_ELEM | HASH_BLOBS);
}

template <typename Predicate>
void invalidate_if(Predicate predicate) {
    ++invalidations;
    if (cache == nullptr) return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache);
    while (auto *entry = static_cast<CacheEntry *>(hash_seq_search(&scan)))
        if (predicate(*entry)) entry->valid = false;
}

void relation_changed(Datum, Oid relation) {
    invalidate_if([&](const CacheEntry &entry) {
        return relation == InvalidOid || entry.relation == relation ||
               (entry.info != nullptr && entry.info->published_relation == relation);
    });
}

void type_changed(Datum, int, uint32) {
    invalidate_if([](const CacheEntry &entry) { return entry.info == nullptr || entry.info->depends_on_types; });
}

void schema_changed(Datum, int, uint32) {
    invalidate_if([](const CacheEntry &) { return true; });
}

// The table on which the trigger was created: a trigger on a partition may be a clone of its root's.
Oid captured_relation(Oid trigger, Oid relation) {
    Relation pg_trigger = table_open(TriggerRelationId, AccessShareLock);
    while (OidIsValid(trigger)) {
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
        SysScanDesc scan = systable_beginscan(pg_trigger, TriggerOidIndexId, true, nullptr, 1, &key);
        HeapTuple tuple = systable_getnext(scan);
        if (!HeapTupleIsValid(tuple)) elog(ERROR, "could not find trigger %u", trigger);
        const auto *form = reinterpret_cast<const FormData_pg_trigger *>(GETSTRUCT(tuple));
        relation = form->tgrelid;
        trigger = form->tgparentid;
        systable_endscan(scan);
    }
    table_close(pg_trigger, AccessShareLock);
    return relation;
}

// Not to be altered: no ALTER TYPE adds a label or a field to it.
bool is_built_in(Oid type) {
    return type < FirstNormalObjectId;
}

std::span<const AttrNumber> index_attributes(Oid index_oid) {
    Relation index = index_open(index_oid, AccessShareLock);
    const int count = IndexRelationGetNumberOfKeyAttributes(index);
    auto *attributes = static_cast<AttrNumber *>(palloc(sizeof(AttrNumber) * static_cast<std::size_t>(count)));
    std::copy_n(index->rd_index->indkey.values, count, attributes);
    index_close(index, AccessShareLock);
    return {attributes, static_cast<std::size_t>(count)};
}

// Deferrable primary keys count too, unlike in rd_pkindex.
Oid primary_key_index(Relation relation) {
    Oid found = InvalidOid;
    List *indexes = RelationGetIndexList(relation);
    ListCell *cell;
    foreach (cell, indexes) {
        Relation index = index_open(lfirst_oid(cell), AccessShareLock);
        if (index->rd_index->indisprimary) found = RelationGetRelid(index);
        index_close(index, AccessShareLock);
    }
    list_free(indexes);
    return found;
}

const TableInfo *make_table_info(const RelationData &relation, const Trigger &trigger) {
    auto *info = static_cast<TableInfo *>(palloc0(sizeof(TableInfo)));
    info->relation = relation.rd_id;
    info->published_relation = captured_relation(trigger.tgoid, relation.rd_id);

    Relation published = table_open(info->published_relation, AccessShareLock);
    const TupleDesc descriptor = RelationGetDescr(published);
    const auto natts = static_cast<std::size_t>(descriptor->natts);
    auto *columns = static_cast<ColumnEncoder *>(palloc0(sizeof(ColumnEncoder) * natts));
    std::size_t count = 0;
    for (int i = 0; i < descriptor->natts; ++i) {
        const FormData_pg_attribute &attribute = *TupleDescAttr(descriptor, i);
        if (!is_stored(attribute)) continue;
        ColumnEncoder &column = columns[count++];
        // A partition's columns have the root's names and types, but not its numbers.
        column.attribute = info->published_relation == info->relation
                               ? attribute.attnum
                               : get_attnum(info->relation, NameStr(attribute.attname));
        if (column.attribute == InvalidAttrNumber)
            elog(ERROR, "could not find column \"%s\" in partition %u", NameStr(attribute.attname), info->relation);
        column.length = attribute.attlen;
        column.by_value = attribute.attbyval;
        column.encoder = make_value_encoder(attribute.atttypid);
        info->last_attribute = std::max(info->last_attribute, column.attribute);
        info->depends_on_settings |= column.encoder.depends_on_settings;
        info->depends_on_types |= !is_built_in(attribute.atttypid);
    }
    info->columns = {columns, count};
    info->shape =
        shape_number(published, key_attributes(published, {trigger.tgargs, static_cast<std::size_t>(trigger.tgnargs)}));
    table_close(published, AccessShareLock);
    return info;
}

// Fills the entry with fresh facts. On ERROR the entry stays invalid and the half-made facts go with the transaction.
void fill(CacheEntry &entry, const RelationData &relation, const Trigger &trigger) {
    const std::uint64_t seen = invalidations;
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "waybill table", ALLOCSET_SMALL_SIZES);
    const TableInfo *info = with_memory_context(context, [&] { return make_table_info(relation, trigger); });
    // A call further up the stack may still read the old facts: they live until the transaction ends.
    if (entry.context != nullptr) MemoryContextSetParent(entry.context, TopTransactionContext);
    MemoryContextSetParent(context, CacheMemoryContext);
    entry.context = context;
    entry.info = info;
    // What was invalidated meanwhile is read again for the next change; for this one the lock that its statement holds
    // on the table keeps the columns as they are.
    entry.valid = seen == invalidations;
}

} // namespace

const TableInfo &table_info(const RelationData &relation, const Trigger &trigger) {
    if (cache == nullptr) create_cache();
    bool found;
    auto *entry = static_cast<CacheEntry *>(hash_search(cache, &relation.rd_id, HASH_ENTER, &found));
    if (!found) {
        entry->valid = false;
        entry->info = nullptr;
        entry->context = nullptr;
    }
    if (!entry->valid) fill(*entry, relation, trigger);
    return *entry->info;
}

std::span<const AttrNumber> key_attributes(Relation relation, std::span<char *const> named_columns) {
    if (!named_columns.empty()) {
        auto *attributes = static_cast<AttrNumber *>(palloc(sizeof(AttrNumber) * named_columns.size()));
        for (std::size_t i = 0; i < named_columns.size(); ++i) {
            attributes[i] = get_attnum(RelationGetRelid(relation), named_columns[i]);
            if (attributes[i] <= 0) return {};
        }
        return {attributes, named_columns.size()};
    }
    if (const Oid index = primary_key_index(relation); OidIsValid(index)) return index_attributes(index);
    if (const Oid index = RelationGetReplicaIndex(relation); OidIsValid(index)) return index_attributes(index);
    return {};
}

std::uint64_t invalidation_count() {
    return invalidations;
}

void register_invalidation_callbacks() {
    CacheRegisterRelcacheCallback(relation_changed, 0);
    CacheRegisterSyscacheCallback(TYPEOID, type_changed, 0);
    CacheRegisterSyscacheCallback(ENUMOID, type_changed, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, 0);
}

} // namespace waybill
