// The command line, and what the options made of all places have to fulfil together.
#include "options.hpp"

#include "errors.hpp"
#include "settings.hpp"
#include "version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

namespace waybill {

namespace {

// The two sides of "name=value".
std::pair<std::string, std::string> split_pair(const std::string &pair, const std::string &where) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) throw ConfigError(where + " needs the form name=value");
    return {pair.substr(0, equals), pair.substr(equals + 1)};
}

std::string value_or_empty(const std::map<std::string, std::string> &values, const std::string &name) {
    const auto found = values.find(name);
    return found == values.end() ? "" : found->second;
}

void require_complete(const Options &options) {
    if (options.command == Command::status) return;
    if (options.format_options.prefix.empty())
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
    // Says what is wrong with a pattern or a format's own setting before anything is connected.
    static_cast<void>(make_format(options.format, {}, options.format_options));
}

// What Debezium does unless it is told otherwise.
Draft with_defaults_of_debezium() {
    Draft draft;
    draft.options.format_options.replace_null_with_default = true;
    draft.options.format_options.extended_headers = true;
    draft.options.format_options.skip_operations = "t";
    return draft;
}

// How long librdkafka lets a message wait for company.
std::chrono::milliseconds linger(const Properties &properties) {
    double linger_ms = 0;
    for (const auto &[name, value] : properties)
        if (name == "linger.ms" || name == "queue.buffering.max.ms") linger_ms = std::strtod(value.c_str(), nullptr);
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(linger_ms, 0.0, 900'000.0)));
}

constexpr std::string_view description =
    "Ships the change log of a PostgreSQL database to Kafka, in commit order, without loss.\n"
    "Needs extension waybill in the database. Every setting can stand in the file (--config), in the environment\n"
    "(WAYBILL_<SECTION>_<KEY>), or in a flag; the flag wins, then the environment, then the file.";

constexpr std::string_view footer =
    "Exit codes: 0 done or asked to end, 1 something failed, 2 the configuration is wrong.\n"
    "Example: waybill-shipper --conninfo 'dbname=shop user=waybill' --prefix shop --bootstrap-servers 127.0.0.1:9092";

struct Flags {
    std::string file;
    std::string bootstrap_servers;
    std::vector<std::string> kafka;
    std::vector<std::string> topic_config;
    std::vector<std::string> format_settings;
    std::map<std::string_view, std::vector<std::string>> settings; // by key
};

void add_pairs(CLI::App &app, const std::string &flag, std::vector<std::string> &pairs, const std::string &help) {
    app.add_option(flag, pairs, help + "; may be given several times")
        ->option_text("NAME=VALUE")
        ->take_all()
        ->allow_extra_args(false);
}

void add_setting(CLI::App &app, const Setting &setting, std::vector<std::string> &values) {
    auto *const option = app.add_option(std::string(setting.flag), values, std::string(setting.help));
    option->group("[" + std::string(setting.key.substr(0, setting.key.find('.'))) + "]")->allow_extra_args(false);
    switch (setting.kind) {
    case Setting::Kind::text: option->expected(1)->option_text("TEXT"); break;
    case Setting::Kind::integer: option->expected(1)->option_text("N"); break;
    case Setting::Kind::boolean: option->expected(0, 1)->default_str("true")->option_text("[true|false]"); break;
    case Setting::Kind::list: option->take_all()->option_text("TEXT"); break;
    }
    if (setting.kind != Setting::Kind::list) option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

void read_flags(Draft &draft, const CLI::App &app, const Flags &flags) {
    for (const Setting &setting : all_settings()) {
        const std::string flag(setting.flag);
        if (app.count(flag) > 0) setting.set(draft.options, flags.settings.at(setting.key), flag);
    }
    if (app.count("--bootstrap-servers") > 0)
        put(draft.options.kafka.properties, "bootstrap.servers", flags.bootstrap_servers);
    for (const std::string &pair : flags.kafka) {
        const auto [name, value] = split_pair(pair, "--kafka");
        put(draft.options.kafka.properties, name, value);
    }
    for (const std::string &pair : flags.topic_config) {
        const auto [name, value] = split_pair(pair, "--topic-config");
        put(draft.options.kafka.topic_config, name, value);
    }
    for (const std::string &pair : flags.format_settings) {
        const auto [name, value] = split_pair(pair, "--format-setting");
        draft.format_sections[draft.options.format][name] = value;
    }
}

} // namespace

Options read_options(const std::vector<std::string> &arguments, const std::map<std::string, std::string> &environment) {
    CLI::App app{std::string(description), "waybill-shipper"};
    app.footer(std::string(footer));
    app.set_version_flag("--version", "waybill-shipper " + std::string(version) + ", " + library());
    app.set_help_flag("-h,--help", "print this and exit");
    app.require_subcommand(0, 1);

    Flags flags;
    app.add_option("-c,--config", flags.file, "TOML file; see waybill.toml.example (WAYBILL_CONFIG)")
        ->option_text("FILE");
    bool once = false;
    app.add_flag("--once", once, "ship all that is committed now, then exit");
    app.add_option("--bootstrap-servers", flags.bootstrap_servers, "Kafka's brokers: kafka.bootstrap.servers; required")
        ->option_text("HOST:PORT,…");
    add_pairs(app, "--kafka", flags.kafka, "a property of librdkafka");
    add_pairs(app, "--topic-config", flags.topic_config, "a configuration of created topics");
    add_pairs(app, "--format-setting", flags.format_settings, "a setting of the format's own section");
    for (const Setting &setting : all_settings()) add_setting(app, setting, flags.settings[setting.key]);
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

    const std::string file = flags.file.empty() ? value_or_empty(environment, "WAYBILL_CONFIG") : flags.file;
    const auto read = [&](Draft draft) {
        if (!file.empty()) {
            read_file(draft, file);
            draft.options.file = file;
            draft.options.file_holds_secret = holds_secret(draft.options); // there is nothing else yet
        }
        read_environment(draft, environment);
        read_flags(draft, app, flags);
        return draft;
    };
    Draft draft = read({});
    // Its defaults give way to what is set anywhere.
    if (draft.options.format_options.types.compatibility == Compatibility::debezium_3_7)
        draft = read(with_defaults_of_debezium());
    Options &options = draft.options;
    options.command = check->parsed() ? Command::check : status->parsed() ? Command::status : Command::run;
    options.pump.once = once;
    options.format_options.settings = draft.format_sections[options.format];
    options.format_options.heartbeats = options.pump.heartbeat_interval.count() > 0;
    options.kafka.delivery_timeout = options.pump.once
                                         ? std::min(options.pump.delivery_timeout, options.pump.once_timeout)
                                         : options.pump.delivery_timeout;
    options.pump.stall_notice += linger(options.kafka.properties); // which is no stall
    require_complete(options);
    return std::move(options);
}

std::string masked(const std::string &property, const std::string &value) {
    constexpr std::array<std::string_view, 7> secret_parts{"password", "passphrase", "secret",    ".pem",
                                                           "jaas",     "token",      "credential"};
    const bool secret = property == "sasl.oauthbearer.config" ||
                        std::any_of(secret_parts.begin(), secret_parts.end(),
                                    [&](std::string_view part) { return property.find(part) != std::string::npos; });
    return secret && property != "sasl.oauthbearer.token.endpoint.url" ? "****" : value;
}

bool holds_secret(const Options &options) {
    const auto is_secret = [](const auto &one) { return masked(one.first, one.second) != one.second; };
    return mask_conninfo(options.conninfo).find("****") != std::string::npos ||
           !options.format_options.shaping.hash.empty() ||
           std::any_of(options.kafka.properties.begin(), options.kafka.properties.end(), is_secret);
}

std::vector<std::string> describe(const Options &options) {
    std::vector<std::string> lines;
    for (const Setting &setting : all_settings())
        lines.push_back(std::string(setting.key) + "=" + setting.show(options));
    for (const auto &[name, value] : options.format_options.settings)
        lines.push_back(options.format + "." + name + "=" + value);
    for (const auto &[name, value] : options.kafka.topic_config)
        lines.push_back("topics.config." + name + "=" + masked(name, value));
    for (const auto &[name, value] : options.kafka.properties)
        lines.push_back("kafka." + name + "=" + masked(name, value));
    return lines;
}

} // namespace waybill
