#include "settings.hpp"

#include "errors.hpp"
#include "format/format.hpp"
#include "nearest.hpp"
#include "setting_kinds.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace waybill {

namespace {

// What a text is read by: returns what is kept, or throws ConfigError.

std::string any_text(const std::string &value, const std::string & /*where*/) {
    return value;
}

template <const auto &Names>
std::string one_of(const std::string &value, const std::string &where) {
    if (std::find(Names.begin(), Names.end(), value) == Names.end()) fail_unsupported(value, where, Names);
    return value;
}

std::string read_conninfo(const std::string &value, const std::string & /*where*/) {
    check_conninfo(value);
    return value;
}

std::string read_prefix(const std::string &value, const std::string &where) {
    const bool legal = std::all_of(value.begin(), value.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    if (!legal || value.empty())
        throw ConfigError(where + " = \"" + value +
                          "\" cannot begin a topic's name; use letters, digits, \".\", \"_\" and \"-\"");
    return value;
}

// c, u, d or t.
char read_operation(const std::string &value, const std::string &where) {
    static constexpr std::array<std::string_view, 4> operations{"c", "u", "d", "t"};
    return one_of<operations>(value, where).front();
}

Pattern read_pattern(const std::string &value, const std::string &where) {
    return {value, where};
}

std::string read_format(const std::string &value, const std::string &where) {
    const std::vector<std::string_view> names = format_names();
    if (std::find(names.begin(), names.end(), value) == names.end()) fail_unsupported(value, where, names);
    return value;
}

// What a text is shown as.

std::string as_it_is(const std::string &value) {
    return value;
}

std::string as_letter(char operation) {
    return {operation};
}

std::string as_pattern(const Pattern &pattern) {
    return pattern.text();
}

std::string without_salt(const std::string &rule) {
    const std::size_t equals = rule.find('=');
    return (equals == std::string::npos ? "" : rule.substr(0, equals + 1)) + "****";
}

constexpr std::array<std::string_view, 1> deliveries{"at_least_once"};
constexpr std::array<Named<BeforeImage>, 2> before_images{{{"full", BeforeImage::full}, {"key", BeforeImage::key}}};
constexpr std::array<Named<LogLevel>, 4> log_levels{
    {{"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warning", LogLevel::warning}, {"error", LogLevel::error}}};
constexpr std::array<Named<LogFormat>, 2> log_formats{{{"text", LogFormat::text}, {"json", LogFormat::json}}};

constexpr std::int64_t hour_ms = 3'600'000;

constexpr std::array settings{
    setting::text<read_conninfo, mask_conninfo, &Options::conninfo>(
        "database.conninfo", "--conninfo", "libpq connection string or URI (default: libpq's PG* variables)"),

    setting::text<any_text, as_it_is, &Options::stream>("stream.name", "--stream",
                                                        "which stream's acknowledged position to use (default)"),
    setting::text<read_prefix, as_it_is, &Options::format_options, &FormatOptions::prefix>(
        "stream.prefix", "--prefix", "topics are <prefix>.<schema>.<table>; required"),
    setting::text<read_format, as_it_is, &Options::format>("stream.format", "--format",
                                                           "format of the messages (debezium)"),
    setting::boolean<&Options::format_options, &FormatOptions::schemas>(
        "stream.schemas", "--schemas", "put {\"schema\":…,\"payload\":…} around key and value (false)"),
    setting::choice<compatibilities, &Options::format_options, &FormatOptions::types, &TypeOptions::compatibility>(
        "stream.compatibility", "--compatibility",
        "debezium-3.7: exactly what Debezium publishes by default, also where that is less (none)"),
    setting::boolean<&Options::format_options, &FormatOptions::replace_null_with_default>(
        "stream.replace_null_with_default", "--replace-null-with-default",
        "publish a null in a column with a default as the default, as Debezium does (false)"),
    setting::choice<before_images, &Options::format_options, &FormatOptions::before>(
        "stream.before", "--before", "what of the old row is published: full or key (full)"),
    setting::boolean<&Options::format_options, &FormatOptions::tombstones>(
        "stream.tombstones", "--tombstones", "publish a tombstone behind each delete (true)"),
    setting::boolean<&Options::format_options, &FormatOptions::transaction_metadata>(
        "stream.transaction_metadata", "--transaction-metadata",
        "publish where transactions begin and end, in topic <prefix>.transaction and in each change (false)"),
    setting::boolean<&Options::format_options, &FormatOptions::skip_unchanged_updates>(
        "stream.skip_unchanged_updates", "--skip-unchanged-updates",
        "do not publish updates that change no published column (false)"),
    setting::list<read_operation, as_letter, &Options::format_options, &FormatOptions::skip_operations>(
        "stream.skip_operations", "--skip-operations",
        "do not publish these: c (insert), u (update), d (delete), t (truncate) (none)"),
    setting::boolean<&Options::format_options, &FormatOptions::extended_headers>(
        "stream.extended_headers", "--extended-headers", "send Debezium's headers __debezium.context.… too (false)"),
    setting::integer<0, 24 * hour_ms, &Options::pump, &PumpOptions::heartbeat_interval>(
        "stream.heartbeat_interval_ms", "--heartbeat-interval-ms",
        "publish a record in topic __debezium-heartbeat.<prefix> so often; 0: never (0)"),
    setting::text<one_of<deliveries>, as_it_is, &Options::delivery>("stream.delivery", "--delivery",
                                                                    "guarantee: at_least_once (at_least_once)"),

    setting::choice<decimal_modes, &Options::format_options, &FormatOptions::types, &TypeOptions::decimal>(
        "types.decimal", "--types-decimal", "numeric and money as precise, string or double (precise)"),
    setting::choice<time_modes, &Options::format_options, &FormatOptions::types, &TypeOptions::time>(
        "types.time", "--types-time",
        "adaptive, adaptive_time_microseconds, connect, isostring, microseconds or nanoseconds (adaptive)"),
    setting::choice<binary_modes, &Options::format_options, &FormatOptions::types, &TypeOptions::binary>(
        "types.binary", "--types-binary", "bytea as bytes, base64, base64_url_safe or hex (bytes)"),
    setting::choice<interval_modes, &Options::format_options, &FormatOptions::types, &TypeOptions::interval>(
        "types.interval", "--types-interval", "numeric or string (numeric)"),
    setting::choice<hstore_modes, &Options::format_options, &FormatOptions::types, &TypeOptions::hstore>(
        "types.hstore", "--types-hstore", "json or map (json)"),
    setting::integer<0, max_money_fraction_digits, &Options::format_options, &FormatOptions::types,
                     &TypeOptions::money_fraction_digits>(
        "types.money_fraction_digits", "--types-money-fraction-digits", "digits of the fraction of money (2)"),
    setting::list<read_pattern, as_pattern, &Options::format_options, &FormatOptions::types, &TypeOptions::as_text>(
        "types.as_text", "--types-as-text", "publish PostgreSQL's text of types whose name matches (none)"),

    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping,
                  &ShapingOptions::include_tables>("tables.include", "--tables-include",
                                                   "publish only tables whose schema.table matches (all)"),
    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping,
                  &ShapingOptions::exclude_tables>("tables.exclude", "--tables-exclude",
                                                   "do not publish these, included or not (none)"),
    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping, &ShapingOptions::keys>(
        "tables.key", "--tables-key", "the columns of these tables' keys, PATTERN=COLUMN,COLUMN (the table's own)"),

    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping,
                  &ShapingOptions::include_columns>("columns.include", "--columns-include",
                                                    "publish only columns whose schema.table.column matches (all)"),
    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping,
                  &ShapingOptions::exclude_columns>("columns.exclude", "--columns-exclude",
                                                    "do not publish these (none)"),
    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping, &ShapingOptions::mask>(
        "columns.mask", "--columns-mask", "publish a text instead of these, PATTERN=TEXT (none)"),
    setting::list<any_text, without_salt, &Options::format_options, &FormatOptions::shaping, &ShapingOptions::hash>(
        "columns.hash", "--columns-hash", "publish the SHA-256 of a salt and these, PATTERN=SALT (none)"),
    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping, &ShapingOptions::truncate>(
        "columns.truncate", "--columns-truncate", "publish the beginning of these, PATTERN=CHARACTERS (none)"),

    setting::text<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping, &ShapingOptions::topic>(
        "topics.name", "--topics-name",
        "of {prefix}, {database}, {schema}, {table} and other text ({prefix}.{schema}.{table})"),
    setting::list<any_text, as_it_is, &Options::format_options, &FormatOptions::shaping, &ShapingOptions::routes>(
        "topics.routes", "--topics-routes", "other topics for these tables, PATTERN=TOPIC, $1 for its groups (none)"),
    setting::boolean<&Options::kafka, &KafkaOptions::create_topics>("topics.create", "--create-topics",
                                                                    "create absent topics (true)"),
    setting::integer<1, 100'000, &Options::kafka, &KafkaOptions::partitions>(
        "topics.partitions", "--partitions", "partitions of created topics (the broker's default)"),
    setting::integer<1, 100, &Options::kafka, &KafkaOptions::replication>(
        "topics.replication", "--replication", "replicas of created topics (the broker's default)"),

    setting::integer<1, 900'000, &Options::pump, &PumpOptions::in_flight_messages>(
        "limits.in_flight_messages", "--in-flight-messages", "messages that may be on their way to Kafka (100000)"),
    setting::integer<1 << 16, std::int64_t{1} << 34, &Options::pump, &PumpOptions::in_flight_bytes>(
        "limits.in_flight_bytes", "--in-flight-bytes", "bytes that may be on their way to Kafka (67108864)"),
    setting::integer<1 << 13, 1 << 29, &Options::pump, &PumpOptions::fetch_bytes>(
        "limits.fetch_bytes", "--fetch-bytes",
        "bytes that one fetch from the log may bring; two may be in memory (4194304)"),
    setting::integer<1, 60'000, &Options::pump, &PumpOptions::acknowledge_interval>(
        "limits.acknowledge_interval_ms", "--acknowledge-interval-ms", "between acknowledgements in the log (50)"),
    setting::integer<1000, 24 * hour_ms, &Options::pump, &PumpOptions::delivery_timeout>(
        "limits.delivery_timeout_ms", "--delivery-timeout-ms",
        "connect to Kafka anew when it acknowledges nothing for so long (120000)"),
    setting::integer<0, hour_ms, &Options::pump, &PumpOptions::shutdown_timeout>(
        "limits.shutdown_timeout_ms", "--shutdown-timeout-ms",
        "to finish what is on its way when asked to end (10000)"),
    setting::integer<0, 24 * hour_ms, &Options::pump, &PumpOptions::once_timeout>(
        "limits.once_timeout_ms", "--once-timeout-ms", "--once gives up when nothing works for so long (60000)"),

    setting::choice<log_levels, &Options::log_level>("log.level", "--log-level",
                                                     "debug, info, warning or error (info)"),
    setting::choice<log_formats, &Options::log_format>("log.format", "--log-format", "text or json (text)"),
};

constexpr std::string_view kafka_section = "kafka.";
constexpr std::string_view topic_config_section = "topics.config.";

} // namespace

std::span<const Setting> all_settings() {
    return settings;
}

const Setting *find_setting(std::string_view key) {
    const auto found =
        std::find_if(settings.begin(), settings.end(), [&](const Setting &one) { return one.key == key; });
    return found == settings.end() ? nullptr : &*found;
}

std::vector<std::string> section_names() {
    std::vector<std::string> names{"kafka"};
    for (const Setting &setting : settings) {
        std::string name(setting.key.substr(0, setting.key.find('.')));
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
    for (const std::string_view name : format_names()) names.emplace_back(name);
    return names;
}

std::string_view open_section(std::string_view key) {
    if (key.starts_with(kafka_section)) return kafka_section;
    if (key.starts_with(topic_config_section)) return topic_config_section;
    const std::size_t dot = key.find('.');
    const std::vector<std::string_view> formats = format_names();
    if (dot == std::string_view::npos || std::find(formats.begin(), formats.end(), key.substr(0, dot)) == formats.end())
        return {};
    return key.substr(0, dot + 1);
}

void set_open(Draft &draft, std::string_view key, const std::string &value) {
    const std::string_view section = open_section(key);
    const std::string name(key.substr(section.size()));
    if (section == kafka_section)
        put(draft.options.kafka.properties, name, value);
    else if (section == topic_config_section)
        put(draft.options.kafka.topic_config, name, value);
    else
        draft.format_sections[std::string(section.substr(0, section.size() - 1))][name] = value;
}

void put(Properties &properties, const std::string &name, const std::string &value) {
    const auto found =
        std::find_if(properties.begin(), properties.end(), [&](const auto &one) { return one.first == name; });
    if (found == properties.end())
        properties.emplace_back(name, value);
    else
        found->second = value;
}

void fail_unknown(const std::string &key, const std::string &origin) {
    std::vector<std::string> keys{"topics.config"};
    for (const Setting &setting : settings) keys.emplace_back(setting.key);
    throw ConfigError(origin + ": " + key + " is not a setting; did you mean " + nearest(key, keys) + "?");
}

} // namespace waybill
