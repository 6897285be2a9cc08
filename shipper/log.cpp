#include "log.hpp"

#include "log_text.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

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

// message name=value name="a value"
std::string as_text(std::string_view message, std::span<const LogField> fields) {
    std::string line = printable(message);
    for (const LogField &field : fields) {
        line += ' ' + printable(field.name) + '=';
        const bool plain = !field.value.empty() && field.value.find_first_of(" \"=\\") == std::string::npos;
        if (plain) {
            line += printable(field.value);
            continue;
        }
        std::string quoted;
        for (const char c : field.value) {
            if (c == '"' || c == '\\') quoted += '\\';
            quoted += c;
        }
        line += '"' + printable(quoted) + '"';
    }
    return line;
}

// The members of an object.
std::string as_json(std::string_view message, std::span<const LogField> fields) {
    std::string members = "\"message\":\"" + json_escaped(message) + '"';
    for (const LogField &field : fields) {
        members += ",\"" + json_escaped(field.name) + "\":";
        members += field.is_number ? field.value : '"' + json_escaped(field.value) + '"';
    }
    return members;
}

} // namespace

Log::Log(LogLevel level, LogFormat format)
    : level_(level), format_(format),
      logger_(std::make_unique<spdlog::logger>("waybill-shipper", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger_->set_level(to_spdlog(level));
    logger_->flush_on(spdlog::level::debug);
    const char *const pattern = format == LogFormat::json
                                    ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","pid":%P,"level":"%l",%v})"
                                    : "%Y-%m-%d %H:%M:%S.%e UTC [%P] %l: %v";
    logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
    if (level < level_) return;
    while (message.ends_with('\n')) message.remove_suffix(1);
    logger_->log(to_spdlog(level), format_ == LogFormat::json ? as_json(message, fields) : as_text(message, fields));
}

} // namespace waybill
