#!/bin/sh
# shellcheck disable=SC2034
# pacs-move sends what lies in the archive as it lies there, in every transfer syntax of the test data; and what the peer
# does not take so, decoded, with the pixels that DCMTK's and gdcm's own tools find.
. "$(dirname "$0")/lib.sh"
require_tool pacs-move pacs-recv pacs-index pacs-find storescp dcmdump dcmconv dcmdjpeg dcmdjpls dcmdrle gdcmconv python3 sqlite3
. "$SRC/tests/e2e/recv.sh"
. "$SRC/tests/e2e/move.sh"

sound_files | grep -v ' ' >sound
xargs pacs-index -q --import -A "$A" <sound 2>/dev/null
export PACS_ARCHIVE="$A"
objects=$(rows)
printf '[recv]\naet = SENDER\n' >"$A/pacs.conf"

# ---- as it is ----

mkdir raw
start_fake out=raw
peer FAKE "$FAKE_PORT"
check 'a whole archive is sent' sh -c 'pacs-find | pacs-move --to FAKE'
check_same 'every object arrives once' 'grep -c ^store "$FAKE_LOG"; ls raw | wc -l' "$objects
$objects"
different()
{
    find "$A/objects" -name '*.dcm' | while read -r file; do
        uid=$(basename "$file" .dcm)
        data_set "$file" | cmp -s - "raw/$uid" || echo "$uid"
    done
}
check_same 'every data set is the same to the byte' 'different' ''
check_same 'each goes in the transfer syntax that it has' \
    'grep ^store "$FAKE_LOG" | cut -d" " -f3,4 | sort' \
    "$(pacs-find -L instance -k SOPInstanceUID,TransferSyntaxUID | cut -f2,3 | tr '\t' ' ' | sort)"
check_same 'by our AE title, to the one of the peer' 'grep ^associate "$FAKE_LOG" | cut -d" " -f2,3 | sort -u' 'SENDER FAKE'
check 'with a release at the end' faked '^release'
stop_child $FAKE_PID

start_storescp +xa +B -aet STORESCP
check 'storescp takes them all' sh -c 'pacs-find | pacs-move -j 3 --to STORESCP@localhost:'"$SCP_PORT"
# It takes no JPEG spectral selection or full progression (retired).
same_at_storescp()
{
    find got -type f | while read -r file; do
        sent=$(stored "$(values "$file" 0002,0003)")
        if [ "$(values "$file" 0002,0010)" != "$(values "$sent" 0002,0010)" ]; then
            values "$sent" 0002,0010
        elif [ "$(data_set "$file" | sha256sum)" = "$(data_set "$sent" | sha256sum)" ]; then
            echo same
        else
            echo different
        fi
    done | sort | uniq -c | tr -s ' '
}
check_same 'and has them to the byte, but for what it does not take so' 'same_at_storescp' \
    " 1 =JPEGFullProgression:Non-hierarchical:Process10+12
 1 =JPEGSpectralSelection:Non-hierarchical:Process6+8
 $((objects - 2)) same"
stop_child $SCP_PID

source=$A
A=$T/second
mkdir "$A"
start_recv -v
check 'pacs-recv takes them, four associations at a time' \
    sh -c "pacs-find -A $source | pacs-move -A $source -j 4 --to PACS@localhost:$PORT"
same_at_recv()
{
    find "$source/objects" -name '*.dcm' | while read -r file; do
        copy=$(stored "$(basename "$file" .dcm)")
        [ -n "$copy" ] && [ "$(data_set "$file" | sha256sum)" = "$(data_set "$copy" | sha256sum)" ] && echo same
    done | sort | uniq -c | tr -s ' '
}
check_same 'and has them to the byte' 'same_at_recv; rows' " $objects same
$objects"
check_same 'over four associations' 'wait_for 5 test "$(grep -c "association released" "$RECV_ERR")" -ge 4; grep -c "association released" "$RECV_ERR"' 4
stop_recv
A=$source

# ---- references ----

study=$(pacs-find -L study Modality=CT StudyDate=20140101- | head -n 1 | cut -f1)
[ -n "$study" ] || study=$(pacs-find -L study | head -n 1 | cut -f1)
series=$(pacs-find -L series StudyInstanceUID="$study" | head -n 1 | cut -f1)
image=$(pacs-find -L instance StudyInstanceUID="$study" | head -n 1 | cut -f1)
count=$(pacs-find -L instance StudyInstanceUID="$study" | wc -l)
start_fake
peer FAKE2 "$FAKE_PORT"
check 'a study, a series and an image of it, and its file' pacs-move --to FAKE2 "$study" "$series" "$image" "$(stored "$image")"
check_same 'each object goes once; a file by its path is another' 'grep -c ^store "$FAKE_LOG"' $((count + 1))
check_same 'a dry run sends nothing and names each' \
    'pacs-move -n --to FAKE2 "$study" | wc -l; grep -c ^store "$FAKE_LOG"' "$count
$((count + 1))"
check_same 'by UID, class, transfer syntax, size and path' \
    'pacs-move -n --to FAKE2 "$image" | cut -f1,4' "$(printf '%s\t%s' "$image" "$(stat -c %s "$(stored "$image")")")"
check_fails 'an unknown reference is named, the rest is sent' 1 pacs-move --to FAKE2 1.2.3.4.5 "$image"
check_like 'the unknown one' 'cat "$LAST"' '1\.2\.3\.4\.5'
check_same 'the rest' 'grep -c ^store "$FAKE_LOG"' $((count + 2))
check_fails 'nothing to send is no success' 1 sh -c ': | pacs-move --to FAKE2'
check_fails 'an unknown peer is none' 2 pacs-move --to NOBODY "$image"
check_like 'the known ones are named' 'cat "$LAST"' 'FAKE, FAKE2'
check_fails 'no peer listens' 2 pacs-move --tries 1 --to "X@localhost:$(free_port)" "$image"
check_like 'that is said once' 'cat "$LAST"' 'X@localhost:[0-9]*: .*refused'
check 'a file needs no archive' env -u PACS_ARCHIVE pacs-move --to "X@localhost:$FAKE_PORT" "$DATA/pydicom/test_files/CT_small.dcm"
check_like '-v names each object' 'pacs-move -v --to FAKE2 "$image"' "$image: sent, "
stop_child $FAKE_PID

# ---- transcoded ----

# What the same file decodes to by tools that we did not write: DCMTK's, for JPEG 2000 gdcm's.
reference()
{
    case $2 in
        *.4.9[01]) gdcmconv --raw -i "$1" -o reference.dcm ;;
        *.4.8[01]) dcmdjpls "$1" reference.dcm ;;
        *.4.[0-9]*) dcmdjpeg "$1" reference.dcm ;;
        *.1.2.5) dcmdrle "$1" reference.dcm ;;
        *) dcmconv +te "$1" reference.dcm ;;
    esac >reference.log 2>&1 && pixels reference.dcm
}
start_storescp +xi +B
for file in "$DATA"/one-ct-13-syntaxes/*.dcm "$DATA/pydicom/test_files/CT_small.dcm" "$DATA/pydicom/test_files/SC_rgb_rle.dcm" \
    "$DATA/pydicom/test_files/MR_small_bigendian.dcm" "$DATA/pydicom/test_files/image_dfl.dcm"; do
    [ -f "$file" ] || continue
    name=$(basename "$file" .dcm)
    rm -rf got/*
    check "$name is sent to a peer that takes implicit VR only" pacs-move --to "X@localhost:$SCP_PORT" "$file"
    came=$(find got -type f)
    check_same "$name: in implicit VR" 'dcmdump -q +P 0002,0010 "$came" | grep -c LittleEndianImplicit' 1
    check_same "$name: the same pixels" 'pixels "$came"' "$(reference "$file" "$(dcmdump -Un -q +P 0002,0010 "$file" | sed 's/.*\[\(.*\)\].*/\1/')")"
done
stop_child $SCP_PID

# JPEG baseline only for whom pacs.conf allows it.
start_fake syntaxes=1.2.840.10008.1.2.4.50
peer LOSSLESS "$FAKE_PORT" 'transfer-syntaxes = 1.2.840.10008.1.2.4.50'
peer LOSSY "$FAKE_PORT" 'transfer-syntaxes = 1.2.840.10008.1.2.4.50' 'lossy = yes'
color=$DATA/pydicom-data/SC_rgb_small_odd.dcm
check_fails 'nothing is sent with loss to a peer of whom pacs.conf does not say so' 1 pacs-move --tries 1 --to LOSSLESS "$color"
check_same 'not even tried' 'grep -c ^store "$FAKE_LOG"' 0
check 'with lossy = yes it is' pacs-move -v --to LOSSY "$color"
check_like 'and said' 'cat "$LAST"' 'JPEGBaseline8Bit, transcoded with loss'
stop_child $FAKE_PID
done_testing
