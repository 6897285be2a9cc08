#include "pattern.hpp"

#include "../errors.hpp"

#include <re2/re2.h>

#include <algorithm>

namespace waybill {

namespace {

re2::RE2::Options options() {
    re2::RE2::Options made;
    made.set_case_sensitive(false);
    made.set_dot_nl(true); // a name may have any character
    made.set_log_errors(false);
    return made;
}

} // namespace

Pattern::Pattern(const std::string &text, const std::string &where)
    : expression_(std::make_unique<re2::RE2>(text, options())) {
    if (text.empty()) throw ConfigError(where + ": a pattern is empty, so it matches nothing");
    if (!expression_->ok())
        throw ConfigError(where + ": \"" + text + "\" is not a regular expression: " + expression_->error());
}

Pattern::~Pattern() = default;

Pattern::Pattern(const Pattern &other)
    : expression_(std::make_unique<re2::RE2>(other.expression_->pattern(), other.expression_->options())) {}

Pattern &Pattern::operator=(const Pattern &other) {
    if (this != &other) *this = Pattern(other);
    return *this;
}

Pattern::Pattern(Pattern &&) noexcept = default;
Pattern &Pattern::operator=(Pattern &&) noexcept = default;

bool Pattern::matches(std::string_view name) const {
    return re2::RE2::FullMatch({name.data(), name.size()}, *expression_);
}

std::vector<std::string> Pattern::groups(std::string_view name) const {
    std::vector<re2::StringPiece> found(static_cast<std::size_t>(group_count()) + 1);
    if (!expression_->Match({name.data(), name.size()}, 0, name.size(), re2::RE2::ANCHOR_BOTH, found.data(),
                            static_cast<int>(found.size())))
        return {};
    std::vector<std::string> texts;
    texts.reserve(found.size());
    for (const re2::StringPiece &piece : found) texts.emplace_back(piece.data(), piece.size());
    return texts;
}

int Pattern::group_count() const {
    return expression_->NumberOfCapturingGroups();
}

const std::string &Pattern::text() const {
    return expression_->pattern();
}

bool any_matches(const std::vector<Pattern> &patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern &one) { return one.matches(name); });
}

std::vector<Pattern> make_patterns(const std::vector<std::string> &texts, const std::string &where) {
    std::vector<Pattern> made;
    made.reserve(texts.size());
    for (const std::string &text : texts) made.emplace_back(text, where);
    return made;
}

} // namespace waybill
