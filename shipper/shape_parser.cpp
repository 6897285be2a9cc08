#include "shape_parser.hpp"

#include "errors.hpp"

// RapidJSON asserts on misuse; what is asked of a value here is always checked first.
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>

namespace waybill {

namespace {

using Json = rapidjson::Value;

// Reads members of one JSON object and says in errors which object of which shape it was.
class Members {
public:
    Members(const Json &object, std::string what) : object_(object), what_(std::move(what)) {
        if (!object.IsObject()) fail("is not an object");
    }

    [[noreturn]] void fail(const std::string &reason) const { throw DataError(what_ + " " + reason); }

    [[nodiscard]] const Json *find(const char *name) const {
        const auto member = object_.FindMember(name);
        return member == object_.MemberEnd() || member->value.IsNull() ? nullptr : &member->value;
    }

    [[nodiscard]] const Json &get(const char *name) const {
        const Json *const value = find(name);
        if (value == nullptr) fail(std::string("has no \"") + name + '"');
        return *value;
    }

    [[nodiscard]] std::string text(const char *name) const { return as_text(get(name), name); }

    [[nodiscard]] std::string as_text(const Json &value, const char *name) const {
        if (!value.IsString()) fail(std::string("has a \"") + name + "\" that is not a string");
        return {value.GetString(), value.GetStringLength()};
    }

    template <typename Integer>
    [[nodiscard]] Integer number(const char *name) const {
        const Json &value = get(name);
        if (!value.IsInt64() || value.GetInt64() < std::int64_t{std::numeric_limits<Integer>::min()} ||
            value.GetInt64() > std::int64_t{std::numeric_limits<Integer>::max()})
            fail(std::string("has a \"") + name + "\" out of range");
        return static_cast<Integer>(value.GetInt64());
    }

    [[nodiscard]] bool boolean(const char *name) const {
        const Json &value = get(name);
        if (!value.IsBool()) fail(std::string("has a \"") + name + "\" that is neither true nor false");
        return value.GetBool();
    }

    [[nodiscard]] const Json &array(const char *name) const {
        const Json &value = get(name);
        if (!value.IsArray()) fail(std::string("has a \"") + name + "\" that is not an array");
        return value;
    }

private:
    const Json &object_;
    std::string what_;
};

Column parse_column(const Members &members) {
    Column column;
    column.name = members.text("name");
    column.type_name = members.text("type_name");
    column.type = members.number<std::uint32_t>("type");
    column.typmod = members.number<std::int32_t>("typmod");
    column.element = members.number<std::uint32_t>("element");
    const std::string kind = members.text("kind");
    if (kind.size() != 1) members.fail("has a \"kind\" that is not one letter");
    column.kind = kind.front();
    if (members.find("extension_type") != nullptr) column.extension_type = members.text("extension_type");
    if (members.find("delimiter") != nullptr) {
        const std::string delimiter = members.text("delimiter");
        if (delimiter.size() != 1) members.fail("has a \"delimiter\" that is not one character");
        column.delimiter = delimiter.front();
    }
    column.nullable = !members.boolean("not_null");
    column.domain = members.find("domain") != nullptr && members.boolean("domain");
    column.generated = members.find("generated") != nullptr && members.boolean("generated");
    if (members.find("default") != nullptr) column.default_expression = members.text("default");
    if (members.find("labels") != nullptr)
        for (const Json &label : members.array("labels").GetArray())
            column.labels.push_back(members.as_text(label, "labels"));
    return column;
}

std::uint16_t position_of(const std::string &name, const Shape &shape, const Members &members) {
    const auto column =
        std::find_if(shape.columns.begin(), shape.columns.end(), [&](const Column &c) { return c.name == name; });
    if (column == shape.columns.end()) members.fail("has the key column \"" + name + "\", which is no column");
    return static_cast<std::uint16_t>(column - shape.columns.begin());
}

rapidjson::Document parse_json(std::string_view text, const std::string &what) {
    rapidjson::Document document;
    // Iterative: nesting must not be able to exhaust the stack.
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
    if (document.HasParseError())
        throw DataError(what + " is not JSON: " + rapidjson::GetParseError_En(document.GetParseError()) + " at byte " +
                        std::to_string(document.GetErrorOffset()));
    return document;
}

void parse_columns(const Members &members, const std::string &what, Shape &shape) {
    const auto columns = members.array("columns").GetArray();
    if (columns.Size() > std::numeric_limits<std::uint16_t>::max()) members.fail("has too many columns");
    shape.columns.reserve(columns.Size());
    for (const Json &column : columns)
        shape.columns.push_back(
            parse_column(Members(column, what + ", column " + std::to_string(shape.columns.size() + 1) + ",")));
    for (const Json &name : members.array("key").GetArray())
        shape.key.push_back(position_of(members.as_text(name, "key"), shape, members));
}

} // namespace

Shape parse_shape(std::int32_t id, std::string_view definition) {
    const std::string what = "shape " + std::to_string(id);
    const rapidjson::Document document = parse_json(definition, what);
    const Members members(document, what);
    Shape shape;
    shape.id = id;
    shape.relation = members.number<std::uint32_t>("relation");
    shape.schema = members.text("schema");
    shape.table = members.text("table");
    try {
        parse_columns(members, what, shape);
    } catch (const DataError &error) {
        shape.columns.clear();
        shape.key.clear();
        shape.error = error.what();
    }
    return shape;
}

std::vector<std::string> parse_names(std::string_view json) {
    const rapidjson::Document document = parse_json(json, "a list of names");
    if (!document.IsArray()) throw DataError("a list of names is not an array");
    std::vector<std::string> names;
    names.reserve(document.Size());
    for (const Json &name : document.GetArray()) {
        if (!name.IsString()) throw DataError("a list of names has a member that is not a string");
        names.emplace_back(name.GetString(), name.GetStringLength());
    }
    return names;
}

} // namespace waybill
