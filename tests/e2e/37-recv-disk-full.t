#!/bin/sh
# A disk that is full for some objects of an association: they are refused with A700, the association goes on,
# and the next objects are stored when there is room.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
. "$SRC/tests/fault/disk.sh"
require_tool pacs-recv rawscu sqlite3 fallocate
disk_or_skip 64M

small=$DATA/odd/good.dcm
large=$DATA/ct-study/S2010/I10
check 'the receiver starts' start_recv
fallocate -l "$(($(df --output=avail -k "$DISK" | tail -n 1) - 300))K" "$DISK/filler"
# The fifth object waits inside itself until there is room again.
background rawscu --fresh --fault-in 5 --stall-at 1000:4 localhost "$PORT" \
    "$small" "$large" "$large" "$small" "$large" "$large" "$small" >sent
sender=$BG_PID
check 'large objects are refused' wait_for 20 sh -c 'test $(grep -c "answered A700" '"$RECV_ERR"') -eq 2'
rm "$DISK/filler"
wait "$sender"
check_same 'small ones had room, later ones have it again' 'grep -v "^summary" sent | cut -f2 | paste -sd " "' \
    '0000 a700 a700 0000 0000 0000 0000'
check_like 'the sender reads why' 'cat sent' '	a700	[0-9]+	.*No space left'
check_same 'what was acknowledged is there, and nothing else' 'rows; files; left' '5
5
0'
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
done_testing
