// How many changes the transaction has made in captured tables, captured or not.
//
// PostgreSQL counts them for its statistics, per table and subtransaction, at the moment in which a row is changed
// (pg_stat_xact_user_tables shows it). Before PostgreSQL 15, which tables these are is only known from the first
// captured change of each; what was made in it before seems to have been made just then.
//
// It also counts what is never captured: what was made in a table before its capture began, and rows that INSERT ... ON
// CONFLICT took back. And a TRUNCATE makes it forget what it counted, in a subtransaction once more when that ends. So
// the counts are compared with what was captured whenever none waits for that, which is when the client sends its next
// command.
#pragma once

#include "postgres.hpp"

namespace waybill {

class MadeChanges {
public:
    void use(MemoryContext context) { context_ = context; }

    // All changes by now, of a table that PostgreSQL counts, as far as they can be told without looking at the other
    // tables. `place` is where the table may be found; kept by the caller from call to call.
    std::uint64_t with(const RelationData &relation, std::uint32_t &place);

    // How many of what with() told last had been made before in a table that was not known to have changes.
    [[nodiscard]] std::uint64_t found() const { return found_; }

    // All changes by now, of all tables.
    std::uint64_t count();

    // Whether PostgreSQL has counted any.
    [[nodiscard]] bool any_counted() {
        count();
        return seen_ > 0;
    }

    // A subtransaction ends: its tables become those of another one. Before restore(), where that follows: what a mark
    // tells is not what PostgreSQL counts then.
    void end_subtransaction() {
        last_changed_ = nullptr;
        if (forgetful_) distrust();
    }

    // PostgreSQL is about to forget some of what it has counted, unseen, now and when a subtransaction ends: each
    // change is added when it is captured.
    void expect_to_forget() {
        forgetful_ = true;
        distrust();
    }

    [[nodiscard]] bool is_counting() const { return !distrusted_; }

    // Adds changes that PostgreSQL does not count.
    void add(std::uint64_t changes) { added_ += changes; }

    // None waits to be captured. Counts are trusted again when the last of them is known, which takes a command in
    // which something was captured and nothing forgotten.
    void settle(std::uint64_t captured);

    struct Mark {
        std::uint64_t counted;
        std::uint64_t added;
        std::uint32_t tables;
    };

    [[nodiscard]] Mark mark() const { return {.counted = counted_, .added = added_, .tables = count_}; }

    // Forgets tables that came since. What the others count is looked up anew. Allocates nothing: it is called in
    // aborts.
    void restore(const Mark &mark) {
        counted_ = mark.counted;
        added_ = mark.added;
        count_ = mark.tables;
        restored_ = true;
    }

private:
    struct Table {
        Oid relation;
        const PgStat_TableStatus
            *status; // lives until the transaction, or the subtransaction that made the table, ends
        std::uint64_t counted;
    };

    void distrust() { distrusted_ = forgetting_ = true; }
    void find_tables();
    Table &find_or_add(Oid relation, const PgStat_TableStatus *status, std::uint32_t &place);
    void look(Table &table);

    MemoryContext context_;
    Table *tables_;
    std::uint32_t count_;
    std::uint32_t capacity_;
    std::uint64_t seen_;    // what PostgreSQL counted when the tables were looked at last
    std::uint64_t counted_; // the same, as far as it is trusted
    std::uint64_t added_;   // to that; modulo 2^64
    std::uint64_t found_;
    const PgStat_TableXactStatus *last_changed_; // when tables were looked for
    bool restored_;                              // and not looked at since
    bool forgetful_;                             // to the end of the transaction
    bool distrusted_;
    bool forgetting_; // since the client's last command
};

static_assert(std::is_trivially_destructible_v<MadeChanges>);

} // namespace waybill
