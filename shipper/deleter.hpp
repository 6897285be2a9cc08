// Lets unique_ptr own a C handle: std::unique_ptr<PGconn, Deleter<PQfinish>>.
#pragma once

namespace waybill {

template <auto Fn>
struct Deleter {
    template <typename T>
    void operator()(T *handle) const noexcept {
        Fn(handle);
    }
};

} // namespace waybill
