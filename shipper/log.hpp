// The shipper's log: lines on stderr as PostgreSQL writes them, or JSON objects. No row contents, no secrets. Whatever
// stands in a message or a field, a line stays one line and an object stays valid.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace waybill {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };
enum class LogFormat : std::uint8_t { text, json };

// What a program may want to find in a line: name=value behind the message, or a member of the JSON object.
struct LogField {
    template <std::integral Number>
    LogField(std::string_view field, Number number) : name(field), value(std::to_string(number)), is_number(true) {}
    LogField(std::string_view field, std::string_view text) : name(field), value(text) {}

    std::string_view name; // none of time, pid, level, message
    std::string value;
    bool is_number = false;
};

class Log {
public:
    Log(LogLevel level, LogFormat format);
    ~Log();

    Log(const Log &) = delete;
    Log &operator=(const Log &) = delete;

    // One line: a message, and fields if there are any.
    void write(LogLevel level, std::string_view message, std::span<const LogField> fields = {});

    using Fields = std::initializer_list<LogField>;
    void debug(std::string_view message, Fields fields) { write(LogLevel::debug, message, fields); }
    void info(std::string_view message, Fields fields) { write(LogLevel::info, message, fields); }
    void warning(std::string_view message, Fields fields) { write(LogLevel::warning, message, fields); }

    template <typename... Args>
    void debug(fmt::format_string<Args...> format, Args &&...args) {
        if (level_ <= LogLevel::debug) write(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    void info(fmt::format_string<Args...> format, Args &&...args) {
        if (level_ <= LogLevel::info) write(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    void warning(fmt::format_string<Args...> format, Args &&...args) {
        if (level_ <= LogLevel::warning) write(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    void error(fmt::format_string<Args...> format, Args &&...args) {
        if (level_ <= LogLevel::error) write(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
    }

private:
    LogLevel level_;
    LogFormat format_;
    std::unique_ptr<spdlog::logger> logger_;
};

} // namespace waybill
