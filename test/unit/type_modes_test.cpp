// Values and schemas in the modes of [types]. Expected texts are those of Debezium's documentation and sources.
#include "errors.hpp"
#include "format/column_default.hpp"
#include "format/connect_schema.hpp"
#include "format/value_json.hpp"
#include "pg_values.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace waybill {
namespace {

using testing::array;
using testing::array_column;
using testing::column;
using testing::float8;
using testing::int4;
using testing::int8;
using testing::negative;
using testing::numeric;
using testing::numeric_typmod;

std::string json(const ValueType &type, const Value &value) {
    JsonWriter out;
    write_value(out, type, value);
    return std::string(out.view());
}

std::string json(const Column &column, const TypeOptions &options, const Value &value) {
    return json(value_type_of(column, options), value);
}

// The schema of an optional column c, from behind its braces.
std::string schema(const ValueType &type, bool optional = true) {
    JsonWriter out;
    write_field_schema(out, type, optional, "", "", "c");
    return std::string(out.view());
}

std::string plain(const std::string &type) {
    return R"({"type":")" + type + R"(","optional":true,"field":"c"})";
}

std::string named(const std::string &type, const std::string &name) {
    return R"({"type":")" + type + R"(","optional":true,"name":")" + name + R"(","version":1,"field":"c"})";
}

TEST(TypeModes, WriteDecimalsAsStrings) {
    TypeOptions options;
    options.decimal = DecimalMode::as_string;
    const Column scaled = column("c", 1700, numeric_typmod(10, 2));
    EXPECT_EQ(json(scaled, options, testing::binary(numeric({1, 1000}, 0, 0, 2))), "\"1.10\"");
    EXPECT_EQ(json(scaled, options, testing::binary(numeric({100}, -1, negative, 2))), "\"-0.01\"");
    EXPECT_EQ(json(scaled, options, testing::binary(numeric({}, 0, 0, 2))), "\"0.00\"");
    EXPECT_EQ(json(scaled, options, testing::text("1.1")), "\"1.10\"");
    EXPECT_EQ(json(scaled, options, testing::text("7")), "\"7.00\"");
    EXPECT_THROW(json(scaled, options, testing::text("1.005")), DataError);
    const Column any = column("c", 1700);
    EXPECT_EQ(json(any, options, testing::binary(numeric({1, 2300}, 0, 0, 4))), "\"1.2300\"");
    EXPECT_EQ(json(any, options, testing::binary(numeric({1}, 25))), "\"1" + std::string(100, '0') + "\"");
    EXPECT_EQ(json(any, options, testing::binary(numeric({}, 0, 0xC000))), "\"NAN\"");
    EXPECT_EQ(json(any, options, testing::binary(numeric({}, 0, 0xD000))), "\"POSITIVE_INFINITY\"");
    EXPECT_EQ(json(any, options, testing::text("-Infinity")), "\"NEGATIVE_INFINITY\"");
    EXPECT_EQ(json(column("c", 1700, numeric_typmod(3, -3)), options, testing::binary(numeric({12, 3000}, 1))),
              "\"123000\"");
    EXPECT_EQ(schema(value_type_of(scaled, options)), plain("string"));
    EXPECT_EQ(schema(value_type_of(any, options)), plain("string"));
    EXPECT_EQ(json(column("c", 790), options, testing::binary(int8(-123456))), "\"-1234.56\"");
    EXPECT_EQ(json(column("c", 790), options, testing::binary(int8(std::numeric_limits<std::int64_t>::min()))),
              "\"-92233720368547758.08\"");
    EXPECT_EQ(schema(value_type_of(column("c", 790), options)), plain("string"));
}

TEST(TypeModes, RefuseDecimalsThatPostgreSqlDoesNotPrint) {
    TypeOptions options;
    options.decimal = DecimalMode::as_string;
    const Column any = column("c", 1700);
    for (const char *damaged : {"007", "-00", "5.", ".5", "+5", "-.5"}) {
        EXPECT_THROW(json(any, options, testing::text(damaged)), DataError) << damaged;
        EXPECT_THROW(json(value_type_of_maxwell(any), testing::text(damaged)), DataError) << damaged;
    }
    EXPECT_EQ(json(value_type_of_maxwell(any), testing::text("-0.50")), "-0.50");
    EXPECT_EQ(json(value_type_of_maxwell(any), testing::text("0")), "0");
    EXPECT_EQ(json(value_type_of_maxwell(any), testing::text("70")), "70");
}

TEST(TypeModes, WriteDecimalsAsDoubles) {
    TypeOptions options;
    options.decimal = DecimalMode::as_double;
    const Column any = column("c", 1700);
    const auto text = [&](const char *digits) { return json(any, options, testing::text(digits)); };
    EXPECT_EQ(json(any, options, testing::binary(numeric({1, 1000}, 0, 0, 1))), "1.1");
    EXPECT_EQ(text("100"), "100.0");
    EXPECT_EQ(text("-0.00001"), "-1.0E-5");
    EXPECT_EQ(text("12345678901234567890.123"), "1.2345678901234567E19");
    EXPECT_EQ(text(("1" + std::string(400, '0')).c_str()), "\"Infinity\"");
    EXPECT_EQ(text(("-1" + std::string(400, '0')).c_str()), "\"-Infinity\"");
    EXPECT_EQ(text(("0." + std::string(400, '0') + "1").c_str()), "0.0");
    EXPECT_EQ(text("NaN"), "\"NaN\"");
    EXPECT_EQ(text("-Infinity"), "\"-Infinity\"");
    EXPECT_EQ(schema(value_type_of(any, options)), plain("double"));
    EXPECT_EQ(json(column("c", 790), options, testing::binary(int8(123))), "1.23");
    EXPECT_EQ(json(column("c", 790), options, testing::binary(int8(-7))), "-0.07");
    EXPECT_EQ(schema(value_type_of(column("c", 790), options)), plain("double"));
}

TEST(TypeModes, WriteMoneyWithAsManyDigitsAsAskedFor) {
    TypeOptions options;
    const auto money = [&](std::int32_t digits, std::int64_t hundredths) {
        options.money_fraction_digits = digits;
        return json(column("c", 790), options, testing::binary(int8(hundredths)));
    };
    EXPECT_EQ(money(2, 100), "\"ZA==\"");
    EXPECT_EQ(money(3, 100), "\"A+g=\"");  // 1000
    EXPECT_EQ(money(4, -100), "\"2PA=\""); // -10000
    EXPECT_EQ(money(1, 125), "\"DQ==\"");  // 13: half is rounded away from zero
    EXPECT_EQ(money(1, -125), "\"8w==\""); // -13
    EXPECT_EQ(money(0, 149), "\"AQ==\"");
    EXPECT_EQ(money(0, 150), "\"Ag==\"");
    EXPECT_EQ(money(2, std::numeric_limits<std::int64_t>::min()), "\"gAAAAAAAAAA=\"");
    EXPECT_EQ(money(3, std::numeric_limits<std::int64_t>::min()), "\"+wAAAAAAAAAA\"");
    options.money_fraction_digits = 4;
    EXPECT_EQ(schema(value_type_of(column("c", 790), options)),
              R"({"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,)"
              R"("parameters":{"scale":"4"},"field":"c"})");
}

constexpr std::int64_t us_per_day = 86'400'000'000;
constexpr std::int64_t noon_us = us_per_day / 2;

struct TimeCase {
    TimeMode mode;
    std::uint32_t type;
    std::int32_t typmod;
    std::string value;
    std::string json;
    std::string schema;
};

TEST(TypeModes, WriteDatesAndTimes) {
    const std::string noon = int8(noon_us + 123'456);
    const std::string zero = int8(0);
    const std::string infinity = int8(std::numeric_limits<std::int64_t>::max());
    const std::string minus_infinity = int8(std::numeric_limits<std::int64_t>::min());
    const std::string bc = int8(-730'486 * us_per_day);
    const TimeCase cases[] = {
        {TimeMode::adaptive, 1083, 3, noon, "43200123", named("int32", "io.debezium.time.Time")},
        {TimeMode::adaptive, 1083, -1, noon, "43200123456", named("int64", "io.debezium.time.MicroTime")},
        {TimeMode::adaptive_time_microseconds, 1083, 3, noon, "43200123456",
         named("int64", "io.debezium.time.MicroTime")},
        {TimeMode::adaptive_time_microseconds, 1114, 3, zero, "946684800000",
         named("int64", "io.debezium.time.Timestamp")},
        {TimeMode::adaptive_time_microseconds, 1114, -1, zero, "946684800000000",
         named("int64", "io.debezium.time.MicroTimestamp")},
        {TimeMode::adaptive_time_microseconds, 1082, -1, int4(0), "10957", named("int32", "io.debezium.time.Date")},
        {TimeMode::connect, 1082, -1, int4(0), "10957", named("int32", "org.apache.kafka.connect.data.Date")},
        {TimeMode::connect, 1083, -1, noon, "43200123", named("int32", "org.apache.kafka.connect.data.Time")},
        {TimeMode::connect, 1114, -1, int8(-1), "946684799999",
         named("int64", "org.apache.kafka.connect.data.Timestamp")},
        {TimeMode::isostring, 1082, -1, int4(6466), R"("2017-09-14Z")", named("string", "io.debezium.time.IsoDate")},
        {TimeMode::isostring, 1082, -1, int4(std::numeric_limits<std::int32_t>::max()), R"("infinity")",
         named("string", "io.debezium.time.IsoDate")},
        {TimeMode::isostring, 1082, -1, int4(std::numeric_limits<std::int32_t>::min()), R"("-infinity")",
         named("string", "io.debezium.time.IsoDate")},
        {TimeMode::isostring, 1083, 3, noon, R"("12:00:00.123456Z")", named("string", "io.debezium.time.IsoTime")},
        {TimeMode::isostring, 1083, -1, int8(us_per_day), R"("24:00:00Z")",
         named("string", "io.debezium.time.IsoTime")},
        {TimeMode::isostring, 1114, -1, noon, R"("2000-01-01T12:00:00.123456Z")",
         named("string", "io.debezium.time.IsoTimestamp")},
        {TimeMode::isostring, 1114, -1, int8(500'000), R"("2000-01-01T00:00:00.5Z")",
         named("string", "io.debezium.time.IsoTimestamp")},
        {TimeMode::isostring, 1114, 0, zero, R"("2000-01-01T00:00:00Z")",
         named("string", "io.debezium.time.IsoTimestamp")},
        {TimeMode::isostring, 1114, -1, infinity, R"("infinity")", named("string", "io.debezium.time.IsoTimestamp")},
        {TimeMode::isostring, 1114, -1, bc, R"("-0001-12-31T00:00:00Z")",
         named("string", "io.debezium.time.IsoTimestamp")},
        {TimeMode::microseconds, 1082, -1, int4(0), "10957", named("int32", "io.debezium.time.Date")},
        {TimeMode::microseconds, 1083, 0, noon, "43200123456", named("int64", "io.debezium.time.MicroTime")},
        {TimeMode::microseconds, 1114, 0, zero, "946684800000000", named("int64", "io.debezium.time.MicroTimestamp")},
        {TimeMode::nanoseconds, 1082, -1, int4(0), "10957", named("int32", "io.debezium.time.Date")},
        {TimeMode::nanoseconds, 1083, 0, noon, "43200123456000", named("int64", "io.debezium.time.NanoTime")},
        {TimeMode::nanoseconds, 1114, 0, zero, "946684800000000000", named("int64", "io.debezium.time.NanoTimestamp")},
        {TimeMode::nanoseconds, 1114, -1, infinity, "9223372036854775807",
         named("int64", "io.debezium.time.NanoTimestamp")},
        {TimeMode::nanoseconds, 1114, -1, minus_infinity, "-9223372036854775808",
         named("int64", "io.debezium.time.NanoTimestamp")},
        {TimeMode::nanoseconds, 1114, -1, int8(10'000'000'000'000'000), "10946684800000000000",
         named("int64", "io.debezium.time.NanoTimestamp")},
        // no mode is about zones
        {TimeMode::nanoseconds, 1184, -1, zero, R"("2000-01-01T00:00:00.000000Z")",
         named("string", "io.debezium.time.ZonedTimestamp")},
        {TimeMode::isostring, 1184, 3, zero, R"("2000-01-01T00:00:00.000Z")",
         named("string", "io.debezium.time.ZonedTimestamp")},
        {TimeMode::isostring, 1184, 0, zero, R"("2000-01-01T00:00:00Z")",
         named("string", "io.debezium.time.ZonedTimestamp")},
    };
    TypeOptions options;
    for (const TimeCase &one : cases) {
        options.time = one.mode;
        const Column of_type = column("c", one.type, one.typmod);
        EXPECT_EQ(json(of_type, options, testing::binary(one.value)), one.json) << one.json;
        EXPECT_EQ(schema(value_type_of(of_type, options)), one.schema) << one.json;
    }
}

TEST(TypeModes, WriteBytesAsStrings) {
    const std::string bytes = "\xFB\xFF\x01\x0A";
    const std::pair<BinaryMode, const char *> cases[] = {{BinaryMode::base64, "\"+/8BCg==\""},
                                                         {BinaryMode::base64_url_safe, "\"-_8BCg==\""},
                                                         {BinaryMode::hex, "\"fbff010a\""}};
    TypeOptions options;
    for (const auto &[mode, expected] : cases) {
        options.binary = mode;
        EXPECT_EQ(json(column("c", 17), options, testing::binary(bytes)), expected);
        EXPECT_EQ(json(column("c", 17), options, testing::text("\\xfbff010a")), expected);
        EXPECT_EQ(json(column("c", 17), options, testing::binary("")), "\"\"");
        EXPECT_EQ(schema(value_type_of(column("c", 17), options)), plain("string"));
    }
    EXPECT_EQ(json(array_column("c", 1001, 17), options, testing::binary(array(17, {bytes, std::nullopt}))),
              R"(["fbff010a",null])");
    EXPECT_EQ(schema(value_type_of(column("c", 17))), plain("bytes"));
}

TEST(TypeModes, WriteIntervalsInIso8601) {
    TypeOptions options;
    options.interval = IntervalMode::as_string;
    const Column interval = column("c", 1186);
    const auto iso = [&](std::int64_t us, std::int32_t days, std::int32_t months) {
        return json(interval, options, testing::binary(int8(us) + int4(days) + int4(months)));
    };
    EXPECT_EQ(iso(14'706'780'000, 3, 14), "\"P1Y2M3DT4H5M6.78S\"");
    EXPECT_EQ(iso(0, 0, 0), "\"P0Y0M0DT0H0M0S\"");
    EXPECT_EQ(iso(-14'706'780'000, 3, -14), "\"P-1Y-2M3DT-4H-5M-6.78S\"");
    EXPECT_EQ(iso(-500'000, 0, 0), "\"P0Y0M0DT0H0M-0.5S\"");
    EXPECT_EQ(iso(10'000'000, 0, 0), "\"P0Y0M0DT0H0M10S\"");
    EXPECT_EQ(iso(std::numeric_limits<std::int64_t>::min(), 0, 0), "\"P0Y0M0DT-2562047788H0M-54.775808S\"");
    EXPECT_EQ(iso(std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int32_t>::max(),
                  std::numeric_limits<std::int32_t>::max()),
              "\"infinity\"");
    EXPECT_EQ(json(interval, options, testing::text("1 mon -00:00:01")), "\"P0Y1M0DT0H0M-1S\"");
    EXPECT_EQ(json(interval, options, testing::text("-infinity")), "\"-infinity\"");
    EXPECT_EQ(schema(value_type_of(interval, options)), named("string", "io.debezium.time.Interval"));
}

Column extension(const char *name) {
    Column made = column("c", 16401);
    made.extension_type = name;
    return made;
}

TEST(TypeModes, WriteHstoreAsAMap) {
    TypeOptions options;
    options.hstore = HstoreMode::map;
    EXPECT_EQ(json(extension("hstore"), options, testing::text(R"("key"=>"val", "b"=>NULL)")),
              R"({"key":"val","b":null})");
    EXPECT_EQ(json(extension("hstore"), options, testing::text("")), "{}");
    EXPECT_EQ(schema(value_type_of(extension("hstore"), options)),
              R"({"type":"map","keys":{"type":"string","optional":false},"values":{"type":"string","optional":true},)"
              R"("optional":true,"field":"c"})");
}

TEST(TypeModes, WriteVectors) {
    EXPECT_EQ(json(extension("vector"), {}, testing::text("[1,2.5,-3e+10]")), "[1.0,2.5,-3.0E10]");
    EXPECT_EQ(json(extension("halfvec"), {}, testing::text("[1,2]")), "[1.0,2.0]");
    EXPECT_EQ(json(extension("sparsevec"), {}, testing::text("{1:10,3:20}/5")),
              R"({"dimensions":5,"vector":[[1,10.0],[3,20.0]]})");
    EXPECT_EQ(json(extension("sparsevec"), {}, testing::text("{}/5")), R"({"dimensions":5,"vector":[]})");
    for (const char *name : {"vector", "sparsevec"})
        for (const char *malformed : {"", "[", "[1", "[1,", "[]x", "{1:2", "{1:2}", "{1:2}/", "{1}/2", "{1:2 3:4}/5"})
            EXPECT_THROW(json(extension(name), {}, testing::text(malformed)), DataError) << malformed;
    EXPECT_EQ(schema(value_type_of(extension("vector"))),
              R"({"type":"array","items":{"type":"double","optional":false},"optional":true,)"
              R"("name":"io.debezium.data.DoubleVector","version":1,"field":"c"})");
    EXPECT_EQ(schema(value_type_of(extension("sparsevec"))),
              R"({"type":"struct","fields":[{"type":"int16","optional":false,"field":"dimensions"},)"
              R"({"type":"map","keys":{"type":"int16","optional":false},"values":{"type":"double","optional":false},)"
              R"("optional":false,"field":"vector"}],"optional":true,"name":"io.debezium.data.SparseDoubleVector",)"
              R"("version":1,"doc":"Sparse double vector","field":"c"})");
}

TEST(TypeModes, WriteGeometriesWithTheirReferenceSystem) {
    EXPECT_EQ(json(extension("geometry"), {}, testing::text("0101000020730C00001C7C613255DE6540787AA52C435C42C0")),
              R"({"wkb":"AQEAACBzDAAAHHxhMlXeZUB4eqUsQ1xCwA==","srid":3187,"extensions":null})");
    EXPECT_EQ(json(extension("geography"), {}, testing::text("0000000001")), R"({"wkb":"AAAAAAE=","srid":null})");
    EXPECT_EQ(json(extension("geometry"), {}, testing::text("00200000010000005A")),
              R"({"wkb":"ACAAAAEAAABa","srid":90,"extensions":null})");
    EXPECT_THROW(json(extension("geometry"), {}, testing::text("01")), DataError);
    EXPECT_THROW(json(extension("geometry"), {}, testing::text("POINT(1 1)")), DataError);
    EXPECT_EQ(schema(value_type_of(extension("geometry")), false),
              R"({"type":"struct","fields":[{"type":"bytes","optional":false,"field":"wkb"},)"
              R"({"type":"int32","optional":true,"field":"srid"},{"type":"map",)"
              R"("keys":{"type":"string","optional":false},"values":{"type":"string","optional":false},)"
              R"("optional":true,"field":"extensions"}],"optional":true,)"
              R"("name":"io.debezium.data.geometry.Geometry","version":2,"doc":"Geometry","field":"c"})");
}

TEST(TypeModes, WriteTheTextOfTypesThatAreAskedFor) {
    TypeOptions options;
    options.as_text = make_patterns({"interval", "numeric.*", "integer\\[\\]"}, "types.as_text");
    const TypeOptions copied = options; // as formats do
    Column interval = column("c", 1186);
    interval.type_name = "interval";
    EXPECT_EQ(json(interval, copied, testing::binary(int8(0) + int4(1) + int4(14))), "\"1 year 2 mons 1 day\"");
    EXPECT_EQ(schema(value_type_of(interval, copied)), plain("string"));
    Column number = column("c", 1700, numeric_typmod(10, 4));
    number.type_name = "numeric(10,4)";
    EXPECT_EQ(json(number, copied, testing::binary(numeric({1, 2000}, 0, 0, 4))), "\"1.2000\"");
    Column ints = array_column("c", 1007, 23);
    ints.type_name = "integer[]";
    EXPECT_EQ(json(ints, copied, testing::binary(array(23, {int4(1), std::nullopt}))), "\"{1,NULL}\"");
    EXPECT_EQ(schema(value_type_of(ints, copied)), plain("string"));
    Column texts = array_column("c", 1009, 25);
    texts.type_name = "text[]";
    EXPECT_EQ(json(texts, copied, testing::binary(array(25, {"a"}))), "[\"a\"]");
}

TEST(TypeModes, EncodeDefaultsLikeValues) {
    TypeOptions options;
    options.decimal = DecimalMode::as_string;
    options.time = TimeMode::isostring;
    options.interval = IntervalMode::as_string;
    const auto of = [&](Column made, const char *expression) {
        made.default_expression = expression;
        return column_default(made, value_type_of(made, options));
    };
    EXPECT_EQ(of(column("c", 1700, numeric_typmod(10, 2)), "1.5"), "\"1.50\"");
    EXPECT_EQ(of(column("c", 1700), "random()"), "\"0\"");
    EXPECT_EQ(of(column("c", 1082), "'2024-05-01'::date"), "\"2024-05-01Z\"");
    EXPECT_EQ(of(column("c", 1114), "now()"), "\"1970-01-01T00:00:00Z\"");
    EXPECT_EQ(of(column("c", 1186), "'01:00:00'::interval"), "\"P0Y0M0DT1H0M0S\"");
}

// What Debezium's test of NOT NULL columns under REPLICA IDENTITY DEFAULT expects.
TEST(AbsentValue, IsNullOrTheDefaultOrTheZeroOfTheType) {
    const auto of = [](Column made) {
        made.nullable = false;
        return absent_value(made, value_type_of(made));
    };
    EXPECT_EQ(absent_value(column("c", 23), value_type_of(column("c", 23))), "null");
    Column with_default = column("c", 23);
    with_default.default_expression = "7";
    EXPECT_EQ(of(with_default), "7");
    with_default.default_expression = "a + b"; // that says nothing
    EXPECT_EQ(of(with_default), "0");
    const std::pair<std::uint32_t, const char *> cases[] = {
        {16, "false"},
        {21, "0"},
        {20, "0"},
        {700, "0.0"},
        {701, "0.0"},
        {1700, R"({"scale":0,"value":"AA=="})"},
        {790, "\"AA==\""},
        {25, "\"\""},
        {18, "\"\""},
        {114, "\"\""},
        {3802, "\"\""},
        {2950, "\"\""},
        {142, "\"\""},
        {17, "\"\""},
        {1562, "\"\""},
        {869, "\"\""},
        {1082, "0"},
        {1083, "0"},
        {1114, "0"},
        {1184, "\"1970-01-01T00:00:00Z\""},
        {1266, "\"00:00:00Z\""},
        {1186, "0"},
        {600, R"({"x":0.0,"y":0.0,"wkb":"AQEAAAAAAAAAAAAAAAAAAAAAAAAA","srid":null})"},
    };
    for (const auto &[type, expected] : cases) EXPECT_EQ(of(column("c", type)), expected) << type;
    EXPECT_EQ(of(column("c", 1560, 1)), "false");
    EXPECT_EQ(of(column("c", 1700, numeric_typmod(10, 2))), "\"AA==\"");
    EXPECT_EQ(of(array_column("c", 1007, 23)), "[]");
    EXPECT_EQ(of(array_column("c", 1185, 1184)), "[]");
    EXPECT_EQ(of(extension("hstore")), "\"{}\"");
    EXPECT_EQ(of(extension("vector")), "[]");
    EXPECT_EQ(of(extension("sparsevec")), R"({"dimensions":0,"vector":[]})");
    EXPECT_EQ(of(extension("geometry")), R"({"wkb":"AQcAAAAAAAAA","srid":null,"extensions":null})");
}

TEST(MaxwellTypes, HaveZuluForUtcInTextsToo) {
    const ValueType type = value_type_of_maxwell(column("c", 1184));
    EXPECT_EQ(json(type, testing::text("2024-05-01 10:00:00.5+00")), "\"2024-05-01 10:00:00.5Z\"");
    EXPECT_EQ(json(type, testing::text("0044-03-15 00:00:00+00 BC")), "\"0044-03-15 00:00:00Z BC\"");
    EXPECT_EQ(json(type, testing::text("-infinity")), "\"-infinity\"");
    EXPECT_EQ(json(type, testing::text("2024-05-01\"\n+00")), R"("2024-05-01\"\nZ")");
    EXPECT_THROW(json(type, testing::text("2024-05-01 10:00:00+00:30")), DataError);
}

TEST(MaxwellTypes, AreJsonsOwnWhereMaxwellsAre) {
    const auto of = [](const Column &made, std::string_view bytes) {
        return json(value_type_of_maxwell(made), testing::binary(bytes));
    };
    EXPECT_EQ(of(column("c", 16), std::string_view("\1", 1)), "true");
    EXPECT_EQ(of(column("c", 20), int8(-5)), "-5");
    EXPECT_EQ(of(column("c", 701), float8(1.5)), "1.5");
    EXPECT_EQ(of(column("c", 1700, numeric_typmod(10, 2)), numeric({24, 5000}, 0, 0, 2)), "24.50");
    EXPECT_EQ(of(column("c", 1700), numeric({10}, -33, negative, 131)), "-0." + std::string(128, '0') + "001");
    EXPECT_EQ(of(column("c", 1700), numeric({}, 0, 0xC000)), "\"NaN\"");
    EXPECT_EQ(of(column("c", 1700), numeric({}, 0, 0xF000)), "\"-Infinity\"");
    EXPECT_EQ(of(column("c", 790), int8(-1950)), "-19.50");
    EXPECT_EQ(of(column("c", 25), "a\"b"), R"("a\"b")");
    EXPECT_EQ(of(column("c", 17), "\1\2\3"), "\"AQID\"");
    EXPECT_EQ(of(column("c", 114), "{\"a\":\n\t[1, \"\\ud800\\u0000\"]}\r\n"), "{\"a\":  [1, \"\\ud800\\u0000\"]}  ");
    EXPECT_EQ(of(column("c", 3802), "\1{\"a\": 1}"), "{\"a\": 1}");
    EXPECT_EQ(of(column("c", 1082), int4(0)), "\"2000-01-01\"");
    EXPECT_EQ(of(column("c", 1083), int8(noon_us + 500'000)), "\"12:00:00.5\"");
    EXPECT_EQ(of(column("c", 1114), int8(noon_us)), "\"2000-01-01 12:00:00\"");
    EXPECT_EQ(of(column("c", 1184), int8(noon_us + 1)), "\"2000-01-01 12:00:00.000001Z\"");
    EXPECT_EQ(of(column("c", 1184), int8(-730'486 * us_per_day)), "\"0002-12-31 00:00:00Z BC\"");
    EXPECT_EQ(of(column("c", 1184), int8(std::numeric_limits<std::int64_t>::max())), "\"infinity\"");
    EXPECT_EQ(of(column("c", 1186), int8(0) + int4(-1) + int4(1)), "\"1 mon -1 days\"");
    EXPECT_EQ(of(column("c", 600), float8(1) + float8(2.5)), "\"(1,2.5)\"");
    EXPECT_EQ(of(column("c", 1560, 3), int4(3) + "\xA0"), "\"101\"");
    EXPECT_EQ(of(array_column("c", 1182, 1082), array(1082, {int4(0), std::nullopt})), "[\"2000-01-01\",null]");
    EXPECT_EQ(of(array_column("c", 3807, 3802), array(3802, {"\1[1]"})), "[[1]]");
    const ValueType hstore = value_type_of_maxwell(extension("hstore"));
    EXPECT_EQ(json(hstore, testing::text(R"("a"=>"1")")), R"({"a":"1"})");
    EXPECT_EQ(json(value_type_of_maxwell(column("c", 869)), testing::text("10.0.0.1")), "\"10.0.0.1\"");
    EXPECT_EQ(json(value_type_of_maxwell(array_column("c", 1041, 869)), testing::text("{10.0.0.1}")), "[\"10.0.0.1\"]");
}

TypeOptions as_debezium(TimeMode time = TimeMode::adaptive) {
    TypeOptions options;
    options.compatibility = Compatibility::debezium_3_7;
    options.time = time;
    return options;
}

TEST(TypeModes, PublishOnlyWhatDebeziumHasAFormForWhenTold) {
    constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();
    const auto of = [](const Column &column, const std::string &value, TimeMode time = TimeMode::adaptive) {
        return json(column, as_debezium(time), testing::binary(value));
    };
    const std::string nan("\0\0\0\0\xC0\0\0\0", 8);
    EXPECT_EQ(of(column("c", 1700), nan), "null");
    EXPECT_EQ(of(column("c", 1700, numeric_typmod(10, 2)), nan), "null");
    EXPECT_EQ(of(column("c", 1114), int8(longest - 1)), "9223372036854775807");
    EXPECT_EQ(of(column("c", 1114), int8(longest - 1), TimeMode::nanoseconds), "null");
    EXPECT_EQ(of(column("c", 1186), int8(0) + int4(0) + int4(-2'136'000'000)), "-9223372036854775808");
    EXPECT_EQ(of(column("c", 1114), int8(longest), TimeMode::isostring), R"("+292278994-08-16T23:00:00Z")");
    EXPECT_EQ(of(column("c", 1082), int4(std::numeric_limits<std::int32_t>::min()), TimeMode::isostring),
              R"("-5877611-06-22Z")");
    EXPECT_EQ(of(column("c", 1083), int8(us_per_day), TimeMode::isostring), R"("00:00:00Z")");
    EXPECT_EQ(of(array_column("c", 1007, 23), array(23, {int4(1), std::nullopt})), "[1,null]");
    const auto text = [](const Column &column, const char *value) {
        return json(column, as_debezium(), testing::text(value));
    };
    EXPECT_EQ(text(array_column("c", 1007, 23), "{{1,2},{3,4}}"), "[null,null]");
    EXPECT_EQ(text(array_column("c", 1231, 1700), "{1,NULL}"), R"([{"scale":0,"value":"AQ=="},null])");
    EXPECT_EQ(text(array_column("c", 1231, 1700), "{1,NaN}"), "null");
    Column moods = array_column("c", 16400, 16399);
    moods.kind = 'e';
    moods.labels = {"sad", "happy"};
    EXPECT_EQ(text(moods, "{sad,happy}"), R"(["sad","happy"])");
    EXPECT_EQ(text(moods, "{sad,NULL}"), "null");
    EXPECT_EQ(text(array_column("c", 1009, 25), R"({{"}{",b},{c,d}})"), "[null,null]");
    const std::string longer_than_it_is = int4(2) + int4(0) + int4(23) + int4(1'000'000) + int4(1) + int4(1) + int4(1);
    EXPECT_THROW(of(array_column("c", 1007, 23), longer_than_it_is), DataError);
}

TEST(TypeModes, WriteGeometryAsDebeziumsStructsWhenTold) {
    const auto of = [](std::uint32_t type, const char *value) {
        return json(column("c", type), as_debezium(), testing::text(value));
    };
    EXPECT_EQ(of(601, "[(1,2),(3,4)]"), R"({"wkb":"AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEA=",)"
                                        R"("srid":null,"extensions":{"type":"lseg"}})");
    EXPECT_EQ(of(602, "((0,0),(1,1),(1,0))"),
              R"({"wkb":"AQIAAAADAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAADwPwAAAAAAAAAA",)"
              R"("srid":null,"extensions":{"type":"path","closed":"true"}})");
    EXPECT_EQ(
        of(603, "(3,4),(1,2)"),
        R"({"wkb":"AQMAAAABAAAABQAAAAAAAAAAAAhAAAAAAAAAEEAAAAAAAAAIQAAAAAAAAABAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAPA/AAA)"
        R"(AAAAAEEAAAAAAAAAIQAAAAAAAABBA","srid":null,"extensions":{"type":"box"}})");
    EXPECT_EQ(
        of(604, "((0,0),(1,1),(1,0))"),
        R"({"wkb":"AQMAAAABAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwPwAAAAAAAPA/AAAAAAAA8D8AAAAAAAAAAAAAAAAAAAAAAAA)"
        R"(AAAAAAAA=","srid":null,"extensions":{"type":"polygon"}})");
    EXPECT_EQ(of(628, "{1,2,3}"), R"({"a":1.0,"b":2.0,"c":3.0})");
    EXPECT_EQ(of(718, "<(1,2),3>"),
              R"({"center":{"x":1.0,"y":2.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAABA","srid":null},"radius":3.0})");
    EXPECT_EQ(json(value_type_of(column("c", 628)), testing::text("{1,2,3}")), R"("{1,2,3}")");
    EXPECT_THROW(of(718, "<(1,2)>"), DataError);
}

} // namespace
} // namespace waybill
