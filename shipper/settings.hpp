// The settings: their names, kinds and texts, wherever they stand. For options.cpp and what it is made of.
#pragma once

#include "options.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// Options under way: a format's own section is the format's to read, and which format it is shows at the end.
struct Draft {
    Options options;
    std::map<std::string, std::map<std::string, std::string>> format_sections; // [format][name]
};

// A row of the table of settings.
struct Setting {
    enum class Kind : std::uint8_t { text, boolean, integer, list };

    std::string_view key; // section.key
    std::string_view flag;
    std::string_view help;
    Kind kind = Kind::text;

    // Takes the value's text, or a list's texts. `where` says in errors where they stand. Throws ConfigError.
    void (*set)(Options &options, std::span<const std::string> values, const std::string &where) = nullptr;

    // The value's text for the log: a list's with ";" between, secrets as ****.
    std::string (*show)(const Options &options) = nullptr;
};

// All settings but the open-ended ones: kafka.*, topics.config.*, the formats' own, and --config itself.
[[nodiscard]] std::span<const Setting> all_settings();

[[nodiscard]] const Setting *find_setting(std::string_view key);

// The names of all sections, the formats' among them.
[[nodiscard]] std::vector<std::string> section_names();

// "kafka.", "topics.config." or "maxwell." when `key` begins with it, else empty.
[[nodiscard]] std::string_view open_section(std::string_view key);

// Sets what stands in an open section: kafka.linger.ms. `key` begins with one.
void set_open(Draft &draft, std::string_view key, const std::string &value);

// Sets `properties`' `name`, in the place it has when it is there.
void put(Properties &properties, const std::string &name, const std::string &value);

// Throws ConfigError with the nearest name that exists. `origin` is the file or variable in which `key` stands.
[[noreturn]] void fail_unknown(const std::string &key, const std::string &origin);

// Reads `file`, a TOML file. Throws ConfigError.
void read_file(Draft &draft, const std::string &file);

// Reads the WAYBILL_<SECTION>_<KEY> among the variables. Throws ConfigError.
void read_environment(Draft &draft, const std::map<std::string, std::string> &environment);

} // namespace waybill
