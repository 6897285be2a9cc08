// The library's entry: what happens once per backend.
#include "locks.hpp"
#include "postgres.hpp"
#include "settings.hpp"
#include "table_info.hpp"
#include "transaction_buffer.hpp"

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void); // NOLINT(readability-identifier-naming,bugprone-reserved-identifier)

// NOLINTNEXTLINE(readability-identifier-naming,bugprone-reserved-identifier): PostgreSQL calls it by this name
void _PG_init(void) {
    static bool initialized; // PostgreSQL calls again after an error
    if (!std::exchange(initialized, true)) {
        waybill::settings::define();
        waybill::register_invalidation_callbacks();
        waybill::register_transaction_callbacks();
        waybill::register_lock_callbacks();
    }
    waybill::settings::require_context();
}

} // extern "C"
