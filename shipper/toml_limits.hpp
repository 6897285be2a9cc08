// What a configuration file has to be like before toml++ may see it. That recurses, once per level of what it has read,
// and a file of a few hundred kB could have levels enough to use up any stack; and what it does with some characters
// where TOML has only ASCII is undefined. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace waybill {

struct TomlLimits {
    std::size_t bytes = std::size_t{1} << 20;
    // The levels add up: keys between the brackets, each with its dots.
    std::size_t brackets = 32; // open at a time
    std::size_t dots = 32;     // in a line, outside of strings: "a.b.c", "[a.b]", but also "1.5"
};

// Why `toml` should not be parsed, for people; nullopt: it can be. Sees strings and comments as TOML has them; where
// `toml` is not TOML the parser gets no further either.
[[nodiscard]] std::optional<std::string> objection_to_toml(std::string_view toml, const TomlLimits &limits = {});

} // namespace waybill
