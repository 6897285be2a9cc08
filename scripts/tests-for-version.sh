#!/usr/bin/env bash
# Prints the names of those tests that a server's version has the features for.
#
#   scripts/tests-for-version.sh VERSION FILE…        VERSION is major, FILEs are of pg_regress or the isolation tester
#
# A file for what came with a version says so in its first line: "-- From PostgreSQL 15 on." (or # for --).
set -euo pipefail

version=$1
shift
for file in "$@"; do
    read -r line <"$file" || true
    if [[ ! $line =~ ^(--|#)\ From\ PostgreSQL\ ([0-9]+)\ on ]] || ((version >= BASH_REMATCH[2])); then
        name=${file##*/}
        echo "${name%.*}"
    fi
done
