#!/usr/bin/env bash
# All tests, or some: scripts/test.sh [regress] [isolation] [unit] [fuzz] [e2e] [speed] [lint]
#
# Installs what is missing, builds, runs, and ends with one line "N passed, N failed". The exit code is 0 only when
# nothing failed and every suite that was asked for ran something. WAYBILL_TEST_LONG=1 gives the long runs their full
# length. WAYBILL_TEST_E2E holds arguments for pytest, for instance "-k order".
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
suites=("$@")
if ((${#suites[@]} == 0)); then
    suites=(regress isolation unit fuzz e2e speed lint)
fi
for suite in "${suites[@]}"; do
    case $suite in
        regress | isolation | unit | fuzz | e2e | speed | lint) ;;
        *)
            echo "test.sh: unknown suite \"$suite\"; suites are regress, isolation, unit, fuzz, e2e, speed, lint" >&2
            exit 2
            ;;
    esac
done

major_version() {
    "$1" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'
}

wants() {
    local suite
    for suite in "${suites[@]}"; do
        [[ $suite != "$1" ]] || return 0
    done
    return 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/waybill-test-XXXXXX")
chmod 755 "$work"
children=()
clean_up() {
    local status=$?
    trap - EXIT INT TERM HUP
    local child
    for child in "${children[@]}"; do
        # Each suite is a process group of its own.
        kill -TERM -- "-$child" 2>/dev/null || true
    done
    wait || true
    # What a suite started may still write its last lines.
    local deadline=$((SECONDS + 30))
    for child in "${children[@]}"; do
        while kill -0 -- "-$child" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- dependencies and build

groups=(build server)
! wants e2e || groups+=(consumers)
! wants e2e && ! wants speed || groups+=(kafka)
! wants e2e && ! wants speed && ! wants unit || groups+=(test)
! wants e2e && ! wants unit || groups+=(librdkafka)
! wants fuzz || groups+=(fuzz)
! wants lint || groups+=(lint)
scripts/dependencies.sh "${groups[@]}"

# The servers that the suites run on, by version, each with its pg_config.
declare -A servers=()
versions=(13 14 15 16 17 18)
e2e_versions=(18)
default_version=15 # for what needs no more than one
[[ ${WAYBILL_TEST_LONG:-} != 1 ]] || e2e_versions=(18 17 16 15 14 13)
only=${WAYBILL_POSTGRESQL_VERSION:-}
if [[ -n ${PG_CONFIG:-} ]]; then
    only=$(major_version "$PG_CONFIG")
    servers[$only]=$PG_CONFIG
fi
if [[ -n $only ]]; then
    versions=("$only")
    e2e_versions=("$only")
    default_version=$only
fi

total_passed=0
total_failed=0
find_server() {
    local version=$1
    [[ -z ${servers[$version]:-} ]] || return 0
    if servers[$version]=$(scripts/postgres-version.sh "$version"); then return; fi
    unset "servers[$version]"
    # Debian 11 may go from the mirrors any day.
    if ((version == 13)) && [[ -z $only ]]; then
        echo "test.sh: POSTGRESQL 13 IS NOT TESTED: it could not be fetched; the lines above say why"
    else
        echo "test.sh: could not fetch PostgreSQL $version to test on; the lines above say why"
        total_failed=$((total_failed + 1))
    fi
}
wanted_versions() {
    ! wants regress && ! wants isolation || printf '%s\n' "${versions[@]}"
    ! wants e2e || printf '%s\n' "${e2e_versions[@]}"
    ! wants speed && ! wants lint || echo "$default_version"
}
for version in $(wanted_versions | sort -nu); do find_server "$version"; done

# What is built, and the make that builds it.
build() {
    local what=$1
    shift
    local log=$work/build.log
    local begin=$SECONDS
    # Only one run at a time builds in a checkout.
    exec 9<"$root"
    flock 9
    if ! "$@" -j"$(nproc)" WERROR=1 >"$log" 2>&1 </dev/null 9<&-; then
        tail -n 60 "$log"
        echo "test.sh: $* WERROR=1 failed; the lines above say why"
        echo "0 passed, 1 failed"
        exit 1
    fi
    exec 9<&-
    echo "built $what in $((SECONDS - begin)) s"
}
goals=()
! wants unit && ! wants e2e && ! wants speed && ! wants lint || goals=(all)
! wants speed || goals+=(build/bench/raw_producer)
! wants fuzz || goals+=(fuzz)
((${#goals[@]} == 0)) || build "${goals[*]}" make -f shipper/Makefile "${goals[@]}"
# Once more with a current librdkafka: what speaks with Kafka is tested with both.
! wants unit || build "all with the bundled librdkafka" make -f shipper/Makefile RDKAFKA=bundled all
! wants e2e || build "the shipper with the bundled librdkafka" make -f shipper/Makefile RDKAFKA=bundled programs
for version in $(printf '%s\n' "${!servers[@]}" | sort -n); do
    PG_CONFIG=${servers[$version]} build "the extension for PostgreSQL $version" scripts/make-extension.sh all
done

# ---- the suites; each leaves "<passed> <failed>" in a file, and what to show in another. What runs on several servers is
# called with a version, and has it in its name: regress-18.

# PostgreSQL does not run as root.
unprivileged() {
    if ((EUID == 0)); then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

# pg_regress and pg_isolation_regress: SUITE VERSION PROGRAM INPUTDIR TEST…
run_pg_regress() {
    local suite=$1-$2 version=$2 program=$3 input=$4
    shift 4
    local output=$work/$suite bin pgxs
    export PG_CONFIG=${servers[$version]}
    # A private PostgreSQL with the extension.
    if ! bin=$(test/rig/install-postgres.sh "$output-postgres" 2>"$work/$suite.shown"); then
        echo "test.sh: could not install into a private tree; the lines above say why" >>"$work/$suite.shown"
        return
    fi
    pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/..
    mkdir -p "$output/tmp"
    # Both read their input through a copy that the server's user can reach wherever the checkout is.
    mkdir "$output/input"
    cp -r "$input/." "$output/input/"
    # Without an expected file a test is to fail like any other; the programs would stop before the tests behind it.
    local test
    mkdir -p "$output/input/expected"
    for test in "$@"; do
        [[ -e $output/input/expected/$test.out ]] || : >"$output/input/expected/$test.out"
    done
    ! ((EUID == 0)) || chown -R postgres: "$output"
    local status=0
    (
        cd "$output/input" # as `make installcheck` in the checkout: tests include files by their path from there
        # psql's tables are as wide as the locale says. pg_regress takes LC_ALL away.
        PG_REGRESS_DIFF_OPTS=-U3 unprivileged env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE TMPDIR="$output/tmp" \
            LANG=C.UTF-8 LC_CTYPE=C.UTF-8 LC_COLLATE=C.UTF-8 \
            "$pgxs/$program" --bindir="$bin" --inputdir="$output/input" \
            --outputdir="$output" --temp-instance="$output/instance" \
            --load-extension=waybill --dbname="waybill_${suite%-*}" "$@"
    ) >"$output.log" 2>&1 </dev/null || status=$?
    local passed failed
    # TAP since PostgreSQL 16.
    passed=$(grep -cE '^ok |\.\.\. ok' "$output.log" || true)
    failed=$(grep -cE '^not ok |\.\.\. FAILED' "$output.log" || true)
    if ((status != 0 && failed == 0)); then
        failed=1
    fi
    if ((failed > 0)); then
        cat "$output.log"
        cat "$output/regression.diffs" 2>/dev/null || tail -n 40 "$output/log/"*.log 2>/dev/null || true
    fi >"$work/$suite.shown"
    echo "$passed $failed" >"$work/$suite.count"
}

suite_regress() {
    local version=$1 input=$work/regress-input-$1 tests=()
    mapfile -t tests < <(scripts/tests-for-version.sh "$version" sql/*.sql)
    mkdir "$input"
    cp -r sql expected "$input/"
    run_pg_regress regress "$version" test/regress/pg_regress "$input" "${tests[@]}"
}

suite_isolation() {
    local version=$1 tests=()
    mapfile -t tests < <(scripts/tests-for-version.sh "$version" test/isolation/specs/*.spec)
    run_pg_regress isolation "$version" test/isolation/pg_isolation_regress test/isolation "${tests[@]}"
}

suite_unit() {
    local output=$work/unit.log status=0
    build/bundled/waybill-unit-tests --gtest_color=no >"$output.bundled" 2>&1 </dev/null &
    build/waybill-unit-tests --gtest_color=no >"$output" 2>&1 </dev/null || status=$?
    wait $! || status=$?
    cat "$output.bundled" >>"$output"
    local passed failed
    passed=$(grep -cE '^\[       OK \]' "$output" || true)
    failed=$(grep -cE '^\[  FAILED  \] .* \([0-9]+ ms\)' "$output" || true)
    if ((status != 0 && failed == 0)); then
        failed=1
    fi
    if ((failed > 0)); then
        grep -vE '^\[ RUN|^\[       OK|^\[---' "$output" || true
    fi >"$work/unit.shown"
    echo "$passed $failed" >"$work/unit.count"
}

# Tries a target's corpus, then inputs made up for so long: TARGET SECONDS. What it fails for stays in build/fuzz.
fuzz() {
    local target=$1 seconds=$2 input begin=$SECONDS
    local output=$work/fuzz-$target.log corpus=test/fuzz/corpus/$target
    local run=("build/fuzz/$target" -timeout=10 -rss_limit_mb=1024 "-artifact_prefix=build/fuzz/$target-")
    mkdir "$work/fuzz-$target"
    if "${run[@]}" -runs=0 "$corpus" >"$output" 2>&1 </dev/null &&
        # It reads the corpus again, which takes some of the time.
        "${run[@]}" -max_total_time=$((seconds + SECONDS - begin)) -print_final_stats=1 "$work/fuzz-$target" "$corpus" \
            >"$output" 2>&1 </dev/null; then
        sed -n "s/^stat::number_of_executed_units: *\(.*\)/$target: \1 inputs/p" "$output"
        : >"$work/fuzz-$target.passed"
    else
        # From what is wrong on; before that are the inputs of interest.
        grep -E -m 1 -A 40 '^fuzz: |ERROR: |runtime error: ' "$output" || tail -n 40 "$output"
        input=$(sed -n 's/.*Test unit written to //p' "$output" | tail -n 1)
        [[ ! -s $input ]] || od -A d -t x1z "$input"
        echo "$target failed; to see it again: make fuzz && build/fuzz/$target $input"
    fi >"$work/fuzz-$target.shown"
}

suite_fuzz() {
    local times=1 passed=0 failed=0 target
    [[ ${WAYBILL_TEST_LONG:-} != 1 ]] || times=10
    fuzz change_decoder $((60 * times)) &
    fuzz format $((40 * times))
    fuzz shape_parser $((15 * times))
    fuzz toml $((5 * times))
    wait
    for target in change_decoder format shape_parser toml; do
        cat "$work/fuzz-$target.shown" >>"$work/fuzz.shown"
        if [[ -e $work/fuzz-$target.passed ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    echo "$passed $failed" >"$work/fuzz.count"
}

# pytest: SUITE VERSION ARGUMENT…
run_pytest() {
    local suite=$1 pg_config=${servers[$2]} output=$work/$1.log status=0
    shift 2
    # Debian's Python, whatever else is on the path: its packages are what dependencies.sh installs.
    PYTHONDONTWRITEBYTECODE=1 TMPDIR=$work PG_CONFIG=$pg_config /usr/bin/python3 -m pytest -p no:cacheprovider -q --tb=short --durations=8 \
        --color=no --junit-xml="$work/$suite.xml" "$@" >"$output" 2>&1 </dev/null || status=$?
    local counts=()
    read -ra counts < <(/usr/bin/python3 - "$work/$suite.xml" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
try:
    suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
    total, bad = (sum(int(suite.get(name)) for name in names) for names in (("tests",), ("failures", "errors")))
    print(total - bad - int(suite.get("skipped")), bad)
except OSError:
    print(0, 0)
PYTHON
    )
    if ((status != 0 && counts[1] == 0)); then
        counts[1]=1
    fi
    if ((counts[1] > 0)); then
        cat "$output"
    else
        grep -E 's (call|setup|teardown) ' "$output" || true
    fi >"$work/$suite.shown"
    echo "${counts[0]} ${counts[1]}" >"$work/$suite.count"
}

suite_e2e() {
    local arguments=()
    read -ra arguments <<<"${WAYBILL_TEST_E2E:-}"
    run_pytest "e2e-$1" "$1" "${arguments[@]}" test/e2e
}

# Gross regressions of speed: a minute.
suite_speed() {
    run_pytest speed "$default_version" -rP test/bench/test_smoke.py
    grep ' against ' "$work/speed.log" >>"$work/speed.shown" || true
}

# Each check of `make lint` counts as one.
suite_lint() {
    local passed=0 failed=0 check
    export PG_CONFIG=${servers[$default_version]}
    for check in lint-boundary lint-format lint-tidy; do
        local make=(make)
        [[ $check != lint-boundary ]] || make=(scripts/make-extension.sh) # where it is built
        if "${make[@]}" -s -j"$(nproc)" -k "$check" >"$work/$check.log" 2>&1 </dev/null; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            grep -v 'warnings generated' "$work/$check.log" | tail -n 60 >>"$work/lint.shown"
        fi
    done
    echo "$passed $failed" >"$work/lint.count"
}

# SUITE, or SUITE-VERSION.
start() {
    local suite=$1
    echo "0 0" >"$work/$suite.count"
    : >"$work/$suite.shown"
    # A process group of its own, so that it can be ended with all it started.
    set -m
    (
        trap - EXIT INT TERM HUP
        set +m
        "suite_${suite%-*}" "${suite##*-}"
        : >"$work/$suite.done"
    ) &
    children+=($!)
    set +m
}

finish() {
    local suite=$1 child=$2 passed failed
    wait "$child" || echo "test.sh: suite $suite ended unexpectedly" >>"$work/$suite.shown"
    read -r passed failed <"$work/$suite.count"
    if ((passed + failed == 0)) || [[ ! -e $work/$suite.done ]]; then
        failed=$((failed + 1))
        echo "test.sh: suite $suite ran nothing, or not to its end" >>"$work/$suite.shown"
    fi
    if [[ -s $work/$suite.shown ]]; then
        sed "s/^/$suite: /" "$work/$suite.shown"
    fi
    echo "$suite: $passed passed, $failed failed, $((SECONDS - begin)) s"
    [[ $suite != *-* ]] || keep_count "${suite%-*}" "${suite##*-}" "$passed" "$failed"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
}

# For versions-matrix.py.
keep_count() {
    local suite=$1 version=$2 counts=build/version-counts server
    server=$("${servers[$version]}" --version | cut -d ' ' -f 2)
    touch "$counts"
    sed -i "/^$suite $version /d" "$counts"
    echo "$suite $version $server $3 $4" >>"$counts"
}

# Suites that may run at the same time.
run() {
    local suite first=${#children[@]} begin=$SECONDS
    for suite in "$@"; do start "$suite"; done
    for suite in "$@"; do finish "$suite" "${children[first++]}"; done
}

# One after the other: the end-to-end tests fill the processors with their own load and have deadlines, and what comes
# before them is short.
for version in "${versions[@]}"; do
    [[ -n ${servers[$version]:-} ]] || continue
    both=()
    ! wants regress || both+=("regress-$version")
    ! wants isolation || both+=("isolation-$version")
    run "${both[@]}"
done
! wants unit || run unit
! wants fuzz || run fuzz
if wants e2e; then
    for version in "${e2e_versions[@]}"; do
        [[ -z ${servers[$version]:-} ]] || run "e2e-$version"
    done
fi
! wants speed || run speed
! wants lint || run lint
echo "$total_passed passed, $total_failed failed"
((total_failed == 0))
