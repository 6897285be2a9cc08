#!/usr/bin/env bash
# Runs make for the extension in a directory of its own for each server version: build/postgresql-18.6 and so on.
#
#   PG_CONFIG=… scripts/make-extension.sh [ARGUMENT…]        arguments for make; without PG_CONFIG the default version
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_config=${PG_CONFIG:-$("$root/scripts/postgres-version.sh")}
version=$("$pg_config" --version)
[[ $version =~ ^PostgreSQL\ ([0-9.]+) ]]
directory=$root/build/postgresql-${BASH_REMATCH[1]}
mkdir -p "$directory"
# By a relative path: make takes names apart at spaces, which the checkout's may have.
exec make -C "$directory" -f ../../Makefile PG_CONFIG="$pg_config" "$@"
