// The order in which a transaction's changes were made, as far as they tell.
//
// Capture sees them in another one: a statement's AFTER triggers fire when it is done with all its rows, those of a
// statement that runs inside one of its triggers when that one is done. For a statement O (outer) and one inside it, I:
//
//   I runs in an AFTER trigger of O   O made all its changes before I. One of them was captured before I's, because our
//                                     trigger sorts first.
//   I runs in a BEFORE trigger of O,  I is captured first. It was made between two rows of O, and unless it changed a
//   or in a function that O calls     row that O had made, it may stand before all of them: so O's rows up to the last
//                                     one that I changed come before I, the others after it.
//
// Command ids do not tell these apart: O's is the smaller one in both cases. So changes get ranks as they are captured:
//
//   O: insert rows 1 and 2; a BEFORE trigger deletes row 1 when row 2 comes
//   captured      I deletes 1, made by O, of which nothing was seen yet:  O's part up to 1 has rank 0, I rank 1
//                 O inserts 1: the part's end, rank 0                     then O inserts 2: rank 2
//
// A user's trigger that fires before ours can have changes captured before those that they build on, and so on: then a
// part has to come before one that has its rank already.
//
//   O updates rows 1 and 2; a trigger on row 1 runs I, which updates row 2; a trigger on that runs J, which does so too
//   captured      J updates 2, made by I:  I's part has rank 0, J rank 1
//                 I updates 2, made by O:  O's part has rank 2, inserted before rank 0
//
// What cannot be told: in the second case, that I put a row under a key that O had just vacated. It comes first.
#pragma once

#include "postgres.hpp"

namespace waybill {

// A version of a row that this transaction made.
struct MadeRow {
    CommandId command; // that made it
    Oid relation;
    ItemPointerData place;

    friend bool operator==(const MadeRow &a, const MadeRow &b) {
        return a.command == b.command && a.relation == b.relation &&
               ItemPointerGetBlockNumberNoCheck(&a.place) == ItemPointerGetBlockNumberNoCheck(&b.place) &&
               ItemPointerGetOffsetNumberNoCheck(&a.place) == ItemPointerGetOffsetNumberNoCheck(&b.place);
    }
};

class CommandOrder {
public:
    void use(MemoryContext context) { context_ = context; }

    // The rank of a change that was just captured: changes are to be sorted by it, those of one rank in the order in
    // which they are recorded. `made` is the row that it made, `consumed` the one that it changed or deleted, if this
    // transaction had made it.
    std::uint32_t rank(CommandId command, const std::optional<MadeRow> &made, const std::optional<MadeRow> &consumed);

    // A change of that rank is recorded.
    void record(std::uint32_t rank) {
        inverted_ |= rank < last_rank_;
        last_rank_ = rank;
    }

    // Whether the changes were recorded in the order of their ranks.
    [[nodiscard]] bool in_order() const { return !inverted_; }

    // Where each rank comes in the order; empty when they are in the order of their numbers.
    [[nodiscard]] std::span<const std::uint32_t> places() const;

private:
    // A rank that comes right before `anchor`, whose number is smaller, and behind those inserted there earlier.
    struct Insertion {
        std::uint32_t rank;
        std::uint32_t anchor;
    };

    // The changes of a command up to one that made a certain row.
    struct Part {
        std::uint32_t rank;
        MadeRow end;
        Part *next;
    };

    struct Command {
        CommandId id;
        bool captured;      // something of it was
        std::uint32_t rank; // of what belongs to no part; set when `captured`
        Part *first_part;   // in the order of their ranks
        Part *last_part;
    };

    struct IndexEntry {
        CommandId id; // the hash key
        std::uint32_t number;
    };

    Command *find(CommandId id);
    Command &find_or_add(CommandId id);
    std::optional<std::uint32_t> known_rank(CommandId id);
    void add_part(const MadeRow &end, std::optional<std::uint32_t> before);
    void end_parts(Command &command, const MadeRow &end);
    std::uint32_t insert_rank(std::uint32_t anchor);
    [[nodiscard]] std::uint32_t anchor(std::uint32_t rank) const;
    [[nodiscard]] std::uint32_t depth(std::uint32_t rank) const;
    [[nodiscard]] bool precedes(std::uint32_t a, std::uint32_t b) const;

    MemoryContext context_;
    Command *commands_; // in the order in which they were seen
    std::uint32_t count_;
    std::uint32_t capacity_;
    CommandId greatest_;    // of their ids
    HTAB *index_;           // of their places in `commands_`; made when an older one is looked for
    Insertion *insertions_; // rarely any
    std::uint32_t insertion_count_;
    std::uint32_t insertion_capacity_;
    std::uint32_t next_rank_;
    std::uint32_t last_rank_; // of a recorded change
    bool inverted_;
};

static_assert(std::is_trivially_destructible_v<CommandOrder>);

} // namespace waybill
