// What the user wants: from flags, the environment, a file, and defaults, in this order of precedence.
#pragma once

#include "format/format.hpp"
#include "kafka_publisher.hpp"
#include "log.hpp"
#include "pump.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace waybill {

enum class Command : std::uint8_t { run, check, status };

struct Options {
    Command command = Command::run;

    std::string file;               // empty: none was read
    bool file_holds_secret = false; // a password, a salt

    std::string conninfo; // may be empty: libpq has its PG* variables and service files

    std::string stream = "default";
    std::string delivery = "at_least_once";

    std::string format = "debezium";
    FormatOptions format_options;

    KafkaOptions kafka;
    PumpOptions pump;

    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::text;
};

// Reads `arguments` (without the program's name), the WAYBILL_* variables of `environment`, and the file they name.
// Throws ConfigError, and HelpWanted for --help and --version.
[[nodiscard]] Options read_options(const std::vector<std::string> &arguments,
                                   const std::map<std::string, std::string> &environment);

// What to print instead of doing anything.
struct HelpWanted {
    std::string text;
};

// All settings as "section.key=value" lines with secrets as ****, for the log. A list has ";" between its elements.
[[nodiscard]] std::vector<std::string> describe(const Options &options);

// Whether there is a password or a salt among the options.
[[nodiscard]] bool holds_secret(const Options &options);

// `value`, or **** when a librdkafka property of this name is a secret.
[[nodiscard]] std::string masked(const std::string &property, const std::string &value);

} // namespace waybill
