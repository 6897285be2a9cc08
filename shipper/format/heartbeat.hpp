// Debezium's heartbeat: {"ts_ms":…} in the topic __debezium-heartbeat.<prefix>.
#pragma once

#include "format.hpp"
#include "json_writer.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace waybill {

class Heartbeat {
public:
    explicit Heartbeat(const FormatOptions &options);

    [[nodiscard]] std::string_view topic() const { return topic_; }

    void publish(std::int64_t now_us, MessageSink &sink);

private:
    const bool schemas_;
    const std::string topic_;
    std::string key_;
    JsonWriter value_;
};

} // namespace waybill
