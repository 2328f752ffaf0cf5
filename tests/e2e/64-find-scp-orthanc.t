#!/bin/sh
# Orthanc asks us: patients, studies, series and images, texts in its own character set.
. "$(dirname "$0")/lib.sh"
require_tool Orthanc curl jq pacs-recv pacs-index dcmdump sqlite3

dicom=$(free_port)
http=$((dicom + 1))
until test_port_free $http; do http=$((http + 1)); done

pacs-index -q --import -A "$A" "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/pydicom/charset_files/chrGerm.dcm" \
    "$DATA/pydicom/charset_files/chrX1.dcm"
check 'pacs-recv starts' start_recv -v
mkdir orthanc
cat >orthanc.json <<END
{ "Name": "peer", "StorageDirectory": "orthanc", "IndexDirectory": "orthanc", "HttpPort": $http, "DicomPort": $dicom,
  "DicomAet": "ORTHANC", "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": [],
  "DefaultEncoding": "Utf8", "DicomModalities": { "PACS": [ "PACS", "localhost", $PORT ] } }
END
background Orthanc orthanc.json >orthanc.log 2>&1
api()
{
    api_path=$1
    shift
    curl -sf "http://localhost:$http$api_path" "$@"
}
check 'Orthanc starts' wait_for 60 api /system

# ask LEVEL QUERY FILTER: the answers, each through jq
ask()
{
    id=$(api /modalities/PACS/query -d "{ \"Level\": \"$1\", \"Query\": $2 }" | jq -r .ID)
    api "/queries/$id/answers?expand&simplify" | jq -r ".[] | $3" | sort
}

study=1.3.46.670589.33.1.27492712521914879309.27169771283235650014
check_same 'every patient' "ask Patient '{ \"PatientID\": \"\" }' .PatientID | wc -l" \
    "$(sqlite3 "$A/index.db" 'select count(*) from patient')"
check_same 'a study by name' "ask Study '{ \"PatientName\": \"hea*\" }' .StudyInstanceUID" "$study"
check_same 'counts and modalities' \
    "ask Study '{ \"StudyInstanceUID\": \"$study\", \"ModalitiesInStudy\": \"\", \"NumberOfStudyRelatedInstances\": \"\" }' '.ModalitiesInStudy + .NumberOfStudyRelatedInstances'" CT5
check_same 'its series' "ask Series '{ \"StudyInstanceUID\": \"$study\" }' .SeriesInstanceUID" \
    "$(sqlite3 "$A/index.db" "select r.uid from series r join study s on s.id = r.study where s.uid = '$study' order by 1")"
series=$(sqlite3 "$A/index.db" "select uid from series where instances = 3")
check_same 'their images' "ask Instance '{ \"StudyInstanceUID\": \"$study\", \"SeriesInstanceUID\": \"$series\" }' .SOPInstanceUID" \
    "$(sqlite3 "$A/index.db" "select i.uid from instance i join series r on r.id = i.series where r.uid = '$series' order by 1")"
check_same 'German letters' "ask Study '{ \"PatientName\": \"Äneas*\" }' .PatientName" 'Äneas^Rüdiger'
check_same 'and Chinese ones' "ask Study '{ \"PatientName\": \"*王*\" }' .PatientName" \
    "$(dcmdump -q +U8 +P PatientName "$DATA/pydicom/charset_files/chrX1.dcm" | sed 's/^[^[]*\[\(.*\)\].*/\1/')"
check_same 'nobody' "ask Study '{ \"PatientName\": \"nobody\" }' .PatientName" ''
stop_recv
done_testing
