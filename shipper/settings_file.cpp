// The settings in a TOML file.
#include "errors.hpp"
#include "nearest.hpp"
#include "settings.hpp"
#include "toml.hpp"
#include "toml_limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace waybill {

namespace {

std::string type_name(const toml::node &node) {
    switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "a number";
    case toml::node_type::floating_point: return "a fraction";
    case toml::node_type::boolean: return "a boolean";
    default: return "a date or time";
    }
}

// The text of what may be any scalar: properties of librdkafka, of topics, and the formats' own settings.
std::string scalar(const toml::node &node, const std::string &where) {
    if (const auto *const text = node.as_string()) return text->get();
    if (const auto *const number = node.as_integer()) return std::to_string(number->get());
    if (const auto *const flag = node.as_boolean()) return flag->get() ? "true" : "false";
    if (const auto *const fraction = node.as_floating_point()) return fmt::format("{}", fraction->get());
    throw ConfigError(where + " must be a string, a number or a boolean, not " + type_name(node));
}

// The texts of a setting, when the file has it as what it is.
std::vector<std::string> texts(const toml::node &node, Setting::Kind kind, const std::string &where) {
    const auto require = [&](bool ok, const std::string &wanted) {
        if (!ok) throw ConfigError(where + " must be " + wanted + ", not " + type_name(node));
    };
    switch (kind) {
    case Setting::Kind::text: require(node.is_string(), "a string"); break;
    case Setting::Kind::boolean: require(node.is_boolean(), "true or false"); break;
    case Setting::Kind::integer: require(node.is_integer(), "a number"); break;
    case Setting::Kind::list:
        require(node.is_string() || node.is_array(), "an array of strings");
        if (!node.is_array()) break;
        std::vector<std::string> items;
        for (const toml::node &item : *node.as_array()) {
            if (!item.is_string())
                throw ConfigError(where + " must be an array of strings, but has " + type_name(item) + " in it");
            items.push_back(item.as_string()->get());
        }
        return items;
    }
    return {scalar(node, where)};
}

void read_table(Draft &draft, const toml::table &table, const std::string &prefix, const std::string &file) {
    for (const auto &[name, node] : table) {
        const std::string key = prefix + std::string(name.str());
        const std::string where = file + ": " + key;
        if (const Setting *const setting = find_setting(key))
            setting->set(draft.options, texts(node, setting->kind, where), where);
        else if (const auto *const inner = node.as_table(); // also "a.b = 1" in [kafka], which TOML reads as a table
                 inner != nullptr && (prefix.empty() || !open_section(key + '.').empty()))
            read_table(draft, *inner, key + '.', file);
        else if (!open_section(key).empty())
            set_open(draft, key, scalar(node, where));
        else
            fail_unknown(key, file);
    }
}

void check_sections(const toml::table &table, const std::string &file) {
    const std::vector<std::string> sections = section_names();
    for (const auto &[name, node] : table) {
        const std::string section(name.str());
        if (std::find(sections.begin(), sections.end(), section) == sections.end())
            throw ConfigError(file + ": " + section + " is not a section; did you mean [" + nearest(section, sections) +
                              "]?");
        if (!node.is_table()) throw ConfigError(file + ": " + section + " must be a section: write [" + section + "]");
    }
}

// All of it, or enough of it to be too much.
std::string read_text(const std::string &file) {
    errno = 0;
    std::ifstream stream(file);
    std::string text(TomlLimits().bytes + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!stream.eof() && !stream) // a directory opens, but cannot be read
        throw ConfigError("could not read " + file + ": " + (errno != 0 ? std::strerror(errno) : "it is no file"));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

} // namespace

void read_file(Draft &draft, const std::string &file) {
    const std::string text = read_text(file);
    if (const std::optional<std::string> objection = objection_to_toml(text))
        throw ConfigError("could not read " + file + ": " + *objection);
    try {
        const toml::table table = toml::parse(text, file);
        check_sections(table, file);
        read_table(draft, table, "", file);
    } catch (const toml::parse_error &error) {
        const auto line = error.source().begin.line;
        throw ConfigError("could not read " + file + (line > 0 ? ", line " + std::to_string(line) : "") + ": " +
                          std::string(error.description()));
    } catch (const TomlSurprise &error) {
        throw ConfigError("could not read " + file + ": " + error.what());
    }
}

} // namespace waybill
