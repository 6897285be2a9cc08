// Names made from the name of a table: "{prefix}.{schema}.{table}".
#pragma once

#include "../change.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// A text with placeholders: {prefix}, {database}, {schema}, {table}, and $0, $1, … for what the groups of a pattern
// matched ($0: the whole name). As in Java's replacements a second digit belongs to the number only when there are so
// many groups.
class Template {
public:
    // `where` names the setting, for the error; `groups` is how many the pattern has, or no_pattern.
    // Throws ConfigError when `text` has a placeholder that does not exist.
    static constexpr int no_pattern = -1;
    Template(std::string text, const std::string &where, int groups = no_pattern);

    // The name for a table. `groups` are what Pattern::groups() gave.
    [[nodiscard]] std::string expand(const Shape &shape, std::string_view prefix, std::string_view database,
                                     std::span<const std::string> groups = {}) const;

    // As it was given.
    [[nodiscard]] const std::string &text() const { return text_; }

private:
    struct Part {
        enum class Kind : std::uint8_t { text, prefix, database, schema, table, group };
        Kind kind = Kind::text;
        std::string text;
        std::size_t group = 0;
    };

    void add_text(char c);
    std::size_t add_placeholder(std::size_t open, const std::string &where);
    std::size_t add_group(std::size_t dollar, const std::string &where, int groups);

    std::string text_;
    std::vector<Part> parts_;
};

} // namespace waybill
