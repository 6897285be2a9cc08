#!/usr/bin/env bash
# Proves on the object code that an ereport(ERROR), which is a longjmp, can never skip a destructor in the extension and
# that no exception can leave it: the module needs nothing of the C++ run-time, and compiled with exceptions no function
# has anything to clean up when unwound.
#
#   lint-boundary.sh CXX "FLAGS" SOURCE...
set -euo pipefail

cxx=$1
flags=$2
shift 2
failed=0

# __cxa_finalize is the C library's and part of every shared object.
if nm -D --undefined-only waybill.so | grep -v __cxa_finalize | c++filt |
    grep -E ' (std::|operator (new|delete)|__cxa_|__gxx_personality|_Unwind_)'; then
    echo "lint-boundary: waybill.so needs the C++ run-time: see the symbols above" >&2
    failed=1
fi

object=$(mktemp --suffix=.o)
trap 'rm -f "$object"' EXIT
for source in "$@"; do
    if grep -nE '\bnoexcept\b|\b(try|catch|throw)\b *[({;]' "$source"; then
        echo "lint-boundary: $source: noexcept blinds this check, and exceptions do not exist here" >&2
        failed=1
    fi
    # shellcheck disable=SC2086 # the flags are words
    $cxx ${flags//-fno-exceptions/} -fexceptions -O0 -w -c -o "$object" "$source"
    if nm --undefined-only "$object" | grep -q '_Unwind_Resume'; then
        echo "lint-boundary: $source: a function would run a destructor when unwound, but an error skips it" >&2
        failed=1
    fi
done
exit $failed
