// The interface of a message format: pure, change in, Kafka records out. format.cpp has the list of all formats.
#pragma once

#include "../change.hpp"
#include "../version.hpp"
#include "shaping.hpp"
#include "value_type.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

struct Header {
    std::string_view name;
    std::string_view value; // without data: Kafka null
};

// One Kafka record. All views are valid during the call of MessageSink::message() only, but for `topic`, which lives
// as long as the format.
struct Message {
    static constexpr std::int32_t by_key = -1;

    std::string_view topic;
    std::int32_t partition = by_key;       // by_key: the partitioner decides on the key's bytes
    std::optional<std::string_view> key;   // nullopt: Kafka null
    std::optional<std::string_view> value; // nullopt: Kafka null, a tombstone
    std::span<const Header> headers;
};

// Takes the records of a change in the order in which they are to be published.
class MessageSink {
public:
    virtual void message(const Message &message) = 0;

    // How many bytes key and value may have together.
    [[nodiscard]] virtual std::size_t max_message_size() const { return std::numeric_limits<std::size_t>::max(); }

protected:
    ~MessageSink() = default;
};

// A change whose message would be larger than the sink takes: told before it is made, so that no memory is filled with
// it.
struct MessageTooLarge : std::runtime_error {
    MessageTooLarge(std::string_view to_topic, std::string_view at_position)
        : std::runtime_error("a message is too large"), topic(to_topic), position(at_position) {}

    std::string topic;
    std::string position;
};

// What `before` holds of the old row: all of it, or what a table with REPLICA IDENTITY DEFAULT gives Debezium.
enum class BeforeImage : std::uint8_t { full, key };

struct FormatOptions {
    std::string prefix;   // topics are <prefix>.<schema>.<table>, unless `shaping` says otherwise
    bool schemas = false; // {"schema":…,"payload":…} around key and value

    // A null in a column that has a default is published as that default: what JsonConverter does unless its own
    // replace.null.with.default is false, and not what the table holds.
    bool replace_null_with_default = false;

    BeforeImage before = BeforeImage::full;
    bool tombstones = true;            // behind each delete
    bool transaction_metadata = false; // the transaction block, and the topic <prefix>.transaction
    bool extended_headers = false;     // Debezium's __debezium.context.…, with `run_id`
    bool heartbeats = false;           // in the topic __debezium-heartbeat.<prefix>
    bool skip_unchanged_updates = false;
    std::string skip_operations; // of the letters c, u, d, t

    TypeOptions types;
    ShapingOptions shaping;
    std::map<std::string, std::string> settings; // of the format's own section

    std::string version{waybill::version}; // source.version
    std::string run_id;                    // of this run of the program, a uuid
};

class Format {
public:
    virtual ~Format() = default;

    // The topic of a table's changes; empty when they are not published. The view lives as long as the format. Throws
    // ConfigError when the settings do not fit the table.
    [[nodiscard]] virtual std::string_view topic(const Shape &shape) = 0;

    // Makes the records of `change`, zero or more, all with the header `waybill.position`. `now_us` is the wall clock,
    // microseconds since 1970. Throws DataError, with its csn, index and table,
    // when the change's bytes do not fit its shape; MessageTooLarge.
    virtual void encode(const Change &change, std::int64_t now_us, MessageSink &sink) = 0;

    // Makes the records that end the transaction of the last change. To be called behind the last change of each
    // transaction, before the next one's first.
    virtual void end_transaction(MessageSink &sink) = 0;

    // Makes a record that says that the stream is alive. Not a change: it has no position.
    virtual void heartbeat(std::int64_t now_us, MessageSink &sink) = 0;

    // Throws what topic() and encode() throw of settings that do not fit the table, for a fraction of their work.
    virtual void try_settings(const Shape &shape) const = 0;

    // The rules of the settings that match nothing of `tables`.
    [[nodiscard]] virtual std::vector<IdleRule> idle_rules(std::span<const Shape> tables) const = 0;

    // Topics of records that are no change of a table: of transactions, of heartbeats. They live as long as the format.
    [[nodiscard]] virtual std::vector<std::string_view> other_topics() const = 0;
};

// Shapes are told apart by their id alone: what is worked out for one is kept for the format's life. `name` is one of
// format_names(). Throws ConfigError when an option or one of the format's own settings is wrong.
[[nodiscard]] std::unique_ptr<Format> make_format(std::string_view name, const Source &source,
                                                  const FormatOptions &options);

[[nodiscard]] std::vector<std::string_view> format_names();

} // namespace waybill
