#!/bin/sh
# kill -9 of a worker at random moments: its association breaks, the others and the listener go on, and
# every object is in the archive as it was sent or not at all; those that were acknowledged are.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
require_tool dcmdump sqlite3 pgrep

fresh
check 'the receiver starts' restart
listener=$RECV_PID
wanted=$(rounds 25 250)
round=0 killed=0 same=0
while [ $round -lt "$wanted" ]; do
    round=$((round + 1))
    # One sender in odd rounds, four in even ones: one of these loses its worker.
    sender --seed "$((SEED + round))" --parallel $((round % 2 ? 1 : 4)) --repeat 150 >>sender.log 2>&1 &
    pid=$!
    random_ms 5 400
    sleep "$RANDOM_S"
    victim=$(workers | head -n 1)
    [ -z "$victim" ] || ! kill -9 "$victim" || killed=$((killed + 1))
    wait $pid
    [ "$listener" != "$RECV_PID" ] || ! kill -0 "$listener" || same=$((same + 1))
    if [ $((round % 50)) -eq 0 ]; then
        stop_recv
        restart
        listener=$RECV_PID
        verify "after $round rounds"
        stop_recv
        fresh
        restart
        listener=$RECV_PID
    fi
done
note "$killed workers killed"
check_same 'workers were killed in most rounds' "[ $killed -ge $((wanted / 2)) ] && echo yes" yes
check_same 'the listener lived through all of them' 'echo $same' "$wanted"
check 'and answers' rawscu --echo 1 localhost "$PORT"
check 'no worker is left' wait_for 10 no_workers
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
check 'and starts again' restart
verify 'at the end'
check 'the last round again, unbroken: all succeed' \
    sender --seed "$((SEED + round))" --repeat 150
verify 'after that'
stop_recv
done_testing
