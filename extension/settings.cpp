// The extension's settings (GUCs).
#include "settings.hpp"

#include "postgres.hpp"

namespace waybill::settings {

namespace {

char *context_setting;
int buffer_size_kb;
int segment_size_mb;
bool ddl_warnings;

} // namespace

void define() {
    DefineCustomStringVariable("waybill.context", "Text that is stored and shipped with each change of a transaction.",
                               "Use SET LOCAL, for example with who made the change and why, as JSON.",
                               &context_setting, "", PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("waybill.buffer_size", "Memory that the captured changes of one transaction may take.",
                            "More go to a temporary file.", &buffer_size_kb, 16 * 1024, 64, MAX_KILOBYTES, PGC_SUSET,
                            GUC_UNIT_KB, nullptr, nullptr, nullptr);
    // Read by waybill.maintain() with current_setting().
    DefineCustomIntVariable("waybill.segment_size", "Size at which the change log goes on in its next segment.",
                            nullptr, &segment_size_mb, 64, 1, 1024 * 1024, PGC_SUSET, GUC_UNIT_MB, nullptr, nullptr,
                            nullptr);
    // Read by the event triggers with current_setting().
    DefineCustomBoolVariable("waybill.ddl_warnings", "Warn when DDL keeps changes from being captured.", nullptr,
                             &ddl_warnings, true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    reserve_setting_prefix("waybill");
}

const char *context() {
    return context_setting;
}

std::size_t buffer_size() {
    return static_cast<std::size_t>(buffer_size_kb) * 1024;
}

} // namespace waybill::settings
