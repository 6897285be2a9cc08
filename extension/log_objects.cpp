// The extension's own tables and sequences, by name.
#include "log_objects.hpp"

#include "locks.hpp"
#include "scope.hpp"
#include "table_info.hpp"

namespace waybill {

namespace {

// What was looked up since the last invalidation, which a renamed or dropped table or schema brings: each small
// transaction asks for several, and the two syscache look-ups of each add up.
struct KnownObjects {
    struct Object {
        std::array<char, NAMEDATALEN> name;
        Oid oid;
    };
    std::uint64_t as_of; // invalidation_count()
    std::size_t count;   // beyond the array's size the oldest are replaced
    std::array<Object, 8> objects;
};

KnownObjects known;

[[noreturn]] void refuse_missing(const char *object) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("%s of the extension waybill does not exist", object),
            errhint("If the schema \"%s\" was renamed, give it its name back. Else install the extension with CREATE "
                    "EXTENSION waybill.",
                    log_schema));
    pg_unreachable();
}

} // namespace

Oid find_log_object(const char *name) {
    const std::uint64_t now = invalidation_count();
    if (known.as_of != now) known = {.as_of = now, .count = 0, .objects = {}};
    const std::size_t count = std::min(known.count, known.objects.size());
    for (std::size_t i = 0; i < count; ++i)
        if (std::strcmp(known.objects[i].name.data(), name) == 0) return known.objects[i].oid;
    const Oid schema = get_namespace_oid(log_schema, true);
    const Oid found = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    if (!OidIsValid(found) || now != invalidation_count()) return found; // not to be kept
    KnownObjects::Object &object = known.objects[known.count++ % known.objects.size()];
    strlcpy(object.name.data(), name, object.name.size());
    object.oid = found;
    return found;
}

Oid log_object(const char *name) {
    const Oid found = find_log_object(name);
    if (!OidIsValid(found)) refuse_missing(psprintf("relation \"%s.%s\"", log_schema, name));
    return found;
}

void leave_old_log() {
    if (GetCurrentSubTransactionId() == TopSubTransactionId) return;
    ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("cannot capture a change in a subtransaction that made the extension waybill anew"),
            errdetail("The transaction has captured changes for the extension's log before."),
            errhint("Drop and create the extension in a transaction of its own."));
}

Oid trigger_function(const char *name) {
    const oidvector *no_arguments = buildoidvector(nullptr, 0);
    const Oid function =
        GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name), PointerGetDatum(no_arguments),
                        ObjectIdGetDatum(get_namespace_oid(log_schema, true)));
    if (!OidIsValid(function)) refuse_missing(psprintf("function %s.%s()", log_schema, name));
    return function;
}

Oid log_owner() {
    const Oid sequence = log_object("commit_seq");
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(sequence));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", sequence);
    const Oid owner = reinterpret_cast<const FormData_pg_class *>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

namespace {

// The one tuple of a sequence, on its one page, changed in place (commands/sequence.c).
class SequencePage {
public:
    SequencePage(Relation sequence, BufferLock lock_mode) : buffer_{ReadBuffer(sequence, 0)} {
        LockBuffer(buffer_, lock_mode);
    }

    [[nodiscard]] Buffer buffer() const { return buffer_; }
    [[nodiscard]] Page page() const { return BufferGetPage(buffer_); }
    [[nodiscard]] std::size_t tuple_size() const { return ItemIdGetLength(PageGetItemId(page(), FirstOffsetNumber)); }
    [[nodiscard]] HeapTupleHeader tuple() const {
        return reinterpret_cast<HeapTupleHeader>(PageGetItem(page(), PageGetItemId(page(), FirstOffsetNumber)));
    }
    [[nodiscard]] FormData_pg_sequence_data &data() const {
        return *reinterpret_cast<FormData_pg_sequence_data *>(reinterpret_cast<char *>(tuple()) + tuple()->t_hoff);
    }

    void close() const { UnlockReleaseBuffer(buffer_); }

private:
    Buffer buffer_;
};

// Before the first draw, last_value is the first value to come.
std::int64_t last_drawn(const FormData_pg_sequence_data &data) {
    return data.is_called ? data.last_value : data.last_value - 1;
}

} // namespace

std::int64_t sequence_value(Oid sequence) {
    Relation relation = relation_open(sequence, AccessShareLock);
    const SequencePage page{relation, BUFFER_LOCK_SHARE};
    const std::int64_t value = last_drawn(page.data());
    page.close();
    relation_close(relation, AccessShareLock);
    return value;
}

std::int64_t durable_value(Oid sequence) {
    Relation relation = relation_open(sequence, AccessShareLock);
    const SequencePage page{relation, BUFFER_LOCK_SHARE};
    const std::int64_t value = last_drawn(page.data());
    const XLogRecPtr logged_at = PageGetLSN(page.page());
    page.close();
    relation_close(relation, AccessShareLock);
    if (!XLogRecPtrIsInvalid(logged_at)) XLogFlush(logged_at);
    return value;
}

namespace {

std::int64_t draw(Relation sequence, std::int64_t step) {
    // As sequence.c does: one WAL record for that many values, which a crash skips; anew after each checkpoint.
    constexpr std::int64_t logged_ahead = 32;

    GetTopTransactionId(); // so that the commit flushes what is logged here
    const SequencePage page{sequence, BUFFER_LOCK_EXCLUSIVE};
    FormData_pg_sequence_data &data = page.data();
    const std::int64_t value = last_drawn(data) + step;
    const bool logs = !data.is_called || data.log_cnt < 1 || PageGetLSN(page.page()) <= GetRedoRecPtr();
    with_critical_section([&] {
        MarkBufferDirty(page.buffer());
        const std::int64_t log_count = logs ? logged_ahead : data.log_cnt - 1;
        data.is_called = true;
        if (logs && RelationNeedsWAL(sequence)) {
            data.last_value = value + logged_ahead * step;
            data.log_cnt = 0;
            log_sequence(sequence, page.buffer(), page.tuple(), page.tuple_size());
        }
        data.last_value = value;
        data.log_cnt = log_count;
    });
    page.close();
    return value;
}

} // namespace

std::int64_t draw_from_sequence(Oid sequence, std::int64_t step) {
    // Held by the top transaction to its end, before the value is drawn: the fence waits for it.
    ResourceOwner owner = CurrentResourceOwner;
    CurrentResourceOwner = TopTransactionResourceOwner;
    LockRelationOid(sequence, RowExclusiveLock);
    CurrentResourceOwner = owner;
    Relation relation = relation_open(sequence, NoLock);
    const std::int64_t value = draw(relation, step);
    relation_close(relation, NoLock);
    return value;
}

std::int64_t draw_without_lock(Oid sequence, std::int64_t step) {
    Relation relation = relation_open(sequence, AccessShareLock);
    const std::int64_t value = draw(relation, step);
    relation_close(relation, AccessShareLock);
    return value;
}

bool set_sequence(Oid sequence, std::int64_t from, std::int64_t to) {
    Relation relation = relation_open(sequence, AccessShareLock);
    GetTopTransactionId(); // so that the commit flushes what is logged here
    const SequencePage page{relation, BUFFER_LOCK_EXCLUSIVE};
    FormData_pg_sequence_data &data = page.data();
    const bool unchanged = last_drawn(data) == from;
    if (unchanged)
        with_critical_section([&] {
            MarkBufferDirty(page.buffer());
            data.last_value = to;
            data.log_cnt = 0;
            data.is_called = true;
            if (RelationNeedsWAL(relation)) log_sequence(relation, page.buffer(), page.tuple(), page.tuple_size());
        });
    page.close();
    relation_close(relation, AccessShareLock);
    return unchanged;
}

bool is_empty(Oid table) {
    // Who empties it keeps it locked to the end of his transaction, whatever that does meanwhile.
    if (!ConditionalLockRelationOid(table, AccessShareLock)) {
        if (is_being_emptied(table)) return true;
        lock_in_time(table, AccessShareLock, "could not look into the change log");
    }
    Relation relation = table_open(table, NoLock);
    const bool empty = RelationGetNumberOfBlocks(relation) == 0;
    table_close(relation, AccessShareLock);
    return empty;
}

void refuse_recovery() {
    if (!RecoveryInProgress()) return;
    ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("the change log cannot be read on a standby"), errhint("Connect to the primary."));
}

} // namespace waybill
