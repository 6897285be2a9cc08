#!/usr/bin/env bash
# Prints the directory of a PostgreSQL that checks itself; builds it on first use.
#
# It is built from the source of Debian's package, in the installed version of postgresql-server-dev or, where that
# version's source is not to be had, the newest other of the same major version, with assertions, freed memory
# overwritten, and ready for Valgrind. The result is kept outside the tree in one directory
# per version and per content of this file, which appears by one rename, complete: any number of runs at once is safe.
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
major=${WAYBILL_POSTGRESQL_VERSION:-15}
package=postgresql-$major
"$(dirname "$self")/dependencies.sh" checked

home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$home/.cache}/waybill
# The server's user, who may not be allowed into our home directory, runs it.
if ((EUID == 0)); then
    cache=/var/cache/waybill
fi
version=$(dpkg-query -W -f='${source:Version}' "postgresql-server-dev-$major")
tree=$cache/$package-$version-$(sha256sum "$self" | cut -c1-12)

# Source packages through apt, with lists of its own: which sources the machine is configured with stays as it is.
prepare_apt() {
    local sources=() directory=$work/apt file
    mkdir -p "$directory/sources" "$directory/lists/partial" "$directory/cache/archives/partial"
    shopt -s nullglob
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -e $file ]] || continue
        sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$directory/sources/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        sed 's/^Types:.*/Types: deb-src/' "$file" >"$directory/sources/$(basename "$file")"
    done
    shopt -u nullglob
    apt=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$directory/sources"
        -o "Dir::State::lists=$directory/lists" -o "Dir::Cache=$directory/cache" -o APT::Sandbox::User=)
    apt-get "${apt[@]}" update
}

# The wanted version first, then the newest of the others.
versions() {
    local found
    found=$(apt-cache "${apt[@]}" showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -uVr)
    grep -xF "$version" <<<"$found" || true
    grep -vxF "$version" <<<"$found" || true
}

fetch_source() {
    prepare_apt
    local candidate
    mkdir "$work/source"
    cd "$work/source"
    for candidate in $(versions); do
        echo "postgres-checked.sh: source of $package $candidate"
        if apt-get "${apt[@]}" source --download-only --only-source "$package=$candidate"; then
            tar -xf ./*.orig.tar.* --strip-components=1
            return
        fi
    done
    echo "postgres-checked.sh: no source package $package could be fetched"
    return 1
}

build() {
    fetch_source
    # -Og: lines and variables in reports are right, and it is not as slow as -O0.
    ./configure --prefix="$tree" --enable-cassert --enable-debug --with-libxml --without-readline --without-zlib \
        CFLAGS="-Og -g -fno-omit-frame-pointer" \
        CPPFLAGS=-DUSE_VALGRIND
    nice -n 19 make -s -j"$(nproc)"
    make -s install DESTDIR="$work/installed"
    cp src/tools/valgrind.supp "$work/installed$tree/"
    # PostgreSQL's own suites, with what they load into the server.
    mkdir "$work/installed$tree/suites"
    cp -rL src/test/regress src/test/isolation "$work/installed$tree/suites/"
    find "$work/installed$tree/suites" -name '*.o' -delete
    chmod -R a+rX "$work/installed"
}

if [[ ! -d $tree ]]; then
    mkdir -p "$cache"
    exec 9>"$cache/$package.lock"
    flock 9
    if [[ ! -d $tree ]]; then
        work=$(mktemp -d "$cache/building.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        echo "postgres-checked.sh: building $package $version with assertions to $tree, a few minutes" >&2
        # Not in a condition, where -e would be off.
        (build) >"$work/log" 2>&1 </dev/null 9<&- &
        if ! wait $!; then
            tail -n 40 "$work/log" >&2
            echo "postgres-checked.sh: could not build it; the lines above say why" >&2
            exit 1
        fi
        mv -T "$work/installed$tree" "$tree"
    fi
    exec 9>&-
fi
echo "$tree"
