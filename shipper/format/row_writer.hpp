// Rows as JSON objects.
#pragma once

#include "../change.hpp"
#include "json_writer.hpp"
#include "table_plan.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace waybill {

// A row of which no message can be made.
struct RowTooLarge {};

// All functions write an object that is still open, so that more members can follow; close() ends it. Throws DataError
// when a value's bytes are not of its type; then column() is the one.
class RowWriter {
public:
    void open_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row);

    // The new row of an update, somewhere behind the old one, which open_row() wrote last, in the same text.
    void open_new_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row, std::span<const Value> old);

    // Only the key's columns have their values.
    void open_known_row(JsonWriter &out, const TablePlan &plan, std::span<const Value> row);

    // The key alone.
    void open_key(JsonWriter &out, const TablePlan &plan, std::span<const Value> row);

    static void close(JsonWriter &out, const std::vector<ColumnPlan> &columns) {
        out.raw(columns.empty() ? "{}" : "}");
    }

    // One member of an object, behind `before`: its opening brace, or a comma.
    void write_member(JsonWriter &out, const ColumnPlan &column, const Value &value, char before) {
        out.raw(before);
        out.raw(std::string_view(column.lead).substr(1));
        write_value(out, column, value);
    }

    // One column's value.
    void write_value(JsonWriter &out, const ColumnPlan &column, const Value &value);

    // The column under work, null when it was none.
    [[nodiscard]] const ColumnPlan *column() const { return column_; }

    // To be called before a change's rows are written. From then on open_row() throws RowTooLarge for one that alone
    // makes more than `max_message_size`.
    void begin(const Change &change, std::size_t max_message_size);

    // Does so for a row that is written member by member.
    void check_size(const TablePlan &plan, std::span<const Value> row) const;

private:
    void write_column(JsonWriter &out, const ColumnPlan &column, const Value &value) {
        out.raw(column.lead);
        write_value(out, column, value);
    }

    std::vector<std::size_t> begins_; // of the columns that open_row() wrote, and where the last one ends
    const ColumnPlan *column_ = nullptr;
    JsonWriter text_;
    std::size_t max_size_ = 0; // of a row; 0: cannot be reached
    std::size_t expected_ = 0; // about so large are all rows of a large change; else 0
};

// Whether a column's value is stored as the same bytes in both rows of an update. `1.0` and `1.00` are not.
[[nodiscard]] inline bool is_same(const Value &value, const Value &old) {
    return value.kind == old.kind && value.bytes.data() == old.bytes.data() && value.bytes.size() == old.bytes.size();
}

} // namespace waybill
