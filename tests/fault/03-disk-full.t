#!/bin/sh
# A disk that runs full while four senders store: A700 for what does not fit, nothing half, nothing
# acknowledged that is not there; and it goes on by itself when there is room again.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
. "$SRC/tests/fault/disk.sh"
require_tool dcmdump sqlite3
disk_or_skip 160M

fresh
fallocate -l 100M "$DISK/filler"
check 'the receiver starts' restart
wanted=$(rounds 1 10)
round=0
while [ $round -lt "$wanted" ]; do
    round=$((round + 1))
    # 600 objects, 105 MB, into some 50 MB: the line of each says what became of it.
    rawscu --seed "$((SEED + round))" --repeat 200 --parallel 4 --study-size 25 --acks acks --tries tries \
        --digest localhost "$PORT" "$SMALL" "$CT" "$SMALL" >lines 2>lines.err
    check_same 'every object was answered: success, or out of resources' \
        'grep -v "^summary" lines | cut -f2 | sort -u | paste -sd" "; cat lines.err' '0000 a700'
    check_like 'with a reason that a person can read' 'grep "	a700	" lines' '	a700	[0-9]+	.*[Nn]o space'
    check_same 'the disk is full' 'free=$(df --output=avail -k "$DISK" | tail -n 1); [ "$free" -lt 1024 ] && echo full' full
    check_same 'the receiver lives' 'kill -0 $RECV_PID && echo yes' yes
    check 'no worker is left' wait_for 10 no_workers
    rm "$DISK/filler"
    check 'room again: all that failed is sent again and succeeds' \
        rawscu -q --seed "$((SEED + round))" --repeat 200 --study-size 25 --acks acks --tries tries \
        --digest localhost "$PORT" "$SMALL" "$CT" "$SMALL"
    stop_recv
    check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
    restart
    verify "round $round"
    if [ $round -lt "$wanted" ]; then
        stop_recv
        fresh
        fallocate -l 100M "$DISK/filler"
        restart
    fi
done
stop_recv

# Started on a full disk it may refuse to run, with a message, or run and refuse objects; and what was
# stored stays.
cat /dev/zero >"$DISK/filler" 2>/dev/null
if restart 2>/dev/null; then
    check_fails 'on a full disk, nothing is taken' 1 rawscu --fresh localhost "$PORT" "$CT"
    stop_recv
else
    check_like 'on a full disk it says why it does not start' 'tail -n 1 "$RECV_ERR"' 'pacs-recv: .*[Nn]o space|full'
fi
rm "$DISK/filler"
check 'with room it starts' restart
verify 'at the end'
stop_recv
done_testing
