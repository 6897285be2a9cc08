// What the log makes of texts that come from elsewhere, names and messages of servers among them: nothing in them can
// end a line, move a terminal's cursor or leave a JSON string. Pure.
#pragma once

#include <string>
#include <string_view>

namespace waybill {

// `text` in one line for people: control characters, those that turn the direction of writing, and bytes that are no
// UTF-8 as \n, \u001b, \xff.
[[nodiscard]] std::string printable(std::string_view text);

// `text` as the inside of a JSON string. What is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_escaped(std::string_view text);

} // namespace waybill
