#!/bin/sh
# Every form of the matching language finds what is there and nothing else: the answers of pacs-find
# against those of SQL on a table that is made from what dcmdump says of the same files.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump sqlite3 pacs-index pacs-find

# Files whose studies and series are of one piece: what one says of its study, all say.
folders='ct-study mr-orientation dcmqi enhanced rt highdicom dcmjs presentation-state made
    pydicom/charset_files pydicom/test_files/dicomdirtests'
set --
for folder in $folders; do
    set -- "$@" "$DATA/$folder"
done
# Two files are of the same instance as others, two of no class: status 1.
check_fails 'the files are indexed' 1 pacs-index -q -A "$A" --import "$@"

# One row an object; only elements of the data set itself, which stand at the start of a line.
find "$A/objects" -type f -exec dcmdump -q +F -Un +L {} + 2>/dev/null | awk -v OFS='\t' '
    BEGIN {
        n = split("0008,0018 0020,000d 0020,000e 0010,0020 0010,0010 0010,0040 0008,0020 0008,0030 " \
            "0008,0060 0008,0016 0002,0010 0028,0010 0018,0050 0018,0081 0008,0050 0008,103e " \
            "0018,0015 0008,0008 0018,1314 0018,1210 0028,0030 0018,1030 0008,0080 0020,0013", tag, " ")
    }
    function row(    i, line) {
        if (!file) return
        line = file
        for (i = 1; i <= n; i++) line = line "\t" value[tag[i]]
        print line
        split("", value)
    }
    /^# dcmdump / { row(); file = $0; sub(/.*: /, "", file); next }
    /^\([0-9a-f]+,[0-9a-f]+\) / {
        key = substr($0, 2, 9)
        if (match($0, /\[.*\]/)) value[key] = substr($0, RSTART + 1, RLENGTH - 2)
        else if ($0 !~ /^.{13,16}\(no value/) value[key] = $3
        if (value[key] == "(no") value[key] = ""
    }
    END { row() }' >truth.tsv
sqlite3 truth.db "CREATE TABLE o(file, sop, study, series, pid, name, sex, date, time, modality, class,
    syntax, rows, thickness, echo, accession, description, part, type, flip, kernel, spacing, protocol,
    institution, number)" '.mode tabs' '.import truth.tsv o'
check_same 'as many objects as dcmdump saw' 'pacs-find -A "$A" -L instance | wc -l' \
    "$(sqlite3 truth.db 'SELECT count(DISTINCT sop) FROM o')"

# same NAME LEVEL CONDITION KEY...: the same objects, some but not all of the archive's.
same()
{
    name=$1 level=$2 condition=$3
    shift 3
    case $level in
        instance) column=sop ;;
        *) column=$level ;;
    esac
    sqlite3 truth.db "SELECT DISTINCT $column FROM o WHERE $condition" | sort >want
    pacs-find -A "$A" -L "$level" -k '' "$@" 2>seen | sort >got
    if [ ! -s want ] || [ "$(wc -l <want)" = "$(sqlite3 truth.db "SELECT count(DISTINCT $column) FROM o")" ]; then
        fail "$name" "the condition tells nothing apart: $condition"
    elif cmp -s want got; then
        pass "$name ($(wc -l <want | tr -d ' '))"
    else
        fail "$name" "$(printf '%.200s' "pacs-find -L $level $*")"
        note "$(cat seen; diff want got | head -n 10)"
    fi
}

# ---- single values, lists, wild cards ----
same 'a code' study "modality = 'CT'" Modality=CT
same 'keywords in any letter case' study "modality = 'CT'" modality=CT
same 'a tag for a keyword' study "modality = 'CT'" 0008,0060=CT
same 'a tag without comma' study "modality = 'CT'" 00080060=CT
same 'the value of a code counts letter case: lower finds nothing' instance \
    "modality IN ('MR')" 'Modality=MR,ct'
same 'a list with commas' series "modality IN ('CT', 'MR', 'SEG')" Modality=CT,MR,SEG
same 'a list with backslashes' series "modality IN ('CT', 'MR')" 'Modality=CT\MR'
same 'an exact patient ID' study "pid = '77654033'" PatientID=77654033
same 'a star' study "pid GLOB '9*'" 'PatientID=9*'
same 'a star in the middle, and a question mark' study "pid GLOB '?8*2?4'" 'PatientID=?8*2?4'
same 'letter case counts in texts' series "description GLOB 'FAST*'" 'SeriesDescription=FAST*'
same 'any text before and after' series "description GLOB '*LOC*'" 'SeriesDescription=*LOC*'
same 'a comma is a character of a text' series "description GLOB '*,*' OR description = 'Routine Brain'" \
    'SeriesDescription=*,*\Routine Brain'
same 'wild cards in a list' instance "modality GLOB 'C*' OR modality GLOB '*R'" 'Modality=C*,*R'
same 'several values: any of them' instance "type GLOB '*LOCALIZER*'" ImageType=LOCALIZER
same 'the first of several values' instance "type GLOB 'DERIVED\\*'" ImageType=DERIVED
same 'two keys must both hold' instance "modality = 'MR' AND CAST(rows AS INT) = 256" \
    Modality=MR Rows=256

# ---- universal, empty, negated ----
check_same 'a key without value asks for nothing' 'pacs-find -A "$A" PatientID= | wc -l' \
    "$(sqlite3 truth.db 'SELECT count(DISTINCT study) FROM o')"
check_same 'nor does a star' 'pacs-find -A "$A" "PatientID=*" FlipAngle= | wc -l' \
    "$(sqlite3 truth.db 'SELECT count(DISTINCT study) FROM o')"
same 'no value' study "accession = ''" 'AccessionNumber=""'
same 'any value' study "accession <> ''" AccessionNumber!=
same 'not this value' series "modality <> 'MR'" Modality!=MR
same 'none of these' series "modality NOT IN ('MR', 'CT', 'OT')" 'Modality!=MR,CT,OT'
same 'no date' study "date = ''" 'StudyDate=""'

# ---- UIDs ----
uid=$(sqlite3 truth.db "SELECT series FROM o WHERE modality = 'MR' ORDER BY series LIMIT 1")
other=$(sqlite3 truth.db "SELECT series FROM o WHERE modality = 'CT' ORDER BY series LIMIT 1")
same 'a UID' series "series = '$uid'" SeriesInstanceUID="$uid"
same 'a list of UIDs' series "series IN ('$uid', '$other')" SeriesInstanceUID="$uid,$other"
same 'a UID of a lower level' study "series IN ('$uid', '$other')" "SeriesInstanceUID=$uid\\$other"
same 'a SOP class' instance "class = '1.2.840.10008.5.1.4.1.1.2'" SOPClassUID=1.2.840.10008.5.1.4.1.1.2
same 'a transfer syntax' instance "syntax = '1.2.840.10008.1.2'" TransferSyntaxUID=1.2.840.10008.1.2
seq 1 10000 | sed 's/^/2.25./' | tr '\n' ',' >uids
same 'a list of 10,000 UIDs' study "series = '$uid'" SeriesInstanceUID="$(cat uids)$uid"

# ---- dates and times ----
same 'a day' study "date = '20030505'" StudyDate=20030505
same 'a day with dashes' study "date = '20030505'" StudyDate=2003-05-05
same 'a month' study "date GLOB '200305*'" StudyDate=200305
same 'a year' study "date GLOB '2003*'" StudyDate=2003
same 'a range of days' study "date BETWEEN '20010101' AND '20030505'" StudyDate=20010101-20030505
same 'a range of years' study "date BETWEEN '20010101' AND '20031231'" StudyDate=2001-2003
same 'from a day on' study "date >= '20040101'" StudyDate=20040101-
same 'until a day' study "date <> '' AND date <= '20030505'" StudyDate=-20030505
same 'before a day' study "date <> '' AND date < '20030505'" 'StudyDate<20030505'
same 'after a year' study "date > '20031231'" 'StudyDate>2003'
same 'from a year on' study "date >= '20030101'" 'StudyDate>=2003'
same 'several days' study "date IN ('20030505', '20010101')" StudyDate=20030505,20010101
same 'not in a range' study "date NOT BETWEEN '2001' AND '2004'" 'StudyDate!=2001-2003'
same 'an hour' study "time GLOB '05*'" StudyTime=05
same 'a range of times' study "time >= '0500' AND time < '060001'" StudyTime=0500-0600
same 'until five years ago' study "date <> '' AND date <= '$(date -d '5 years ago' +%Y%m%d)'" StudyDate=-5y
same 'since 15 years ago' study "date >= '$(date -d '15 years ago' +%Y%m%d)'" StudyDate=15y-
check_fails 'nothing is of today' 1 pacs-find -A "$A" StudyDate=today
check_fails 'nor of the last 30 days' 1 pacs-find -A "$A" StudyDate=30d-
check 'all was received today' pacs-find -A "$A" Received=today

# ---- numbers ----
same 'equal as a number' instance "thickness <> '' AND CAST(thickness AS REAL) = 5" SliceThickness=5.0
same 'less' instance "thickness <> '' AND CAST(thickness AS REAL) < 5" 'SliceThickness<5'
same 'at most' instance "thickness <> '' AND CAST(thickness AS REAL) <= 5" 'SliceThickness<=5'
same 'more' instance "CAST(thickness AS REAL) > 3" 'SliceThickness>3'
same 'at least' instance "CAST(rows AS INT) >= 256" 'Rows>=256'
same 'not equal' instance "rows <> '' AND CAST(rows AS INT) <> 16" 'Rows!=16' Rows!=
same 'a range of numbers' instance "CAST(echo AS REAL) BETWEEN 4.6 AND 30" EchoTime=4.6..30
same 'an open range of numbers' instance "CAST(echo AS REAL) >= 30" EchoTime=30..
same 'numbers in a list' instance "CAST(rows AS INT) IN (16, 512)" Rows=16,512
size=$(find "$A/objects" -type f -printf '%s\n' | sort -n | tail -n 5 | head -n 1)
find "$A/objects" -type f -size "+$((size - 1))c" | sed 's/.*\///; s/\.dcm$//' | sort >want
check_same 'a size in bytes' \
    "pacs-find -A '$A' -L instance -k '' 'Size>=$size' | sort | diff - want && wc -l <want" 5
check_same 'a size in kilobytes' \
    'pacs-find -A "$A" -L instance -k "" "Size>=100K" | wc -l' \
    "$(find "$A/objects" -type f -size +102399c | wc -l)"

# ---- names ----
same 'a family name, letter case aside' study "lower(name) GLOB 'doe^*'" PatientName=doe
same 'family and given name' study "lower(name) = 'doe^peter'" PatientName=Doe^Peter
same 'a given name by wild card' study "lower(name) GLOB 'doe^p*'" PatientName='doe^p*'
same 'anywhere in the name' study "lower(name) GLOB '*chibal*'" 'PatientName=*CHIBAL*'
same 'one character of a name' study "lower(name) GLOB 'd?e^*'" 'PatientName=d?e'
check_same 'Cyrillic, letter case aside' 'pacs-find -A "$A" -k PatientID "PatientName=люк*" | cut -f2' \
    SCSRUSS
check_same 'Greek' 'pacs-find -A "$A" -k PatientID PatientName=διονυσιος | cut -f2' SCSGREEK
check_same 'German, capital umlaut for small' \
    'pacs-find -A "$A" -k PatientID "PatientName=äneas^rüdiger" | cut -f2' SCSGERM
check_same 'an ideographic name' 'pacs-find -A "$A" -k PatientID "PatientName=山田*" | cut -f2 | sort' \
    "$(printf '%s\n' H31EXAMPLE H32EXAMPLE)"
check_same 'a phonetic name' 'pacs-find -A "$A" -k PatientID "PatientName=홍^길동" | cut -f2' I2EXAMPLE
check_same 'each group in its place' \
    'pacs-find -A "$A" -k PatientID "PatientName=yamada*=山田*" | cut -f2' H31EXAMPLE
check_fails 'a group in another place is none' 1 pacs-find -A "$A" 'PatientName=山田*=yamada*'

# ---- attributes that the index does not hold ----
same 'a number from headers' instance "CAST(flip AS REAL) = 90" FlipAngle=90
same 'a range from headers' instance "flip <> '' AND CAST(flip AS REAL) < 90" 'FlipAngle<90'
same 'a text from headers' series "kernel <> ''" ConvolutionKernel!=
same 'a text from headers, narrowed by the index' series "kernel = 'STANDARD' AND modality = 'CT'" \
    ConvolutionKernel=STANDARD Modality=CT
same 'one chain: slice and header in one instance' study \
    "modality = 'MR' AND CAST(flip AS REAL) = 20 AND CAST(rows AS INT) = 16" \
    FlipAngle=20 Rows=16 Modality=MR
same 'no value in any header' instance "spacing = ''" 'PixelSpacing=""'

# ---- one chain ----
same 'keys of series and instance meet in one series' study \
    "modality = 'MR' AND description GLOB 'T/S/C*' AND number = '3'" \
    Modality=MR 'SeriesDescription=T/S/C*' InstanceNumber=3
same 'at the level of patients too' series "pid = '98890234' AND modality = 'CT'" PatientID=98890234 Modality=CT

# ---- what is no key ----
check_fails 'an unknown keyword' 2 pacs-find -A "$A" StudyDat=2003
check_like 'the nearest is named' 'cat "$LAST"' 'StudyDat.*StudyDate'
check_fails 'an impossible date' 2 pacs-find -A "$A" StudyDate=20030231
check_fails 'a range that ends before it begins' 2 pacs-find -A "$A" StudyDate=2004-2003
check_fails 'a number that is none' 2 pacs-find -A "$A" Rows=many
check_fails 'wild cards in a UID' 2 pacs-find -A "$A" 'StudyInstanceUID=1.2.*'
check_fails 'a comparison of codes' 2 pacs-find -A "$A" 'Modality<CT'
check_fails 'a word' 2 pacs-find -A "$A" doe
check_like 'what may have been meant' 'cat "$LAST"' 'PatientName=doe'
check_fails 'a sequence has no text' 2 pacs-find -A "$A" ReferencedStudySequence=1
check_fails 'nor have pixels' 2 pacs-find -A "$A" PixelData=1
check_fails 'a peer that pacs.conf does not know' 2 pacs-find -A "$A" @PEER
check_like 'which is said' 'cat "$LAST"' 'PEER: no such peer in pacs.conf'
done_testing
