#!/usr/bin/env bash
# Builds with warnings as errors and tests with each compiler that is promised: scripts/check-toolchains.sh [TOOLCHAIN…]
#
#   g++-12, clang++-14   Debian 12: regress, isolation, unit
#   g++-14, clang++-19   Debian 13, with its PostgreSQL and its libraries: the same
#   sanitizers           Debian 12, g++-12 with AddressSanitizer and UndefinedBehaviorSanitizer: unit
#   arm64                Debian 13's g++-14 for arm64, what it builds run by qemu-user with an arm64 PostgreSQL: regress, unit
#   refused              big-endian and 32-bit machines are refused by the compiler in words
#
# Default: all, about half an hour. Needs root and mmdebstrap, for each runs in a Debian of its own, which is made on first
# use from the mirror that this machine's apt is set to and kept outside the tree. Nothing of it is seen by the machine, and
# none has a network.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=/var/cache/waybill

fail() {
    echo "check-toolchains.sh: $*" >&2
    exit 1
}

toolchains=("$@")
((${#toolchains[@]})) || toolchains=(g++-12 clang++-14 sanitizers g++-14 clang++-19 arm64 refused)

libraries() {
    printf '%s,' libpq-dev"$1" librdkafka-dev"$1" libspdlog-dev"$1" libre2-dev"$1" libssl-dev"$1" libmimalloc-dev"$1" \
        libgtest-dev"$1" libtomlplusplus-dev"$1" libcli11-dev rapidjson-dev
    echo "ca-certificates,make,pkg-config,git,procps"
}

# The Debian that a toolchain runs in: its suite, its version of PostgreSQL, its packages.
suite_of() {
    case $1 in
        g++-12 | clang++-14 | sanitizers) echo bookworm 15 ;;
        g++-14 | clang++-19) echo trixie 17 ;;
        arm64 | refused) echo arm64 17 ;;
        *) fail "unknown toolchain \"$1\"; toolchains are g++-12, clang++-14, sanitizers, g++-14, clang++-19, arm64, refused" ;;
    esac
}
packages_of() {
    case $1 in
        bookworm) echo "gcc,g++-12,clang-14,postgresql-15,postgresql-server-dev-15,$(libraries "")" ;;
        trixie) echo "gcc,g++-14,clang-19,postgresql-17,postgresql-server-dev-17,$(libraries "")" ;;
        arm64) echo "g++-14-aarch64-linux-gnu,g++-14-s390x-linux-gnu,g++-14-i686-linux-gnu,qemu-user,postgresql-17:arm64,$(libraries :arm64)" ;;
    esac
}

# Prints the directory of a suite's Debian: one per recipe, complete, as it appears by one rename.
debian() {
    local suite=$1 tree
    tree=$cache/debian-$suite-$({ packages_of "$suite" && declare -f debian; } | sha256sum | cut -c1-12)
    exec 9>"$cache/debian-$suite.lock"
    flock 9
    if [[ ! -d $tree ]]; then
        echo "check-toolchains.sh: making a Debian for $suite in $tree, a minute or two" >&2
        local site hooks=() work
        site=$(apt-get indextargets --format '$(SITE)' | head -n 1)
        work=$(mktemp -d "$cache/building.XXXXXX")
        # shellcheck disable=SC2016 # $1 is mmdebstrap's
        hooks+=(--essential-hook='mkdir -p "$1/etc/postgresql-common" &&
            echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"')
        if [[ $suite == arm64 ]]; then
            # Its dependencies are compilers that run on arm64.
            # shellcheck disable=SC2016
            hooks+=(--architectures=amd64,arm64 --customize-hook='cd "$1/tmp" &&
                APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -q download postgresql-server-dev-17:arm64 &&
                dpkg -x postgresql-server-dev-17_*.deb "$1" && rm postgresql-server-dev-17_*.deb')
        fi
        if ! mmdebstrap --variant=minbase "${hooks[@]}" --include="$(packages_of "$suite")" \
            "${suite/arm64/trixie}" "$work/debian" "$site" >"$work/log" 2>&1 </dev/null 9<&-; then
            tail -n 30 "$work/log" >&2
            rm -rf "$work"
            fail "could not make it; the lines above say why"
        fi
        mv -T "$work/debian" "$tree"
        rm -rf "$work"
    fi
    exec 9>&-
    echo "$tree"
}

# ---- inside: build and test one toolchain

# Programs for arm64 become scripts that run them by qemu, under the name they were called by: PostgreSQL looks there for
# its other files.
emulate() {
    local program
    for program in "$@"; do
        [[ $(od -A n -t x1 -N 20 "$program" | tr -d ' \n') == 7f454c46????????????????????????????b700 ]] || continue
        mv "$program" "$(dirname "$program")/.$(basename "$program").arm64"
        # shellcheck disable=SC2016
        printf '%s\n' '#!/bin/sh' \
            'exec qemu-aarch64 -0 "$0" "$(dirname "$0")/.$(basename "$0").arm64" "$@"' >"$program"
        chmod 755 "$program"
    done
}

inside() {
    local toolchain=$1 postgresql=$2
    cd /mnt/waybill
    export WAYBILL_POSTGRESQL_VERSION=$postgresql WAYBILL_DEPENDENCIES=present MAKEFLAGS="CXX=$toolchain"
    export HOME=/root LC_ALL=C.UTF-8 PG_CONFIG=/usr/lib/postgresql/$postgresql/bin/pg_config
    case $toolchain in
        sanitizers)
            unset MAKEFLAGS
            make -j"$(nproc)" -f shipper/Makefile WERROR=1 SANITIZE=1 CXX=g++-12 all
            build/sanitize/waybill-unit-tests --gtest_brief=1
            ;;
        refused)
            refuses s390x-linux-gnu "waybill needs a little-endian machine"
            refuses i686-linux-gnu "waybill needs a 64-bit machine"
            ;;
        arm64)
            export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig
            export MAKEFLAGS="CXX=aarch64-linux-gnu-g++-14 CC=aarch64-linux-gnu-gcc-14"
            emulate "/usr/lib/postgresql/$postgresql/bin"/* "/usr/lib/postgresql/$postgresql/lib/pgxs/src/test"/*/*
            make -j"$(nproc)" -f shipper/Makefile WERROR=1 all
            emulate build/waybill-*
            build/waybill-unit-tests --gtest_brief=1
            scripts/test.sh regress
            ;;
        *)
            make -j"$(nproc)" -f shipper/Makefile WERROR=1 all
            build/waybill-unit-tests --gtest_brief=1
            scripts/test.sh regress isolation
            ;;
    esac
}

refuses() {
    local machine=$1 words=$2 output
    if output=$("$machine-g++-14" -std=c++20 -fsyntax-only -x c++ extension/change_record.hpp 2>&1); then
        echo "$machine: compiled, but should have been refused"
        return 1
    elif ! grep -F "error: static assertion failed: $words" <<<"$output"; then
        echo "$output"
        return 1
    fi
}

if [[ ${1:-} == --inside ]]; then
    # In namespaces of our own: what is mounted goes with the last process.
    mount -t proc proc /proc
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    shift
    inside "$@"
    exit
fi

# ---- outside

((EUID == 0)) || fail "needs root, to run each compiler in a Debian of its own"
for toolchain in "${toolchains[@]}"; do suite_of "$toolchain" >/dev/null; done
"$root/scripts/dependencies.sh" toolchains
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/waybill-toolchains-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

passed=0
failed=0
for toolchain in "${toolchains[@]}"; do
    begin=$SECONDS
    read -r suite postgresql < <(suite_of "$toolchain")
    tree=$(debian "$suite")
    # Its own copy, so that two runs at once do not meet and the kept one stays as it was made.
    mkdir -p "$work/upper" "$work/layer" "$work/merged"
    status=0
    unshare --mount --pid --net --fork --kill-child bash -euo pipefail -c '
        mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/layer" "$2/merged"
        mkdir -p "$2/merged/mnt/waybill"
        cd "$3"
        git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --ignore-failed-read -c |
            tar -x -C "$2/merged/mnt/waybill" --no-same-owner
        mount --rbind /dev "$2/merged/dev"
        ip link set lo up
        exec chroot "$2/merged" /bin/bash /mnt/waybill/scripts/check-toolchains.sh --inside "$4" "$5"
    ' - "$tree" "$work" "$root" "$toolchain" "$postgresql" >"$work/log" 2>&1 </dev/null || status=$?
    if ((status == 0)); then
        passed=$((passed + 1))
        echo "$toolchain: $(grep -iE '(passed|assertion failed)' "$work/log" | tail -n 4 | paste -s -d ';' || true) ($((SECONDS - begin)) s)"
    else
        failed=$((failed + 1))
        tail -n 80 "$work/log" | cut -c 1-400
        echo "$toolchain: FAILED; the lines above say why"
    fi
    rm -rf "$work/upper" "$work/layer"
done
echo "$passed passed, $failed failed"
((failed == 0))
