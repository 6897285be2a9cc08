// How many changes the transaction has made in captured tables, captured or not.
#include "made_changes.hpp"

#include "table_info.hpp"

namespace waybill {

// PostgreSQL counts from 0 again when a table is truncated, and keeps what it had counted only once in a
// subtransaction. Nothing of the table waits to be captured then: what is forgotten was captured.
void MadeChanges::look(Table &table) {
    const std::uint64_t counted = made_in_transaction(*table.status);
    if (counted < table.counted && !restored_ && !distrusted_) added_ += table.counted - counted;
    seen_ += counted - table.counted;
    table.counted = counted;
    if (!distrusted_) counted_ = seen_;
}

std::uint64_t MadeChanges::with(const RelationData &relation, std::uint32_t &place) {
    const std::uint32_t known = count_;
    Table &table = find_or_add(relation.rd_id, relation.pgstat_info, place);
    found_ = 0;
    if (restored_) return count();
    look(table);
    if (!changed_tables_are_listed && count_ > known) found_ = table.counted;
    return counted_ + added_;
}

std::uint64_t MadeChanges::count() {
    if (last_changed_ == nullptr || last_changed_ != last_changed_table()) find_tables();
    if (restored_) {
        seen_ = 0;
        for (std::uint32_t i = 0; i < count_; ++i) seen_ += tables_[i].counted;
    }
    for (std::uint32_t i = 0; i < count_; ++i) look(tables_[i]);
    restored_ = false;
    return counted_ + added_;
}

void MadeChanges::settle(std::uint64_t captured) {
    if (restored_) return;
    if (!forgetting_) distrusted_ = false;
    forgetting_ = false;
    counted_ = seen_;
    added_ = captured - seen_;
}

void MadeChanges::find_tables() {
    const PgStat_TableXactStatus *known = last_changed_;
    visit_changed_tables([&](const PgStat_TableXactStatus &table) {
        if (&table == known) return false;
        const Oid relation = table_of(*table.parent);
        if (const TableInfo *info = captured_table_info(relation); info != nullptr)
            find_or_add(relation, table.parent, info->place);
        return true;
    });
    last_changed_ = last_changed_table();
}

MadeChanges::Table &MadeChanges::find_or_add(Oid relation, const PgStat_TableStatus *status, std::uint32_t &place) {
    if (place < count_ && tables_[place].relation == relation) return tables_[place];
    for (place = 0; place < count_; ++place)
        if (tables_[place].relation == relation) return tables_[place];
    if (count_ == capacity_) {
        const std::uint32_t capacity = std::max(16U, capacity_ * 2);
        const std::size_t size = capacity * sizeof(Table);
        tables_ = static_cast<Table *>(tables_ == nullptr ? MemoryContextAllocHuge(context_, size)
                                                          : repalloc_huge(tables_, size));
        capacity_ = capacity; // not before: an exception block may go on after an error
    }
    tables_[count_] = {.relation = relation, .status = status, .counted = 0};
    return tables_[count_++];
}

} // namespace waybill
