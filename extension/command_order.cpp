// The order in which a transaction's changes were made.
#include "command_order.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace waybill {

namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

// More than fits is more than can be waiting for capture.
std::uint32_t add(std::uint32_t made, std::uint64_t more) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(made + more, none));
}

} // namespace

CommandOrder::Number CommandOrder::capture(const Capture &change) {
    const std::uint64_t made = std::max({change.made, made_, captured_ + 1}) - made_;
    uncounted_ |= !change.counted;
    const bool extends = extends_last_run(change, made);
    if (!extends) {
        merge_last_runs();
        add_run() = {.first_command = change.command,
                     .last_command = change.command,
                     .consumer = no_command,
                     .depth = change.depth,
                     .count = 0,
                     .made = 0};
        inverted_ |= change.command < greatest_;
        greatest_ = std::max(greatest_, change.command);
    }
    Run &run = runs_[run_count_ - 1];
    const std::uint64_t of_run = extends && change.counted ? std::min(change.found, made) : made;
    run.made = add(run.made, of_run);
    made_ += of_run;
    run.last_command = change.command;
    run.consumer = change.consumer;
    consumed_ |= change.consumer != no_command;
    ++run.count;
    return static_cast<Number>(captured_++);
}

// What was made since by a referential action waits behind the rest of its statement, and is counted with the next run.
// What was waiting already, of a later command, belongs to the same statement and comes next.
bool CommandOrder::extends_last_run(const Capture &change, std::uint64_t made) const {
    if (run_count_ == marked_runs_) return false;
    const Run &last = runs_[run_count_ - 1];
    if (last.consumer != no_command) return false;
    return change.command == last.last_command || (made == 0 && change.command > last.last_command);
}

// Of two statements one after the other inside the same one, which made nothing in between: what is waiting was made
// before both. When that is not counted, it is known of those only that have no command between theirs.
void CommandOrder::merge_last_runs() {
    if (run_count_ < marked_runs_ + 2) return;
    Run &first = runs_[run_count_ - 2];
    const Run &second = runs_[run_count_ - 1];
    if (first.consumer != no_command || first.depth != second.depth || first.last_command >= second.first_command ||
        second.made != second.count)
        return;
    if (uncounted_ && second.first_command - first.last_command > 1) return;
    first.last_command = second.last_command;
    first.consumer = second.consumer;
    first.count += second.count;
    first.made = add(first.made, second.made);
    --run_count_;
}

CommandOrder::Run &CommandOrder::add_run() {
    reserve(runs_, run_capacity_, run_count_ + std::size_t{1});
    return runs_[run_count_++];
}

void CommandOrder::begin_window() {
    ++window_;
    window_begin_ = captured_;
    run_count_ = marked_runs_ = 0;
    inverted_ = uncounted_ = consumed_ = false;
    greatest_ = 0;
}

CommandOrder::Mark CommandOrder::mark() {
    merge_last_runs();
    marked_runs_ = run_count_;
    return {.captured = captured_, .made = made_, .window = window_, .runs = run_count_};
}

bool CommandOrder::restore(const Mark &mark) {
    captured_ = mark.captured;
    made_ = mark.made;
    const bool some_left = mark.window == window_ && mark.runs > 0;
    if (some_left)
        run_count_ = mark.runs;
    else
        begin_window();
    return some_left;
}

std::span<const CommandOrder::Stretch> CommandOrder::stretches() {
    resolve();
    reserve(stretches_, stretch_capacity_, segment_count_);
    std::size_t count = 0;
    auto number = static_cast<Number>(window_begin_);
    for (std::uint32_t run = 0; run < run_count_; ++run)
        for (std::uint32_t at = first_segment_[run]; at != none; at = segments_[at].next) {
            stretches_[count++] = {.first = number, .place = segment_count_ - segments_[at].place};
            number += segments_[at].count;
        }
    return {stretches_, count};
}

// From the last run to the first: with it, what is waiting at that time is known, and the last of it was made since the
// run before.
void CommandOrder::resolve() {
    segment_count_ = 0;
    reserve(waiting_, waiting_capacity_, run_count_);
    reserve(left_, left_capacity_, run_count_);
    reserve(first_segment_, first_segment_capacity_, run_count_);
    if (consumed_) find_consumers();
    // Each of them is there once, or ends a step.
    reserve(segments_, segment_capacity_, std::size_t{2} * run_count_);

    const auto made_earlier = [this](std::uint32_t a, std::uint32_t b) {
        return runs_[a].first_command != runs_[b].first_command ? runs_[a].first_command < runs_[b].first_command
                                                                : a < b;
    };
    std::uint32_t count = 0;
    std::uint64_t made = 0;
    for (std::uint32_t at = run_count_; at-- > 0;) {
        check_interrupts_();
        left_[at] = runs_[at].count;
        first_segment_[at] = none;
        waiting_[count++] = at;
        std::push_heap(waiting_, waiting_ + count, made_earlier);
        made = at == 0 ? std::numeric_limits<std::uint64_t>::max() : made + runs_[at].made;
        while (made > 0 && count > 0) {
            const std::uint32_t last = waiting_[0];
            if (consumed_ && consuming_run_[last] < at) break;
            const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(left_[last], made));
            add_segment(last, taken);
            made -= taken;
            left_[last] -= taken;
            if (left_[last] == 0) std::pop_heap(waiting_, waiting_ + count--, made_earlier);
        }
    }
}

void CommandOrder::add_segment(std::uint32_t run, std::uint32_t count) {
    segments_[segment_count_] = {.count = count, .place = segment_count_ + 1, .next = first_segment_[run]};
    first_segment_[run] = segment_count_++;
}

std::span<std::uint32_t> CommandOrder::sort_by(std::uint32_t *runs, std::uint32_t count,
                                               std::uint32_t Run::*command) const {
    std::sort(runs, runs + count, [=, this](std::uint32_t a, std::uint32_t b) {
        check_interrupts_();
        return runs_[a].*command < runs_[b].*command;
    });
    return {runs, count};
}

// A run has changes of any command between its first and its last: so goes through the consumers in ascending order,
// with a heap of the runs that have begun by then.
void CommandOrder::find_consumers() {
    reserve(by_command_, by_command_capacity_, run_count_);
    reserve(by_consumer_, by_consumer_capacity_, run_count_);
    reserve(consuming_run_, consuming_run_capacity_, run_count_);
    std::uint32_t consumers = 0;
    for (std::uint32_t run = 0; run < run_count_; ++run) {
        by_command_[run] = run;
        consuming_run_[run] = none;
        if (runs_[run].consumer != no_command) by_consumer_[consumers++] = run;
    }
    const std::span<std::uint32_t> by_command = sort_by(by_command_, run_count_, &Run::first_command);
    std::uint32_t begun = 0;
    std::uint32_t open = 0;
    for (const std::uint32_t run : sort_by(by_consumer_, consumers, &Run::consumer)) {
        const std::uint32_t consumer = runs_[run].consumer;
        for (; begun < by_command.size() && runs_[by_command[begun]].first_command <= consumer; ++begun) {
            waiting_[open++] = by_command[begun];
            std::push_heap(waiting_, waiting_ + open, std::greater{});
        }
        while (open > 0 && runs_[waiting_[0]].last_command < consumer)
            std::pop_heap(waiting_, waiting_ + open--, std::greater{});
        if (open > 0) consuming_run_[run] = waiting_[0];
        check_interrupts_();
    }
}

// The capacity is the new one only when there is the memory: an exception block may go on after an error.
template <typename T>
void CommandOrder::reserve(T *&array, std::size_t &capacity, std::size_t needed) {
    if (needed <= capacity) return;
    const std::size_t grown = std::max({std::size_t{16}, capacity * 2, needed});
    array = static_cast<T *>(resize_(context_, array, grown * sizeof(T)));
    capacity = grown;
}

} // namespace waybill
