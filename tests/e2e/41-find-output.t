#!/bin/sh
# What pacs-find prints: columns from index and headers, order and limit, and each format read back by
# a program that is not ours. Values that want to break lines, drive a terminal, or reach a shell or SQL
# stay values.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump sqlite3 jq python3 script pacs-index pacs-find

# Two files are of the same instance as others, two of no class: status 1.
check_fails 'the files are indexed' 1 pacs-index -q -A "$A" --import "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/pydicom/charset_files" "$DATA/ct-study" "$DATA"/odd/pid-*.dcm "$DATA"/odd/pn-*.dcm
PACS_ARCHIVE=$A
export PACS_ARCHIVE
tab=$(printf '\t')
series=$(pacs-find -L series -k '' PatientID=77654033 Modality=CT --limit 1)
check_like 'there is a CT series' 'echo "$series"' '^[0-9.]+$'

# ---- columns ----
# What dcmdump says of a series' files, value by value.
: >want
for file in $(pacs-find -L instance -k Path "$series" | cut -f2); do
    values "$file" 0008,0018 0018,1210 0018,1151 0020,0013 | paste -s - >>want
done
sort -o want want
check 'which has more than one file' test "$(wc -l <want)" -gt 1
check_same 'columns of the index and of headers are those of dcmdump' \
    'pacs-find -L instance -k ConvolutionKernel,XRayTubeCurrent,InstanceNumber "$series" | sort | diff - want' ''
check_same 'a tag for a keyword, which has a comma too' \
    'pacs-find -L instance -k 0018,1210,0018,1151,InstanceNumber "$series" | sort | diff - want' ''
check_same 'a column of a lower level shows what there is' \
    'pacs-find -k Modality PatientID=98890234 StudyDate=20010101 | cut -f2' CT
check_same 'without columns there is the reference alone' \
    'pacs-find -L series -k "" "$series"' "$series"
check_same 'the usual columns of a patient' \
    'pacs-find -L patient PatientID=77654033 | tr "\t" "|"' \
    'patient:77654033|77654033|Doe^Archibald|||2|'"$(pacs-find -L instance PatientID=77654033 | wc -l)"
check_same 'Path is that of the file, wherever one is' \
    'cd / && pacs-find -L instance -k Path | cut -f2 | sort | diff - "$T/want"' \
    "$(find "$A/objects" -type f | sort >want)"
check_same 'and matches as it is shown' \
    'pacs-find -L instance -k Path "Path=$A/objects/2003/*" | wc -l' \
    "$(find "$A/objects/2003" -type f | wc -l)"
check_fails 'an unknown column' 2 pacs-find -k PatientNane
check_like 'is told with the nearest' 'cat "$LAST"' '-k: PatientNane.*PatientName'
check_fails 'a sequence is no column' 2 pacs-find -k RequestAttributesSequence

# ---- order and limit ----
pacs-find -L instance -k InstanceNumber PatientID=98890234 | cut -f2 | sort -n >want
check_same 'numbers in order of numbers' \
    'pacs-find -L instance -k InstanceNumber PatientID=98890234 --sort InstanceNumber | cut -f2 | diff - want' ''
sort -rn want >turned
check_same 'the other way round' \
    'pacs-find -L instance -k InstanceNumber PatientID=98890234 --sort -InstanceNumber | cut -f2 | diff - turned' ''
pacs-find -k StudyDate,PatientID | cut -f2,3 | sort -t "$tab" -k1,1r -k2,2 >want
check_same 'by two keys' \
    'pacs-find -k StudyDate,PatientID --sort -StudyDate,PatientID | cut -f2,3 | diff - want' ''
check_same 'a limit' 'pacs-find --sort -StudyDate,PatientID -k StudyDate,PatientID --limit 3 | cut -f2,3' \
    "$(head -n 3 want)"
check_same 'limit 0 is none' 'pacs-find --limit 0 | wc -l' "$(pacs-find | wc -l)"
check_fails 'a negative limit' 2 pacs-find --limit -1
check_fails 'no order by what the index does not hold' 2 pacs-find --sort FlipAngle
check_like 'says what to do' 'cat "$LAST"' 'sort\(1\)'

# ---- formats ----
check_same 'into a pipe: tabs, no header' 'pacs-find PatientID=77654033 | awk -F"\t" "{ print NF }" | sort -u' 8
pacs-find -L series -k PatientID,PatientName,SeriesNumber,SeriesDescription | sort >want
check_same 'CSV, as Python reads it' \
    'pacs-find -L series --csv -k PatientID,PatientName,SeriesNumber,SeriesDescription | python3 -c "
import csv, sys
rows = list(csv.reader(sys.stdin))
assert rows[0] == [\"SeriesInstanceUID\", \"PatientID\", \"PatientName\", \"SeriesNumber\", \"SeriesDescription\"], rows[0]
plain = lambda text: \"\".join(\"?\" if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in text)
print(\"\n\".join(sorted(\"\t\".join(map(plain, row)) for row in rows[1:])))" | LC_ALL=C.UTF-8 sort | diff - want' ''
pacs-find -L series --csv -k PatientID,PatientName,SeriesNumber >rows.csv
check_same 'CSV, as SQLite imports it' \
    'sqlite3 :memory: ".mode csv" ".import rows.csv s" "SELECT count(*), count(DISTINCT SeriesInstanceUID) FROM s"' \
    "$(wc -l <want | tr -d ' '),$(wc -l <want | tr -d ' ')"
check_same 'JSON, as jq reads it' \
    'pacs-find -L series --json -k PatientID,PatientName,SeriesNumber,SeriesDescription | jq -r "[.SeriesInstanceUID,
        .PatientID // \"\", .PatientName // \"\", .SeriesNumber // \"\", .SeriesDescription // \"\"] |
        map(if type == \"array\" then join(\"\\\\\") else tostring end | gsub(\"[\\u0000-\\u001f\\u007f-\\u009f]\"; \"?\")) | join(\"\t\")" | sort | diff - want' ''
check_same 'JSON: numbers are numbers, several values a list, no value no key' \
    'pacs-find -L instance --json -k ImageType,Rows,PatientComments "$series" | jq -r "[(.ImageType | type),
        (.Rows | type), has(\"PatientComments\")] | map(tostring) | join(\" \")" | sort -u' 'array number false'
check_same 'NUL-ended, as xargs reads it' \
    'pacs-find -0 -k "" | xargs -0 -n 1 echo | sort | diff - want' \
    "$(pacs-find -k '' | sort >want)"
check_fails 'one format only' 2 pacs-find --csv --json
check_same 'CSV of nothing is its header' 'pacs-find --csv -k PatientID PatientID=none' \
    "$(printf 'StudyInstanceUID,PatientID\r')"
check_same 'other formats of nothing are nothing' \
    'for f in --tsv --table --json -0; do pacs-find $f PatientID=none; done' ''
check_same '-q prints nothing' 'pacs-find -q PatientID=77654033; echo $?' 0
check_fails 'and tells by its status' 1 pacs-find -q PatientID=none

# ---- the table ----
check_same 'a table has a header and a line each' \
    'pacs-find --table -k PatientID,StudyDate | wc -l' "$(($(pacs-find | wc -l) + 1))"
check_same 'whose columns are aligned, whatever the script' \
    'pacs-find --table -L patient -k PatientName,PatientSex | python3 -c "
import sys, unicodedata
def width(c): return 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in \"WF\" else 1
lines = sys.stdin.read().splitlines()
at = lines[0].index(\"PatientSex\")
for line in lines[1:]:
    w = 0
    for c in line:
        if w >= at and c not in \"MFO\": print(\"not aligned:\", line)
        w += width(c)
    if w > at + 1: print(\"too wide:\", line)"' ''
check_like 'numbers are right-aligned' \
    'pacs-find --table -L instance -k InstanceNumber,Rows "$series"' '^[0-9.]+ +[0-9]+    16$'
# A terminal of script(1): the table comes by itself, with carriage returns.
check_same 'on a terminal there is a table by itself' \
    'script -qec "pacs-find -k PatientID PatientID=77654033" /dev/null </dev/null | tr -d "\r" | head -n 1' \
    "$(pacs-find --table -k PatientID PatientID=77654033 | head -n 1)"
check_same 'a value of 10,000 characters does not fill the screen' \
    'pacs-find --table -k PatientName,PatientID | awk "length > 300"' ''

# ---- values that mean harm ----
# Each patient of its own: PatientID as dcmdump has it, found by its UID and by its value.
check_same 'a line is a line: newline, tab' 'pacs-find -k PatientID | wc -l' "$(pacs-find -k '' | wc -l)"
check_same 'control characters do not come through' \
    'for f in --tsv --table -0; do pacs-find $f -L patient; pacs-find $f -k PatientID; done | tr -d "\n\t\000" |
        LC_ALL=C tr -d "\040-\176\200-\377" | wc -c' 0
check_same 'nor to a terminal, whatever the format' \
    'for f in --tsv --table --csv --json; do
        script -qec "pacs-find $f -L patient; pacs-find $f -k PatientID" /dev/null </dev/null; done |
        tr -d "\r\n\t" | LC_ALL=C tr -d "\040-\176\200-\377" | wc -c' 0
check_same 'JSON keeps the value as it is' \
    'pacs-find --json -k PatientID "PatientName=odd^file" "PatientID=A?B?C*" | jq .PatientID' '"A\nB\tC1"'
check_same 'SQL in a value is a value' \
    'pacs-find -k PatientID "PatientID=x'"'"'; DROP TABLE instance;--" | cut -f2' "x'; DROP TABLE instance;--"
check_same 'a shell line too' \
    'pacs-find -k PatientID "PatientID=\$(touch /tmp/pwned1);\`id\`|&<>" | cut -f2' \
    '$(touch /tmp/pwned1);`id`|&<>'
check_same 'wild cards of SQL and of file names are characters' \
    'pacs-find -k PatientID "PatientID=??[A-Z]%" | cut -f2' '*?[A-Z]%'
check_fails 'percent and underscore match themselves only' 1 pacs-find 'PatientID=%'
check_fails 'brackets too' 1 pacs-find 'PatientID=[0-9]*'
pacs-find -L patient -k '' >patients
check_same 'the reference of each patient leads to that patient' \
    'while IFS= read -r reference; do pacs-find -L patient -k "" "$reference"; done <patients | diff - patients' ''

# ---- the end of the output ----
check_same 'a reader that leaves is no error' \
    'bash -c "pacs-find -L instance | head -n 1 | wc -l; exit \${PIPESTATUS[0]}" 2>&1; case $? in 0 | 141) ;; *) echo failed ;; esac' 1
cat >python.py <<'END'
import os, subprocess
# Python's children inherit that SIGPIPE is ignored, if it is.
read, write = os.pipe()
os.close(read)
child = subprocess.run(["pacs-find", "-L", "instance"], stdout=write, stderr=subprocess.PIPE, restore_signals=False)
print(child.returncode, child.stderr.decode())
END
check_same 'nor with SIGPIPE ignored' 'python3 python.py' '0 '
check_fails 'a stdout that is closed is one' 2 sh -c 'pacs-find >&-'
check_same 'and no file gets what was meant for it' 'pacs-find -k "" | sort | diff - want' \
    "$(pacs-find -k '' | sort >want; pacs-find -L instance >&- 2>/dev/null)"
check 'a stdin that is closed is none' sh -c 'pacs-find <&-'
check_fails 'a full disk is one' 2 sh -c 'pacs-find >/dev/full'
check 'no memory is misused or lost' under_valgrind pacs-find -L series --table -k \
    PatientName,FlipAngle,0018,1210 'PatientName=*o*' KVP!= --sort -SeriesNumber
check_fails 'nor when a key is wrong' 2 under_valgrind pacs-find PatientName=x StudyDate=x
done_testing
