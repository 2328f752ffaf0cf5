#!/bin/sh
# shellcheck disable=SC2034
# C-MOVE and C-GET at their edges: counts, failed UIDs, cancel, roles, destinations that refuse, requestors that leave or stall,
# identifiers that are none; nothing stays behind.
. "$(dirname "$0")/lib.sh"
require_tool pacs-recv pacs-index pacs-find python3
. "$SRC/tests/e2e/recv.sh"
. "$SRC/tests/e2e/move.sh"

pacs-index -q --import -A "$A" "$DATA/mr-orientation" "$DATA/ct-study" "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/pydicom/test_files/JPEG2000.dcm" "$DATA/pydicom/test_files/CT_small.dcm" 2>/dev/null
export PACS_ARCHIVE="$A"
ct=1.3.46.670589.33.1.27492712521914879309.27169771283235650014
CT=1.2.840.10008.5.1.4.1.1.2
SC=1.2.840.10008.5.1.4.1.1.7
IMPLICIT=1.2.840.10008.1.2
EXPLICIT=1.2.840.10008.1.2.1
images=$(pacs-find -L instance StudyInstanceUID=$ct | cut -f1 | sort)
count=$(echo "$images" | wc -l)
# The classes of the study, for C-GET.
classes=$(pacs-find -L instance -k SOPClassUID StudyInstanceUID=$ct | cut -f2 | sort -u | paste -sd ,)

# destination [NAME=VALUE...]: the peer DEST of pacs.conf becomes such a one
destination()
{
    [ -z "${FAKE_PID:-}" ] || stop_child "$FAKE_PID"
    start_fake "$@"
    printf '[recv]\naet = PACS\nidle-timeout = 5\ntimeout = 5\n' >"$A/pacs.conf"
    peer DEST "$FAKE_PORT" 'timeout = 3'
    peer DEAD 1 'timeout = 3'
    [ -z "$RECV_PID" ] || stop_recv
    : >"$T/recv.err"
    start_recv -v
}
workers()
{
    ps -o pid= --ppid "$RECV_PID" | wc -l
}
move()
{
    raw_retrieve move destination="${dest:-DEST}" "$@" | grep -v '^more'
}
get()
{
    raw_retrieve get "$@" | grep -v '^more'
}

# ---- C-MOVE ----

destination out=.
check_same 'a study: a pending response at once, then the counts' "move STUDY study=$ct" "pending $count 0 0 0
0000 - $count 0 0
released"
check_same 'who asked, and by which message, goes with each object' 'grep ^store "$FAKE_LOG" | cut -d" " -f6,7 | sort | uniq -c | tr -s " "' " $count RAWGET 9"
check_same 'over one association, to the title of the peer' 'grep ^associate "$FAKE_LOG" | cut -d" " -f2,3' 'PACS DEST'
check_same 'nothing matches: success' 'move STUDY study=1.2.3.4' '0000 - 0 0 0
released'
check_same 'one study twice is sent once' "move STUDY 'study=$ct\\$ct' | tail -n 2" "0000 - $count 0 0
released"
check_same 'an unknown destination' "dest=NOBODY move STUDY study=$ct" 'A801 - - - -
released'
check_same 'no destination' "raw_retrieve move STUDY study=$ct" 'A801 - - - -
released'
check_same 'a destination that is not there: all have failed' "dest=DEAD move STUDY study=$ct | tail -n 2 | tr ' ' '\n' | head -n 5; dest=DEAD move STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f6 | tr , '\n' | sort" "A702
-
0
$count
0
$images"
check_same 'a unique key above is missing' "image=$(echo "$images" | head -n 1); move IMAGE sop=\$image" 'A900 - - - -
released'
check_same 'by relational retrieval it is not needed' "move relational=1 IMAGE sop=$(echo "$images" | head -n 1) | tail -n 2" '0000 - 1 0 0
released'
check_same 'an unknown level' "move PAGE study=$ct" 'A900 - - - -
released'
check_same 'a level that the model has not' "move model=study PATIENT id=1" 'A900 - - - -
released'
check_same 'no identifier' 'move junk= STUDY | cut -d" " -f1' 'C001
released'
check_same 'an identifier that is none' 'move junk=08005200ffffff7f STUDY | cut -d" " -f1' 'C001
released'
check_same 'the key of the level is empty' 'move STUDY study= | cut -d" " -f1' 'A900
released'

destination status=0000,C123,0000,B000,0000
check_same 'one refused, one with a remark' "move STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" "B000 - $((count - 2)) 1 1"
failed=$(grep '^store 2 ' "$FAKE_LOG" | cut -d' ' -f3)
check_same 'the failed one is listed' "grep -c . fake.log >/dev/null; move STUDY study=$ct | tail -n 2 | cut -d' ' -f1-5 | head -n 1" "0000 - $count 0 0"
destination status=0000,C123,0000
check_same 'by its UID' "move STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f6" "$failed"
destination status=A900
check_same 'all refused' "move STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" "A702 - 0 $count 0"
destination status=A700,A700,0000
check_same 'busy, then not' "move STUDY study=$ct | tail -n 2 | head -n 1" "0000 - $count 0 0"
destination classes=1.2.3
check_same 'it takes no such class' "move STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" "A702 - 0 $count 0"
destination do=2:abort,3:close
check_same 'it aborts, closes, and then takes the rest' "move STUDY study=$ct | tail -n 2 | head -n 1" "0000 - $count 0 0"
destination do=0:stall
check_same 'it answers nothing' "move STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" "A702 - 0 $count 0"
destination do=0:slow
check_same 'cancelled' "move cancel=1 STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1,4,5" 'FE00 0 0'
check_same 'no more than the object on its way was sent' 'grep -c ^store "$FAKE_LOG"' 1
check_same 'what remains is counted' "move cancel=1 STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-3" "FE00 $((count - 1)) 1"
check 'no worker stays' wait_for 10 sh -c "[ \$(ps -o pid= --ppid $RECV_PID | wc -l) -eq 0 ]"

# ---- C-GET ----

destination
mkdir mine
check_same 'C-GET' "get classes=$classes syntaxes=$EXPLICIT out=mine STUDY study=$ct | grep -v ^object" "pending $((count - 1)) 1 0 0
0000 - $count 0 0
released"
check_same 'the bytes that are stored' 'for file in mine/*; do data_set "$(stored "${file#mine/}")" | cmp - "$file"; done; ls mine | sort' "$images"
check_same 'implicit VR only: transcoded' "get classes=$classes syntaxes=$IMPLICIT STUDY study=$ct | cut -d' ' -f1,3 | grep object | uniq -c | tr -s ' '" " $count object $IMPLICIT"
check_same 'without the role of SCP nothing comes' "get role=0 classes=$classes STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" "A702 - 0 $count 0"
check_same 'all UIDs are listed' "get role=0 classes=$classes STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f6 | tr , '\n' | sort" "$images"
check_same 'a class that is not taken has failed, the others come' \
    "get classes=$CT syntaxes=$EXPLICIT STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" \
    "$(pacs-find -L instance StudyInstanceUID=$ct SOPClassUID=$CT | wc -l | awk -v all="$count" '{ print ($1 == all ? "0000" : "B000"), "-", $1, all - $1, 0 }')"
check_same 'refused objects have failed' "get status=A700 classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | tail -n 2 | head -n 1 | cut -d' ' -f1-5" "A702 - 0 $count 0"
check_same 'remarks are counted' "get status=B007 classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | tail -n 2 | head -n 1" "0000 - 0 0 $count"
check_same 'cancelled after two' "get cancel=2 classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | grep -v ^object | tail -n 2 | head -n 1" "FE00 $((count - 2)) 2 0 0"
check_same 'the requestor leaves' "get leave=1 classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | tail -n 1" 'ended: left'
check_same 'the requestor aborts' "get abort=1 classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | tail -n 1" 'ended: aborted'
check_same 'the requestor stops answering, and is aborted' "get stall=1 classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | tail -n 1" 'ended: something came while it stalled'
check 'no worker stays' wait_for 10 sh -c "[ \$(ps -o pid= --ppid $RECV_PID | wc -l) -eq 0 ]"
path=$(stored "$(echo "$images" | head -n 1)")
mv "$path" gone
check_same 'a file is gone: the others come' "get classes=$classes syntaxes=$EXPLICIT STUDY study=$ct | tail -n 2 | head -n 1" \
    "B000 - $((count - 1)) 1 0 $(echo "$images" | head -n 1)"
mv gone "$path"
jpeg=$(values "$DATA/pydicom/test_files/JPEG2000.dcm" 0008,0018)
check_same 'JPEG 2000, decoded for who takes none' \
    "get relational=1 classes=$(values "$DATA/pydicom/test_files/JPEG2000.dcm" 0008,0016 | sed "s/^=SecondaryCaptureImageStorage/$SC/; s/^=NuclearMedicineImageStorage/1.2.840.10008.5.1.4.1.1.20/; s/^=MRImageStorage/1.2.840.10008.5.1.4.1.1.4/") syntaxes=$IMPLICIT IMAGE sop=$jpeg | tail -n 2" '0000 - 1 0 0
released'
check 'and the helper is gone with its worker' wait_for 10 sh -c "! pgrep -P $RECV_PID"
stop_recv
check_same 'the receiver ends in order' 'echo $RECV_STATUS' 0
done_testing
