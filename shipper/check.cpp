#include "check.hpp"

#include "check_configuration.hpp"
#include "check_tables.hpp"
#include "errors.hpp"
#include "kafka_inspector.hpp"
#include "kafka_properties.hpp"
#include "log_text.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace waybill {

namespace {

using Kind = Finding::Kind;

// The lines, and what they come to.
class Report {
public:
    // "ok    what", or what went wrong. Later steps may need the earlier ones.
    bool step(const std::string &what, const std::function<void()> &attempt) {
        if (!try_out(attempt)) return false;
        ok(what);
        return true;
    }

    // The same without a line when all is well.
    bool try_out(const std::function<void()> &attempt) {
        try {
            attempt();
        } catch (const Stopped &) {
            throw;
        } catch (const ConfigError &error) {
            add({Kind::wrong, error.what()});
            return false;
        } catch (const std::exception &error) {
            add({Kind::failure, error.what()});
            return false;
        }
        return true;
    }

    static void ok(const std::string &what) { write(stdout, "ok    ", what); }

    void add(const Finding &finding) {
        switch (finding.kind) {
        case Kind::advice: return write(stdout, "advice ", finding.text);
        case Kind::warning: return write(stderr, "warning ", finding.text);
        case Kind::failure: failed_ = true; break;
        case Kind::wrong: wrong_ = true; break;
        }
        write(stderr, "error ", finding.text);
    }

    void add(const std::vector<Finding> &findings) {
        for (const Finding &one : findings) add(one);
    }

    [[nodiscard]] int exit_code() const { return wrong_ ? 2 : failed_ ? 1 : 0; }

private:
    static void write(std::FILE *to, const char *kind, const std::string &text) {
        std::fprintf(to, "%s%s\n", kind, printable(text).c_str());
        std::fflush(to);
    }

    bool failed_ = false;
    bool wrong_ = false;
};

// What the database knows.
struct Captured {
    Stream stream;
    std::vector<Shape> tables;
    std::vector<Capture> captures;
    std::string publications; // of all tables
    std::int64_t last_shape = 0;
    std::vector<std::string> types; // of their columns
};

void use_captured_keys(Captured &captured) {
    std::map<std::uint32_t, const Capture *> captures;
    for (const Capture &one : captured.captures) captures[one.relation] = &one;
    for (Shape &table : captured.tables)
        if (const auto found = captures.find(table.relation); found != captures.end() && found->second->key)
            table.key = find_columns(table, *found->second->key).value_or(table.key);
}

bool check_database(const Options &options, Waiter &waiter, Log &log, Report &report, Captured &captured) {
    PgChangeLog change_log(options.conninfo, options.stream, waiter, log);
    if (!report.step("database connection", [&] { change_log.connect(); })) return false;
    report.add(check_connection(change_log.security()));
    return report.step("extension waybill", [&] { change_log.check_extension(); }) &&
           report.step("privileges", [&] { change_log.check_privileges(); }) &&
           report.step("stream \"" + options.stream + '"', [&] {
               captured.stream = change_log.find_stream();
               captured.tables = change_log.captured_tables();
               captured.captures = change_log.captures();
               captured.publications = change_log.publications_of_all_tables();
               captured.last_shape = change_log.last_shape();
               if (!options.format_options.types.as_text.empty()) captured.types = change_log.types();
               use_captured_keys(captured);
           });
}

// Topics that are there, and those that are not.
struct Topics {
    std::vector<std::string> existing;
    std::vector<std::string> absent;
};

void check_absent_topics(const Options &options, KafkaInspector &kafka, const Topics &topics, Report &report) {
    if (topics.absent.empty()) return;
    if (!options.kafka.create_topics) {
        for (const std::string &topic : topics.absent)
            report.add({Kind::failure, "topic \"" + topic +
                                           "\" does not exist and topics.create is false; create it, or set "
                                           "topics.create = true"});
        return;
    }
    std::map<std::string, std::string> reasons;
    if (!kafka.is_mock_cluster()) reasons = kafka.try_creating(topics.absent);
    for (const std::string &topic : topics.absent) {
        if (reasons[topic].empty())
            Report::ok("topic " + topic + " (will be created)");
        else
            report.add({Kind::failure, "topic \"" + topic + "\" cannot be created: " + reasons[topic]});
    }
    if (!kafka.is_mock_cluster())
        report.add({Kind::advice,
                    "whether the shipper may write to topics that will be created cannot be known yet; run "
                    "check again when they exist"});
}

void check_existing_topics(KafkaInspector &kafka, const Topics &topics, Report &report) {
    std::map<std::string, KafkaInspector::Writing> writing;
    if (!kafka.is_mock_cluster()) writing = kafka.try_writing(topics.existing);
    for (const std::string &topic : topics.existing) {
        switch (writing.contains(topic) ? writing[topic] : KafkaInspector::Writing::allowed) {
        case KafkaInspector::Writing::allowed: Report::ok("topic " + topic); break;
        case KafkaInspector::Writing::denied:
            report.add({Kind::failure, "the shipper may not write to topic \"" + topic +
                                           "\"; allow its Kafka user WRITE and DESCRIBE on it"});
            break;
        case KafkaInspector::Writing::unknown:
            report.add({Kind::advice, "whether the shipper may write to topic " + topic +
                                          " cannot be known from what the brokers answer"});
            break;
        }
    }
}

// What is known of the topics, also of those that will be created.
std::map<std::string, TopicFacts> describe(const Options &options, KafkaInspector &kafka, const Topics &topics,
                                           Report &report) {
    std::map<std::string, TopicFacts> facts;
    if (!kafka.is_mock_cluster()) facts = kafka.describe(topics.existing);
    for (const auto &[topic, known] : facts)
        if (!known.unknown_because.empty())
            report.add(
                {Kind::advice, "whether topic " + topic + " is compacted cannot be known: " + known.unknown_because +
                                   "; to have it checked, allow the shipper's Kafka user DESCRIBE_CONFIGS on it"});
    for (const std::string &topic : topics.absent) {
        TopicFacts &fact = facts[topic];
        if (options.kafka.replication > 0) fact.replicas = options.kafka.replication;
        for (const auto &[name, value] : options.kafka.topic_config) {
            if (name == "cleanup.policy") fact.compacted = value.find("compact") != std::string::npos;
            if (name == "min.insync.replicas") fact.min_insync_replicas = to_number(value);
        }
    }
    return facts;
}

} // namespace

int check(const Options &options, const Pump::MakeFormat &make_format, Waiter &waiter) {
    Report report;
    Log log(LogLevel::off, LogFormat::text);
    Report::ok("configuration"); // it was read before we got here
    report.add(check_configuration(options));

    Captured captured;
    std::unique_ptr<Format> format;
    std::vector<Publication> publications;
    std::vector<std::string_view> other_topics;
    if (check_database(options, waiter, log, report, captured)) {
        format = make_format(captured.stream.source);
        std::vector<Finding> misfits;
        publications = try_publishing(*format, captured.tables, misfits);
        other_topics = format->other_topics();
        if (misfits.empty()) Report::ok("settings for the captured tables");
        report.add(misfits);
        report.add(check_capture(captured.captures, publications));
        report.add(check_publications(captured.publications));
        report.add(check_definitions(captured.last_shape));
        report.add(check_rules(*format, captured.tables));
        report.add(check_types(options.format_options.types.as_text, captured.types));
    }

    KafkaPublisher publisher(options.kafka, waiter, log);
    const bool kafka_ok = report.step("Kafka at " + publisher.describe_brokers(), [&] { publisher.open(); });
    std::map<std::string, TopicFacts> facts;
    if (kafka_ok && format) {
        std::set<std::string> names(other_topics.begin(), other_topics.end());
        for (const Publication &one : publications) names.insert(one.topic);
        names.erase(""); // of tables that are not published
        Topics topics;
        for (const std::string &name : names)
            (publisher.topic_exists(name) ? topics.existing : topics.absent).push_back(name);
        KafkaInspector kafka(options.kafka, waiter);
        check_absent_topics(options, kafka, topics, report);
        check_existing_topics(kafka, topics, report);
        facts = describe(options, kafka, topics, report);
        const std::int64_t most = number_property(*make_conf(options.kafka.properties), "message.max.bytes");
        report.add(check_topics(publications, facts, most));
        report.add(check_replicas(facts));
        // What became of the producer meanwhile: it may not be allowed to be idempotent.
        report.try_out([&] { static_cast<void>(publisher.take_delivered()); });
    }
    report.add(check_sharing(publications, other_topics, facts));
    return report.exit_code();
}

} // namespace waybill
