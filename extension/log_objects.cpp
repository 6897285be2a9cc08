// The extension's own tables and sequences, by name.
#include "log_objects.hpp"

namespace waybill {

Oid find_log_object(const char *name) {
    const Oid schema = get_namespace_oid(log_schema, true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

Oid log_object(const char *name) {
    const Oid found = find_log_object(name);
    if (!OidIsValid(found))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("relation \"waybill.%s\" does not exist", name),
                errhint("Install the extension with CREATE EXTENSION waybill."));
    return found;
}

std::int64_t sequence_value(Oid sequence) {
    // A sequence is one tuple on one page, changed in place (commands/sequence.c).
    Relation relation = relation_open(sequence, AccessShareLock);
    Buffer buffer = ReadBuffer(relation, 0);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    Page page = BufferGetPage(buffer);
    const auto *header =
        reinterpret_cast<const HeapTupleHeaderData *>(PageGetItem(page, PageGetItemId(page, FirstOffsetNumber)));
    const auto *data =
        reinterpret_cast<const FormData_pg_sequence_data *>(reinterpret_cast<const char *>(header) + header->t_hoff);
    // Before the first nextval, last_value is the first value to come.
    const std::int64_t value = data->is_called ? data->last_value : data->last_value - 1;
    UnlockReleaseBuffer(buffer);
    relation_close(relation, AccessShareLock);
    return value;
}

void set_sequence_value(Oid sequence, std::int64_t value) {
    DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(value));
}

} // namespace waybill
