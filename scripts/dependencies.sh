#!/usr/bin/env bash
# Installs what is missing on a Debian machine, and does nothing at all when everything is there.
#
#   scripts/dependencies.sh [GROUP…]     groups: see below; default: the everyday ones
#
# Packages come through apt. As root, or with a sudo that asks no password (or can ask one on a terminal), it installs;
# otherwise it says in one line what to install and fails. The jars of Kafka, its consumers and Debezium come through
# Maven, see maven-jars.sh. With WAYBILL_DEPENDENCIES=present it does nothing: somebody else has seen to all of it.
set -euo pipefail

[[ ${WAYBILL_DEPENDENCIES:-} != present ]] || exit 0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Debian's own version; postgres-version.sh has the others.
case $(sed -n 's/^VERSION_ID="\(.*\)"$/\1/p' /etc/os-release) in
    12) postgresql=15 ;;
    13) postgresql=17 ;;
    *) postgresql=18 ;;
esac

everyday=(build librdkafka server versions test kafka consumers fuzz lint)
others=(bench checked toolchains)

packages_of() {
    case $1 in
        build) echo g++ make pkg-config "postgresql-server-dev-$postgresql" libpq-dev librdkafka-dev libspdlog-dev \
            libcli11-dev libtomlplusplus-dev rapidjson-dev libre2-dev libssl-dev libmimalloc-dev ;;
        librdkafka) echo gcc make pkg-config libssl-dev libsasl2-dev libcurl4-openssl-dev libzstd-dev zlib1g-dev \
            "$(command -v npm >/dev/null || echo npm)" ;; # an npm from elsewhere does
        server) echo "postgresql-$postgresql" ;;
        versions) echo binutils patchelf python3 python3-pip ;; # for postgres-version.sh
        test) echo libgtest-dev python3 python3-psycopg2 python3-confluent-kafka python3-pytest pgbouncer ;;
        kafka) echo openjdk-17-jre-headless maven python3 python3-confluent-kafka ;;
        consumers) echo openjdk-17-jdk-headless maven ;;
        fuzz) echo clang-14 libclang-rt-14-dev llvm-14 ;; # llvm-14: names in stack traces
        lint) echo clang-14 clang-format-14 clang-tidy-14 ;;
        bench) echo libbenchmark-dev python3-matplotlib openjdk-17-jre-headless maven "postgresql-$postgresql-pgq3" ;;
        toolchains) echo mmdebstrap debian-archive-keyring iproute2 util-linux git ;;
        checked) echo g++ make pkg-config bison flex perl bzip2 libxml2-dev valgrind "postgresql-server-dev-$postgresql" ;;
        *)
            echo "dependencies.sh: unknown group \"$1\"; groups are ${everyday[*]}, and ${others[*]}" >&2
            return 2
            ;;
    esac
}

missing_of() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

if (($# == 0)); then
    set -- "${everyday[@]}"
fi
wanted=()
for group in "$@"; do
    names=$(packages_of "$group")
    read -ra names <<<"$names"
    wanted+=("${names[@]}")
done
mapfile -t missing < <(missing_of "${wanted[@]}" | sort -u)

# apt's packages are searched in the lists that are there first: when those are absent or too old the install fails at
# once, before anything was changed, and is tried again with fresh lists.
install_missing() {
    local as_root=("$@")
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600)
    local log
    log=$(mktemp)
    echo "dependencies.sh: installing ${missing[*]}" >&2
    if "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null ||
        { "${apt[@]}" update >>"$log" 2>&1 </dev/null &&
            "${apt[@]}" install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; }; then
        rm -f "$log"
        return 0
    fi
    tail -n 30 "$log" >&2
    rm -f "$log"
    echo "dependencies.sh: could not install ${missing[*]}; the lines above say why" >&2
    return 1
}

if ((${#missing[@]})); then
    as_root=()
    if ((EUID != 0)); then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo true; }; }; then
            as_root=(sudo)
        else
            echo "dependencies.sh: packages are missing; as root run: apt-get update && apt-get install -y" \
                "--no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
    fi
    # Two runs at once: the second waits here and then finds nothing missing. The lock is on a directory every apt has,
    # so that nothing of ours is left behind.
    exec 9</var/cache/apt
    flock 9
    mapfile -t missing < <(missing_of "${missing[@]}")
    if ((${#missing[@]})); then
        install_missing "${as_root[@]}"
    fi
    exec 9<&-
fi

for group in "$@"; do
    case $group in
        kafka) for kafka in kafka kafka-3.9; do "$here/maven-jars.sh" "$here/../test/rig/$kafka-pom.xml" >/dev/null; done ;;
        consumers)
            "$here/maven-jars.sh" "$here/../test/consumers/pom.xml" >/dev/null
            "$here/maven-jars.sh" "$here/../test/rig/debezium-pom.xml" >/dev/null
            ;;
        bench) "$here/maven-jars.sh" "$here/../test/rig/debezium-pom.xml" >/dev/null ;;
    esac
done
