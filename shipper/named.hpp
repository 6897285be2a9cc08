// Names of values, for settings that are one of a few.
#pragma once

#include <string_view>

namespace waybill {

template <typename Value>
struct Named {
    std::string_view name;
    Value value;
};

} // namespace waybill
