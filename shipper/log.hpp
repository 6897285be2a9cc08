// The shipper's log: lines on stderr as PostgreSQL writes them, or JSON objects. No row contents, no secrets.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace waybill {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };
enum class LogFormat : std::uint8_t { text, json };

class Log {
public:
    Log(LogLevel level, LogFormat format);
    ~Log();

    Log(const Log &) = delete;
    Log &operator=(const Log &) = delete;

    template <typename... Args>
    void debug(fmt::format_string<Args...> format, Args &&...args) {
        write(LogLevel::debug, format, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void info(fmt::format_string<Args...> format, Args &&...args) {
        write(LogLevel::info, format, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void warning(fmt::format_string<Args...> format, Args &&...args) {
        write(LogLevel::warning, format, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void error(fmt::format_string<Args...> format, Args &&...args) {
        write(LogLevel::error, format, std::forward<Args>(args)...);
    }

    // One line; line breaks in `text` become spaces.
    void write_line(LogLevel level, std::string_view text);

private:
    template <typename... Args>
    void write(LogLevel level, fmt::format_string<Args...> format, Args &&...args) {
        if (level >= level_) write_line(level, fmt::format(format, std::forward<Args>(args)...));
    }

    LogLevel level_;
    LogFormat format_;
    std::unique_ptr<spdlog::logger> logger_;
};

} // namespace waybill
