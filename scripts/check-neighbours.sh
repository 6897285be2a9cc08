#!/usr/bin/env bash
# PostgreSQL's own suites with every table captured: scripts/check-neighbours.sh [SUITE…]
#
#   regress    PostgreSQL's regression tests
#   isolation  its isolation tests
#
# Default: both. Each runs without the extension first, then with it and with capture of every table, whoever owns it.
# It fails for each line that a test prints otherwise and that test/checked/explained.toml does not explain, for each
# change that cannot be decoded or shipped, and for what the server, which checks itself, says in its log.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
tree=$(scripts/postgres-checked.sh)
scripts/dependencies.sh build test
make -s -j"$(nproc)" shipper </dev/null >&2
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 test/checked/neighbours.py "$tree" "$@"
