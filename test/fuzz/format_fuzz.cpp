// Any bytes as the values of a table with a column of every kind of type: each format makes records of them whose keys
// and values are JSON, or says which change does not fit its shape.
//
// The input is a byte that chooses the settings, then a transaction's record stream.
#include "change_decoder.hpp"
#include "errors.hpp"
#include "format/format.hpp"
#include "fuzzing.hpp"
#include "json_grammar.hpp"

#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace waybill {
namespace {

using fuzzing::require;

constexpr Csn csn = 77;
constexpr std::uint8_t variants = 12;     // of settings, without schemas
constexpr std::uint8_t all_variants = 16; // the last of them with schemas, which are long and no matter of values

// ---- the table

// What text of the type holds that is UTF-8 only if the database says so.
enum class Holds : std::uint8_t { no_text, text, document };

struct Type {
    std::string_view name;
    std::uint32_t oid;
    std::int32_t typmod;
    Holds holds;
    std::uint32_t array = 0; // its oid, where there is to be a column of arrays, too
    char kind = 'b';
    bool built_in = true;
};

constexpr std::int32_t numeric_typmod(std::int32_t precision, std::int32_t scale) {
    return (precision << 16 | (scale & 0x7FF)) + 4;
}

// Seeds name the columns by their places: append.
constexpr std::array types{
    Type{"integer", 23, -1, Holds::no_text, 1007},
    Type{"text", 25, -1, Holds::text, 1009},
    Type{"boolean", 16, -1, Holds::no_text, 1000},
    Type{"smallint", 21, -1, Holds::no_text, 1005},
    Type{"bigint", 20, -1, Holds::no_text, 1016},
    Type{"oid", 26, -1, Holds::no_text},
    Type{"real", 700, -1, Holds::no_text, 1021},
    Type{"double precision", 701, -1, Holds::no_text, 1022},
    Type{"numeric", 1700, -1, Holds::no_text, 1231},
    Type{"numeric(10,2)", 1700, numeric_typmod(10, 2), Holds::no_text, 1231},
    Type{"numeric(3,-5)", 1700, numeric_typmod(3, -5), Holds::no_text},
    Type{"money", 790, -1, Holds::no_text, 791},
    Type{"character(3)", 1042, 7, Holds::text},
    Type{"character varying", 1043, -1, Holds::text},
    Type{"name", 19, -1, Holds::text, 1003},
    Type{"\"char\"", 18, -1, Holds::no_text, 1002},
    Type{"bytea", 17, -1, Holds::no_text, 1001},
    Type{"bit(1)", 1560, 1, Holds::no_text},
    Type{"bit(9)", 1560, 9, Holds::no_text, 1561},
    Type{"bit varying", 1562, -1, Holds::no_text},
    Type{"date", 1082, -1, Holds::no_text, 1182},
    Type{"time(3) without time zone", 1083, 3, Holds::no_text},
    Type{"time without time zone", 1083, -1, Holds::no_text, 1183},
    Type{"time with time zone", 1266, -1, Holds::no_text, 1270},
    Type{"timestamp(3) without time zone", 1114, 3, Holds::no_text},
    Type{"timestamp without time zone", 1114, -1, Holds::no_text, 1115},
    Type{"timestamp with time zone", 1184, -1, Holds::no_text, 1185},
    Type{"timestamp(0) with time zone", 1184, 0, Holds::no_text},
    Type{"interval", 1186, -1, Holds::no_text, 1187},
    Type{"uuid", 2950, -1, Holds::no_text, 2951},
    Type{"json", 114, -1, Holds::document, 199},
    Type{"jsonb", 3802, -1, Holds::document, 3807},
    Type{"xml", 142, -1, Holds::text, 143},
    Type{"point", 600, -1, Holds::no_text, 1017},
    Type{"tsvector", 3614, -1, Holds::text},
    Type{"box", 603, -1, Holds::text, 1020},
    Type{"inet", 869, -1, Holds::text, 1041},
    Type{"int4range", 3904, -1, Holds::text, 3905, 'r'},
    Type{"mood", 16400, -1, Holds::text, 16401, 'e', false},
    Type{"hstore", 16402, -1, Holds::text, 16403, 'b', false},
    Type{"citext", 16404, -1, Holds::text, 0, 'b', false},
    Type{"ltree", 16406, -1, Holds::text, 16407, 'b', false},
    Type{"vector", 16408, -1, Holds::text, 16409, 'b', false},
    Type{"halfvec", 16410, -1, Holds::text, 0, 'b', false},
    Type{"sparsevec", 16412, -1, Holds::text, 0, 'b', false},
    Type{"geometry", 16414, -1, Holds::text, 0, 'b', false},
    Type{"geography", 16416, -1, Holds::text, 16417, 'b', false},
};

struct TestColumn {
    Column column;
    Holds holds;
};

std::vector<TestColumn> make_columns() {
    std::vector<TestColumn> columns;
    for (const bool arrays : {false, true})
        for (const Type &type : types) {
            if (arrays && type.array == 0) continue;
            Column column;
            column.type_name = std::string(type.name) + (arrays ? "[]" : "");
            column.name = column.type_name;
            column.type = arrays ? type.array : type.oid;
            column.typmod = type.typmod;
            column.element = arrays ? type.oid : 0;
            column.kind = type.kind;
            if (type.kind == 'e') column.labels = {"sad", "so \"so\""};
            if (!type.built_in && type.kind == 'b') column.extension_type = type.name;
            if (type.name == "box") column.delimiter = ';';
            columns.push_back({.column = column, .holds = type.holds});
        }
    return columns;
}

const std::vector<TestColumn> &columns() {
    static const std::vector<TestColumn> made = make_columns();
    return made;
}

// Without a key, and with one.
Shape make_shape(std::int32_t id, std::vector<std::uint16_t> key) {
    Shape shape;
    shape.id = id;
    shape.schema = "public";
    shape.table = "all \"types\"";
    for (const TestColumn &one : columns()) shape.columns.push_back(one.column);
    shape.key = std::move(key);
    return shape;
}

const Shape &shape_of(std::int32_t id) {
    static const std::array shapes{make_shape(0, {}), make_shape(1, {0, 1})};
    return shapes[id % 2 == 0 ? 0 : 1];
}

// ---- the formats

FormatOptions make_options(std::uint8_t variant, std::string_view format) {
    FormatOptions options;
    options.prefix = "shop";
    options.schemas = variant >= variants;
    options.types.time = time_modes[variant % time_modes.size()].value;
    options.types.decimal = decimal_modes[variant % decimal_modes.size()].value;
    options.types.binary = binary_modes[variant % binary_modes.size()].value;
    options.types.interval = interval_modes[variant % interval_modes.size()].value;
    options.types.hstore = hstore_modes[variant % hstore_modes.size()].value;
    options.types.compatibility = compatibilities[variant / 2 % compatibilities.size()].value;
    options.types.money_fraction_digits = variant;
    options.before = variant % 4 == 3 ? BeforeImage::key : BeforeImage::full;
    options.tombstones = variant % 5 != 4;
    options.transaction_metadata = variant % 2 == 1 && format != "maxwell";
    options.skip_unchanged_updates = variant % 3 == 2;
    if (variant == 10) options.types.as_text = make_patterns({".*"}, "types.as_text");
    if (variant == 11) {
        options.shaping.hash = {R"(.*\.time.*=salt)"};
        options.shaping.truncate = {R"(.*\.(n|bit|date|"char"|json).*=3)"};
        options.shaping.mask = {R"(.*\.(real|money)=***)"};
    }
    const bool other = variant % 2 == 1;
    if (format == "flattened") {
        constexpr std::array deletes{"tombstone", "drop", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"};
        options.settings = {{"deletes", deletes[variant % deletes.size()]}, {"add_fields", "op,source.ts_ms"}};
    } else if (format == "maxwell" && other) {
        options.settings = {{"key", "array"},
                            {"output", "commit_info,xoffset,position,push_ts,primary_key,primary_key_columns"}};
    } else if (format == "cloudevents" && other) {
        options.settings = {{"mode", "binary"}, {"attributes", "specification"}};
    }
    return options;
}

struct NamedFormat {
    std::string_view name;
    std::unique_ptr<Format> format;
};

std::vector<NamedFormat> make_formats(std::uint8_t variant) {
    std::vector<NamedFormat> formats;
    for (const std::string_view name : format_names()) {
        const FormatOptions options = make_options(variant, name);
        if (options.schemas && name == "maxwell") continue; // it has none
        formats.push_back({.name = name, .format = make_format(name, {.id = "src", .database = "db"}, options)});
    }
    return formats;
}

// What is worked out for a table is kept from input to input: it is the most of the work.
std::vector<NamedFormat> &formats_of(std::uint8_t variant) {
    static std::map<std::uint8_t, std::vector<NamedFormat>> made;
    const auto found = made.find(variant);
    return found != made.end() ? found->second : made.emplace(variant, make_formats(variant)).first->second;
}

// ---- the properties

bool is_utf8(std::string_view text) {
    rapidjson::MemoryStream bytes(text.data(), text.size());
    struct Nowhere {
        void Put(char /*c*/) {} // NOLINT(readability-identifier-naming): RapidJSON's name
    } nowhere;
    while (bytes.Tell() < text.size())
        if (!rapidjson::UTF8<>::Validate(bytes, nowhere)) return false;
    return true;
}

// What a change's values are not, so that what is made of them need not be it either.
struct Excuses {
    bool not_utf8 = false;
    bool not_json = false; // a document where there should be JSON
};

void find_excuses(Excuses &excuses, std::span<const Value> row) {
    for (std::size_t at = 0; at < row.size(); ++at) {
        const Value &value = row[at];
        if (value.kind == Value::Kind::null) continue;
        const TestColumn &column = columns()[at];
        const bool is_binary = value.kind == Value::Kind::binary;
        const bool is_array = column.column.element != 0;
        if (!is_binary || column.holds != Holds::no_text)
            excuses.not_utf8 |= (is_binary && is_array) || !is_utf8(value.bytes);
        if (column.holds == Holds::document) {
            std::string_view document = value.bytes;
            if (is_binary && column.column.type_name == "jsonb" && !document.empty()) document.remove_prefix(1);
            excuses.not_json |= is_array || !fuzzing::is_json(document);
        }
    }
}

class Checker final : public MessageSink {
public:
    void message(const Message &message) override {
        require(!message.topic.empty(), "a record without a topic");
        if (message.key) check(*message.key);
        if (message.value) check(*message.value);
    }

    // For all that is to come: a format may hold a record back.
    Excuses excuses;

private:
    void check(std::string_view json) const {
        require(excuses.not_json || fuzzing::is_json(json), "a record that is not JSON");
        require(excuses.not_utf8 || is_utf8(json), "a record that is not UTF-8");
        require(std::none_of(json.begin(), json.end(), [](char c) { return c >= 0 && c < ' '; }),
                "a record of several lines");
    }
};

// Whether the format takes the change.
bool encode(Format &format, const Change &change, Checker &checker) {
    try {
        format.encode(change, 1'714'557'600'400'111, checker);
        return true;
    } catch (const DataError &error) {
        const std::string_view text = error.what();
        require(text.starts_with("csn 77, index ") && text.find("all \"types\"") != text.npos,
                "an error without its place");
        return false;
    }
}

// A row with one of the values of `row`.
std::vector<Value> only(std::span<const Value> row, std::size_t at) {
    std::vector<Value> one(row.size());
    if (at < row.size()) one[at] = row[at];
    return one;
}

void check(const NamedFormat &format, const Change &change, Checker &checker) {
    Excuses now;
    find_excuses(now, change.before);
    find_excuses(now, change.after);
    now.not_json &= format.name == "maxwell"; // others publish documents in strings
    checker.excuses.not_json |= now.not_json;
    checker.excuses.not_utf8 |= now.not_utf8;
    if (encode(*format.format, change, checker)) return;
    // What stands behind the value that does not fit is to be seen, too.
    for (std::size_t at = 0; at < columns().size(); ++at) {
        const auto before = only(change.before, at);
        const auto after = only(change.after, at);
        const auto is_null = [&](const std::vector<Value> &row) {
            return at >= row.size() || row[at].kind == Value::Kind::null;
        };
        if (is_null(before) && is_null(after)) continue;
        Change single = change;
        single.before = before;
        single.after = after;
        encode(*format.format, single, checker);
    }
}

void check(std::uint8_t variant, std::string_view stream) {
    for (const NamedFormat &format : formats_of(variant)) {
        Checker checker;
        ChangeDecoder decoder([](std::int32_t id) { return &shape_of(id); });
        try {
            decoder.feed({.csn = csn, .chunk = 0, .chunks = 1, .xid = 771, .payload = stream});
            while (decoder.next() == ChangeDecoder::Step::change) {
                const auto &context = decoder.change().transaction->context;
                checker.excuses.not_utf8 |= context && !is_utf8(*context);
                check(format, decoder.change(), checker);
            }
        } catch (const DataError &) {
            // The decoder has a target of its own. What was decoded before is to be published nevertheless.
        }
        format.format->end_transaction(checker);
    }
}

} // namespace
} // namespace waybill

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    waybill::fuzzing::Bytes bytes(data, size);
    const std::uint8_t variant = bytes.take() % waybill::all_variants;
    // In memory of its own, so that nothing is read before its beginning unseen.
    const std::unique_ptr<char[]> stream(new char[bytes.rest().size()]);
    std::copy(bytes.rest().begin(), bytes.rest().end(), stream.get());
    waybill::check(variant, {stream.get(), bytes.rest().size()});
    return 0;
}
