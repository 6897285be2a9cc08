// What the programs of the latency benchmark share: a schedule that does not wait for anybody, and notes of what
// happened when. All times are CLOCK_MONOTONIC, which all processes of the machine share.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

inline std::int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// Number n is due n / rate seconds behind the start, however late those before it were.
class Schedule {
public:
    Schedule(std::int64_t rate, std::int64_t seconds) : rate_(rate), total_(rate * seconds), start_ns_(now_ns()) {}

    [[nodiscard]] std::int64_t total() const { return total_; }
    [[nodiscard]] std::int64_t due_ns(std::int64_t number) const { return start_ns_ + number * 1'000'000'000 / rate_; }

private:
    std::int64_t rate_;
    std::int64_t total_;
    std::int64_t start_ns_;
};

// Kept in memory until all is over; then a line "<id> <nanoseconds>" each.
class Notes {
public:
    void add(std::int64_t id, std::int64_t at_ns) { notes_.push_back({id, at_ns}); }
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(notes_.size()); }

    void write(const std::string &file) const {
        const std::unique_ptr<std::FILE, int (*)(std::FILE *)> out(std::fopen(file.c_str(), "w"), std::fclose);
        if (!out) throw std::runtime_error("could not write " + file);
        for (const Note &note : notes_)
            std::fprintf(out.get(), "%jd %jd\n", static_cast<std::intmax_t>(note.id),
                         static_cast<std::intmax_t>(note.at_ns));
    }

private:
    struct Note {
        std::int64_t id;
        std::int64_t at_ns;
    };
    std::vector<Note> notes_;
};
