#!/usr/bin/env bash
# Makes a PostgreSQL installation of its own in DIRECTORY, of PG_CONFIG's or the default version, with the extension as it
# is built in this checkout.
#
#   test/rig/install-postgres.sh DIRECTORY
#
# PostgreSQL finds its files relative to its executables, so copied programs beside linked files are an installation of
# their own, and what is installed there does not touch the system. Prints the directory of its programs.
set -euo pipefail

directory=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PG_CONFIG=${PG_CONFIG:-$("$root/scripts/postgres-version.sh")}

declare -A place
for name in bindir pkglibdir sharedir; do
    system=$("$PG_CONFIG" "--$name")
    place[$name]=$directory/${system#/}
    mkdir -p "$(dirname "${place[$name]}")"
    if [[ $name == bindir ]]; then
        cp -r "$system" "${place[$name]}"
    else
        cp -rs "$system" "${place[$name]}"
    fi
done
# Only one at a time builds in a checkout: another run may be about to install, too.
exec 9<"$root"
flock 9
"$root/scripts/make-extension.sh" -s install datadir="${place[sharedir]}" pkglibdir="${place[pkglibdir]}" \
    </dev/null >&2
echo "${place[bindir]}"
