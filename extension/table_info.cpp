// What capture knows of a table, cached per backend.
#include "table_info.hpp"

#include "log_objects.hpp"
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
               (entry.info != nullptr &&
                (entry.info->published_relation == relation || list_member_oid(entry.info->key_indexes, relation) ||
                 list_member_oid(entry.info->texts.row_types, relation)));
    });
}

bool has_condition(const CacheEntry &entry) {
    return entry.info != nullptr && entry.info->condition != nullptr;
}

bool condition_can_change(const CacheEntry &entry) {
    return has_condition(entry) && can_change(*entry.info->condition);
}

void type_changed(Datum, SystemCacheId, uint32) {
    invalidate_if([](const CacheEntry &entry) {
        return entry.info == nullptr || entry.info->depends_on_types || condition_can_change(entry);
    });
}

void function_changed(Datum, SystemCacheId, uint32) {
    invalidate_if(condition_can_change);
}

void schema_changed(Datum, SystemCacheId, uint32) {
    invalidate_all();
}

// Where a row trigger comes from: a trigger on a partition may be a clone of an ancestor's.
struct Origin {
    Oid trigger;
    Oid relation;
};

Origin trigger_origin(Oid trigger, Oid relation) {
    Origin origin{.trigger = trigger, .relation = relation};
    Relation pg_trigger = table_open(TriggerRelationId, AccessShareLock);
    while (OidIsValid(trigger)) {
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
        SysScanDesc scan = systable_beginscan(pg_trigger, TriggerOidIndexId, true, nullptr, 1, &key);
        HeapTuple tuple = systable_getnext(scan);
        if (!HeapTupleIsValid(tuple)) elog(ERROR, "could not find trigger %u", trigger);
        const auto *form = reinterpret_cast<const FormData_pg_trigger *>(GETSTRUCT(tuple));
        origin = {.trigger = trigger, .relation = form->tgrelid};
        trigger = form->tgparentid;
        systable_endscan(scan);
    }
    table_close(pg_trigger, AccessShareLock);
    return origin;
}

bool is_recording(const Trigger &trigger) {
    return trigger.tgtype == (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
                              TRIGGER_TYPE_DELETE) &&
           trigger.tgqual == nullptr && trigger.tgnattr == 0;
}

bool keeps_condition(const Trigger &trigger) {
    return trigger.tgtype == (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_DELETE) && trigger.tgqual != nullptr;
}

// The triggers with a function of ours on a table, as enable_capture() makes them; copied: the relation's own list goes
// when an invalidation arrives.
std::span<const Oid> triggers_with(const RelationData &relation, const char *function_name,
                                   bool (*is_ours)(const Trigger &)) {
    const Oid function = trigger_function(function_name);
    const TriggerDesc *triggers = relation.trigdesc;
    const auto number = static_cast<std::size_t>(triggers == nullptr ? 0 : triggers->numtriggers);
    auto *oids = static_cast<Oid *>(palloc(sizeof(Oid) * (number + 1)));
    std::size_t count = 0;
    for (std::size_t i = 0; i < number; ++i)
        if (const Trigger &trigger = triggers->triggers[i]; trigger.tgfoid == function && is_ours(trigger))
            oids[count++] = trigger.tgoid;
    return {oids, count};
}

struct Recorder {
    Oid trigger = InvalidOid; // on the table itself
    Origin origin{};
    int level = -1; // of the origin above the table; -1 when it is no ancestor
};

// Among the row triggers on a table the one that records. An origin that is no ancestor is one from which the table is
// being detached concurrently: that counts only when there is no other.
Recorder find_recorder(const RelationData &relation) {
    Recorder found;
    const std::span<const Oid> triggers = triggers_with(relation, "capture", is_recording);
    const List *ancestors = relation.rd_rel->relispartition ? get_partition_ancestors(relation.rd_id) : NIL;
    for (const Oid trigger : triggers) {
        const Origin origin = trigger_origin(trigger, relation.rd_id);
        int level = origin.relation == relation.rd_id ? 0 : -1;
        for (int i = 0; i < list_length(ancestors); ++i)
            if (list_nth_oid(ancestors, i) == origin.relation) level = i + 1;
        if (!OidIsValid(found.trigger) || level > found.level)
            found = {.trigger = trigger, .origin = origin, .level = level};
    }
    return found;
}

// Only valid until an invalidation arrives.
const Trigger &find_trigger(const RelationData &relation, Oid trigger) {
    const TriggerDesc *triggers = relation.trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
        if (triggers->triggers[i].tgoid == trigger) return triggers->triggers[i];
    elog(ERROR, "could not find trigger %u of relation %u", trigger, relation.rd_id);
}

// What the arguments of a row trigger say (waybill_internal.capture()).
struct CaptureArguments {
    bool has_condition; // one that may be gone
    std::span<char *const> key;
};

CaptureArguments capture_arguments(const RelationData &relation, Oid trigger) {
    const Trigger &found = find_trigger(relation, trigger);
    const auto count = static_cast<std::size_t>(found.tgnargs);
    auto **arguments = static_cast<char **>(palloc(sizeof(char *) * (count + 1)));
    std::transform(found.tgargs, found.tgargs + count, arguments, pstrdup);
    if (count == 0) return {};
    return {.has_condition = std::strcmp(arguments[0], "when") == 0, .key = {arguments + 1, count - 1}};
}

// The condition that a captured table gave its rows, on the table itself or as it was cloned to a partition.
RowCondition *condition_of(const RelationData &relation, const RelationData &published) {
    for (const Oid trigger : triggers_with(relation, "capture_condition", keeps_condition))
        if (trigger_origin(trigger, relation.rd_id).relation == published.rd_id)
            return make_row_condition(pstrdup(find_trigger(relation, trigger).tgqual), relation);
    return nullptr;
}

// Where a partition has a column of its root: it has the same name and type, but not the same number.
AttrNumber partition_attribute(const RelationData &partition, const FormData_pg_attribute &column) {
    const AttrNumber number = get_attnum(partition.rd_id, NameStr(column.attname));
    if (number == InvalidAttrNumber) return InvalidAttrNumber;
    return TupleDescAttr(partition.rd_att, number - 1)->atttypid == column.atttypid ? number : InvalidAttrNumber;
}

// Not to be altered: no ALTER TYPE adds a label or a field to it.
bool is_built_in(Oid type) {
    return type < FirstNormalObjectId;
}

// Calls `look` with a row of pg_index. Without a lock: its table's is enough, and an index may be locked for long by
// itself, as by REINDEX.
template <typename Look>
auto look_at_index_tuple(Oid index, Look look) {
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for index %u", index);
    const auto result = look(tuple);
    ReleaseSysCache(tuple);
    return result;
}

template <typename Look>
auto look_at_index(Oid index, Look look) {
    return look_at_index_tuple(
        index, [&](HeapTuple tuple) { return look(*reinterpret_cast<const FormData_pg_index *>(GETSTRUCT(tuple))); });
}

std::span<const AttrNumber> index_attributes(Oid index) {
    return look_at_index(index, [](const FormData_pg_index &row) {
        const int count = row.indnkeyatts;
        auto *attributes = static_cast<AttrNumber *>(palloc(sizeof(AttrNumber) * static_cast<std::size_t>(count)));
        std::copy_n(row.indkey.values, count, attributes);
        return std::span<const AttrNumber>{attributes, static_cast<std::size_t>(count)};
    });
}

// Whether at any time each row has a value of its own in an index, which tells it from all others.
bool identifies_rows(const RelationData &relation, const FormData_pg_index &index) {
    if (!index.indisunique || !index.indisvalid || !index.indimmediate || index.indisexclusion) return false;
    const bool all_rows = look_at_index_tuple(
        index.indexrelid, [](HeapTuple tuple) { return heap_attisnull(tuple, Anum_pg_index_indpred, nullptr); });
    return all_rows &&
           std::all_of(index.indkey.values, index.indkey.values + index.indnkeyatts, [&](AttrNumber number) {
               return number > 0 && // 0: an expression
                      is_never_null(relation.rd_att, *TupleDescAttr(relation.rd_att, number - 1));
           });
}

// The index whose columns are a table's key: the primary key's, deferrable ones too, unlike in rd_pkindex; the one of
// REPLICA IDENTITY USING INDEX; the first by name of those that tell rows apart, as Debezium has it.
struct KeyIndex {
    Oid index = InvalidOid;
    KeySource source = KeySource::none;
    List *candidates = NIL; // what is altered in one of them may make it the key, or no longer
};

KeyIndex key_index(Relation relation) {
    KeyIndex first;
    List *indexes = RelationGetIndexList(relation);
    const Oid identity = RelationGetReplicaIndex(relation); // once the list is made
    const ListCell *cell;
    foreach (cell, indexes) {
        const Oid index = lfirst_oid(cell);
        const KeySource source = look_at_index(index, [&](const FormData_pg_index &row) {
            if (row.indisprimary) return KeySource::primary_key;
            if (index == identity) return KeySource::replica_identity;
            return identifies_rows(*relation, row) ? KeySource::unique_index : KeySource::none;
        });
        if (source == KeySource::none || (OidIsValid(first.index) && first.source < source)) continue;
        if (first.source == source && std::strcmp(get_rel_name(index), get_rel_name(first.index)) > 0) continue;
        first = {.index = index, .source = source};
    }
    if (first.source != KeySource::primary_key) first.candidates = indexes;
    return first;
}

struct KeyAttributes {
    std::span<const AttrNumber> numbers;
    KeySource source = KeySource::none;
    List *indexes = NIL; // that it depends on
};

// The key of a captured table, for which columns may be named. See published_key().
KeyAttributes key_attributes(Relation relation, std::span<char *const> named_columns) {
    if (!named_columns.empty()) {
        auto *attributes = static_cast<AttrNumber *>(palloc(sizeof(AttrNumber) * named_columns.size()));
        for (std::size_t i = 0; i < named_columns.size(); ++i) {
            attributes[i] = get_attnum(RelationGetRelid(relation), named_columns[i]);
            // A column that was dropped may have come again as a virtual one.
            if (attributes[i] <= 0 || !is_stored(*TupleDescAttr(RelationGetDescr(relation), attributes[i] - 1)))
                return {};
        }
        return {.numbers = {attributes, named_columns.size()}, .source = KeySource::named_columns};
    }
    const KeyIndex found = key_index(relation);
    if (!OidIsValid(found.index)) return {.numbers = {}, .source = KeySource::none, .indexes = found.candidates};
    return {.numbers = index_attributes(found.index), .source = found.source, .indexes = found.candidates};
}

const TableInfo *make_table_info(const RelationData &relation) {
    auto *info = static_cast<TableInfo *>(palloc0(sizeof(TableInfo)));
    info->relation = info->published_relation = relation.rd_id;
    // Where rows do not tell the commands that made them: a foreign partition's are another server's.
    if (relation.rd_rel->relkind == RELKIND_FOREIGN_TABLE) return info;
    if (relation.rd_rel->relkind == RELKIND_RELATION && relation.rd_tableam != GetHeapamTableAmRoutine()) return info;
    const Recorder recorder = find_recorder(relation);
    if (!OidIsValid(recorder.trigger)) return info;
    info->published_relation = recorder.origin.relation;

    Relation published = table_open(info->published_relation, AccessShareLock);
    const TupleDesc descriptor = RelationGetDescr(published);
    const auto natts = static_cast<std::size_t>(descriptor->natts);
    auto *columns = static_cast<ColumnEncoder *>(palloc0(sizeof(ColumnEncoder) * natts));
    std::size_t count = 0;
    AttrNumber last_attribute = 0;
    bool complete = true;
    for (int i = 0; i < descriptor->natts; ++i) {
        const FormData_pg_attribute &attribute = *TupleDescAttr(descriptor, i);
        if (!is_stored(attribute)) continue;
        ColumnEncoder &column = columns[count++];
        column.attribute =
            info->published_relation == info->relation ? attribute.attnum : partition_attribute(relation, attribute);
        complete &= column.attribute != InvalidAttrNumber;
        column.layout = make_layout(attribute.attlen, attribute.attalign);
        column.encoder = make_value_encoder(attribute.atttypid);
        last_attribute = std::max(last_attribute, column.attribute);
        if (column.encoder.form == ValueForm::output) add_text_dependence(attribute.atttypid, info->texts);
        info->depends_on_types |= !is_built_in(attribute.atttypid);
    }
    info->columns = {columns, count};
    info->layouts = make_layouts(relation.rd_att, last_attribute);
    if (!complete && recorder.level >= 0)
        elog(ERROR, "could not find the columns of relation %u in its partition %u", info->published_relation,
             info->relation);
    // What is being detached concurrently no longer follows an ALTER TABLE of the root: then it is none of its rows.
    if (complete) {
        const CaptureArguments arguments = capture_arguments(*published, recorder.origin.trigger);
        info->condition = condition_of(relation, *published);
        // Rows that consumers were not to have are not published because the condition was lost.
        if (info->condition != nullptr || !arguments.has_condition) info->trigger = recorder.trigger;
        const KeyAttributes key = key_attributes(published, arguments.key);
        info->key_indexes = key.indexes;
        info->shape = shape_number(published, key.numbers);
    }
    table_close(published, AccessShareLock);
    return info;
}

// Fills the entry with fresh facts. On ERROR the entry stays invalid and the half-made facts go with the transaction.
void fill(CacheEntry &entry, const RelationData &relation) {
    const std::uint64_t seen = invalidations;
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "waybill table", ALLOCSET_SMALL_SIZES);
    const TableInfo *info = with_memory_context(context, [&] { return make_table_info(relation); });
    // A call further up the stack may still read the old facts: they live until the transaction ends.
    if (entry.context != nullptr) MemoryContextSetParent(entry.context, TopTransactionContext);
    MemoryContextSetParent(context, CacheMemoryContext);
    entry.context = context;
    entry.info = info;
    // What was invalidated meanwhile is read again for the next change; for this one the lock that its statement holds
    // on the table keeps the columns as they are.
    entry.valid = seen == invalidations;
}

// Forgets tables that are gone, whenever the cache has grown to twice its size.
void sweep() {
    static long limit = 64;
    if (hash_get_num_entries(cache) < limit) return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, cache);
    while (auto *entry = static_cast<CacheEntry *>(hash_seq_search(&scan))) {
        if (entry->valid || SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry->relation))) continue;
        if (entry->context != nullptr) MemoryContextSetParent(entry->context, TopTransactionContext);
        hash_search(cache, &entry->relation, HASH_REMOVE, nullptr);
    }
    limit = std::max(64L, 2 * hash_get_num_entries(cache));
}

} // namespace

const TableInfo &table_info(const RelationData &relation) {
    static CacheEntry *last; // asked for; entries stay where they are
    if (last != nullptr && last->valid && last->relation == relation.rd_id) return *last->info;
    if (cache == nullptr) create_cache();
    last = nullptr;
    sweep();
    bool found;
    auto *entry = static_cast<CacheEntry *>(hash_search(cache, &relation.rd_id, HASH_ENTER, &found));
    if (!found) {
        entry->valid = false;
        entry->info = nullptr;
        entry->context = nullptr;
    }
    if (!entry->valid) fill(*entry, relation);
    last = entry;
    return *entry->info;
}

const TableInfo *captured_table_info(Oid relation) {
    if (relation < FirstNormalObjectId) return nullptr;
    Relation table = RelationIdGetRelation(relation);
    if (table == nullptr) return nullptr; // dropped meanwhile
    const TableInfo *info = nullptr;
    const Oid function = trigger_function("capture"); // before the list is read, which may be freed by a look-up
    if (const TriggerDesc *triggers = table->trigdesc; triggers != nullptr) {
        const bool captured = std::any_of(triggers->triggers, triggers->triggers + triggers->numtriggers,
                                          [=](const Trigger &trigger) { return trigger.tgfoid == function; });
        if (captured) info = &table_info(*table);
    }
    RelationClose(table);
    return info != nullptr && OidIsValid(info->trigger) ? info : nullptr;
}

std::optional<PublishedKey> published_key(const RelationData &relation) {
    const Recorder recorder = find_recorder(relation);
    if (!OidIsValid(recorder.trigger)) return std::nullopt;
    if (!ConditionalLockRelationOid(recorder.origin.relation, AccessShareLock)) return std::nullopt;
    Relation published = table_open(recorder.origin.relation, NoLock);
    const KeyAttributes found = key_attributes(published, capture_arguments(*published, recorder.origin.trigger).key);
    const std::span<const AttrNumber> key = found.numbers;
    auto *names = static_cast<Datum *>(palloc(sizeof(Datum) * (key.size() + 1)));
    std::transform(key.begin(), key.end(), names, [&](AttrNumber number) {
        return DirectFunctionCall1(namein, CStringGetDatum(get_attname(published->rd_id, number, false)));
    });
    table_close(published, AccessShareLock);
    return PublishedKey{.columns = {names, key.size()}, .source = found.source};
}

std::uint64_t invalidation_count() {
    return invalidations;
}

void invalidate_all() {
    invalidate_if([](const CacheEntry &) { return true; });
}

void invalidate_conditions() {
    invalidate_if(has_condition);
}

void register_invalidation_callbacks() {
    CacheRegisterRelcacheCallback(relation_changed, 0);
    CacheRegisterSyscacheCallback(TYPEOID, type_changed, 0);
    CacheRegisterSyscacheCallback(PROCOID, function_changed, 0);
    CacheRegisterSyscacheCallback(ENUMOID, type_changed, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, 0);
}

} // namespace waybill
