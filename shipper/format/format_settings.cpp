#include "format_settings.hpp"

#include "../errors.hpp"
#include "../nearest.hpp"
#include "setting_text.hpp"

#include <algorithm>

namespace waybill {

namespace {

void require_possible(const std::string &where, const std::string &value,
                      std::initializer_list<std::string_view> possible) {
    if (std::find(possible.begin(), possible.end(), value) == possible.end())
        fail_unsupported(value, where, {possible.begin(), possible.size()});
}

} // namespace

FormatSettings::FormatSettings(std::string_view section, const std::map<std::string, std::string> &given,
                               std::initializer_list<std::string_view> known)
    : section_(section), given_(given) {
    for (const auto &[name, value] : given)
        if (std::find(known.begin(), known.end(), name) == known.end())
            throw ConfigError(key(name) + " is not a setting; did you mean " +
                              key(nearest(name, std::vector<std::string>(known.begin(), known.end()))) + "?");
}

std::string FormatSettings::key(std::string_view name) const {
    return section_ + '.' + std::string(name);
}

std::string FormatSettings::text(std::string_view name, std::string_view otherwise) const {
    const auto found = given_.find(std::string(name));
    return found == given_.end() ? std::string(otherwise) : found->second;
}

std::string FormatSettings::choice(std::string_view name, std::initializer_list<std::string_view> possible) const {
    std::string value = text(name, *possible.begin());
    require_possible(key(name), value, possible);
    return value;
}

std::vector<std::string> FormatSettings::list(std::string_view name, std::string_view otherwise,
                                              std::initializer_list<std::string_view> possible) const {
    std::vector<std::string> items = split_at_commas(text(name, otherwise));
    std::erase(items, "");
    if (possible.size() != 0)
        for (const std::string &item : items) require_possible(key(name), item, possible);
    return items;
}

} // namespace waybill
