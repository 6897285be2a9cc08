// Rows on their way from one partition to another.
//
// An UPDATE of the partition key deletes the row in one partition and inserts it in another, and row triggers see just
// that: a delete (whose row version says that it moved) and, as the same command's next event, the insert. The delete
// is kept here until then; the two are published as the one update that they are. When no insert follows, because a
// trigger suppressed it, the delete is published as what it is.
//
// Commands that run in the triggers of either come in between: so the rows are told by command.
#pragma once

#include "byte_buffer.hpp"
#include "command_order.hpp"
#include "postgres.hpp"

namespace waybill {

struct MovedRow {
    CommandId command; // that moves it
    SubTransactionId subtransaction;
    Oid published_relation;
    std::int32_t shape;
    CommandOrder::Number number; // of its delete
    std::span<const char> bytes; // the row, encoded
};

class MovedRows {
public:
    void use(MemoryContext context) { context_ = context; }

    [[nodiscard]] bool empty() const { return count_ == 0; }

    // Keeps the row, with a copy of its bytes. There is none of the same command.
    void keep(const MovedRow &row);

    // Takes the row that a command moves. Its bytes are valid until the next keep().
    std::optional<MovedRow> take(CommandId command) {
        return count_ == 0 ? std::nullopt : take_if([=](const MovedRow &row) { return row.command == command; });
    }

    // Takes a row that was kept in a subtransaction. Allocates nothing: it is called in aborts.
    std::optional<MovedRow> take_of_subtransaction(SubTransactionId subtransaction) {
        return take_if([=](const MovedRow &row) { return row.subtransaction == subtransaction; });
    }

    // Takes any.
    std::optional<MovedRow> take_any() {
        return take_if([](const MovedRow &) { return true; });
    }

private:
    struct Place {
        MovedRow row;
        ByteBuffer bytes;
    };

    template <typename Predicate>
    std::optional<MovedRow> take_if(Predicate predicate) {
        for (std::size_t i = 0; i < count_; ++i) {
            if (!predicate(places_[i].row)) continue;
            const MovedRow row = places_[i].row;
            std::swap(places_[i], places_[--count_]); // which keeps its bytes
            return row;
        }
        return std::nullopt;
    }

    MemoryContext context_;
    Place *places_; // the first count_ are in use
    std::size_t count_;
    std::size_t capacity_;
};

static_assert(std::is_trivially_destructible_v<MovedRows>);

} // namespace waybill
