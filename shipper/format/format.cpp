#include "format.hpp"

#include "../errors.hpp"
#include "cloudevents.hpp"
#include "debezium.hpp"
#include "flattened.hpp"
#include "maxwell.hpp"

#include <algorithm>
#include <array>

namespace waybill {

namespace {

struct Entry {
    std::string_view name;
    std::unique_ptr<Format> (*make)(const Source &, const FormatOptions &);
};

constexpr std::array formats{
    Entry{"debezium", make_debezium_format},
    Entry{"flattened", make_flattened_format},
    Entry{"maxwell", make_maxwell_format},
    Entry{"cloudevents", make_cloudevents_format},
};

} // namespace

std::unique_ptr<Format> make_format(std::string_view name, const Source &source, const FormatOptions &options) {
    const auto *const found =
        std::find_if(formats.begin(), formats.end(), [&](const Entry &one) { return one.name == name; });
    if (found == formats.end()) throw ConfigError("there is no format \"" + std::string(name) + '"');
    return found->make(source, options);
}

std::vector<std::string_view> format_names() {
    std::vector<std::string_view> names;
    names.reserve(formats.size());
    for (const Entry &one : formats) names.push_back(one.name);
    return names;
}

} // namespace waybill
