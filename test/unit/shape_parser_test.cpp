#include "shape_parser.hpp"

#include "errors.hpp"

#include <gtest/gtest.h>

#include <string>

namespace waybill {
namespace {

const std::string orders = R"json({"relation":16384,"schema":"public","table":"orders","key":["region","id"],"columns":[
    {"name":"id","type_name":"integer","type":23,"typmod":-1,"element":0,"kind":"b","not_null":true,
     "default":"nextval('orders_id_seq'::regclass)"},
    {"name":"region","type_name":"text","type":25,"typmod":-1,"element":0,"kind":"b","not_null":true},
    {"name":"moods","type_name":"mood[]","type":16400,"typmod":-1,"element":4294967295,"kind":"e","not_null":false,
     "labels":["sad","ü\"ber"],"extension_type":"mood","delimiter":";","later":{"more":[1]}}]})json";

std::string error_of(const std::string &definition) {
    try {
        const Shape shape = parse_shape(7, definition);
        if (!shape.error.empty()) return shape.error;
    } catch (const DataError &error) {
        return error.what();
    }
    return "no error";
}

std::string with(const std::string &what, const std::string &by) {
    std::string definition = orders;
    const std::size_t at = definition.find(what);
    EXPECT_NE(at, definition.npos) << what;
    return definition.replace(at, what.size(), by);
}

TEST(ShapeParser, ReadsAllMembers) {
    const Shape shape = parse_shape(7, orders);
    EXPECT_EQ(shape.id, 7);
    EXPECT_EQ(shape.relation, 16384U);
    EXPECT_EQ(shape.schema, "public");
    EXPECT_EQ(shape.table, "orders");
    ASSERT_EQ(shape.columns.size(), 3U);
    EXPECT_EQ(shape.columns[0].name, "id");
    EXPECT_EQ(shape.columns[0].type_name, "integer");
    EXPECT_EQ(shape.columns[0].type, 23U);
    EXPECT_EQ(shape.columns[0].typmod, -1);
    EXPECT_EQ(shape.columns[0].kind, 'b');
    EXPECT_FALSE(shape.columns[0].nullable);
    EXPECT_EQ(shape.columns[0].default_expression, "nextval('orders_id_seq'::regclass)");
    EXPECT_EQ(shape.columns[1].default_expression, std::nullopt);
    EXPECT_EQ(shape.columns[2].element, 4294967295U);
    EXPECT_TRUE(shape.columns[2].nullable);
    EXPECT_EQ(shape.columns[1].extension_type, "");
    EXPECT_EQ(shape.columns[2].extension_type, "mood");
    EXPECT_EQ(shape.columns[1].delimiter, ',');
    EXPECT_EQ(shape.columns[2].delimiter, ';');
    EXPECT_EQ(shape.columns[2].labels, (std::vector<std::string>{"sad", "ü\"ber"}));
}

TEST(ShapeParser, KeepsTheKeysOwnOrder) {
    EXPECT_EQ(parse_shape(7, orders).key, (std::vector<std::uint16_t>{1, 0}));
}

TEST(ShapeParser, TakesATableWithoutKeyAndWithoutColumns) {
    const Shape shape = parse_shape(1, R"({"relation":1,"schema":"s","table":"t","key":[],"columns":[]})");
    EXPECT_TRUE(shape.key.empty());
    EXPECT_TRUE(shape.columns.empty());
}

TEST(ShapeParser, SaysWhichMemberOfWhichColumnIsWrong) {
    EXPECT_EQ(error_of(with(R"("type":25,)", "")), R"(shape 7, column 2, has no "type")");
    EXPECT_EQ(error_of(with(R"("typmod":-1)", R"("typmod":"-1")")),
              R"(shape 7, column 1, has a "typmod" out of range)");
    EXPECT_EQ(error_of(with("4294967295", "4294967296")), R"(shape 7, column 3, has a "element" out of range)");
    EXPECT_EQ(error_of(with(R"("kind":"e")", R"("kind":"enum")")),
              R"(shape 7, column 3, has a "kind" that is not one letter)");
    EXPECT_EQ(error_of(with(R"("delimiter":";")", R"("delimiter":"")")),
              R"(shape 7, column 3, has a "delimiter" that is not one character)");
    EXPECT_EQ(error_of(with(R"("sad")", "5")), R"(shape 7, column 3, has a "labels" that is not a string)");
    EXPECT_EQ(error_of(with(R"("region","id")", R"("no such")")),
              R"(shape 7 has the key column "no such", which is no column)");
}

TEST(ShapeParser, KnowsTheTableOfAShapeThatDoesNotRead) {
    const Shape shape = parse_shape(7, with(R"("type":25,)", ""));
    EXPECT_EQ(shape.schema, "public");
    EXPECT_EQ(shape.table, "orders");
    EXPECT_TRUE(shape.columns.empty());
    EXPECT_TRUE(shape.key.empty());
}

TEST(ShapeParser, RefusesWhatIsNoShape) {
    for (const char *definition : {"", "{", "[]", "null", "5", "{}", "\xFF", R"({"relation":1,"schema":"s","table":5})",
                                   R"({"relation":1,"schema":"s","table":"t","key":{},"columns":[]})",
                                   R"({"relation":1,"schema":"s","table":"t","key":[1],"columns":[]})",
                                   R"({"relation":1,"schema":"s","table":"t","key":[],"columns":[5]})"})
        EXPECT_NE(error_of(definition), "no error") << definition;
}

TEST(ShapeParser, SurvivesDeepNesting) {
    EXPECT_NE(error_of(std::string(1'000'000, '[')), "no error");
}

TEST(ShapeParser, RefusesEveryPrefixOfAShape) {
    for (std::size_t size = 0; size < orders.size(); ++size)
        EXPECT_NE(error_of(orders.substr(0, size)), "no error") << size;
}

TEST(ShapeParser, ReadsNames) {
    EXPECT_EQ(parse_names(R"(["a","ü\"\\",""])"), (std::vector<std::string>{"a", "ü\"\\", ""}));
    EXPECT_TRUE(parse_names("[]").empty());
    for (const char *json : {"", "null", "{}", "[1]", "[null]", "[\"a\"", "\xFF"})
        EXPECT_THROW(static_cast<void>(parse_names(json)), DataError) << json;
}

} // namespace
} // namespace waybill
