// Locks of our own, which SQL cannot take, and waits that end.
//
// Any role can lock any relation of the database, as nextval() locks what it is given before it asks for privileges. So
// what others must not hold up are advisory locks with numbers that SQL's functions never use (their fourth field is 1
// or 2 there).
#pragma once

#include "postgres.hpp"

namespace waybill {

// Marks this backend, until its transaction ends, as one that draws a csn. To be called before the csn is drawn.
void mark_as_committing();

// Whether a backend is marked; never a prepared transaction, and not this backend.
bool is_committing(const VirtualTransactionId &transaction);

// Marks the present transaction, until it is committed or rolled back after having been prepared, as one whose changes
// get their place later. To be called before its number is drawn.
void mark_as_prepared();

// Whether any transaction is marked so, other than this one.
bool anybody_is_prepared();

// Marks a table, on which the present transaction has the strongest lock until it ends, as one in which nobody misses
// anything.
void mark_as_emptied(Oid table);

bool is_being_emptied(Oid table);

// Takes the lock under which prepared transactions are given their places, and gives it back before the transaction
// ends. Error: as lock_in_time().
void lock_places();
void unlock_places();

// The lock that the shipper of a stream holds for as long as its session lasts, and others for a transaction to change
// what is the shipper's.
enum class Hold : std::uint8_t { session, transaction };
// False: another session has it.
bool take_stream(std::int32_t stream, Hold hold);

// Locks a relation until the transaction ends, or sooner with UnlockRelationOid(). Error: lock_not_available, with who
// holds it, when that takes longer than `longest_wait_us`. `purpose` says what could not be done: "could not …".
void lock_in_time(Oid relation, LOCKMODE mode, const char *purpose);

inline constexpr std::int64_t longest_wait_us = 2'000'000;

// Error: lock_not_available, after we waited for so long for these in vain.
[[noreturn]] void give_up_waiting(std::span<const VirtualTransactionId> transactions, const char *purpose);

// Has the present transaction refuse PREPARE TRANSACTION: what it holds would be held by nobody who could be asked to
// let it go.
void refuse_prepare();

void register_lock_callbacks();

} // namespace waybill
