// The settings in environment variables.
#include "settings.hpp"

#include <algorithm>
#include <cctype>

namespace waybill {

namespace {

constexpr std::string_view ours = "WAYBILL_";

// DATABASE_CONNINFO is database.conninfo, KAFKA_LINGER_MS kafka.linger.ms; what belongs to no section gives nothing.
std::string key_of(std::string_view variable) {
    std::string key(variable);
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::vector<std::string> sections = section_names();
    if (std::none_of(sections.begin(), sections.end(),
                     [&](const std::string &section) { return key.starts_with(section + '_'); }))
        return {};
    key[key.find('_')] = '.';
    constexpr std::string_view kafka = "kafka."; // librdkafka's properties have dots, all but this one
    if (key.starts_with(kafka) && key != "kafka.log_level")
        std::replace(key.begin() + kafka.size(), key.end(), '_', '.');
    return key;
}

std::vector<std::string> texts(const std::string &value, Setting::Kind kind) {
    if (kind != Setting::Kind::list) return {value};
    std::vector<std::string> items;
    for (std::size_t begin = 0; begin < value.size();) {
        const std::size_t end = std::min(value.find(';', begin), value.size());
        if (end > begin) items.push_back(value.substr(begin, end - begin));
        begin = end + 1;
    }
    return items;
}

} // namespace

void read_environment(Draft &draft, const std::map<std::string, std::string> &environment) {
    for (const auto &[name, value] : environment) {
        if (!name.starts_with(ours)) continue;
        const std::string key = key_of(std::string_view(name).substr(ours.size()));
        if (key.empty()) continue; // somebody else's
        const std::string origin = "environment variable " + name;
        if (const Setting *const setting = find_setting(key))
            setting->set(draft.options, texts(value, setting->kind), origin + ": " + key);
        else if (!open_section(key).empty())
            set_open(draft, key, value);
        else
            fail_unknown(key, origin);
    }
}

} // namespace waybill
