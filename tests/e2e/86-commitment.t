#!/bin/sh
# Storage commitment: Orthanc asks whether its objects are safe, and is told the truth: of what is there, of what never
# came, of what has been damaged since; and is told it later when it could not be reached at first.
. "$(dirname "$0")/lib.sh"
require_tool Orthanc curl jq xxhsum dcmdump storescu pacs-recv pacs-find sqlite3

dicom=$(free_port)
http=$((dicom + 1))
until test_port_free $http; do http=$((http + 1)); done

mkdir "$A" orthanc
conf()
{
    printf '[recv]\naet = PACS\n\n[peer ORTHANC]\nhost = localhost\nport = %s\ntimeout = 5\n' "$1" >"$A/pacs.conf"
}
conf "$dicom"
check 'pacs-recv starts' start_recv -v

cat >orthanc.json <<END
{ "Name": "peer", "StorageDirectory": "orthanc", "IndexDirectory": "orthanc", "HttpPort": $http, "DicomPort": $dicom,
  "DicomAet": "ORTHANC", "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": [],
  "DicomModalities": { "PACS": { "AET": "PACS", "Host": "localhost", "Port": $PORT, "AllowStorageCommitment": true } } }
END
background Orthanc orthanc.json >orthanc.log 2>&1
api()
{
    api_path=$1
    shift
    curl -sf "http://localhost:$http$api_path" "$@"
}
check 'Orthanc starts' wait_for 60 api /system

for file in "$DATA"/ct-study/S2010/*; do
    api /instances --data-binary "@$file" >/dev/null
done
# SOP class and instance of the three, as Orthanc wants them.
instances()
{
    for file in "$DATA"/ct-study/S2010/*; do
        values "$file" 0008,0016 0008,0018 | paste -s
    done | sed 's/^=CTImageStorage/1.2.840.10008.5.1.4.1.1.2/' |
        jq -R -s '[split("\n")[] | select(length > 0) | split("\t") | {SOPClassUID: .[0], SOPInstanceUID: .[1]}]'
}
check_same 'the test has three objects' 'instances | jq length' 3

# Asks, waits, and prints the status, what is safe and what is not.
committed()
{
    committed_id=$(api /modalities/PACS/storage-commitment -d "{\"DicomInstances\": $1}" | jq -r .ID)
    wait_for 30 sh -c "curl -sf http://localhost:$http/storage-commitment/$committed_id | jq -e '.Status != \"Pending\"'"
    api "/storage-commitment/$committed_id" >report.json
    jq -r '.Status, (.Success | length), (.Failures // [] | map(.Description) | .[])' report.json
}

check_same 'nothing is there yet, and that is what is said' 'committed "$(instances)" | sort | uniq -c | sed "s/^ *//"' \
    '1 0
1 Failure
3 One or more of the elements in the Referenced SOP Instance Sequence was not available'

check 'Orthanc sends its study' sh -c "curl -sf http://localhost:$http/studies | jq -r '.[0]' >study &&
    curl -sf http://localhost:$http/modalities/PACS/store -d \"\$(cat study)\""
check_same 'now all are safe' 'committed "$(instances)"' 'Success
3'

# The hash in the file is the one that xxhsum finds of the data set.
first=$(pacs-find -A "$A" -L instance -k Path | head -n 1 | cut -f2)
offset=$(($(values "$first" 0002,0000) + 144))
check_same 'each file names the hash of its data set' \
    'tail -c +$((offset + 1)) "$first" | xxhsum -H2 | cut -d" " -f1' \
    "$(dcmdump -q +L +P 0002,0102 "$first" | sed 's/^[^ ]* OB //; s/ *#.*//' | tr '\\\\' '\n' |
        while read -r byte; do printf "\\$(printf %03o "0x$byte")"; done)"

cp "$first" whole
size=$(stat -c %s "$first")
printf 'x' | dd of="$first" bs=1 seek=$((size - 1000)) conv=notrunc 2>/dev/null
check_same 'one byte of one file changes: that one is not' 'committed "$(instances)"' 'Failure
2
A general failure in processing the operation was encountered'
check_like 'and the log says which, and why' 'cat "$RECV_ERR"' "$(basename "$first"): the data set is not what was received"

check_same 'an object of another class than it is' \
    'committed "$(instances | jq ".[1:2] | .[0].SOPClassUID = \"1.2.840.10008.5.1.4.1.1.4\"")" ' 'Failure
0
The SOP Class of an element in the Referenced SOP Instance Sequence did not correspond to the SOP class registered for this SOP Instance at the SCP'

cat whole >"$first"

# A peer that cannot be reached: the report waits in state.db, over a restart, until it can.
stop_recv
conf "$(free_port)"
start_recv -v -p "$PORT"
api /modalities/PACS/storage-commitment -d "{\"DicomInstances\": $(instances | jq '.[1:]')}" | jq -r .ID >id
waiting()
{
    sqlite3 "$A/state.db" 'SELECT calling, tries FROM commitment'
}
check 'a report that is not delivered' wait_for 20 sh -c "sqlite3 '$A/state.db' 'SELECT tries FROM commitment' | grep -q 1"
check_same 'is kept' waiting 'ORTHANC|1'
stop_recv KILL
conf "$dicom"
sqlite3 "$A/state.db" 'UPDATE commitment SET next = 0' # the wait before the second try is half a minute
check 'a new receiver' start_recv -v -p "$PORT"
check 'reports it' wait_for 30 sh -c "curl -sf http://localhost:$http/storage-commitment/$(cat id) | jq -e '.Status == \"Success\"'"
check 'and then nothing waits' wait_for 10 sh -c "sqlite3 '$A/state.db' 'SELECT count(*) FROM commitment' | grep -qx 0"
stop_recv
check_same 'all ends in order' 'echo $RECV_STATUS' 0
done_testing
