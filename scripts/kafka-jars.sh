#!/usr/bin/env bash
# Prints the directory with the jars of the Apache Kafka that tests and the demo run; fetches them on first use.
#
# They come through Maven from whatever repositories it is configured to use, in the versions that test/rig/kafka-pom.xml
# pins, and are kept outside the tree in one directory per content of that file. The directory appears by one rename,
# complete: any number of runs at once is safe, and whoever comes second uses what the first has fetched.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pom=$root/test/rig/kafka-pom.xml
home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$home/.cache}/waybill
jars=$cache/kafka-$(sha256sum "$pom" | cut -c1-12)

if [[ ! -d $jars ]]; then
    mkdir -p "$cache"
    exec 9>"$cache/kafka.lock"
    flock 9
    if [[ ! -d $jars ]]; then
        fetched=$(mktemp -d "$cache/fetching.XXXXXX")
        trap 'rm -rf "$fetched"' EXIT
        echo "kafka-jars.sh: fetching Apache Kafka to $jars" >&2
        # Maven runs in a copy of the file's directory, as it may leave things beside it. A fetch that broke off is
        # repeated; Maven goes on with what it has.
        mkdir "$fetched/pom" "$fetched/lib"
        cp "$pom" "$fetched/pom/pom.xml"
        for attempt in 1 2 3; do
            if mvn -B -q -Dstyle.color=never -f "$fetched/pom/pom.xml" \
                org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
                -DincludeScope=runtime -DoutputDirectory="$fetched/lib" >"$fetched/log" 2>&1 </dev/null; then
                break
            elif ((attempt == 3)); then
                cat "$fetched/log" >&2
                echo "kafka-jars.sh: could not fetch Kafka's jars with mvn; Maven's lines above say why" >&2
                exit 1
            fi
        done
        chmod 755 "$fetched/lib"
        mv -T "$fetched/lib" "$jars"
    fi
    exec 9>&-
fi
echo "$jars"
