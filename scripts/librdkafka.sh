#!/usr/bin/env bash
# Prints the directory of a current librdkafka for static linking, lib/librdkafka.a and include/; builds it on first use.
#
# Its source comes from the package that librdkafka's own makers publish for Node.js, through npm, whose registry keeps
# every version; the content is pinned. Where there is no registry, put the archive that the message names into the cache
# directory. The result is kept outside the tree in one directory per compiler's target and content of this
# file, which appears by one rename, complete: any number of runs at once is safe.
set -euo pipefail

package=@confluentinc/kafka-javascript@1.10.1
archive=confluentinc-kafka-javascript-1.10.1.tgz
sha256=ada7d703bb1d3237e2292bfabf438d663b6160c9f1ac2a2406b5dc4257c81b66
version=2.15.1 # of the librdkafka in it

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
export CC=${CC:-cc}
home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$home/.cache}/waybill
tree=$cache/librdkafka-$version-$($CC -dumpmachine)-$(sha256sum "$self" | cut -c1-12)

is_pinned() {
    [[ -e $1 && $(sha256sum <"$1") == "$sha256  -" ]]
}

fetch() {
    if ! is_pinned "$cache/$archive"; then
        (cd "$work" && npm pack --silent --ignore-scripts "$package")
        is_pinned "$work/$archive" || {
            echo "librdkafka.sh: $archive does not have SHA-256 $sha256"
            return 1
        }
        mv "$work/$archive" "$cache/$archive"
    fi
    mkdir "$work/librdkafka"
    tar -xf "$cache/$archive" -C "$work/librdkafka" --strip-components=3 package/deps/librdkafka
}

# A feature whose library is missing fails here, and is not left out. lz4 is its own copy, as in librdkafka's own builds.
build() {
    fetch
    cd "$work/librdkafka"
    CFLAGS="-ffile-prefix-map=$work=." ./configure --no-cache --no-download --disable-lz4-ext --disable-syslog \
        --enable-ssl --enable-gssapi --enable-curl --enable-zstd --enable-zlib
    nice make -j"$(nproc)" -C src librdkafka.a
    mkdir -p "$work/tree/lib" "$work/tree/include/librdkafka"
    cp src/librdkafka.a "$work/tree/lib/"
    cp src/rdkafka.h src/rdkafka_mock.h "$work/tree/include/librdkafka/"
    cp LICENSES.txt "$work/tree/" # goes wherever what is linked with it goes
}

if [[ ! -d $tree ]]; then
    "$(dirname "$self")/dependencies.sh" librdkafka
    mkdir -p "$cache"
    exec 9>"$cache/librdkafka.lock"
    flock 9
    if [[ ! -d $tree ]]; then
        work=$(mktemp -d "$cache/building.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        echo "librdkafka.sh: building librdkafka $version in $tree, half a minute" >&2
        # Not in a condition, where -e would be off.
        (build) >"$work/log" 2>&1 </dev/null 9<&- &
        if ! wait $!; then
            tail -n 40 "$work/log" >&2
            echo "librdkafka.sh: could not build librdkafka $version from $archive of package $package; the lines above say" \
                "why (without npm or its registry, put the archive into $cache)" >&2
            exit 1
        fi
        mv -T "$work/tree" "$tree"
    fi
    exec 9>&-
fi
echo "$tree"
