#!/bin/sh
# Starting and stopping: configuration, one receiver for an archive, what an earlier one left, ports and
# addresses, and objects in flight when it is told to stop.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu echoscu sqlite3 ss

small=$DATA/odd/good.dcm
large=$DATA/ct-study/S2010/I10

# ---- configuration ----

mkdir "$A"
conf()
{
    printf '%s\n' "$@" >"$A/pacs.conf"
}
wrong()
{
    name=$1 message=$2
    shift 2
    conf "$@"
    check_fails "$name" 2 pacs-recv -A "$A" -p 0
    check_like "$name: said with file and line" 'cat "$LAST"' "^pacs-recv: .*pacs.conf:$message"
}
pacs-recv -A "$A" -p x >/dev/null 2>&1
conf ''
check 'an empty pacs.conf is a good one' pacs-recv -A "$A" --check
check_same 'about which --check says nothing' 'cat "$LAST"' ''
wrong 'a number out of range' '2: max-pdu = 200000: wants a number from 4096 to 131072' '[recv]' 'max-pdu = 200000'
wrong 'no number' '3: port = http: wants a number' '[recv]' '' 'port = http'
wrong 'no choice' '2: sync = never: wants one of object|association|none' '[recv]' 'sync = never'
wrong 'an AE title that is too long' '2: .*AE title' '[recv]' 'aet = SEVENTEEN LETTERS'
wrong 'a list with a hole' '2: calling-aets = A,,B: an empty item is no AE title' '[recv]' 'calling-aets = A,,B'
wrong 'no UID' '2: storage-classes = 1.2, CT: CT is no UID' '[recv]' 'storage-classes = 1.2, CT'
wrong 'an unknown name' '2: .*max-pdus' '[recv]' 'max-pdus = 16384'
wrong 'an unknown section' '1|2: .*\[recieve\]' '[recieve]' 'port = 104'
wrong 'neither' '2: ' '[recv]' 'port'
wrong 'an earlier line of a name is checked as well' '2: port' '[recv]' 'port = x' 'port = 0'
wrong 'what is read elsewhere is checked as well' '2: duplicate = maybe: ' '[store]' 'duplicate = maybe'
check_fails '--check finds it too' 2 pacs-recv -A "$A" --check
conf '[recv]' 'port = 0'
check_fails 'an option is checked by the same rules' 2 pacs-recv -A "$A" --max-pdu 1
check_like 'and named' 'cat "$LAST"' '--max-pdu 1: wants a number from 4096 to 131072'
check_fails '--check makes no archive' 2 pacs-recv -A "$T/new" --check
check_not 'not a folder' test -e "$T/new"
check_fails 'operands are misuse' 2 pacs-recv -A "$A" something
mkdir other && : >other/file
check_fails 'a folder with other things in it is no archive' 2 pacs-recv -A other -p 0

# ---- one at a time ----

check 'it starts' start_recv
check_fails 'a second one on the same archive does not' 2 pacs-recv -A "$A" -p 0
check_like 'and says who serves it' 'cat "$LAST"' "another pacs-recv serves this archive.*pid $RECV_PID"
check_fails 'another archive on the same port does not start either' 2 pacs-recv -A "$T/second" -p "$PORT"
check_like 'and says why' 'cat "$LAST"' "cannot listen on .*:$PORT: Address already in use"
check_fails 'an address that is not ours' 2 pacs-recv -A "$T/second" -p 0 --bind 192.0.2.1
check_fails 'a host that there is not' 2 pacs-recv -A "$T/second" -p 0 --bind no-such-host.invalid
check 'the first one serves on' rawscu -q localhost "$PORT" "$small"
check 'over IPv6' echoscu localhost "$PORT"
check 'and IPv4' rawscu -q 127.0.0.1 "$PORT" "$small"
check 'and IPv6 by address' rawscu -q ::1 "$PORT" "$small"
stop_recv INT
check_same 'SIGINT ends it with status 0' 'echo $RECV_STATUS' 0
check 'it starts on one address' start_recv --bind 127.0.0.1
check 'there it is' rawscu -q 127.0.0.1 "$PORT" "$small"
check_not 'and nowhere else' rawscu -q ::1 "$PORT" "$small"
stop_recv HUP
check_same 'SIGHUP ends it with status 0' 'echo $RECV_STATUS' 0
check 'a host name may have several addresses' start_recv --bind localhost
check 'it listens there' rawscu -q 127.0.0.1 "$PORT" "$small"

# ---- what is left over ----

background rawscu -q --fresh --stall-at 300000 localhost "$PORT" "$large"
check 'half an object has come' wait_for 10 eval '[ $(left) -eq 1 ]'
kill -KILL "$RECV_PID" $(pgrep -P "$RECV_PID")
wait "$RECV_PID" 2>/dev/null
check_same 'killed, it leaves half a file' left 1
: >"$A/incoming/stray"
check 'a new one starts' start_recv
check_same 'and has swept' left 0
check_same 'what was acknowledged is there' rows 1
check 'and can be sent again' rawscu -q localhost "$PORT" "$small"

# ---- objects in flight ----

# The sender stops inside the second object for a second; the receiver is told to stop meanwhile.
background rawscu --fresh --stall-at 300000:1.5 --fault-in 2 localhost "$PORT" "$small" "$large" "$small" >flight 2>&1
sender=$BG_PID
check 'the second object is on its way' wait_for 10 eval '[ $(left) -eq 1 ]'
stop_recv
check_same 'told to stop, it ends with status 0' 'echo $RECV_STATUS' 0
wait "$sender"
check_same 'the object in flight was finished, and answered' 'grep -c "	0000	" flight' 2
check_same 'the third was not begun' 'rows; files; left' '3
3
0'
check_not 'nobody listens any more' echoscu localhost "$PORT"

check 'it starts again' start_recv --stop-timeout 1 --timeout 60
background rawscu --fresh --stall-at 300000 localhost "$PORT" "$large" >flight 2>&1
sender=$BG_PID
check 'an object is on its way' wait_for 10 eval '[ $(left) -eq 1 ]'
stop_recv
check_same 'one that does not come to its end does not hold it up' 'echo $RECV_STATUS' 0
check 'which is said' told 'the receiver stops, and the object took too long'
check_same 'and nothing is left of it' 'rows; left' '3
0'
wait "$sender"
check_same 'its sender got no success' 'grep -c "	0000	" flight' 0

check 'it starts again' start_recv -v
background rawscu -q --hold 30 localhost "$PORT" "$small"
check 'an idle association' told 'association accepted'
stop_recv
check_same 'does not hold it up' 'echo $RECV_STATUS' 0

# A worker that is killed takes nothing with it, and its death is told.
check 'it starts again' start_recv
background rawscu -q --fresh --stall-at 300000 localhost "$PORT" "$large"
check 'an object is on its way' wait_for 10 eval '[ $(left) -eq 1 ]'
kill -KILL "$(pgrep -P "$RECV_PID")"
check 'a worker that dies is told of, with its peer' told '127.0.0.1: worker [0-9]+ died by signal 9'
check 'what it left is swept' wait_for 20 eval '[ $(left) -eq 0 ]'
check 'the next sender is served' rawscu -q --fresh localhost "$PORT" "$small"

# The listener alone is killed: a worker finishes its object, and a new receiver can start.
background rawscu --fresh --stall-at 300000:2 localhost "$PORT" "$large" >flight 2>&1
sender=$BG_PID
check 'an object is on its way' wait_for 10 eval '[ $(left) -eq 1 ]'
kill -KILL "$RECV_PID"
wait "$RECV_PID" 2>/dev/null
check 'a new receiver starts at once' start_recv
wait "$sender"
check_same 'the worker of the old one finished its object' 'grep -c "	0000	" flight' 1
check_same 'which is found' 'rows; files' '5
5'
stop_recv
done_testing
