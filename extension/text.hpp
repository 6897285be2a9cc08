// Text between the database's encoding and the UTF-8 of the log.
#pragma once

#include "postgres.hpp"

namespace waybill {

// `text` in UTF-8: itself or palloc'ed. A database in SQL_ASCII says nothing of its bytes: they are passed on as they
// are. Error: untranslatable_character when the encoding has a character that Unicode has not.
inline std::string_view to_utf8(std::string_view text) {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) return text;
    const char *converted = pg_server_to_any(text.data(), static_cast<int>(text.size()), PG_UTF8);
    return {converted, converted == text.data() ? text.size() : std::strlen(converted)};
}

// The way back, for those who read the log in SQL.
inline std::string_view from_utf8(std::string_view text) {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII) return text;
    const char *converted = pg_any_to_server(text.data(), static_cast<int>(text.size()), PG_UTF8);
    return {converted, converted == text.data() ? text.size() : std::strlen(converted)};
}

} // namespace waybill
