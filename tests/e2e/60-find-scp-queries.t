#!/bin/sh
# shellcheck disable=SC2034 # scripts of the checks are evaluated
# What findscu asks pacs-recv: each level, model and type of matching, and the status when it cannot be.
. "$(dirname "$0")/lib.sh"
require_tool pacs-recv pacs-index findscu dcmdump sqlite3 odil python3
. "$SRC/tests/e2e/recv.sh"

# find OPTION...: findscu; the responses' identifiers into rsp/
find_by()
{
    rm -rf rsp && mkdir rsp
    findscu -v -X -od rsp "$@" localhost "$PORT" >find.log 2>&1
}

# answer KEYWORD OPTION...: the values of one element in all responses, sorted
answer()
{
    keyword=$1
    shift
    find_by "$@"
    for answer_file in rsp/*.dcm; do
        [ ! -e "$answer_file" ] || dcmdump -q +L +P "$keyword" "$answer_file"
    done | sed -n 's/^ *([0-9a-f,]*) .. \[\(.*\)\] *#.*/\1/p; s/^([0-9a-f,]*) US \([0-9]*\) .*/\1/p; s/^.*(no value available).*/-/p' | sed 's/ *$//' | sort
}

count()
{
    find_by "$@"
    find rsp -name '*.dcm' | wc -l
}

# status OPTION...: of the last answer, as findscu names it
status()
{
    find_by "$@"
    sed -n 's/^I: Received Final Find Response (\(.*\))$/\1/p' find.log
}

study='-S -k QueryRetrieveLevel=STUDY'
raw()
{
    python3 "$SRC/tests/tools/rawfind.py" "$PORT" "$@"
}

mkdir "$A"
printf '[recv]\naet = ARCHIVE\n' >"$A/pacs.conf"
start_recv
check_same 'an empty archive has no matches' 'status $study' Success
check_same 'nor has it any response' 'count $study -k PatientName' 0
check 'data is stored' pacs-index -q --import -A "$A" "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/pydicom/charset_files/chrFren.dcm" "$DATA/odd/good.dcm"
S=1.3.46.670589.33.1.27492712521914879309.27169771283235650014

# ---- levels and models ----

patients=$(sqlite3 "$A/index.db" 'select count(*) from patient')
check_same 'patient root: every patient' 'count -P -k QueryRetrieveLevel=PATIENT -k PatientID' "$patients"
check_same 'their studies' 'answer StudyInstanceUID -P -k QueryRetrieveLevel=STUDY -k PatientID=77654033' \
    "$(sqlite3 "$A/index.db" "select s.uid from study s join patient p on p.id = s.patient where p.patient_id = '77654033' order by s.uid")"
check_same 'study root: every study' 'count $study' "$(sqlite3 "$A/index.db" 'select count(*) from study')"
check_same 'patient/study only' 'count -O -k QueryRetrieveLevel=STUDY -k PatientID=77654033' 2
check_same 'series of a study' 'answer SeriesNumber -S -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=$S -k SeriesNumber | paste -sd" "' \
    "$(sqlite3 "$A/index.db" "select number from series r join study s on s.id = r.study where s.uid = '$S' order by number" | sort | paste -sd' ')"
check_same 'images of the study come only by series' 'status -S -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$S' 'Error: DataSetDoesNotMatchSOPClass'
series=$(sqlite3 "$A/index.db" "select r.uid from series r join study s on s.id = r.study where s.uid = '$S' and r.instances = 3")
check_same 'images of a series' 'count -S -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$S -k SeriesInstanceUID=$series' 3
check_same 'the unique key comes back unasked' 'answer SOPInstanceUID -S -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$S -k SeriesInstanceUID=$series | wc -l' 3
for wrong in '-S -k QueryRetrieveLevel=PATIENT' '-S -k QueryRetrieveLevel=study' '-S -k PatientName=X' '-S -k QueryRetrieveLevel=' \
    '-O -k QueryRetrieveLevel=SERIES -k PatientID=1 -k StudyInstanceUID=1.2' '-P -k QueryRetrieveLevel=STUDY' \
    '-P -k QueryRetrieveLevel=STUDY -k PatientID=*' '-S -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=' \
    '-S -k QueryRetrieveLevel=IMAGE -k SeriesInstanceUID=1.2.3'; do
    check_same "refused: findscu $wrong" 'status $wrong' 'Error: DataSetDoesNotMatchSOPClass'
done
check_like 'with a reason in the log' 'cat "$RECV_ERR"' 'C-FIND refused with A900: StudyInstanceUID is missing'
check_same 'a list of studies above the level is taken' \
    'count -S -k QueryRetrieveLevel=SERIES -k "StudyInstanceUID=$S\\1.2.3\\1.2.4"' \
    "$(sqlite3 "$A/index.db" "select count(*) from series r join study s on s.id = r.study where s.uid = '$S'")"

# ---- matching ----

check_same 'single value' 'answer PatientName $study -k PatientID=98890234 -k PatientName | uniq' 'Doe^Peter'
check_same 'case counts in an ID' 'count $study -k PatientID=98890234x' 0
check_same 'not in a name' 'answer PatientName $study -k PatientName=dOE^pETER | uniq' 'Doe^Peter'
check_same 'wild cards' 'answer PatientName $study -k "PatientName=D?e^P*" | uniq' 'Doe^Peter'
check_same 'universal: empty' 'count $study -k PatientName=' "$(sqlite3 "$A/index.db" 'select count(*) from study')"
check_same 'universal: *' 'count $study -k "PatientName=*" -k "StudyDate=*"' "$(sqlite3 "$A/index.db" 'select count(*) from study')"
check_same 'list of UIDs' "answer StudyInstanceUID \$study -k 'StudyInstanceUID=$S\\9.9.9\\8.8.8'" "$S"
check_same 'range of dates' 'answer StudyDate $study -k StudyDate=19950101-20031231 | uniq' \
    "$(sqlite3 "$A/index.db" "select distinct date from study where date between '19950101' and '20031231' order by 1")"
check_same 'from a date on' 'answer StudyDate $study -k StudyDate=20150206- | sort -u' \
    "$(sqlite3 "$A/index.db" "select distinct date from study where date >= '20150206' order by 1")"
check_same 'up to a date' 'answer StudyDate $study -k StudyDate=-20150206 | sort -u' \
    "$(sqlite3 "$A/index.db" "select distinct date from study where date <= '20150206' and date <> '' order by 1")"
check_same 'range of times' 'answer StudyTime $study -k StudyTime=0928-0929' 092815.672
check_same 'modalities in the study' 'answer StudyInstanceUID $study -k ModalitiesInStudy=CT -k PatientName=HEAD' "$S"
check_same 'none of that modality' 'count $study -k ModalitiesInStudy=XA' 0
number=$(sqlite3 "$A/index.db" "select max(number) from series r join study s on s.id = r.study where s.uid = '$S'")
check_same 'a number as a number' 'count -S -k QueryRetrieveLevel=SERIES -k StudyInstanceUID=$S -k SeriesNumber=+$number.0' 1
check_same 'no date' 'status $study -k StudyDate=2015x' 'Failed: UnableToProcess'
check_like 'the log says which' 'cat "$RECV_ERR"' 'C001: StudyDate: "2015x" is no date'

# ---- what comes back ----

check_same 'counts' 'answer NumberOfStudyRelatedInstances $study -k StudyInstanceUID=$S -k NumberOfStudyRelatedInstances' 5
check_same 'counts of a patient' 'answer NumberOfPatientRelatedStudies -P -k QueryRetrieveLevel=PATIENT -k PatientID=77654033 -k NumberOfPatientRelatedStudies' 2
check_same 'classes' 'answer SOPClassesInStudy $study -k StudyInstanceUID=$S -k SOPClassesInStudy | tr "\\\\" "\n" | sort' \
    "$(sqlite3 "$A/index.db" "select distinct t.text from instance i join series r on r.id = i.series join study s on s.id = r.study join term t on t.id = i.class where s.uid = '$S' order by 1")"
check_same 'where it is' 'answer RetrieveAETitle $study -k StudyInstanceUID=$S' ARCHIVE
check_same 'and that it is' 'answer InstanceAvailability $study -k StudyInstanceUID=$S' ONLINE
check_same 'the level' 'answer QueryRetrieveLevel $study -k StudyInstanceUID=$S' STUDY
check_same 'no character set where all is ASCII' 'answer SpecificCharacterSet $study -k StudyInstanceUID=$S -k PatientName -k SpecificCharacterSet="ISO_IR 100"' ''
check_same 'what is not known is empty' 'answer ContrastBolusAgent $study -k StudyInstanceUID=$S -k ContrastBolusAgent' -
check_like 'and said to be so' 'cat find.log' 'Response 1 \(Pending: WarningUnsupportedOptionalKeys\)'
check_same 'a key below the level is not matched' 'answer SeriesDescription $study -k StudyInstanceUID=$S -k SeriesDescription=NOSUCH' -
check_like 'which is said too' 'cat find.log' 'Response 1 \(Pending: WarningUnsupportedOptionalKeys\)'
find_by $study -k StudyInstanceUID="$S" -k PatientName
check_like 'else all is well' 'cat find.log' 'Response 1 \(Pending\)'
check_same 'a sequence comes back empty' 'find_by $study -k StudyInstanceUID=$S -k "ReferencedStudySequence[0].ReferencedSOPInstanceUID=1.2"; dcmdump -q +P ReferencedStudySequence rsp/*.dcm | head -n 1 | cut -c1-26' \
    '(0008,1110) SQ (Sequence w'

# Of an image everything that its header holds.
image="-S -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$S -k SeriesInstanceUID=$series"
for keyword in ConvolutionKernel ImageType SliceLocation PixelSpacing BitsAllocated InstanceNumber Rows; do
    check_same "image: $keyword out of the header" "answer $keyword \$image -k $keyword" \
        "$(for file in "$DATA"/ct-study/*/*; do
            [ "$(values "$file" SeriesInstanceUID)" = "$series" ] && dcmdump -q +L +P $keyword "$file"
        done | sed -n 's/^ *([0-9a-f,]*) .. \[\(.*\)\] *#.*/\1/p; s/^([0-9a-f,]*) US \([0-9]*\) .*/\1/p' | sed 's/ *$//' | sort)"
done
kernel=$(answer ConvolutionKernel $image -k ConvolutionKernel | head -n 1)
check_same 'and is matched by it' 'count $image -k ConvolutionKernel="$kernel"' 3
check_same 'or not' 'count $image -k ConvolutionKernel=NOSUCH' 0

# ---- extended negotiation ----

check_same 'nothing is agreed unasked' "raw find SERIES series=" 'A900 0
released'
check_same 'what is not known is not agreed to' "raw -n 00011 nothing" 'negotiated 00000
C001 0
released'
check_same 'relational: a series by itself' "raw -n 1 find SERIES series=$series study= modality= | sed 's/ *(FF00)//'" "negotiated 1
0008,0060=CT 0020,000d=$S 0020,000e=$series
0000 1
released"
check_same 'relational: a study by what is in it' "raw -n 1 find STUDY study= series=$series | cut -d' ' -f1" "negotiated
0020,000d=$S
0000
released"
check_same 'the time of each day without' 'raw -n 0 find STUDY study= date=20150201-20150228 time=100000-230000' 'negotiated 0
0000 0
released'
check_same 'combined date and time: one stretch' 'raw -n 01 find STUDY study= date=20150201-20150228 time=100000-080000' "negotiated 01
0008,0020=20150206 0008,0030=092815.672 0020,000d=$S (FF00)
0000 1
released"
check_same 'the stretch ends' 'raw -n 01 find STUDY study= date=20150201-20150206 time=100000-092815.671' "negotiated 01
0000 0
released"
check_same 'a fuzzy name' 'raw -n 001 find PATIENT name=pedro' 'negotiated 001
A900 0
released'
check_same 'a name that sounds alike' 'raw -n 001 find STUDY name=petr^doe | grep -c Peter' \
    "$(sqlite3 "$A/index.db" "select count(*) from study s join patient p on p.id = s.patient where p.name like 'Doe^Peter%'")"
check_same 'only where agreed' 'raw -n 000 find STUDY name=petr^doe | tail -n 2 | head -n 1' '0000 0'
check_same 'explicit VR' "raw -s explicit find STUDY study=$S name= | head -n 1" "0010,0010=HEAD 0020,000d=$S (FF00)"

# ---- other clients ----

check_like 'odil' 'odil find localhost $PORT ODIL PACS study QueryRetrieveLevel=STUDY PatientName=HEAD StudyInstanceUID=' "$S"
check_like 'odil: the patient root' 'odil find localhost $PORT ODIL PACS patient QueryRetrieveLevel=PATIENT PatientID=98890234 PatientName=' 'Doe\^Peter'

# ---- the limit ----

stop_recv
printf '[recv]\nfind-limit = 3\n' >"$A/pacs.conf"
start_recv -v
check_same 'beyond find-limit' 'status $study -k PatientName' 'Refused: OutOfResources'
check_same 'so many are given' 'count $study -k PatientName' 3
check_same 'as many as it allows are no more' 'status -S -k QueryRetrieveLevel=IMAGE -k StudyInstanceUID=$S -k SeriesInstanceUID=$series' Success
check_like 'the log knows' 'cat "$RECV_ERR"' '3 matches, and more beyond the limit'
stop_recv
done_testing
