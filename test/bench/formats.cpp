// What it costs to make Kafka records of a change, in each format: nanoseconds and bytes, on one core, without any I/O.
//
//   build/bench/formats [--benchmark_filter=REGEX] …
//
// Names are format/row/operation, with "+schemas" behind the format. The rows: ten columns as tables have them, and one
// column of every type that comes in binary, and an array of it, plus types that come as text. The update changes one
// column in five.
#include "../unit/pg_values.hpp"
#include "format/format.hpp"

#include <benchmark/benchmark.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
using testing::numeric;
using testing::numeric_typmod;

// A table and two versions of one row.
struct Table {
    Shape shape;
    std::vector<Value> old_row;
    std::vector<Value> row;

    void add(Column column, Value::Kind kind, const std::string &old_value, const std::string &value) {
        shape.columns.push_back(std::move(column));
        const std::string_view kept = bytes_.emplace_back(value);
        row.push_back({.kind = kind, .bytes = kept});
        // As the decoder hands out what an update did not change.
        old_row.push_back(
            {.kind = kind, .bytes = shape.columns.size() % 5 == 0 ? bytes_.emplace_back(old_value) : kept});
    }
    void add(Column column, const std::string &old_value, const std::string &value) {
        add(std::move(column), Value::Kind::binary, old_value, value);
    }
    void add_text(Column column, const std::string &old_value, const std::string &value) {
        add(std::move(column), Value::Kind::text, old_value, value);
    }

private:
    std::deque<std::string> bytes_; // never moves what it holds
};

const std::string may_first = int8(767'872'800'123'456);
const std::string may_second = int8(767'959'200'123'456);

Table ten_columns() {
    Table table;
    table.shape.id = 1;
    table.shape.schema = "public";
    table.shape.table = "orders";
    table.add(column("id", 20), int8(123'456'789), int8(123'456'789));
    table.shape.columns.front().nullable = false;
    table.add(column("customer", 23), int4(4711), int4(4712));
    table.add(column("status", 25), "new", "paid");
    table.add(column("amount", 1700, numeric_typmod(12, 2)), numeric({19, 9900}, 0, 0, 2),
              numeric({1234, 5600}, 0, 0, 2));
    table.add(column("note", 1043), "leave it at the door", "leave it \"at the door\"");
    table.add(column("created", 1184), may_first, may_first);
    table.add(column("updated", 1114), may_first, may_second);
    table.add(column("weight", 701), float8(1.25), float8(72.31));
    table.add(column("paid", 16), std::string(1, '\0'), std::string(1, '\1'));
    table.add(column("attributes", 3802), "\x01{\"color\": \"red\", \"size\": 42}",
              "\x01{\"color\": \"blue\", \"size\": 43}");
    table.shape.key = {0};
    return table;
}

Table every_type() {
    Table table;
    table.shape.id = 2;
    table.shape.schema = "public";
    table.shape.table = "types";
    struct Type {
        const char *name;
        std::uint32_t oid;
        std::uint32_t array_oid;
        std::int32_t typmod;
        std::string value;
    };
    const std::string uuid = "\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11";
    const std::vector<Type> types{
        {"id", 20, 1016, -1, int8(123'456'789)},
        {"bool", 16, 1000, -1, std::string(1, '\1')},
        {"int2", 21, 1005, -1, int2(-12345)},
        {"int4", 23, 1007, -1, int4(1'234'567'890)},
        {"oid", 26, 1028, -1, int4(16384)},
        {"float4", 700, 1021, -1, float4(3.3F)},
        {"float8", 701, 1022, -1, float8(2.718281828459045)},
        {"decimal", 1700, 1231, numeric_typmod(12, 2), numeric({1234, 5600}, 0, 0, 2)},
        {"numeric", 1700, 1231, -1, numeric({12, 3456, 7890, 1234, 5000}, 2, 0, 5)},
        {"money", 790, 791, -1, int8(123'456)},
        {"text", 25, 1009, -1, "The quick brown fox jumps over the lazy dog"},
        {"varchar", 1043, 1015, 36, "Kettle \"Ünï\""},
        {"bpchar", 1042, 1014, 14, "ab        "},
        {"name", 19, 1003, -1, "pg_catalog"},
        {"char", 18, 1002, -1, "a"},
        {"bytea", 17, 1001, -1, std::string(64, '\xA5')},
        {"bit", 1560, 1561, 8, int4(8) + "\xA5"},
        {"date", 1082, 1182, -1, int4(8887)},
        {"time", 1083, 1183, -1, int8(36'000'123'456)},
        {"timetz", 1266, 1270, -1, int8(36'000'123'456) + int4(-7200)},
        {"timestamp", 1114, 1115, -1, may_first},
        {"timestamptz", 1184, 1185, -1, may_first},
        {"interval", 1186, 1187, -1, int8(14'706'780'000) + int4(3) + int4(14)},
        {"uuid", 2950, 2951, -1, uuid},
        {"json", 114, 199, -1, R"({"color": "red", "sizes": [1, 2, 3]})"},
        {"jsonb", 3802, 3807, -1, "\x01{\"color\": \"red\", \"sizes\": [1, 2, 3]}"},
        {"point", 600, 1017, -1, float8(1.5) + float8(-2.25)},
    };
    for (const Type &type : types) {
        table.add(column(type.name, type.oid, type.typmod), type.value, type.value);
        if (&type != &types.front())
            table.add(array_column(std::string(type.name) + "_array", type.array_oid, type.oid, type.typmod),
                      array(static_cast<std::int32_t>(type.oid), {type.value}),
                      array(static_cast<std::int32_t>(type.oid), {type.value, std::nullopt, type.value}));
    }
    table.add_text(column("inet", 869), "192.168.2.0/24", "10.0.0.1");
    table.add_text(column("range", 3904), "[1,6)", "[1,7)");
    table.add_text(column("xml", 142), "<a/>", "<a><b/></a>");
    table.shape.columns.front().nullable = false;
    table.shape.key = {0};
    return table;
}

// Counts what would go to Kafka.
class Counter final : public MessageSink {
public:
    void message(const Message &message) override {
        bytes += (message.key ? message.key->size() : 0) + (message.value ? message.value->size() : 0);
        for (const Header &header : message.headers) bytes += header.name.size() + header.value.size();
    }

    std::size_t bytes = 0;
};

// Transactions of a hundred changes, the clock standing still for as many.
void encode(benchmark::State &state, const std::string &format_name, bool schemas, const Table &table, bool update) {
    FormatOptions options;
    options.prefix = "shop";
    options.schemas = schemas;
    const auto format =
        make_format(format_name, {.id = "8f1dbc9e-6c1b-4d3e-9a55-5a4f8e9d2c11", .database = "shop"}, options);
    Transaction transaction{.xid = 771, .committed_at_us = 1'714'557'600'123'456, .context = {}};
    Change change{.op = update ? Operation::update : Operation::insert,
                  .shape = &table.shape,
                  .position = {.timeline = 1, .csn = 240'231'280'000, .index = 0},
                  .transaction = &transaction,
                  .before = update ? std::span<const Value>(table.old_row) : std::span<const Value>(),
                  .after = table.row};
    Counter counter;
    for (auto _ : state) {
        if (++change.position.index == 100) {
            format->end_transaction(counter);
            change.position.index = 0;
            change.position.csn += 10'000;
            ++transaction.xid;
            transaction.committed_at_us += 1'234;
        }
        format->encode(change, transaction.committed_at_us + 5'000, counter);
    }
    format->end_transaction(counter);
    state.counters["bytes"] =
        benchmark::Counter(static_cast<double>(counter.bytes), benchmark::Counter::kAvgIterations);
}

} // namespace
} // namespace waybill

int main(int argc, char **argv) {
    using namespace waybill;
    const Table ten = ten_columns();
    const Table every = every_type();
    for (const std::string_view name : format_names())
        for (const bool schemas : {false, true}) {
            if (schemas && name == "maxwell") continue; // it has none
            for (const Table *const table : {&ten, &every})
                for (const bool update : {false, true}) {
                    const std::string title = std::string(name) + (schemas ? "+schemas" : "") +
                                              (table == &ten ? "/10 columns" : "/every type") +
                                              (update ? "/update" : "/insert");
                    benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State &state) {
                        encode(state, std::string(name), schemas, *table, update);
                    });
                }
        }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
