// The rows of waybill_internal.change_log and its segments, as C++ sees them.
#pragma once

#include "postgres.hpp"

namespace waybill {

using Csn = std::int64_t;

// Csns are drawn in these steps: the numbers between are for the places of prepared transactions
// (waybill_internal.release()).
inline constexpr Csn csn_step = 10'000;

// Columns, in order; the offset of attribute n is n - 1. Fixed-width ones first, without padding:
// transaction_buffer.hpp counts on it (log_row_fixed_size).
enum LogColumn {
    log_csn,
    log_committed_at,
    log_chunk,
    log_chunks,
    log_changes,
    log_timeline,
    log_xid,
    log_payload,
    log_columns
};

// Segments of the log's ring: the tables waybill_internal.segment_0 … segment_7, filled in turn.
inline constexpr std::int64_t segment_count = 8;

// Slots of the prepared log: the tables waybill_internal.prepared_0 and waybill_internal.prepared_1.
inline constexpr std::int64_t prepared_slots = 2;

Oid prepared_table(std::int64_t slot);
Oid prepared_index(std::int64_t slot);

// The table and the index of the slot that generation `segment` of the log uses.
Oid segment_table(std::int64_t segment);
Oid segment_index(std::int64_t segment);

// The sequence that says up to where the slot has to be acknowledged; 0 when it is free.
Oid segment_upto(std::int64_t segment);

} // namespace waybill
