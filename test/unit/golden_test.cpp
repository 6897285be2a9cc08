// Each format against the file of what it has to publish, test/golden/<format>.golden, byte for byte.
#include "format_fixture.hpp"

#include <fstream>
#include <map>
#include <sstream>

namespace waybill {
namespace {

using testing::int4;
using testing::Recorded;

using Cases = std::map<std::string, std::string>; // name to records

Cases read_golden(const std::string &format) {
    std::ifstream file("test/golden/" + format + ".golden");
    EXPECT_TRUE(file) << "run the tests from the project's top: there is no test/golden/" << format << ".golden";
    Cases cases;
    std::string line;
    std::string *current = nullptr;
    while (std::getline(file, line)) {
        if (line.starts_with("= "))
            current = &cases[line.substr(2)];
        else if (current != nullptr && !line.empty())
            *current += line + "\n";
    }
    return cases;
}

void expect_equal(const Cases &made, const Cases &golden) {
    for (const auto &[name, records] : golden) {
        const auto found = made.find(name);
        if (found == made.end())
            ADD_FAILURE() << "nothing was made for the case \"" << name << '"';
        else
            EXPECT_EQ(found->second, records) << name;
    }
    EXPECT_EQ(made.size(), golden.size()) << "the file lacks a case";
}

std::string render(const std::vector<Recorded> &records) {
    std::string text;
    for (const Recorded &record : records) {
        text +=
            "topic " + record.topic + (record.partition >= 0 ? " partition " + std::to_string(record.partition) : "");
        text += "\nkey " + record.key + "\n";
        std::istringstream headers(record.headers);
        for (std::string header; std::getline(headers, header);) text += "header " + header + "\n";
        text += "value " + record.value + "\n";
    }
    return text;
}

class GoldenTest : public testing::FormatTest {
protected:
    // Makes a format anew and forgets what was published.
    void begin(std::string_view format, const FormatOptions &made) {
        use(format, made);
        records_.clear();
        index_ = 5;
    }

    void change(Operation op, std::span<const Value> before, std::span<const Value> after, Csn csn,
                std::int64_t committed_at_us, std::uint32_t xid, std::int64_t now_us) {
        const auto made = encode(op, before, after, csn, committed_at_us, xid, now_us);
        records_.insert(records_.end(), made.begin(), made.end());
    }

    std::string end() {
        const auto made = end_transaction();
        records_.insert(records_.end(), made.begin(), made.end());
        return render(records_);
    }

    void add_insert() {
        change(Operation::insert, {}, row(int4(1)), 24023128, 1'714'557'600'123'456, 771, 1'714'557'600'400'111);
    }
    std::string inserted() {
        add_insert();
        return end();
    }
    // The columns that are not changed are the same bytes, as the decoder hands them out.
    std::string updated() {
        const auto after = row(int4(1), true);
        std::vector<Value> before = copy(row(int4(1)));
        for (const std::size_t same : {0U, 1U, 4U, 5U}) before[same] = after[same];
        change(Operation::update, before, after, 24023520, 1'714'557'900'123'456, 772, 1'714'557'900'400'111);
        return end();
    }
    std::string deleted() {
        change(Operation::remove, row(int4(1), true), {}, 24023904, 1'714'558'200'123'456, 773, 1'714'558'200'400'111);
        return end();
    }
    std::string moved() {
        const auto after = row(int4(2), true);
        std::vector<Value> before = copy(after);
        before[0] = row(int4(1))[0];
        change(Operation::update, before, after, 24023704, 1'714'558'050'123'456, 774, 1'714'558'050'400'111);
        return end();
    }
    std::string truncated() {
        change(Operation::truncate, {}, {}, 24024288, 1'714'558'500'123'456, 775, 1'714'558'500'400'111);
        return end();
    }

    std::vector<Recorded> records_;
};

TEST_F(GoldenTest, Debezium) {
    const Cases golden = read_golden("debezium");
    Cases made;
    const auto with = [&](auto &&set) {
        FormatOptions changed = options();
        set(changed);
        begin("debezium", changed);
    };
    const auto by_key = [](FormatOptions &o) { o.before = BeforeImage::key; };
    with([](FormatOptions & /*o*/) {});
    made["insert"] = inserted();
    with([](FormatOptions & /*o*/) {});
    made["update"] = updated();
    with(by_key);
    made["update, before = key"] = updated();
    with([](FormatOptions & /*o*/) {});
    made["delete"] = deleted();
    with(by_key);
    made["delete, before = key"] = deleted();
    with([](FormatOptions &o) { o.tombstones = false; });
    made["delete, no tombstones"] = deleted();
    with(by_key);
    made["changed key, before = key"] = moved();
    with([](FormatOptions & /*o*/) {});
    made["truncate"] = truncated();
    with([](FormatOptions &o) { o.transaction_metadata = true; });
    made["insert, with transaction metadata"] = inserted();
    with([](FormatOptions &o) { o.schemas = true; });
    made["insert, with schemas"] = inserted();
    expect_equal(made, golden);
}

TEST_F(GoldenTest, Flattened) {
    const Cases golden = read_golden("flattened");
    Cases made;
    const auto with = [&](std::map<std::string, std::string> settings, BeforeImage before = BeforeImage::full,
                          bool schemas = false) {
        FormatOptions changed = options(schemas);
        changed.settings = std::move(settings);
        changed.before = before;
        begin("flattened", changed);
    };
    with({});
    made["insert"] = inserted();
    with({});
    made["delete, tombstone"] = deleted();
    with({{"deletes", "drop"}});
    made["delete, drop"] = deleted();
    with({{"deletes", "rewrite"}, {"add_fields", "op,source.ts_ms"}}, BeforeImage::key);
    made["update, rewrite, fields, before = key"] = updated();
    with({{"deletes", "rewrite"}, {"add_fields", "op,source.ts_ms"}}, BeforeImage::key);
    made["delete, rewrite, fields, before = key"] = deleted();
    with({{"deletes", "rewrite-with-tombstone"}});
    made["delete, rewrite-with-tombstone"] = deleted();
    with({{"deletes", "rewrite-with-tombstone"}, {"add_headers", "op, lsn, origin, source.ts_ms:when"}});
    made["delete, rewrite-with-tombstone, headers"] = deleted();
    with({{"deletes", "delete-to-tombstone"}});
    made["delete, delete-to-tombstone"] = deleted();
    with({});
    made["truncate"] = truncated();
    with({}, BeforeImage::full, true);
    made["insert, with schemas"] = inserted();
    with({}, BeforeImage::full, true);
    made["delete, tombstone, with schemas"] = deleted();
    with({{"deletes", "rewrite"}, {"add_fields", "op,snapshot,total_order"}}, BeforeImage::full, true);
    made["insert, rewrite, fields, with schemas"] = inserted();
    expect_equal(made, golden);
}

TEST_F(GoldenTest, Maxwell) {
    const Cases golden = read_golden("maxwell");
    Cases made;
    const auto with = [&](std::map<std::string, std::string> settings) {
        FormatOptions changed = options();
        changed.settings = std::move(settings);
        begin("maxwell", changed);
    };
    with({});
    made["insert"] = inserted();
    with({});
    made["update"] = updated();
    with({});
    made["delete"] = deleted();
    with({});
    made["changed key"] = moved();
    with({});
    made["truncate"] = truncated();
    with({{"output", "commit_info,nulls,xoffset"}});
    for (int n = 0; n < 3; ++n) {
        add_insert();
        ++index_;
    }
    made["a transaction of three, with offsets"] = end();
    with({{"database", "{database}.{schema}"},
          {"key", "array"},
          {"output", "commit_info,position,push_ts,primary_key,primary_key_columns"}});
    std::vector<Value> only_id(shape_.columns.size());
    only_id[0] = row(int4(1))[0];
    change(Operation::insert, {}, only_id, 24023128, 1'714'557'600'123'456, 771, 1'714'557'600'400'111);
    made["insert, all fields, array key, whole names"] = end();
    expect_equal(made, golden);
}

TEST_F(GoldenTest, CloudEvents) {
    const Cases golden = read_golden("cloudevents");
    Cases made;
    const auto with = [&](std::map<std::string, std::string> settings, bool schemas = false, bool metadata = false) {
        FormatOptions changed = options(schemas);
        changed.settings = std::move(settings);
        changed.transaction_metadata = metadata;
        begin("cloudevents", changed);
    };
    with({});
    made["insert, structured"] = inserted();
    with({});
    made["delete, structured"] = deleted();
    with({}, true);
    made["insert, structured, with schemas"] = inserted();
    with({}, false, true);
    made["insert, structured, with transaction metadata"] = inserted();
    with({{"attributes", "specification"}});
    made["insert, structured, specification"] = inserted();
    with({{"mode", "binary"}});
    made["insert, binary"] = inserted();
    with({{"mode", "binary"}});
    made["delete, binary"] = deleted();
    expect_equal(made, golden);
}

} // namespace
} // namespace waybill
