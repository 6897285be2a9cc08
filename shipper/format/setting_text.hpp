// What reading the text of a setting has in common, wherever the setting stands.
#pragma once

#include "../errors.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// The items of "a, b,c" without the spaces around them; empty ones too.
[[nodiscard]] inline std::vector<std::string> split_at_commas(std::string_view list) {
    std::vector<std::string> items;
    for (std::size_t begin = 0; begin <= list.size();) {
        const std::size_t end = std::min(list.find(',', begin), list.size());
        const std::string_view item = list.substr(begin, end - begin);
        const std::size_t first = std::min(item.find_first_not_of(' '), item.size());
        items.emplace_back(item.substr(first, item.find_last_not_of(' ') + 1 - first));
        begin = end + 1;
    }
    return items;
}

// Throws ConfigError that says what `where` could be instead of `value`.
[[noreturn]] inline void fail_unsupported(const std::string &value, const std::string &where,
                                          std::span<const std::string_view> possible) {
    std::string list;
    for (const std::string_view one : possible) list += (list.empty() ? "\"" : ", \"") + std::string(one) + '"';
    throw ConfigError(where + " = \"" + value + "\" is not supported; possible: " + list);
}

} // namespace waybill
