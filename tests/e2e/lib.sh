# shellcheck shell=sh disable=SC2034
# What every end-to-end test shares. POSIX sh; sourced, never run.
#
# A test is a file tests/e2e/NN-<tool>-<story>.t:
#
#     #!/bin/sh
#     # One sentence: what this test shows.
#     . "$(dirname "$0")/lib.sh"
#     require_tool dcmdump                     # else the whole test is skipped, with the reason
#
#     pacs-index -q --import "$DATA/ct-study" -A "$A"      # arrange as a user would
#     check 'one study is found' pacs-find -A "$A" Modality=CT
#     check_same 'its objects' 'pacs-find -A "$A" -L instance | wc -l' 5
#     check_fails 'nothing matches' 1 pacs-find -A "$A" Modality=XX
#     done_testing
#
# Run one with `prove tests/e2e/NN-....t`, or `sh tests/e2e/NN-....t` to see all it prints; KEEP=1
# leaves its folder there. SAN=1 takes the sanitized build, B=FOLDER any other.
#
# Set for the test:
#     B       folder of the binaries, first in PATH; $B/tests holds the tests' own programs
#     SRC     root of the source tree; DATA: the DICOM files, $SRC/tests/data/dicom
#     T       a folder of the test's own, the working folder, removed at the end
#     A       $T/archive, for an archive; not made yet, not exported
#     LAST    file with stdout and stderr of the last check, check_not or check_fails, for a check_same
#             or check_like after it to look into
#
# Checks (each prints one TAP line and, on failure, what was seen; none ends the test):
#     check NAME COMMAND...              succeeds when the command does
#     check_not NAME COMMAND...          succeeds when the command does not (any status but 0)
#     check_fails NAME STATUS COMMAND... succeeds when it exits with exactly STATUS
#     check_same NAME SCRIPT TEXT        SCRIPT (eval'ed; status ignored) prints exactly TEXT
#     check_like NAME SCRIPT REGEX       SCRIPT's stdout and stderr hold a line that matches (grep -E)
#     check_unlike NAME SCRIPT REGEX     they hold none
#     pass NAME, fail NAME [WHY]
#     skip NAME REASON                   counts as passed, shown as skipped
#     skip_all REASON                    ends the test as skipped (only before the first check)
#     plan N                             at the start, instead of done_testing at the end
#     done_testing                       the last line; without it or a plan the test fails
#     note TEXT...                       a comment in the output
#
# Receivers (pacs-recv on a port that the system chooses):
#     start_recv [OPTION...]   on archive $A; sets PORT, RECV_PID; output in $RECV_OUT, $RECV_ERR
#     stop_recv [SIGNAL]       TERM unless said; waits; sets RECV_STATUS
#     wait_for SECONDS COMMAND...        until the command succeeds; status 1 if it never did
#     free_port                prints a TCP port that nobody listens on, for other servers
#     background COMMAND...    starts it, sets BG_PID; killed at the end like all children
#
# Others:
#     require_tool NAME...     skips the whole test when one is not installed
#     under_valgrind COMMAND...  runs it; status 99 if memory was misused or lost
#     values FILE TAG...       dcmdump's values of the tags, one a line, without brackets

set -u
umask 022
LC_ALL=C.UTF-8
TZ=UTC
export LC_ALL TZ

SRC=$(cd "$(dirname "$0")/../.." && pwd) || exit 2
B=${B:-$SRC/build${SAN:+-san}}
case $B in /*) ;; *) B=$SRC/$B ;; esac
DATA=$SRC/tests/data/dicom
T=$(mktemp -d "${TMPDIR:-/tmp}/pacs-test.XXXXXX") || exit 2
A=$T/archive
LAST=$T/.last
test_seen=$T/.seen
PATH=$B:$B/tests:$PATH
export PATH
unset PACS_ARCHIVE
if [ -n "${SAN:-}" ]; then
    # A finding ends the program with a status that no tool has by itself.
    ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=98:detect_leaks=1:allocator_may_return_null=1}
    UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1:exitcode=98}
    [ ! -f "$SRC/tests/lsan.supp" ] || LSAN_OPTIONS=suppressions=$SRC/tests/lsan.supp:print_suppressions=0
    export ASAN_OPTIONS UBSAN_OPTIONS ${LSAN_OPTIONS+LSAN_OPTIONS}
fi

test_count=0
test_failed=0
test_planned=
test_children=
PORT=
RECV_PID=
RECV_STATUS=

# Processes die by their number, and with what they started in their own group if they lead one.
test_cleanup()
{
    test_status=$?
    trap - EXIT INT TERM HUP
    for test_pid in $test_children; do
        kill "$test_pid" 2>/dev/null
    done
    for test_pid in $test_children; do
        test_tries=0
        while kill -0 "$test_pid" 2>/dev/null && [ $test_tries -lt 50 ]; do
            sleep 0.1
            test_tries=$((test_tries + 1))
        done
        kill -KILL "$test_pid" 2>/dev/null
        wait "$test_pid" 2>/dev/null
    done
    cd / || :
    if [ -n "${KEEP:-}" ]; then
        echo "# kept: $T"
    else
        chmod -R u+rwX "$T" 2>/dev/null
        rm -rf "$T"
    fi
    if [ $test_status -eq 0 ] && [ -z "$test_planned" ]; then
        echo "# the test ended without done_testing"
        exit 3
    fi
    [ $test_failed -eq 0 ] || exit 1
    exit $test_status
}
trap test_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

note()
{
    printf '%s\n' "$*" | sed 's/^/# /'
}

pass()
{
    test_count=$((test_count + 1))
    printf 'ok %d - %s\n' $test_count "$1"
}

fail()
{
    test_count=$((test_count + 1))
    test_failed=$((test_failed + 1))
    printf 'not ok %d - %s\n' $test_count "$1"
    [ -z "${2:-}" ] || note "$2"
    return 0
}

skip()
{
    test_count=$((test_count + 1))
    printf 'ok %d - %s # SKIP %s\n' $test_count "$1" "$2"
}

skip_all()
{
    printf '1..0 # SKIP %s\n' "$1"
    test_planned=0
    exit 0
}

plan()
{
    test_planned=$1
    printf '1..%d\n' "$1"
}

done_testing()
{
    if [ -z "$test_planned" ]; then
        test_planned=$test_count
        printf '1..%d\n' $test_count
    fi
}

# A command's output, as comments, bounded.
test_show()
{
    head -c 4000 "${1:-$LAST}" | head -n 40 | tr '\000' '@' | sed 's/^/#   /'
}

check()
{
    test_name=$1
    shift
    if "$@" >"$LAST" 2>&1 </dev/null; then
        pass "$test_name"
    else
        fail "$test_name" "status $?: $*"
        test_show
    fi
}

check_not()
{
    test_name=$1
    shift
    "$@" >"$LAST" 2>&1 </dev/null
    test_got=$?
    # A crash or a finding of a sanitizer is no orderly failure.
    if [ $test_got -ne 0 ] && [ $test_got -lt 98 ]; then
        pass "$test_name"
    else
        fail "$test_name" "status $test_got: $*"
        test_show
    fi
}

check_fails()
{
    test_name=$1
    test_want=$2
    shift 2
    "$@" >"$LAST" 2>&1 </dev/null
    test_got=$?
    if [ $test_got -eq "$test_want" ]; then
        pass "$test_name"
    else
        fail "$test_name" "status $test_got instead of $test_want: $*"
        test_show
    fi
}

check_same()
{
    test_got=$( (eval "$2") 2>"$test_seen" </dev/null)
    if [ "$test_got" = "$3" ]; then
        pass "$1"
    else
        fail "$1" "command:  $2"
        note "expected: $3"
        note "got:      $test_got"
        test_show "$test_seen"
    fi
}

check_like()
{
    (eval "$2") >"$test_seen" 2>&1 </dev/null
    if grep -Eq -e "$3" "$test_seen"; then
        pass "$1"
    else
        fail "$1" "command: $2"
        note "no line matches: $3"
        test_show "$test_seen"
    fi
}

check_unlike()
{
    (eval "$2") >"$test_seen" 2>&1 </dev/null
    if grep -Eq -e "$3" "$test_seen"; then
        fail "$1" "command: $2"
        note "a line matches: $3"
        test_show "$test_seen"
    else
        pass "$1"
    fi
}

require_tool()
{
    for test_tool in "$@"; do
        command -v "$test_tool" >/dev/null 2>&1 || skip_all "$test_tool is not installed"
    done
}

wait_for()
{
    test_tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ $test_tries -gt 0 ] || return 1
        test_tries=$((test_tries - 1))
        sleep 0.05
    done
}

background()
{
    "$@" &
    BG_PID=$!
    test_children="$test_children $BG_PID"
}

test_port_free()
{
    ! ss -Htln "sport = :$1" | grep -q .
}

# Above the ports that the kernel gives away by itself where possible, from a place that differs
# between tests that run at the same time.
free_port()
{
    test_port=$((20000 + ($$ * 7 + test_count * 13) % 12000))
    until test_port_free $test_port; do
        test_port=$((test_port + 1))
    done
    echo $test_port
}

start_recv()
{
    RECV_OUT=$T/recv.out
    RECV_ERR=$T/recv.err
    RECV_STATUS=
    rm -f "$T/recv.port"
    pacs-recv -A "$A" -p 0 --port-file "$T/recv.port" "$@" >>"$RECV_OUT" 2>>"$RECV_ERR" </dev/null &
    RECV_PID=$!
    test_children="$test_children $RECV_PID"
    test_tries=400
    until [ -s "$T/recv.port" ]; do
        if ! kill -0 $RECV_PID 2>/dev/null || [ $test_tries -eq 0 ]; then
            note "pacs-recv does not listen:"
            note "$(tail -n 5 "$RECV_ERR")"
            PORT=
            return 1
        fi
        test_tries=$((test_tries - 1))
        sleep 0.05
    done
    PORT=$(cat "$T/recv.port")
}

stop_recv()
{
    kill -"${1:-TERM}" "$RECV_PID" 2>/dev/null
    # A signal that a trap of this shell handles could end wait early: ask again.
    while :; do
        wait "$RECV_PID" 2>/dev/null
        RECV_STATUS=$?
        kill -0 "$RECV_PID" 2>/dev/null || break
    done
    test_new=
    for test_pid in $test_children; do
        [ "$test_pid" = "$RECV_PID" ] || test_new="$test_new $test_pid"
    done
    test_children=$test_new
    return 0
}

under_valgrind()
{
    if [ -n "${SAN:-}" ]; then
        "$@" # the sanitizers look already, and do not go with valgrind
        return
    fi
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        --child-silent-after-fork=no "$@"
}

values()
{
    test_file=$1
    shift
    for test_tag in "$@"; do
        set -- "$@" +P "$test_tag"
        shift
    done
    dcmdump -q "$@" "$test_file" 2>/dev/null |
        sed -n 's/^ *([0-9a-fA-F,]*) [A-Z?][A-Z?] \(.*[^ ]\) *#.*$/\1/p' | sed 's/^\[\(.*\)\]$/\1/'
}

cd "$T" || exit 2
