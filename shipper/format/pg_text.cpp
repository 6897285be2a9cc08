#include "pg_text.hpp"

#include "../errors.hpp"
#include "calendar.hpp"

#include <algorithm>
#include <charconv>

namespace waybill::pg_text {

namespace {

// PostgreSQL's own limits, which keep the arithmetic below from overflow.
constexpr std::int64_t max_date_year = 5'874'897;
constexpr std::int64_t max_timestamp_year = 294'276;
constexpr std::int64_t max_year_bc = 4'714;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Takes text from the front; every failure says what was expected.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] bool at_digit() const { return !rest_.empty() && is_digit(rest_.front()); }

    bool skip(std::string_view expected) {
        if (rest_.substr(0, expected.size()) != expected) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }

    void expect(std::string_view expected, const char *what) {
        if (!skip(expected)) fail(what);
    }

    std::int64_t number(std::int64_t max, const char *what) {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (!at_digit() || error != std::errc() || value > max) fail(what);
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }

    // What is behind a second's point, in microseconds; 0 when there is no point.
    std::int64_t fraction_us() {
        if (!skip(".")) return 0;
        std::int64_t value = 0;
        std::int64_t unit = us_per_second;
        while (at_digit() && unit > 1) {
            unit /= 10;
            value += (rest_.front() - '0') * unit;
            rest_.remove_prefix(1);
        }
        return value;
    }

    void finish(const char *what) const {
        if (!at_end()) fail(what);
    }

    [[noreturn]] static void fail(const char *what) {
        throw DataError(std::string("the text of ") + what + " does not read");
    }

private:
    std::string_view rest_;
};

CivilDate scan_date(Scanner &scanner, std::int64_t last_year) {
    CivilDate date;
    date.year = scanner.number(last_year, "a date");
    scanner.expect("-", "a date");
    date.month = static_cast<std::uint32_t>(scanner.number(12, "a date"));
    scanner.expect("-", "a date");
    date.day = static_cast<std::uint32_t>(scanner.number(31, "a date"));
    if (date.month == 0 || date.day == 0) Scanner::fail("a date");
    return date;
}

void scan_era(Scanner &scanner, CivilDate &date) {
    if (!scanner.skip(" BC")) return;
    if (date.year > max_year_bc) Scanner::fail("a date");
    date.year = 1 - date.year;
}

std::int64_t scan_time(Scanner &scanner, std::int64_t max_hours) {
    const std::int64_t hours = scanner.number(max_hours, "a time");
    scanner.expect(":", "a time");
    const std::int64_t minutes = scanner.number(59, "a time");
    std::int64_t us = 0;
    if (scanner.skip(":")) {
        us = scanner.number(60, "a time") * us_per_second;
        us += scanner.fraction_us();
    }
    return (hours * 60 + minutes) * 60 * us_per_second + us;
}

// "+02", "-03:30", "+00:19:32"; 0 when there is none.
std::int32_t scan_seconds_west(Scanner &scanner) {
    const bool east = scanner.skip("+");
    if (!east && !scanner.skip("-")) return 0;
    std::int64_t seconds = scanner.number(99, "a time zone") * 3600;
    if (scanner.skip(":")) seconds += scanner.number(59, "a time zone") * 60;
    if (scanner.skip(":")) seconds += scanner.number(59, "a time zone");
    return static_cast<std::int32_t>(east ? -seconds : seconds);
}

} // namespace

bool parse_bool(std::string_view text) {
    if (text == "t" || text == "true") return true;
    if (text != "f" && text != "false") Scanner::fail("a boolean");
    return false;
}

std::int64_t parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) Scanner::fail("an integer");
    return value;
}

std::int32_t parse_date(std::string_view text) {
    if (text == "infinity") return infinity<std::int32_t>;
    if (text == "-infinity") return minus_infinity<std::int32_t>;
    Scanner scanner(text);
    CivilDate date = scan_date(scanner, max_date_year);
    scan_era(scanner, date);
    scanner.finish("a date");
    return static_cast<std::int32_t>(days_from_civil(date) - pg_epoch_days);
}

std::int64_t parse_time(std::string_view text) {
    Scanner scanner(text);
    const std::int64_t us = scan_time(scanner, 24);
    scanner.finish("a time");
    return us;
}

TimeTz parse_timetz(std::string_view text) {
    Scanner scanner(text);
    TimeTz time;
    time.us = scan_time(scanner, 24);
    time.seconds_west = scan_seconds_west(scanner);
    scanner.finish("a time with time zone");
    return time;
}

std::int64_t parse_timestamp(std::string_view text) {
    if (text == "infinity") return infinity<std::int64_t>;
    if (text == "-infinity") return minus_infinity<std::int64_t>;
    Scanner scanner(text);
    CivilDate date = scan_date(scanner, max_timestamp_year);
    scanner.expect(" ", "a timestamp");
    std::int64_t us = scan_time(scanner, 24);
    us += scan_seconds_west(scanner) * us_per_second;
    scan_era(scanner, date);
    scanner.finish("a timestamp");
    return (days_from_civil(date) - pg_epoch_days) * us_per_day + us;
}

Interval parse_interval(std::string_view text) {
    constexpr const char *what = "an interval";
    constexpr Interval infinite{infinity<std::int64_t>, infinity<std::int32_t>, infinity<std::int32_t>};
    constexpr Interval minus_infinite{minus_infinity<std::int64_t>, minus_infinity<std::int32_t>,
                                      minus_infinity<std::int32_t>};
    if (text == "infinity") return infinite;
    if (text == "-infinity") return minus_infinite;
    Scanner scanner(text);
    std::int64_t months = 0;
    std::int64_t days = 0;
    Interval interval;
    do {
        const bool negative = scanner.skip("-");
        if (!negative) scanner.skip("+");
        // A time's hours are the only number with a colon behind it.
        Scanner time = scanner;
        const std::int64_t count = scanner.number(std::numeric_limits<std::int64_t>::max(), what);
        const std::int64_t sign = negative ? -1 : 1;
        if (!scanner.skip(" ")) {
            // Hours of the largest interval have ten digits: 2^63 us = 2562047788 h.
            interval.us = sign * scan_time(time, 2'562'047'787);
            scanner = time;
            break;
        }
        if (count > std::numeric_limits<std::int32_t>::max()) Scanner::fail(what);
        if (scanner.skip("years") || scanner.skip("year"))
            months += sign * count * 12;
        else if (scanner.skip("mons") || scanner.skip("mon"))
            months += sign * count;
        else if (scanner.skip("days") || scanner.skip("day"))
            days += sign * count;
        else
            Scanner::fail(what);
    } while (scanner.skip(" "));
    scanner.finish(what);
    const auto narrow = [](std::int64_t value) {
        if (value != static_cast<std::int32_t>(value)) Scanner::fail(what);
        return static_cast<std::int32_t>(value);
    };
    interval.months = narrow(months);
    interval.days = narrow(days);
    return interval;
}

std::int64_t parse_money(std::string_view text) {
    const bool negative = text.find('-') != text.npos || text.find('(') != text.npos;
    std::string digits;
    std::size_t digits_behind_separator = 0;
    char separator = 0; // the last of groups and fraction; only a fraction has two digits
    for (const char c : text) {
        if (is_digit(c)) {
            digits += c;
            ++digits_behind_separator;
        } else if (!digits.empty() && (c == '.' || c == ',')) {
            separator = c;
            digits_behind_separator = 0;
        }
    }
    if (digits.empty()) Scanner::fail("an amount of money");
    if (separator == 0 || digits_behind_separator != 2) digits += "00";
    // Read with its sign: the smallest amount has no positive counterpart.
    if (negative) digits.insert(0, 1, '-');
    return parse_integer(digits);
}

std::string parse_hex(std::string_view text) {
    const auto digit = [](char c) {
        if (is_digit(c)) return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        Scanner::fail("a bytea");
    };
    if (text.substr(0, 2) != "\\x" || text.size() % 2 != 0) Scanner::fail("a bytea");
    std::string bytes;
    bytes.reserve(text.size() / 2 - 1);
    for (std::size_t at = 2; at < text.size(); at += 2)
        bytes += static_cast<char>(digit(text[at]) << 4 | digit(text[at + 1]));
    return bytes;
}

template <typename Float>
Float parse_float(std::string_view text) {
    Float value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) Scanner::fail("a floating-point number");
    return value;
}

template float parse_float<float>(std::string_view text);
template double parse_float<double>(std::string_view text);

} // namespace waybill::pg_text
