#include "format/column_default.hpp"
#include "pg_values.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace waybill {
namespace {

using testing::column;
using testing::numeric_typmod;

std::string of(Column column, std::string expression) {
    column.default_expression = std::move(expression);
    return column_default(column, value_type_of(column));
}

std::string of(std::uint32_t type, std::string expression, std::int32_t typmod = -1) {
    return of(column("c", type, typmod), std::move(expression));
}

TEST(ColumnDefault, TakesLiterals) {
    EXPECT_EQ(of(23, "5"), "5");
    EXPECT_EQ(of(23, "'-1'::integer"), "-1");
    EXPECT_EQ(of(23, "(-1)"), "-1");
    EXPECT_EQ(of(20, "'9223372036854775807'::bigint"), "9223372036854775807");
    EXPECT_EQ(of(21, "(5)::smallint"), "5");
    EXPECT_EQ(of(16, "true"), "true");
    EXPECT_EQ(of(16, "false"), "false");
    EXPECT_EQ(of(701, "0"), "0.0");
    EXPECT_EQ(of(701, "1.5"), "1.5");
    EXPECT_EQ(of(700, "(0)::real"), "0.0");
    EXPECT_EQ(of(1700, "0.00", numeric_typmod(10, 2)), "\"AA==\"");
    EXPECT_EQ(of(1700, "'-1.5'::numeric", numeric_typmod(10, 2)), "\"/2o=\"");
    EXPECT_EQ(of(1043, "'new'::character varying"), "\"new\"");
    EXPECT_EQ(of(1043, "'x'::character varying(20)"), "\"x\"");
    EXPECT_EQ(of(25, "'it''s \"so\"'::text"), R"("it's \"so\"")");
    EXPECT_EQ(of(25, "'a\\b''c'::text"), R"("a\\b'c")");
    EXPECT_EQ(of(25, "''::text"), "\"\"");
    EXPECT_EQ(of(3802, "'{\"a\": [1]}'::jsonb"), R"("{\"a\": [1]}")");
    EXPECT_EQ(of(1082, "'2024-05-01'::date"), "19844");
    EXPECT_EQ(of(1114, "'2024-05-01 10:00:00'::timestamp without time zone"), "1714557600000000");
    EXPECT_EQ(of(1184, "'2024-05-01 10:00:00+00'::timestamp with time zone"), "\"2024-05-01T10:00:00.000000Z\"");
    EXPECT_EQ(of(1186, "'1 day 02:00:00'::interval"), "93600000000");
    EXPECT_EQ(of(701, "'-15000000000'::numeric"), "-1.5E10");
    EXPECT_EQ(of(2950, "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid"), "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"");
    EXPECT_EQ(of(1560, "B'1'::\"bit\"", 1), "true");
}

// As the connector was seen to do.
TEST(ColumnDefault, LeavesOutWhatDebeziumLeavesOut) {
    EXPECT_EQ(of(790, "(1.5)::money"), "");
    EXPECT_EQ(of(1266, "'10:00:00+00'::time with time zone"), "");
    EXPECT_EQ(of(26, "'5'::oid"), "");
    EXPECT_EQ(of(18, "'a'::\"char\""), "");
    EXPECT_EQ(of(19, "'a'::name"), "");
    EXPECT_EQ(of(1700, "'NaN'::numeric", ((5 << 16) | 1) + 4), ""); // a record with it could not be read
    EXPECT_EQ(of(1184, "'infinity'::timestamp with time zone"), "");
    EXPECT_EQ(of(1184, "'-infinity'::timestamp with time zone"), "");
    Column citext = column("c", 16500);
    citext.type_name = "citext";
    EXPECT_EQ(of(citext, "'new'::citext"), "");
}

TEST(ColumnDefault, TakesTheLabelOfAnEnum) {
    Column mood = column("mood", 16400);
    mood.kind = 'e';
    EXPECT_EQ(of(mood, "'sad'::mood"), "\"sad\"");
    EXPECT_EQ(of(mood, "'sad'::public.\"Mood\""), "\"sad\"");
    EXPECT_EQ(of(mood, "any_mood()"), "");
}

TEST(ColumnDefault, PutsAPlaceholderForWhatIsEvaluated) {
    EXPECT_EQ(of(23, "nextval('orders_id_seq'::regclass)"), "0");
    EXPECT_EQ(of(23, "nextval('a.\"o)(''s\"'::regclass)"), "0");
    EXPECT_EQ(of(1700, "random()", numeric_typmod(10, 2)), "\"AA==\"");
    EXPECT_EQ(of(701, "random()"), "0.0");
    EXPECT_EQ(of(16, "public.is_it(1, 'x'::text)"), "false");
    EXPECT_EQ(of(25, "CURRENT_USER"), "\"\"");
    EXPECT_EQ(of(1043, "(gen_random_uuid())::character varying"), "\"\"");
    EXPECT_EQ(of(3802, "jsonb_build_object()"), "\"{}\"");
    EXPECT_EQ(of(2950, "gen_random_uuid()"), "\"00000000-0000-0000-0000-000000000000\"");
    EXPECT_EQ(of(1082, "CURRENT_DATE"), "0");
    EXPECT_EQ(of(1083, "LOCALTIME"), "0");
    EXPECT_EQ(of(1114, "now()"), "0");
    EXPECT_EQ(of(1184, "CURRENT_TIMESTAMP"), "\"1970-01-01T00:00:00.000000Z\"");
    EXPECT_EQ(of(1184, "now()", 3), "\"1970-01-01T00:00:00.000Z\"");
}

TEST(ColumnDefault, LeavesOutWhatIsNeither) {
    EXPECT_EQ(column_default(column("c", 23), value_type_of(column("c", 23))), "");
    for (const char *expression :
         {"", "NULL::integer", "NULL", "1 + 2", "(1 + 2)", "nextval('s'::regclass) + 1", "'5", "(5", "x", "-", ".",
          "CASE WHEN true THEN 1 END", "ARRAY[1]", "'abc'::integer", "nextval('s'", "5 || 6", "'5'::int + 1"})
        EXPECT_EQ(of(23, expression), "") << expression;
    EXPECT_EQ(of(25, "('a'::text || 'b'::text)"), "");
    EXPECT_EQ(of(25, "NULL::text"), "");
    EXPECT_EQ(of(1082, "('now'::text)::date"), "");
}

TEST(ColumnDefault, LeavesOutTypesWhoseDefaultsDebeziumDoes) {
    EXPECT_EQ(of(17, "'\\x01'::bytea"), "");
    EXPECT_EQ(of(1700, "0"), ""); // a struct
    EXPECT_EQ(of(600, "'(0,0)'::point"), "");
    EXPECT_EQ(of(869, "'::1'::inet"), "");
    EXPECT_EQ(of(testing::array_column("c", 1007, 23), "'{}'::integer[]"), "");
}

} // namespace
} // namespace waybill
