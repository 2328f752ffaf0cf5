#!/bin/sh
# Connections that end, hang or go wrong at any byte, from the association request to the data set: each
# ends in an answer, an abort or a close; the receiver and its other peers go on; nothing half is stored,
# and nothing is acknowledged that is not.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
require_tool dcmdump sqlite3 pgrep

fresh
check 'the receiver starts' restart --timeout 2 --negotiation-timeout 2 --idle-timeout 5
open_files()
{
    find "/proc/$RECV_PID/fd" -mindepth 1 | wc -l
}
wait_for 10 no_workers
before=$(open_files)
number=0
# One run, whatever comes of it: what rawscu cannot make sense of is counted, and so is silence.
run()
{
    number=$((number + 1))
    rawscu --timeout 20 --fresh --seed "$((SEED + number))" --acks acks --tries tries --digest "$@" \
        localhost "$PORT" "$SMALL" >>run.log 2>&1
    echo "$number $? $*" >>runs
}

# Lengths in bytes of what rawscu sends first: the request, the command's PDU, the heads of the data's.
request=$((6 + 68 + 4 + 21 + 4 + 4 + 4 + 25 + 4 + 19 + 4 + 8 + 4 + 34 + 4 + 6))
command=$((12 + 12 + 34 + 40 + 8 + 34))
data=$(($(stat -c %s "$SMALL") - 144 - $(od -An -tu4 -j140 -N4 "$SMALL")))
object=$((command + 12 + data))
step=5
[ -z "${SOAK:-}" ] || step=1
[ -z "${SAN:-}" ] || step=$((step * 5))

note 'the association request, cut and changed'
for at in $(seq $((SEED % step)) "$step" $((request - 1))); do
    run --from-start --corrupt-at "$at"
    run --from-start --cut-at "$at"
done
note 'messages cut, reset, aborted'
for at in $(seq $((SEED % step)) "$((step * 4))" $((object - 1))); do
    run --cut-at "$at"
    run --reset-at "$at"
    run --max-pdu 64 --abort-at "$at"
done
note 'the command, and the heads of its PDUs, changed'
for at in $(seq $((SEED % step)) "$step" $((command + 11))); do
    run --corrupt-at "$at"
done
note 'protocol broken on purpose'
for nonsense in '--garbage 1' '--garbage 6' '--garbage 100' '--garbage 100000' '--context-id 2' '--context-id 255' \
    '--pdv-lie 1' '--pdv-lie 1000000' '--pdv-lie 2147483647' '--pdu-lie 1' '--pdu-lie -7' \
    '--pdu-lie 2000000000' '--odd-pdu 0' '--odd-pdu 1' '--odd-pdu 2' '--odd-pdu 3' '--odd-pdu 5' '--odd-pdu 6' \
    '--odd-pdu 7' '--odd-pdu 8' '--odd-pdu 255' '--data-first' '--no-data' '--no-last' '--omit 0000,0000' \
    '--omit 0000,0002' '--omit 0000,0100' '--omit 0000,0110' '--omit 0000,0700' '--omit 0000,0800' \
    '--omit 0000,1000' '--omit 0000,0002;0000,0100;0000,0110;0000,0800;0000,1000' '--command-field 0x8001' \
    '--command-field 0x0FFF' '--command-field 0x0020' '--command-field 0xFFFF' '--group-length-lie 1000000' \
    '--group-length-lie -50' '--extra 100' '--extra 70000' '--extra 5000000' '--pdv 1' '--pdv 2 --max-pdu 64' \
    '--together' '--no-release' '--max-pdu 400000 --beyond'; do
    # shellcheck disable=SC2086 # several options
    run $nonsense
done
note 'silence'
run --from-start --stall-at 3
run --from-start --stall-at $((request - 1))
run --stall-at 0
run --stall-at 5
run --stall-at $((object - 1))

check_same 'every peer got an end: nobody waited in vain' 'grep -c "no answer for" run.log' 0
check_same 'none but these ends: success, failure, no association' 'cut -d" " -f2 runs | sort -u | paste -sd" "' '0 1 2'
check_same 'no message that broke off was acknowledged' 'grep -E "^[0-9]+ 0 (--max-pdu 64 --abort|--cut|--reset)" runs' ''
check_same 'what is merely odd is taken' 'grep -Ec "^[0-9]+ 0 (--pdv 1|--together|--no-release|--omit 0000,0700)$" runs' 4
check_same 'the receiver lives' 'kill -0 $RECV_PID && echo yes' yes
check 'no worker is left' wait_for 20 no_workers
check_same 'no descriptor either' open_files "$before"
check_unlike 'no worker crashed' 'cat "$RECV_ERR"' 'signal|Sanitizer|runtime error|assert'
check 'a sound object is taken' sender --seed "$((SEED + number + 1))"
verify 'after all that' may-quarantine

note 'the data set changed or cut short within its frames: stored or not, but as it was received'
for at in $(seq $((command + 12 + SEED % step)) "$step" $((object - 1))); do
    rawscu --timeout 20 --fresh --seed "$((SEED + 100000 + at))" --corrupt-at "$at" localhost "$PORT" "$SMALL"
    rawscu --timeout 20 --fresh --seed "$((SEED + 200000 + at))" --pdv-lie -$((at - command)) localhost "$PORT" "$SMALL"
done >run.log 2>&1
check_same 'every peer got an answer' 'grep -c "no answer for" run.log' 0
check_same 'the receiver lives' 'kill -0 $RECV_PID && echo yes' yes
list_stored
check_same 'index and files agree' 'sqlite3 "file:$A/index.db?mode=rw" "SELECT uid FROM instance" | sort | comm -3 - files' ''
check_same 'files are named by the UIDs in them' 'cat stored.misnamed' ''
check_unlike 'no worker crashed' 'cat "$RECV_ERR"' 'signal|Sanitizer|runtime error|assert'
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
done_testing
