// What the tests of formats share: a table, its rows, and records as text.
#pragma once

#include "format/format.hpp"
#include "pg_values.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill::testing {

// A record as text: topic, partition, key, headers, value, a line each.
struct Recorded {
    std::string topic;
    std::int32_t partition = 0;
    std::string key;
    std::string value;
    std::string headers;

    friend bool operator==(const Recorded &, const Recorded &) = default;
};

class Recorder final : public MessageSink {
public:
    void message(const Message &message) override {
        std::string headers;
        for (const Header &header : message.headers)
            headers += std::string(header.name) + "=" +
                       (header.value.data() == nullptr ? "(null)" : std::string(header.value)) + "\n";
        records.push_back({.topic = std::string(message.topic),
                           .partition = message.partition,
                           .key = std::string(message.key.value_or("(null)")),
                           .value = std::string(message.value.value_or("(null)")),
                           .headers = headers});
    }

    [[nodiscard]] std::size_t max_message_size() const override { return limit; }

    std::vector<Recorded> records;
    std::size_t limit = std::numeric_limits<std::size_t>::max();
};

inline const std::string may_first = int8(1'714'557'600'000'000 - 946'684'800'000'000);
inline const std::string may_first_later = int8(1'714'557'900'250'000 - 946'684'800'000'000);

inline Shape items() {
    Shape shape;
    shape.id = 1;
    shape.schema = "public";
    shape.table = "items";
    shape.columns = {column("id", 23),           column("name", 25),    column("price", 1700, numeric_typmod(10, 2)),
                     column("updated_at", 1184), column("attrs", 3802), array_column("tags", 1007, 23)};
    shape.columns[0].nullable = false;
    shape.key = {0};
    return shape;
}

// A format and the changes of one table, public.items, of the database inventory, which is published as shop.
class FormatTest : public ::testing::Test {
protected:
    static FormatOptions options(bool schemas = false) {
        FormatOptions made;
        made.prefix = "shop";
        made.schemas = schemas;
        made.version = "3.6.1.Final";
        return made;
    }

    void use(std::string_view format, const FormatOptions &made) {
        format_ = make_format(format, {.id = "src", .database = "inventory"}, made);
    }

    std::span<const Value> row(std::string id, bool newer = false) {
        return keep({binary(keep(std::move(id))), binary("Kettle \"Ünï\""),
                     binary(keep(newer ? numeric({24, 5000}, 0, 0, 2) : numeric({19, 9900}, 0, 0, 2))),
                     binary(newer ? may_first_later : may_first), binary("\x01{\"color\": \"red\"}"),
                     binary(keep(array(23, {int4(1), int4(2), std::nullopt})))});
    }

    static std::vector<Value> copy(std::span<const Value> row) { return {row.begin(), row.end()}; }

    std::string_view keep(std::string bytes) { return bytes_.emplace_back(std::move(bytes)); }
    std::span<const Value> keep(std::vector<Value> values) { return rows_.emplace_back(std::move(values)); }

    std::vector<Recorded> encode(Operation op, std::span<const Value> before, std::span<const Value> after, Csn csn,
                                 std::int64_t committed_at_us, std::uint32_t xid, std::int64_t now_us) {
        transaction_.xid = xid;
        transaction_.committed_at_us = committed_at_us;
        const Change change{.op = op,
                            .shape = &shape_,
                            .position = {.timeline = 1, .csn = csn, .index = index_},
                            .transaction = &transaction_,
                            .before = before,
                            .after = after};
        Recorder recorder;
        format_->encode(change, now_us, recorder);
        return recorder.records;
    }

    // Whether a row with `name` of so many bytes is told to be too large before a record is made of it.
    bool is_too_large(std::size_t size, std::size_t limit) {
        std::vector<Value> large = copy(row(int4(1)));
        large[1] = binary(keep(std::string(size, 'x')));
        const Change change{.op = Operation::insert,
                            .shape = &shape_,
                            .position = {.timeline = 1, .csn = ++csn_, .index = 0},
                            .transaction = &transaction_,
                            .size = size + 100,
                            .before = {},
                            .after = large};
        Recorder recorder;
        recorder.limit = limit;
        try {
            format_->encode(change, 0, recorder);
            return false;
        } catch (const MessageTooLarge &error) {
            EXPECT_EQ(error.topic, "shop.public.items");
            EXPECT_EQ(error.position, "src/1/" + std::to_string(csn_) + "/0");
            EXPECT_TRUE(recorder.records.empty());
            return true;
        }
    }

    std::vector<Recorded> end_transaction() {
        Recorder recorder;
        format_->end_transaction(recorder);
        return recorder.records;
    }

    std::vector<Recorded> insert(std::span<const Value> after) {
        return encode(Operation::insert, {}, after, ++csn_, 1'714'557'600'123'456, 771, 1'714'557'600'400'111);
    }

    Shape shape_ = items();
    Transaction transaction_;
    std::unique_ptr<Format> format_;
    std::int64_t index_ = 5; // of the next change in its transaction
    std::deque<std::string> bytes_;
    std::deque<std::vector<Value>> rows_;
    Csn csn_ = 0;
};

} // namespace waybill::testing
