// waybill-shipper: the command line. Decides exit codes: 0 done, 1 something failed, 2 the configuration is wrong.
#include "change_log.hpp"
#include "check.hpp"
#include "check_configuration.hpp"
#include "errors.hpp"
#include "format/format.hpp"
#include "kafka_publisher.hpp"
#include "log.hpp"
#include "log_text.hpp"
#include "options.hpp"
#include "pump.hpp"
#include "shape_parser.hpp"
#include "signals.hpp"
#include "version.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace waybill {

namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_misconfigured = 2;

// Another one for each run, from the kernel.
std::string random_uuid() {
    std::string uuid;
    std::getline(std::ifstream("/proc/sys/kernel/random/uuid"), uuid);
    return uuid;
}

Pump::MakeFormat format_maker(const Options &options) {
    FormatOptions format_options = options.format_options;
    format_options.run_id = random_uuid();
    return [name = options.format, format_options](const Source &source) {
        return make_format(name, source, format_options);
    };
}

// What others take as "read the configuration anew" or "open the log anew" must not end the shipper.
void tell_of_signal(Log &log, int signal) {
    if (signal == SIGHUP)
        log.info(
            "SIGHUP changes nothing: the configuration is read at the start only; restart the shipper to apply it");
    else
        log.info("{} means nothing to the shipper", signal == SIGUSR1 ? "SIGUSR1" : "SIGUSR2");
}

int run(const Options &options, SignalWaiter &waiter) {
    Log log(options.log_level, options.log_format);
    waiter.survive_others([&log](int signal) { tell_of_signal(log, signal); });
    log.info("waybill-shipper started", {{"version", version}, {"kafka_library", library()}});
    for (const std::string &line : describe(options)) {
        const std::size_t equals = line.find('=');
        log.debug("setting", {{std::string_view(line).substr(0, equals), std::string_view(line).substr(equals + 1)}});
    }
    for (const Finding &finding : check_configuration(options))
        if (finding.kind == Finding::Kind::warning) log.warning("{}", finding.text);
    PgChangeLog change_log(options.conninfo, options.stream, waiter, log);
    KafkaPublisher publisher(options.kafka, waiter, log);
    try {
        Pump(change_log, publisher, format_maker(options), waiter, log, options.pump).run();
    } catch (const ConfigError &error) {
        log.error("{}", error.what());
        return exit_misconfigured;
    } catch (const std::exception &error) {
        log.error("{}", error.what());
        return exit_failed;
    }
    log.info("{}", waiter.stop_requested() ? "ended on request" : "shipped all that was committed");
    return exit_ok;
}

int status(const Options &options, Waiter &waiter) {
    Log log(options.log_level, options.log_format);
    PgChangeLog change_log(options.conninfo, options.stream, waiter, log);
    change_log.connect();
    change_log.check_extension();
    change_log.check_privileges();
    static_cast<void>(change_log.find_stream()); // says so when there is none
    for (const auto &[name, value] : change_log.status())
        std::printf("%-30s %s\n", name.c_str(), printable(value).c_str());
    return exit_ok;
}

std::map<std::string, std::string> environment_map() {
    std::map<std::string, std::string> variables;
    for (char **variable = environ; *variable != nullptr; ++variable)
        if (const char *const equals = std::strchr(*variable, '='))
            variables.emplace(std::string(static_cast<const char *>(*variable), equals), equals + 1);
    return variables;
}

void complain(const std::exception &error) {
    std::fprintf(stderr, "waybill-shipper: %s\n", printable(error.what()).c_str());
}

int main_or_throw(const std::vector<std::string> &arguments) {
    const Options options = read_options(arguments, environment_map());
    SignalWaiter waiter;
    switch (options.command) {
    case Command::check: return check(options, format_maker(options), waiter);
    case Command::status: return status(options, waiter);
    case Command::run: break;
    }
    return run(options, waiter);
}

} // namespace

} // namespace waybill

int main(int argc, char **argv) {
    try {
        return waybill::main_or_throw({argv + 1, argv + argc});
    } catch (const waybill::HelpWanted &help) {
        std::fputs(help.text.c_str(), stdout);
        return waybill::exit_ok;
    } catch (const waybill::ConfigError &error) {
        waybill::complain(error);
        return waybill::exit_misconfigured;
    } catch (const waybill::Stopped &) {
        return waybill::exit_ok;
    } catch (const std::exception &error) {
        waybill::complain(error);
        return waybill::exit_failed;
    }
}
