#!/usr/bin/env bash
# Benchmarks: scripts/bench.sh [--rounds N] [--long] [--minutes N] [--report] [NAME…]
#
# Without a name all run, one after the other. Each starts its own servers, keeps what it measured in docs/benchmarks/NAME/
# and writes docs/benchmarks.md anew; progress goes to the standard error output. test/bench/NAME.py says what it measures.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/dependencies.sh build server test kafka bench
export PG_CONFIG=${PG_CONFIG:-$(scripts/postgres-version.sh)}
scripts/make-extension.sh -s -j"$(nproc)" all >&2
make -s -j"$(nproc)" shipper >&2
make -s -j"$(nproc)" -f shipper/Makefile bench >&2
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 test/bench/run.py "$@"
