// The rows of waybill.change_log and its segments, as C++ sees them.
#pragma once

#include "postgres.hpp"

namespace waybill {

using Csn = std::int64_t;

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

// Segments of the log's ring: the tables waybill.segment_0 … segment_7, filled in turn.
inline constexpr std::int64_t segment_count = 8;

// The table and the index of the slot that generation `segment` of the log uses.
Oid segment_table(std::int64_t segment);
Oid segment_index(std::int64_t segment);

} // namespace waybill
