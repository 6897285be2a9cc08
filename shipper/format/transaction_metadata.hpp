// Debezium's transaction metadata: the block in each event, and the records of the topic <prefix>.transaction.
#pragma once

#include "../change.hpp"
#include "format.hpp"
#include "json_writer.hpp"
#include "record_headers.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace waybill {

// The records have positions of their own: BEGIN that of the first change, END the one behind the last change.
class TransactionMetadata {
public:
    TransactionMetadata(const Source &source, const FormatOptions &options);

    [[nodiscard]] std::string_view topic() const { return topic_; }

    // One more event of `change`, of table `name` (schema.table); before a transaction's first one comes BEGIN.
    void count(const Change &change, const std::string &name, MessageSink &sink);

    // {"id":…,"total_order":…,"data_collection_order":…} of the event counted last.
    void write_block(JsonWriter &out) const;

    // Its three values.
    [[nodiscard]] const std::string &id() const { return id_; }
    [[nodiscard]] std::int64_t total_order() const { return total_; }
    [[nodiscard]] std::int64_t data_collection_order() const { return order_; }

    // END, if there was a BEGIN.
    void end(MessageSink &sink);

private:
    void begin(const Change &change, MessageSink &sink);
    void publish(const Position &position, MessageSink &sink);

    const bool schemas_;
    const std::string topic_;
    RecordHeaders headers_;

    bool open_ = false;
    std::string id_; // <xid>:<csn>
    Position last_;
    std::int64_t committed_at_us_ = 0;
    std::int64_t total_ = 0;
    std::int64_t order_ = 0;
    std::vector<std::pair<std::string, std::int64_t>> counts_; // of each table, in the order of their first events
    std::unordered_map<std::string, std::size_t> places_;      // in counts_
    JsonWriter key_;
    JsonWriter value_;
};

} // namespace waybill
