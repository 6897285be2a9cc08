#include "log.hpp"

#include "log_text.hpp"

#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <string>

namespace waybill {
namespace {

std::string logged(LogFormat format, std::string_view message, std::initializer_list<LogField> fields) {
    testing::internal::CaptureStderr();
    Log(LogLevel::info, format).info(message, fields);
    return testing::internal::GetCapturedStderr();
}

// A line without its time and process id.
std::string text_of(std::string_view message, std::initializer_list<LogField> fields = {}) {
    const std::string line = logged(LogFormat::text, message, fields);
    EXPECT_TRUE(line.ends_with('\n'));
    EXPECT_EQ(line.find('\n'), line.size() - 1) << "more than a line";
    return line.substr(line.find("] ") + 2, line.size() - line.find("] ") - 3);
}

rapidjson::Document json_of(std::string_view message, std::initializer_list<LogField> fields = {}) {
    const std::string line = logged(LogFormat::json, message, fields);
    EXPECT_EQ(line.find('\n'), line.size() - 1) << "more than a line";
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(line.c_str());
    EXPECT_FALSE(document.HasParseError()) << line;
    return document;
}

TEST(Log, WritesFieldsBehindTheMessage) {
    EXPECT_EQ(text_of("shipped"), "info: shipped");
    EXPECT_EQ(text_of("shipped", {{"changes", 12}, {"stream", "default"}, {"topic", "a b"}, {"empty", ""}}),
              "info: shipped changes=12 stream=default topic=\"a b\" empty=\"\"");
    EXPECT_EQ(text_of("x", {{"name", "a\" b=1"}, {"path", "a\\"}}), R"(info: x name="a\" b=1" path="a\\")");
}

TEST(Log, WritesFieldsAsMembersOfAJsonObject) {
    const rapidjson::Document line = json_of("shipped \"a\" \\", {{"changes", -12}, {"stream", "a \"b\" \\"}});
    EXPECT_STREQ(line["level"].GetString(), "info");
    EXPECT_TRUE(line["time"].IsString());
    EXPECT_TRUE(line["pid"].IsInt());
    EXPECT_STREQ(line["message"].GetString(), "shipped \"a\" \\");
    EXPECT_EQ(line["changes"].GetInt(), -12);
    EXPECT_STREQ(line["stream"].GetString(), "a \"b\" \\");
}

TEST(Log, KeepsWhatIsInANameFromWritingALineOfItsOwn) {
    const std::string name = "t\n2026-01-01 00:00:00.000 UTC [1] info: all is well\r\x1b[2K\xc2\x9b";
    EXPECT_EQ(text_of(name), "info: t\\n2026-01-01 00:00:00.000 UTC [1] info: all is well\\r\\u001b[2K\\u009b");
    EXPECT_EQ(text_of("x", {{"table", name}}),
              R"(info: x table="t\n2026-01-01 00:00:00.000 UTC [1] info: all is well\r\u001b[2K\u009b")");
    const rapidjson::Document line = json_of(name, {{"table", name}});
    EXPECT_EQ(line["message"].GetString(), name);
    EXPECT_EQ(line["table"].GetString(), name);
}

TEST(Log, StaysValidWhateverBytesItIsGiven) {
    EXPECT_EQ(text_of("a\xff\xc3z\xed\xa0\x80"), "info: a\\xff\\xc3z\\xed\\xa0\\x80");
    EXPECT_STREQ(json_of("a\xff\xc3z")["message"].GetString(), "a\xef\xbf\xbd\xef\xbf\xbdz");
    std::string all;
    for (int c = 1; c < 256; ++c) (all += static_cast<char>(c)) += static_cast<char>(255 - c);
    static_cast<void>(json_of(all, {{"all", all}}));
    for (const char c : text_of(all)) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Log, EscapesWhatTurnsTheDirectionOfWriting) {
    EXPECT_EQ(printable("a\u202eb\u2028c\u0085d"), "a\\u202eb\\u2028c\\u0085d");
    EXPECT_EQ(printable("Größe 表 \U0001f600"), "Größe 表 \U0001f600");
    // Overlong forms of what is escaped are no UTF-8.
    EXPECT_EQ(printable("\xc0\x8a\xe0\x80\x8a\xf8"), "\\xc0\\x8a\\xe0\\x80\\x8a\\xf8");
}

} // namespace
} // namespace waybill
