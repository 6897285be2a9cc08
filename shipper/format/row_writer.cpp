#include "row_writer.hpp"

#include "column_change.hpp"
#include "pg_text_writer.hpp"
#include "value_json.hpp"

#include <utility>

namespace waybill {

namespace {

std::string_view view_of(const SaltedHash::Digits &digits) {
    return {digits.data(), digits.size()};
}

// Of changes smaller than this nothing is expected: buffers keep so much.
constexpr std::size_t large_change = std::size_t{1} << 20;

// What a value makes at least. In numbers and the like, and in arrays of them, a sixteenth of their bytes is the least.
std::size_t least_size(const ColumnPlan &column, const Value &value) {
    if (column.rule.change != ColumnRule::Change::none) return 0;
    if (!column.type.is_array) switch (column.type.mapping) {
        case Mapping::string:
        case Mapping::json: return value.bytes.size();
        case Mapping::jsonb:
        case Mapping::raw_json: return value.bytes.empty() ? 0 : value.bytes.size() - 1;
        case Mapping::bytes:
        case Mapping::base64:
        case Mapping::base64_url:
        case Mapping::hex: return value.kind == Value::Kind::binary ? value.bytes.size() : value.bytes.size() / 2;
        default: break;
        }
    return value.bytes.size() / 16;
}

} // namespace

void RowWriter::begin(const Change &change, std::size_t max_message_size) {
    column_ = nullptr;
    max_size_ = change.size > max_message_size ? max_message_size : 0;
    expected_ = 0;
    if (change.size < large_change) return;
    for (const std::span<const Value> row : {change.before, change.after})
        for (const Value &value : row) expected_ += value.bytes.size();
    expected_ += expected_ / 16 + large_change; // escapes, names and what is around the rows
}

void RowWriter::check_size(const TablePlan &plan, std::span<const Value> row) const {
    if (max_size_ == 0) return;
    std::size_t size = 0;
    for (const ColumnPlan &column : plan.columns) size += least_size(column, row[column.position]);
    if (size > max_size_) throw RowTooLarge{};
}

void RowWriter::write_value(JsonWriter &out, const ColumnPlan &column, const Value &value) {
    column_ = &column;
    if (value.kind == Value::Kind::null) return out.raw(column.null);
    if (column.rule.change == ColumnRule::Change::none) {
        const std::size_t from = out.size();
        waybill::write_value(out, column.type, value);
        if (column.type.as_debezium && out.view(from) == "null") { // what its type has no form for
            out.truncate(from);
            out.raw(column.null);
        }
        return;
    }
    if (column.rule.change == ColumnRule::Change::mask) return out.raw(column.null);
    text_.clear();
    write_pg_text(text_, column.stored_type, value);
    if (column.rule.change == ColumnRule::Change::hash)
        out.string(view_of((*column.hash)(text_.view())));
    else
        out.string(first_characters(text_.view(), column.rule.characters));
}

void RowWriter::open_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row) {
    check_size(plan, row);
    if (expected_ != 0) out.expect(std::exchange(expected_, 0));
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
