#!/bin/sh
# shellcheck disable=SC2034
# Workstations and archives retrieve from pacs-recv: C-MOVE and C-GET by DCMTK's, gdcm's and Orthanc's hands, at each level,
# with what the requestor or the destination does not take decoded for it.
. "$(dirname "$0")/lib.sh"
require_tool pacs-recv pacs-index pacs-find movescu getscu gdcmscu storescp Orthanc curl jq dcmdump dcmdjpeg python3
. "$SRC/tests/e2e/recv.sh"
. "$SRC/tests/e2e/move.sh"

pacs-index -q --import -A "$A" "$DATA/mr-orientation" "$DATA/ct-study" "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/one-ct-13-syntaxes" "$DATA/pydicom/test_files/JPEG2000.dcm" 2>/dev/null
export PACS_ARCHIVE="$A"
http=$(free_port)
SCP=$((http + 1))
ORTHANC=$((http + 2))
printf '[recv]\naet = PACS\n' >"$A/pacs.conf"
peer SCP "$SCP"
peer ORTHANC "$ORTHANC"
peer DEAD 1 'timeout = 5'
start_recv -v
ct=1.3.46.670589.33.1.27492712521914879309.27169771283235650014
patient=77654033
images()
{
    pacs-find -L instance "$@" | cut -f1 | sort
}
got_uids()
{
    find "$1" -type f | while read -r file; do
        values "$file" 0008,0018
    done | sort
}

# into FOLDER COMMAND...: what the command leaves there, or at storescp; the UIDs of the objects
with_storescp()
{
    rm -rf got
    mkdir got
    storescp "$@" -od got "$SCP" >storescp.log 2>&1 </dev/null &
    SCP_PID=$!
    test_children="$test_children $SCP_PID"
    wait_for 10 test_port_taken "$SCP"
}

# ---- C-MOVE ----

with_storescp +xa +B
move_by()
{
    rm -f got/*
    movescu -v -aet CALLER -aem SCP -aec PACS localhost "$PORT" "$@" >move.log 2>&1
    got_uids got
}
series=$(pacs-find -L series StudyInstanceUID=$ct | head -n 1 | cut -f1)
image=$(pacs-find -L instance StudyInstanceUID=$ct | head -n 1 | cut -f1)
image_series=$(pacs-find -L instance -k SeriesInstanceUID StudyInstanceUID=$ct | head -n 1 | cut -f2)
studies=$(pacs-find -L study | head -n 3 | cut -f1)
check_same 'a patient by C-MOVE' 'move_by -P -k QueryRetrieveLevel=PATIENT -k PatientID='$patient "$(images PatientID=$patient)"
check_same 'a study' 'move_by -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID='$ct "$(images StudyInstanceUID=$ct)"
check_like 'with counts' 'grep -v Pending move.log' 'Success'
check_same 'a series' "move_by -S -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=$ct -k SeriesInstanceUID=$series" "$(images SeriesInstanceUID="$series")"
check_same 'an image' "move_by -S -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$ct -k SeriesInstanceUID=$image_series -k SOPInstanceUID=$image" "$image"
check_same 'a list of studies' "move_by -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID='$(echo "$studies" | paste -sd '\\')'" \
    "$(for study in $studies; do images StudyInstanceUID="$study"; done | sort)"
check_same 'a patient by patient/study only' 'move_by -O -k QueryRetrieveLevel=STUDY -k PatientID='$patient' -k StudyInstanceUID='"$(pacs-find -L study PatientID=$patient | head -n 1 | cut -f1)" \
    "$(images StudyInstanceUID="$(pacs-find -L study PatientID=$patient | head -n 1 | cut -f1)")"
check_same 'what is not there is no failure' "move_by -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=1.2.3.4; grep -c 'Received Final Move Response (Success)' move.log" 1
check_same 'data sets are the same to the byte' \
    "move_by -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$ct >/dev/null; for f in got/*; do data_set \"\$f\" | cmp - <copy 2>/dev/null || { data_set \"\$(stored \"\$(values \"\$f\" 0008,0018)\")\" >copy; data_set \"\$f\" | cmp - copy; }; done" ''
check_same 'gdcmscu moves a study' "rm -f got/*; gdcmscu --move --call PACS --aetitle SCP --studyroot --study -k 20,d=$ct --port-scp $((http + 3)) localhost $PORT >gdcm.log 2>&1; got_uids got" \
    "$(images StudyInstanceUID=$ct)"
kill "$SCP_PID" && wait "$SCP_PID" 2>/dev/null

with_storescp +xi +B
jpeg=$(pacs-find -L instance -k TransferSyntaxUID,StudyInstanceUID | awk -F '\t' '$2 == "1.2.840.10008.1.2.4.50" { print $3; exit }')
check_same 'to a destination that takes implicit VR only' \
    "move_by -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$jpeg" "$(images StudyInstanceUID="$jpeg")"
check_same 'everything is decoded' 'for f in got/*; do dcmdump -q +P 0002,0010 "$f"; done | grep -vc LittleEndianImplicit' 0
baseline=$(pacs-find -L instance -k TransferSyntaxUID | awk -F '\t' '$2 == "1.2.840.10008.1.2.4.50" { print $1; exit }')
check_same 'to the pixels that DCMTK finds' 'pixels "$(grep -l "$baseline" got/*)"' \
    "$(dcmdjpeg "$(stored "$baseline")" plain.dcm && pixels plain.dcm)"
check 'and the receiver says so' told 'C-MOVE: status 0000, ([0-9]+) of \1 sent, [1-9][0-9]* of them transcoded'
kill "$SCP_PID" && wait "$SCP_PID" 2>/dev/null
check_like 'a destination that pacs.conf does not know' \
    "movescu -v -aem NOBODY -aec PACS localhost $PORT -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$ct" 'Refused: MoveDestinationUnknown'
check_like 'a destination that is not there' \
    "movescu -v -aem DEAD -aec PACS localhost $PORT -S -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$ct" 'Refused: OutOfResourcesSubOperations'

# ---- C-GET ----

get_by()
{
    rm -rf mine
    mkdir mine
    getscu -v +B -od mine -aec PACS "$@" >get.log 2>&1
    got_uids mine
}
check_same 'a patient by C-GET' "get_by -P localhost $PORT -k QueryRetrieveLevel=PATIENT -k PatientID=$patient" "$(images PatientID=$patient)"
check_same 'a study' "get_by -S localhost $PORT -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$ct" "$(images StudyInstanceUID=$ct)"
check_same 'a series' "get_by -S localhost $PORT -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=$ct -k SeriesInstanceUID=$series" "$(images SeriesInstanceUID="$series")"
check_same 'an image' "get_by -S localhost $PORT -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$ct -k SeriesInstanceUID=$image_series -k SOPInstanceUID=$image" "$image"
check_same 'compressed objects, decoded' "get_by -S localhost $PORT -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$jpeg" "$(images StudyInstanceUID="$jpeg")"
check_same 'to the pixels that DCMTK finds' 'pixels "$(grep -l "$baseline" mine/*)"' "$(pixels plain.dcm)"
check_same 'data sets are the same to the byte' \
    "get_by -S localhost $PORT -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=$ct >/dev/null; for f in mine/*; do data_set \"\$(stored \"\$(values \"\$f\" 0008,0018)\")\" >copy; data_set \"\$f\" | cmp - copy; done" ''

# ---- Orthanc ----

mkdir orthanc
cat >orthanc.json <<END
{ "Name": "test", "StorageDirectory": "$T/orthanc", "IndexDirectory": "$T/orthanc", "HttpPort": $http, "DicomPort": $ORTHANC,
  "DicomAet": "ORTHANC", "RemoteAccessAllowed": true, "AuthenticationEnabled": false, "DicomCheckCalledAet": false,
  "DicomAlwaysAllowStore": true, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true, "DicomAlwaysAllowFind": true,
  "DicomModalities": { "pacs": ["PACS", "127.0.0.1", $PORT] } }
END
background Orthanc orthanc.json >orthanc.log 2>&1
orthanc()
{
    curl -sf "http://localhost:$http/$1" ${2:+-d "$2"}
}
wait_for 30 orthanc system
orthanc_uids()
{
    orthanc 'instances?expand' | jq -r '.[].MainDicomTags.SOPInstanceUID' | sort
}
check_same 'Orthanc takes what pacs-move sends' 'pacs-move --to ORTHANC '"$(pacs-find -L study PatientID=$patient | cut -f1 | tr '\n' ' ')"' && orthanc_uids' "$(images PatientID=$patient)"
orthanc_pulls()
{
    query=$(orthanc modalities/pacs/query "{\"Level\":\"Study\",\"Query\":{\"StudyInstanceUID\":\"$1\"}}" | jq -r .ID)
    [ "$(orthanc "queries/$query/answers" | jq length)" = 1 ] || echo 'no answer'
    orthanc "queries/$query/answers/0/retrieve" ORTHANC >pull.log || echo 'not retrieved'
}
check_same 'Orthanc finds a study here and has it moved to itself' "orthanc_pulls $ct; orthanc_uids" \
    "$( (images PatientID=$patient; images StudyInstanceUID=$ct) | sort)"
check_same 'it pulls what is compressed' "orthanc_pulls $jpeg; orthanc_uids" \
    "$( (images PatientID=$patient; images StudyInstanceUID=$ct; images StudyInstanceUID="$jpeg") | sort)"
second=$(orthanc "studies?expand" | jq -r ".[] | select(.MainDicomTags.StudyInstanceUID == \"$ct\") | .ID")
rm -rf "$T/second"
mkdir "$T/second"
stop_recv
A=$T/second
start_recv -p "$PORT"
check 'and sends it back to another archive of ours' orthanc modalities/pacs/store "$second"
check_same 'whole' 'pacs-find -A "$T/second" -L instance | cut -f1 | sort' "$(images StudyInstanceUID=$ct)"
stop_recv
check_same 'the receiver ends in order' 'echo $RECV_STATUS' 0
done_testing
