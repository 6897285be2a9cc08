// What of the captured tables is published, under which topics and keys, and what becomes of single columns.
#pragma once

#include "../change.hpp"
#include "pattern.hpp"
#include "template.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// The settings as the user gave them. Patterns are matched against schema.table or schema.table.column; "PATTERN=VALUE"
// is split at the first "=".
struct ShapingOptions {
    std::vector<std::string> include_tables{};
    std::vector<std::string> exclude_tables{};
    std::vector<std::string> keys{}; // PATTERN=column,column
    std::vector<std::string> include_columns{};
    std::vector<std::string> exclude_columns{};
    std::vector<std::string> mask{};     // PATTERN=text
    std::vector<std::string> hash{};     // PATTERN=salt; the salt is a secret
    std::vector<std::string> truncate{}; // PATTERN=characters
    std::string topic = "{prefix}.{schema}.{table}";
    std::vector<std::string> routes{}; // PATTERN=template
};

// What becomes of a column.
struct ColumnRule {
    enum class Change : std::uint8_t { none, mask, hash, truncate };

    bool published = true; // in the row; a key has all its columns
    Change change = Change::none;
    std::string text{};         // mask: what is published instead; hash: the salt
    std::size_t characters = 0; // truncate: how many are left
};

// A rule that does nothing to the tables there are.
struct IdleRule {
    std::string text; // one line: which rule, and what it misses
    bool hides;       // what it was to keep back is published
};

// Makes `name` a topic's name as Debezium does: what Kafka does not allow becomes "_", and 249 characters are left.
[[nodiscard]] std::string legal_topic(std::string_view name);

// Where the columns of these names are; nothing unless the shape has them all.
[[nodiscard]] std::optional<std::vector<std::uint16_t>> find_columns(const Shape &shape,
                                                                     std::span<const std::string> names);

// The rules, read once. Of several that match a table or column the first one counts.
class Shaping {
public:
    // Throws ConfigError, with the setting and what is wrong with its text.
    explicit Shaping(const ShapingOptions &options);

    // Whether the table is included, or nothing is said about that, and not excluded.
    [[nodiscard]] bool publishes(const Shape &shape) const;

    // The first route whose pattern matches, or else topics.name. Throws ConfigError when nothing is left of the name.
    [[nodiscard]] std::string topic(const Shape &shape, std::string_view prefix, std::string_view database) const;

    // Positions of the key's columns in the key's order: the table's own key unless tables.key says otherwise. Of the
    // rules for the table the first one counts whose columns the shape has, so that there can be one for each name that
    // a column had. Throws ConfigError when the shape fits none of them.
    [[nodiscard]] std::vector<std::uint16_t> key(const Shape &shape) const;

    // What becomes of the column at `position` of the shape: of mask, hash and truncate the first that matches.
    // Throws ConfigError when different keys would become equal, and what key() throws.
    [[nodiscard]] ColumnRule column(const Shape &shape, std::uint16_t position) const;

    // The rules that match nothing of `tables`.
    [[nodiscard]] std::vector<IdleRule> idle_rules(std::span<const Shape> tables) const;

private:
    struct KeyRule {
        Pattern table;
        std::vector<std::string> columns;
        std::string text; // as it was given
    };
    struct ChangeRule {
        Pattern column;
        ColumnRule rule;
        std::string text; // as it was given, without a salt
    };
    struct Route {
        Pattern table;
        Template topic;
    };

    [[nodiscard]] const ChangeRule *change_of(const std::string &column) const;

    std::vector<Pattern> include_tables_;
    std::vector<Pattern> exclude_tables_;
    std::vector<Pattern> include_columns_;
    std::vector<Pattern> exclude_columns_;
    std::vector<KeyRule> keys_;
    std::vector<ChangeRule> changes_; // masks, then hashes, then truncations
    std::vector<Route> routes_;
    Template topic_;
};

} // namespace waybill
