#!/usr/bin/env bash
# Benchmarks: scripts/bench.sh [--rounds N] [--long] [--minutes N] [--report] [NAME…]
#
# Without a name all run, one after the other. Each starts its own servers, keeps what it measured in docs/benchmarks/NAME/
# and writes docs/benchmarks.md anew; progress goes to the standard error output. test/bench/NAME.py says what it measures.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/dependencies.sh build server test kafka bench
export PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/${WAYBILL_POSTGRESQL_VERSION:-15}/bin/pg_config}
make -s -j"$(nproc)" all shipper >&2
make -s -j"$(nproc)" -f shipper/Makefile bench >&2
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 test/bench/run.py "$@"
