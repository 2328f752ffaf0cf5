#!/bin/sh
# References: what pacs-find prints first is what it, and every tool, takes. They restrict an answer to
# what they name, contain, or lie in; they come as operands or, for "-", from stdin; nothing else is read.
. "$(dirname "$0")/lib.sh"
require_tool pacs-index pacs-find

check 'the files are indexed' pacs-index -q -A "$A" --import "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/ct-study" "$DATA/odd/pid-newline.dcm" "$DATA/odd/no-patient-id.dcm"
PACS_ARCHIVE=$A
export PACS_ARCHIVE

# Files lie in folders of their UIDs: find(1) and the shell know the answers.
study=$(pacs-find -k '' PatientID=98890234 StudyDate=20030505 StudyDescription=Carotids)
folder=$(find "$A/objects" -type d -name "$study")
series=$(find "$folder" -mindepth 1 -maxdepth 1 -type d | sort | head -n 1 | sed 's|.*/||')
# shellcheck disable=SC2034 # the scripts of the checks use it
instance=$(find "$folder/$series" -name '*.dcm' | sort | head -n 1 | sed 's|.*/||; s/\.dcm$//')
check 'a study of more than one series' test "$(find "$folder" -mindepth 1 -type d | wc -l)" -gt 1

uids() # of what lies in folder $1 at depth $2
{
    find "$1" -mindepth "$2" -maxdepth "$2" | sed 's|.*/||; s/\.dcm$//' | sort
}
check_same 'the series of a study' 'pacs-find -L series -k "" "$study" | sort' "$(uids "$folder" 1)"
check_same 'the instances of a study' 'pacs-find -L instance -k "" "$study" | sort' "$(uids "$folder" 2)"
check_same 'the instances of a series' 'pacs-find -L instance -k "" "$series" | sort' \
    "$(uids "$folder/$series" 1)"
check_same 'the study itself' 'pacs-find -k "" "$study"' "$study"
check_same 'the study of a series' 'pacs-find -k "" "$series"' "$study"
check_same 'the study of an instance' 'pacs-find -k "" "$instance"' "$study"
check_same 'the series of an instance' 'pacs-find -L series -k "" "$instance"' "$series"
check_same 'the patient of an instance' 'pacs-find -L patient -k "" "$instance"' patient:98890234
check_same 'the studies of a patient' 'pacs-find -k "" patient:98890234 | sort' \
    "$(pacs-find -k '' PatientID=98890234 | sort)"
check_same 'a patient whose ID would break the line' \
    'pacs-find -L patient -k "" "PatientID=A?B?C*" | sed "s/[0-9]*$/N/"' 'patient:#N'
check_same 'leads to its study' \
    'pacs-find -k PatientName "$(pacs-find -L patient -k "" "PatientID=A?B?C*")" | cut -f2' 'Odd^File'
check_same 'so does one without an ID' \
    'pacs-find -k PatientName "$(pacs-find -L patient -k "" "PatientID=\"\"")" | cut -f2' 'Odd^File'
check_same 'several add up' 'pacs-find -k "" "$study" patient:77654033 | sort' \
    "$( (echo "$study"; pacs-find -k '' PatientID=77654033) | sort)"
check_same 'keys hold within them' 'pacs-find -L series -k "" "$study" "SeriesInstanceUID=$series"' "$series"
check_fails 'and can leave nothing' 1 pacs-find "$study" Modality=CT
check_fails 'what the index does not know is nothing' 1 pacs-find 1.2.3.4.5
check_fails 'nor is a patient that is not there' 1 pacs-find patient:none
check_same 'what it does not know takes nothing away' 'pacs-find -k "" 1.2.3.4.5 "$study"' "$study"

check_same 'from stdin, first column' 'pacs-find Modality=MR | pacs-find -L series -k "" - | sort' \
    "$(pacs-find -L series -k '' Modality=MR ModalitiesInStudy=MR | sort)"
check_same 'stdin and operands together' 'echo "$study" | pacs-find -k "" - patient:77654033 | sort' \
    "$( (echo "$study"; pacs-find -k '' PatientID=77654033) | sort)"
check_fails 'an empty stdin asks for nothing' 1 pacs-find -
check_same 'NUL-ended too' 'printf "%s\0" "$study" "$instance" | pacs-find -0 -k "" - | tr "\0" "\n"' "$study"
check_same 'a thousand references' \
    '(seq -f 1.2.3.%g 1000; pacs-find -k "") | pacs-find -k "" - | sort | diff - want' \
    "$(pacs-find -k '' | sort >want)"
check_same 'without "-" stdin is left alone' \
    '(pacs-find -q PatientID=77654033; cat) <"$T/want" | diff - want' ''
check_fails 'a line that is no reference' 2 sh -c 'echo StudyInstanceUID | pacs-find -'
check_fails 'a file is no reference here' 2 pacs-find ./x
check_fails 'a day is none either' 2 pacs-find 20030505
check_like 'and what was meant is guessed' 'cat "$LAST"' 'StudyDate=20030505'

# ---- which archive ----
check_same '-A wins over PACS_ARCHIVE' 'PACS_ARCHIVE=$T/none pacs-find -A "$A" -k "" "$instance"' "$study"
check_same 'or the working folder is one' 'cd "$A" && env -u PACS_ARCHIVE pacs-find -k "" "$instance"' "$study"
check_fails 'or it is an error' 2 env -u PACS_ARCHIVE pacs-find
check_like 'which says how to name one' 'cat "$LAST"' '-A DIR.*PACS_ARCHIVE'
check_fails 'a folder that is no archive' 2 pacs-find -A "$T"
mkdir empty
check 'an archive without objects' pacs-index -q -A "$T/empty" --import "$DATA/odd/text.dcm"
check_fails 'in which nothing is found' 1 pacs-find -A "$T/empty"
cp -R "$A" lost
rm -f lost/index.db*
check_fails 'an archive without its index cannot be asked' 2 pacs-find -A "$T/lost"
check_like 'and what to do is said' 'cat "$LAST"' 'index\.db.*rebuild'

# ---- while others write ----
check_same 'a reader neither waits for a writer nor sees half of its work' \
    'sqlite3 "$A/index.db" "BEGIN IMMEDIATE" "DELETE FROM instance" ".shell pacs-find -L instance -k Rows | wc -l" ROLLBACK' \
    "$(find "$A/objects" -name '*.dcm' | wc -l)"
check_same 'an archive that may only be read can be asked' \
    'chmod -R a-w "$A"; if [ "$(id -u)" = 0 ]; then chmod a+rx "$T"; setpriv --reuid=65534 --regid=65534 --clear-groups \
        env "PATH=$PATH" pacs-find -A "$A" -k "" "$instance"; else pacs-find -k "" "$instance"; fi; chmod -R u+w "$A"' \
    "$study"
done_testing
