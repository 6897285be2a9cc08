#include "template.hpp"

#include "../errors.hpp"

#include <array>
#include <utility>

namespace waybill {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

} // namespace

Template::Template(std::string text, const std::string &where, int groups) : text_(std::move(text)) {
    std::size_t at = 0;
    while (at < text_.size()) {
        switch (text_[at]) {
        case '{': at = add_placeholder(at, where); break;
        case '$': at = add_group(at, where, groups); break;
        case '}': throw ConfigError(where + ": \"" + text_ + "\" has a \"}\" without \"{\"");
        default: add_text(text_[at++]);
        }
    }
}

void Template::add_text(char c) {
    if (parts_.empty() || parts_.back().kind != Part::Kind::text) parts_.emplace_back();
    parts_.back().text += c;
}

// Returns where the text goes on.
std::size_t Template::add_placeholder(std::size_t open, const std::string &where) {
    using enum Part::Kind;
    constexpr std::array known{
        std::pair{std::string_view("{prefix}"), prefix}, std::pair{std::string_view("{database}"), database},
        std::pair{std::string_view("{schema}"), schema}, std::pair{std::string_view("{table}"), table}};
    const std::size_t close = text_.find('}', open);
    if (close == std::string::npos) throw ConfigError(where + ": \"" + text_ + "\" has a \"{\" without \"}\"");
    const std::string name = text_.substr(open, close + 1 - open);
    for (const auto &[placeholder, kind] : known)
        if (name == placeholder) {
            parts_.push_back({.kind = kind, .text = {}, .group = 0});
            return close + 1;
        }
    throw ConfigError(where + ": \"" + text_ + "\" has the unknown placeholder " + name +
                      "; possible: {prefix}, {database}, {schema}, {table}");
}

std::size_t Template::add_group(std::size_t dollar, const std::string &where, int groups) {
    std::size_t at = dollar + 1;
    if (at == text_.size() || !is_digit(text_[at]))
        throw ConfigError(where + ": \"" + text_ + "\" has a \"$\" without the number of a group behind it");
    if (groups == no_pattern)
        throw ConfigError(where + ": \"" + text_ + "\" has $" + text_[at] +
                          ", but there is no pattern with groups here");
    int group = text_[at++] - '0';
    if (group > groups)
        throw ConfigError(where + ": \"" + text_ + "\" has $" + std::to_string(group) + ", but the pattern has " +
                          (groups == 0 ? "no group" : std::to_string(groups) + (groups == 1 ? " group" : " groups")));
    constexpr int base = 10;
    for (; at < text_.size() && is_digit(text_[at]) && group * base + (text_[at] - '0') <= groups; ++at)
        group = group * base + (text_[at] - '0');
    parts_.push_back({.kind = Part::Kind::group, .text = {}, .group = static_cast<std::size_t>(group)});
    return at;
}

std::string Template::expand(const Shape &shape, std::string_view prefix, std::string_view database,
                             std::span<const std::string> groups) const {
    std::string name;
    for (const Part &part : parts_) {
        switch (part.kind) {
        case Part::Kind::text: name += part.text; break;
        case Part::Kind::prefix: name += prefix; break;
        case Part::Kind::database: name += database; break;
        case Part::Kind::schema: name += shape.schema; break;
        case Part::Kind::table: name += shape.table; break;
        case Part::Kind::group: name += groups[part.group]; break;
        }
    }
    return name;
}

} // namespace waybill
