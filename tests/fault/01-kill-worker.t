#!/bin/sh
# kill -9 of a worker at random moments: its association breaks, the others and the listener go on, and
# every object is in the archive as it was sent or not at all; those that were acknowledged are.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/verify.sh"
require_tool dcmdump sqlite3 pgrep

fresh
check 'the receiver starts' restart
LISTENER=$RECV_PID
wanted=$(rounds 25 250)
round=0 killed=0
while [ $round -lt "$wanted" ]; do
    round=$((round + 1))
    # One sender in odd rounds, four in even ones: one of these loses its worker.
    parallel=$((round % 2 ? 1 : 4))
    sender --seed "$((SEED + round))" --parallel $parallel --repeat 150 >>sender.log 2>&1 &
    pid=$!
    random_ms 5 400
    sleep "$RANDOM_S"
    victim=$(workers | head -n 1)
    [ -z "$victim" ] || ! kill -9 "$victim" || killed=$((killed + 1))
    wait $pid
    [ $((round % 50)) -ne 0 ] || { verify "after $round rounds"; fresh_lists=1; }
done
note "$killed workers killed"
check_same 'workers were killed in most rounds' "[ $killed -ge $((wanted / 2)) ] && echo yes" yes
check_same 'the listener is still the same' 'kill -0 $LISTENER && echo yes' yes
check 'and answers' rawscu --echo 1 localhost "$PORT"
check_same 'no worker is left' 'wait_for 10 test -z "$(workers)"; workers' ''
check 'stopping is orderly' stop_recv
check_same 'status 0' 'echo $RECV_STATUS' 0
check 'and starts again, which sweeps' restart
verify 'at the end'
check 'the last round again, unbroken: all succeed' \
    sender --seed "$((SEED + round))" --repeat 150
verify 'after that'
stop_recv
done_testing
