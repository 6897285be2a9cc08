#include "geometry_json.hpp"

#include "java_float.hpp"
#include "pg_value.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace waybill {

namespace {

// Well-known binary, little-endian.
class WellKnownBinary {
public:
    enum class Kind : std::uint8_t { point = 1, line_string = 2, polygon = 3 };

    explicit WellKnownBinary(Kind kind) : bytes_{1, static_cast<char>(kind), 0, 0, 0} {}

    void count(std::size_t number) { put(number, 4); }
    void coordinates(const Point &point) {
        put(std::bit_cast<std::uint64_t>(point.x), 8);
        put(std::bit_cast<std::uint64_t>(point.y), 8);
    }

    [[nodiscard]] std::string_view bytes() const { return bytes_; }

private:
    void put(std::uint64_t number, unsigned size) {
        for (unsigned byte = 0; byte < size; ++byte) bytes_ += static_cast<char>(number >> (8 * byte) & 0xFF);
    }

    std::string bytes_;
};

// The numbers in a value's text, whatever parentheses are around them.
std::vector<double> numbers_of(const Value &value) {
    constexpr std::string_view between = "()[]<>{},";
    require_text(value);
    std::vector<double> numbers;
    std::string_view rest = value.bytes;
    for (;;) {
        rest.remove_prefix(std::min(rest.find_first_not_of(between), rest.size()));
        if (rest.empty()) return numbers;
        const std::size_t end = std::min(rest.find_first_of(between), rest.size());
        numbers.push_back(pg_text::parse_float<double>(rest.substr(0, end)));
        rest.remove_prefix(end);
    }
}

std::vector<double> numbers_of(const Value &value, std::size_t count) {
    std::vector<double> numbers = numbers_of(value);
    if (numbers.size() != count) throw DataError("the text of a geometric value does not read");
    return numbers;
}

std::vector<Point> points_of(const Value &value) {
    const std::vector<double> numbers = numbers_of(value);
    if (numbers.empty() || numbers.size() % 2 != 0) throw DataError("the text of a geometric value does not read");
    std::vector<Point> points;
    for (std::size_t at = 0; at < numbers.size(); at += 2) points.push_back({.x = numbers[at], .y = numbers[at + 1]});
    return points;
}

// Both coordinates, and once more as well-known binary.
void write_point(JsonWriter &out, const Point &point) {
    WellKnownBinary wkb(WellKnownBinary::Kind::point);
    wkb.coordinates(point);
    out.raw("{\"x\":");
    write_java_float(out, point.x);
    out.raw(",\"y\":");
    write_java_float(out, point.y);
    out.raw(",\"wkb\":");
    out.base64(wkb.bytes());
    out.raw(",\"srid\":null}");
}

// The four corners of a box, of which two are given, and the first once more.
std::vector<Point> outline_of_box(const std::vector<Point> &corners) {
    if (corners.size() != 2) throw DataError("the text of a box does not read");
    const Point &high = corners[0];
    const Point &low = corners[1];
    return {high, {.x = high.x, .y = low.y}, low, {.x = low.x, .y = high.y}, high};
}

} // namespace

void write_point(JsonWriter &out, const Value &value) {
    write_point(out, point_of(value));
}

void write_outline(JsonWriter &out, const ValueType &type, const Value &value) {
    std::vector<Point> points = points_of(value);
    if (type.oid == TypeOid::box) points = outline_of_box(points);
    const bool is_area = type.mapping == Mapping::polygon;
    if (type.oid == TypeOid::polygon && (points.front().x != points.back().x || points.front().y != points.back().y))
        points.push_back(points.front());
    WellKnownBinary wkb(is_area ? WellKnownBinary::Kind::polygon : WellKnownBinary::Kind::line_string);
    if (is_area) wkb.count(1); // rings
    wkb.count(points.size());
    for (const Point &point : points) wkb.coordinates(point);
    out.raw("{\"wkb\":");
    out.base64(wkb.bytes());
    out.raw(",\"srid\":null,\"extensions\":{\"type\":");
    switch (type.oid) {
    case TypeOid::lseg: out.raw("\"lseg\""); break;
    case TypeOid::path:
        out.raw(value.bytes.front() == '[' ? R"("path","closed":"false")" : R"("path","closed":"true")");
        break;
    case TypeOid::box: out.raw("\"box\""); break;
    default: out.raw("\"polygon\""); break;
    }
    out.raw("}}");
}

void write_line(JsonWriter &out, const Value &value) {
    const std::vector<double> numbers = numbers_of(value, 3);
    out.raw("{\"a\":");
    write_java_float(out, numbers[0]);
    out.raw(",\"b\":");
    write_java_float(out, numbers[1]);
    out.raw(",\"c\":");
    write_java_float(out, numbers[2]);
    out.raw('}');
}

void write_circle(JsonWriter &out, const Value &value) {
    const std::vector<double> numbers = numbers_of(value, 3);
    out.raw("{\"center\":");
    write_point(out, Point{.x = numbers[0], .y = numbers[1]});
    out.raw(",\"radius\":");
    write_java_float(out, numbers[2]);
    out.raw('}');
}

// Hexadecimal digits of EWKB: the order of bytes, the type with flags, the reference system when it has one.
void write_geometry(JsonWriter &out, const ValueType &type, const Value &value) {
    constexpr std::uint32_t has_srid = 0x20000000;
    require_text(value);
    const std::string wkb = pg_text::parse_hex("\\x" + std::string(value.bytes));
    BinaryReader reader(wkb);
    const bool little_endian = reader.bytes(1).front() == 1;
    const auto number = [&] {
        const std::uint32_t read = reader.uint32();
        return little_endian ? __builtin_bswap32(read) : read;
    };
    out.raw("{\"wkb\":");
    out.base64(wkb);
    out.raw(",\"srid\":");
    if ((number() & has_srid) != 0)
        out.integer(static_cast<std::int32_t>(number()));
    else
        out.raw("null");
    out.raw(type.mapping == Mapping::geography ? "}" : ",\"extensions\":null}");
}

} // namespace waybill
