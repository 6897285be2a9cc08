#include "table_plan.hpp"

#include "../errors.hpp"
#include "array_json.hpp"
#include "column_default.hpp"
#include "connect_schema.hpp"
#include "pg_array.hpp"

#include <algorithm>
#include <utility>

namespace waybill {

const TablePlan &TablePlans::find_or_make(const Shape &shape) {
    auto found = plans_.find(shape.id);
    if (found == plans_.end()) found = plans_.emplace(shape.id, make(shape, {})).first;
    return found->second;
}

// Many arrays of many dimensions have more combinations than there is memory for.
constexpr std::size_t max_fitted_plans = 100;

const TablePlan &TablePlans::fit_arrays(const TablePlan &plan, const Change &change) {
    Dimensions found;
    for (const std::uint16_t position : plan.arrays) {
        std::uint32_t dimensions = 0;
        bool differ = false;
        for (const std::span<const Value> row : {change.before, change.after}) {
            const std::uint32_t of_row = position < row.size() ? array_dimensions(row[position]) : 0;
            differ = differ || (dimensions != 0 && of_row != 0 && of_row != dimensions);
            dimensions = std::max(dimensions, of_row);
        }
        if (dimensions > 1)
            found[position] = differ ? mixed : std::min<std::uint32_t>(dimensions, max_array_dimensions);
    }
    if (found.empty()) return plan;
    auto fitted = fitted_.find({plan.shape.id, found});
    if (fitted == fitted_.end() && fitted_.size() >= max_fitted_plans) fitted_.clear();
    if (fitted == fitted_.end())
        fitted = fitted_.emplace(std::pair(plan.shape.id, found), make(plan.shape, found)).first;
    return fitted->second;
}

TablePlan TablePlans::make(const Shape &shape, const Dimensions &dimensions) {
    TablePlan plan;
    plan.shape = shape;
    plan.name = shape.schema + "." + shape.table;
    if (!shaping_.publishes(shape)) return plan;
    plan.topic = *topics_.insert(shaping_.topic(shape, options_.prefix, source_.database)).first;

    const std::vector<std::uint16_t> key = shaping_.key(shape);
    for (std::size_t at = 0; at < shape.columns.size(); ++at) {
        const auto position = static_cast<std::uint16_t>(at);
        ColumnPlan column = make_column(shape, position, plan.columns.empty(), dimensions);
        column.in_key = std::find(key.begin(), key.end(), position) != key.end();
        if (options_.schemas && column.type.is_array && !column.type.as_debezium) plan.arrays.push_back(position);
        if (column.type.as_debezium && is_left_out_by_debezium(shape.columns[at], column.type)) continue;
        if (column.rule.published) plan.columns.push_back(std::move(column));
    }
    for (const std::uint16_t position : key)
        plan.key.push_back(make_column(shape, position, plan.key.empty(), dimensions));
    complete_(plan);
    return plan;
}

// Only a rule for a column of the key can be wrong.
void TablePlans::try_settings(const Shape &shape) const {
    if (!shaping_.publishes(shape)) return;
    static_cast<void>(shaping_.topic(shape, options_.prefix, source_.database));
    for (const std::uint16_t position : shaping_.key(shape)) static_cast<void>(shaping_.column(shape, position));
}

ColumnPlan TablePlans::make_column(const Shape &shape, std::uint16_t position, bool first,
                                   const Dimensions &dimensions) const {
    const Column &column = shape.columns[position];
    JsonWriter lead;
    lead.raw(first ? '{' : ',');
    lead.string(column.name);
    lead.raw(':');

    ColumnPlan plan;
    plan.position = position;
    plan.lead = lead.view();
    plan.null = plan.absent = "null";
    plan.rule = shaping_.column(shape, position);
    switch (plan.rule.change) {
    case ColumnRule::Change::none:
        plan.type = type_of_(column);
        if (const auto found = dimensions.find(position); found != dimensions.end()) {
            plan.type.dimensions = found->second;
            if (found->second == mixed) publish_as_text(plan.type);
        }
        if (options_.replace_null_with_default)
            if (std::string value = column_default(column, plan.type); !value.empty()) plan.null = std::move(value);
        plan.absent = absent_value(column, plan.type);
        // The null that a domain does not allow, and which comes to be there all the same.
        if (plan.type.as_debezium && !column.nullable && plan.null == "null") plan.null = plan.absent;
        return plan;
    case ColumnRule::Change::mask: {
        JsonWriter mask; // of nulls, too, as Debezium does
        mask.string(plan.rule.text);
        plan.null = plan.absent = mask.view();
        return plan;
    }
    case ColumnRule::Change::hash: plan.hash.emplace(plan.rule.text); break;
    case ColumnRule::Change::truncate: break;
    }
    plan.stored_type = type_of_(column);
    if (!column.nullable) plan.absent = "\"\"";
    return plan;
}

bool TablePlans::is_skipped(const Change &change, const TablePlan &plan) const {
    if (options_.skip_operations.find(letter(change.op)) != std::string::npos) return true;
    if (!options_.skip_unchanged_updates || change.op != Operation::update) return false;
    const auto unchanged = [&](const ColumnPlan &column) {
        return change.after[column.position] == change.before[column.position];
    };
    return std::all_of(plan.columns.begin(), plan.columns.end(), unchanged) &&
           std::all_of(plan.key.begin(), plan.key.end(), unchanged);
}

char letter(Operation op) {
    switch (op) {
    case Operation::insert: return 'c';
    case Operation::update: return 'u';
    case Operation::remove: return 'd';
    case Operation::truncate: return 't';
    }
    return '?';
}

void check_rows(const Change &change) {
    const std::size_t columns = change.shape->columns.size();
    const bool has_before = change.op == Operation::update || change.op == Operation::remove;
    const bool has_after = change.op == Operation::update || change.op == Operation::insert;
    if (change.before.size() != (has_before ? columns : 0) || change.after.size() != (has_after ? columns : 0))
        throw DataError("the rows do not have the columns of the shape");
}

void throw_located(const Change &change, const TablePlan &plan, const ColumnPlan *column, const std::string &reason) {
    const std::string where = column == nullptr ? "" : ", column \"" + plan.shape.columns[column->position].name + '"';
    throw DataError("csn " + std::to_string(change.position.csn) + ", index " + std::to_string(change.position.index) +
                    ", table " + plan.name + where + ": " + reason);
}

namespace {

// What Debezium's schemas say of a column whose text is not the table's.
std::string rule_parameters(const ColumnRule &rule) {
    switch (rule.change) {
    case ColumnRule::Change::none: return {};
    case ColumnRule::Change::mask:
    case ColumnRule::Change::hash: return R"({"masked":"true"})";
    case ColumnRule::Change::truncate: return R"({"truncateLength":")" + std::to_string(rule.characters) + "\"}";
    }
    return {};
}

} // namespace

void write_column_schemas(JsonWriter &out, const TablePlan &plan, const std::vector<ColumnPlan> &columns) {
    for (const ColumnPlan &one : columns) {
        if (&one != &columns.front()) out.raw(',');
        const Column &column = plan.shape.columns[one.position];
        const bool as_it_is = one.rule.change == ColumnRule::Change::none;
        write_field_schema(out, one.type, column.nullable, rule_parameters(one.rule),
                           as_it_is ? column_default(column, one.type) : "", column.name);
    }
}

std::string key_schema(const TablePlan &plan) {
    JsonWriter out;
    out.raw("{\"type\":\"struct\",\"fields\":[");
    write_column_schemas(out, plan, plan.key);
    out.raw("],\"optional\":false,\"name\":");
    out.string(std::string(plan.topic) + ".Key");
    out.raw('}');
    return std::string(out.view());
}

} // namespace waybill
