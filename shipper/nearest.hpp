// Guesses what somebody meant who misspelt a name.
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

// How many letters have to be inserted, deleted or changed to make `from` `to`.
[[nodiscard]] inline std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

// The name of `names` nearest to `name`; empty when there is none.
template <typename Names>
[[nodiscard]] std::string nearest(std::string_view name, const Names &names) {
    std::string best;
    std::size_t best_distance = std::string::npos;
    for (const auto &candidate : names) {
        const std::size_t distance = edit_distance(name, candidate);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = candidate;
    }
    return best;
}

} // namespace waybill
