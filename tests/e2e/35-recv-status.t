#!/bin/sh
# What a sender is told of each object: success only for what is durable and found; else which of them could
# not be stored, and why, in the status, the comment and the log; and where it is kept aside.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu storescu dcmdump sqlite3

odd=$DATA/odd
# STATUS and comment of sending with the options.
answer()
{
    rawscu "$@" 2>&1 | grep -v '^summary' | cut -f2,4
}
status()
{
    answer "$@" | cut -f1
}
kept_aside()
{
    find "$A/quarantine" -type f ! -name '*.why' | wc -l
}

check 'the receiver starts' start_recv

# ---- the same instance again ----

uid=$(rawscu --digest-only "$odd/same-uid-1.dcm" | cut -f1)
check_same 'an object' 'status localhost "$PORT" "$odd/same-uid-1.dcm"' 0000
check_same 'the same again' 'status localhost "$PORT" "$odd/same-uid-1.dcm"; kept_aside; lines' '0000
0
1'
check_same 'other content under its UID is no success' 'status localhost "$PORT" "$odd/same-uid-2.dcm"' c001
check_like 'with a reason' 'answer localhost "$PORT" "$odd/same-uid-2.dcm"' '^c001	another object is stored under this SOP Instance UID$'
check_like 'which is said' 'cat "$RECV_ERR"' "^pacs-recv: 127.0.0.1 RAWSCU: $uid: answered C001: "
check_same 'the first stays' 'rawscu --digest-only "$(stored "$uid")" | cut -f2' \
    "$(rawscu --digest-only "$odd/same-uid-1.dcm" | cut -f2)"
check_like 'the second is kept aside' 'find "$A/quarantine" -type f ! -name "*.why" -exec rawscu --digest-only {} + | cut -f2' \
    "$(rawscu --digest-only "$odd/same-uid-2.dcm" | cut -f2)"
check_same 'with the reason beside it' 'find "$A/quarantine" -name "*.why" | wc -l' "$(kept_aside)"
check_same 'there is still one line' lines 1

policy()
{
    stop_recv
    printf '[store]\nduplicate = %s\n' "$1" >"$A/pacs.conf"
    start_recv
}
before=$(kept_aside)
check 'duplicate = keep' policy keep
check_same 'keeps the first, and says that the second is not stored' \
    'status localhost "$PORT" "$odd/same-uid-2.dcm"; kept_aside' "c001
$before"
check 'duplicate = replace' policy replace
check_same 'takes the second' 'status localhost "$PORT" "$odd/same-uid-2.dcm"' 0000
check_same 'which is what the archive has now' 'rawscu --digest-only "$(stored "$uid")" | cut -f2' \
    "$(rawscu --digest-only "$odd/same-uid-2.dcm" | cut -f2)"
check_same 'with a line of its own, and one row' 'lines; rows' '2
1'
check_same 'and keeps the first aside' 'kept_aside' $((before + 1))
stop_recv
rm "$A/pacs.conf"
check 'and without' start_recv

# ---- not what was announced, and not to be understood ----

before=$(kept_aside)
check_same 'of another class than announced: A900' \
    'status --class 1.2.840.10008.5.1.4.1.1.4 localhost "$PORT" "$odd/good.dcm"' a900
check_same 'another instance than announced: A900' 'status --instance 1.2.3 localhost "$PORT" "$odd/good.dcm"' a900
check_like 'with a reason' 'answer --instance 1.2.3 localhost "$PORT" "$odd/good.dcm"' '^a900	data set is not of the announced SOP class or instance$'
# What is sent is the data set; its meta header is ours. C000, or A900 where the announced UID and the one
# in the data set differ before anything else can be said.
for name in no-study-uid no-series-uid garbage text html study-uid-path; do
    check_same "$name: C000" 'status --class 1.2.840.10008.5.1.4.1.1.2 --instance 1.2.3 --syntax 1.2.840.10008.1.2.1 localhost "$PORT" "$odd/$name.dcm" | sed "s/a900/c000/"' c000
done
for name in uid-path uid-slash uid-newline uid-dots uid-letters uid-empty uid-too-long uid-spaces; do
    check_like "$name: not stored under that UID" 'status localhost "$PORT" "$odd/$name.dcm"' '^(c000|a900|0000)$'
done
check_same 'nothing has left the folder' 'find "$T" -maxdepth 1 -newer "$RECV_OUT" -name "*.dcm" | wc -l; find "$A" -maxdepth 1 | sort | sed "s|.*/||" | grep -Evc "^(archive|objects|incoming|quarantine|hooks|pacs.conf|pacs-recv.lock|[a-z]+\.(db|lock)(-wal|-shm)?)$"' '0
0'
check_same 'files have names of digits and dots' 'find "$A/objects" -type f | sed "s|.*/||" | grep -Ev "^[0-9.]+\.dcm$"' ''
check_same 'what was refused is kept aside' '[ "$(kept_aside)" -gt $((before + 6)) ] && echo yes' yes
check_same 'each with the reason' 'find "$A/quarantine" -name "*.why" -size +0 | wc -l' "$(kept_aside)"
check_like 'no data set: C000' 'rawscu --fresh --no-data localhost "$PORT" "$odd/good.dcm"; cat "$RECV_ERR"' 'answered C000: the request has no data set'

# ---- on one association ----

check_same 'a refused object does not end the association' \
    'status localhost "$PORT" "$odd/good.dcm" "$odd/no-study-uid.dcm" "$DATA/ct-study/S2010/I10" | paste -sd " "' '0000 c000 0000'
check_like 'storescu shows the status' 'storescu -v localhost "$PORT" "$odd/no-study-uid.dcm"' 'Cannot Understand|CannotUnderstand|0xc000'

# ---- out of resources ----

# Nothing can be made in incoming/ (as when there are no inodes), on the same association and after it.
if [ "$(id -u)" -ne 0 ]; then
    chmod a-w "$A/incoming"
else
    mv "$A/incoming" "$A/away"
fi
check_same 'incoming/ cannot be written: A700' \
    'status --fresh localhost "$PORT" "$odd/good.dcm" "$DATA/ct-study/S2010/I10" | paste -sd " "' 'a700 a700'
if [ "$(id -u)" -ne 0 ]; then
    chmod u+w "$A/incoming"
else
    mv "$A/away" "$A/incoming"
fi
check_same 'and when it can, it goes on' 'status --fresh localhost "$PORT" "$odd/good.dcm"' 0000

# ---- sync ----

for sync in association none; do
    check "sync = $sync" fresh_recv --sync $sync
    check_same 'takes objects' 'status --repeat 3 localhost "$PORT" "$odd/good.dcm" | paste -sd " "' '0000 0000 0000'
    check_same 'which are found after the release' 'rows; lines' '3
3'
done
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
done_testing
