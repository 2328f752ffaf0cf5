#!/bin/sh
# rawscu, the tests' own sender, against storescp: data sets arrive byte for byte, in PDUs of any shape;
# what is acknowledged is written down; faults are where they were asked for.
. "$(dirname "$0")/lib.sh"
require_tool storescp dcmdump dcmftest cmp

mkdir out
PORT=$(free_port)
# The variable is DCMTK's: without it, each answer takes 44 ms.
background env TCP_NODELAY=1 storescp -q -od out --fork --bit-preserving --promiscuous +xa -fe .dcm "$PORT"
wait_for 10 rawscu -q --echo 1 localhost "$PORT"

# Where the data set of a Part 10 file begins, by its group length.
data_at()
{
    echo $((144 + $(od -An -tu4 -j140 -N4 "$1")))
}
same_data()
{
    cmp -i "$(data_at "$1"):$(data_at "$2")" "$1" "$2"
}
# A file for each UID that is sound, in a syntax that storescp takes and whose meta header begins as it
# should; a DICOMDIR is not for sending, and DCMTK takes no fragment of odd length (deflated data sets can
# have one).
awk -F '\t' 'NR > 1 && $10 == "yes" && $4 != "1.2.840.10008.1.3.10" { print $1 }' \
    "$SRC/tests/data/manifest.tsv" >names
while read -r name; do
    printf '%s\n' "$DATA/$name"
done <names | while read -r file; do
    [ "$(od -An -tx1 -j128 -N12 "$file" | tr -d ' \n')" = 4449434d02000000554c0400 ] &&
        [ $((($(stat -c %s "$file") - $(data_at "$file")) % 2)) -eq 0 ] && printf '%s\n' "$file"
done >files
tr '\n' '\000' <files | xargs -0 rawscu --digest-only | awk -F '\t' '!seen[$1]++ { printf "%s%c", $3, 0 }' |
    xargs -0 rawscu --acks acks localhost "$PORT" >sent
# storescp of DCMTK 3.6.7 knows no syntax that came after it: those say so.
check_same 'all are answered, or their context was not accepted' \
    'grep -v "^summary" sent | grep -Ecv "	(0000	[0-9]+	|----	[0-9]+	presentation context not accepted)$"' 0
check_same 'most are stored' '[ "$(wc -l <acks)" -ge 100 ] && echo yes' yes
check_same 'no more and no fewer than were acknowledged' 'ls out | wc -l' "$(wc -l <acks)"
: >differ
tr '\n' '\000' <files | xargs -0 rawscu --digest-only | awk -F '\t' '!seen[$1]++' |
    while read -r uid digest file; do
        grep -qx "$uid" acks || continue
        same_data "$file" "$(find out -name "*.$uid.dcm")" >>differ 2>&1 || echo "$uid $digest $file" >>differ
    done
check_same 'each data set arrived byte for byte' 'cat differ' ''

for manner in '--pdv 100' '--pdv 8 --max-pdu 512' '--max-pdu 4096' '--together' '--stock' '--group-length-lie 4' \
    '--extra 70000' '--stall-at 3000:0.3'; do
    rm -f out/*
    # shellcheck disable=SC2086 # several options
    check "$manner: answered" rawscu $manner localhost "$PORT" "$DATA/ct-study/S1000/I10"
    check "$manner: the same bytes" same_data "$DATA/ct-study/S1000/I10" out/*
done

rm -f out/* acks
check 'a bare data set, with its syntax named' \
    rawscu --syntax 1.2.840.10008.1.2 localhost "$PORT" "$DATA/odd/no-meta-implicit.dcm"
check_same 'is the whole file' 'tail -c +$(($(data_at out/*) + 1)) out/* | cmp - "$DATA/odd/no-meta-implicit.dcm" && echo same' same

rm -f out/*
check '20 fresh objects over 4 associations' \
    rawscu -q --repeat 20 --parallel 4 --study-size 5 --acks acks --digest localhost "$PORT" "$DATA/ct-study/S2010/I10"
check_like 'the summary counts them' 'cat "$LAST"' '^summary	wanted 20	success 20	'
check_same 'each was acknowledged once' 'cut -f1 acks | sort -u | wc -l' 20
check_same 'and is there' 'ls out | wc -l' 20
check_same 'with the digest that was written down' \
    'rawscu --digest-only out/* | cut -f1,2 | sort | comm -3 - acks_sorted' "$(sort acks >acks_sorted)"
check_same 'under the UID in its data set' \
    'for f in out/*; do u=$(values "$f" 0008,0018); [ "$f" = "out/CT.$u.dcm" ] || echo "$f $u"; done' ''
check_same 'in 4 studies' 'for f in out/*; do values "$f" 0020,000D; done | sort -u | wc -l' 4
check 'whole' dcmftest out/*
check 'again, all the same UID' rawscu --repeat 3 --same localhost "$PORT" "$DATA/odd/good.dcm"
check_same 'which is not changed' 'cut -f1 "$LAST" | sort -u | grep -c "^$(rawscu --digest-only "$DATA/odd/good.dcm" | cut -f1)$"' 1

# Faults: each ends without success, and says why.
fault()
{
    rm -f acks
    # shellcheck disable=SC2086 # several options
    check_fails "$1: no success" 1 rawscu --timeout 10 --acks acks $1 localhost "$PORT" "$DATA/ct-study/S1000/I10"
    check_like "$1: $2" 'cat "$LAST"' "$2"
    check_same "$1: nothing acknowledged" 'cat acks' ''
}
fault '--cut-at 500' 'cut after 500 bytes'
fault '--reset-at 100000' 'cut after 100000 bytes'
fault '--abort-at 140000' 'aborted, as told'
fault '--corrupt-at 0' 'by the peer|reset'
fault '--data-first' 'by the peer|reset'
fault '--no-data' 'by the peer|reset'
fault '--context-id 77' 'by the peer|reset'
fault '--pdv-lie 5' 'by the peer|reset'
fault '--pdu-lie -5' 'by the peer|reset'
fault '--odd-pdu 99' 'by the peer|reset'
fault '--omit 0000,1000' 'by the peer|reset'
check_fails 'the second object is cut, the first was answered' 1 \
    rawscu --fault-in 2 --cut-at 500 localhost "$PORT" "$DATA/ct-study/S1000/I10" "$DATA/odd/good.dcm"
check_like 'as the summary says' 'cat "$LAST"' '^summary	wanted 2	success 1	'
check_fails 'garbage instead of an association' 2 rawscu --timeout 5 --garbage 1000 localhost "$PORT"
check_fails 'the association request cut' 2 rawscu --from-start --cut-at 50 localhost "$PORT" "$DATA/odd/good.dcm"
check_fails 'nobody listens' 2 rawscu --echo 1 localhost "$(free_port)"
scp_refuses()
{
    PORT=$(free_port)
    background storescp -q --refuse "$PORT"
    wait_for 10 test_port_taken
}
test_port_taken()
{
    ! test_port_free "$PORT"
}
scp_refuses
check 'a rejection that is expected' rawscu --expect-rj localhost "$PORT"
check_like 'its three numbers' 'cat "$LAST"' '^[12] [123] [0-9]+$'
done_testing
