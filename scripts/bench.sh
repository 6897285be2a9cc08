#!/usr/bin/env bash
# Figures for speed: scripts/bench.sh NAME…
#
#   bulk_insert         INSERT of 500,000 rows with and without capture
#   small_transactions  transactions a second of four clients with and without capture
#   drain               draining a backlog of a million changes, against a plain producer of the same messages
#   formats             encoding one change in each format, without any server
#   huge_transaction    memory for ten million rows in one transaction; WAYBILL_BENCH_ROWS sets another number
#
# Each starts its own servers, runs its variants in turn and prints a table. Progress goes to the standard error output.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
if (($# == 0)); then
    sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
for name in "$@"; do
    if [[ ! -e test/bench/$name.py || $name == figures ]]; then
        echo "bench.sh: there is no benchmark \"$name\"; see scripts/bench.sh without arguments" >&2
        exit 2
    fi
done

scripts/dependencies.sh build server test kafka bench
export PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/${WAYBILL_POSTGRESQL_VERSION:-15}/bin/pg_config}
target=all
for name in "$@"; do
    if [[ $name == drain || $name == huge_transaction ]]; then
        target=world
    fi
    if [[ $name == drain ]]; then
        mkdir -p build/bench
        g++ -std=c++20 -O2 -Wall -Wextra test/bench/raw_producer.cpp -o build/bench/raw_producer -lrdkafka
    fi
    if [[ $name == formats ]]; then
        make -s -j"$(nproc)" -f shipper/Makefile bench >&2
    fi
done
make -s -j"$(nproc)" "$target" >&2
for name in "$@"; do
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "test/bench/$name.py"
done
