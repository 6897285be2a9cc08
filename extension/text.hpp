// Text between the database's encoding and the UTF-8 of the log.
//
// Not all that the database calls text has an equivalent in Unicode: in SQL_ASCII it may be any bytes, other encodings
// have characters of their own, and a UTF-8 database may hold what is no UTF-8 (from a client that said so of its
// settings, from before a check, from a C function). No transaction may fail for that, no reader may get what is no
// UTF-8, and no two keys may become one, so each byte (0, 128 to 255) of what cannot be converted becomes one of the
// private characters U+F700 and U+F780 to U+F7FF, as in the WHATWG's encoding x-user-defined. What the database has
// there itself is taken for bytes too: the way back is unambiguous. Not so in UTF-8, where all that is well-formed
// stays as it is.
#pragma once

#include "postgres.hpp"

namespace waybill {

// `text` in UTF-8: itself or palloc'ed, not terminated.
std::string_view to_utf8(std::string_view text);

// The way back, for those who read the log in SQL: always to what the server takes for text. So in UTF-8 the private
// characters stay, and in other encodings bytes that are none of it become question marks.
std::string_view from_utf8(std::string_view text);

} // namespace waybill
