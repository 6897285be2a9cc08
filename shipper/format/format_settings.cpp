#include "format_settings.hpp"

#include "../errors.hpp"
#include "../nearest.hpp"

#include <algorithm>

namespace waybill {

namespace {

std::string trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == text.npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(' ') + 1 - begin));
}

void require_possible(const std::string &where, const std::string &value,
                      std::initializer_list<std::string_view> possible) {
    if (std::find(possible.begin(), possible.end(), value) != possible.end()) return;
    std::string list;
    for (const std::string_view one : possible) list += (list.empty() ? "\"" : ", \"") + std::string(one) + '"';
    throw ConfigError(where + " = \"" + value + "\" is not supported; possible: " + list);
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
    const std::string all = text(name, otherwise);
    std::vector<std::string> items;
    for (std::size_t at = 0; at <= all.size();) {
        const std::size_t comma = std::min(all.find(',', at), all.size());
        if (std::string item = trimmed(std::string_view(all).substr(at, comma - at)); !item.empty()) {
            if (possible.size() != 0) require_possible(key(name), item, possible);
            items.push_back(std::move(item));
        }
        at = comma + 1;
    }
    return items;
}

} // namespace waybill
