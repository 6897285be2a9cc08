// The TRUNCATEs in progress.
#include "truncation.hpp"

namespace waybill {

namespace {

// A table of a TRUNCATE; lives as long as that.
struct Announcement {
    MemoryContextCallback ended;
    Announcement *next;
    Oid relation;
    MemoryContext statement;          // that of the BEFORE triggers of one TRUNCATE
    Oid removed_file;                 // of a partition whose rows are recorded, until it has another one
    std::optional<CommandId> command; // set by the first AFTER trigger
};

static_assert(std::is_trivially_destructible_v<Announcement>);

Announcement *announcements;

// Called also in aborts.
void forget(void *announcement) {
    Announcement **place = &announcements;
    while (*place != announcement) place = &(*place)->next;
    *place = (*place)->next;
}

void announce(const RelationData &relation, Oid removed_file) {
    auto *made = static_cast<Announcement *>(palloc0(sizeof(Announcement)));
    made->ended = {.func = forget, .arg = made};
    made->next = announcements;
    made->relation = relation.rd_id;
    made->statement = CurrentMemoryContext;
    made->removed_file = removed_file;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &made->ended);
    announcements = made;
}

// There is one at most: PostgreSQL truncates nothing that is in use, as by another TRUNCATE.
Announcement *find_announcement(Oid relation) {
    for (Announcement *found = announcements; found != nullptr; found = found->next)
        if (found->relation == relation) return found;
    return nullptr;
}

} // namespace

void announce_truncate(const RelationData &table) {
    announce(table, InvalidOid);
}

void announce_removal(const RelationData &partition) {
    if (!is_truncated_in_place(partition)) announce(partition, partition.rd_rel->relfilenode);
}

bool is_announced(Oid table) {
    return find_announcement(table) != nullptr;
}

bool is_recorded_as_removed(const RelationData &partition) {
    const Announcement *announcement = find_announcement(partition.rd_id);
    return announcement != nullptr && OidIsValid(announcement->removed_file) &&
           announcement->removed_file == partition.rd_rel->relfilenode;
}

TruncatingCommand truncating_command(Oid table) {
    const Announcement *announcement = find_announcement(table);
    if (announcement == nullptr) return {.command = GetCurrentCommandId(false), .tables = 1};
    if (announcement->command) return {.command = *announcement->command, .tables = 0};
    // Used, so that the triggers behind this one get later ones.
    const CommandId command = GetCurrentCommandId(true);
    CommandCounterIncrement();
    std::uint32_t tables = 0;
    for (Announcement *other = announcements; other != nullptr; other = other->next)
        if (other->statement == announcement->statement && !OidIsValid(other->removed_file)) {
            other->command = command;
            ++tables;
        }
    return {.command = command, .tables = tables};
}

} // namespace waybill
