// The reference's examples of what Debezium publishes, with what is ours in them: csn and index for lsn and sequence.
#include "errors.hpp"
#include "format_fixture.hpp"

namespace waybill {
namespace {

using testing::array_column;
using testing::binary;
using testing::column;
using testing::FormatTest;
using testing::int4;
using testing::items;
using testing::numeric;
using testing::numeric_typmod;
using testing::Recorded;

class DebeziumFormatTest : public FormatTest {
protected:
    DebeziumFormatTest() { use("debezium", options()); }
};

TEST_F(DebeziumFormatTest, PublishesAnInsert) {
    const auto records =
        encode(Operation::insert, {}, row(int4(1)), 24023128, 1'714'557'600'123'456, 771, 1'714'557'600'400'111);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].topic, "shop.public.items");
    EXPECT_EQ(records[0].partition, Message::by_key);
    EXPECT_EQ(records[0].key, R"({"id":1})");
    EXPECT_EQ(records[0].headers, "waybill.position=src/1/24023128/5\n");
    EXPECT_EQ(
        records[0].value,
        R"({"before":null,"after":{"id":1,"name":"Kettle \"Ünï\"","price":"B88=","updated_at":"2024-05-01T10:00:00.000000Z","attrs":"{\"color\": \"red\"}","tags":[1,2,null]},"source":{"version":"3.6.1.Final","connector":"postgresql","name":"shop","ts_ms":1714557600123,"snapshot":"false","db":"inventory","sequence":"[\"24023128\",\"5\"]","ts_us":1714557600123456,"ts_ns":1714557600123456000,"schema":"public","table":"items","txId":771,"lsn":24023128,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"c","ts_ms":1714557600400,"ts_us":1714557600400111,"ts_ns":1714557600400111000})");
}

TEST_F(DebeziumFormatTest, MakesNoMessageThatIsTooLargeForSure) {
    EXPECT_TRUE(is_too_large(5000, 4000));
    EXPECT_FALSE(is_too_large(5000, 6000));
    FormatOptions without = options();
    without.shaping.exclude_columns = {R"(public\.items\.name)"};
    use("debezium", without);
    EXPECT_FALSE(is_too_large(5000, 4000)) << "what is not published is not too large";
    FormatOptions truncated = options();
    truncated.shaping.truncate = {R"(public\.items\.name=10)"};
    use("debezium", truncated);
    EXPECT_FALSE(is_too_large(5000, 4000));
}

TEST_F(DebeziumFormatTest, PublishesAnUpdateWithItsWholeOldRow) {
    const auto records = encode(Operation::update, row(int4(1)), row(int4(1), true), 24023520, 1'714'557'900'123'456,
                                772, 1'714'557'900'400'111);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].key, R"({"id":1})");
    EXPECT_EQ(
        records[0].value,
        R"({"before":{"id":1,"name":"Kettle \"Ünï\"","price":"B88=","updated_at":"2024-05-01T10:00:00.000000Z","attrs":"{\"color\": \"red\"}","tags":[1,2,null]},"after":{"id":1,"name":"Kettle \"Ünï\"","price":"CZI=","updated_at":"2024-05-01T10:05:00.250000Z","attrs":"{\"color\": \"red\"}","tags":[1,2,null]},"source":{"version":"3.6.1.Final","connector":"postgresql","name":"shop","ts_ms":1714557900123,"snapshot":"false","db":"inventory","sequence":"[\"24023520\",\"5\"]","ts_us":1714557900123456,"ts_ns":1714557900123456000,"schema":"public","table":"items","txId":772,"lsn":24023520,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"u","ts_ms":1714557900400,"ts_us":1714557900400111,"ts_ns":1714557900400111000})");
}

TEST_F(DebeziumFormatTest, PublishesUnchangedValuesAsIfTheyWereWrittenAgain) {
    const auto before = row(int4(1));
    const auto after = row(int4(1), true);
    const auto expected = encode(Operation::update, before, after, 7, 0, 1, 2);
    for (unsigned unchanged = 0; unchanged < 4; ++unchanged) {
        // As the decoder hands them out: the same bytes, not only equal ones.
        std::vector<Value> old = copy(before);
        for (const std::size_t at : {0U, 1U, 4U, 5U})
            if (unchanged % 2 == 0 || at > 2) old[at] = after[at];
        EXPECT_EQ(encode(Operation::update, old, after, 7, 0, 1, 2), expected);
    }
}

TEST_F(DebeziumFormatTest, PublishesADeleteAndItsTombstone) {
    const auto records =
        encode(Operation::remove, row(int4(1), true), {}, 24023904, 1'714'558'200'123'456, 773, 1'714'558'200'400'111);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].key, R"({"id":1})");
    EXPECT_EQ(
        records[0].value,
        R"({"before":{"id":1,"name":"Kettle \"Ünï\"","price":"CZI=","updated_at":"2024-05-01T10:05:00.250000Z","attrs":"{\"color\": \"red\"}","tags":[1,2,null]},"after":null,"source":{"version":"3.6.1.Final","connector":"postgresql","name":"shop","ts_ms":1714558200123,"snapshot":"false","db":"inventory","sequence":"[\"24023904\",\"5\"]","ts_us":1714558200123456,"ts_ns":1714558200123456000,"schema":"public","table":"items","txId":773,"lsn":24023904,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"d","ts_ms":1714558200400,"ts_us":1714558200400111,"ts_ns":1714558200400111000})");
    Recorded tombstone = records[0];
    tombstone.value = "(null)";
    EXPECT_EQ(records[1], tombstone);
}

TEST_F(DebeziumFormatTest, PublishesAChangedKeyAsDeleteTombstoneAndCreate) {
    const auto records = encode(Operation::update, row(int4(1), true), row(int4(2), true), 24023704,
                                1'714'558'050'123'456, 774, 1'714'558'050'400'111);
    ASSERT_EQ(records.size(), 3U);
    const std::string position = "waybill.position=src/1/24023704/5\n";
    const std::string source_and_rest =
        R"("source":{"version":"3.6.1.Final","connector":"postgresql","name":"shop","ts_ms":1714558050123,"snapshot":"false","db":"inventory","sequence":"[\"24023704\",\"5\"]","ts_us":1714558050123456,"ts_ns":1714558050123456000,"schema":"public","table":"items","txId":774,"lsn":24023704,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"?","ts_ms":1714558050400,"ts_us":1714558050400111,"ts_ns":1714558050400111000})";
    const auto rest = [&](char op) {
        std::string text = source_and_rest;
        text[text.find('?')] = op;
        return text;
    };
    const std::string values =
        R"(,"name":"Kettle \"Ünï\"","price":"CZI=","updated_at":"2024-05-01T10:05:00.250000Z","attrs":"{\"color\": \"red\"}","tags":[1,2,null]})";
    EXPECT_EQ(records[0].key, R"({"id":1})");
    EXPECT_EQ(records[0].headers, position + "__debezium.newkey={\"id\":2}\n");
    EXPECT_EQ(records[0].value, R"({"before":{"id":1)" + values + R"(,"after":null,)" + rest('d'));
    EXPECT_EQ(records[1].key, R"({"id":1})");
    EXPECT_EQ(records[1].headers, records[0].headers);
    EXPECT_EQ(records[1].value, "(null)");
    EXPECT_EQ(records[2].key, R"({"id":2})");
    EXPECT_EQ(records[2].headers, position + "__debezium.oldkey={\"id\":1}\n");
    EXPECT_EQ(records[2].value, R"({"before":null,"after":{"id":2)" + values + "," + rest('c'));
}

TEST_F(DebeziumFormatTest, TakesOtherBytesOfAnEqualKeyForTheSameKey) {
    shape_.key = {2};
    std::vector<Value> before = copy(row(int4(1)));
    std::vector<Value> after = before;
    before[2] = binary(keep(numeric({1}, 0, 0, 0)));
    after[2] = binary(keep(numeric({1}, 0, 0, 2))); // 1.00
    const auto records = encode(Operation::update, before, after, 7, 0, 1, 2);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].key, R"({"price":"ZA=="})");
    EXPECT_NE(records[0].value.find(R"("op":"u")"), std::string::npos);
}

TEST_F(DebeziumFormatTest, PublishesATruncateWithoutKey) {
    const auto records =
        encode(Operation::truncate, {}, {}, 24024288, 1'714'558'500'123'456, 775, 1'714'558'500'400'111);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].key, "(null)");
    EXPECT_EQ(records[0].partition, 0);
    EXPECT_EQ(
        records[0].value,
        R"({"before":null,"after":null,"source":{"version":"3.6.1.Final","connector":"postgresql","name":"shop","ts_ms":1714558500123,"snapshot":"false","db":"inventory","sequence":"[\"24024288\",\"5\"]","ts_us":1714558500123456,"ts_ns":1714558500123456000,"schema":"public","table":"items","txId":775,"lsn":24024288,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"t","ts_ms":1714558500400,"ts_us":1714558500400111,"ts_ns":1714558500400111000})");
}

TEST_F(DebeziumFormatTest, KeepsATableWithoutKeyInOnePartitionAndWithoutTombstones) {
    shape_.key.clear();
    const auto deleted = encode(Operation::remove, row(int4(1)), {}, 1, 0, 1, 2);
    ASSERT_EQ(deleted.size(), 1U);
    EXPECT_EQ(deleted[0].key, "(null)");
    EXPECT_EQ(deleted[0].partition, 0);
    const auto updated = encode(Operation::update, row(int4(1)), row(int4(2)), 2, 0, 1, 2);
    ASSERT_EQ(updated.size(), 1U);
    EXPECT_EQ(updated[0].key, "(null)");
}

TEST_F(DebeziumFormatTest, WritesAKeyInTheKeysOrder) {
    shape_.key = {1, 0};
    EXPECT_EQ(insert(row(int4(3)))[0].key, R"({"name":"Kettle \"Ünï\"","id":3})");
}

TEST_F(DebeziumFormatTest, SendsTheContextBehindThePosition) {
    transaction_.context = R"({"user":"42"})";
    EXPECT_EQ(insert(row(int4(1)))[0].headers, "waybill.position=src/1/1/5\nwaybill.context={\"user\":\"42\"}\n");
    const auto moved = encode(Operation::update, row(int4(1)), row(int4(2)), 2, 0, 1, 2);
    EXPECT_EQ(moved[2].headers,
              "waybill.position=src/1/2/5\nwaybill.context={\"user\":\"42\"}\n__debezium.oldkey={\"id\":1}\n");
    transaction_.context.reset();
    EXPECT_EQ(insert(row(int4(1)))[0].headers, "waybill.position=src/1/2/5\n");
}

TEST_F(DebeziumFormatTest, NamesTheConnectorInHeadersWhenTold) {
    FormatOptions extended = options();
    extended.extended_headers = true;
    extended.run_id = "019f6368-c503-7d1e-8d07-3ff4d6dafdd1";
    use("debezium", extended);
    const auto moved = encode(Operation::update, row(int4(1)), row(int4(2)), 2, 0, 1, 2);
    const std::string position = "waybill.position=src/1/2/5\n";
    const std::string context = "__debezium.context.connectorLogicalName=shop\n"
                                "__debezium.context.taskId=0\n"
                                "__debezium.context.connectorName=postgresql\n"
                                "__debezium.context.runId=019f6368-c503-7d1e-8d07-3ff4d6dafdd1\n";
    EXPECT_EQ(moved[1].headers, position + "__debezium.newkey={\"id\":2}\n" + context);
    EXPECT_EQ(moved[2].headers, position + "__debezium.oldkey={\"id\":1}\n" + context);
}

constexpr std::string_view key_schema =
    R"({"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":"shop.public.items.Key"})";
constexpr std::string_view value_schema =
    R"({"type":"struct","fields":[{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"},{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"price"},{"type":"string","optional":true,"name":"io.debezium.time.ZonedTimestamp","version":1,"field":"updated_at"},{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":"attrs"},{"type":"array","items":{"type":"int32","optional":true},"optional":true,"field":"tags"}],"optional":true,"name":"shop.public.items.Value","field":"before"},{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"},{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"price"},{"type":"string","optional":true,"name":"io.debezium.time.ZonedTimestamp","version":1,"field":"updated_at"},{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":"attrs"},{"type":"array","items":{"type":"int32","optional":true},"optional":true,"field":"tags"}],"optional":true,"name":"shop.public.items.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},{"type":"string","optional":false,"field":"connector"},{"type":"string","optional":false,"field":"name"},{"type":"int64","optional":false,"field":"ts_ms"},{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"},{"type":"string","optional":false,"field":"db"},{"type":"string","optional":true,"field":"sequence"},{"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"},{"type":"string","optional":false,"field":"schema"},{"type":"string","optional":false,"field":"table"},{"type":"int64","optional":true,"field":"txId"},{"type":"int64","optional":true,"field":"lsn"},{"type":"int64","optional":true,"field":"xmin"},{"type":"string","optional":true,"field":"origin"},{"type":"int64","optional":true,"field":"origin_lsn"}],"optional":false,"name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"},{"type":"int64","optional":false,"field":"total_order"},{"type":"int64","optional":false,"field":"data_collection_order"}],"optional":true,"name":"event.block","version":1,"field":"transaction"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"},{"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"}],"optional":false,"name":"shop.public.items.Envelope","version":2})";

TEST_F(DebeziumFormatTest, PutsSchemasAroundKeyAndValue) {
    const auto before = row(int4(1));
    const auto after = row(int4(2));
    const auto bare = encode(Operation::update, before, after, 7, 0, 1, 2);
    use("debezium", options(true));
    const auto records = encode(Operation::update, before, after, 7, 0, 1, 2);
    ASSERT_EQ(records.size(), 3U);
    const auto wrapped = [](std::string_view schema, const std::string &payload) {
        return "{\"schema\":" + std::string(schema) + ",\"payload\":" + payload + "}";
    };
    for (std::size_t at = 0; at < records.size(); ++at) {
        EXPECT_EQ(records[at].key, wrapped(key_schema, bare[at].key));
        EXPECT_EQ(records[at].value, at == 1 ? "(null)" : wrapped(value_schema, bare[at].value));
        EXPECT_EQ(records[at].headers, bare[at].headers);
    }
}

TEST_F(DebeziumFormatTest, DescribesEveryType) {
    Column mood = column("mood", 16400);
    mood.kind = 'e';
    mood.labels = {"sad", "so\"so"};
    Column moods = mood;
    moods.name = "moods";
    moods.type = 16399;
    moods.element = 16400;
    Column serial = column("n", 20);
    serial.default_expression = "nextval('s'::regclass)";
    serial.nullable = false;
    shape_.columns = {mood,
                      moods,
                      serial,
                      column("v", 1700),
                      column("p", 600),
                      column("m", 790),
                      column("b", 1562),
                      column("t", 1083, 3),
                      array_column("ds", 1231, 1700, numeric_typmod(4, 1))};
    shape_.key.clear();
    use("debezium", options(true));
    const std::string fields =
        R"([{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"sad,so\"so"},"field":"mood"},)"
        R"({"type":"array","items":{"type":"string","optional":false,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"sad,so\"so"}},"optional":true,"field":"moods"},)"
        R"({"type":"int64","optional":false,"default":0,"field":"n"},)"
        R"({"type":"struct","fields":[{"type":"int32","optional":false,"field":"scale"},{"type":"bytes","optional":false,"field":"value"}],"optional":true,"name":"io.debezium.data.VariableScaleDecimal","version":1,"doc":"Variable scaled decimal","field":"v"},)"
        R"json({"type":"struct","fields":[{"type":"double","optional":false,"field":"x"},{"type":"double","optional":false,"field":"y"},{"type":"bytes","optional":true,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"}],"optional":true,"name":"io.debezium.data.geometry.Point","version":1,"doc":"Geometry (POINT)","field":"p"},)json"
        R"({"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"m"},)"
        R"({"type":"bytes","optional":true,"name":"io.debezium.data.Bits","version":1,"parameters":{"length":"2147483647"},"field":"b"},)"
        R"({"type":"int32","optional":true,"name":"io.debezium.time.Time","version":1,"field":"t"},)"
        R"({"type":"array","items":{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"1","connect.decimal.precision":"4"}},"optional":true,"field":"ds"}])";
    const auto records = insert(keep(std::vector<Value>(9)));
    EXPECT_NE(records[0].value.find(fields), std::string::npos) << records[0].value;
}

// JsonConverter reads an array of arrays by the schema of an array of numbers as zeros, without an error.
TEST_F(DebeziumFormatTest, GivesRowsWithArraysOfSeveralDimensionsSchemasThatFit) {
    use("debezium", options(true));
    const auto tags = [&](std::string_view text) {
        std::vector<Value> values(6);
        values[0] = binary(keep(int4(1)));
        values[5] = testing::text(text);
        return keep(values);
    };
    const auto holds = [](const std::vector<Recorded> &records, std::string_view part) {
        return records.at(0).value.find(part) != std::string::npos;
    };
    const std::string flat =
        R"({"type":"array","items":{"type":"int32","optional":true},"optional":true,"field":"tags"})";
    const std::string nested =
        R"({"type":"array","items":{"type":"array","items":{"type":"int32","optional":true},"optional":true},"optional":true,"field":"tags"})";
    const std::string text = R"({"type":"string","optional":true,"field":"tags"})";

    auto records = insert(tags("{{1,2},{3,NULL}}"));
    EXPECT_TRUE(holds(records, nested)) << records[0].value;
    EXPECT_FALSE(holds(records, flat));
    EXPECT_TRUE(holds(records, R"("tags":[[1,2],[3,null]]})"));

    records = insert(tags("{1,2}"));
    EXPECT_TRUE(holds(records, flat));
    EXPECT_FALSE(holds(records, nested));

    // An empty array has no dimensions, so any schema fits.
    records = encode(Operation::update, tags("{}"), tags("[0:0][2:3]={{1,2}}"), 7, 0, 1, 2);
    EXPECT_TRUE(holds(records, nested));
    EXPECT_TRUE(holds(records, R"("tags":[]})"));
    EXPECT_TRUE(holds(records, R"("tags":[[1,2]]})"));

    // There are more combinations of several arrays than plans are kept; topics stay where they are all the same.
    shape_.id = 2;
    shape_.columns[1] = array_column("texts", 1009, 25);
    shape_.columns[3] = array_column("numbers", 1016, 20);
    const std::string_view topic = format_->topic(shape_);
    std::vector<Value> several = copy(tags("{{1}}"));
    for (int dimensions = 1; dimensions <= 6 * 6 * 6; ++dimensions) {
        const auto braces = [&](int count) {
            const auto depth = static_cast<std::size_t>(count % 6 + 1);
            return testing::text(keep(std::string(depth, '{') + "1" + std::string(depth, '}')));
        };
        several[1] = braces(dimensions);
        several[5] = braces(dimensions / 6);

        several[3] = braces(dimensions / 36);
        EXPECT_EQ(insert(several).at(0).topic, topic);
    }
    EXPECT_EQ(topic, "shop.public.items");
    shape_ = items();

    records = encode(Operation::update, tags("{1}"), tags("{{1}}"), 8, 0, 1, 2);
    EXPECT_TRUE(holds(records, text)) << records[0].value;
    EXPECT_FALSE(holds(records, flat));
    EXPECT_TRUE(holds(records, R"("tags":"{1}"})"));
    EXPECT_TRUE(holds(records, R"("tags":"{{1}}"})"));
}

TEST_F(DebeziumFormatTest, PublishesANullOfAColumnWithADefaultAsThatDefaultWhenTold) {
    shape_.columns[1].default_expression = "'none'::text";
    shape_.columns[3].default_expression = "now()";
    std::vector<Value> values(6);
    values[0] = binary(keep(int4(1)));
    EXPECT_NE(insert(values)[0].value.find(R"("name":null,"price":null,"updated_at":null)"), std::string::npos);
    FormatOptions as_debezium = options(false);
    as_debezium.replace_null_with_default = true;
    use("debezium", as_debezium);
    EXPECT_NE(insert(values)[0].value.find(
                  R"("name":"none","price":null,"updated_at":"1970-01-01T00:00:00.000000Z","attrs":null)"),
              std::string::npos);
}

TEST_F(DebeziumFormatTest, LeavesOutWhatDebeziumLeavesOutWhenTold) {
    FormatOptions as_debezium = options(true);
    as_debezium.types.compatibility = Compatibility::debezium_3_7;
    use("debezium", as_debezium);
    shape_.columns[1].generated = true;
    shape_.columns[2].type = 2970; // tid
    const std::string value = insert(row(int4(1)))[0].value;
    EXPECT_NE(value.find(R"("after":{"id":1,"updated_at":)"), std::string::npos) << value;
    EXPECT_EQ(value.find(R"("field":"price")"), std::string::npos);
}

TEST_F(DebeziumFormatTest, SaysInItsSchemaWhichColumnsAreNotTheTables) {
    FormatOptions shaped = options(true);
    shaped.shaping.mask = {".*name=***"};
    shaped.shaping.truncate = {".*attrs=4"};
    shaped.shaping.hash = {".*price=salt"};
    use("debezium", shaped);
    const std::string value = insert(row(int4(1)))[0].value;
    EXPECT_NE(value.find(R"("parameters":{"masked":"true"},"field":"name")"), std::string::npos) << value;
    EXPECT_NE(value.find(R"("parameters":{"masked":"true"},"field":"price")"), std::string::npos);
    EXPECT_NE(value.find(R"("parameters":{"truncateLength":"4"},"field":"attrs")"), std::string::npos);
}

TEST_F(DebeziumFormatTest, ReplacesWhatATopicCannotHave) {
    FormatOptions made = options(false);
    made.prefix = "my shop";
    use("debezium", made);
    Shape shape = items();
    shape.schema = "Größe";
    shape.table = "a.b-c_d/\"e\"😀é";
    EXPECT_EQ(format_->topic(shape), "my_shop.Gr__e.a.b-c_d__e____");
    shape.id = 2;
    shape.table = std::string(300, 'x');
    EXPECT_EQ(format_->topic(shape).size(), 249U);
    shape.id = 1;
    EXPECT_EQ(format_->topic(shape), "my_shop.Gr__e.a.b-c_d__e____");
}

TEST_F(DebeziumFormatTest, EscapesNamesInTheEnvelope) {
    shape_.schema = "a\"b";
    shape_.columns[1].name = "c\\d";
    const auto records = insert(row(int4(1)));
    EXPECT_NE(records[0].value.find(R"("schema":"a\"b","table":"items")"), std::string::npos);
    EXPECT_NE(records[0].value.find(R"("id":1,"c\\d":"Kettle)"), std::string::npos);
}

TEST_F(DebeziumFormatTest, PublishesARowWithoutColumns) {
    shape_.columns.clear();
    shape_.key.clear();
    const auto records = insert({});
    EXPECT_EQ(records[0].value.substr(0, 37), R"({"before":null,"after":{},"source":{")");
}

TEST_F(DebeziumFormatTest, KeepsShapesApart) {
    const auto first = insert(row(int4(1)));
    Shape other = shape_;
    other.id = 2;
    other.table = "others";
    std::swap(shape_, other);
    EXPECT_EQ(insert(row(int4(1)))[0].topic, "shop.public.others");
    std::swap(shape_, other);
    EXPECT_EQ(insert(row(int4(1)))[0].topic, first[0].topic);
}

TEST_F(DebeziumFormatTest, SaysWhichValueItCouldNotRead) {
    std::vector<Value> values = copy(row(int4(1)));
    values[3] = binary("short");
    try {
        insert(values);
        FAIL();
    } catch (const DataError &error) {
        EXPECT_STREQ(error.what(), "csn 1, index 5, table public.items, column \"updated_at\": a binary value has the "
                                   "wrong size");
    }
    // The next change is not touched by it.
    EXPECT_EQ(insert(row(int4(1)))[0].key, R"({"id":1})");
    EXPECT_THROW(insert(std::span(values).first(5)), DataError);
}

TEST_F(DebeziumFormatTest, PublishesLargeRows) {
    std::vector<Value> values = copy(row(int4(1)));
    const std::string large(5'000'000, '"');
    values[1] = binary(large);
    const auto records = insert(values);
    EXPECT_GT(records[0].value.size(), 10'000'000U);
    EXPECT_EQ(insert(row(int4(1)))[0].value.size(), insert(row(int4(1)))[0].value.size());
}

TEST_F(DebeziumFormatTest, FloorsTimesBefore1970) {
    const auto records = encode(Operation::truncate, {}, {}, 1, -1, 1, 0);
    EXPECT_NE(records[0].value.find(R"("ts_ms":-1,"snapshot")"), std::string::npos);
    EXPECT_NE(records[0].value.find(R"("ts_us":-1,"ts_ns":-1000)"), std::string::npos);
    EXPECT_NE(records[0].value.find(R"("op":"t","ts_ms":0,"ts_us":0,"ts_ns":0})"), std::string::npos);
}

} // namespace
} // namespace waybill
