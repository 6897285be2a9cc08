#!/usr/bin/env bash
# The extension under a server that checks itself: scripts/check-cassert.sh [PART…]
#
#   assertions  all pg_regress and isolation files; the server with assertions, our code trapping undefined behaviour
#   discard     the isolation and the shorter pg_regress files, with every cache entry of the server discarded as soon
#               as it may be
#   valgrind    the same files under Valgrind: memory that is read before it is set, or after it was freed
#   faults      an error in each call from our code into the server, one after the other
#
# Default: all of them. A part fails too when the server's log tells of leaks, failed assertions, damaged memory or
# crashes. scripts/postgres-checked.sh builds the server once, in a few minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
tree=$(scripts/postgres-checked.sh)
scripts/dependencies.sh test
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 test/checked/check.py "$tree" "$@"
