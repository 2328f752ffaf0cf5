#!/bin/sh
# kill -9 of the listener, and of the listener with all its workers, at random moments: the next start
# finds a consistent archive, and sweeps what was not finished.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
require_tool dcmdump sqlite3 pgrep

fresh
wanted=$(rounds 20 220)
round=0 broken=0 started=0 left=0
while [ $round -lt "$wanted" ]; do
    round=$((round + 1))
    restart || break
    started=$((started + 1))
    left=$((left + $(find "$A/incoming" -type f -links 1 | wc -l)))
    parallel=$((round % 2 ? 1 : 4))
    sender --seed "$((SEED + round))" --parallel $parallel --repeat 400 >sender.log 2>&1 &
    pid=$!
    random_ms 5 500
    sleep "$RANDOM_S"
    # With its workers, as by a supervisor that kills a service, or alone: then workers may finish
    # what they have, or end; both are orderly.
    if [ $((round % 3)) -eq 0 ]; then
        kill -9 "$RECV_PID"
    else
        # shellcheck disable=SC2046 # several
        kill -9 "$RECV_PID" $(workers)
    fi
    stop_recv KILL
    wait $pid
    [ $? -eq 0 ] || broken=$((broken + 1))
    if [ $((round % 50)) -eq 0 ]; then
        restart
        verify "after $round rounds"
        stop_recv
        fresh
    fi
done
check_same 'the receiver started again every time' 'echo $started' "$wanted"
check_same 'and had swept incoming/ by then' 'echo $left' 0
check_same 'senders were interrupted in most rounds' "[ $broken -ge $((wanted / 2)) ] && echo yes" yes
check 'it starts' restart
verify 'at the end'
check_fails 'a second receiver on the archive is refused' 2 pacs-recv -A "$A" -p 0
check 'the last round again, unbroken: all succeed' \
    sender --seed "$((SEED + round))" --repeat 400
verify 'after that'
stop_recv

rm -f "$A"/index.db*
check 'without its index, rebuilt by hand' pacs-index -A "$A" --rebuild
verify 'rebuilt'
done_testing
