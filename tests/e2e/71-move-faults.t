#!/bin/sh
# shellcheck disable=SC2034
# A peer that refuses, aborts, stalls or is gone, and files that are not what they were: what failed is named, the rest is
# sent, A7xx and lost associations are tried again, other refusals are not.
. "$(dirname "$0")/lib.sh"
require_tool pacs-move pacs-index pacs-find dicomgen python3
. "$SRC/tests/e2e/move.sh"

pacs-index -q --import -A "$A" "$DATA/mr-orientation" "$DATA/ct-study"
export PACS_ARCHIVE="$A"
objects=$(pacs-find -L instance | wc -l)
ct=$(pacs-find -L instance Modality=CT | head -n 1 | cut -f1)

# sends STATUS [NAME=VALUE...] -- ARGUMENT...: all of the archive, to such a peer
sends()
{
    sends_status=$1 sends_fake=
    shift
    while [ "$1" != -- ]; do
        sends_fake="$sends_fake $1"
        shift
    done
    shift
    # shellcheck disable=SC2086
    start_fake $sends_fake
    pacs-find | pacs-move --to "FAKE@localhost:$FAKE_PORT" "$@" >sent.log 2>&1
    [ $? -eq "$sends_status" ] || { cat sent.log "$FAKE_LOG"; stop_child $FAKE_PID; return 1; }
    wait_for 5 sh -c "[ \$(grep -c ^associate '$FAKE_LOG') -le \$(grep -cE '^(release|abort|closed|stalled|rejected|lost|silence|PDU)' '$FAKE_LOG') ]"
    stop_child $FAKE_PID
}
stores()
{
    grep -c ^store "$FAKE_LOG"
}

# ---- statuses ----

for status in 0110 0122 0124 A900 C000 C123; do
    check "refused with $status: named, not tried again, the rest sent" sends 1 "status=$status,0000" --
    check_same "$status: one failed" 'grep -c "refused with status $status" sent.log; stores' "1
$objects"
done
for status in B000 B006 B007; do
    check "$status is a remark, not a failure" sends 0 "status=$status,0000" comment=changed --
    check_like "$status is said" 'cat sent.log' "taken with status $status: changed"
done
check 'A700 twice, then taken' sends 0 status=A700,A701,0000 -- --tries 3
check_same 'by trying it again' stores $((objects + 2))
check_same 'the same object' 'grep ^store "$FAKE_LOG" | head -n 3 | cut -d" " -f3 | uniq | wc -l' 1
check 'A700 for good is a failure' sends 1 status=A700,A700,0000 -- --tries 2
check_same 'after so many tries; the rest is sent' 'grep -c "status A700" sent.log; stores' "1
$((objects + 1))"
check_same 'over one association' 'grep -c ^associate "$FAKE_LOG"' 1

# ---- associations ----

for how in abort close release inside; do
    check "$how: once, then it goes on" sends 0 "do=2:$how" -- --tries 2
    check_same "$how: the object is sent again over a new association" 'stores | sed "s/^$((objects + '"$([ $how = inside ] && echo 0 || echo 1)"'))$/all/"; grep -c ^associate "$FAKE_LOG"' "all
2"
    check "$how: for one object each time" sends 1 "do=2:$how,3:$how" -- --tries 2
    check_same "$how: that one has failed, the rest is sent" 'grep -v "trying again" sent.log | wc -l; grep -c " 0000$" "$FAKE_LOG"' "1
$((objects - 1))"
done
check 'it aborts whatever is sent' sends 1 do=0:abort -- --tries 1
check_same 'three objects are tried, all are named' \
    'stores; grep -c "^pacs-move: [0-9.]*: " sent.log' "3
$objects"
check 'it answers nothing' sends 1 do=0:stall -- --tries 1 --timeout 1
check_like 'that took too long' 'cat sent.log' 'no answer|nothing|silent|seconds|timed'
check 'an answer to something else' sends 1 do=1:wrong -- --tries 1
check_same 'is none, and the others are sent' 'grep -c "something else" sent.log; grep -c " 0000$" "$FAKE_LOG"' "1
$((objects - 1))"
check 'a request instead of an answer' sends 1 do=1:echo -- --tries 1
check 'rejected for now, then accepted' sends 0 reject=2:020302 -- --tries 3
check_same 'tried again' 'grep -c ^associate "$FAKE_LOG"' 3
check 'rejected for good' sends 2 reject=0:010107 -- --tries 3
check_same 'is asked once' 'grep -c ^associate "$FAKE_LOG"; cat sent.log' "1
pacs-move: FAKE@localhost:$FAKE_PORT: association rejected: called AE title not recognized"
check 'the smallest PDU' sends 0 maxpdu=128 --
check_same 'is kept to' 'grep -c " 0000$" "$FAKE_LOG"' "$objects"
check 'no limit at all' sends 0 maxpdu=0 --
check 'one SOP class is not taken' sends 1 classes=1.2.840.10008.5.1.4.1.1.2 -- --tries 1
check_same 'the others are' 'grep -c "does not take SOP class 1.2.840.10008.5.1.4.1.1.4$" sent.log; stores' \
    "$(pacs-find -L instance SOPClassUID=1.2.840.10008.5.1.4.1.1.4 | wc -l)
$(pacs-find -L instance SOPClassUID=1.2.840.10008.5.1.4.1.1.2 | wc -l)"
check 'no transfer syntax is taken' sends 1 syntaxes=1.2.3 -- --tries 1
check_same 'over one association' 'grep -c ^associate "$FAKE_LOG"; stores' "1
0"

# ---- several at a time ----

check 'six associations, one store refused' sends 1 status=C000,0000 -- -j 6
check_same 'each object once' 'grep ^store "$FAKE_LOG" | cut -d" " -f3 | sort | uniq -c | grep -vc " 1 "; stores' "0
$objects"
check 'two of four are let in' sends 0 parallel=2 -- -j 4 --tries 1
check_same 'these send it all' stores "$objects"
check 'one aborted, the others go on' sends 0 do=3:abort -- -j 3
check_same 'and it is sent again' 'grep ^store "$FAKE_LOG" | grep " 0000$" | cut -d" " -f3 | sort -u | wc -l' "$objects"
check 'all aborted' sends 1 do=0:abort -- -j 3 --tries 1
check_same 'each is named once' 'grep -o "^pacs-move: [0-9.]*: " sent.log | sort | uniq -c | grep -c " 1 "' "$objects"

# ---- files ----

mkdir files
cp "$DATA/pydicom/test_files/CT_small.dcm" files/good.dcm
cp "$DATA/pydicom/test_files/MR_small.dcm" files/gone.dcm
head -c 300 files/good.dcm >files/head.dcm
echo no >files/no.dcm
start_fake out=.
find "$T/files" -type f >names
rm files/gone.dcm
check_fails 'one file of four is fit to be sent' 1 sh -c 'pacs-move --to "FAKE@localhost:$1" <names' - "$FAKE_PORT"
check_same 'the others are named' 'grep -c -e gone.dcm -e head.dcm -e no.dcm "$LAST"; stores' '3
1'
stop_child $FAKE_PID
# An archive's file that is not there any more, and one that has become shorter.
path=$(find "$A/objects" -name "$ct.dcm")
cp "$path" kept
rm "$path"
check 'a file of the archive is gone' sends 1 --
check_same 'it is named, the rest is sent' 'grep -c "$ct: .*No such file" sent.log; stores' "1
$((objects - 1))"
head -c 100 kept >"$path"
check 'it is cut to nothing' sends 1 --
check_same 'it is named too' 'grep -c "^pacs-move: $ct: " sent.log; stores' "1
$((objects - 1))"
cp kept "$path"

# An odd number of bytes: a peer that insists on even fragments gets a NUL.
head -c -1 files/good.dcm >files/odd.dcm
start_fake out=.
uid=$(values files/good.dcm 0008,0018)
check 'a data set of odd length' pacs-move --to "FAKE@localhost:$FAKE_PORT" ./files/odd.dcm
check_same 'gets one byte more' 'data_set files/odd.dcm | cmp - "$uid" && stat -c %s "$uid"' "$(($(data_set files/good.dcm | wc -c)))"
stop_child $FAKE_PID

# The meta header says what is not so.
start_fake
for file in "$DATA/odd/meta-says-implicit.dcm" "$DATA/odd/meta-says-big.dcm"; do
    : >"$FAKE_LOG"
    check "$(basename "$file")" pacs-move --to "FAKE@localhost:$FAKE_PORT" "$file"
    check_like 'goes as what it is' 'cat "$FAKE_LOG"' '^store [0-9]* [0-9.]* 1.2.840.10008.1.2.1 '
done
stop_child $FAKE_PID
start_fake syntaxes=1.2.840.10008.1.2
check 'and to who takes something else' pacs-move --to "FAKE@localhost:$FAKE_PORT" "$DATA/odd/meta-says-implicit.dcm" "$DATA/odd/no-meta-explicit.dcm"
check_same 'transcoded' 'grep -c "^store [0-9]* [0-9.]* 1.2.840.10008.1.2 " "$FAKE_LOG"' 2
stop_child $FAKE_PID

# ---- more contexts than an association has ----

mkdir many
cat >many.py <<'END'
import struct, sys
good = open(sys.argv[1], "rb").read()
def element(tag, vr, value):
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH", *tag) + vr + struct.pack("<H", len(value)) + value
for n in range(150):
    uid, instance = b"1.2.826.0.1.3680043.2.1125.77.%d" % n, b"1.2.826.0.1.3680043.2.1125.78.%d" % n
    meta = element((2, 2), b"UI", uid) + element((2, 3), b"UI", instance) + element((2, 0x10), b"UI", b"1.2.840.10008.1.2.1")
    body = element((8, 0x16), b"UI", uid) + element((8, 0x18), b"UI", instance) + element((0x10, 0x10), b"PN", b"A^B ")
    open("many/%03d.dcm" % n, "wb").write(bytes(128) + b"DICM" + element((2, 0), b"UL", struct.pack("<I", len(meta))) + meta + body)
END
python3 many.py x </dev/null 2>many.log || python3 many.py "$DATA/odd/good.dcm"
for associations in 1 3; do
    start_fake
    check "150 private SOP classes, $associations at a time" sh -c 'find "$1/many" -type f | pacs-move -j "$2" --to "FAKE@localhost:$3"' - "$T" $associations "$FAKE_PORT"
    check_same 'all are sent' 'stores; grep ^store "$FAKE_LOG" | cut -d" " -f3 | sort -u | wc -l' '150
150'
    check_same 'no association has more than 128 contexts' 'grep ^associate "$FAKE_LOG" | cut -d" " -f4 | sort -n | tail -n 1' 128
    stop_child $FAKE_PID
done
check_same 'one at a time they need three associations' 'start_fake; find "$T/many" -type f | pacs-move --to "FAKE@localhost:$FAKE_PORT"; grep -c ^associate "$FAKE_LOG"; stop_child $FAKE_PID' 3

# ---- interrupted ----

start_fake do=2:slow
pacs-find | pacs-move --to "FAKE@localhost:$FAKE_PORT" >stopped.log 2>&1 &
mover=$!
faked '^store 2'
kill -TERM $mover
wait $mover
check_same 'told to stop it finishes the object on its way, and ends by the signal' 'echo '$?'; stores' '143
2'
check_like 'says how far it came' 'cat stopped.log' "interrupted: 2 of $objects objects sent"
check_same 'names what it has not sent' 'grep -c ": not sent" stopped.log' $((objects - 2))
check 'and releases the association' faked '^release'
stop_child $FAKE_PID
start_fake do=0:slow
pacs-find | pacs-move -j 2 --to "FAKE@localhost:$FAKE_PORT" >stopped.log 2>&1 &
mover=$!
faked '^store 2'
kill -TERM $mover
wait $mover
check_same 'so do several at a time' 'echo '$?'; grep -c "objects sent" stopped.log; grep -c -e ": not sent" stopped.log | grep -vc "^0$"' '143
1
1'
stop_child $FAKE_PID
start_fake do=2:stall
pacs-find | pacs-move --to "FAKE@localhost:$FAKE_PORT" >stopped.log 2>&1 &
mover=$!
faked '^store 2'
kill -TERM $mover
sleep 0.2
kill -TERM $mover
wait $mover
check_same 'told twice it ends at once' 'echo '$?'; stores' '143
2'
stop_child $FAKE_PID
done_testing
