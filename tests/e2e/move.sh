# shellcheck shell=sh disable=SC2034,SC2154
# What the tests of sending and retrieval share; sourced after lib.sh.
#
#     start_fake [NAME=VALUE...]  tests/tools/fakescp.py; sets FAKE_PORT, FAKE_PID; its log is $FAKE_LOG (emptied)
#     stop_child PID
#     faked REGEX                 its log holds a line that matches; waits up to 10 s
#     start_storescp [OPTION...]  into ./got (emptied); sets SCP_PORT, SCP_PID
#     peer NAME PORT [SETTING...] adds a [peer] to the archive's pacs.conf, a setting as "name = value"
#     data_set FILE               the bytes of a Part 10 file behind its meta header, with a NUL if their number is odd
#     pixels FILE                 the checksum of its pixel data, as dcmdump writes them
#     raw_retrieve ARGUMENT...    tests/tools/rawretrieve.py on $PORT

stop_child()
{
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    return 0
}

start_fake()
{
    FAKE_LOG=$T/fake.log
    rm -f "$T/fake.port"
    : >"$FAKE_LOG"
    python3 "$SRC/tests/tools/fakescp.py" "$T/fake.port" "$@" >>"$FAKE_LOG" 2>&1 </dev/null &
    FAKE_PID=$!
    test_children="$test_children $FAKE_PID"
    wait_for 10 test -s "$T/fake.port" || note "fakescp.py does not listen: $(cat "$FAKE_LOG")"
    FAKE_PORT=$(cat "$T/fake.port")
}

faked()
{
    wait_for 10 grep -Eq -e "$1" "$FAKE_LOG"
}

start_storescp()
{
    rm -rf got
    mkdir got
    SCP_PORT=$(free_port)
    storescp "$@" -od got "$SCP_PORT" >storescp.log 2>&1 </dev/null &
    SCP_PID=$!
    test_children="$test_children $SCP_PID"
    wait_for 10 test_port_taken "$SCP_PORT"
}

test_port_taken()
{
    ! test_port_free "$1"
}

peer()
{
    {
        printf '[peer %s]\nhost = localhost\nport = %s\n' "$1" "$2"
        shift 2
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >>"$A/pacs.conf"
}

data_set()
{
    # (0002,0000) is the first element, at byte 132, and says how many bytes follow it.
    test_from=$((144 + $(od -An -tu4 -j140 -N4 "$1")))
    tail -c +$((test_from + 1)) "$1"
    [ $((($(stat -c %s "$1") - test_from) % 2)) -eq 0 ] || printf '\0'
}

pixels()
{
    rm -rf .pixels
    mkdir .pixels
    dcmdump -q +W .pixels "$1" >/dev/null 2>&1
    cat .pixels/* | sha256sum
}

raw_retrieve()
{
    python3 "$SRC/tests/tools/rawretrieve.py" "$PORT" "$@"
}
