#include "row_writer.hpp"

#include "column_change.hpp"
#include "pg_text_writer.hpp"
#include "value_json.hpp"

namespace waybill {

namespace {

std::string_view view_of(const SaltedHash::Digits &digits) {
    return {digits.data(), digits.size()};
}

} // namespace

void RowWriter::write_value(JsonWriter &out, const ColumnPlan &column, const Value &value) {
    column_ = &column;
    if (value.kind == Value::Kind::null) return out.raw(column.null);
    if (column.rule.change == ColumnRule::Change::none) return waybill::write_value(out, column.type, value);
    if (column.rule.change == ColumnRule::Change::mask) return out.raw(column.null);
    text_.clear();
    write_pg_text(text_, column.stored_type, value);
    if (column.rule.change == ColumnRule::Change::hash)
        out.string(view_of((*column.hash)(text_.view())));
    else
        out.string(first_characters(text_.view(), column.rule.characters));
}

void RowWriter::open_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row) {
    begins_.clear();
    for (const ColumnPlan &column : plan.columns) {
        begins_.push_back(out.size());
        write_column(out, column, row[column.position]);
    }
    begins_.push_back(out.size());
}

// What is unchanged, which the decoder shows by handing out the same bytes for both, is copied from the old row.
void RowWriter::open_new_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row,
                             std::span<const Value> old) {
    for (std::size_t at = 0; at < plan.columns.size(); ++at) {
        const ColumnPlan &column = plan.columns[at];
        if (is_same(row[column.position], old[column.position]))
            out.repeat(begins_[at], begins_[at + 1] - begins_[at]);
        else
            write_column(out, column, row[column.position]);
    }
}

void RowWriter::open_known_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row) {
    for (const ColumnPlan &column : plan.columns) {
        if (column.in_key) {
            write_column(out, column, row[column.position]);
        } else {
            out.raw(column.lead);
            out.raw(column.absent);
        }
    }
}

void RowWriter::open_key(JsonWriter &out, const TablePlan &plan, std::span<const Value> row) {
    for (const ColumnPlan &column : plan.key) write_column(out, column, row[column.position]);
}

} // namespace waybill
