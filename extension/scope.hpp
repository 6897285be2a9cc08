// Scopes without destructors: what is entered is left by a plain call, and on ERROR by PostgreSQL's own abort path
// (a destructor would be skipped by its longjmp).
#pragma once

#include "postgres.hpp"

namespace waybill {

// Runs `work` with `context` as the current memory context. On ERROR the handler resets the current context itself.
template <typename Work>
auto with_memory_context(MemoryContext context, Work work) {
    MemoryContext before = MemoryContextSwitchTo(context);
    auto result = work();
    MemoryContextSwitchTo(before);
    return result;
}

// Runs `work`; errors in it get the context that `tell` gives them with errcontext(). On ERROR the handler restores the
// stack of contexts itself.
template <typename Work>
void with_error_context(void (*tell)(void *), void *argument, Work work) {
    ErrorContextCallback context{.previous = error_context_stack, .callback = tell, .arg = argument};
    error_context_stack = &context;
    work();
    error_context_stack = context.previous;
}

// Runs `work`, in which an ERROR is a PANIC: PostgreSQL's critical section. (Its macros use ++ on what is volatile, of
// which C++20 disapproves.)
template <typename Work>
void with_critical_section(Work work) {
    CritSectionCount = CritSectionCount + 1;
    work();
    CritSectionCount = CritSectionCount - 1;
}

// Runs `work` with the rights of a role. On ERROR the abort of the (sub)transaction goes back to the present one.
template <typename Work>
void with_role(Oid role, Work work) {
    Oid before;
    int security_context;
    GetUserIdAndSecContext(&before, &security_context);
    SetUserIdAndSecContext(role, security_context | SECURITY_LOCAL_USERID_CHANGE);
    work();
    SetUserIdAndSecContext(before, security_context);
}

struct SettingValue {
    const char *name;
    const char *value;
};

// Runs `work` with these settings. On ERROR AtEOXact_GUC restores them when the (sub)transaction aborts.
template <typename Work>
void with_settings(std::span<const SettingValue> settings, Work work) {
    const int level = NewGUCNestLevel();
    for (const SettingValue &setting : settings) {
        // Setting is far dearer than looking, and most sessions have most of them as they are wanted.
        const char *present = GetConfigOption(setting.name, false, false);
        if (present != nullptr && std::strcmp(present, setting.value) == 0) continue;
        set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    }
    work();
    AtEOXact_GUC(true, level);
}

// Runs `work` with all pinned that the text of a value or of an expression depends on: ISO dates, UTC, exact floats,
// hex bytea, qualified names. (Types of pg_temp would hide those of pg_catalog if it were not named last.)
template <typename Work>
void with_pinned_settings(Work work) {
    static constexpr std::array<SettingValue, 10> pinned{{{"datestyle", "ISO, YMD"},
                                                          {"intervalstyle", "postgres"},
                                                          {"timezone", "UTC"},
                                                          {"extra_float_digits", "1"},
                                                          {"bytea_output", "hex"},
                                                          {"search_path", "pg_catalog, pg_temp"},
                                                          {"xmlbinary", "base64"},
                                                          {"quote_all_identifiers", "off"},
                                                          {"standard_conforming_strings", "on"},
                                                          {"lc_monetary", "C"}}};
    with_settings(pinned, work);
}

} // namespace waybill
