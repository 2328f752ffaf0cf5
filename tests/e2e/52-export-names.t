#!/bin/sh
# The names in an export: as the template says, portable whatever the values are, and each its own.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump python3 unzip pacs-index pacs-find pacs-export

check_fails 'files of every kind, broken ones too, are indexed' 1 pacs-index -q -A "$A" --import "$DATA"
PACS_ARCHIVE=$A
export PACS_ARCHIVE
all=$(pacs-find -L instance | wc -l)
check 'some hundred of them' test "$all" -gt 100

# What Windows, macOS and Linux can hold, and what neither shell nor archiver acts upon.
cat >portable.py <<'END'
import re, sys, unicodedata
seen = set()
for name in sys.stdin.read().split("\0")[:-1]:
    bad = []
    if len(name.encode()) > 239: bad.append("long")
    if name.lower() in seen: bad.append("twice")
    seen.add(name.lower())
    for part in name.split("/"):
        if not part or part in (".", ".."): bad.append("no name")
        if part[:1] in "-. " or part[-1:] in ". ": bad.append("end")
        if re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", part): bad.append("device")
        if re.search(r"[\x00-\x20\x7f-\x9f\\:*?\"<>|$`'&;()\[\]{}!#~^%]", part): bad.append("character")
        if any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Zs", "Cs") for c in part): bad.append("invisible")
        if ascii_only and not part.isascii(): bad.append("not ASCII")
    if bad: print(bad, ascii(name))
END
check_portable() # NAME OPTION...
{
    name=$1
    shift
    pacs-find -0 -k '' | pacs-export -0 -n "$@" >names 2>seen
    python3 -c 'import sys
records = open("names", encoding="utf-8").read().split("\0")[:-1]
sys.stdout.write("".join(r.split("\t")[1] + "\0" for r in records))' >list
    check_same "$name: names are portable, and each its own" \
        "(echo 'ascii_only = $(case " $* " in *--ascii*) echo True ;; *) echo False ;; esac)'; cat portable.py) >p.py; python3 p.py <list" ''
    check_same "$name: one for each object" 'tr -dc "\000" <list | wc -c' "$all"
}
check_portable 'the default'
check_portable 'in ASCII' --ascii
check_portable 'by patient alone' --layout '{PatientID}'
check_portable 'by name and description' --layout '{PatientName}/{StudyDescription}/{SeriesDescription}/{InstanceNumber}'
check_portable 'by what is often empty' --layout '{AccessionNumber}/{PatientComments}_{StudyID}.dcm'
check_portable 'by much at once' \
    --layout '{PatientName}{PatientName}{PatientName}{PatientName}{PatientName}{PatientName}/{PatientName}/{PatientName}/{PatientName}/{PatientName}.dcm'
check_portable 'by one text for all' --layout 'image.dcm'
check_portable tree --layout tree
check_portable flat --layout flat
check_same 'nothing was run that stands in a value' 'ls /tmp/pwned1 2>/dev/null' ''
check_same 'what cannot be had is no name' 'cat seen' ''

# ---- what a template gives ----
one=$DATA/ct-study/S2010/I10
values "$one" 0010,0020 0008,0060 0020,0011 0020,0013 0008,0018 0020,000e 0020,000d 0008,0020 >v
{
    read -r pid
    read -r modality
    read -r number
    read -r instance
    read -r sop
    read -r series
    read -r study
    read -r date
} <v
name()
{
    pacs-export -n "$one" "$@" | cut -f2
}
check_same 'tree' 'name --layout tree' "$study/$series/$sop.dcm"
check_same 'flat' 'name --layout flat' "$sop.dcm"
check_same 'keywords and text' "name --layout '{Modality}/{StudyDate}-{PatientID}.dcm'" "$modality/$date-$pid.dcm"
check_same 'keywords in any letter case, tags' "name --layout '{modality}/{0008,0020}.dcm'" "$modality/$date.dcm"
check_same 'zeros before numbers' "name --layout '{SeriesNumber:06}/{InstanceNumber:04}.dcm'" \
    "$(printf '%06d/%04d.dcm' "$number" "$instance")"
check_same 'at most so many bytes' "name --layout '{StudyDate:.4}/{StudyDate:.6}.dcm'" \
    "$(printf '%.4s/%.6s.dcm' "$date" "$date")"
check_like 'letters from a hash' "name --layout '{StudyInstanceUID:#8}.dcm'" '^[0-9a-z]{8}\.dcm$'
check_same 'which are the same each time' "name --layout '{StudyInstanceUID:#8}.dcm'" \
    "$(name --layout '{StudyInstanceUID:#8}.dcm')"
check_same 'and others for another value' "name --layout '{SeriesInstanceUID:#8}.dcm' | grep -c '$(name --layout \
    '{StudyInstanceUID:#8}.dcm')'" 0
check_same 'the first that has a value' "name --layout '{AccessionNumber|PatientComments|Modality}.dcm'" "$modality.dcm"
check_same 'an empty value takes its separator along' \
    "name --layout '{Modality}_{PatientComments}_{StudyDate}/{PatientComments}_{Modality}/{Modality}_{PatientComments}.dcm'" \
    "${modality}_$date/$modality/$modality.dcm"
check_same 'braces' "name --layout '{{{Modality}}}.dcm'" "{$modality}.dcm"
check_same 'a folder of nothing is called unknown' "name --layout '{PatientComments}/x.dcm'" unknown/x.dcm
check_same 'a file of nothing by its UID' "name --layout '{Modality}/{PatientComments}'" "$modality/$sop"
check_same 'the second of a name is numbered' \
    'pacs-export -n "$DATA/ct-study/S2010/I10" "$DATA/ct-study/S2010/I20" "$DATA/ct-study/S2010/I30" \
        --layout "{Modality}.dcm" | cut -f2 | paste -s -d " "' "$modality.dcm ${modality}_2.dcm ${modality}_3.dcm"
check_same 'umlauts, with --ascii' \
    'pacs-export -n "$DATA/pydicom/charset_files/chrGerm.dcm" --ascii --layout "{PatientName}.dcm" | cut -f2' \
    'Aeneas_Ruediger.dcm'
check_same 'and without' \
    'pacs-export -n "$DATA/pydicom/charset_files/chrGerm.dcm" --layout "{PatientName}.dcm" | cut -f2' \
    'Äneas_Rüdiger.dcm'
for layout in '' / /abs 'a//b' a/ '{' '}' '{}' '{Modality' '{Modality:}' '{Modality:0x}' '{Modality:#1}' '{Modality:#13}' \
    ../x a/../b . 'a:b' 'a\b' 'a*b' "$(printf 'a\nb')" '{PixelDat}' \
    'a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a'; do
    check_fails "no layout: '$(printf %s "$layout" | tr '\n' '?')'" 2 pacs-export -n "$one" --layout "$layout"
done
# 128 keywords and the one that is always read.
many=$(awk 'BEGIN { for (i = 1; i <= 128; i++) printf "{0029,%04x}", i }')
check_same 'as many keywords as there may be' 'name --layout "$many"' "$sop"
check_fails 'and one more' 2 pacs-export -n "$one" --layout "$many{Modality}"

# ---- and as files ----
check 'all of it can be written' sh -c 'pacs-find -k "" | pacs-export -o all'
check_same 'each file has its name' 'find all -type f | wc -l' "$all"
check 'into a zip' sh -c 'pacs-find -k "" | pacs-export -o all.zip && unzip -tqq all.zip'
check_same 'unpacked to the same names' \
    'mkdir z && cd z && bsdtar -xf ../all.zip && find . -type f | sort >../zipped; cd ../all && find . -type f | sort | diff - ../zipped' ''
done_testing
