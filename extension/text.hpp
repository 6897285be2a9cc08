// Text between the database's encoding and the UTF-8 of the log.
//
// Not all that the database calls text has an equivalent in Unicode: in SQL_ASCII it may be any bytes, and other
// encodings have characters of their own. No transaction may fail for that, and no two keys may become one, so each
// byte (128 to 255) of what cannot be converted becomes one of the private characters U+F780 to U+F7FF, as in the
// WHATWG's encoding x-user-defined. What the database has there itself is taken for bytes too: the way back is
// unambiguous.
#pragma once

#include "postgres.hpp"

namespace waybill {

// `text` in UTF-8: itself or palloc'ed, not terminated.
std::string_view to_utf8(std::string_view text);

// The way back, for those who read the log in SQL.
std::string_view from_utf8(std::string_view text);

} // namespace waybill
