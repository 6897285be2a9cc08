#include "change_decoder.hpp"

#include "errors.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace waybill {
namespace {

using Step = ChangeDecoder::Step;

std::string varint(std::uint64_t value) {
    std::array<char, record::max_varint_size> bytes{};
    return {bytes.data(), record::put_varint(bytes.data(), value)};
}

std::string value(std::string_view bytes, record::Encoding encoding = record::Encoding::binary) {
    return varint(record::value_header(bytes.size(), encoding)) + std::string(bytes);
}

const std::string null = varint(record::null_header);
const std::string unchanged = varint(record::unchanged_header);

std::string record_of(char operation, const std::string &body) {
    return varint(body.size() + 1) + operation + body;
}

std::string change_record(char operation, std::int32_t shape, const std::string &rows) {
    return record_of(operation, varint(5) + varint(static_cast<std::uint64_t>(shape)) + rows);
}

Shape make_shape(std::int32_t id, std::size_t columns) {
    Shape shape;
    shape.id = id;
    shape.columns.resize(columns);
    return shape;
}

std::string describe(std::span<const Value> row) {
    std::string text;
    for (const Value &value : row) {
        if (!text.empty()) text += ',';
        if (value.kind == Value::Kind::null)
            text += "NULL";
        else
            text += (value.kind == Value::Kind::text ? "t:" : "b:") + std::string(value.bytes);
    }
    return text;
}

std::string describe(const Change &change) {
    constexpr std::string_view names = "IUDT";
    return std::to_string(change.position.csn) + "/" + std::to_string(change.position.index) + " " +
           names[static_cast<std::size_t>(change.op)] + std::to_string(change.shape->id) + " [" +
           describe(change.before) + "] [" + describe(change.after) + "] " + change.transaction->context.value_or("-");
}

class ChangeDecoderTest : public ::testing::Test {
protected:
    ChangeDecoderTest() {
        shapes_.emplace(1, make_shape(1, 3));
        shapes_.emplace(300, make_shape(300, 1));
    }

    static Chunk chunk(Csn csn, std::int32_t number, std::int32_t chunks, std::string_view payload,
                       std::int32_t changes) {
        return {.csn = csn,
                .chunk = number,
                .chunks = chunks,
                .changes = changes,
                .timeline = 3,
                .xid = 771,
                .committed_at_us = 1'714'557'600'123'456,
                .payload = payload};
    }

    // All changes of a chunk, each as text.
    std::vector<std::string> decode(const Chunk &chunk) {
        decoder_.feed(chunk);
        std::vector<std::string> changes;
        for (;;) {
            const Step step = decoder_.next();
            if (step == Step::end_of_chunk) return changes;
            EXPECT_EQ(step, Step::change);
            if (step != Step::change) return changes;
            changes.push_back(describe(decoder_.change()));
        }
    }

    std::string error_of(const Chunk &chunk) {
        try {
            decode(chunk);
        } catch (const DataError &error) {
            decoder_.restart(0);
            return error.what();
        }
        return "no error";
    }

    std::string error_of(const std::string &stream, std::int32_t changes = 1) {
        return error_of(chunk(9, 0, 1, stream, changes));
    }

    std::map<std::int32_t, Shape> shapes_;
    int lookups_ = 0;
    ChangeDecoder decoder_{[this](std::int32_t id) -> const Shape * {
        ++lookups_;
        const auto found = shapes_.find(id);
        return found == shapes_.end() ? nullptr : &found->second;
    }};
};

const std::string insert = change_record('I', 1, value("1") + null + value("a", record::Encoding::text));
const std::string update = change_record('U', 1, value("1") + value("") + null + unchanged + null + unchanged);
const std::string remove_record = change_record('D', 1, value("1") + value("x") + null);
const std::string truncate_record = change_record('T', 300, "");
const std::string context = record_of('C', R"({"user":"ü"})");
const std::string whole = context + insert + update + remove_record + truncate_record;

const std::vector<std::string> whole_changes = {
    R"(9/0 I1 [] [b:1,NULL,t:a] {"user":"ü"})",
    R"(9/1 U1 [b:1,NULL,NULL] [b:1,b:,NULL] {"user":"ü"})",
    R"(9/2 D1 [b:1,b:x,NULL] [] {"user":"ü"})",
    R"(9/3 T300 [] [] {"user":"ü"})",
};

TEST_F(ChangeDecoderTest, DecodesEveryOperation) {
    EXPECT_EQ(decode(chunk(9, 0, 1, whole, 4)), whole_changes);
    EXPECT_TRUE(decoder_.between_transactions());
}

TEST_F(ChangeDecoderTest, HandsOutTheTransactionsFacts) {
    const std::string stream = insert;
    decoder_.feed(chunk(9, 0, 1, stream, 1));
    ASSERT_EQ(decoder_.next(), Step::change);
    const Change &change = decoder_.change();
    EXPECT_EQ(change.position, (Position{.timeline = 3, .csn = 9, .index = 0}));
    EXPECT_EQ(change.transaction->xid, 771U);
    EXPECT_EQ(change.transaction->committed_at_us, 1'714'557'600'123'456);
    EXPECT_EQ(change.transaction->context, std::nullopt);
    EXPECT_EQ(change.shape, &shapes_.at(1));
}

TEST_F(ChangeDecoderTest, DecodesAWholeRecordInPlace) {
    const std::string stream = insert;
    decoder_.feed(chunk(9, 0, 1, stream, 1));
    ASSERT_EQ(decoder_.next(), Step::change);
    const char *const bytes = decoder_.change().after[0].bytes.data();
    EXPECT_GE(bytes, stream.data());
    EXPECT_LT(bytes, stream.data() + stream.size());
}

TEST_F(ChangeDecoderTest, TakesAnUnchangedValueFromTheNewRowsBytes) {
    const std::string stream = update;
    decoder_.feed(chunk(9, 0, 1, stream, 1));
    ASSERT_EQ(decoder_.next(), Step::change);
    EXPECT_EQ(decoder_.change().before[0].bytes.data(), decoder_.change().after[0].bytes.data());
}

TEST_F(ChangeDecoderTest, DecodesAStreamCutAnywhere) {
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        // Own copies, so that a read behind a chunk's end is seen by the sanitizers.
        const std::vector<char> first(whole.data(), whole.data() + cut);
        const std::vector<char> second(whole.data() + cut, whole.data() + whole.size());
        decoder_.restart(0);
        std::vector<std::string> changes = decode(chunk(9, 0, 2, {first.data(), first.size()}, 4));
        EXPECT_FALSE(decoder_.between_transactions());
        for (std::string &change : decode(chunk(9, 1, 2, {second.data(), second.size()}, 0)))
            changes.push_back(std::move(change));
        EXPECT_EQ(changes, whole_changes) << "cut at " << cut;
        EXPECT_TRUE(decoder_.between_transactions());
    }
}

TEST_F(ChangeDecoderTest, DecodesAStreamInChunksOfAnySize) {
    for (std::size_t size = 1; size <= whole.size(); ++size) {
        decoder_.restart(0);
        const auto chunks = static_cast<std::int32_t>((whole.size() + size - 1) / size);
        std::vector<std::string> changes;
        for (std::int32_t number = 0; number < chunks; ++number) {
            const std::string piece = whole.substr(static_cast<std::size_t>(number) * size, size);
            for (std::string &change : decode(chunk(9, number, chunks, piece, number == 0 ? 4 : 0)))
                changes.push_back(std::move(change));
        }
        EXPECT_EQ(changes, whole_changes) << "chunks of " << size;
    }
}

TEST_F(ChangeDecoderTest, DecodesARecordOfManyChunks) {
    const std::string large(3'000'000, 'x');
    const std::string stream = insert + change_record('I', 300, value(large)) + insert;
    constexpr std::size_t size = 8000;
    const auto chunks = static_cast<std::int32_t>((stream.size() + size - 1) / size);
    std::vector<std::string> changes;
    for (std::int32_t number = 0; number < chunks; ++number) {
        const std::string piece = stream.substr(static_cast<std::size_t>(number) * size, size);
        for (std::string &change : decode(chunk(9, number, chunks, piece, number == 0 ? 3 : 0)))
            changes.push_back(std::move(change));
    }
    EXPECT_EQ(changes, (std::vector<std::string>{"9/0 I1 [] [b:1,NULL,t:a] -", "9/1 I300 [] [b:" + large + "] -",
                                                 "9/2 I1 [] [b:1,NULL,t:a] -"}));
}

TEST_F(ChangeDecoderTest, CountsPositionsFromZeroInEachTransaction) {
    EXPECT_EQ(decode(chunk(9, 0, 1, context + truncate_record + truncate_record, 2)),
              (std::vector<std::string>{R"(9/0 T300 [] [] {"user":"ü"})", R"(9/1 T300 [] [] {"user":"ü"})"}));
    EXPECT_EQ(decode(chunk(12, 0, 1, truncate_record, 1)), std::vector<std::string>{"12/0 T300 [] [] -"});
}

TEST_F(ChangeDecoderTest, StopsAtAnUnknownShapeAndGoesOnWhenItIsKnown) {
    const std::string stream = insert + change_record('I', 77, value("v")) + insert;
    decoder_.feed(chunk(9, 0, 1, stream, 3));
    ASSERT_EQ(decoder_.next(), Step::change);
    for (int attempt = 0; attempt < 2; ++attempt) {
        ASSERT_EQ(decoder_.next(), Step::unknown_shape);
        EXPECT_EQ(decoder_.unknown_shape(), 77);
    }
    shapes_.emplace(77, make_shape(77, 1));
    ASSERT_EQ(decoder_.next(), Step::change);
    EXPECT_EQ(describe(decoder_.change()), "9/1 I77 [] [b:v] -");
    ASSERT_EQ(decoder_.next(), Step::change);
    EXPECT_EQ(describe(decoder_.change()), "9/2 I1 [] [b:1,NULL,t:a] -");
    EXPECT_EQ(decoder_.next(), Step::end_of_chunk);
}

TEST_F(ChangeDecoderTest, StopsAtAnUnknownShapeOfARecordCutByAChunksEnd) {
    const std::string stream = change_record('I', 77, value("v"));
    EXPECT_TRUE(decode(chunk(9, 0, 2, stream.substr(0, 3), 1)).empty());
    const std::string rest = stream.substr(3);
    decoder_.feed(chunk(9, 1, 2, rest, 0));
    ASSERT_EQ(decoder_.next(), Step::unknown_shape);
    shapes_.emplace(77, make_shape(77, 1));
    ASSERT_EQ(decoder_.next(), Step::change);
    EXPECT_EQ(describe(decoder_.change()), "9/0 I77 [] [b:v] -");
    EXPECT_EQ(decoder_.next(), Step::end_of_chunk);
}

TEST_F(ChangeDecoderTest, LooksAShapeUpOnceForARunOfItsChanges) {
    decode(chunk(9, 0, 1, insert + insert + insert, 3));
    decode(chunk(10, 0, 1, insert + insert, 2));
    EXPECT_EQ(lookups_, 1);
}

TEST_F(ChangeDecoderTest, TakesATableWithoutColumns) {
    shapes_.emplace(2, make_shape(2, 0));
    EXPECT_EQ(decode(chunk(9, 0, 1, change_record('U', 2, ""), 1)), std::vector<std::string>{"9/0 U2 [] [] -"});
}

TEST_F(ChangeDecoderTest, RefusesChunksOutOfOrder) {
    decode(chunk(9, 0, 3, insert, 1));
    EXPECT_EQ(error_of(chunk(9, 2, 3, insert, 1)), "csn 9: got chunk 2 of 3, expected chunk 1 of 3 of csn 9");
    decode(chunk(9, 0, 3, insert, 1));
    EXPECT_NE(error_of(chunk(9, 0, 3, insert, 1)), "no error");
    decode(chunk(9, 0, 3, insert, 1));
    EXPECT_NE(error_of(chunk(9, 1, 4, insert, 1)), "no error");
    decode(chunk(9, 0, 3, insert, 1));
    EXPECT_EQ(error_of(chunk(10, 0, 1, insert, 1)), "csn 10: got chunk 0 of 1, expected chunk 1 of 3 of csn 9");
    EXPECT_NE(error_of(chunk(9, 1, 3, insert, 1)), "no error"); // not the first of its transaction
    EXPECT_NE(error_of(chunk(9, 1, 1, insert, 1)), "no error");
    EXPECT_NE(error_of(chunk(9, -1, 1, insert, 1)), "no error");
    EXPECT_NE(error_of(chunk(9, 0, 0, insert, 1)), "no error");
    EXPECT_NE(error_of(chunk(9, 0, 1, insert, -1)), "no error");
}

TEST_F(ChangeDecoderTest, RefusesACsnThatDoesNotGrow) {
    decode(chunk(9, 0, 1, insert, 1));
    EXPECT_EQ(error_of(chunk(9, 0, 1, insert, 1)),
              "csn 9: got chunk 0 of 1, expected the first chunk of a transaction after csn 9");
    decoder_.restart(100);
    EXPECT_NE(error_of(chunk(100, 0, 1, insert, 1)), "no error");
    decoder_.restart(100);
    EXPECT_EQ(decode(chunk(101, 0, 1, insert, 1)).size(), 1U);
}

TEST_F(ChangeDecoderTest, RefusesATransactionThatChangesItsXid) {
    decode(chunk(9, 0, 2, insert, 1));
    Chunk second = chunk(9, 1, 2, insert, 1);
    second.xid = 772;
    EXPECT_EQ(error_of(second), "csn 9: got chunk 1 of 2 with another timeline or xid than the chunks before it");
}

TEST_F(ChangeDecoderTest, RefusesATransactionThatEndsInsideARecord) {
    for (std::size_t size = 1; size < insert.size(); ++size)
        EXPECT_EQ(error_of(insert + insert.substr(0, size), 2),
                  "csn 9, offset " + std::to_string(insert.size()) +
                      ": the change log does not decode: the transaction ends inside a record");
}

TEST_F(ChangeDecoderTest, RefusesAnotherNumberOfChangesThanTheChunksSay) {
    EXPECT_NE(error_of(insert + insert, 1).find("has 2 changes, its chunks say 1"), std::string::npos);
    EXPECT_NE(error_of(insert, 2).find("has 1 changes, its chunks say 2"), std::string::npos);
}

TEST_F(ChangeDecoderTest, CountsOffsetsFromZeroInEachTransaction) {
    decode(chunk(8, 0, 1, insert + insert, 2));
    EXPECT_EQ(error_of(chunk(9, 0, 1, "", 1)),
              "csn 9, offset 0: the change log does not decode: the transaction has 0 changes, its chunks say 1");
}

TEST_F(ChangeDecoderTest, ForgetsACutRecordWhenItRestarts) {
    decode(chunk(9, 0, 2, insert + insert.substr(0, 4), 2));
    decoder_.restart(8);
    EXPECT_EQ(decode(chunk(9, 0, 1, insert, 1)).size(), 1U);
}

TEST_F(ChangeDecoderTest, RefusesToSkipTheRestOfAChunk) {
    const std::string stream = insert;
    decoder_.feed(chunk(9, 0, 2, stream, 1));
    EXPECT_THROW(decoder_.feed(chunk(9, 1, 2, stream, 1)), std::logic_error);
}

TEST_F(ChangeDecoderTest, SaysWhereARecordIsMalformed) {
    EXPECT_EQ(error_of(insert + change_record('X', 1, ""), 2),
              "csn 9, offset " + std::to_string(insert.size() + 1) +
                  ": the change log does not decode: an unknown operation");
}

TEST_F(ChangeDecoderTest, RefusesAMalformedRecordEachTimeItIsAsked) {
    const std::string stream = change_record('X', 1, "");
    decoder_.feed(chunk(9, 0, 1, stream, 1));
    EXPECT_THROW(static_cast<void>(decoder_.next()), DataError);
    EXPECT_THROW(static_cast<void>(decoder_.next()), DataError);
}

TEST_F(ChangeDecoderTest, RefusesMalformedRecords) {
    const std::string too_long = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {varint(0), "an empty record"},
        {too_long, "a record's length of more than 64 bits"},
        {too_long + too_long, "a record's length of more than 64 bits"},
        {varint(~std::uint64_t{0}) + "I", "a record of 18446744073709551615 bytes"},
        {record_of('I', ""), "a number cut by its record's end"},
        {record_of('I', "\x85"), "a number cut by its record's end"},
        {record_of('I', varint(std::uint64_t{1} << 32) + varint(1)), "a rank of more than 32 bits"},
        {record_of('I', varint(5) + varint(std::uint64_t{1} << 31)), "a shape id of more than 31 bits"},
        {change_record('I', 1, value("1") + null), "a number cut by its record's end"},
        {change_record('I', 1, value("1") + null + null + null), "bytes behind the record's last value"},
        {change_record('I', 1, unchanged + null + null), "outside an update's old row"},
        {change_record('D', 1, unchanged + null + null), "outside an update's old row"},
        {change_record('U', 1, null + unchanged + null + null + null + null), "outside an update's old row"},
        {change_record('I', 300, varint(record::value_header(2, record::Encoding::text)) + "x"),
         "a value longer than its record"},
        {change_record('I', 300, varint(~std::uint64_t{0})), "a value longer than its record"},
        {change_record('I', 300, too_long), "a number cut by its record's end or of more than 64 bits"},
        {change_record('T', 300, null), "bytes behind the record's last value"},
        {insert + context, "a context that is not the transaction's first record"},
        {context + context, "a context that is not the transaction's first record"},
    };
    for (const auto &[stream, reason] : cases) {
        EXPECT_NE(error_of(stream).find(reason), std::string::npos) << error_of(stream) << ", expected " << reason;
        // The same, a byte at a time.
        std::string error = "no error";
        decoder_.restart(0);
        try {
            for (std::size_t at = 0; at < stream.size(); ++at)
                decode(chunk(9, static_cast<std::int32_t>(at), static_cast<std::int32_t>(stream.size()),
                             std::string_view(stream).substr(at, 1), at == 0 ? 1 : 0));
        } catch (const DataError &thrown) {
            error = thrown.what();
        }
        EXPECT_NE(error.find(reason), std::string::npos) << error << ", expected " << reason;
        decoder_.restart(0);
    }
}

TEST_F(ChangeDecoderTest, SurvivesEveryFlippedByte) {
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int bits = 1; bits < 256; ++bits) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ bits);
            decoder_.restart(0);
            try {
                decoder_.feed(chunk(9, 0, 1, damaged, 4));
                while (decoder_.next() == Step::change) EXPECT_FALSE(describe(decoder_.change()).empty());
            } catch (const DataError &error) {
                EXPECT_NE(std::string_view(error.what()).find("csn 9, offset "), std::string_view::npos);
            }
        }
}

} // namespace
} // namespace waybill
