#include "transaction_metadata.hpp"

#include "instant.hpp"
#include "shaping.hpp"

#include <string_view>

namespace waybill {

namespace {

constexpr std::string_view key_schema =
    R"({"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"}],"optional":false,)"
    R"("name":"io.debezium.connector.common.TransactionMetadataKey","version":1},"payload":)";

constexpr std::string_view value_schema =
    R"({"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"status"},)"
    R"({"type":"string","optional":false,"field":"id"},{"type":"int64","optional":true,"field":"event_count"},)"
    R"({"type":"array","items":{"type":"struct","fields":[)"
    R"({"type":"string","optional":false,"field":"data_collection"},)"
    R"({"type":"int64","optional":false,"field":"event_count"}],)"
    R"("optional":true,"name":"event.collection","version":1},"optional":true,"field":"data_collections"},)"
    R"({"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,)"
    R"("name":"io.debezium.connector.common.TransactionMetadataValue","version":1},"payload":)";

} // namespace

TransactionMetadata::TransactionMetadata(const Source &source, const FormatOptions &options)
    : schemas_(options.schemas), topic_(options.prefix + ".transaction"), headers_(source) {}

void TransactionMetadata::count(const Change &change, const std::string &name, MessageSink &sink) {
    if (!open_) begin(change, sink);
    last_ = change.position;
    ++total_;
    const auto [place, is_new] = places_.try_emplace(name, counts_.size());
    if (is_new) counts_.emplace_back(name, 0);
    order_ = ++counts_[place->second].second;
}

void TransactionMetadata::begin(const Change &change, MessageSink &sink) {
    open_ = true;
    id_ = std::to_string(change.transaction->xid) + ":" + std::to_string(change.position.csn);
    committed_at_us_ = change.transaction->committed_at_us;
    total_ = 0;
    counts_.clear();
    places_.clear();

    value_.clear();
    if (schemas_) value_.raw(value_schema);
    value_.raw(R"({"status":"BEGIN","id":)");
    value_.string(id_);
    value_.raw(R"(,"event_count":null,"data_collections":null,"ts_ms":)");
    publish(change.position, sink);
}

void TransactionMetadata::end(MessageSink &sink) {
    if (!open_) return;
    open_ = false;
    value_.clear();
    if (schemas_) value_.raw(value_schema);
    value_.raw(R"({"status":"END","id":)");
    value_.string(id_);
    value_.raw(R"(,"event_count":)");
    value_.integer(total_);
    value_.raw(R"(,"data_collections":[)");
    for (const auto &[name, events] : counts_) {
        value_.raw(&name == &counts_.front().first ? R"({"data_collection":)" : R"(,{"data_collection":)");
        value_.string(name);
        value_.raw(R"(,"event_count":)");
        value_.integer(events);
        value_.raw('}');
    }
    value_.raw(R"(],"ts_ms":)");
    ++last_.index;
    publish(last_, sink);
}

// What is the same at the end of both records.
void TransactionMetadata::publish(const Position &position, MessageSink &sink) {
    write_ms(value_, committed_at_us_);
    value_.raw(schemas_ ? "}}" : "}");
    key_.clear();
    if (schemas_) key_.raw(key_schema);
    key_.raw("{\"id\":");
    key_.string(id_);
    key_.raw(schemas_ ? "}}" : "}");
    headers_.begin(position);
    sink.message({.topic = topic_,
                  .partition = Message::by_key,
                  .key = key_.view(),
                  .value = value_.view(),
                  .headers = headers_.all()});
}

void TransactionMetadata::write_block(JsonWriter &out) const {
    out.raw("{\"id\":");
    out.string(id_);
    out.raw(",\"total_order\":");
    out.integer(total_);
    out.raw(",\"data_collection_order\":");
    out.integer(order_);
    out.raw('}');
}

} // namespace waybill
