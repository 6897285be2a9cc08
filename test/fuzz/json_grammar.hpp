// Whether a text is JSON by the grammar of RFC 8259: numbers of any size, escapes of any code unit. RapidJSON, which
// makes values of them, knows less.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace waybill::fuzzing {

class JsonGrammar {
public:
    explicit JsonGrammar(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool matches() {
        skip_space();
        return value() && rest_.empty();
    }

private:
    bool skip(std::string_view expected) {
        if (!rest_.starts_with(expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }

    // How many of the characters in [first, last] come next.
    std::size_t skip_all(char first, char last) {
        std::size_t count = 0;
        for (; !rest_.empty() && rest_.front() >= first && rest_.front() <= last; ++count) rest_.remove_prefix(1);
        return count;
    }

    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

    // With the space behind it.
    bool value() {
        const bool read = skip("{")    ? list('}', true)
                          : skip("[")  ? list(']', false)
                          : skip("\"") ? string()
                                       : skip("true") || skip("false") || skip("null") || number();
        skip_space();
        return read;
    }

    bool list(char end, bool has_names) {
        skip_space();
        if (skip({&end, 1})) return true;
        do {
            skip_space();
            if (has_names && !(skip("\"") && string() && (skip_space(), skip(":")) && (skip_space(), true)))
                return false;
            if (!value()) return false;
        } while (skip(","));
        return skip({&end, 1});
    }

    // Behind its first quote.
    bool string() {
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') return true;
            if (c >= 0 && c < ' ') return false;
            if (c == '\\' && !escape()) return false;
        }
        return false;
    }

    bool escape() {
        if (skip("u")) {
            if (rest_.substr(0, 4).find_first_not_of("0123456789abcdefABCDEF") != rest_.npos || rest_.size() < 4)
                return false;
            rest_.remove_prefix(4);
            return true;
        }
        if (rest_.empty() || std::string_view("\"\\/bfnrt").find(rest_.front()) == rest_.npos) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool number() {
        skip("-");
        if (!skip("0") && skip_all('0', '9') == 0) return false;
        if (skip(".") && skip_all('0', '9') == 0) return false;
        if (!skip("e") && !skip("E")) return true;
        if (!skip("+")) skip("-");
        return skip_all('0', '9') != 0;
    }

    std::string_view rest_;
};

inline bool is_json(std::string_view text) {
    return JsonGrammar(text).matches();
}

} // namespace waybill::fuzzing
