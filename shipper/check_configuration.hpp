// What is doubtful in a configuration that can be read: `check` shows all of it, `run` logs the warnings.
#pragma once

#include "finding.hpp"
#include "options.hpp"
#include "pg.hpp"

#include <vector>

namespace waybill {

// Reads nothing but the mode of the configuration file.
[[nodiscard]] std::vector<Finding> check_configuration(const Options &options);

// How safe a connection is that was made.
[[nodiscard]] std::vector<Finding> check_connection(const PgSecurity &security);

} // namespace waybill
