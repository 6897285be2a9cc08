#include "options.hpp"

#include "errors.hpp"
#include "kafka_properties.hpp"
#include "settings.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace waybill {
namespace {

using Environment = std::map<std::string, std::string>;

class OptionsTest : public testing::Test {
protected:
    OptionsTest() {
        std::string name = testing::TempDir() + "waybill_options_XXXXXX";
        const int fd = mkstemp(name.data());
        EXPECT_GE(fd, 0);
        close(fd);
        file_ = name;
    }
    ~OptionsTest() override { std::remove(file_.c_str()); }

    OptionsTest(const OptionsTest &) = delete;
    OptionsTest &operator=(const OptionsTest &) = delete;

    // Options of a file with `toml`, complete with what is required.
    Options read(const std::string &toml, std::vector<std::string> flags = {}, const Environment &environment = {}) {
        std::ofstream(file_) << toml;
        flags.insert(flags.end(), {"--config", file_});
        if (toml.find("\nprefix = ") == std::string::npos && toml.find(" prefix = ") == std::string::npos)
            flags.insert(flags.end(), {"--prefix", "shop"});
        if (toml.find("bootstrap") == std::string::npos) flags.insert(flags.end(), {"--bootstrap-servers", "broker:1"});
        return read_options(flags, environment);
    }

    std::string error(const std::string &toml, const std::vector<std::string> &flags = {},
                      const Environment &environment = {}) {
        try {
            read(toml, flags, environment);
        } catch (const ConfigError &error) {
            EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "an error is one line";
            return error.what();
        }
        return "no error";
    }

    std::string file_;
};

std::string property(const Options &options, const std::string &name) {
    for (const auto &[key, value] : options.kafka.properties)
        if (key == name) return value;
    return "";
}

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

TEST_F(OptionsTest, ReadsEverySectionOfTheFile) {
    const Options options = read(R"(
        [database]
        conninfo = "host=db dbname=shop"
        [stream]
        name = "audit"
        prefix = "acme"
        schemas = true
        replace_null_with_default = true
        [topics]
        create = false
        partitions = 6
        replication = 3
        config = { "cleanup.policy" = "compact", "retention.ms" = 1000 }
        [kafka]
        "bootstrap.servers" = "one:1,two:2"
        "linger.ms" = 3
        "socket.keepalive.enable" = true
        [limits]
        fetch_bytes = 65536
        [log]
        level = "debug"
        format = "json"
    )");
    EXPECT_EQ(options.conninfo, "host=db dbname=shop");
    EXPECT_EQ(options.stream, "audit");
    EXPECT_EQ(options.format_options.prefix, "acme");
    EXPECT_TRUE(options.format_options.schemas);
    EXPECT_TRUE(options.format_options.replace_null_with_default);
    EXPECT_FALSE(options.kafka.create_topics);
    EXPECT_EQ(options.kafka.partitions, 6);
    EXPECT_EQ(options.kafka.replication, 3);
    EXPECT_EQ(options.kafka.topic_config, (Properties{{"cleanup.policy", "compact"}, {"retention.ms", "1000"}}));
    EXPECT_EQ(property(options, "bootstrap.servers"), "one:1,two:2");
    EXPECT_EQ(property(options, "linger.ms"), "3");
    EXPECT_EQ(property(options, "socket.keepalive.enable"), "true");
    EXPECT_EQ(options.pump.fetch_bytes, 65536);
    EXPECT_EQ(options.log_level, LogLevel::debug);
    EXPECT_EQ(options.log_format, LogFormat::json);
}

TEST_F(OptionsTest, TakesDebeziumsDefaultsWhereNothingElseIsSet) {
    const Options options = read(R"(
        [stream]
        prefix = "shop"
        compatibility = "debezium-3.7"
        extended_headers = false
        [kafka]
        "bootstrap.servers" = "one:1"
    )");
    EXPECT_EQ(options.format_options.types.compatibility, Compatibility::debezium_3_7);
    EXPECT_TRUE(options.format_options.replace_null_with_default);
    EXPECT_EQ(options.format_options.skip_operations, "t");
    EXPECT_FALSE(options.format_options.extended_headers);
}

TEST_F(OptionsTest, ReadsWhatShapesThePublication) {
    const Options options = read(R"(
        [stream]
        prefix = "shop"
        [tables]
        include = ["public\\..*", "audit\\..*"]
        exclude = 'public\.secret.*'
        key = ['public\.orders=customer,nr']
        [columns]
        include = ['public\..*']
        exclude = ['.*\.password']
        mask = ['.*\.phone=***']
        hash = ['.*\.email=pepper']
        truncate = ['.*\.note=20']
        [topics]
        name = "{prefix}.{table}"
        routes = ['public\.(.*)_\d+={prefix}.$1']
    )");
    using Texts = std::vector<std::string>;
    EXPECT_EQ(options.format_options.shaping.include_tables, (Texts{"public\\..*", "audit\\..*"}));
    EXPECT_EQ(options.format_options.shaping.exclude_tables, Texts{"public\\.secret.*"});
    EXPECT_EQ(options.format_options.shaping.keys, Texts{"public\\.orders=customer,nr"});
    EXPECT_EQ(options.format_options.shaping.include_columns, Texts{"public\\..*"});
    EXPECT_EQ(options.format_options.shaping.exclude_columns, Texts{".*\\.password"});
    EXPECT_EQ(options.format_options.shaping.mask, Texts{".*\\.phone=***"});
    EXPECT_EQ(options.format_options.shaping.hash, Texts{".*\\.email=pepper"});
    EXPECT_EQ(options.format_options.shaping.truncate, Texts{".*\\.note=20"});
    EXPECT_EQ(options.format_options.shaping.topic, "{prefix}.{table}");
    EXPECT_EQ(options.format_options.shaping.routes, Texts{"public\\.(.*)_\\d+={prefix}.$1"});
}

TEST_F(OptionsTest, ReadsWhatIsPublishedOfAChange) {
    const FormatOptions defaults = read("").format_options;
    EXPECT_EQ(defaults.before, BeforeImage::full);
    EXPECT_TRUE(defaults.tombstones);
    EXPECT_FALSE(defaults.transaction_metadata);
    EXPECT_FALSE(defaults.skip_unchanged_updates);
    EXPECT_EQ(defaults.skip_operations, "");
    EXPECT_FALSE(defaults.heartbeats);
    const Options options = read(R"(
        [stream]
        prefix = "shop"
        before = "key"
        tombstones = false
        transaction_metadata = true
        skip_unchanged_updates = true
        skip_operations = ["t", "d"]
        heartbeat_interval_ms = 5000
    )");
    EXPECT_EQ(options.format_options.before, BeforeImage::key);
    EXPECT_FALSE(options.format_options.tombstones);
    EXPECT_TRUE(options.format_options.transaction_metadata);
    EXPECT_TRUE(options.format_options.skip_unchanged_updates);
    EXPECT_EQ(options.format_options.skip_operations, "td");
    EXPECT_TRUE(options.format_options.heartbeats);
    EXPECT_EQ(options.pump.heartbeat_interval, std::chrono::seconds(5));
    EXPECT_EQ(error("", {"--before", "all"}), "--before = \"all\" is not supported; possible: \"full\", \"key\"");
    EXPECT_EQ(error("", {"--skip-operations", "tu"}),
              "--skip-operations = \"tu\" is not supported; possible: \"c\", \"u\", \"d\", \"t\"");
}

TEST_F(OptionsTest, ReadsHowTypesArePublished) {
    const TypeOptions types = read(R"(
        [types]
        decimal = "string"
        time = "connect"
        binary = "hex"
        interval = "string"
        hstore = "map"
        money_fraction_digits = 0
        as_text = ["box", "geometry.*"]
    )")
                                  .format_options.types;
    EXPECT_EQ(types.decimal, DecimalMode::as_string);
    EXPECT_EQ(types.time, TimeMode::connect);
    EXPECT_EQ(types.binary, BinaryMode::hex);
    EXPECT_EQ(types.interval, IntervalMode::as_string);
    EXPECT_EQ(types.hstore, HstoreMode::map);
    EXPECT_EQ(types.money_fraction_digits, 0);
    EXPECT_TRUE(any_matches(types.as_text, "geometry(Point,4326)"));
    EXPECT_EQ(error("", {"--types-hstore", "jsonb"}),
              "--types-hstore = \"jsonb\" is not supported; possible: \"json\", \"map\"");
    EXPECT_EQ(error("", {"--types-as-text", "a("}),
              "--types-as-text: \"a(\" is not a regular expression: missing ): a(");
}

TEST_F(OptionsTest, TakesAListFromAllPlaces) {
    using Texts = std::vector<std::string>;
    const std::string toml = "[tables]\ninclude = ['a', 'b']\n";
    const Environment environment{{"WAYBILL_TABLES_INCLUDE", "c;d;"}};
    EXPECT_EQ(read("").format_options.shaping.include_tables, Texts{});
    EXPECT_EQ(read(toml).format_options.shaping.include_tables, (Texts{"a", "b"}));
    EXPECT_EQ(read(toml, {}, environment).format_options.shaping.include_tables, (Texts{"c", "d"}));
    EXPECT_EQ(read(toml, {}, {{"WAYBILL_TABLES_INCLUDE", ""}}).format_options.shaping.include_tables, Texts{});
    EXPECT_EQ(read(toml, {"--tables-include", "[ef]", "--tables-include", "f,g"}, environment)
                  .format_options.shaping.include_tables,
              (Texts{"[ef]", "f,g"}));
    EXPECT_TRUE(contains(error("[tables]\ninclude = 1\n"), "tables.include must be an array of strings, not a number"));
    EXPECT_TRUE(contains(error("[tables]\ninclude = ['a', 1]\n"),
                         "tables.include must be an array of strings, but has a number in it"));
}

TEST_F(OptionsTest, SaysWhatIsWrongWithAPatternAtOnce) {
    EXPECT_EQ(error("[tables]\ninclude = ['a(']\n"),
              "tables.include: \"a(\" is not a regular expression: missing ): a(");
    EXPECT_EQ(error("", {"--columns-hash", "a:pepper"}), "columns.hash: a rule needs the form PATTERN=SALT");
    EXPECT_EQ(error("[topics]\nname = '{shema}'\n"), "topics.name: \"{shema}\" has the unknown placeholder {shema}; "
                                                     "possible: {prefix}, {database}, {schema}, {table}");
}

TEST_F(OptionsTest, HandsAFormatItsOwnSection) {
    using Settings = std::map<std::string, std::string>;
    const std::string toml =
        "[maxwell]\nkey = 'array'\n[flattened]\ndeletes = 'drop'\nadd_fields_prefix = 3\nadd_headers_prefix = true\n";
    EXPECT_EQ(read(toml).format_options.settings, Settings{});
    EXPECT_EQ(read(toml, {"--format", "maxwell"}).format_options.settings, (Settings{{"key", "array"}}));
    EXPECT_EQ(read(toml, {"--format", "flattened", "--format-setting", "add_fields_prefix=4"},
                   {{"WAYBILL_FLATTENED_DELETES", "rewrite"}, {"WAYBILL_FLATTENED_ADD_FIELDS", "op,table"}})
                  .format_options.settings,
              (Settings{{"deletes", "rewrite"},
                        {"add_fields", "op,table"},
                        {"add_fields_prefix", "4"},
                        {"add_headers_prefix", "true"}}));
    EXPECT_TRUE(contains(error("[maxwell]\nkey = ['array']\n"),
                         "maxwell.key must be a string, a number or a boolean, not an array"));
    EXPECT_EQ(error("", {"--format-setting", "key"}), "--format-setting needs the form name=value");
    EXPECT_TRUE(contains(error("[maxwell]\nkey = 'set'\n", {"--format", "maxwell"}), "maxwell.key"));
    EXPECT_TRUE(contains(error("[flattened]\ndelete = 'drop'\n", {"--format", "flattened"}), "flattened.deletes?"));
}

TEST_F(OptionsTest, TakesTheFlagBeforeTheEnvironmentBeforeTheFileBeforeTheDefault) {
    const std::string toml = "[stream]\nprefix = \"p\"\nname = \"file\"\n";
    const Environment environment{{"WAYBILL_STREAM_NAME", "environment"}};
    EXPECT_EQ(read("").stream, "default");
    EXPECT_EQ(read(toml).stream, "file");
    EXPECT_EQ(read(toml, {}, environment).stream, "environment");
    EXPECT_EQ(read(toml, {"--stream", "flag"}, environment).stream, "flag");
}

TEST_F(OptionsTest, TakesPropertiesOfKafkaFromTheEnvironmentAndFromFlags) {
    const std::string toml = "[kafka]\n\"bootstrap.servers\" = \"file:1\"\n\"linger.ms\" = 1\n";
    const Options options = read(toml, {"--kafka", "linger.ms=3"},
                                 {{"WAYBILL_KAFKA_BOOTSTRAP_SERVERS", "env:1"}, {"WAYBILL_KAFKA_LINGER_MS", "2"}});
    EXPECT_EQ(property(options, "bootstrap.servers"), "env:1");
    EXPECT_EQ(property(options, "linger.ms"), "3");
}

TEST_F(OptionsTest, ReadsAnUnquotedPropertyWithDots) {
    EXPECT_EQ(property(read("[kafka]\nbootstrap.servers = \"one:1\"\n"), "bootstrap.servers"), "one:1");
}

TEST_F(OptionsTest, NamesTheFileAndTheNearestKeyOfAnUnknownOne) {
    const std::string message = error("[stream]\nprefx = \"p\"\n");
    EXPECT_TRUE(contains(message, file_)) << message;
    EXPECT_TRUE(contains(message, "stream.prefx")) << message;
    EXPECT_TRUE(contains(message, "stream.prefix?")) << message;
}

TEST_F(OptionsTest, NamesTheNearestSectionOfAnUnknownOne) {
    EXPECT_TRUE(contains(error("[topic]\n"), "[topics]"));
    EXPECT_TRUE(contains(error("[maxwel]\n"), "[maxwell]"));
    EXPECT_TRUE(contains(error("name = 1\n"), "name is not a section"));
    EXPECT_TRUE(contains(error("stream = 1\n"), "stream must be a section: write [stream]"));
}

TEST_F(OptionsTest, RefusesAnUnknownVariableAndPropertyToo) {
    EXPECT_TRUE(contains(error("", {}, {{"WAYBILL_STREAM_NAM", "x"}}), "stream.name?"));
    const std::string message = error("[kafka]\n\"bootstrap.servers\" = \"b:1\"\n\"linger.m\" = 1\n");
    EXPECT_TRUE(contains(message, "linger.m is not a property")) << message;
    EXPECT_TRUE(contains(message, "\"linger.ms\"")) << message;
    EXPECT_EQ(contains(message, "make RDKAFKA=bundled shipper"), contains(library(), "system")) << message;
}

TEST_F(OptionsTest, LeavesVariablesOfOthersAlone) {
    EXPECT_EQ(read("", {}, {{"WAYBILL_TEST_DIRECTORY", "x"}, {"PGHOST", "y"}}).stream, "default");
}

TEST_F(OptionsTest, RefusesAValueOfTheWrongTypeOrRange) {
    EXPECT_TRUE(contains(error("[topics]\npartitions = \"many\"\n"), "must be a number"));
    EXPECT_TRUE(contains(error("[topics]\npartitions = 0\n"), "out of range"));
    EXPECT_TRUE(contains(error("[topics]\ncreate = 1\n"), "must be true or false"));
    EXPECT_TRUE(contains(error("", {}, {{"WAYBILL_TOPICS_PARTITIONS", "6x"}}), "must be a number"));
    EXPECT_TRUE(contains(error("", {"--partitions", "99999999999999999999"}), "out of range; possible: 1 to 100000"));
    EXPECT_TRUE(contains(error("", {"--create-topics", "yes"}), "--create-topics = \"yes\" must be true or false"));
    EXPECT_TRUE(
        contains(error("[log]\nlevel = 'loud'\n"),
                 "log.level = \"loud\" is not supported; possible: \"debug\", \"info\", \"warning\", \"error\""));
    EXPECT_TRUE(contains(error("[stream]\nprefix = \"a b\"\n"), "topic's name"));
    EXPECT_TRUE(contains(error("[database]\nconninfo = \"nonsense secret\"\n"), "connection string"));
    EXPECT_FALSE(contains(error("[database]\nconninfo = \"nonsense secret\"\n"), "secret"));
}

TEST_F(OptionsTest, TellsWhatIsSupportedWhenSomethingIsNot) {
    EXPECT_TRUE(contains(error("[stream]\nformat = \"avro\"\n"), "\"debezium\""));
    EXPECT_TRUE(contains(error("[stream]\ndelivery = \"exactly_once\"\n"), "\"at_least_once\""));
}

TEST_F(OptionsTest, TellsTheLineOfAFileThatIsNoToml) {
    EXPECT_TRUE(contains(error("[stream]\nname = \n"), "line 2"));
    EXPECT_TRUE(contains(error("[[;"), "it is not TOML"));
    EXPECT_TRUE(
        contains(error("# ä\n[stream]\nnäme = 'ä'\n"), "line 3: a character outside of quotes that is not ASCII"));
    EXPECT_EQ(error("\xef\xbb\xbf# ä\n[stream]\nname = 'ä'\n"), "no error");
}

TEST_F(OptionsTest, RefusesAFileThatWouldUseUpTheStack) {
    const auto repeat = [](const std::string &text, std::size_t times) {
        std::string all;
        for (std::size_t i = 0; i < times; ++i) all += text;
        return all;
    };
    constexpr std::size_t many = 200'000;
    const std::string dots = "more than 32 dots in keys";
    const std::string brackets = "more than 32 open brackets";
    // Keys of many parts, in every place that has keys, with every kind of part.
    EXPECT_TRUE(contains(error("[kafka]\na" + repeat(".a", many) + " = 1\n"), "line 2: " + dots));
    EXPECT_TRUE(contains(error("[kafka" + repeat(".a", many) + "]\n"), "line 1: " + dots));
    EXPECT_TRUE(contains(error("[kafka]\n'a'" + repeat(" . \"a\"", many / 3) + " = 1\n"), "line 2: " + dots));
    EXPECT_TRUE(contains(error("kafka = { a" + repeat(".a", many) + " = 1 }\n"), "line 1: " + dots));
    // Brackets in brackets, with their keys between them.
    EXPECT_TRUE(contains(error("[tables]\ninclude = " + repeat("[", many)), "line 2: " + brackets));
    EXPECT_TRUE(contains(error("kafka = " + repeat("{ a = ", many / 2)), "line 1: " + brackets));
    EXPECT_TRUE(contains(error("kafka = " + repeat("[\n{ a.a.a = ", many / 4)), "line 17: " + brackets));
    // A string hides nothing but what is in it.
    const std::string strings = "a = \"\\\"\" # \"\nb = '''\n''''\nc = '\\'\nd = \"\"\"\\\"\"\"\"\n";
    EXPECT_TRUE(contains(error("[kafka]\n" + strings + "a" + repeat(".a", many) + " = 1\n"), "line 7: " + dots));
    EXPECT_TRUE(contains(error(std::string(2 << 20, '#')), "more than 1048576 bytes"));
    // What people have.
    const std::string pattern = "'" + repeat("[a.b]{1}", 100) + "',\n";
    EXPECT_EQ(error("[tables] # " + repeat("[.", 100) + "\ninclude = [\n" + repeat(pattern, 1000) + "]\n"), "no error");
    EXPECT_EQ(error("[tables]\ninclude = \"\"\"\\\n" + repeat("[.]", 100) + "\"\"\"\n"), "no error");
}

TEST_F(OptionsTest, SaysWhichFileItCouldNotRead) {
    const auto error_of = [](const std::string &file) -> std::string {
        try {
            static_cast<void>(read_options({"--config", file}, {}));
        } catch (const ConfigError &error) {
            return error.what();
        }
        return "no error";
    };
    EXPECT_EQ(error_of("/no/such/file"), "could not read /no/such/file: No such file or directory");
    EXPECT_EQ(error_of("/"), "could not read /: Is a directory");
    EXPECT_EQ(error_of("/dev/zero"), "could not read /dev/zero: it has more than 1048576 bytes; no configuration needs "
                                     "so many");
}

TEST_F(OptionsTest, DoesNotTakeAMessageThatWaitsForCompanyForAStall) {
    const std::chrono::milliseconds usual = read("").pump.stall_notice;
    EXPECT_EQ(read("", {"--kafka", "linger.ms=20000"}).pump.stall_notice, usual + std::chrono::seconds(20));
    EXPECT_EQ(read("", {"--kafka", "queue.buffering.max.ms=0.5"}).pump.stall_notice, usual);
}

TEST_F(OptionsTest, RefusesPropertiesThatLoadCode) {
    EXPECT_EQ(error("[kafka]\n\"plugin.library.paths\" = \"/tmp/evil.so\"\n"),
              "kafka.plugin.library.paths = \"/tmp/evil.so\" is not possible: it loads other code into the shipper; "
              "leave it out");
    EXPECT_TRUE(contains(error("", {}, {{"WAYBILL_KAFKA_PLUGIN_LIBRARY_PATHS", "evil"}}), "loads other code"));
}

TEST_F(OptionsTest, RefusesPropertiesThatWouldBreakThePromises) {
    for (const char *const pair :
         {"acks=1", "request.required.acks=0", "enable.idempotence=false", "message.timeout.ms=1000",
          "delivery.timeout.ms=1000", "enable.gapless.guarantee=false", "partitioner=random",
          "delivery.report.only.error=true", "transactional.id=x", "queuing.strategy=lifo"})
        EXPECT_TRUE(contains(error("", {"--kafka", pair}), "is not possible")) << pair;
    EXPECT_EQ(error("", {"--kafka", "acks=-1", "--kafka", "partitioner=consistent"}), "no error");
}

TEST_F(OptionsTest, WantsAPrefixAndBrokersButNotForStatus) {
    EXPECT_THROW(static_cast<void>(read_options({"--bootstrap-servers", "b:1"}, {})), ConfigError);
    EXPECT_THROW(static_cast<void>(read_options({"--prefix", "p"}, {})), ConfigError);
    EXPECT_EQ(read_options({"status"}, {}).command, Command::status);
}

TEST_F(OptionsTest, TakesFlagsBeforeAndBehindTheCommand) {
    const std::vector<std::string> required{"--prefix", "p", "--bootstrap-servers", "b:1"};
    std::vector<std::string> before{"check"};
    before.insert(before.end(), required.begin(), required.end());
    std::vector<std::string> behind = required;
    behind.emplace_back("check");
    EXPECT_EQ(read_options(before, {}).command, Command::check);
    EXPECT_EQ(read_options(behind, {}).command, Command::check);
    EXPECT_EQ(read_options(required, {}).command, Command::run);
}

TEST_F(OptionsTest, TakesABareFlagAsTrue) {
    EXPECT_TRUE(read("", {"--schemas"}).format_options.schemas);
    EXPECT_FALSE(read("[stream]\nprefix = \"p\"\nschemas = true\n", {"--schemas", "false"}).format_options.schemas);
}

TEST_F(OptionsTest, RefusesASettingGivenTwice) {
    EXPECT_TRUE(contains(error("", {"--stream", "a", "--stream", "b"}), "--stream"));
}

TEST_F(OptionsTest, DescribesAllSettings) {
    const Options options = read("[tables]\ninclude = ['a', 'b']\n",
                                 {"--format", "maxwell", "--format-setting", "key=array", "--types-as-text", "box",
                                  "--types-as-text", "path", "--skip-operations", "u", "--skip-operations", "t"});
    const std::vector<std::string> lines = describe(options);
    const auto describes = [&](const std::string &line) {
        return std::find(lines.begin(), lines.end(), line) != lines.end();
    };
    EXPECT_TRUE(describes("stream.name=default"));
    EXPECT_TRUE(describes("stream.schemas=false"));
    EXPECT_TRUE(describes("tables.include=a;b"));
    EXPECT_TRUE(describes("stream.before=full"));
    EXPECT_TRUE(describes("stream.skip_operations=u;t"));
    EXPECT_TRUE(describes("stream.heartbeat_interval_ms=0"));
    EXPECT_TRUE(describes("types.time=adaptive"));
    EXPECT_TRUE(describes("types.as_text=box;path"));
    EXPECT_TRUE(describes("topics.name={prefix}.{schema}.{table}"));
    EXPECT_TRUE(describes("limits.fetch_bytes=4194304"));
    EXPECT_TRUE(describes("limits.once_timeout_ms=60000"));
    EXPECT_TRUE(describes("log.level=info"));
    EXPECT_TRUE(describes("maxwell.key=array"));
    for (const Setting &setting : all_settings())
        EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const std::string &line) {
            return line.starts_with(std::string(setting.key) + "=");
        })) << setting.key;
}

TEST_F(OptionsTest, HidesSecretsWhenItDescribesItself) {
    const Options options =
        read("[columns]\nhash = ['.*\\.email=hunter2', '.*\\.phone=hunter2']\n[database]\nconninfo = \"host=db "
             "password=hunter2 sslpassword=hunter2\"\n",
             {"--kafka", "sasl.password=hunter2", "--kafka", "ssl.key.password=hunter2", "--kafka", "linger.ms=7"});
    bool shows_the_rest = false;
    bool shows_patterns = false;
    for (const std::string &line : describe(options)) {
        EXPECT_FALSE(contains(line, "hunter2")) << line;
        shows_the_rest |= line == "kafka.linger.ms=7";
        shows_patterns |= line == "columns.hash=.*\\.email=****;.*\\.phone=****";
    }
    EXPECT_TRUE(shows_the_rest);
    EXPECT_TRUE(shows_patterns);
    EXPECT_EQ(masked("ssl.key.pem", "x"), "****");
    EXPECT_EQ(masked("ssl.certificate.pem", "x"), "****");
    EXPECT_EQ(masked("sasl.oauthbearer.assertion.private.key.passphrase", "x"), "****");
    EXPECT_EQ(masked("sasl.username", "x"), "x");
    EXPECT_FALSE(contains(mask_conninfo("postgresql://me:hunter2@db/shop"), "hunter2"));
}

TEST_F(OptionsTest, PrintsHelpAndVersion) {
    EXPECT_THROW(static_cast<void>(read_options({"--help"}, {})), HelpWanted);
    try {
        static_cast<void>(read_options({"--version"}, {}));
        FAIL() << "--version did nothing";
    } catch (const HelpWanted &wanted) {
        EXPECT_EQ(wanted.text, "waybill-shipper " WAYBILL_VERSION ", " + library() + "\n");
    }
}

class ExampleTest : public OptionsTest {
protected:
    ExampleTest() {
        std::ifstream stream("shipper/waybill.toml.example");
        EXPECT_TRUE(stream) << "run the tests from the project's top";
        text_.assign(std::istreambuf_iterator<char>(stream), {});
    }

    // The example with its commented settings as settings.
    [[nodiscard]] std::string with_comments() const {
        return std::regex_replace(text_, std::regex("(^|\n)# ?((\\w+|\"[^\"\n]+\") = )"), "$1$2");
    }

    std::string text_;
};

TEST_F(ExampleTest, IsReadAsItStands) {
    EXPECT_EQ(error(text_), "no error");
}

TEST_F(ExampleTest, IsReadWithTheSettingsInItsComments) {
    const std::string all = with_comments();
    EXPECT_EQ(error(all), "no error");
    for (const std::string_view format : format_names())
        EXPECT_EQ(error(all, {"--format", std::string(format)}), "no error") << format;
    for (const char *const line : {"\n\"cleanup.policy\" = ", "\nmask = ", "\n\"sasl.username\" = "})
        EXPECT_TRUE(contains(all, line)) << line;
}

TEST_F(ExampleTest, HasEverySetting) {
    const std::string all = with_comments();
    for (const Setting &setting : all_settings()) {
        const std::string key(setting.key);
        const std::size_t begin = all.find("\n[" + key.substr(0, key.find('.')) + "]");
        ASSERT_NE(begin, std::string::npos) << key;
        const std::string section = all.substr(begin, all.find("\n[", begin + 1) - begin);
        EXPECT_TRUE(contains(section, "\n" + key.substr(key.find('.') + 1) + " = ")) << key;
    }
    for (const std::string &section : section_names())
        if (section != "debezium") { // has no settings of its own
            EXPECT_TRUE(contains(all, "\n[" + section + "]")) << section;
        }
}

TEST_F(ExampleTest, HasTheDefaults) {
    const std::vector<std::string> defaults = describe(read(""));
    for (const std::string &line : describe(read(text_))) {
        const std::string key = line.substr(0, line.find('='));
        const bool is_example = key == "database.conninfo" || key == "stream.prefix" || key == "topics.partitions" ||
                                key == "topics.replication" || key.starts_with("kafka.");
        if (!is_example) {
            EXPECT_TRUE(std::find(defaults.begin(), defaults.end(), line) != defaults.end()) << line;
        }
    }
}

TEST(Version, ComparesNumbersNotTexts) {
    EXPECT_TRUE(is_older("1.9", "1.10"));
    EXPECT_TRUE(is_older("1.0", "1.0.1"));
    EXPECT_FALSE(is_older("1.0", "1.0"));
    EXPECT_FALSE(is_older("2.0", "1.10"));
}

TEST_F(OptionsTest, RefusesSaslWithoutAMechanism) {
    const std::string sasl = "[kafka]\n\"security.protocol\" = \"SASL_SSL\"\n";
    EXPECT_TRUE(contains(error(sasl), "kafka.\"sasl.mechanisms\" is not set")) << error(sasl);
    EXPECT_EQ(error(sasl + "\"sasl.mechanisms\" = \"PLAIN\"\n"), "no error");
    const std::string tokens = sasl + "\"sasl.mechanisms\" = \"OAUTHBEARER\"\n";
    EXPECT_TRUE(contains(error(tokens), "nothing says where tokens come from")) << error(tokens);
    EXPECT_EQ(error(tokens + "\"enable.sasl.oauthbearer.unsecure.jwt\" = true\n"), "no error");
    EXPECT_TRUE(contains(error(tokens + "\"sasl.oauthbearer.metadata.authentication.type\" = \"aws_iam\"\n"),
                         "leaves it to the program to make the token"));
    EXPECT_EQ(error(sasl + "\"sasl.mechanism\" = \"GSSAPI\"\n"), "no error");
    EXPECT_EQ(error("[kafka]\n\"security.protocol\" = \"SSL\"\n"), "no error");
}

TEST_F(OptionsTest, NamesAFileOfTlsThatItCannotRead) {
    const std::string tls = "[kafka]\n\"security.protocol\" = \"SSL\"\n";
    for (const std::string name : {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
                                   "ssl.keystore.location", "ssl.crl.location"}) {
        const std::string message = error(tls + '"' + name + "\" = \"/no/such/file.pem\"\n");
        EXPECT_TRUE(contains(message, "could not read /no/such/file.pem")) << message;
        EXPECT_TRUE(contains(message, name)) << message;
        EXPECT_TRUE(contains(message, "No such file")) << message;
    }
    EXPECT_EQ(error(tls + "\"ssl.ca.location\" = \"probe\"\n"), "no error");
    EXPECT_EQ(error("[kafka]\n\"ssl.ca.location\" = \"/no/such/file.pem\"\n"), "no error");
}

TEST_F(OptionsTest, KnowsWhetherTheFileHoldsASecret) {
    const auto holds = [&](const std::string &toml, const std::vector<std::string> &flags = {}) {
        return read(toml, flags).file_holds_secret;
    };
    EXPECT_TRUE(holds("[database]\nconninfo = \"host=a password=b\"\n"));
    EXPECT_TRUE(holds("[kafka]\n\"sasl.password\" = \"x\"\n"));
    EXPECT_TRUE(holds("[columns]\nhash = [\"a=b\"]\n"));
    EXPECT_FALSE(holds("[database]\nconninfo = \"host=a user=b\"\n"));
    EXPECT_FALSE(holds("", {"--conninfo", "password=b", "--kafka", "sasl.password=x"}));
}

} // namespace
} // namespace waybill
