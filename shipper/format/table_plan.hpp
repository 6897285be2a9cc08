// What is worked out once for a shape, not once for each change: which columns are published, under which names, how.
#pragma once

#include "../change.hpp"
#include "column_change.hpp"
#include "format.hpp"
#include "json_writer.hpp"
#include "shaping.hpp"
#include "value_type.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waybill {

struct ColumnPlan {
    std::uint16_t position = 0; // in the shape
    std::string lead;           // what comes before the value: {"id": or ,"name":
    std::string null;           // what a null is published as
    std::string absent;         // what is published where only the key is known
    ValueType type;             // as which it is published
    ValueType stored_type;      // the column's own, where a rule makes another text of it
    ColumnRule rule;
    std::optional<SaltedHash> hash; // where the rule says so
    bool in_key = false;
};

struct TablePlan {
    Shape shape;
    std::string name;       // schema.table
    std::string_view topic; // empty: nothing of the table is published; lives as long as the plans
    std::vector<ColumnPlan> columns;
    std::vector<ColumnPlan> key;
    std::vector<std::uint16_t> arrays; // positions of those whose schema depends on the value

    // Texts that are the same for all changes; the formats make them.
    std::string key_head;     // {"schema":…,"payload": or nothing
    std::string value_head;   // what a value begins with
    std::string null_value;   // a whole value that is null, where there is one
    std::string source_table; // "schema":…,"table":…,
};

// The plans of all shapes seen so far, told apart by their ids.
class TablePlans {
public:
    using TypeOf = std::function<ValueType(const Column &column)>;
    using Complete = std::function<void(TablePlan &plan)>;

    // `complete` adds a format's own texts to the plan of a table that is published.
    TablePlans(const Source &source, const FormatOptions &options, TypeOf type_of, Complete complete)
        : source_(source), options_(options), shaping_(options.shaping), type_of_(std::move(type_of)),
          complete_(std::move(complete)) {}

    // Valid as long as this object. Throws ConfigError when the settings do not fit the table.
    [[nodiscard]] const TablePlan &of(const Shape &shape) {
        if (last_ == nullptr || last_->shape.id != shape.id) last_ = &find_or_make(shape);
        return *last_;
    }

    // The same for what is in a change, valid until the next call. With schemas an array's schema says how many
    // dimensions it has, and PostgreSQL's types do not: a row with other arrays than those of one dimension has a
    // schema of its own. Should the old and the new array differ in that, no array's schema fits both, and they are
    // published as PostgreSQL's text.
    [[nodiscard]] const TablePlan &of(const Change &change) {
        const TablePlan &plan = of(*change.shape);
        return plan.arrays.empty() ? plan : fit_arrays(plan, change);
    }

    // Throws ConfigError when the settings do not fit the table.
    void try_settings(const Shape &shape) const;

    // Whether the options say that such a change is not to be published.
    [[nodiscard]] bool is_skipped(const Change &change, const TablePlan &plan) const;

    [[nodiscard]] const FormatOptions &options() const { return options_; }
    [[nodiscard]] const Shaping &shaping() const { return shaping_; }

private:
    [[nodiscard]] const TablePlan &find_or_make(const Shape &shape);
    // By position of a column, where it is not 1; `mixed` for an array that is published as text.
    using Dimensions = std::map<std::uint16_t, std::uint32_t>;
    static constexpr std::uint32_t mixed = 0;

    [[nodiscard]] const TablePlan &fit_arrays(const TablePlan &plan, const Change &change);
    [[nodiscard]] TablePlan make(const Shape &shape, const Dimensions &dimensions);
    [[nodiscard]] ColumnPlan make_column(const Shape &shape, std::uint16_t position, bool first,
                                         const Dimensions &dimensions) const;

    const Source source_;
    const FormatOptions options_;
    const Shaping shaping_;
    const TypeOf type_of_;
    const Complete complete_;
    std::unordered_map<std::int32_t, TablePlan> plans_; // its elements stay where they are
    const TablePlan *last_ = nullptr;
    std::map<std::pair<std::int32_t, Dimensions>, TablePlan> fitted_; // valid until the next change
    std::set<std::string> topics_;
};

// Where records without a key go: spread over the partitions they would lose their order.
inline constexpr std::int32_t keyless_partition = 0;

// The letter that Debezium has for an operation: c, u, d, t.
[[nodiscard]] char letter(Operation op);

// Throws DataError unless the change has the rows that its operation asks for, with the columns of its shape.
void check_rows(const Change &change);

// Throws DataError that says where in the stream and in the table `reason` is. `column` may be null.
[[noreturn]] void throw_located(const Change &change, const TablePlan &plan, const ColumnPlan *column,
                                const std::string &reason);

// Writes the schemas of `columns` as the fields of a struct, with commas between them. Nothing is written for none.
void write_column_schemas(JsonWriter &out, const TablePlan &plan, const std::vector<ColumnPlan> &columns);

// The schema of the key: a struct named <topic>.Key.
[[nodiscard]] std::string key_schema(const TablePlan &plan);

} // namespace waybill
