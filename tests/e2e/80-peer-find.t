#!/bin/sh
# pacs-find @PEER: the lines that the local index gives are those that another pacs-recv, Orthanc and dcmqrscp give
# for the same objects, by every form of the matching language; several at once, with one that is dead.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/peers.sh"
require_tool Orthanc dcmqrscp rawscu pacs-recv pacs-find

# Files whose studies and series are of one piece, and sendable to all.
pacs-index -q -A "$T/source" --import "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/dcmqi" "$DATA/rt" \
    "$DATA/pydicom/test_files/dicomdirtests" "$DATA/pydicom/charset_files" 2>/dev/null
find "$T/source/objects" -type f >all
start_other || skip_all 'pacs-recv does not come up'
# shellcheck disable=SC2046 # names without blanks
fill "$OTHER_PORT" OTHER $(cat all) >/dev/null
# What all shall hold is what the first has taken; the archive is made of that.
find "$OTHER/objects" -type f >files
check 'there is something to ask for' test "$(wc -l <files)" -gt 50
pacs-index -q -A "$A" --import "$OTHER/objects"
start_orthanc || skip_all 'Orthanc does not come up'
start_dcmqrscp || skip_all 'dcmqrscp does not come up'
# shellcheck disable=SC2046
check 'Orthanc takes them' fill "$ORTHANC_PORT" ORTHANC $(cat files)
# shellcheck disable=SC2046
check 'dcmqrscp takes them' fill "$DCMTK_PORT" DCMTK $(cat files)
{
    peer_section OTHER OTHER "$OTHER_PORT"
    peer_section ORTHANC ORTHANC "$ORTHANC_PORT"
    peer_section DCMTK DCMTK "$DCMTK_PORT"
} >"$A/pacs.conf"
PACS_ARCHIVE=$A
export PACS_ARCHIVE

# lines PLACE OPTION...: without the peer's name, sorted.
lines()
{
    place=$1
    shift
    pacs-find "@$place" --tsv "$@" 2>"$place.err" | awk -F '\t' -v OFS='\t' -v place="$place" '
        $NF != place { print "no name of the peer: " $0; next }
        { NF--; print }' | LC_ALL=C sort
}

# same NAME PEERS ARGUMENT...: some lines, and the same from each of the peers.
same()
{
    name=$1 peers=$2
    shift 2
    pacs-find --tsv "$@" | LC_ALL=C sort >want
    lines local "$@" >got
    if [ ! -s want ] || ! cmp -s want got; then
        fail "$name: the local index" "lines: $(wc -l <want), as one of several: $(wc -l <got)"
        return
    fi
    for peer in $peers; do
        lines "$peer" "$@" >got
        if cmp -s want got; then
            pass "$name: $peer"
        else
            fail "$name: $peer" "lines that differ:"
            diff want got | head -n 6 | sed 's/^/#   /'
            test_show "$peer.err"
        fi
    done
}
every='OTHER ORTHANC DCMTK'

# ---- each form of a key ----
same 'all studies' "$every" -k StudyDate,PatientID
same 'all series' "$every" -L series -k PatientID,Modality,SeriesNumber
same 'all instances' "$every" -L instance -k StudyInstanceUID,SeriesInstanceUID,InstanceNumber
# Without an ID the index names a patient by its row.
same 'all patients' "$every" -L patient -k PatientID PatientID!=
check_same 'a patient without an ID' \
    'pacs-find @OTHER -L patient -k "" "PatientID=\"\"" | cut -f1 | uniq' patient:
same 'a single value' "$every" -k PatientID PatientID=98890234
same 'letter case counts' "$every" -L series -k Modality Modality=CT
same 'a list' "$every" -k PatientID Modality=CT,MR
same 'a list by backslashes' "$every" -k PatientID 'PatientID=98890234\77654033'
same 'wild cards' "$every" -k PatientID 'PatientID=*0*4'
same 'one character' "$every" -k PatientID 'PatientID=9889023?'
same 'no value' "$every" -k PatientID 'StudyDate=""'
same 'any value' "$every" -k PatientID StudyDate!=
same 'negation' "$every" -L series -k Modality Modality!=CT,MR
same 'a universal key' "$every" -k PatientID StudyDescription=
uid=$(pacs-find -L series -k '' Modality=MR | head -n 1)
other=$(pacs-find -L series -k '' Modality=CT | head -n 1)
study=$(pacs-find -k '' Modality=CT | head -n 1)
same 'a UID' "$every" -k PatientID "StudyInstanceUID=$study"
same 'a list of UIDs' "$every" -L series -k Modality "SeriesInstanceUID=$uid,$other"
same 'a UID of a lower level' "$every" -k PatientID "SeriesInstanceUID=$uid,$other"
same 'a list of 700 UIDs' "$every" -k PatientID \
    "StudyInstanceUID=$(seq 1 700 | sed 's/^/2.25./' | tr '\n' ',')$study"
same 'a day' "$every" -k StudyDate StudyDate=20030505
same 'a month' "$every" -k StudyDate StudyDate=2003-05-05
same 'a year' "$every" -k StudyDate StudyDate=2003
same 'a range of dates' "$every" -k StudyDate StudyDate=20010101-2003
same 'from a date on' "$every" -k StudyDate StudyDate=20040101-
same 'until a date' "$every" -k StudyDate StudyDate=-20030505
same 'before a date' "$every" -k StudyDate 'StudyDate<20030505'
same 'after a year' "$every" -k StudyDate 'StudyDate>2003'
same 'a relative date' "$every" -k StudyDate StudyDate=-5y
same 'several dates' "$every" -k StudyDate StudyDate=20030505,20010101
same 'an hour' "$every" -k StudyTime StudyTime=05
same 'a range of times' "$every" -k StudyTime StudyTime=0500-0600
same 'a number' "$every" -L series -k SeriesNumber SeriesNumber=700
same 'numbers compared' "$every" -L series -k SeriesNumber 'SeriesNumber>=4'
same 'a range of numbers' "$every" -L instance -k InstanceNumber InstanceNumber=2..3
same 'a family name in lower case' "$every" -k PatientName PatientName=doe
same 'a family name in capitals' "$every" -k PatientName PatientName=DOE
same 'family and given name' "$every" -k PatientName 'PatientName=doe^peter'
same 'a name by wild card' "$every" -k PatientName 'PatientName=d?e^p*'
same 'keys of several levels' "$every" -k PatientID Modality=MR InstanceNumber=3
same 'patients by what was done' "$every" -L patient -k PatientID Modality=CT
same 'columns of lower levels' OTHER -k Modality
same 'numbers of instances' 'OTHER ORTHANC' -L instance -k Rows,SliceThickness 'Rows>=256'
same 'numbers of instances, less' 'OTHER ORTHANC' -L instance -k SliceThickness 'SliceThickness<=5'
same 'what is in a study' 'OTHER ORTHANC' -k ModalitiesInStudy,NumberOfStudyRelatedInstances
same 'modalities in a study' 'OTHER ORTHANC' -k PatientID ModalitiesInStudy=MR
same 'an attribute that no index holds' OTHER -L instance -k FlipAngle 'FlipAngle<35'
same 'the usual columns' OTHER

# ---- references ----
same 'a study by its UID' "$every" -k PatientID "$study"
same 'the series of a study' "$every" -L series -k Modality "$study"
same 'the study of a series' "$every" -k PatientID "$uid"
same 'the instances of two series' "$every" -L instance -k Modality "$uid" "$other"
same 'the studies of a patient' "$every" -k PatientID patient:98890234
check_same 'references from one to the other' \
    "pacs-find @ORTHANC -k '' Modality=CT | pacs-find @OTHER -k '' - | cut -f1 | sort" \
    "$(pacs-find -k '' Modality=CT | sort)"

# ---- character sets: what each of them says is what dcmdump reads ----
same 'names in all character sets' OTHER -k PatientID,PatientName
same 'Cyrillic, letter case aside' 'OTHER ORTHANC' -k PatientName 'PatientName=люк*'
same 'Greek' 'OTHER ORTHANC' -k PatientName PatientName=διονυσιος
same 'German' 'OTHER ORTHANC' -k PatientName 'PatientName=äneas^rüdiger'
same 'an ideographic name' OTHER -k PatientName 'PatientName=山田*'
same 'a phonetic name' OTHER -k PatientName 'PatientName=홍^길동'

# ---- several at once ----
total=$(pacs-find | wc -l)
check_same 'all peers' 'pacs-find @all -k PatientID | cut -f3 | sort | uniq -c | tr -s " "' \
    " $total DCMTK
 $total ORTHANC
 $total OTHER"
check_same 'and the index' 'pacs-find @all @local -k "" | wc -l' $((total * 4))
check_same 'no line is mixed' 'pacs-find @all @local -L instance -k StudyInstanceUID,Modality |
    awk -F "\t" "NF != 4 || \$1 !~ /^[0-9.]+\$/ || \$2 !~ /^[0-9.]+\$/"' ''
check_same 'one named twice is asked once' 'pacs-find @OTHER @OTHER -k "" | wc -l' "$total"
check_same 'the name is a column in JSON' \
    "pacs-find @OTHER -k PatientID --json PatientID=98890234 | head -n 1 | sed 's/.*\(\"Peer\":\"OTHER\"\).*/\1/'" \
    '"Peer":"OTHER"'
check_fails 'an order by what no index holds' 2 pacs-find @all --sort FlipAngle
check_same 'by date' \
    'pacs-find @all @local --sort -StudyDate -k StudyDate | cut -f2 | sort -rc && echo yes' yes
check_same 'by a number that is no column' \
    'pacs-find @OTHER @local --sort SeriesNumber -L series -k SeriesNumber | cut -f2 | sort -nc && echo yes' yes
check_same 'the first of all' 'pacs-find @all --sort StudyDate --limit 3 -k StudyDate | cut -f2' \
    "$(pacs-find --sort StudyDate --limit 1 -k StudyDate | cut -f2 | sed 'p;p')"
check_same 'so many of all' 'pacs-find @all @local -L instance --limit 7 | wc -l' 7
check 'quiet' pacs-find -q @all Modality=CT
check_same 'says nothing' 'cat "$LAST"' ''
check_same 'one that pacs.conf does not have' \
    "pacs-find -k '' @OTHER@localhost:$OTHER_PORT PatientID=98890234 | cut -f2 | uniq" "OTHER@localhost:$OTHER_PORT"
(unset PACS_ARCHIVE && cd / && pacs-find -k '' "@OTHER@localhost:$OTHER_PORT") >got
check_same 'which needs no archive' 'wc -l <got' "$total"
check_same 'a reader that leaves' 'pacs-find @all @local -L instance | head -n 2 | wc -l' 2

# ---- statuses ----
check_fails 'nothing matches' 1 pacs-find @all PatientID=nobody
check_fails 'a key that only the index knows' 2 pacs-find @OTHER 'Size>1K'
check_like 'is named' 'cat "$LAST"' 'Size is known of .*no peer'
check 'though not of the index' pacs-find -q @local 'Size>1K'
check_like 'a key that a peer does not answer' 'pacs-find @DCMTK -L instance "Rows>1"' 'DCMTK: no answer had Rows'
check_fails 'a peer without a name' 2 pacs-find @
kill "$ORTHANC_PID"
wait "$ORTHANC_PID" 2>/dev/null
check 'with a dead one the answers of the others stand' pacs-find -k PatientID @all PatientID=98890234
check_like 'it is named' 'cat "$LAST"' '^pacs-find: ORTHANC: '
check_same 'the others answer' 'grep -c "	" "$LAST"' "$(($(pacs-find PatientID=98890234 | wc -l) * 2))"
check_fails 'nothing matched, but not all were asked' 2 pacs-find @all PatientID=nobody
check_fails 'only the dead one' 2 pacs-find @ORTHANC
done_testing
