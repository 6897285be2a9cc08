// The TRUNCATEs in progress.
#include "truncation.hpp"

namespace waybill {

namespace {

// A table of a TRUNCATE; lives as long as that.
struct Announcement {
    MemoryContextCallback ended;
    Announcement *next;
    Oid relation;
    MemoryContext statement; // that of the BEFORE triggers of one TRUNCATE
    CommandId command;
    bool by_rows;   // a partition whose rows are recorded
    bool truncated; // for certain
    Oid witness;    // the table, or a partition of it, that has another file than this when it is truncated; or none
    Oid file;
};

static_assert(std::is_trivially_destructible_v<Announcement>);

Announcement *announcements;

// Called also in aborts.
void forget(void *announcement) {
    Announcement **place = &announcements;
    while (*place != announcement) place = &(*place)->next;
    *place = (*place)->next;
}

void set_witness(Announcement &announcement, const RelationData &relation) {
    if (!OidIsValid(relation.rd_rel->relfilenode) || is_truncated_in_place(relation)) return;
    announcement.witness = relation.rd_id;
    announcement.file = relation.rd_rel->relfilenode;
}

Announcement &announce(const RelationData &relation) {
    auto *made = static_cast<Announcement *>(palloc0(sizeof(Announcement)));
    made->ended = {.func = forget, .arg = made};
    made->next = announcements;
    made->relation = relation.rd_id;
    made->statement = CurrentMemoryContext;
    made->command = GetCurrentCommandId(true); // used: what triggers do from now on gets later ones
    set_witness(*made, relation);
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &made->ended);
    announcements = made;
    return *made;
}

// There is one at most: PostgreSQL truncates nothing that is in use, as by another TRUNCATE.
Announcement *find_announcement(Oid relation) {
    for (Announcement *found = announcements; found != nullptr; found = found->next)
        if (found->relation == relation) return found;
    return nullptr;
}

bool has_new_file(const Announcement &announcement) {
    if (!OidIsValid(announcement.witness)) return false;
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(announcement.witness));
    if (!HeapTupleIsValid(tuple)) return false;
    const Oid file = reinterpret_cast<const FormData_pg_class *>(GETSTRUCT(tuple))->relfilenode;
    ReleaseSysCache(tuple);
    return file != announcement.file;
}

// Nothing comes between the tables of one TRUNCATE.
std::uint32_t set_truncated(const Announcement &announcement) {
    std::uint32_t tables = 0;
    for (Announcement *other = announcements; other != nullptr; other = other->next)
        if (other->statement == announcement.statement && !other->by_rows && !other->truncated) {
            other->truncated = true;
            ++tables;
        }
    return tables;
}

} // namespace

void announce_truncate(const RelationData &table) {
    announce(table);
}

void announce_removal(const RelationData &partition) {
    announce(partition).by_rows = true;
}

bool is_announced(Oid table) {
    return find_announcement(table) != nullptr;
}

void announce_partition(Oid table, const RelationData &partition) {
    if (Announcement *announcement = find_announcement(table); !OidIsValid(announcement->witness))
        set_witness(*announcement, partition);
}

bool is_recorded_as_removed(const RelationData &partition) {
    const Announcement *announcement = find_announcement(partition.rd_id);
    return announcement != nullptr && announcement->by_rows && OidIsValid(announcement->witness) &&
           !has_new_file(*announcement);
}

std::uint32_t find_truncated() {
    for (const Announcement *announcement = announcements; announcement != nullptr; announcement = announcement->next)
        if (!announcement->by_rows && !announcement->truncated && has_new_file(*announcement))
            return set_truncated(*announcement);
    return 0;
}

TruncatingCommand truncating_command(Oid table) {
    const Announcement *announcement = find_announcement(table);
    if (announcement == nullptr) return {.command = GetCurrentCommandId(false), .tables = 1};
    return {.command = announcement->command, .tables = set_truncated(*announcement)};
}

} // namespace waybill
