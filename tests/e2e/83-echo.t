#!/bin/sh
# pacs-echo: who is there, how long it took, and a status that monitoring can use. The others are DCMTK's storescp and
# our own receiver; one peer is dead, one keeps silent, one rejects.
. "$(dirname "$0")/lib.sh"
require_tool storescp jq python3 pacs-recv pacs-echo

one=$(free_port)
background storescp "$one"
mute=$((one + 1))
until test_port_free $mute; do mute=$((mute + 1)); done
# Takes connections, and says nothing.
background python3 -c "
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $mute)); s.listen(8)
time.sleep(600)"
dead=$((mute + 1))
until test_port_free $dead; do dead=$((dead + 1)); done

mkdir "$A"
printf '[recv]\ncalled-aets = PACS\naet = PACS\n' >"$A/pacs.conf"
check 'pacs-recv starts' start_recv
cat >>"$A/pacs.conf" <<END
[peer STORE]
host = 127.0.0.1
port = $one

[peer US]
aet = PACS
host = localhost
port = $PORT
END
wait_for 10 sh -c "! ss -Htln 'sport = :$one' | grep -q '^$'"
wait_for 10 sh -c "! ss -Htln 'sport = :$mute' | grep -q '^$'"

check 'a peer of pacs.conf' pacs-echo -A "$A" STORE
check_like 'its line' 'cat "$LAST"' "^STORE	ok	[0-9]+\\.[0-9]	[0-9]+\\.[0-9][0-9]	STORE	127.0.0.1:$one\$"
check 'the same with @' pacs-echo -A "$A" @STORE
check 'all of them' pacs-echo -A "$A" @all
check_same 'in the order of the file' 'pacs-echo -A "$A" @all | cut -f1,2' 'STORE	ok
US	ok'
check_same 'a peer that is written out needs no archive' "pacs-echo PACS@localhost:$PORT | cut -f1,2" \
    "PACS@localhost:$PORT	ok"
check_same 'JSON' 'pacs-echo -A "$A" --json STORE | jq -r ".Peer, .Status"' 'STORE
ok'
check_same 'quiet: nothing but the status' 'pacs-echo -q -A "$A" @all 2>&1; echo $?' 0
check_same 'several echoes' 'pacs-echo -c 20 -A "$A" STORE | cut -f2' ok

cat >>"$A/pacs.conf" <<END
[peer DEAD]
host = 127.0.0.1
port = $dead

[peer MUTE]
host = 127.0.0.1
port = $mute
timeout = 1

[peer WRONG]
aet = NOBODY
host = localhost
port = $PORT
END
check_fails 'some do not answer: status 1' 1 pacs-echo -A "$A" @all
check_like 'nobody listens' 'cat "$LAST"' '^pacs-echo: DEAD: .*refused'
check_like 'nobody speaks' 'cat "$LAST"' '^pacs-echo: MUTE: the peer kept silent for'
check_like 'the title is not known there' 'cat "$LAST"' '^pacs-echo: WRONG: .*called AE title not recognized'
check_same 'the others are told all the same' 'pacs-echo -A "$A" @all 2>/dev/null | cut -f1,2' 'STORE	ok
US	ok
DEAD	failed
MUTE	failed
WRONG	failed'

check_fails 'an unknown peer: status 2' 2 pacs-echo -A "$A" NOWHERE
check_like 'with the names that there are' 'cat "$LAST"' 'NOWHERE: no such peer in pacs.conf \(there are STORE, US'
check_fails 'no peer' 2 pacs-echo -A "$A"
check_fails 'half an address' 2 pacs-echo -A "$A" X@localhost
printf '[peer A B]\nhost = x\n' >"$A/pacs.conf"
check_fails 'a name that no line could hold' 2 pacs-echo -A "$A" STORE
check_like 'is told with its line' 'cat "$LAST"' 'pacs.conf:2: \[peer A B\]'
printf '[peer X]\nport = 11112\n' >"$A/pacs.conf"
check_fails 'a peer without a host' 2 pacs-echo -A "$A" X
check_like 'is told with its line' 'cat "$LAST"' 'pacs.conf:2: \[peer X\]: host is missing'
printf '[peer X]\nhost = h\nport = http\n' >"$A/pacs.conf"
check_fails 'and to every other tool' 2 pacs-recv -A "$A" --check
check_like 'with file and line' 'cat "$LAST"' 'pacs.conf:3: port = http: wants a number'
# The children leave what the parent has to the system.
if [ -z "${SAN:-}" ]; then
    check 'memory is in order' valgrind -q --error-exitcode=99 --leak-check=full \
        --errors-for-leak-kinds=definite,indirect --child-silent-after-fork=yes pacs-echo -q "PACS@localhost:$PORT"
fi
done_testing
