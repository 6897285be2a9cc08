#include "heartbeat.hpp"

#include "instant.hpp"

namespace waybill {

namespace {

constexpr std::string_view key_schema =
    R"({"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"serverName"}],)"
    R"("optional":false,"name":"io.debezium.connector.common.ServerNameKey","version":1},"payload":)";

constexpr std::string_view value_schema =
    R"({"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"ts_ms"}],)"
    R"("optional":false,"name":"io.debezium.connector.common.Heartbeat","version":1},"payload":)";

constexpr std::int32_t heartbeat_partition = 0; // as Debezium has it

} // namespace

Heartbeat::Heartbeat(const FormatOptions &options)
    : schemas_(options.schemas), topic_("__debezium-heartbeat." + options.prefix) {
    JsonWriter key;
    if (schemas_) key.raw(key_schema);
    key.raw("{\"serverName\":");
    key.string(options.prefix);
    key.raw(schemas_ ? "}}" : "}");
    key_ = key.view();
}

void Heartbeat::publish(std::int64_t now_us, MessageSink &sink) {
    value_.clear();
    if (schemas_) value_.raw(value_schema);
    value_.raw("{\"ts_ms\":");
    write_ms(value_, now_us);
    value_.raw(schemas_ ? "}}" : "}");
    sink.message(
        {.topic = topic_, .partition = heartbeat_partition, .key = key_, .value = value_.view(), .headers = {}});
}

} // namespace waybill
