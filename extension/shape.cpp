// Shapes: the definition of one as JSON, and its number.
#include "shape.hpp"

#include "log_objects.hpp"
#include "log_storage.hpp"
#include "scope.hpp"
#include "table_info.hpp"
#include "text.hpp"

namespace waybill {

namespace {

// A shape is its definition, and so what tells it from others must be: whoever owns a table has a say in the
// definition, and could make two of them equal under a hash that can be inverted. (The SHA-256, not the text: short
// keys of one size.)
using Digest = std::array<char, 32>;

Digest digest_of(const char *definition) {
    const bytea *sha256 = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, CStringGetTextDatum(definition)));
    Digest digest;
    Assert(VARSIZE_ANY_EXHDR(sha256) == digest.size());
    std::memcpy(digest.data(), VARDATA_ANY(sha256), digest.size());
    return digest;
}

Datum digest_datum(const Digest &digest) {
    return PointerGetDatum(cstring_to_text_with_len(digest.data(), static_cast<int>(digest.size())));
}

// A shape that this backend has seen or drawn. `definition` is kept while it is not known to be stored.
struct KnownShape {
    Digest digest; // the hash key
    Oid relation;
    NameData schema;
    NameData table;
    std::int32_t number;
    bool stored;
    bool storing; // by the present transaction
    char *definition;
};

HTAB *known_shapes;
bool new_shapes;        // some may not be stored
bool storing_shapes;    // the present transaction stores some
Oid known_shapes_table; // the waybill_internal.shape that `known_shapes` speaks of

// --- the definition ---------------------------------------------------------------------------------------------

void append_text_member(StringInfo json, const char *name, const char *text) {
    appendStringInfo(json, ",\"%s\":", name);
    escape_json(json, text);
}

void append_enum_labels(StringInfo json, Oid type) {
    appendStringInfoString(json, ",\"labels\":[");
    Relation pg_enum = table_open(EnumRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_enum_enumtypid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(type));
    SysScanDesc scan = systable_beginscan(pg_enum, EnumTypIdSortOrderIndexId, true, nullptr, 1, &key);
    // Ordered, so that the labels come in the order of the type.
    const char *separator = "";
    while (HeapTuple tuple = systable_getnext(scan)) {
        appendStringInfoString(json, separator);
        escape_json(json, NameStr(reinterpret_cast<const FormData_pg_enum *>(GETSTRUCT(tuple))->enumlabel));
        separator = ",";
    }
    systable_endscan(scan);
    table_close(pg_enum, AccessShareLock);
    appendStringInfoChar(json, ']');
}

// What is particular to a type: an extension's is known by its name, and some have no comma between array elements.
void append_base_type(StringInfo json, Oid oid, char kind) {
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", oid);
    const auto *type = reinterpret_cast<const FormData_pg_type *>(GETSTRUCT(tuple));
    if (kind == TYPTYPE_BASE && oid >= FirstNormalObjectId)
        append_text_member(json, "extension_type", NameStr(type->typname));
    const std::array<char, 2> delimiter{type->typdelim, '\0'};
    if (type->typdelim != ',') append_text_member(json, "delimiter", delimiter.data());
    ReleaseSysCache(tuple);
}

// Whether a domain, or one that it is over, does not allow nulls.
bool is_not_null_domain(Oid type) {
    for (;;) {
        HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
        if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", type);
        const auto *form = reinterpret_cast<const FormData_pg_type *>(GETSTRUCT(tuple));
        const bool is_domain = form->typtype == TYPTYPE_DOMAIN;
        const bool not_null = is_domain && form->typnotnull;
        type = form->typbasetype;
        ReleaseSysCache(tuple);
        if (!is_domain || not_null) return not_null;
    }
}

char *default_expression(Relation relation, AttrNumber attribute) {
    const TupleConstr *constraints = RelationGetDescr(relation)->constr;
    for (int i = 0; constraints != nullptr && i < constraints->num_defval; ++i) {
        if (constraints->defval[i].adnum != attribute) continue;
        // A default has no columns in it. With the table, each call would give all of its columns names that differ,
        // which before PostgreSQL 18 compares each with all others.
        const Datum printed = DirectFunctionCall2(pg_get_expr, CStringGetTextDatum(constraints->defval[i].adbin),
                                                  ObjectIdGetDatum(InvalidOid));
        return TextDatumGetCString(printed);
    }
    return nullptr;
}

void append_column(StringInfo json, Relation relation, const FormData_pg_attribute &attribute) {
    std::int32_t typmod = attribute.atttypmod;
    const Oid type = getBaseTypeAndTypmod(attribute.atttypid, &typmod);
    // Only of true arrays: int2vector and the like are subscriptable too, but have text forms of their own.
    const Oid declared_element = get_element_type(type);
    const bool is_array = OidIsValid(declared_element) && get_array_type(declared_element) == type;
    const Oid element = is_array ? getBaseType(declared_element) : InvalidOid;
    const Oid described = is_array ? element : type;
    const char kind = get_typtype(described);

    appendStringInfoString(json, "{\"name\":");
    escape_json(json, NameStr(attribute.attname));
    append_text_member(json, "type_name", format_type_with_typemod(attribute.atttypid, attribute.atttypmod));
    appendStringInfo(
        json, ",\"type\":%u,\"typmod\":%d,\"element\":%u,\"kind\":\"%c\",\"not_null\":%s", type, typmod, element, kind,
        is_never_null(RelationGetDescr(relation), attribute) || is_not_null_domain(attribute.atttypid) ? "true"
                                                                                                       : "false");
    if (is_array ? element != declared_element : type != attribute.atttypid)
        appendStringInfoString(json, ",\"domain\":true");
    if (attribute.attgenerated != '\0') appendStringInfoString(json, ",\"generated\":true");
    if (attribute.atthasdef && attribute.attgenerated == '\0')
        if (const char *expression = default_expression(relation, attribute.attnum))
            append_text_member(json, "default", expression);
    if (kind == TYPTYPE_ENUM) append_enum_labels(json, described);
    append_base_type(json, described, kind);
    appendStringInfoChar(json, '}');
}

const char *make_definition(Relation relation, std::span<const AttrNumber> key) {
    StringInfoData json;
    initStringInfo(&json);
    // The settings decide how names and default expressions are printed: pinned, equal tables have equal shapes.
    with_pinned_settings([&] {
        appendStringInfo(&json, "{\"relation\":%u", RelationGetRelid(relation));
        append_text_member(&json, "schema", get_namespace_name(RelationGetNamespace(relation)));
        append_text_member(&json, "table", RelationGetRelationName(relation));
        appendStringInfoString(&json, ",\"key\":[");
        const TupleDesc descriptor = RelationGetDescr(relation);
        for (std::size_t i = 0; i < key.size(); ++i) {
            if (i > 0) appendStringInfoChar(&json, ',');
            escape_json(&json, NameStr(TupleDescAttr(descriptor, key[i] - 1)->attname));
        }
        appendStringInfoString(&json, "],\"columns\":[");
        const char *separator = "";
        for (int i = 0; i < descriptor->natts; ++i) {
            const FormData_pg_attribute &attribute = *TupleDescAttr(descriptor, i);
            if (!is_stored(attribute)) continue;
            appendStringInfoString(&json, separator);
            append_column(&json, relation, attribute);
            separator = ",";
        }
        appendStringInfoString(&json, "]}");
    });
    // In other encodings whoever reads the definition converts it.
    if (GetDatabaseEncoding() != PG_UTF8) return json.data;
    const std::string_view text = to_utf8({json.data, static_cast<std::size_t>(json.len)});
    return text.data() == json.data ? json.data : pnstrdup(text.data(), text.size());
}

// --- its number -------------------------------------------------------------------------------------------------

// The table's columns, in order.
enum ShapeColumn { shape_id, shape_digest, shape_relation, shape_schema, shape_table, shape_definition, shape_columns };

// The number of a shape that a committed transaction stored. What is committed now counts, also in REPEATABLE READ:
// whoever reads our change sees all that had been committed before us. And SnapshotSelf takes no predicate locks, which
// would let two serializable transactions fail that use a table for the first time.
std::optional<std::int32_t> stored_number(const Digest &digest) {
    Relation table = table_open(log_object("shape"), AccessShareLock);
    const Oid index = log_object("shape_digest_idx");
    ScanKeyData key;
    ScanKeyInit(&key, shape_digest + 1, BTEqualStrategyNumber, F_BYTEAEQ, digest_datum(digest));
    SysScanDesc scan = systable_beginscan(table, index, true, SnapshotSelf, 1, &key);
    std::optional<std::int32_t> number;
    if (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple)) {
        bool is_null;
        number = DatumGetInt32(heap_getattr(tuple, shape_id + 1, RelationGetDescr(table), &is_null));
    }
    systable_endscan(scan);
    table_close(table, AccessShareLock);
    return number;
}

// Starts anew when the extension was created anew: its numbers begin again too.
void use_known_shapes() {
    const Oid table = log_object("shape");
    if (known_shapes != nullptr && known_shapes_table == table) return;
    if (new_shapes) leave_old_log();
    if (known_shapes != nullptr) hash_destroy(known_shapes);
    known_shapes = nullptr;
    new_shapes = false;
    HASHCTL control{};
    control.keysize = sizeof(Digest);
    control.entrysize = sizeof(KnownShape);
    known_shapes = hash_create("waybill shapes", 64, &control, HASH_ELEM | HASH_BLOBS);
    known_shapes_table = table;
}

// A number that no other definition has.
std::int32_t draw_number(Relation relation) {
    const std::int64_t number = draw_from_sequence(log_object("shape_id_seq"));
    if (number > std::numeric_limits<std::int32_t>::max())
        ereport(ERROR, errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
                errmsg("cannot capture table \"%s\": no number is left for its new definition",
                       RelationGetRelationName(relation)),
                errdetail("The change log has had %d definitions of tables.", std::numeric_limits<std::int32_t>::max()),
                errhint("When all changes are shipped, drop the extension and create it anew."));
    return static_cast<std::int32_t>(number);
}

template <typename Visit>
void for_each_known_shape(Visit visit) {
    if (known_shapes == nullptr) return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, known_shapes);
    while (auto *shape = static_cast<KnownShape *>(hash_seq_search(&scan))) visit(*shape);
}

// Those that are stored are found again in the table.
void forget_stored_shapes() {
    constexpr long enough = 500;
    if (hash_get_num_entries(known_shapes) < enough || new_shapes) return;
    hash_destroy(known_shapes);
    known_shapes = nullptr;
    use_known_shapes();
}

} // namespace

std::int32_t shape_number(Relation relation, std::span<const AttrNumber> key) {
    use_known_shapes();
    const char *definition = make_definition(relation, key);
    const Digest digest = digest_of(definition);
    if (const auto *known = static_cast<const KnownShape *>(hash_search(known_shapes, &digest, HASH_FIND, nullptr)))
        return known->number;

    forget_stored_shapes();
    const char *schema = get_namespace_name(RelationGetNamespace(relation));
    const std::optional<std::int32_t> stored = stored_number(digest);
    const std::int32_t number = stored ? *stored : draw_number(relation);
    // Last, since an error behind it would leave it there; but before the entry is made, which is not to be without it.
    char *kept = stored ? nullptr : MemoryContextStrdup(TopMemoryContext, definition);
    auto *shape = static_cast<KnownShape *>(hash_search(known_shapes, &digest, HASH_ENTER, nullptr));
    shape->relation = RelationGetRelid(relation);
    namestrcpy(&shape->schema, schema);
    shape->table = relation->rd_rel->relname;
    shape->number = number;
    shape->stored = stored.has_value();
    shape->storing = false;
    shape->definition = kept;
    new_shapes |= !shape->stored;
    return number;
}

void store_new_shapes() {
    if (!new_shapes || known_shapes_table != find_log_object("shape")) return;
    for_each_known_shape([](KnownShape &shape) {
        if (shape.stored) return;
        shape.storing = storing_shapes = true;
        Relation table = table_open(known_shapes_table, RowExclusiveLock);
        std::array<Datum, shape_columns> values{
            Int32GetDatum(shape.number), digest_datum(shape.digest), ObjectIdGetDatum(shape.relation),
            NameGetDatum(&shape.schema), NameGetDatum(&shape.table), CStringGetTextDatum(shape.definition)};
        std::array<bool, shape_columns> nulls{};
        HeapTuple tuple = heap_form_tuple(RelationGetDescr(table), values.data(), nulls.data());
        PushActiveSnapshot(GetTransactionSnapshot()); // a long definition goes to TOAST, which asks for one
        insert_unseen(table, tuple);
        PopActiveSnapshot();
        heap_freetuple(tuple);
        table_close(table, RowExclusiveLock);
    });
}

void new_shapes_stored(XactEvent event) {
    if (!storing_shapes) return; // as nearly always: a transaction's end costs the same however many tables there are
    storing_shapes = false;
    new_shapes = event == XACT_EVENT_ABORT; // it stored all
    for_each_known_shape([&](KnownShape &shape) {
        if (!shape.storing) return;
        shape.storing = false;
        if (event == XACT_EVENT_ABORT) return;
        shape.stored = true;
        pfree(shape.definition);
        shape.definition = nullptr;
        // Who knows whether it will be committed? To be looked up, or drawn anew; else each PREPARE stored it again.
        if (event == XACT_EVENT_PREPARE) hash_search(known_shapes, &shape.digest, HASH_REMOVE, nullptr);
    });
    if (event == XACT_EVENT_PREPARE) invalidate_all();
}

} // namespace waybill
