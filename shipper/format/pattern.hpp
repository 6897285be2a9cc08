// Regular expressions over names of tables, columns and types, as the settings give them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace waybill {

// A regular expression in RE2's syntax. Like Debezium's lists it has to match the whole name, and does not tell upper
// from lower case ("(?-i)" in it makes it do so).
class Pattern {
public:
    // `where` names the setting, for the error. Throws ConfigError when `text` is empty or no regular expression.
    Pattern(const std::string &text, const std::string &where);
    ~Pattern();
    Pattern(const Pattern &other); // compiles it again
    Pattern &operator=(const Pattern &other);
    Pattern(Pattern &&) noexcept;
    Pattern &operator=(Pattern &&) noexcept;

    [[nodiscard]] bool matches(std::string_view name) const;

    // What the parentheses of the expression matched in `name`, the whole name first; empty when it does not match.
    [[nodiscard]] std::vector<std::string> groups(std::string_view name) const;

    // How many parentheses there are.
    [[nodiscard]] int group_count() const;

    // As it was given.
    [[nodiscard]] const std::string &text() const;

private:
    std::unique_ptr<re2::RE2> expression_;
};

// Whether one of `patterns` matches.
[[nodiscard]] bool any_matches(const std::vector<Pattern> &patterns, std::string_view name);

// One Pattern for each text.
[[nodiscard]] std::vector<Pattern> make_patterns(const std::vector<std::string> &texts, const std::string &where);

} // namespace waybill
