#include "log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <memory>
#include <string>

namespace waybill {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: break;
    }
    return spdlog::level::off;
}

std::string json_escaped(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        if (c == '"' || c == '\\')
            (escaped += '\\') += c;
        else if (static_cast<unsigned char>(c) < 0x20)
            escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            escaped += c;
    }
    return escaped;
}

} // namespace

Log::Log(LogLevel level, LogFormat format)
    : level_(level), format_(format),
      logger_(std::make_unique<spdlog::logger>("waybill-shipper", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger_->set_level(to_spdlog(level));
    logger_->flush_on(spdlog::level::debug);
    const char *const pattern = format == LogFormat::json
                                    ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","pid":%P,"level":"%l","message":"%v"})"
                                    : "%Y-%m-%d %H:%M:%S.%e UTC [%P] %l: %v";
    logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
}

Log::~Log() = default;

void Log::write_line(LogLevel level, std::string_view text) {
    std::string line(text);
    while (!line.empty() && line.back() == '\n') line.pop_back();
    std::replace(line.begin(), line.end(), '\n', ' ');
    logger_->log(to_spdlog(level), format_ == LogFormat::json ? json_escaped(line) : line);
}

} // namespace waybill
