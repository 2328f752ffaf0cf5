#!/bin/sh
# pacs-move --from: studies and series from another pacs-recv, Orthanc and dcmqrscp, by C-GET and by C-MOVE; what is
# there is not fetched again, what was interrupted goes on, what was fetched is what was sent.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/peers.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool dcmdump Orthanc dcmqrscp rawscu pacs-recv pacs-find pacs-move

pacs-index -q -A "$T/source" --import "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/dcmqi" "$DATA/rt" \
    "$DATA/pydicom/test_files/dicomdirtests" 2>/dev/null
find "$T/source/objects" -type f >files
mkdir nothing
total=$(wc -l <files)
# The receiver of C-MOVE, with an archive of its own: $A.
mkdir "$A"
printf '[recv]\naet = PACS\n' >"$A/pacs.conf"
start_recv || skip_all 'pacs-recv does not come up'
start_other || skip_all 'pacs-recv does not come up'
start_orthanc || skip_all 'Orthanc does not come up'
start_dcmqrscp || skip_all 'dcmqrscp does not come up'
for peer in "$OTHER_PORT OTHER" "$ORTHANC_PORT ORTHANC" "$DCMTK_PORT DCMTK"; do
    # shellcheck disable=SC2046 # names without blanks
    check "${peer#* } is filled" fill "${peer% *}" "${peer#* }" $(cat files)
done

# archive NAME RETRIEVE: a new one, which fetches that way; named in $PACS_ARCHIVE.
archive()
{
    PACS_ARCHIVE=$T/$1
    export PACS_ARCHIVE
    mkdir -p "$PACS_ARCHIVE"
    {
        printf '[recv]\naet = PACS\n'
        peer_section OTHER OTHER "$OTHER_PORT" "retrieve = $2"
        peer_section ORTHANC ORTHANC "$ORTHANC_PORT" "retrieve = $2"
        peer_section DCMTK DCMTK "$DCMTK_PORT" "retrieve = $2"
    } >"$PACS_ARCHIVE/pacs.conf"
    pacs-index -q "$T/nothing"
}

# The data sets of an archive, whatever their meta headers say.
digests()
{
    find "$1/objects" -type f -print0 | xargs -0 -r rawscu --digest-only | cut -f1,2 | sort
}
digests "$T/source" >sent

# The same by dcmdump, for peers that write data sets anew: which objects differ from what was sent.
differ()
{
    find "$1/objects" -name '*.dcm' | while read -r path; do
        attributes "$path" >"$T/one"
        attributes "$(find "$T/source/objects" -name "${path##*/}")" | cmp -s - "$T/one" || echo "${path##*/}"
    done
}

# ---- C-GET ----
for peer in OTHER ORTHANC DCMTK; do
    archive "get-$peer" get
    pacs-find "@$peer" >lines
    check "$peer: all studies by C-GET, from pacs-find's lines" sh -c "pacs-move --from $peer - <lines"
    check_same "$peer: all came" 'pacs-find -L instance -k "" | wc -l' "$total"
    if [ $peer = OTHER ]; then
        check_same "$peer: to the byte" 'digests "$PACS_ARCHIVE" | diff sent -' ''
    else
        check_same "$peer: with all that was in them" 'differ "$PACS_ARCHIVE"' ''
    fi
    check "$peer: once more" sh -c "pacs-move -v --from $peer - <lines"
    check_like "$peer: there is nothing to fetch" 'cat "$LAST"' ' 0 objects fetched'
    check_same "$peer: nothing is in quarantine" 'find "$PACS_ARCHIVE/quarantine" -type f' ''

    # Some are lost: only these come.
    series=$(pacs-find -L series -k '' Modality=MR --limit 1)
    pacs-find -L instance -k Path "$series" | head -n 2 | cut -f1 | sort >lost
    # shellcheck disable=SC2046
    rm $(pacs-find -L instance -k Path - <lost | cut -f2)
    pacs-index -q --rebuild
    check_same "$peer: a dry run names what is missing" \
        "pacs-move -n --from $peer - <lines | cut -f1 | sort | diff - lost" ''
    check "$peer: the missing ones" sh -c "pacs-move -v --from $peer - <lines"
    check_like "$peer: and no others" 'cat "$LAST"' ": $(wc -l <lost) objects fetched"
    check_same "$peer: the archive is whole again" 'pacs-find -L instance -k "" | wc -l' "$total"

    archive "series-$peer" get
    pacs-find -A "$T/get-$peer" -L series -k StudyInstanceUID Modality=MR | head -n 2 >series
    check "$peer: two series" pacs-move --from $peer "$(sed -n 1p series | cut -f1)" "$(sed -n 2p series | cut -f1)"
    check_same "$peer: are what came" 'pacs-find -L series -k StudyInstanceUID | sort' "$(sort series)"
    instance=$(pacs-find -A "$T/get-$peer" -L instance -k '' Modality=CT --limit 1)
    check "$peer: one instance" pacs-move --from $peer "$instance"
    check_same "$peer: is there" "pacs-find -L instance -k '' Modality=CT" "$instance"
    check "$peer: a patient" pacs-move --from $peer patient:98890234
    check_same "$peer: with all studies" 'pacs-find -k "" PatientID=98890234 | sort' \
        "$(pacs-find -A "$T/get-$peer" -k '' PatientID=98890234 | sort)"
    check_fails "$peer: what it does not have" 1 pacs-move --from $peer 1.2.3.4.5 "$instance"
    check_like "$peer: is named" 'cat "$LAST"' '1\.2\.3\.4\.5: .*no such thing'
done

# ---- C-MOVE: to pacs-recv on $A ----
archive unserved move
study=$(pacs-find -A "$T/get-OTHER" -k '' Modality=CT --limit 1)
check_fails 'C-MOVE without a receiver' 2 pacs-move --from OTHER "$study"
check_like 'says what is missing' 'cat "$LAST"' 'pacs-recv must run'
cp "$PACS_ARCHIVE/pacs.conf" "$A/pacs.conf"
PACS_ARCHIVE=$A
check 'a study by C-MOVE from pacs-recv' pacs-move --from OTHER "$study"
check_same 'is there' 'pacs-find -k ""' "$study"
study=$(pacs-find -A "$T/get-OTHER" -k '' Modality=MR --limit 1)
check 'a study by C-MOVE from Orthanc' pacs-move --from ORTHANC "$study"
check 'is there' pacs-find -q "$study"
pacs-find @DCMTK >lines
check 'the others by C-MOVE from dcmqrscp' sh -c 'pacs-move -v --from DCMTK - <lines'
check_same 'all are there' 'pacs-find -L instance -k "" | wc -l' "$total"
check_unlike 'not all were fetched' 'cat "$LAST"' ": $total objects fetched"
check_same 'each was sent once' "wc -l <'$RECV_OUT'" "$total"
check_same 'with all that was in them' 'differ "$A"' ''

# ---- one peer to another ----
study=$(pacs-find -k '' Modality=CT --limit 1)
stop_recv
rm -rf "$A/objects" "$A"/index.db*
mkdir "$A/objects"
pacs-index -q --rebuild
start_recv -p "$PORT"
{
    peer_section PACS PACS "$PORT"
    cat "$T/get-OTHER/pacs.conf"
} >third.conf
mkdir third
mv third.conf third/pacs.conf
pacs-index -q -A third nothing
check 'one peer sends to another' pacs-move -A third --from OTHER --to PACS "$study"
check_same 'what was asked for' 'pacs-find -k ""' "$study"
check_same 'and we took nothing' 'pacs-find -A third | wc -l' 0
check_fails 'to one that it does not know' 1 pacs-move -A third --from OTHER --to DCMTK "$study"
check_like 'which is said' 'cat "$LAST"' 'A801'
done_testing
