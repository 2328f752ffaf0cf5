#!/bin/sh
# The power goes while senders store: what was acknowledged is there after the next start, byte for byte,
# and found; nothing is there that was not sent. The disk is an ext4 in a file, which stops writing,
# journal and all, at a random moment; then it is mounted again, as after a boot.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
. "$SRC/tests/fault/disk.sh"
require_tool dcmdump sqlite3
disk_or_skip 1G

# First that this is what it says: what was fsynced stays, what was not is gone.
head -c 300000 /dev/urandom >"$DISK/flushed"
sync "$DISK/flushed" "$DISK"
cp "$DISK/flushed" copy
head -c 300000 /dev/urandom >"$DISK/new"
mv "$DISK/new" "$DISK/renamed"
check 'the power goes' disk_cut
check_not 'nothing can be written then' touch "$DISK/late"
disk_umount
disk_mount
check 'what was fsynced is there' cmp "$DISK/flushed" copy
check_same 'what was not is lost' '[ -s "$DISK/renamed" ] || echo lost' lost

# Ends the receiver and its workers, as the machine would.
power_cut()
{
    all="$RECV_PID $(workers)"
    disk_cut
    # shellcheck disable=SC2086 # several
    kill -9 $all 2>/dev/null
    stop_recv KILL
    disk_umount && disk_mount
}

fresh
wanted=$(rounds 8 200)
round=0 broken=0 cuts=0
while [ $round -lt "$wanted" ]; do
    round=$((round + 1))
    restart || break
    sender --seed "$((SEED + round))" --parallel $((round % 2 ? 1 : 4)) --repeat 400 >sender.log 2>&1 &
    pid=$!
    random_ms 20 700
    sleep "$RANDOM_S"
    power_cut && cuts=$((cuts + 1))
    wait $pid
    [ $? -eq 0 ] || broken=$((broken + 1))
    if [ $((round % 4)) -eq 0 ]; then
        restart
        verify "after $round power cuts"
        stop_recv
        fresh
    fi
done
check_same 'the power went every time' 'echo $cuts' "$wanted"
check_same 'in the midst of receiving, mostly' "[ $broken -ge $((wanted / 2)) ] && echo yes" yes

# The moment after an answer is the one that counts: here for each of several objects.
fresh
restart
for i in 1 2 3; do
    check "object $i is acknowledged" \
        rawscu --fresh --seed "$((SEED + 1000 + i))" --acks acks --tries tries --digest --no-release localhost "$PORT" "$CT"
    power_cut
    restart
done
verify 'cut right after the answer'
stop_recv

fresh
restart --sync association
check 'with --sync association: 60 objects, and the release is answered' sender --repeat 20
power_cut
restart
verify 'cut right after the release'
stop_recv

fresh
dicomgen --series 2 --instances 20 --pixels 3000 "$T/tree"
find "$T/tree" -type f -print0 | xargs -0 rawscu --digest-only | cut -f1,2 >tries
check 'pacs-index --import: 40 files' pacs-index -q -A "$A" --import "$T/tree"
cp tries acks
disk_cut
disk_umount && disk_mount
restart
verify 'cut right after an import'
stop_recv

# That this test would see a loss: without fsync there is one, in the midst of an association.
fresh
restart --sync none
sender --repeat 4000 >sender.log 2>&1 &
pid=$!
hundred_acks()
{
    [ "$(wc -l <acks)" -ge 100 ]
}
check 'with --sync none: 100 objects are acknowledged' wait_for 60 hundred_acks
power_cut
wait $pid
restart
list_stored
sort -u acks >acked
check_same 'and lost' '[ "$(comm -23 acked stored | wc -l)" -gt 0 ] && echo lost' lost
stop_recv
done_testing
