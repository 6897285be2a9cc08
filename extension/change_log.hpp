// The change log: how a committing transaction writes its changes.
#pragma once

#include "chunk_stream.hpp"
#include "postgres.hpp"

namespace waybill {

// Gives the committing transaction its place in the commit order and writes its changes there, led by its
// context. Called at pre-commit.
void append_to_log(Oid commit_sequence, ChunkStream &context, ChunkStream &changes);

// Writes the changes of a transaction that is being prepared where readers find them after COMMIT PREPARED.
void append_to_prepared_log(Oid commit_sequence, ChunkStream &context, ChunkStream &changes);

// The timeline in positions: the server's, but never a smaller one than before. pg_upgrade begins at timeline 1 again,
// and consumers would take all that follows for repeated.
std::int32_t position_timeline();

} // namespace waybill
