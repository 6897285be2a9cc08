// Floating-point numbers as Java prints them (Double.toString of JDK 19 and later), which is how Jackson writes them.
#pragma once

#include "json_writer.hpp"

namespace waybill {

// Writes 1.0, 0.001, 1.0E7, 1.0E-4; what JSON has no number for as "NaN", "Infinity", "-Infinity", with quotes.
void write_java_float(JsonWriter &out, float value);
void write_java_float(JsonWriter &out, double value);

} // namespace waybill
