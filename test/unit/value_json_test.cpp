// Expected texts are those of Debezium's documentation and tests, and of PostgreSQL's send functions for the bytes.
#include "errors.hpp"
#include "format/value_json.hpp"
#include "pg_values.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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
using testing::numeric_typmod;

constexpr std::int64_t us_per_day = 86'400'000'000;

std::string json(const Column &column, const Value &value) {
    JsonWriter out;
    try {
        write_value(out, value_type_of(column), value);
    } catch (const DataError &error) {
        return std::string("DataError: ") + error.what();
    }
    return std::string(out.view());
}

std::string from_binary(std::uint32_t type, std::string_view bytes, std::int32_t typmod = -1) {
    return json(column("c", type, typmod), testing::binary(bytes));
}

std::string from_text(std::uint32_t type, std::string_view text, std::int32_t typmod = -1) {
    return json(column("c", type, typmod), testing::text(text));
}

bool is_error(const std::string &text) {
    return text.rfind("DataError: ", 0) == 0;
}

TEST(ValueJson, WritesBooleansAndIntegers) {
    EXPECT_EQ(from_binary(16, std::string_view("\1", 1)), "true");
    EXPECT_EQ(from_binary(16, std::string_view("\0", 1)), "false");
    EXPECT_EQ(from_text(16, "t"), "true");
    EXPECT_EQ(from_text(16, "f"), "false");
    EXPECT_EQ(from_binary(21, int2(-32768)), "-32768");
    EXPECT_EQ(from_binary(23, int4(-2147483648)), "-2147483648");
    EXPECT_EQ(from_binary(20, int8(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
    EXPECT_EQ(from_binary(26, int4(-1)), "4294967295");
    EXPECT_EQ(from_text(23, "-17"), "-17");
}

TEST(ValueJson, WritesDoublesAsJavaDoes) {
    const auto text = [](double value) { return from_binary(701, float8(value)); };
    EXPECT_EQ(text(0.0), "0.0");
    EXPECT_EQ(text(-0.0), "-0.0");
    EXPECT_EQ(text(1.0), "1.0");
    EXPECT_EQ(text(4.44), "4.44");
    EXPECT_EQ(text(100.0), "100.0");
    EXPECT_EQ(text(-123456.789), "-123456.789");
    EXPECT_EQ(text(9999999.0), "9999999.0");
    EXPECT_EQ(text(1e7), "1.0E7");
    EXPECT_EQ(text(1.25e10), "1.25E10");
    EXPECT_EQ(text(0.001), "0.001");
    EXPECT_EQ(text(0.00123), "0.00123");
    EXPECT_EQ(text(0.0001), "1.0E-4");
    EXPECT_EQ(text(2e23), "2.0E23"); // JDK 18 and before: 2.0000000000000003E23 and the like
    EXPECT_EQ(text(std::numeric_limits<double>::max()), "1.7976931348623157E308");
    EXPECT_EQ(text(std::numeric_limits<double>::denorm_min()), "4.9E-324");
    EXPECT_EQ(text(4 * std::numeric_limits<double>::denorm_min()), "2.0E-323");
    EXPECT_EQ(text(std::nan("")), "\"NaN\"");
    EXPECT_EQ(text(HUGE_VAL), "\"Infinity\"");
    EXPECT_EQ(text(-HUGE_VAL), "\"-Infinity\"");
    EXPECT_EQ(from_text(701, "1e+300"), "1.0E300");
    EXPECT_EQ(from_text(701, "-Infinity"), "\"-Infinity\"");
}

TEST(ValueJson, WritesFloatsWithAFloatsDigits) {
    EXPECT_EQ(from_binary(700, float4(3.3F)), "3.3");
    EXPECT_EQ(from_binary(700, float4(1e10F)), "1.0E10");
    EXPECT_EQ(from_binary(700, float4(std::numeric_limits<float>::denorm_min())), "1.4E-45");
    EXPECT_EQ(from_text(700, "0.1"), "0.1");
}

TEST(ValueJson, WritesDecimalsAsTheShortestTwosComplement) {
    const std::int32_t typmod = numeric_typmod(10, 2);
    EXPECT_EQ(from_binary(1700, numeric({19, 9900}, 0), typmod), "\"B88=\"");
    EXPECT_EQ(from_binary(1700, numeric({100}, -1, negative), typmod), "\"/w==\"");
    EXPECT_EQ(from_binary(1700, numeric({}, 0), typmod), "\"AA==\"");
    EXPECT_EQ(from_binary(1700, numeric({1, 2800}, 0), typmod), "\"AIA=\"");
    EXPECT_EQ(from_binary(1700, numeric({1, 2800}, 0, negative), typmod), "\"gA==\"");
    EXPECT_EQ(from_binary(1700, numeric({1}, 1), typmod), "\"D0JA\""); // 10000.00
    EXPECT_EQ(from_text(1700, "19.99", typmod), "\"B88=\"");
    EXPECT_EQ(from_text(1700, "-0.01", typmod), "\"/w==\"");
    EXPECT_EQ(from_text(1700, "24.5", typmod), "\"CZI=\"");
}

TEST(ValueJson, WritesDecimalsWithANegativeScale) {
    EXPECT_EQ(from_binary(1700, numeric({12, 3000}, 1), numeric_typmod(3, -3)), "\"ew==\""); // 123000 = 123e3
}

TEST(ValueJson, WritesDecimalsOfAnySize) {
    // 2^128 and its neighbours, where the number outgrows 128 bits.
    const std::int32_t typmod = numeric_typmod(60, 0);
    EXPECT_EQ(from_text(1700, "340282366920938463463374607431768211455", typmod), "\"AP////////////////////8=\"");
    EXPECT_EQ(from_text(1700, "340282366920938463463374607431768211456", typmod), "\"AQAAAAAAAAAAAAAAAAAAAAA=\"");
    EXPECT_EQ(from_text(1700, "-340282366920938463463374607431768211456", typmod), "\"/wAAAAAAAAAAAAAAAAAAAAA=\"");
    EXPECT_EQ(from_text(1700, "-170141183460469231731687303715884105728", typmod), "\"gAAAAAAAAAAAAAAAAAAAAA==\"");
    EXPECT_EQ(from_binary(1700, numeric({340, 2823, 6692, 938, 4634, 6337, 4607, 4317, 6821, 1456}, 9), typmod),
              "\"AQAAAAAAAAAAAAAAAAAAAAA=\"");
    EXPECT_FALSE(is_error(from_text(1700, std::string(131072, '9'))));
    EXPECT_EQ(from_binary(1700, testing::longest_numeric()), from_text(1700, std::string(131072, '9')));
}

TEST(ValueJson, WritesNumericsWithoutScaleWithTheirOwn) {
    EXPECT_EQ(from_binary(1700, numeric({1, 2000}, 0)), R"({"scale":1,"value":"DA=="})");
    EXPECT_EQ(from_binary(1700, numeric({100}, 0)), R"({"scale":0,"value":"ZA=="})");
    EXPECT_EQ(from_binary(1700, numeric({1}, 1)), R"({"scale":0,"value":"JxA="})");
    EXPECT_EQ(from_binary(1700, numeric({}, 0)), R"({"scale":0,"value":"AA=="})");
    EXPECT_EQ(from_binary(1700, numeric({1}, -3, negative)), R"({"scale":12,"value":"/w=="})");
    EXPECT_EQ(from_text(1700, "1.200"), R"({"scale":1,"value":"DA=="})");
    EXPECT_EQ(from_text(1700, "0.000"), R"({"scale":0,"value":"AA=="})");
}

TEST(ValueJson, WritesWhatIsNoNumberAsItsName) {
    EXPECT_EQ(from_binary(1700, numeric({}, 0, 0xC000), numeric_typmod(10, 2)), "\"NaN\"");
    EXPECT_EQ(from_binary(1700, numeric({}, 0, 0xD000)), "\"Infinity\"");
    EXPECT_EQ(from_binary(1700, numeric({}, 0, 0xF000)), "\"-Infinity\"");
    EXPECT_EQ(from_text(1700, "NaN"), "\"NaN\"");
    EXPECT_EQ(from_text(1700, "-Infinity"), "\"-Infinity\"");
}

TEST(ValueJson, WritesMoneyInHundredths) {
    EXPECT_EQ(from_binary(790, int8(100)), "\"ZA==\"");
    EXPECT_EQ(from_text(790, "$1.00"), "\"ZA==\"");
    EXPECT_EQ(from_text(790, "-$1,234.56"), from_binary(790, int8(-123456)));
    EXPECT_EQ(from_text(790, "1.234,56 €"), from_binary(790, int8(123456)));
    EXPECT_EQ(from_text(790, "¥1,234"), from_binary(790, int8(123400)));
    EXPECT_EQ(from_text(790, "-$92,233,720,368,547,758.08"), "\"gAAAAAAAAAA=\"");
}

TEST(ValueJson, EscapesStringsAsJacksonDoes) {
    EXPECT_EQ(from_binary(25, "Kettle \"Ünï\""), "\"Kettle \\\"Ünï\\\"\"");
    EXPECT_EQ(from_binary(1043, "a\\b/c\b\f\n\r\t\x01\x1F\x7F"), "\"a\\\\b/c\\b\\f\\n\\r\\t\\u0001\\u001F\x7F\"");
    EXPECT_EQ(from_binary(1042, "ab   "), "\"ab   \"");
    EXPECT_EQ(from_binary(19, "name"), "\"name\"");
    EXPECT_EQ(from_text(25, ""), "\"\"");
    EXPECT_EQ(from_binary(25, "\uFFFD\U00010000😀\U0010FFFFé"), "\"\uFFFD\\uD800\\uDC00\\uD83D\\uDE00\\uDBFF\\uDFFFé\"");
}

TEST(ValueJson, EscapesWhatStandsInDamagedCharacters) {
    for (const std::string damaged :
         {"\xF0", "\xF0\x9F", "\xF0\x9F\x98", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xFF"})
        EXPECT_EQ(from_binary(25, damaged + "\"\n😀"), "\"" + damaged + "\\\"\\n\\uD83D\\uDE00\"") << damaged;
    EXPECT_EQ(from_binary(25, "\xF0\""), "\"\xF0\\\"\"");
}

TEST(ValueJson, EscapesAtEveryPlaceOfAString) {
    for (std::size_t size = 1; size < 40; ++size)
        for (std::size_t at = 0; at < size; ++at)
            for (const auto &[c, escape] :
                 {std::pair{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\x1F', "\\u001F"}}) {
                // High bytes and those next to the escaped ones as neighbours.
                for (const char other : {'a', '\x20', '!', '#', '[', '\xEF', '\x80'}) {
                    std::string text(size, other);
                    text[at] = c;
                    EXPECT_EQ(from_binary(25, text),
                              "\"" + std::string(at, other) + escape + std::string(size - at - 1, other) + "\"");
                }
            }
}

TEST(ValueJson, WritesSingleCharsAsTheirText) {
    EXPECT_EQ(from_binary(18, "a"), "\"a\"");
    EXPECT_EQ(from_binary(18, std::string_view("\0", 1)), "\"\"");
    EXPECT_EQ(from_binary(18, "\xFF"), R"("\\377")");
    EXPECT_EQ(from_text(18, "\\377"), R"("\\377")");
}

TEST(ValueJson, WritesBytesAsBase64) {
    EXPECT_EQ(from_binary(17, ""), "\"\"");
    EXPECT_EQ(from_binary(17, "\x01"), "\"AQ==\"");
    EXPECT_EQ(from_binary(17, "\x01\x02"), "\"AQI=\"");
    EXPECT_EQ(from_binary(17, "\x01\x02\x03"), "\"AQID\"");
    EXPECT_EQ(from_binary(17, "\xFB\xFF\xFE\xFF"), "\"+//+/w==\"");
    EXPECT_EQ(from_text(17, "\\x010203"), "\"AQID\"");
}

TEST(ValueJson, WritesBitStringsAsLittleEndianNumbers) {
    EXPECT_EQ(from_text(1560, "1", 1), "true");
    EXPECT_EQ(from_text(1562, "0", 1), "false");
    EXPECT_EQ(from_text(1560, "11", 2), "\"Aw==\"");
    EXPECT_EQ(from_text(1560, "00", 2), "\"\"");
    EXPECT_EQ(from_text(1562, "100000000"), "\"AAE=\"");
    EXPECT_EQ(from_text(1562, ""), "\"\"");
    EXPECT_EQ(from_binary(1560, int4(2) + "\xC0", 2), "\"Aw==\"");
    EXPECT_EQ(from_binary(1562, int4(9) + std::string("\x80\x00", 2)), "\"AAE=\"");
}

TEST(ValueJson, WritesDatesInDaysSince1970) {
    EXPECT_EQ(from_binary(1082, int4(19844 - 10957)), "19844");
    EXPECT_EQ(from_text(1082, "2024-05-01"), "19844");
    EXPECT_EQ(from_text(1082, "1970-01-01"), "0");
    EXPECT_EQ(from_text(1082, "0001-12-31 BC"), "-719163");
    EXPECT_EQ(from_text(1082, "5874897-12-31"), "2145042905");
    EXPECT_EQ(from_text(1082, "4714-11-24 BC"), "-2440588");
    EXPECT_EQ(from_binary(1082, int4(std::numeric_limits<std::int32_t>::max())), "2146033979");
    EXPECT_EQ(from_text(1082, "-infinity"), "-2147472691");
    EXPECT_EQ(from_binary(1082, int4(std::numeric_limits<std::int32_t>::max() - 1)), "2147494603");
}

TEST(ValueJson, WritesTimesInMillisecondsUpToThreeDigitsAndInMicrosecondsAbove) {
    EXPECT_EQ(from_binary(1083, int8(14'670'789'012)), "14670789012");
    EXPECT_EQ(from_binary(1083, int8(14'670'789'000), 3), "14670789");
    EXPECT_EQ(from_binary(1083, int8(14'670'000'000), 0), "14670000");
    EXPECT_EQ(from_binary(1083, int8(14'670'789'000), 4), "14670789000");
    EXPECT_EQ(from_text(1083, "04:04:30.789012"), "14670789012");
    EXPECT_EQ(from_text(1083, "24:00:00"), "86400000000");
}

TEST(ValueJson, WritesZonedTimesInUtcWithTheFewestDigits) {
    EXPECT_EQ(from_text(1266, "13:51:02+02"), "\"11:51:02Z\"");
    EXPECT_EQ(from_text(1266, "13:51:30.123789+02"), "\"11:51:30.123789Z\"");
    EXPECT_EQ(from_text(1266, "01:00:00.5+05:30"), "\"19:30:00.5Z\"");
    EXPECT_EQ(from_text(1266, "23:00:00-03"), "\"02:00:00Z\"");
    EXPECT_EQ(from_text(1266, "24:00:00+00"), "\"24:00:00Z\"");
    EXPECT_EQ(from_text(1266, "24:00:00+02"), "\"22:00:00Z\"");
    EXPECT_EQ(from_text(1266, "24:00:00-02"), "\"02:00:00Z\"");
    EXPECT_EQ(from_binary(1266, int8(49'862'000'000) + int4(-7200)), "\"11:51:02Z\"");
}

TEST(ValueJson, WritesTimestampsSince1970) {
    constexpr std::int64_t may_first = 1'714'557'600'000'000 - 10'957 * us_per_day;
    EXPECT_EQ(from_binary(1114, int8(may_first)), "1714557600000000");
    EXPECT_EQ(from_binary(1114, int8(may_first + 123'000), 3), "1714557600123");
    EXPECT_EQ(from_text(1114, "2024-05-01 10:00:00"), "1714557600000000");
    EXPECT_EQ(from_text(1114, "1969-12-31 23:59:59.999"), "-1000");
    EXPECT_EQ(from_text(1114, "1969-12-31 23:59:59.999", 3), "-1");
    EXPECT_EQ(from_text(1114, "infinity"), "9223372036854775807");
    EXPECT_EQ(from_text(1114, "-infinity"), "-9223372036854775808");
    EXPECT_EQ(from_text(1114, "infinity", 3), "9223372036825200000");
    EXPECT_EQ(from_text(1114, "-infinity", 3), "-9223372036832400000");
    EXPECT_EQ(from_text(1114, "0044-03-15 12:00:00 BC"), "-63517780800000000");
    // The last one that PostgreSQL knows is beyond 64 bits when counted from 1970.
    EXPECT_EQ(from_text(1114, "294276-12-31 23:59:59.999999"), "9224318015999999999");
    EXPECT_EQ(from_text(1114, "294276-12-31 23:59:59.999999", 3), "9224318015999999");
}

TEST(ValueJson, WritesZonedTimestampsWithTheColumnsDigits) {
    constexpr std::int64_t may_first = 1'714'557'600'000'000 - 10'957 * us_per_day;
    EXPECT_EQ(from_binary(1184, int8(may_first)), "\"2024-05-01T10:00:00.000000Z\"");
    EXPECT_EQ(from_binary(1184, int8(may_first), 3), "\"2024-05-01T10:00:00.000Z\"");
    EXPECT_EQ(from_binary(1184, int8(may_first), 0), "\"2024-05-01T10:00:00Z\"");
    EXPECT_EQ(from_binary(1184, int8(may_first + 250'001)), "\"2024-05-01T10:00:00.250001Z\"");
    EXPECT_EQ(from_text(1184, "2024-05-01 12:00:00+02"), "\"2024-05-01T10:00:00.000000Z\"");
    EXPECT_EQ(from_text(1184, "infinity"), "\"infinity\"");
    EXPECT_EQ(from_text(1184, "-infinity"), "\"-infinity\"");
    EXPECT_EQ(from_text(1184, "21016-11-04 00:00:00+00"), "\"+21016-11-04T00:00:00.000000Z\"");
    EXPECT_EQ(from_text(1184, "4714-11-24 00:00:00+00 BC"), "\"-4713-11-24T00:00:00.000000Z\"");
    EXPECT_EQ(from_text(1184, "0044-03-15 00:00:00+00 BC"), "\"-0043-03-15T00:00:00.000000Z\"");
    EXPECT_EQ(from_text(1184, "0001-02-03 00:00:00+00"), "\"0001-02-03T00:00:00.000000Z\"");
}

TEST(ValueJson, AgreesWithItselfOnDatesOfAThousandYears) {
    // Whatever day is written as text must be read back as that day.
    for (std::int64_t day = -200'000; day < 200'000; day += 13) {
        const std::string zoned = from_binary(1184, int8(day * us_per_day), 0);
        ASSERT_EQ(from_text(1082, zoned.substr(1, 10)), std::to_string(day + 10'957));
    }
}

TEST(ValueJson, WritesIntervalsInMicroseconds) {
    EXPECT_EQ(from_binary(1186, int8(0) + int4(0) + int4(1)), "2629800000000");
    EXPECT_EQ(from_text(1186, "1 year 2 mons 3 days 04:05:06.78"), "37091106780000");
    EXPECT_EQ(from_text(1186, "1 mon"), "2629800000000");
    EXPECT_EQ(from_text(1186, "-1 days +02:03:00"), "-79020000000");
    EXPECT_EQ(from_text(1186, "-00:00:00.5"), "-500000");
    EXPECT_EQ(from_text(1186, "00:00:00"), "0");
    EXPECT_EQ(from_text(1186, "-178000000 years"), "-5617252800000000000000");
    EXPECT_EQ(from_text(1186, "infinity"), "\"infinity\"");
    EXPECT_EQ(from_binary(1186, int8(std::numeric_limits<std::int64_t>::min()) +
                                    int4(std::numeric_limits<std::int32_t>::min()) +
                                    int4(std::numeric_limits<std::int32_t>::min())),
              "\"-infinity\"");
}

TEST(ValueJson, WritesUuidJsonAndXmlAsStrings) {
    const std::string uuid("\xA0\xEE\xBC\x99\x9C\x0B\x4E\xF8\xBB\x6D\x6B\xB9\xBD\x38\x0A\x11", 16);
    EXPECT_EQ(from_binary(2950, uuid), "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"");
    EXPECT_EQ(from_text(2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"");
    EXPECT_EQ(from_binary(114, R"({"bar": "baz"})"), R"("{\"bar\": \"baz\"}")");
    EXPECT_EQ(from_binary(3802, "\x01{\"bar\": \"baz\"}"), R"("{\"bar\": \"baz\"}")");
    EXPECT_EQ(from_text(3802, R"({"bar": "baz"})"), R"("{\"bar\": \"baz\"}")");
    EXPECT_EQ(from_binary(142, "<a>1</a>"), "\"<a>1</a>\"");
}

TEST(ValueJson, WritesPointsWithTheirWellKnownBinary) {
    EXPECT_EQ(from_text(600, "(1,1)"), R"({"x":1.0,"y":1.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAPA/","srid":null})");
    EXPECT_EQ(from_binary(600, float8(1) + float8(1)), from_text(600, "(1,1)"));
    EXPECT_EQ(from_text(600, "(-1.5e+20,NaN)").substr(0, 26), R"({"x":-1.5E20,"y":"NaN","wk)");
}

TEST(ValueJson, WritesAllOtherTypesAsTheirText) {
    EXPECT_EQ(from_text(869, "192.168.2.0/12"), "\"192.168.2.0/12\"");
    EXPECT_EQ(from_text(829, "08:00:2b:01:02:03"), "\"08:00:2b:01:02:03\"");
    EXPECT_EQ(from_text(3904, "[1,6)"), "\"[1,6)\"");
    EXPECT_EQ(from_text(3908, R"(["2019-03-31 15:30:00",infinity))"), R"x("[\"2019-03-31 15:30:00\",infinity)")x");
    EXPECT_EQ(from_text(718, "<(10,20),10>"), "\"<(10,20),10>\"");
    EXPECT_EQ(from_text(99999, "(1,a)"), "\"(1,a)\"");
    EXPECT_TRUE(is_error(from_binary(869, "\2\4")));
}

TEST(ValueJson, WritesEnumsAsTheirLabel) {
    Column mood = column("mood", 16400);
    mood.kind = 'e';
    mood.labels = {"sad", "happy"};
    EXPECT_EQ(json(mood, testing::text("happy")), "\"happy\"");
}

TEST(ValueJson, WritesHstoreAsAJsonObjectInAString) {
    Column settings = column("settings", 16401);
    settings.extension_type = "hstore";
    EXPECT_EQ(json(settings, testing::text(R"("key"=>"val", "a \"b\" \\"=>NULL, ""=>"1, \"2\"=>3")")),
              R"("{\"key\":\"val\",\"a \\\"b\\\" \\\\\":null,\"\":\"1, \\\"2\\\"=>3\"}")");
    EXPECT_EQ(json(settings, testing::text("")), "\"{}\"");
    // The document's characters are its own; in the string it is they are escaped.
    EXPECT_EQ(json(settings, testing::text(R"("😀"=>"\"")")), R"("{\"\uD83D\uDE00\":\"\\\"\"}")");
    for (const char *malformed : {"\"", "a", "\"a\"", "\"a\"=>", "\"a\"=>\"b", "\"a\"=>\"b\",", "\"a\\"})
        EXPECT_TRUE(is_error(json(settings, testing::text(malformed)))) << malformed;
}

TEST(ValueJson, WritesBinaryArrays) {
    const auto ints = array_column("tags", 1007, 23);
    EXPECT_EQ(json(ints, testing::binary(array(23, {int4(1), int4(2), std::nullopt}))), "[1,2,null]");
    EXPECT_EQ(json(ints, testing::binary(array(23, {}))), "[]");
    EXPECT_EQ(json(array_column("names", 1009, 25), testing::binary(array(25, {"a\"b", "", "NULL"}))),
              R"(["a\"b","","NULL"])");
    EXPECT_EQ(json(array_column("prices", 1231, 1700, numeric_typmod(10, 2)),
                   testing::binary(array(1700, {numeric({19, 9900}, 0)}))),
              R"(["B88="])");
    const std::string two_by_two = int4(2) + int4(0) + int4(23) + int4(2) + int4(1) + int4(2) + int4(1) + int4(4) +
                                   int4(1) + int4(4) + int4(2) + int4(4) + int4(3) + int4(4) + int4(4);
    EXPECT_EQ(json(ints, testing::binary(two_by_two)), "[[1,2],[3,4]]");
    for (std::size_t size = 0; size < two_by_two.size(); ++size)
        EXPECT_TRUE(is_error(json(ints, testing::binary(two_by_two.substr(0, size))))) << size;
    EXPECT_TRUE(is_error(json(ints, testing::binary(two_by_two + "x"))));
}

TEST(ValueJson, RefusesABinaryArrayThatClaimsMoreThanItHas) {
    const auto ints = array_column("tags", 1007, 23);
    std::string huge = int4(6) + int4(0) + int4(23);
    for (int dimension = 0; dimension < 6; ++dimension) huge += int4(0x7FFFFFFF) + int4(1);
    EXPECT_TRUE(is_error(json(ints, testing::binary(huge))));
    EXPECT_TRUE(is_error(json(ints, testing::binary(int4(7) + int4(0) + int4(23)))));
    EXPECT_TRUE(is_error(json(ints, testing::binary(int4(1) + int4(0) + int4(23) + int4(0) + int4(1)))));
    EXPECT_TRUE(
        is_error(json(ints, testing::binary(int4(1) + int4(0) + int4(23) + int4(1) + int4(1) + int4(-2) + int4(0)))));
}

TEST(ValueJson, WritesTextArrays) {
    const auto inets = array_column("hosts", 1041, 869);
    EXPECT_EQ(json(inets, testing::text("{10.0.0.1,NULL,::1}")), R"(["10.0.0.1",null,"::1"])");
    EXPECT_EQ(json(inets, testing::text("{}")), "[]");
    EXPECT_EQ(json(inets, testing::text(R"({"a \"b\" \\","NULL",""})")), R"(["a \"b\" \\","NULL",""])");
    EXPECT_EQ(json(array_column("m", 1007, 23), testing::text("{{1,2},{3,4}}")), "[[1,2],[3,4]]");
    EXPECT_EQ(json(array_column("m", 1007, 23), testing::text("[0:1]={1,2}")), "[1,2]");
    Column boxes = array_column("b", 1020, 603);
    boxes.delimiter = ';';
    EXPECT_EQ(json(boxes, testing::text("{(1,1),(0,0);(2,2),(0,0)}")), "[\"(1,1),(0,0)\",\"(2,2),(0,0)\"]");
    EXPECT_EQ(json(array_column("p", 1017, 600), testing::text("{\"(1,1)\"}")).substr(0, 8), "[{\"x\":1.");
    for (const char *malformed :
         {"", "{", "}", "{a", "{a}b", "{\"a", "{\"a\\", "{a\\", "[0:1]=", "{\"a\"b}", "{a,", "{{{{{{{a}}}}}}}"})
        EXPECT_TRUE(is_error(json(inets, testing::text(malformed)))) << malformed;
}

TEST(ValueJson, WritesZonedTimestampsInArraysWithTheirDigits) {
    EXPECT_EQ(json(array_column("t", 1185, 1184, 3), testing::binary(array(1184, {int8(0)}))),
              R"(["2000-01-01T00:00:00.000Z"])");
}

TEST(ValueJson, RefusesBinaryValuesOfTheWrongSize) {
    for (const std::uint32_t type : {16U, 18U, 20U, 21U, 23U, 26U, 600U, 700U, 701U, 790U, 1082U, 1083U, 1114U, 1184U,
                                     1186U, 1266U, 1560U, 1700U, 2950U}) {
        EXPECT_TRUE(is_error(from_binary(type, ""))) << type;
        EXPECT_TRUE(is_error(from_binary(type, std::string(3, 1)))) << type;
        EXPECT_TRUE(is_error(from_binary(type, std::string(17, 1)))) << type;
    }
    EXPECT_TRUE(is_error(from_binary(3802, "")));
    EXPECT_TRUE(is_error(from_binary(3802, "{}")));
}

TEST(ValueJson, RefusesDamagedNumerics) {
    EXPECT_TRUE(is_error(from_binary(1700, numeric({10000}, 0))));
    EXPECT_TRUE(is_error(from_binary(1700, numeric({-1}, 0))));
    EXPECT_TRUE(is_error(from_binary(1700, numeric({1}, 0, 0x1234))));
    EXPECT_TRUE(is_error(from_binary(1700, int2(-1) + int2(0) + int2(0) + int2(0))));
    EXPECT_TRUE(is_error(from_binary(1700, numeric({1, 2345}, 0), numeric_typmod(10, 2))));
    EXPECT_FALSE(is_error(from_binary(1700, numeric({1}, 32767))));
    EXPECT_FALSE(is_error(from_binary(1700, numeric({1}, -32768))));
}

TEST(ValueJson, RefusesTextThatIsNotOfItsType) {
    const std::pair<std::uint32_t, const char *> cases[] = {
        {16, "maybe"},
        {23, ""},
        {23, "1x"},
        {23, "99999999999999999999"},
        {701, ""},
        {701, "1.0x"},
        {1700, ""},
        {1700, "."},
        {1700, "1e5"},
        {1700, "--1"},
        {790, ""},
        {790, "$"},
        {17, "0102"},
        {17, "\\x0"},
        {17, "\\xzz"},
        {1560, "102"},
        {1082, "2024-13-01"},
        {1082, "2024-00-01"},
        {1082, "today"},
        {1082, "2024-05-01 x"},
        {1082, "-5-01-01"},
        {1083, "25"},
        {1083, "99:00:00"},
        {1114, "2024-05-01"},
        {1114, "999999-01-01 00:00:00"},
        {1114, "9999-01-01 00:00:00 BC"},
        {1186, ""},
        {1186, "1 fortnight"},
        {1186, "1"},
        {1186, "- 1 day"},
        {1186, "9999999999 days"},
        {1266, "1+"},
        {600, "1,1"},
        {600, "(1)"},
        {600, "(,)"},
    };
    for (const auto &[type, text] : cases) EXPECT_TRUE(is_error(from_text(type, text))) << type << ' ' << text;
}

} // namespace
} // namespace waybill
