// The settings of a format's own section, [maxwell] for instance: only the format knows them.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

class FormatSettings {
public:
    // `section` names them in errors. Throws ConfigError when one of `given` is not among `known`.
    FormatSettings(std::string_view section, const std::map<std::string, std::string> &given,
                   std::initializer_list<std::string_view> known);

    [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise) const;

    // One of `possible`, the first of which is the default. Throws ConfigError.
    [[nodiscard]] std::string choice(std::string_view name, std::initializer_list<std::string_view> possible) const;

    // A list with commas between its items, which are among `possible`, unless that is empty. Throws ConfigError.
    [[nodiscard]] std::vector<std::string> list(std::string_view name, std::string_view otherwise,
                                                std::initializer_list<std::string_view> possible = {}) const;

    // "maxwell.key", for errors.
    [[nodiscard]] std::string key(std::string_view name) const;

private:
    std::string section_;
    const std::map<std::string, std::string> &given_;
};

} // namespace waybill
