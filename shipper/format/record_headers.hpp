// The headers that every record of a change has: waybill.position, then waybill.context when the transaction has one.
#pragma once

#include "../change.hpp"
#include "format.hpp"
#include "json_writer.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

class RecordHeaders {
public:
    explicit RecordHeaders(const Source &source) : source_(source.id + "/") {}

    // Starts over with those of `change`.
    void begin(const Change &change) {
        begin(change.position);
        if (change.transaction->context) add_context(*change.transaction->context);
    }

    void add_context(std::string_view context) { add("waybill.context", context); }

    void begin(const Position &position) {
        position_.clear();
        position_.raw(source_);
        position_.integer(position.timeline);
        position_.raw('/');
        position_.integer(position.csn);
        position_.raw('/');
        position_.integer(position.index);
        headers_.clear();
        add("waybill.position", position_.view());
    }

    // `value` has to live as long as the header. Without data it is a null.
    void add(std::string_view name, std::string_view value) { headers_.push_back({.name = name, .value = value}); }

    [[nodiscard]] std::string_view position() const { return position_.view(); }

    [[nodiscard]] std::size_t size() const { return headers_.size(); }
    // Drops those behind the first `size`.
    void shrink(std::size_t size) { headers_.resize(size); }

    [[nodiscard]] std::span<const Header> all() const { return headers_; }

private:
    std::string source_; // its id and a slash
    JsonWriter position_;
    std::vector<Header> headers_;
};

} // namespace waybill
