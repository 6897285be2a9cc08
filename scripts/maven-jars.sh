#!/usr/bin/env bash
# Prints the directory with the jars that a pom.xml names; fetches them on first use.
#
#   scripts/maven-jars.sh FILE
#
# They come through Maven from whatever repositories it is configured to use, in the versions that the file pins, and are
# kept outside the tree in one directory per content of the file. The directory appears by one rename, complete: any
# number of runs at once is safe, and whoever comes second uses what the first has fetched.
set -euo pipefail

if (($# != 1)) || [[ ! -r $1 ]]; then
    echo "usage: scripts/maven-jars.sh FILE" >&2
    exit 2
fi
pom=$1
name=$(sed -n 's:^  <artifactId>\(.*\)</artifactId>$:\1:p' "$pom")
home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$home/.cache}/waybill
jars=$cache/$name-$(sha256sum "$pom" | cut -c1-12)

if [[ ! -d $jars ]]; then
    mkdir -p "$cache"
    exec 9>"$cache/$name.lock"
    flock 9
    if [[ ! -d $jars ]]; then
        fetched=$(mktemp -d "$cache/fetching.XXXXXX")
        trap 'rm -rf "$fetched"' EXIT
        echo "maven-jars.sh: fetching the jars of $pom to $jars" >&2
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
                echo "maven-jars.sh: could not fetch the jars of $pom with mvn; Maven's lines above say why" >&2
                exit 1
            fi
        done
        chmod 755 "$fetched/lib"
        mv -T "$fetched/lib" "$jars"
    fi
    exec 9>&-
fi
echo "$jars"
