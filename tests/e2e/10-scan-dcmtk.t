#!/bin/sh
# The header scanner finds what DCMTK's dcmdump finds: on every file of the test data and on 20,000
# generated ones in all encodings.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump

# Both sides in one form: tag, VR and value, without lengths and padding, values of a few thousand bytes
# cut (the scanner keeps 64 KB of one), only attributes of the data set itself (dcmdump finds those in
# items as well, and names the path to them).
plain()
{
    LC_ALL=C cut -b 1-4000 | LC_ALL=C sed -E '/^$/d
        /^\([0-9a-f]{4},[0-9a-f]{4}\)\.\(/d
        s/^# dcmdump \([0-9]*\/[0-9]*\): /# /
        s/ *# *[0-9]+, *[0-9]+ [A-Za-z0-9 &]*$//
        s/[ \x00]+\]$/]/'
}

# by_dcmtk TAG,TAG... <LIST: what DCMTK makes of the files named on stdin, one a line
by_dcmtk()
{
    options=$(echo "$1" | sed -E 's/([^,]*,[^,]*),?/+P \1 /g')
    # shellcheck disable=SC2086
    tr '\n' '\0' | xargs -0 dcmdump -q -Un +uc +L +p +F $options 2>/dev/null | plain
}

by_us()
{
    scanprint -r -t "$1" | plain
}

# ---- the test data ----

# What most indexes hold, and a private creator.
tags=0002,0010,0008,0005,0008,0016,0008,0018,0008,0020,0008,0021,0008,0030,0008,0031,0008,0050
tags=$tags,0008,0060,0008,0061,0008,0070,0008,0080,0008,0090,0008,1010,0008,1030,0008,103e,0008,1090
tags=$tags,0010,0010,0010,0020,0010,0021,0010,0030,0010,0040,0018,0015,0018,0050,0018,0060,0018,1030
tags=$tags,0020,000d,0020,000e,0020,0010,0020,0011,0020,0013,0028,0008,0028,0010,0028,0011,0009,0010

# DCMTK reads these otherwise, or not at all; what we read is below. Outside odd/: pixel data cut short.
other="cut-in-pixels dicm-no-preamble fragments-no-delimiter fragments-too-long fuzz-02
    group-0002-in-data length-beyond length-fffffffe meta-only meta-says-big meta-says-explicit
    meta-says-implicit native-as-jpeg sq-deep-20000 sq-item-too-long sq-no-delimiter trailing-garbage
    uid-newline vr-null vr-unknown"
(cd "$DATA" && find . -type f) | sort >all
for name in $other; do
    echo "./odd/$name.dcm"
done >except
for name in MR_truncated SC_rgb_jpeg rtplan_truncated; do
    echo "./pydicom/test_files/$name.dcm"
done >>except
grep -vxF -f except all >sound
check_same 'the exceptions exist' 'grep -cxF -f except all' "$(wc -l <except)"

cd "$DATA" || exit 2
by_dcmtk $tags <"$T/sound" >"$T/theirs"
by_us $tags <"$T/sound" >"$T/ours"
cd "$T" || exit 2
check "values equal DCMTK's in $(wc -l <sound) files of the test data" diff theirs ours
check 'and there were many' test "$(grep -c '^(' ours)" -gt 5000

# odd NAME VALUE...: what we make of odd/NAME.dcm: study, patient ID, rows.
odd()
{
    check_same "odd/$1.dcm" \
        "scanprint -t 0020,000d,0010,0020,0028,0010 '$DATA/odd/$1.dcm' | sed -n 's/^([^)]*) .. //p' | xargs" "$2"
}

root=2.25.4415913185393543831617128196.90000
# DCMTK refuses a file whose pixel data is damaged; the header says all the same.
odd cut-in-pixels "[$root.1] [ODD-0001] 8"
odd fragments-no-delimiter "[$root.81] [ODD-0081] 8"
odd fragments-too-long "[$root.83] [ODD-0083] 8"
odd native-as-jpeg "[$root.85] [ODD-0085] 8"
# The damage is behind the last wanted tag.
odd length-beyond "[$root.46] [ODD-0046] 8"
odd length-fffffffe "[$root.47] [ODD-0047] 8"
odd trailing-garbage "[$root.1] [ODD-0001] 8"
# Without its preamble, with DICM: DCMTK takes that for a data set.
odd dicm-no-preamble "[$root.1] [ODD-0001] 8"
# The meta header is wrong about the encoding; the bytes tell.
odd meta-says-big "[$root.12] [ODD-0012] 8"
odd meta-says-explicit "[$root.11] [ODD-0011] 8"
odd meta-says-implicit "[$root.10] [ODD-0010] 8"
# An item longer than its sequence: the sequence's length counts. A missing delimiter: the next tag of
# the data set ends it.
odd sq-item-too-long "[$root.61] [ODD-0061] 8"
odd sq-no-delimiter "[$root.60] [ODD-0060] 8"
# Sequences of defined length are skipped in one go (dcmdump overflows its stack).
odd sq-deep-20000 "[$root.64] [ODD-0064] 8"
# VRs that are none: 16 bits of length where the reserved bytes are not zero, the dictionary's VR.
odd vr-null "[$root.50] [ODD-0050] 8"
odd vr-unknown "[$root.48] [ODD-0048] 8"
check_same 'its institution' \
    "scanprint -t 0008,0080 '$DATA/odd/vr-unknown.dcm' '$DATA/odd/vr-null.dcm' | grep -v '^#'" \
    '(0008,0080) LO [ABCD]
(0008,0080) LO [ABCD]'
# Rows before columns became a tag behind the columns, the last that was wanted: out of sight.
check_same 'odd/fuzz-02.dcm' \
    "scanprint -t 0010,0020,0028,0010,0028,0011 '$DATA/odd/fuzz-02.dcm' | grep -v '^#'" \
    '(0010,0020) LO [ODD-0095]'
# DCMTK leaves the newline out; for us it is in the value, and the UID is none.
check_same 'odd/uid-newline.dcm' "scanprint -t 0008,0018 '$DATA/odd/uid-newline.dcm' | grep -v '^#'" \
    '(0008,0018) UI [1.2.1
1.3]'
# A meta element in the data set is none.
check_same 'odd/group-0002-in-data.dcm: the meta header counts' \
    "scanprint -t 0002,0010 '$DATA/odd/group-0002-in-data.dcm' | grep -v '^#'" \
    '(0002,0010) UI [1.2.840.10008.1.2.1]'
# DCMTK is content with a meta header alone.
check_like 'odd/meta-only.dcm is an error' "scanprint -s '$DATA/odd/meta-only.dcm'" '^! error'

# refused RESULT NAME...
refused()
{
    result=$1
    shift
    for name; do
        check_like "$name: $result" "scanprint -s '$DATA/$name'" "^! $result"
    done
}
refused error odd/cut-in-header.dcm odd/cut-in-value.dcm odd/deflated-corrupt.dcm odd/meta-cut.dcm \
    odd/preamble-only.dcm
refused not-dicom odd/garbage.dcm odd/gzipped.dcm.gz odd/html.dcm odd/one-byte.dcm \
    odd/preamble-cut.dcm odd/text.dcm odd/zero-length.dcm pydicom/test_files/zipMR.gz

# ---- what is no file ----

mkfifo fifo
mkdir folder
check_like 'a FIFO is refused without waiting' 'timeout 10 scanprint -s fifo' 'fifo: not a regular file'
check_like 'so are devices' 'timeout 10 scanprint -s /dev/zero /dev/null /dev/tty' \
    '/dev/zero: not a regular file'
check_like 'and folders' 'scanprint -s folder' 'folder: a folder, not a file'
check_like 'what is missing is named' 'scanprint -s none' 'none: No such file'

# ---- generated ----

# Every batch looks for the UIDs and the patient, and for some of the others, so that the walk ends in
# different places.
each=1000
batches=20
[ -z "${SAN:-}" ] || batches=4
always=0002,0010,0008,0005,0008,0016,0008,0018,0010,0010,0010,0020,0020,000d,0020,000e
cat >others <<'END'
0028,0010,0008,002a,0040,a160
0018,9306,0008,0081,0008,9459
0008,0119,0072,0082,0020,9165
fffc,fffc,0028,0009,0018,6020
0018,9219,0072,0083,0010,1010
0009,0010,0008,0120,6000,0010
0010,4000,6000,0050,0020,0032
0028,0030,0018,1120,0011,0010
END

# every_second FIRST: the batches FIRST, FIRST + 2 ..., each in a folder of its own.
every_second()
{
    batch=$1
    while [ "$batch" -le $batches ]; do
        wanted=$always,$(sed -n "$((batch % 8 + 1))p" others)
        mkdir "batch$batch"
        (
            cd "batch$batch" || exit
            dicomgen --vary --seed "$batch" --instances $each --pixels 64 --list tree >list
            by_us "$wanted" <list >ours
            by_dcmtk "$wanted" <list >theirs
            cmp -s ours theirs || echo "seed $batch, tags $wanted" >different
            rm -rf tree
        )
        batch=$((batch + 2))
    done
}
every_second 1 &
second=$!
every_second 2
wait $second

for folder in $(cat batch*/different 2>/dev/null | sed 's/seed \([0-9]*\).*/batch\1/'); do
    note "$(cat "$folder/different")"
    note "$(diff "$folder/theirs" "$folder/ours" | cut -c 1-200 | head -n 8)"
done
files=$(cat batch*/ours | grep -ac '^# ')
values=$(cat batch*/ours | grep -ac '^(')
check_same "$files generated files, $values values: equal in every batch" \
    'ls batch*/different 2>/dev/null' ''
check 'all of them were read' test "$files" -eq $((each * batches))
check 'with their values' test "$values" -gt $((files * 8))
done_testing
