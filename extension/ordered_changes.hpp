// A transaction's changes as records, in the order in which they were made.
//
// Each is recorded when it is captured. A window of them begins when none waits for capture and ends when none does
// again: what it holds is put in order then (command_order.hpp). So records are moved only where a statement ran inside
// another, and only within that.
//
// It knows nothing of transactions, but that what came since a mark may be dropped.
#pragma once

#include "chunk_stream.hpp"
#include "command_order.hpp"
#include "postgres.hpp"
#include "row_encoder.hpp"

namespace waybill {

class OrderedChanges {
public:
    using Number = CommandOrder::Number;

    // As ChunkStream::use().
    void use(MemoryContext context, std::size_t memory_limit, Chunk *first_chunk);

    [[nodiscard]] bool empty() const { return stream_.empty() && !torn_; }

    // A change is captured; append() with its number follows, unless it is not to be recorded. `some_late`: there are
    // changes that were captured before and will be appended later.
    // Error: when there are more in the window than numbers tell apart, or an error broke off putting it in order.
    Number capture(const CommandOrder::Capture &change, bool some_late);
    void append(const EncodedChange &change, Number number);

    [[nodiscard]] std::uint64_t captured() const { return order_.captured(); }

    // Says that none waits to be captured, whatever was counted.
    void set_complete() { order_.set_complete(); }

    // Ends the window if none is known to wait. There must be none that is appended later.
    void end_complete_window();

    // All of them, when no more come. Error: when an error broke off putting them in order.
    ChunkStream &in_order();

    struct Mark {
        StreamPosition start;
        Number last_recorded;
        CommandOrder::Mark order;
        bool torn;
    };

    [[nodiscard]] Mark mark();

    // Drops what came since. Allocates nothing: it is called in aborts.
    void restore(const Mark &mark);

    // Says which mark is the last that may be restored; null when there is none.
    void keep_for(const Mark *last);

    // Gives back the memory of the stream, and its file.
    void close() { stream_.close(); }

private:
    [[nodiscard]] bool is_window_behind_mark() const;
    void end_window();
    void refuse_torn() const;

    ChunkStream stream_;
    CommandOrder order_;
    StreamPosition window_;  // where it begins
    Number recorded_before_; // the window: the last one
    Number last_recorded_;
    bool torn_; // some were lost while they were put in order
    bool marked_;
    StreamPosition last_mark_;
};

static_assert(std::is_trivially_destructible_v<OrderedChanges>);

} // namespace waybill
