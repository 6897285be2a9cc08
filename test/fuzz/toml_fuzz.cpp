// Any bytes as a configuration file: what is within the limits has no more levels than they promise, so the parser's
// recursion is bounded. Small limits, so that short inputs reach them.
#include "fuzzing.hpp"
#include "toml.hpp"
#include "toml_limits.hpp"

#include <algorithm>

namespace waybill {
namespace {

using fuzzing::require;

constexpr TomlLimits limits{.bytes = 1 << 16, .brackets = 2, .dots = 2};

// A header's keys, then those inside of each bracket; each may come with an array around it.
constexpr std::size_t max_levels = (limits.brackets + 2) * (limits.dots + 2);

std::size_t levels(const toml::node &node) {
    std::size_t deepest = 0;
    if (const toml::table *const table = node.as_table())
        for (const auto &[name, inner] : *table) deepest = std::max(deepest, levels(inner));
    if (const toml::array *const array = node.as_array())
        for (const toml::node &inner : *array) deepest = std::max(deepest, levels(inner));
    return deepest + 1;
}

void check(std::string_view text) {
    if (objection_to_toml(text, limits)) return;
    try {
        require(levels(toml::parse(text)) <= max_levels + 1, "more levels than the limits allow");
    } catch (const toml::parse_error &) { // not TOML: nothing of it is used
    } catch (const TomlSurprise &) {
    }
}

} // namespace
} // namespace waybill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    waybill::check(waybill::fuzzing::Bytes(data, size).rest());
    return 0;
}
