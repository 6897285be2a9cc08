// The order in which a transaction's changes were made.
//
// Capture sees them in another one: a statement's AFTER triggers fire when it is done with all its rows, those of a
// statement that runs inside it, in a trigger or a function, when that one is done:
//
//   I runs in an AFTER trigger of O   O made all its changes before I. Of those some may have been captured.
//   I runs in a BEFORE trigger of O,  I made its changes between two of O's, and is captured first.
//   or in a function that O calls
//
// Two things tell the truth. PostgreSQL counts the rows that a transaction changes (made_changes.hpp), so whenever a
// change is captured it is known how many were made by then, and how many of them are still to be captured. And these,
// at any one time, were made in the order of their command ids, those of one command in the order of capture: each
// statement waits for those inside it, which began later, and PostgreSQL fires the triggers of one statement (with what
// referential actions add to it) first come, first served. So, from the last capture to the first:
//
//   captured      i of I, when 2 were made           at the end    o' is waiting, 0 made since o: none placed
//                 o of O, when 3 were made           at o          o, o' are waiting, 1 made since i: o' comes last
//                 o'                                 at i          o, i are waiting: i before o', o before i
//
// Where PostgreSQL does not count (track_counts is off), each change is taken to be made just before it is captured.
// A row that is captured after somebody changed it again shows who: it comes before that one in any case.
//
// When all that was made is captured, what follows comes behind it, and nothing has to be kept: so memory is bounded by
// what PostgreSQL itself queues for AFTER triggers.
//
// Knows nothing of PostgreSQL, so that test/unit can try it against every nesting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace waybill {

class CommandOrder {
public:
    // Counts captured changes, from 0 on, modulo 2^32: numbers are compared within a window only, of up to so many
    // changes.
    using Number = std::uint32_t;
    static constexpr std::uint32_t max_window = 0x80000000;

    struct Capture {
        std::uint32_t command;  // that made the change
        std::uint32_t consumer; // the command that changed the row again meanwhile, or no_command
        std::uint32_t depth;    // of triggers
        std::uint64_t made;     // how many changes the transaction has made, this one and all captured ones among them
        bool counted;           // whether `made` tells those that are not captured
        std::uint64_t found =
            0; // how many of them could not be told before, though the statement had made them by then
    };

    static constexpr std::uint32_t no_command = 0xFFFFFFFF;

    // Changes captured one after the other, from one number to the next stretch's, and their place among the stretches.
    struct Stretch {
        Number first;
        std::uint32_t place;
    };

    // The state before a savepoint's changes.
    struct Mark {
        std::uint64_t captured;
        std::uint64_t made;
        std::uint32_t window;
        std::uint32_t runs;
    };

    // Changes the size of a block of memory, or allocates it. Does not return when it cannot.
    using Resize = void *(*)(void *context, void *block, std::size_t bytes);

    // Called again and again by what takes long. Need not return.
    using CheckInterrupts = void (*)();

    void use(Resize resize, void *context, CheckInterrupts check_interrupts) {
        resize_ = resize;
        context_ = context;
        check_interrupts_ = check_interrupts;
    }

    Number capture(const Capture &change);

    // How many changes were captured, of all windows.
    [[nodiscard]] std::uint64_t captured() const { return captured_; }

    // How many changes of the present window were captured.
    [[nodiscard]] std::uint64_t window_size() const { return captured_ - window_begin_; }

    // Whether it is known that all changes which were made by the last capture are captured.
    [[nodiscard]] bool complete() const { return !uncounted_ && made_ <= captured_; }

    // Says that none waits to be captured, whatever was counted.
    void set_complete() {
        made_ = captured_;
        uncounted_ = false;
    }

    // Whether the changes of the window may have been captured in another order than they were made in.
    [[nodiscard]] bool inverted() const { return inverted_; }
    void set_inverted() { inverted_ = true; }

    // The changes of the window in the order of capture. Valid until the next call.
    [[nodiscard]] std::span<const Stretch> stretches();

    // What is captured from now on comes behind what was.
    void begin_window();

    [[nodiscard]] Mark mark();

    // Forgets what was captured since. False when all of the window was. Allocates nothing: it is called in aborts.
    [[nodiscard]] bool restore(const Mark &mark);

    // Says which mark is the last that may be restored; null when there is none.
    void keep_for(const Mark *last) { marked_runs_ = last != nullptr && last->window == window_ ? last->runs : 0; }

private:
    // Changes captured one after the other that are waiting for nothing but each other: whatever else is waiting
    // was made before all of them or after all of them.
    struct Run {
        std::uint32_t first_command;
        std::uint32_t last_command;
        std::uint32_t consumer; // of the last change
        std::uint32_t depth;
        std::uint32_t count;
        std::uint32_t made; // between the last capture before it and its first
    };

    // Some changes of a run that are next to each other in the order.
    struct Segment {
        std::uint32_t count;
        std::uint32_t place;
        std::uint32_t next; // of the same run
    };

    [[nodiscard]] bool extends_last_run(const Capture &change, std::uint64_t made) const;
    void merge_last_runs();
    Run &add_run();
    void add_segment(std::uint32_t run, std::uint32_t count);
    std::span<std::uint32_t> sort_by(std::uint32_t *runs, std::uint32_t count, std::uint32_t Run::*command) const;
    void find_consumers();
    void resolve();

    template <typename T>
    void reserve(T *&array, std::size_t &capacity, std::size_t needed);

    Resize resize_;
    void *context_;
    CheckInterrupts check_interrupts_;
    std::uint64_t captured_; // changes
    std::uint64_t made_;     // by the last capture
    std::uint32_t window_;
    std::uint64_t window_begin_; // changes captured before it
    bool inverted_;
    bool uncounted_;         // something was captured that was not counted
    bool consumed_;          // there is a run with a consumer
    std::uint32_t greatest_; // command of the window

    Run *runs_;
    std::size_t run_capacity_;
    std::uint32_t run_count_;
    std::uint32_t marked_runs_; // stay as they are

    // What stretches() works with.
    std::uint32_t *waiting_; // runs, a heap
    std::size_t waiting_capacity_;
    std::uint32_t *by_command_; // runs, by their first
    std::size_t by_command_capacity_;
    std::uint32_t *by_consumer_; // runs that have one
    std::size_t by_consumer_capacity_;
    std::uint32_t *consuming_run_; // of each run, the first with changes of its consumer; behind all when there is none
    std::size_t consuming_run_capacity_;
    std::uint32_t *left_; // how many of each run are not placed yet
    std::size_t left_capacity_;
    std::uint32_t *first_segment_; // of each run
    std::size_t first_segment_capacity_;
    Segment *segments_;
    std::size_t segment_capacity_;
    std::uint32_t segment_count_;
    Stretch *stretches_;
    std::size_t stretch_capacity_;
};

static_assert(std::is_trivially_destructible_v<CommandOrder>);

} // namespace waybill
