#include "options.hpp"

#include "errors.hpp"
#include "nearest.hpp"
#include "version.hpp"

#include <CLI/CLI.hpp>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

namespace waybill {

namespace {

// Where a value comes from, for error messages: a file's name, a variable, a flag.
struct Origin {
    std::string text;
    // "waybill.toml: stream.name"
    [[nodiscard]] std::string of(const std::string &key) const { return text + ": " + key; }
};

enum class Kind : std::uint8_t { text, boolean, integer };

struct Setting {
    std::string_view key; // section.key
    std::string_view flag;
    Kind kind;
    std::string_view help;
    void (*set_text)(Options &, const std::string &value, const std::string &where) = nullptr;
    void (*set_boolean)(Options &, bool value) = nullptr;
    void (*set_integer)(Options &, std::int64_t value) = nullptr;
    std::int64_t least = 0;
    std::int64_t most = std::numeric_limits<std::int32_t>::max();
};

void require_one_of(const std::string &value, std::initializer_list<std::string_view> known, const std::string &where) {
    std::string list;
    for (const std::string_view one : known) {
        if (value == one) return;
        list += (list.empty() ? "\"" : ", \"") + std::string(one) + '"';
    }
    throw ConfigError(where + " = \"" + value + "\" is not supported; possible: " + list);
}

void set_prefix(Options &options, const std::string &value, const std::string &where) {
    const bool legal = std::all_of(value.begin(), value.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    if (!legal || value.empty())
        throw ConfigError(where + " = \"" + value +
                          "\" cannot begin a topic's name; use letters, digits, \".\", \"_\" and \"-\"");
    options.prefix = value;
}

void set_format(Options &options, const std::string &value, const std::string &where) {
    require_one_of(value, {"debezium"}, where);
    options.format = value;
}

void set_delivery(Options &options, const std::string &value, const std::string &where) {
    require_one_of(value, {"at_least_once"}, where);
    options.delivery = value;
}

void set_log_level(Options &options, const std::string &value, const std::string &where) {
    require_one_of(value, {"debug", "info", "warning", "error"}, where);
    options.log_level = value == "debug"     ? LogLevel::debug
                        : value == "info"    ? LogLevel::info
                        : value == "warning" ? LogLevel::warning
                                             : LogLevel::error;
}

void set_log_format(Options &options, const std::string &value, const std::string &where) {
    require_one_of(value, {"text", "json"}, where);
    options.log_format = value == "json" ? LogFormat::json : LogFormat::text;
}

constexpr std::int64_t hour_ms = 3'600'000;

// All settings but the three open-ended ones: kafka.*, topics.config, and --config itself.
const std::array settings{
    Setting{"database.conninfo", "--conninfo", Kind::text,
            "libpq connection string or URI (default: libpq's PG* variables)",
            [](Options &o, const std::string &value, const std::string & /*where*/) {
                check_conninfo(value);
                o.conninfo = value;
            }},
    Setting{"stream.name", "--stream", Kind::text, "which stream's acknowledged position to use (default)",
            [](Options &o, const std::string &value, const std::string & /*where*/) { o.stream = value; }},
    Setting{"stream.prefix", "--prefix", Kind::text, "topics are <prefix>.<schema>.<table>; required", set_prefix},
    Setting{"stream.format", "--format", Kind::text, "format of the messages: debezium (debezium)", set_format},
    Setting{.key = "stream.schemas",
            .flag = "--schemas",
            .kind = Kind::boolean,
            .help = "put {\"schema\":…,\"payload\":…} around key and value (false)",
            .set_boolean = [](Options &o, bool value) { o.schemas = value; }},
    Setting{.key = "stream.replace_null_with_default",
            .flag = "--replace-null-with-default",
            .kind = Kind::boolean,
            .help = "publish a null in a column with a default as the default, as Debezium does (false)",
            .set_boolean = [](Options &o, bool value) { o.replace_null_with_default = value; }},
    Setting{"stream.delivery", "--delivery", Kind::text, "guarantee: at_least_once (at_least_once)", set_delivery},
    Setting{.key = "topics.create",
            .flag = "--create-topics",
            .kind = Kind::boolean,
            .help = "create absent topics (true)",
            .set_boolean = [](Options &o, bool value) { o.kafka.create_topics = value; }},
    Setting{.key = "topics.partitions",
            .flag = "--partitions",
            .kind = Kind::integer,
            .help = "partitions of created topics (the broker's default)",
            .set_integer = [](Options &o, std::int64_t value) { o.kafka.partitions = static_cast<int>(value); },
            .least = 1,
            .most = 100'000},
    Setting{.key = "topics.replication",
            .flag = "--replication",
            .kind = Kind::integer,
            .help = "replicas of created topics (the broker's default)",
            .set_integer = [](Options &o, std::int64_t value) { o.kafka.replication = static_cast<int>(value); },
            .least = 1,
            .most = 100},
    Setting{.key = "limits.in_flight_messages",
            .flag = "--in-flight-messages",
            .kind = Kind::integer,
            .help = "messages that may be on their way to Kafka (100000)",
            .set_integer = [](Options &o,
                              std::int64_t value) { o.pump.in_flight_messages = static_cast<std::size_t>(value); },
            .least = 1,
            .most = 900'000},
    Setting{
        .key = "limits.in_flight_bytes",
        .flag = "--in-flight-bytes",
        .kind = Kind::integer,
        .help = "bytes that may be on their way to Kafka (67108864)",
        .set_integer = [](Options &o, std::int64_t value) { o.pump.in_flight_bytes = static_cast<std::size_t>(value); },
        .least = 1 << 16,
        .most = std::int64_t{1} << 34},
    Setting{.key = "limits.fetch_bytes",
            .flag = "--fetch-bytes",
            .kind = Kind::integer,
            .help = "bytes that one fetch from the log may bring; two may be in memory (4194304)",
            .set_integer = [](Options &o, std::int64_t value) { o.pump.fetch_bytes = static_cast<int>(value); },
            .least = 1 << 13,
            .most = 1 << 29},
    Setting{.key = "limits.acknowledge_interval_ms",
            .flag = "--acknowledge-interval-ms",
            .kind = Kind::integer,
            .help = "between acknowledgements in the log (50)",
            .set_integer = [](Options &o,
                              std::int64_t value) { o.pump.acknowledge_interval = std::chrono::milliseconds(value); },
            .least = 1,
            .most = 60'000},
    Setting{.key = "limits.delivery_timeout_ms",
            .flag = "--delivery-timeout-ms",
            .kind = Kind::integer,
            .help = "connect to Kafka anew when it acknowledges nothing for so long (120000)",
            .set_integer = [](Options &o,
                              std::int64_t value) { o.pump.delivery_timeout = std::chrono::milliseconds(value); },
            .least = 1000,
            .most = 24 * hour_ms},
    Setting{.key = "limits.shutdown_timeout_ms",
            .flag = "--shutdown-timeout-ms",
            .kind = Kind::integer,
            .help = "to finish what is on its way when asked to end (10000)",
            .set_integer = [](Options &o,
                              std::int64_t value) { o.pump.shutdown_timeout = std::chrono::milliseconds(value); },
            .least = 0,
            .most = hour_ms},
    Setting{
        .key = "limits.once_timeout_ms",
        .flag = "--once-timeout-ms",
        .kind = Kind::integer,
        .help = "--once gives up when nothing works for so long (60000)",
        .set_integer = [](Options &o, std::int64_t value) { o.pump.once_timeout = std::chrono::milliseconds(value); },
        .least = 0,
        .most = 24 * hour_ms},
    Setting{"log.level", "--log-level", Kind::text, "debug, info, warning or error (info)", set_log_level},
    Setting{"log.format", "--log-format", Kind::text, "text or json (text)", set_log_format},
};

constexpr std::string_view kafka_section = "kafka.";
constexpr std::string_view topic_config_section = "topics.config.";

const Setting *find_setting(std::string_view key) {
    const auto found =
        std::find_if(settings.begin(), settings.end(), [&](const Setting &one) { return one.key == key; });
    return found == settings.end() ? nullptr : &*found;
}

void put(Properties &properties, const std::string &name, const std::string &value) {
    const auto found =
        std::find_if(properties.begin(), properties.end(), [&](const auto &one) { return one.first == name; });
    if (found == properties.end())
        properties.emplace_back(name, value);
    else
        found->second = value;
}

void set_integer(Options &options, const Setting &setting, std::int64_t value, const std::string &where) {
    if (value < setting.least || value > setting.most)
        throw ConfigError(where + " = " + std::to_string(value) + " is out of range; possible: " +
                          std::to_string(setting.least) + " to " + std::to_string(setting.most));
    setting.set_integer(options, value);
}

// A setting from a text: a flag's or a variable's.
void set_from_text(Options &options, const Setting &setting, const std::string &value, const std::string &where) {
    switch (setting.kind) {
    case Kind::text: setting.set_text(options, value, where); return;
    case Kind::boolean:
        if (value != "true" && value != "false")
            throw ConfigError(where + " = \"" + value + "\" must be true or false");
        setting.set_boolean(options, value == "true");
        return;
    case Kind::integer: break;
    }
    std::int64_t number = 0;
    const char *const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc{} || stop != end) throw ConfigError(where + " = \"" + value + "\" must be a number");
    set_integer(options, setting, number, where);
}

std::string_view type_name(const toml::node &node) {
    switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "a number";
    case toml::node_type::floating_point: return "a fraction";
    case toml::node_type::boolean: return "a boolean";
    default: return "a date or time";
    }
}

// Properties of librdkafka and of topics may be written as any scalar.
std::string scalar(const toml::node &node, const std::string &where) {
    if (const auto *const text = node.as_string()) return text->get();
    if (const auto *const number = node.as_integer()) return std::to_string(number->get());
    if (const auto *const flag = node.as_boolean()) return flag->get() ? "true" : "false";
    if (const auto *const fraction = node.as_floating_point()) return fmt::format("{}", fraction->get());
    throw ConfigError(where + " must be a string, a number or a boolean, not " + std::string(type_name(node)));
}

void set_from_toml(Options &options, const Setting &setting, const toml::node &node, const std::string &where) {
    const auto mismatch = [&](std::string_view wanted) {
        return ConfigError(where + " must be " + std::string(wanted) + ", not " + std::string(type_name(node)));
    };
    switch (setting.kind) {
    case Kind::text:
        if (!node.is_string()) throw mismatch("a string");
        return setting.set_text(options, node.as_string()->get(), where);
    case Kind::boolean:
        if (!node.is_boolean()) throw mismatch("true or false");
        return setting.set_boolean(options, node.as_boolean()->get());
    case Kind::integer:
        if (!node.is_integer()) throw mismatch("a number");
        return set_integer(options, setting, node.as_integer()->get(), where);
    }
}

[[noreturn]] void fail_unknown(const std::string &key, const Origin &origin) {
    std::vector<std::string> keys{"topics.config"};
    for (const Setting &setting : settings) keys.emplace_back(setting.key);
    throw ConfigError(origin.of(key) + " is not a setting; did you mean " + nearest(key, keys) + "?");
}

void read_table(Options &options, const toml::table &table, const std::string &prefix, const Origin &origin) {
    for (const auto &[name, node] : table) {
        const std::string key = prefix + std::string(name.str());
        if (const Setting *const setting = find_setting(key))
            set_from_toml(options, *setting, node, origin.of(key));
        else if (const auto *const inner = node.as_table(); // also "a.b = 1" in [kafka], which TOML reads as a table
                 inner != nullptr && (prefix.empty() || key.starts_with(kafka_section) || key == "topics.config" ||
                                      key.starts_with(topic_config_section)))
            read_table(options, *inner, key + '.', origin);
        else if (key.starts_with(kafka_section))
            put(options.kafka.properties, key.substr(kafka_section.size()), scalar(node, origin.of(key)));
        else if (key.starts_with(topic_config_section))
            put(options.kafka.topic_config, key.substr(topic_config_section.size()), scalar(node, origin.of(key)));
        else
            fail_unknown(key, origin);
    }
}

// A section that is none must be told as such, also when it is empty.
void check_sections(const toml::table &table, const Origin &origin) {
    const std::vector<std::string> sections{"database", "stream", "topics", "kafka", "limits", "log"};
    for (const auto &[name, node] : table) {
        const std::string section(name.str());
        if (std::find(sections.begin(), sections.end(), section) == sections.end())
            throw ConfigError(origin.of(section) + " is not a section; did you mean [" + nearest(section, sections) +
                              "]?");
        if (!node.is_table()) throw ConfigError(origin.of(section) + " must be a section: write [" + section + "]");
    }
}

void read_file(Options &options, const std::string &file) {
    const Origin origin{file};
    std::ifstream stream(file);
    if (!stream) throw ConfigError("could not read " + file + ": " + std::strerror(errno));
    try {
        const toml::table table = toml::parse(stream, file);
        check_sections(table, origin);
        read_table(options, table, "", origin);
    } catch (const toml::parse_error &error) {
        const auto line = error.source().begin.line;
        throw ConfigError("could not read " + file + (line > 0 ? ", line " + std::to_string(line) : "") + ": " +
                          std::string(error.description()));
    }
}

// Takes "name=value".
void put_pair(Properties &properties, const std::string &pair, const std::string &where) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) throw ConfigError(where + " needs the form name=value");
    put(properties, pair.substr(0, equals), pair.substr(equals + 1));
}

// WAYBILL_DATABASE_CONNINFO is database.conninfo. What follows WAYBILL_KAFKA_ is a property with "." written as "_".
void read_environment(Options &options, const std::map<std::string, std::string> &environment) {
    constexpr std::array<std::string_view, 6> sections{"DATABASE_", "STREAM_", "TOPICS_", "KAFKA_", "LIMITS_", "LOG_"};
    constexpr std::string_view ours = "WAYBILL_";
    constexpr std::string_view kafka = "WAYBILL_KAFKA_";
    for (const auto &[name, value] : environment) {
        if (!name.starts_with(ours)) continue;
        const std::string_view rest = std::string_view(name).substr(ours.size());
        if (std::none_of(sections.begin(), sections.end(), [&](auto one) { return rest.starts_with(one); })) continue;
        std::string lower(rest);
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (name.starts_with(kafka)) {
            std::string property = lower.substr(kafka.size() - ours.size());
            if (property != "log_level") std::replace(property.begin(), property.end(), '_', '.');
            put(options.kafka.properties, property, value);
            continue;
        }
        lower[lower.find('_')] = '.';
        const Origin origin{"environment variable " + name};
        if (const Setting *const setting = find_setting(lower))
            set_from_text(options, *setting, value, origin.of(lower));
        else
            fail_unknown(lower, origin);
    }
}

std::string value_or_empty(const std::map<std::string, std::string> &values, const std::string &name) {
    const auto found = values.find(name);
    return found == values.end() ? "" : found->second;
}

void require_complete(const Options &options) {
    if (options.command == Command::status) return;
    if (options.prefix.empty())
        throw ConfigError("stream.prefix is not set, so topics have no names; set it in the file, in "
                          "WAYBILL_STREAM_PREFIX or with --prefix");
    const auto names_brokers = [](const auto &one) {
        return one.first == "bootstrap.servers" || one.first == "metadata.broker.list" ||
               one.first == "test.mock.num.brokers";
    };
    if (std::none_of(options.kafka.properties.begin(), options.kafka.properties.end(), names_brokers))
        throw ConfigError(
            "kafka.\"bootstrap.servers\" is not set, so there is no Kafka to send to; set it in the file, in "
            "WAYBILL_KAFKA_BOOTSTRAP_SERVERS or with --bootstrap-servers");
    check_properties(options.kafka.properties);
}

constexpr std::string_view description =
    "Ships the change log of a PostgreSQL database to Kafka, in commit order, without loss.\n"
    "Needs extension waybill in the database. Every setting can stand in the file (--config), in the environment\n"
    "(WAYBILL_<SECTION>_<KEY>), or in a flag; the flag wins, then the environment, then the file.";

constexpr std::string_view footer =
    "Exit codes: 0 done or asked to end, 1 something failed, 2 the configuration is wrong.\n"
    "Example: waybill-shipper --conninfo 'dbname=shop user=waybill' --prefix shop --bootstrap-servers 127.0.0.1:9092";

} // namespace

Options read_options(const std::vector<std::string> &arguments, const std::map<std::string, std::string> &environment) {
    CLI::App app{std::string(description), "waybill-shipper"};
    app.footer(std::string(footer));
    app.set_version_flag("--version", "waybill-shipper " + std::string(version));
    app.set_help_flag("-h,--help", "print this and exit");
    app.require_subcommand(0, 1);

    Options options;
    std::string file;
    std::vector<std::string> kafka;
    std::vector<std::string> topic_config;
    std::string bootstrap_servers;
    std::map<std::string_view, std::string> flags;
    app.add_option("-c,--config", file, "TOML file; see waybill.toml.example (WAYBILL_CONFIG)")->option_text("FILE");
    app.add_flag("--once", options.pump.once, "ship all that is committed now, then exit");
    app.add_option("--bootstrap-servers", bootstrap_servers, "Kafka's brokers: kafka.bootstrap.servers; required")
        ->option_text("HOST:PORT,…");
    app.add_option("--kafka", kafka, "a property of librdkafka; may be given several times")
        ->option_text("NAME=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--topic-config", topic_config, "a configuration of created topics; may be given several times")
        ->option_text("NAME=VALUE")
        ->take_all()
        ->allow_extra_args(false);
    for (const Setting &setting : settings) {
        auto *const option = app.add_option(std::string(setting.flag), flags[setting.key], std::string(setting.help));
        if (setting.kind == Kind::boolean)
            option->expected(0, 1)->default_str("true")->option_text("[true|false]");
        else
            option->option_text(setting.kind == Kind::integer ? "N" : "TEXT");
    }
    auto *const run = app.add_subcommand("run", "ship until asked to end (what happens without a command)");
    auto *const check = app.add_subcommand("check", "try out configuration, connections, privileges and topics");
    auto *const status = app.add_subcommand("status", "show the stream's backlog");
    for (CLI::App *const command : {run, check, status}) command->fallthrough();

    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend())); // CLI11 takes them from the end
    } catch (const CLI::CallForHelp &) {
        throw HelpWanted{app.help()};
    } catch (const CLI::CallForVersion &) {
        throw HelpWanted{app.version() + "\n"};
    } catch (const CLI::ParseError &error) {
        throw ConfigError(std::string(error.what()) + "; waybill-shipper --help shows what is possible");
    }
    options.command = check->parsed() ? Command::check : status->parsed() ? Command::status : Command::run;

    if (file.empty()) file = value_or_empty(environment, "WAYBILL_CONFIG");
    if (!file.empty()) read_file(options, file);
    read_environment(options, environment);
    for (const Setting &setting : settings) {
        const std::string flag(setting.flag);
        if (app.count(flag) == 0) continue;
        const std::string &given = flags[setting.key];
        const bool bare = setting.kind == Kind::boolean && given.empty();
        set_from_text(options, setting, bare ? "true" : given, flag);
    }
    if (app.count("--bootstrap-servers") > 0) put(options.kafka.properties, "bootstrap.servers", bootstrap_servers);
    for (const std::string &pair : kafka) put_pair(options.kafka.properties, pair, "--kafka");
    for (const std::string &pair : topic_config) put_pair(options.kafka.topic_config, pair, "--topic-config");
    options.kafka.delivery_timeout = options.pump.once
                                         ? std::min(options.pump.delivery_timeout, options.pump.once_timeout)
                                         : options.pump.delivery_timeout;
    require_complete(options);
    return options;
}

std::string masked(const std::string &property, const std::string &value) {
    constexpr std::array<std::string_view, 6> secret_parts{"password", "secret", ".pem", "jaas", "token", "credential"};
    const bool secret = property == "sasl.oauthbearer.config" ||
                        std::any_of(secret_parts.begin(), secret_parts.end(),
                                    [&](std::string_view part) { return property.find(part) != std::string::npos; });
    return secret && property != "sasl.oauthbearer.token.endpoint.url" ? "****" : value;
}

std::vector<std::string> describe(const Options &options) {
    std::vector<std::string> lines{
        "database.conninfo=" + mask_conninfo(options.conninfo),
        "stream.name=" + options.stream,
        "stream.prefix=" + options.prefix,
        "stream.format=" + options.format,
        std::string("stream.schemas=") + (options.schemas ? "true" : "false"),
        std::string("stream.replace_null_with_default=") + (options.replace_null_with_default ? "true" : "false"),
        "stream.delivery=" + options.delivery,
        std::string("topics.create=") + (options.kafka.create_topics ? "true" : "false"),
        "topics.partitions=" + std::to_string(options.kafka.partitions),
        "topics.replication=" + std::to_string(options.kafka.replication),
        "limits.in_flight_messages=" + std::to_string(options.pump.in_flight_messages),
        "limits.in_flight_bytes=" + std::to_string(options.pump.in_flight_bytes),
        "limits.fetch_bytes=" + std::to_string(options.pump.fetch_bytes),
    };
    for (const auto &[name, value] : options.kafka.topic_config)
        lines.push_back("topics.config." + name + "=" + masked(name, value));
    for (const auto &[name, value] : options.kafka.properties)
        lines.push_back("kafka." + name + "=" + masked(name, value));
    return lines;
}

} // namespace waybill
