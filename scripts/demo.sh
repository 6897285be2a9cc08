#!/usr/bin/env bash
# The main job in half a minute: a shop's database, its changes in a broker, and what a consumer reads there.
#
#   scripts/demo.sh [--kafka] [--seconds N]
#
# Installs what is missing, builds, and runs all of it in temporary directories on ports of its own; nothing stays behind.
# The broker is librdkafka's mock cluster, with --kafka a real Apache Kafka. The exit code is 0 only when what came
# through equals the tables.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage="usage: scripts/demo.sh [--kafka] [--seconds N]"

refuse() {
    echo "demo.sh: $1; $usage" >&2
    exit 2
}

seconds=20
groups=(build server test)
arguments=()
while (($#)); do
    case $1 in
        --kafka)
            groups+=(kafka)
            arguments+=(--kafka)
            ;;
        --seconds | --seconds=*)
            if [[ $1 == *=* ]]; then
                seconds=${1#*=}
            else
                (($# > 1)) || refuse "--seconds needs a number"
                seconds=$2
                shift
            fi
            [[ $seconds =~ ^[1-9][0-9]{0,4}$ ]] && ((seconds >= 5 && seconds <= 86400)) ||
                refuse "--seconds must be a number from 5 to 86400, not \"$seconds\""
            ;;
        -h | --help)
            sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *) refuse "unknown argument \"$1\"" ;;
    esac
    shift
done

cd "$root"
scripts/dependencies.sh "${groups[@]}"

export PG_CONFIG=${PG_CONFIG:-$(scripts/postgres-version.sh)}
log=$(mktemp "${TMPDIR:-/tmp}/waybill-demo-XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
begin=$SECONDS
build() {
    scripts/make-extension.sh -j"$(nproc)" all >"$log" 2>&1 </dev/null &&
        make -j"$(nproc)" -f shipper/Makefile build/waybill-shipper build/waybill-mock-broker >>"$log" 2>&1 </dev/null
}
# Two demos at once in one checkout build it one after the other.
exec 9<"$root"
flock 9
[[ -x build/waybill-shipper ]] || echo "demo.sh: building; the first time takes a minute or two" >&2
if ! build; then
    tail -n 40 "$log" >&2
    echo "demo.sh: could not build; the lines above say why" >&2
    exit 1
fi
exec 9<&-
rm -f "$log"
trap - EXIT INT TERM HUP

# Debian's Python, whatever else is on the path: its packages are what dependencies.sh installs.
PYTHONPATH=$root/test PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 scripts/demo --seconds "$seconds" \
    --built-in "$((SECONDS - begin))" "${arguments[@]}"
