// How many changes the transaction has made in captured tables, captured or not.
//
// PostgreSQL counts them for its statistics, per table and subtransaction, at the moment in which a row is changed
// (pg_stat_xact_user_tables shows it). Before PostgreSQL 15, which tables these are is only known from the first
// captured change of each; what was made in it before seems to have been made just then.
#pragma once

#include "postgres.hpp"

namespace waybill {

class MadeChanges {
public:
    void use(MemoryContext context) { context_ = context; }

    // All changes by now, of a table that PostgreSQL counts, as far as they can be told without looking at the other
    // tables. `place` is where the table may be found; kept by the caller from call to call.
    std::uint64_t with(const RelationData &relation, std::uint32_t &place);

    // All changes by now, of all tables.
    std::uint64_t count();

    // A subtransaction begins or ends: its tables become those of another one.
    void look_for_tables() { last_changed_ = nullptr; }

    // What PostgreSQL counts from now on is not to be relied upon: each change is added when it is captured.
    void stop_counting() {
        count();
        stopped_ = true;
    }

    [[nodiscard]] bool is_counting() const { return !stopped_; }

    // Adds changes that PostgreSQL does not count.
    void add(std::uint64_t changes) { uncounted_ += changes; }

    struct Mark {
        std::uint64_t uncounted;
        std::uint32_t tables;
    };

    [[nodiscard]] Mark mark() const { return {.uncounted = uncounted_, .tables = count_}; }

    // Forgets tables that came since. What the others count is looked up anew. Allocates nothing: it is called in
    // aborts.
    void restore(const Mark &mark) {
        uncounted_ = mark.uncounted;
        count_ = mark.tables;
        restored_ = true;
    }

private:
    struct Table {
        Oid relation;
        const PgStat_TableStatus
            *status; // lives until the transaction, or the subtransaction that made the table, ends
        std::uint64_t counted;
        std::uint64_t forgotten; // by PostgreSQL, when it was truncated
    };

    void find_tables();
    Table &find_or_add(Oid relation, const PgStat_TableStatus *status, std::uint32_t &place);
    void look(Table &table) const;

    MemoryContext context_;
    Table *tables_;
    std::uint32_t count_;
    std::uint32_t capacity_;
    std::uint64_t total_; // when they were looked at last
    std::uint64_t uncounted_;
    const PgStat_TableXactStatus *last_changed_; // when tables were looked for
    bool restored_;                              // and not looked at since
    bool stopped_;                               // to the end of the transaction
};

static_assert(std::is_trivially_destructible_v<MadeChanges>);

} // namespace waybill
