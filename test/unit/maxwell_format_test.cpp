// What Maxwell's format does where the golden file shows nothing: rules for columns, records held back.
#include "errors.hpp"
#include "format_fixture.hpp"

namespace waybill {
namespace {

using testing::binary;
using testing::int4;

class MaxwellFormatTest : public testing::FormatTest {
protected:
    static FormatOptions with(const std::string &output) {
        FormatOptions made = options();
        made.settings = {{"output", output}};
        return made;
    }
};

TEST_F(MaxwellFormatTest, DoesNotTellByAnAbsentMemberThatAMaskedColumnIsNull) {
    FormatOptions masked = with("commit_info");
    masked.shaping.mask = {"public.items.name=***"};
    use("maxwell", masked);
    std::vector<Value> values(shape_.columns.size());
    values[0] = binary(keep(int4(1)));
    insert(values);
    const auto records = end_transaction();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_NE(records[0].value.find(R"("data":{"id":1,"name":"***"})"), std::string::npos) << records[0].value;
}

TEST_F(MaxwellFormatTest, PublishesTypesAsTextWhenTold) {
    FormatOptions made = with("commit_info,nulls");
    made.types.as_text.emplace_back("jsonb", "types.as_text");
    shape_.columns[4].type_name = "jsonb";
    use("maxwell", made);
    insert(row(int4(1)));
    const auto records = end_transaction();
    EXPECT_NE(records.at(0).value.find(R"("attrs":"{\"color\": \"red\"}")"), std::string::npos) << records[0].value;
}

TEST_F(MaxwellFormatTest, NamesEachColumnOfAKeyInLowerCase) {
    shape_.columns[1].name = "Name";
    shape_.key = {1, 0};
    use("maxwell", with("commit_info"));
    insert(row(int4(1)));
    EXPECT_EQ(end_transaction().at(0).key,
              R"({"database":"public","table":"items","pk.name":"Kettle \"Ünï\"","pk.id":1})");
    FormatOptions array_key = options();
    array_key.settings = {{"key", "array"}};
    use("maxwell", array_key);
    insert(row(int4(1)));
    EXPECT_EQ(end_transaction().at(0).key, R"(["public","items",[{"name":"Kettle \"Ünï\""},{"id":1}]])");
}

TEST_F(MaxwellFormatTest, CountsRecordsOnlyAsAPartOfCommitInfo) {
    use("maxwell", with("xoffset"));
    insert(row(int4(1)));
    EXPECT_EQ(end_transaction().at(0).value.find("xoffset"), std::string::npos);
}

TEST_F(MaxwellFormatTest, MakesNoMessageThatIsTooLargeForSure) {
    for (const char *output : {"nulls", "commit_info"}) {
        use("maxwell", with(output));
        EXPECT_TRUE(is_too_large(5000, 4000));
        EXPECT_FALSE(is_too_large(5000, 6000));
    }
}

TEST_F(MaxwellFormatTest, PublishesTheRecordHeldBackBeforeAChangeThatCannotBeRead) {
    use("maxwell", with("commit_info"));
    EXPECT_TRUE(insert(row(int4(1))).empty());
    std::vector<Value> damaged = copy(row(int4(2)));
    damaged[3] = binary("short");
    testing::Recorder recorder;
    const Change change{.op = Operation::insert,
                        .shape = &shape_,
                        .position = {.timeline = 1, .csn = csn_, .index = index_ + 1},
                        .transaction = &transaction_,
                        .before = {},
                        .after = damaged};
    EXPECT_THROW(format_->encode(change, 0, recorder), DataError);
    ASSERT_EQ(recorder.records.size(), 1U);
    EXPECT_EQ(recorder.records[0].key, R"({"database":"public","table":"items","pk.id":1})");
    EXPECT_EQ(recorder.records[0].value.find("commit"), std::string::npos);
    EXPECT_TRUE(end_transaction().empty());
}

} // namespace
} // namespace waybill
