// Floating-point numbers as PostgreSQL prints them with extra_float_digits = 1.
#pragma once

#include "json_writer.hpp"

namespace waybill {

// Writes 1, 0.001, 1e+15, 1e-05, NaN, Infinity, -Infinity, -0.
void write_pg_float(JsonWriter &out, float value);
void write_pg_float(JsonWriter &out, double value);

} // namespace waybill
