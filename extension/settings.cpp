// The extension's settings (GUCs).
#include "settings.hpp"

#include "change_record.hpp"
#include "postgres.hpp"

namespace waybill::settings {

namespace {

char *context_setting;
int max_context_bytes;
int max_change_bytes;
bool defined;
bool context_was_refused; // one that was SET before it was defined
int buffer_size_kb;
int segment_size_mb;
bool ddl_warnings;

bool fits(const char *context) {
    return std::strlen(context) <= static_cast<std::size_t>(max_context_bytes);
}

constexpr const char *too_long = "waybill.context is too long: %zu bytes";
constexpr const char *too_long_detail = "It goes along with each change, and so may have up to %d bytes.";
constexpr const char *too_long_hint =
    "Store what is long in a table, and refer to it. A superuser can raise waybill.max_context_size.";

// Of settings that were made before (of a database, a role, a file) PostgreSQL makes a warning of what fails here.
bool check_context(char **context, void **, GucSource source) {
    // A worker is given what its leader has, and changes nothing.
    if (fits(*context) || InitializingParallelWorker) return true;
    context_was_refused = !defined && source == PGC_S_SESSION;
    GUC_check_errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED);
    GUC_check_errmsg(too_long, std::strlen(*context));
    GUC_check_errdetail(too_long_detail, max_context_bytes);
    GUC_check_errhint("%s", too_long_hint);
    return false;
}

} // namespace

void define() {
    // First what decides on the context that may have been set before.
    DefineCustomIntVariable("waybill.max_context_size", "Most bytes that waybill.context may have.", nullptr,
                            &max_context_bytes, 8 * 1024, 0, 1024 * 1024, PGC_SUSET, GUC_UNIT_BYTE, nullptr, nullptr,
                            nullptr);
    DefineCustomStringVariable("waybill.context", "Text that is stored and shipped with each change of a transaction.",
                               "Use SET LOCAL, for example with who made the change and why, as JSON.",
                               &context_setting, "", PGC_USERSET, 0, check_context, nullptr, nullptr);
    DefineCustomIntVariable("waybill.max_change_size", "Most bytes that a captured change may take.",
                            "The statement that would make a larger one fails.", &max_change_bytes,
                            record::max_record_size, 1024, record::max_record_size, PGC_SUSET, GUC_UNIT_BYTE, nullptr,
                            nullptr, nullptr);
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
    defined = true;
}

void require_context() {
    if (!std::exchange(context_was_refused, false)) return;
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("waybill.context was too long, and is not set"),
            errdetail(too_long_detail, max_context_bytes), errhint("%s", too_long_hint));
}

const char *context() {
    if (fits(context_setting)) return context_setting;
    // The bound was lowered since. Half of a context is none, and a transaction is not to fail for it at its end.
    ereport(
        WARNING, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg(too_long, std::strlen(context_setting)),
        errdetail("The transaction's changes are stored without it: it may have up to %d bytes.", max_context_bytes),
        errhint("%s", too_long_hint));
    return "";
}

std::size_t max_change_size() {
    return static_cast<std::size_t>(max_change_bytes);
}

std::size_t buffer_size() {
    return static_cast<std::size_t>(buffer_size_kb) * 1024;
}

} // namespace waybill::settings
