// The order of a transaction's commands, as far as their changes tell.
//
// Capture sees changes in another order than they were made in: a statement's AFTER triggers fire when it is done with
// all rows, those of a statement that runs inside one of its triggers when that one is done. Of two commands O (outer)
// and I (inner):
//
//   I runs in an AFTER trigger of O   O made all its changes before I; at least one of them was captured before I's,
//                                     since our trigger sorts first, or I changed a row that O made.
//   I runs in a BEFORE trigger of O,  I's changes are captured first, and count as made first, unless I changed a row
//   or in a function that O calls     that O made: then O's count as made first.
//
// So commands rank by their first sight: a captured change of the command, or one that consumed a row it made. Command
// ids alone would not do: O's is the smaller one in both cases.
#pragma once

#include "postgres.hpp"

namespace waybill {

class CommandOrder {
public:
    void use(MemoryContext context) { context_ = context; }

    // A change of `command` was captured, which consumed a row made by `consumed`.
    void saw(CommandId command, std::optional<CommandId> consumed) {
        if (seen_any_ && command == last_ && (!consumed || *consumed == last_)) return;
        if (consumed) rank_or_add(*consumed);
        const std::uint32_t rank = rank_or_add(command);
        inverted_ |= seen_any_ && rank < last_rank_;
        last_ = command;
        last_rank_ = rank;
        seen_any_ = true;
    }

    // Whether the changes came in the order of their commands' ranks.
    [[nodiscard]] bool in_order() const { return !inverted_; }

    // The rank of a command that was seen.
    [[nodiscard]] std::uint32_t rank(CommandId command) { return rank_or_add(command); }

private:
    struct Entry {
        CommandId command; // the hash key
        std::uint32_t rank;
    };

    std::uint32_t rank_or_add(CommandId command);
    void index_all();
    std::uint32_t add(CommandId command);

    MemoryContext context_;
    CommandId *commands_; // in the order of their ranks
    std::uint32_t count_;
    std::uint32_t capacity_;
    HTAB *ranks_; // made when an older command is looked up

    CommandId greatest_; // of `commands_`
    CommandId last_;     // seen, with its rank
    std::uint32_t last_rank_;
    bool seen_any_;
    bool inverted_;
};

static_assert(std::is_trivially_destructible_v<CommandOrder>);

} // namespace waybill
