#!/bin/sh
# Peers that are dead, reject, keep silent or speak nonsense: each is named, within its time, and the answers of
# others stand; a fetch that is interrupted goes on where it was.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/peers.sh"
require_tool python3 rawscu pacs-recv pacs-find pacs-move

pacs-index -q -A "$T/source" --import "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/dcmqi"
find "$T/source/objects" -type f >files
start_other || skip_all 'pacs-recv does not come up'
# shellcheck disable=SC2046 # names without blanks
check 'a peer is filled' fill "$OTHER_PORT" OTHER $(cat files)

# listener FILE BYTES: takes connections, sends the bytes, says nothing more.
listener()
{
    background python3 -c '
import socket, sys
server = socket.create_server(("localhost", 0))
open(sys.argv[1], "w").write("%d\n" % server.getsockname()[1])
held = []
while True:
    held.append(server.accept()[0])
    held[-1].sendall(bytes.fromhex(sys.argv[2]))
' "$T/$1" "$2"
    wait_for 20 test -s "$T/$1"
}
listener silent ''
listener garbage '47455420 2f204854 54502f31 2e300d0a'
listener rejects '0300 00000004 00 010103'
mkdir "$A"
{
    peer_section OTHER OTHER "$OTHER_PORT"
    peer_section SILENT SILENT "$(cat silent)" 'timeout = 1'
    peer_section GARBAGE GARBAGE "$(cat garbage)" 'timeout = 1'
    peer_section REJECTS REJECTS "$(cat rejects)"
    peer_section DEAD DEAD "$(free_port)"
} >"$A/pacs.conf"
PACS_ARCHIVE=$A
export PACS_ARCHIVE
mkdir nothing
pacs-index -q nothing
total=$(pacs-find -A source | wc -l)
check 'the answers of one stand' pacs-find @all -k ''
cp "$LAST" seen
check_same 'all of them' 'grep -c OTHER seen' "$total"
for peer in SILENT GARBAGE REJECTS DEAD; do
    check_same "$peer is named once" "grep -c '^pacs-find: $peer: ' seen" 1
    check_fails "$peer alone" 2 pacs-find "@$peer"
    check_fails "nothing comes from $peer" 2 pacs-move --from $peer 1.2.3
done
check_like 'a rejection says why' 'cat seen' 'REJECTS: .*calling AE title not recognized'
check_fails 'a timeout of the command line' 2 pacs-find -t 1 "@X@localhost:$(cat silent)"

# ---- interrupted ----
pacs-find @OTHER -k '' >lines
pacs-move --from OTHER - <lines >move.out 2>&1 &
mover=$!
wait_for 20 sh -c 'find "$PACS_ARCHIVE/objects" -name "*.dcm" | grep -q .' || note 'nothing came'
# A shell's background ignores SIGINT; the tool takes both alike.
kill -TERM $mover 2>/dev/null
wait $mover
before=$(find "$A/objects" -name '*.dcm' | wc -l)
check 'once more' sh -c 'pacs-move -v --from OTHER - <lines'
check_like 'only the rest is fetched' 'cat "$LAST"' "OTHER: $(($(wc -l <files) - before)) objects fetched"
check_same 'all is there' 'pacs-find -L instance -k "" | wc -l' "$(wc -l <files)"
check_same 'nothing is left over' 'find "$A/incoming" -type f -links 1' ''
done_testing
