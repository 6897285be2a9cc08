// Expected texts are what PostgreSQL prints under the settings that the extension pins.
#include "errors.hpp"
#include "format/pg_text_writer.hpp"
#include "pg_values.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

namespace waybill {
namespace {

using testing::array;
using testing::array_column;
using testing::column;
using testing::float4;
using testing::float8;
using testing::int2;
using testing::int4;
using testing::int8;
using testing::negative;
using testing::numeric;

constexpr std::int64_t us_per_day = 86'400'000'000;

std::string text(const Column &column, std::string_view bytes) {
    JsonWriter out;
    try {
        write_pg_text(out, value_type_of(column), testing::binary(bytes));
    } catch (const DataError &error) {
        return std::string("DataError: ") + error.what();
    }
    return std::string(out.view());
}

std::string text(std::uint32_t type, std::string_view bytes) {
    return text(column("c", type), bytes);
}

bool is_error(const std::string &text) {
    return text.rfind("DataError: ", 0) == 0;
}

TEST(PgText, IsWhatWasCapturedAsText) {
    JsonWriter out;
    write_pg_text(out, value_type_of(column("c", 1041)), testing::text("{10.0.0.1,NULL}"));
    EXPECT_EQ(out.view(), "{10.0.0.1,NULL}");
}

TEST(PgText, WritesWhatNeedsNoRules) {
    EXPECT_EQ(text(16, std::string_view("\1", 1)), "t");
    EXPECT_EQ(text(16, std::string_view("\0", 1)), "f");
    EXPECT_EQ(text(21, int2(-7)), "-7");
    EXPECT_EQ(text(26, int4(-1)), "4294967295");
    EXPECT_EQ(text(25, "a\"\n\\"), "a\"\n\\");
    EXPECT_EQ(text(17, std::string_view("\0\xFF", 2)), "\\x00ff");
    EXPECT_EQ(text(17, ""), "\\x");
    EXPECT_EQ(text(18, "a"), "a");
    EXPECT_EQ(text(18, "\xFF"), "\\377");
    EXPECT_EQ(text(18, std::string_view("\0", 1)), "");
    EXPECT_EQ(text(1560, int4(9) + "\xA0\x80"), "101000001");
    EXPECT_EQ(text(1562, int4(0)), "");
    EXPECT_EQ(text(3802, "\1{\"a\": 1}"), "{\"a\": 1}");
    EXPECT_EQ(text(2950, "\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11"),
              "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    EXPECT_EQ(text(600, float8(1) + float8(-2.5)), "(1,-2.5)");
    EXPECT_TRUE(is_error(text(869, "\2\4")));
    EXPECT_TRUE(is_error(text(2950, "short")));
}

TEST(PgText, WritesTheShortestDoubles) {
    const auto bits = [](std::uint64_t value) { return text(701, float8(std::bit_cast<double>(value))); };
    const auto number = [](double value) { return text(701, float8(value)); };
    EXPECT_EQ(number(0), "0");
    EXPECT_EQ(number(-0.0), "-0");
    EXPECT_EQ(number(1), "1");
    EXPECT_EQ(number(100), "100");
    EXPECT_EQ(number(-123.456), "-123.456");
    EXPECT_EQ(number(0.1), "0.1");
    EXPECT_EQ(number(0.0001), "0.0001");
    EXPECT_EQ(number(0.00001), "1e-05");
    EXPECT_EQ(number(1e14), "100000000000000");
    EXPECT_EQ(number(1e15), "1e+15");
    EXPECT_EQ(number(123456789012345), "123456789012345");
    EXPECT_EQ(number(1.25e300), "1.25e+300");
    EXPECT_EQ(number(std::nan("")), "NaN");
    EXPECT_EQ(number(HUGE_VAL), "Infinity");
    EXPECT_EQ(number(-HUGE_VAL), "-Infinity");
    EXPECT_EQ(number(std::numeric_limits<double>::denorm_min()), "5e-324");
    EXPECT_EQ(number(std::numeric_limits<double>::min()), "2.2250738585072014e-308");
    EXPECT_EQ(number(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
    // 1e+23 lies between two numbers and would only be read as the lower one by how readers round.
    EXPECT_EQ(bits(0x44b52d02c7e14af6), "9.999999999999999e+22");
    EXPECT_EQ(bits(0x44b52d02c7e14af7), "1.0000000000000001e+23");
    EXPECT_EQ(number(std::ldexp(1, -44)), "5.684341886080802e-14");
}

TEST(PgText, WritesTheShortestFloats) {
    const auto number = [](float value) { return text(700, float4(value)); };
    EXPECT_EQ(number(3.3F), "3.3");
    EXPECT_EQ(number(100000), "100000");
    EXPECT_EQ(number(1000000), "1e+06");
    EXPECT_EQ(number(1234567), "1.234567e+06");
    EXPECT_EQ(number(16777216), "1.6777216e+07");
    EXPECT_EQ(number(0.00012F), "0.00012");
    EXPECT_EQ(number(std::numeric_limits<float>::denorm_min()), "1e-45");
    EXPECT_EQ(number(std::numeric_limits<float>::max()), "3.4028235e+38");
}

TEST(PgText, WritesNumericsWithTheirScale) {
    EXPECT_EQ(text(1700, numeric({}, 0)), "0");
    EXPECT_EQ(text(1700, numeric({}, 0, 0, 3)), "0.000");
    EXPECT_EQ(text(1700, numeric({1, 2300}, 0, 0, 2)), "1.23");
    EXPECT_EQ(text(1700, numeric({1, 2300}, 0, 0, 6)), "1.230000");
    EXPECT_EQ(text(1700, numeric({12, 34}, 1, negative)), "-120034");
    EXPECT_EQ(text(1700, numeric({5}, 2)), "500000000");
    EXPECT_EQ(text(1700, numeric({1}, -3, 0, 12)), "0.000000000001");
    EXPECT_EQ(text(1700, numeric({100}, -1, negative, 3)), "-0.010");
    EXPECT_EQ(text(1700, numeric({}, 0, 0xC000)), "NaN");
    EXPECT_EQ(text(1700, numeric({}, 0, 0xD000)), "Infinity");
    EXPECT_EQ(text(1700, numeric({}, 0, 0xF000)), "-Infinity");
    EXPECT_EQ(text(1700, numeric({9999}, 32767)).size(), 131072U);
    EXPECT_EQ(text(1700, testing::longest_numeric()), std::string(131072, '9'));
    EXPECT_TRUE(is_error(text(1700, numeric({10000}, 0))));
    EXPECT_TRUE(is_error(text(1700, numeric({0, 5}, 1))));
    EXPECT_TRUE(is_error(text(1700, numeric({}, 1))));
    EXPECT_TRUE(is_error(text(1700, numeric({1}, 0, 0x1234))));
    EXPECT_TRUE(is_error(text(1700, numeric({1}, 0, 0, 16384))));
}

TEST(PgText, WritesMoneyAsInAmerica) {
    EXPECT_EQ(text(790, int8(0)), "$0.00");
    EXPECT_EQ(text(790, int8(-7)), "-$0.07");
    EXPECT_EQ(text(790, int8(12345)), "$123.45");
    EXPECT_EQ(text(790, int8(123456)), "$1,234.56");
    EXPECT_EQ(text(790, int8(std::numeric_limits<std::int64_t>::min())), "-$92,233,720,368,547,758.08");
}

TEST(PgText, WritesMoments) {
    const std::string infinity = int8(std::numeric_limits<std::int64_t>::max());
    const std::string minus_infinity = int8(std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(text(1082, int4(8887)), "2024-05-01");
    EXPECT_EQ(text(1082, int4(-730120)), "0001-12-31 BC");
    EXPECT_EQ(text(1082, int4(-2451545)), "4714-11-24 BC");
    EXPECT_EQ(text(1082, int4(2145031948)), "5874897-12-31");
    EXPECT_EQ(text(1082, int4(std::numeric_limits<std::int32_t>::max())), "infinity");
    EXPECT_EQ(text(1082, int4(std::numeric_limits<std::int32_t>::min())), "-infinity");
    EXPECT_EQ(text(1083, int8(us_per_day)), "24:00:00");
    EXPECT_EQ(text(1083, int8(3'661'000'100)), "01:01:01.0001");
    EXPECT_TRUE(is_error(text(1083, int8(-1))));
    EXPECT_EQ(text(1114, int8(250'000)), "2000-01-01 00:00:00.25");
    EXPECT_EQ(text(1114, int8(-1)), "1999-12-31 23:59:59.999999");
    EXPECT_EQ(text(1114, int8(9'223'371'331'199'999'999)), "294276-12-31 23:59:59.999999");
    EXPECT_EQ(text(1114, infinity), "infinity");
    EXPECT_EQ(text(1184, int8(0)), "2000-01-01 00:00:00+00");
    EXPECT_EQ(text(1184, int8(-211'813'488'000'000'000)), "4714-11-24 00:00:00+00 BC");
    EXPECT_EQ(text(1184, minus_infinity), "-infinity");
    EXPECT_EQ(text(1266, int8(us_per_day) + int4(0)), "24:00:00+00");
    EXPECT_EQ(text(1266, int8(1) + int4(-7200)), "00:00:00.000001+02");
    EXPECT_EQ(text(1266, int8(0) + int4(12600)), "00:00:00-03:30");
    EXPECT_EQ(text(1266, int8(0) + int4(-1172)), "00:00:00+00:19:32");
    EXPECT_TRUE(is_error(text(1266, int8(0) + int4(std::numeric_limits<std::int32_t>::min()))));
}

TEST(PgText, WritesIntervals) {
    const auto interval = [](std::int64_t us, std::int32_t days, std::int32_t months) {
        return text(1186, int8(us) + int4(days) + int4(months));
    };
    EXPECT_EQ(interval(0, 0, 0), "00:00:00");
    EXPECT_EQ(interval(14'706'780'000, 3, 14), "1 year 2 mons 3 days 04:05:06.78");
    EXPECT_EQ(interval(0, 1, 12), "1 year 1 day");
    EXPECT_EQ(interval(0, -1, 0), "-1 days");
    EXPECT_EQ(interval(-14'706'789'000, 3, -14), "-1 years -2 mons +3 days -04:05:06.789");
    EXPECT_EQ(interval(1'000'000, -1, 0), "-1 days +00:00:01");
    EXPECT_EQ(interval(-500'000, 0, 1), "1 mon -00:00:00.5");
    EXPECT_EQ(interval(360'000'000'000, 0, 0), "100:00:00");
    EXPECT_EQ(interval(std::numeric_limits<std::int64_t>::min(), 0, 0), "-2562047788:00:54.775808");
    EXPECT_EQ(interval(0, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::min()),
              "-178956970 years -8 mons -2147483648 days");
    EXPECT_EQ(interval(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int32_t>::max(),
                       std::numeric_limits<std::int32_t>::max()),
              "infinity");
    EXPECT_EQ(interval(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int32_t>::min(),
                       std::numeric_limits<std::int32_t>::min()),
              "-infinity");
}

TEST(PgText, QuotesElementsOfArrays) {
    const auto texts = array_column("c", 1009, 25);
    EXPECT_EQ(text(texts, array(25, {})), "{}");
    EXPECT_EQ(text(texts, array(25, {"a", std::nullopt, "", "NULL", "nUll", "nulls"})),
              R"({a,NULL,"","NULL","nUll",nulls})");
    EXPECT_EQ(text(texts, array(25, {"a b", "a,b", "a\"b", "a\\b", "{", "}", "\t", "\v", "ü", ";"})),
              "{\"a b\",\"a,b\",\"a\\\"b\",\"a\\\\b\",\"{\",\"}\",\"\t\",\"\v\",ü,;}");
    EXPECT_EQ(text(array_column("c", 791, 790), array(790, {int8(123456)})), R"({"$1,234.56"})");
    EXPECT_EQ(text(array_column("c", 1001, 17), array(17, {"\1"})), R"({"\\x01"})");
    EXPECT_EQ(text(array_column("c", 1000, 16), array(16, {std::string("\1")})), "{t}");
    Column odd = texts;
    odd.delimiter = ';';
    EXPECT_EQ(text(odd, array(25, {"a,b", "a;b"})), R"({a,b;"a;b"})");
}

TEST(PgText, WritesDimensionsAndBounds) {
    const auto ints = array_column("c", 1007, 23);
    const auto element = [](std::int32_t value) { return int4(4) + int4(value); };
    const auto matrix = [&](std::int32_t first_bound, std::int32_t second_bound) {
        return int4(2) + int4(0) + int4(23) + int4(1) + int4(first_bound) + int4(2) + int4(second_bound) + element(1) +
               element(2);
    };
    EXPECT_EQ(text(ints, matrix(1, 1)), "{{1,2}}");
    EXPECT_EQ(text(ints, matrix(1, 0)), "[1:1][0:1]={{1,2}}");
    EXPECT_EQ(text(ints, matrix(-5, 1)), "[-5:-5][1:2]={{1,2}}");
    EXPECT_EQ(text(ints, int4(1) + int4(0) + int4(23) + int4(1) + int4(2147483646) + element(7)),
              "[2147483646:2147483646]={7}");
    EXPECT_TRUE(is_error(text(ints, int4(7))));
    EXPECT_TRUE(is_error(text(ints, matrix(1, 1) + "x")));
}

} // namespace
} // namespace waybill
