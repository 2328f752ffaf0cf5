#!/bin/sh
# shellcheck disable=SC2034 # scripts of the checks are evaluated
# C-FIND users that break off, stall, ask two things at once or ask nonsense: the right status or an abort, a
# line in the log, and the next one is served; no worker stays, none grows.
. "$(dirname "$0")/lib.sh"
require_tool pacs-recv pacs-index indexbench python3 findscu sqlite3
. "$SRC/tests/e2e/recv.sh"

raw()
{
    python3 "$SRC/tests/tools/rawfind.py" "$PORT" "$@"
}

workers()
{
    pgrep -P "$RECV_PID" | wc -l
}
no_workers()
{
    [ "$(workers)" -eq 0 ]
}

# More responses than any socket buffers: 100,000 studies would be 30 MB.
pacs-index -q --import -A "$A" "$DATA/odd/good.dcm"
indexbench write "$A" 60000 1 >/dev/null
printf '[recv]\ntimeout = 2\n' >"$A/pacs.conf"
start_recv -v
studies=$(sqlite3 "$A/index.db" 'select count(*) from study')
check_same 'there are many' 'echo $studies' 60001

check_same 'cancelled: FE00 before all is sent, and the next is answered' 'raw cancel 5 | sed "s/^FE00 [0-9]*/FE00/"' 'FE00
0000 0
released'
check 'the log says so' told 'C-FIND: [0-9]+ matches, cancelled'
check_same 'sent by far not all' "sed -n 's/.*C-FIND: \([0-9]*\) matches, cancelled/\1/p' '$RECV_ERR' | awk '{ print (\$1 < 60000) }'" 1
check_same 'findscu cancels' 'findscu -v -S -k QueryRetrieveLevel=STUDY -k PatientName --cancel 3 localhost $PORT 2>&1 | grep -c "Final Find Response (Cancel"' 1
check_same 'a C-CANCEL that comes late harms nobody' 'raw late' "0000 $studies
0000 $studies
released"
check_like 'a second request before the first is answered' 'raw twice' '^ended: (aborted by source 0|closed)'
check 'the log says why' told 'aborted: request 0020 before the C-FIND was answered'
check_same 'an abort in the middle' 'raw abort' ''
# Whichever is seen first: its word, or that it takes no more.
check 'is known' told 'association lost: (the peer aborted|writing to the peer)'
check_same 'a connection that vanishes' 'raw vanish' ''
check 'is known too' told 'association lost: (writing to the peer|the peer closed)'
check_like 'a peer that does not read for 2 s' 'raw stall 6' '^ended: (aborted|closed)'
check 'is given up' told 'aborted: the peer took nothing for 2 s'
check 'no worker stays' wait_for 20 no_workers

# ---- identifiers ----

check_same 'none' 'raw nothing' 'C001 0
released'
check 'the log says so' told 'C-FIND refused with C001: no identifier'
# Cut in a header; a length beyond; FFFFFFFE; an item alone; a sequence that never ends.
for bytes in 00 0800520008000000 08005200feffffff5354554459 feff00e000000000 08004011ffffffff; do
    check_same "broken: $bytes" "raw raw $bytes" 'C001 0
released'
done
deep=$(printf '08004011fffffffffeff00e0ffffffff%.0s' $(seq 1 2000))
check_same 'nested 2,000 deep' 'raw raw $deep' 'C001 0
released'
check_same 'no level' 'raw raw 10001000 2>/dev/null; raw find "" name=' 'C001 0
released
A900 0
released'
check_same 'a date that is none' 'raw find STUDY date=20240230' 'C001 0
released'
names=$(printf 'a*b*c*d*e*f\\%.0s' $(seq 1 2000))
check_same 'a list of 2,000 wild cards is more than anyone asks' 'raw find STUDY name="$names"' 'C001 0
released'
check_same 'big endian is not accepted' 'raw -s big nothing' 'ended: context refused: 4'

# ---- giant lists ----

# Four megabytes are the most that is taken; the sanitizers need memory of their own.
check_same 'a list of 100,000 UIDs, three times' 'raw repeat 92000 3' '0000 0
0000 0
0000 0
released'
check_like 'more than 4 MB' 'raw repeat 110000 1' '^ended: (aborted by source 0|closed)'
check 'is too much' told 'an identifier of more than 4 MB'
if [ -z "${SAN:-}" ]; then
    # The same list once and six times: the most memory that the worker ever had is the same but for crumbs.
    peak()
    {
        raw repeat 92000 "$1" >/dev/null &
        peak_client=$!
        most=0
        while kill -0 $peak_client 2>/dev/null; do
            for worker in $(pgrep -P "$RECV_PID"); do
                now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$worker/status" 2>/dev/null)
                [ "${now:-0}" -le $most ] || most=$now
            done
            sleep 0.02
        done
        echo $most
    }
    once=$(peak 1)
    often=$(peak 6)
    note "a worker's peak: $once kB for one list of 92,000, $often kB for six"
    check 'memory does not grow with what was asked' test "$often" -lt $((once + once / 4))
    check 'and has a bound' test "$often" -lt 100000
    # An ordinary long answer.
    raw find STUDY name= date= study= >/dev/null &
    client=$!
    most=0
    while kill -0 $client 2>/dev/null; do
        for worker in $(pgrep -P "$RECV_PID"); do
            now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$worker/status" 2>/dev/null)
            [ "${now:-0}" -le $most ] || most=$now
        done
        sleep 0.02
    done
    check "60,000 responses in 20 MB ($most kB)" test "$most" -gt 0 -a "$most" -lt 20480
fi
check 'no worker stays' wait_for 20 no_workers
check_same 'the receiver still answers' 'findscu -v -S -k QueryRetrieveLevel=STUDY -k PatientID=P00000100 localhost $PORT 2>&1 | grep -c "Final Find Response (Success)"' 1
stop_recv
check_same 'and ends well' 'echo $RECV_STATUS' 0
done_testing
