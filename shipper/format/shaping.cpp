#include "shaping.hpp"

#include "../errors.hpp"
#include "setting_text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace waybill {

namespace {

constexpr std::size_t max_topic_size = 249; // Kafka's limit

constexpr const char *key_setting = "tables.key";
constexpr const char *mask_setting = "columns.mask";
constexpr const char *hash_setting = "columns.hash";
constexpr const char *truncate_setting = "columns.truncate";
constexpr const char *topic_setting = "topics.name";
constexpr const char *route_setting = "topics.routes";

using ColumnChange = ColumnRule::Change;

bool is_legal_in_topic(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

ConfigError wrong(const std::string &setting, const std::string &text, const std::string &reason) {
    return ConfigError(setting + ": \"" + text + "\" " + reason);
}

std::string table_name(const Shape &shape) {
    return shape.schema + '.' + shape.table;
}

const char *setting_of(ColumnChange change) {
    return change == ColumnChange::mask ? mask_setting : change == ColumnChange::hash ? hash_setting : truncate_setting;
}

// The two sides of "PATTERN=VALUE". What is no such pair is not repeated in the error when it may hold a secret.
std::pair<std::string, std::string> split(const std::string &text, const std::string &setting,
                                          const std::string &value) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
        throw ConfigError(setting + ": " + (setting == hash_setting ? "a rule" : '"' + text + '"') +
                          " needs the form PATTERN=" + value);
    return {text.substr(0, equals), text.substr(equals + 1)};
}

// The names in "column,column".
std::vector<std::string> key_columns(const std::string &list, const std::string &text) {
    std::vector<std::string> names;
    for (std::string &name : split_at_commas(list)) {
        if (name.empty()) throw wrong(key_setting, text, "needs a column's name before and behind each comma");
        if (std::find(names.begin(), names.end(), name) != names.end())
            throw wrong(key_setting, text, "names column \"" + name + "\" twice");
        names.push_back(std::move(name));
    }
    return names;
}

std::size_t character_count(const std::string &value, const std::string &text) {
    std::int32_t number = 0;
    const char *const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc{} || stop != end || number < 1)
        throw wrong(truncate_setting, text,
                    "needs a number of characters behind the \"=\", from 1 to " +
                        std::to_string(std::numeric_limits<std::int32_t>::max()));
    return static_cast<std::size_t>(number);
}

// A template whose own text may stand in a topic's name. Whatever a table is called: its name is made legal.
Template topic_template(const std::string &text, const std::string &setting, int groups) {
    Template made(text, setting, groups);
    const std::string any = "x";
    Shape shape;
    shape.schema = shape.table = any;
    const std::vector<std::string> any_groups(static_cast<std::size_t>(std::max(groups, 0)) + 1, any);
    const std::string example = made.expand(shape, any, any, any_groups);
    if (example.empty()) throw ConfigError(setting + ": a topic's name is empty");
    if (example == "." || example == "..") throw wrong(setting, text, "is no name that Kafka allows");
    if (!std::all_of(example.begin(), example.end(), is_legal_in_topic))
        throw wrong(setting, text,
                    R"(has characters that Kafka does not allow; use letters, digits, ".", "_" and "-")");
    if (example.size() > max_topic_size)
        throw wrong(setting, text, "is longer than Kafka's limit of " + std::to_string(max_topic_size) + " characters");
    return made;
}

} // namespace

// Debezium replaces Java's chars, of which a character beyond the BMP (four bytes of UTF-8) has two.
std::string legal_topic(std::string_view name) {
    std::string topic;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_legal_in_topic(c))
            topic += c;
        else if (byte >= 0xF0)
            topic += "__";
        else if (byte < 0x80 || byte >= 0xC0)
            topic += '_';
    }
    if (topic == "." || topic == "..") std::replace(topic.begin(), topic.end(), '.', '_');
    if (topic.size() > max_topic_size) topic.resize(max_topic_size);
    return topic;
}

std::optional<std::vector<std::uint16_t>> find_columns(const Shape &shape, std::span<const std::string> names) {
    std::vector<std::uint16_t> found;
    for (const std::string &name : names) {
        const auto column = std::find_if(shape.columns.begin(), shape.columns.end(),
                                         [&](const Column &one) { return one.name == name; });
        if (column == shape.columns.end()) return std::nullopt;
        found.push_back(static_cast<std::uint16_t>(column - shape.columns.begin()));
    }
    return found;
}

Shaping::Shaping(const ShapingOptions &options)
    : include_tables_(make_patterns(options.include_tables, "tables.include")),
      exclude_tables_(make_patterns(options.exclude_tables, "tables.exclude")),
      include_columns_(make_patterns(options.include_columns, "columns.include")),
      exclude_columns_(make_patterns(options.exclude_columns, "columns.exclude")),
      topic_(topic_template(options.topic, topic_setting, Template::no_pattern)) {
    for (const std::string &text : options.keys) {
        const auto [pattern, columns] = split(text, key_setting, "COLUMN,COLUMN");
        keys_.push_back({.table = Pattern(pattern, key_setting), .columns = key_columns(columns, text), .text = text});
    }
    for (const std::string &text : options.mask) {
        const auto [pattern, value] = split(text, mask_setting, "TEXT");
        changes_.push_back({.column = Pattern(pattern, mask_setting),
                            .rule = {.change = ColumnChange::mask, .text = value},
                            .text = text});
    }
    for (const std::string &text : options.hash) {
        const auto [pattern, salt] = split(text, hash_setting, "SALT");
        changes_.push_back({.column = Pattern(pattern, hash_setting),
                            .rule = {.change = ColumnChange::hash, .text = salt},
                            .text = pattern + "=****"});
    }
    for (const std::string &text : options.truncate) {
        const auto [pattern, value] = split(text, truncate_setting, "CHARACTERS");
        changes_.push_back({.column = Pattern(pattern, truncate_setting),
                            .rule = {.change = ColumnChange::truncate, .characters = character_count(value, text)},
                            .text = text});
    }
    for (const std::string &text : options.routes) {
        const auto [pattern, topic] = split(text, route_setting, "TOPIC");
        Pattern table = Pattern(pattern, route_setting);
        const int groups = table.group_count();
        routes_.push_back({.table = std::move(table), .topic = topic_template(topic, route_setting, groups)});
    }
}

bool Shaping::publishes(const Shape &shape) const {
    const std::string name = table_name(shape);
    return (include_tables_.empty() || any_matches(include_tables_, name)) && !any_matches(exclude_tables_, name);
}

std::string Shaping::topic(const Shape &shape, std::string_view prefix, std::string_view database) const {
    const std::string name = table_name(shape);
    std::string topic;
    const char *setting = topic_setting;
    const Template *from = &topic_;
    std::vector<std::string> groups;
    for (const Route &route : routes_) {
        groups = route.table.groups(name);
        if (groups.empty()) continue;
        from = &route.topic;
        setting = route_setting;
        break;
    }
    topic = legal_topic(from->expand(shape, prefix, database, groups));
    if (topic.empty()) throw wrong(setting, from->text(), "leaves nothing of a name for the topic of table " + name);
    return topic;
}

std::vector<std::uint16_t> Shaping::key(const Shape &shape) const {
    const std::string name = table_name(shape);
    const KeyRule *unfit = nullptr;
    for (const KeyRule &rule : keys_) {
        if (!rule.table.matches(name)) continue;
        if (std::optional<std::vector<std::uint16_t>> key = find_columns(shape, rule.columns)) return *std::move(key);
        if (unfit == nullptr) unfit = &rule;
    }
    if (unfit == nullptr) return shape.key;
    const auto missing = std::find_if(unfit->columns.begin(), unfit->columns.end(), [&](const std::string &column) {
        return !find_columns(shape, {&column, 1});
    });
    throw wrong(key_setting, unfit->text,
                "names column \"" + *missing + "\", which table " + name +
                    " has not; for changes from before it was renamed, add a rule with the name that it had");
}

const Shaping::ChangeRule *Shaping::change_of(const std::string &column) const {
    const auto found = std::find_if(changes_.begin(), changes_.end(),
                                    [&](const ChangeRule &one) { return one.column.matches(column); });
    return found == changes_.end() ? nullptr : &*found;
}

ColumnRule Shaping::column(const Shape &shape, std::uint16_t position) const {
    const std::string name = table_name(shape) + '.' + shape.columns.at(position).name;
    const ChangeRule *const found = change_of(name);
    ColumnRule rule = found == nullptr ? ColumnRule{} : found->rule;
    rule.published =
        (include_columns_.empty() || any_matches(include_columns_, name)) && !any_matches(exclude_columns_, name);
    if (rule.change == ColumnChange::mask || rule.change == ColumnChange::truncate) {
        const std::vector<std::uint16_t> columns = key(shape);
        if (std::find(columns.begin(), columns.end(), position) != columns.end())
            throw wrong(setting_of(rule.change), found->text,
                        "matches " + name +
                            ", a column of the table's key: it would make different keys equal; "
                            "hash it (columns.hash) or give the table another key (tables.key)");
    }
    return rule;
}

std::vector<IdleRule> Shaping::idle_rules(std::span<const Shape> tables) const {
    std::vector<IdleRule> idle;
    const auto note = [&](const std::string &setting, const std::string &text, const std::string &lack, bool hides) {
        idle.push_back(
            {.text = wrong(setting, text, lack + (hides ? ", so it keeps nothing back" : "")).what(), .hides = hides});
    };
    const auto matches_table = [&](const Pattern &pattern) {
        return std::ranges::any_of(tables, [&](const Shape &table) { return pattern.matches(table_name(table)); });
    };
    const auto matches_column = [&](const Pattern &pattern) {
        return std::ranges::any_of(tables, [&](const Shape &table) {
            const std::string prefix = table_name(table) + '.';
            return std::ranges::any_of(table.columns,
                                       [&](const Column &column) { return pattern.matches(prefix + column.name); });
        });
    };
    const std::string no_table = "matches no captured table";
    const std::string no_column = "matches no column of a captured table";

    for (const Pattern &one : include_tables_)
        if (!matches_table(one)) note("tables.include", one.text(), no_table, false);
    for (const Pattern &one : exclude_tables_)
        if (!matches_table(one)) note("tables.exclude", one.text(), no_table, true);
    for (const Pattern &one : include_columns_)
        if (!matches_column(one)) note("columns.include", one.text(), no_column, false);
    for (const Pattern &one : exclude_columns_)
        if (!matches_column(one)) note("columns.exclude", one.text(), no_column, true);
    for (const ChangeRule &one : changes_)
        if (!matches_column(one.column)) note(setting_of(one.rule.change), one.text, no_column, true);
    for (const Route &one : routes_)
        if (!matches_table(one.table)) note(route_setting, one.table.text() + "=" + one.topic.text(), no_table, false);
    for (const KeyRule &one : keys_) {
        if (!matches_table(one.table))
            note(key_setting, one.text, no_table, false);
        else if (std::ranges::none_of(tables, [&](const Shape &table) {
                     return one.table.matches(table_name(table)) && find_columns(table, one.columns);
                 }))
            note(key_setting, one.text,
                 "names columns that none of its tables has now; it counts for older changes only", false);
    }
    return idle;
}

} // namespace waybill
