// CommandOrder against every way in which statements can run inside one another: a model of PostgreSQL makes changes
// and captures them, and knows in which order it made them.
#include "../../extension/command_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <limits>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using waybill::CommandOrder;

void *resize_block(void *, void *block, std::size_t bytes) {
    void *resized = std::realloc(block, bytes);
    if (resized == nullptr) throw std::bad_alloc{};
    return resized;
}

// What the log would be: changes, told by when they were made.
class Log {
public:
    explicit Log(bool counting) : counting_{counting} {
        order_.use(resize_block, nullptr, [] {});
    }

    void capture(std::uint32_t command, std::uint32_t consumer, std::uint32_t depth, std::uint64_t made_at,
                 std::uint64_t made) {
        const std::uint64_t counted = counting_ ? made + miscounted_ : order_.captured() + 1;
        capture({.command = command, .consumer = consumer, .depth = depth, .made = counted, .counted = counting_},
                made_at);
    }

    void capture(const CommandOrder::Capture &change, std::uint64_t made_at) {
        order_.capture(change);
        window_.push_back(made_at);
        if (order_.complete()) end_window();
    }

    void end_window() {
        std::vector<std::pair<std::uint32_t, std::uint64_t>> placed;
        const auto stretches = order_.stretches();
        std::size_t stretch = 0;
        const CommandOrder::Number first = window_.empty() ? 0 : stretches.front().first;
        for (std::size_t i = 0; i < window_.size(); ++i) {
            while (stretch + 1 < stretches.size() && stretches[stretch + 1].first - first <= i) ++stretch;
            placed.emplace_back(stretches[stretch].place, window_[i]);
        }
        const auto by_place = [](const auto &a, const auto &b) { return a.first < b.first; };
        EXPECT_TRUE(order_.inverted() || std::is_sorted(placed.begin(), placed.end(), by_place));
        std::stable_sort(placed.begin(), placed.end(), by_place);
        for (const auto &[place, made_at] : placed) changes_.push_back(made_at);
        window_.clear();
        order_.begin_window();
    }

    // Changes are counted that are none, until nothing waits to be captured.
    void miscount(std::uint64_t changes) { miscounted_ += changes; }
    void settle() {
        miscounted_ = 0;
        order_.set_complete();
        end_window();
    }

    struct Mark {
        CommandOrder::Mark order;
        std::size_t changes;
        std::size_t window;
    };

    Mark mark() { return {order_.mark(), changes_.size(), window_.size()}; }
    void keep_for(const Mark *mark) { order_.keep_for(mark == nullptr ? nullptr : &mark->order); }

    void restore(const Mark &mark) {
        changes_.resize(mark.changes);
        window_.resize(order_.restore(mark.order) ? mark.window : 0);
    }

    [[nodiscard]] const std::vector<std::uint64_t> &changes() const { return changes_; }

private:
    CommandOrder order_{};
    bool counting_;
    std::uint64_t miscounted_ = 0;
    std::vector<std::uint64_t> window_;
    std::vector<std::uint64_t> changes_;
};

// Statements that run inside one another at random.
class Server {
public:
    Server(std::uint32_t seed, bool counting) : dice_{seed}, log_{counting} {}

    // A statement of one row, with rows that are counted and never captured; nothing runs inside it.
    void run_miscounted_statement() {
        log_.miscount(1 + roll(5));
        queues_.emplace_back();
        make_change(next_command_);
        log_.capture(next_command_++, CommandOrder::no_command, 1, queues_.back().front().made_at, made_);
        queues_.pop_back();
        log_.settle();
    }

    void run_transaction() {
        for (unsigned statements = 1 + roll(3); statements > 0; --statements) run_statement(1);
        log_.end_window();
    }

    [[nodiscard]] const Log &log() const { return log_; }
    [[nodiscard]] std::uint64_t made() const { return made_; }
    // Pairs of changes of the same row: the first is made before the second.
    [[nodiscard]] const std::vector<std::pair<std::uint64_t, std::uint64_t>> &of_same_row() const { return same_row_; }

private:
    struct Change {
        std::uint32_t command;
        std::uint64_t made_at;
        std::uint32_t consumer = CommandOrder::no_command;
    };

    unsigned roll(unsigned sides) { return std::uniform_int_distribution<unsigned>{0, sides - 1}(dice_); }

    // What is undone by an exception block leaves no trace, and its command ids are not used again.
    void run_inside(unsigned depth) {
        if (depth > 6 || next_command_ > 50) return;
        const unsigned kind = roll(12);
        if (kind < 3) {
            for (unsigned statements = 1 + roll(3); statements > 0; --statements) run_statement(depth);
        } else if (kind == 3) {
            const Log::Mark mark = log_.mark();
            const auto queues = queues_;
            const std::uint64_t made = made_;
            const std::size_t pairs = same_row_.size();
            marks_.push_back(&mark);
            for (unsigned statements = 1 + roll(2); statements > 0; --statements) run_statement(depth);
            marks_.pop_back();
            if (roll(2) == 0) {
                log_.restore(mark);
                queues_ = queues;
                made_ = made;
                same_row_.resize(pairs);
            }
            log_.keep_for(marks_.empty() ? nullptr : marks_.back());
        }
    }

    void make_change(std::uint32_t command) {
        // Perhaps of a row that an outer statement, or this one's part before, has just made.
        if (const unsigned level = roll(static_cast<unsigned>(queues_.size()));
            !queues_[level].empty() && roll(2) == 0) {
            Change &earlier = queues_[level][roll(static_cast<unsigned>(queues_[level].size()))];
            if (earlier.command < command && earlier.consumer == CommandOrder::no_command) {
                earlier.consumer = command;
                same_row_.emplace_back(earlier.made_at, made_);
            }
        }
        queues_.back().push_back({.command = command, .made_at = made_++});
    }

    void run_statement(unsigned depth) {
        const std::uint32_t command = next_command_++;
        queues_.emplace_back();
        for (unsigned rows = roll(4); rows > 0; --rows) {
            run_inside(depth + roll(2)); // in a BEFORE trigger, or in a function, which is no deeper
            make_change(command);
        }
        run_inside(depth + 1);
        while (!queues_.back().empty()) {
            run_inside(depth + 1); // in an AFTER trigger that comes before ours
            const Change change = queues_.back().front();
            queues_.back().pop_front();
            log_.capture(change.command, change.consumer, depth, change.made_at, made_);
            if (roll(4) == 0 && next_command_ <= 50) {
                const std::uint32_t action = next_command_++; // referential: its changes wait with the statement's
                for (unsigned rows = roll(3); rows > 0; --rows) {
                    run_inside(depth + 2);
                    make_change(action);
                }
            }
            run_inside(depth + 1); // in one that comes behind ours
        }
        queues_.pop_back();
    }

    std::mt19937 dice_;
    Log log_;
    std::vector<std::deque<Change>> queues_; // of the statements that run, the innermost last
    std::vector<const Log::Mark *> marks_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> same_row_;
    std::uint64_t made_ = 0;
    std::uint32_t next_command_ = 1;
};

// WAYBILL_TEST_SEED=1234 runs that one alone.
template <typename Test>
void for_each_seed(std::uint32_t seeds, Test test) {
    if (const char *chosen = std::getenv("WAYBILL_TEST_SEED"); chosen != nullptr)
        return test(static_cast<std::uint32_t>(std::stoul(chosen)));
    for (std::uint32_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) test(seed);
}

TEST(CommandOrder, IsTheOrderInWhichChangesWereMadeWhateverRunsInsideWhat) {
    for_each_seed(30'000, [](std::uint32_t seed) {
        Server server{seed, true};
        server.run_transaction();
        ASSERT_EQ(server.log().changes().size(), server.made()) << "seed " << seed;
        ASSERT_TRUE(std::is_sorted(server.log().changes().begin(), server.log().changes().end()))
            << "seed " << seed << ": " << testing::PrintToString(server.log().changes());
    });
}

TEST(CommandOrder, IsExactAgainAfterAMiscountWhenNothingWaits) {
    for_each_seed(3'000, [](std::uint32_t seed) {
        Server server{seed, true};
        server.run_miscounted_statement();
        server.run_transaction();
        ASSERT_TRUE(std::is_sorted(server.log().changes().begin(), server.log().changes().end()))
            << "seed " << seed << ": " << testing::PrintToString(server.log().changes());
    });
}

TEST(CommandOrder, KeepsChangesOfARowInOrderWhenNothingIsCounted) {
    for_each_seed(30'000, [](std::uint32_t seed) {
        Server server{seed, false};
        server.run_transaction();
        std::vector<std::size_t> places(server.made());
        for (std::size_t i = 0; i < server.log().changes().size(); ++i) places[server.log().changes()[i]] = i;
        for (const auto &[first, second] : server.of_same_row())
            ASSERT_LT(places[first], places[second]) << "seed " << seed << ": changes " << first << " and " << second;
    });
}

// One statement changes two tables; that the second has changes is told by the first of them that is captured. What was
// made before the statement waits behind both.
TEST(CommandOrder, CountsWhatIsFoundLateToItsStatement) {
    Log log{true};
    log.capture({.command = 2, .consumer = CommandOrder::no_command, .depth = 1, .made = 3, .counted = true}, 1);
    log.capture(
        {.command = 2, .consumer = CommandOrder::no_command, .depth = 1, .made = 4, .counted = true, .found = 1}, 2);
    log.capture({.command = 2, .consumer = CommandOrder::no_command, .depth = 1, .made = 4, .counted = true}, 3);
    log.capture({.command = 1, .consumer = CommandOrder::no_command, .depth = 1, .made = 4, .counted = true}, 0);
    EXPECT_EQ(log.changes(), (std::vector<std::uint64_t>{0, 1, 2, 3}));
}

// A statement's changes, each followed by three of a trigger, the second of the row that the statement changed next.
CommandOrder cascade(std::uint32_t rows, CommandOrder::CheckInterrupts check_interrupts) {
    CommandOrder order{};
    order.use(resize_block, nullptr, check_interrupts);
    std::uint64_t made = rows;
    std::uint32_t command = 1;
    for (std::uint32_t row = 0; row < rows; ++row) {
        const std::uint32_t consumer = row == 0 ? CommandOrder::no_command : command - 1;
        order.capture({.command = 1, .consumer = consumer, .depth = 1, .made = made, .counted = true});
        for (unsigned inner = 0; inner < 3; ++inner)
            order.capture({.command = ++command,
                           .consumer = CommandOrder::no_command,
                           .depth = 2,
                           .made = ++made,
                           .counted = true});
    }
    return order;
}

std::clock_t time_of_cascade(std::uint32_t rows) {
    std::clock_t least = std::numeric_limits<std::clock_t>::max();
    for (int i = 0; i < 3; ++i) {
        CommandOrder order = cascade(rows, [] {});
        const std::clock_t begin = std::clock();
        const auto stretches = order.stretches();
        least = std::min(least, std::clock() - begin);
        EXPECT_GT(stretches.size(), rows);
    }
    return least;
}

TEST(CommandOrder, TakesTimeInProportionToWhatRunsInsideAStatement) {
    EXPECT_LT(time_of_cascade(40'000), 9 * time_of_cascade(10'000));
}

TEST(CommandOrder, CanBeInterruptedAndAskedAgain) {
    static unsigned calls_left;
    const auto interrupt = [] {
        if (calls_left-- == 0) throw std::runtime_error{"interrupted"};
    };
    CommandOrder order = cascade(100, interrupt);
    const auto places = [&order] {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
        for (const CommandOrder::Stretch &stretch : order.stretches()) found.emplace_back(stretch.first, stretch.place);
        return found;
    };
    calls_left = 1'000'000;
    const auto expected = places();
    const unsigned calls = 1'000'000 - calls_left;
    EXPECT_GT(calls, 400U);
    for (unsigned i = 0; i < calls; i += 7) {
        calls_left = i;
        EXPECT_THROW(static_cast<void>(order.stretches()), std::runtime_error);
    }
    calls_left = 1'000'000;
    EXPECT_EQ(places(), expected);
}

} // namespace
