#!/bin/sh
# An export holds the stored files, byte for byte, in each format, as programs that are not ours unpack
# them; each object once, however often it is named.
. "$(dirname "$0")/lib.sh"
require_tool unzip bsdtar 7z tar zstd xz gzip python3 sha256sum pacs-index pacs-find pacs-export

# Some files are of the same instance as others, two of no class: status 1.
check_fails 'the files are indexed' 1 pacs-index -q -A "$A" --import "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/ct-study" "$DATA/pydicom/charset_files" "$DATA/fragments" "$DATA"/odd/pid-*.dcm
PACS_ARCHIVE=$A
export PACS_ARCHIVE

sums() # of the files below a folder
{
    find "$1" -type f -exec sha256sum {} + | cut -c1-64 | sort
}
sums "$A/objects" >stored
check 'there is something to export' test "$(wc -l <stored)" -gt 50

# ---- folder ----
check 'a folder' sh -c 'pacs-find | pacs-export -o folder'
check_same 'holds the stored files' 'sums folder | diff - stored' ''
(cd folder && find . -type f | sed 's|^\./||' | sort) >names
check_same 'with their times' 'find folder -type f -printf "%T@\n" | sort | diff - times.txt' \
    "$(find "$A/objects" -type f -printf '%T@\n' | sort >times.txt)"
check_same 'the same again writes nothing' \
    'pacs-find | pacs-export -v -o folder 2>&1 | tail -n 1' \
    "pacs-export: $(wc -l <stored | tr -d ' ') objects, $(find "$A/objects" -type f -printf '%s\n' |
        awk '{ n += $1 } END { printf "%.1f", n / 1e6 }') MB; $(wc -l <stored | tr -d ' ') kept, 0 named again, 0 failed"
check 'what was lost comes back' sh -c 'rm "folder/$(head -n 1 names)" && pacs-find | pacs-export -o folder'
check_same 'and all is there' 'sums folder | diff - stored' ''

# ---- zip ----
check 'a zip' sh -c 'pacs-find | pacs-export -o out.zip'
check 'that unzip finds whole' unzip -tqq out.zip
check 'so does 7z' 7z t -bd out.zip
check 'and Python' python3 -c 'import zipfile; assert zipfile.ZipFile("out.zip").testzip() is None'
check_same 'names are those of the folder' \
    'python3 -c "import zipfile; print(\"\n\".join(sorted(zipfile.ZipFile(\"out.zip\").namelist())))" |
        LC_ALL=C.UTF-8 sort | diff - names' ''
check_same 'stored, not deflated' 'unzip -v out.zip | awk "\$2 == \"Defl:N\"" | wc -l' 0
check 'unpacked by bsdtar' sh -c 'mkdir zip && bsdtar -xf out.zip -C zip'
check_same 'it holds the stored files' 'sums zip | diff - stored' ''
check 'deflated when asked to' sh -c 'pacs-find | pacs-export --level 6 -o deflated.zip'
check 'which is smaller' test "$(stat -c %s deflated.zip)" -lt "$(stat -c %s out.zip)"
check_like 'but pixel data that is compressed already' 'unzip -v deflated.zip' ' Stored .*/'
check_like 'is deflated no more, the rest is' 'unzip -v deflated.zip' ' Defl:'
check 'unpacked by unzip' unzip -q deflated.zip -d unzipped
check_same 'it holds the stored files too' 'sums unzipped | diff - stored' ''

# ---- tar ----
for kind in tar tar.gz tgz tar.xz tar.zst; do
    check "a $kind" sh -c "pacs-find | pacs-export -o out.$kind"
    check "$kind: GNU tar unpacks it" sh -c "mkdir gnu-$kind && tar -xf out.$kind -C gnu-$kind"
    check_same "$kind: it holds the stored files" "sums gnu-$kind | diff - stored" ''
    check_same "$kind: names are those of the folder" \
        "tar --quoting-style=literal -tf out.$kind | sort | diff - names" ''
    check "$kind: bsdtar reads it" bsdtar -tf "out.$kind"
done
check 'gzip finds its whole' gzip -t out.tar.gz
check 'xz too' xz -t out.tar.xz
check 'zstd too' zstd -qt out.tar.zst
check '7z reads the tar' 7z t -bd out.tar
check_same 'owner and mode say nothing of this machine' \
    'tar --numeric-owner -tvf out.tar | awk "{ print \$1, \$2 }" | sort -u' '-rw-r--r-- 0/0'
check 'a higher level is smaller' sh -c 'pacs-find | pacs-export --level 9 -o nine.tar.gz &&
    test $(stat -c %s nine.tar.gz) -lt $(stat -c %s out.tar.gz)'
check 'tar on stdout' sh -c 'mkdir piped && pacs-find | pacs-export -o - | tar -xf - -C piped'
check_same 'holds the stored files' 'sums piped | diff - stored' ''
check 'another format on stdout' sh -c 'pacs-find | pacs-export -o - --format tar.zst | zstd -dq | tar -tf - >listed'
check_same 'is whole too' 'wc -l <listed' "$(wc -l <stored)"
check 'a format that the name does not say' sh -c 'pacs-find | pacs-export -o backup --format zip && unzip -tqq backup'

# ---- what is named, and how ----
study=$(pacs-find -k '' PatientID=98890234 StudyDate=20030505 StudyDescription=Carotids)
series=$(pacs-find -L series -k '' "$study" --limit 1)
count()
{
    tar -tf - | wc -l
}
check_same 'a study' 'pacs-export -o - "$study" | count' "$(pacs-find -L instance "$study" | wc -l)"
check_same 'a series' 'pacs-export -o - "$series" | count' "$(pacs-find -L instance "$series" | wc -l)"
check_same 'an instance' 'pacs-export -o - "$(pacs-find -L instance -k "" "$series" --limit 1)" | count' 1
check_same 'a patient' 'pacs-export -o - patient:98890234 | count' "$(pacs-find -L instance PatientID=98890234 | wc -l)"
check_same 'a patient whose ID would break lines' \
    'pacs-find -L patient "PatientID=A?B?C*" | pacs-export -o - | count' 1
check_same 'all of it, named in every way, once' \
    '(pacs-find -L patient; pacs-find; pacs-find -L series; pacs-find -L instance) | pacs-export -o - | count' \
    "$(wc -l <stored)"
check_same 'the other way round too' \
    '(pacs-find -L instance; pacs-find -L series; pacs-find; pacs-find -L patient) | pacs-export -o - | count' \
    "$(wc -l <stored)"
check_same 'operands and stdin' 'pacs-find PatientID=77654033 | pacs-export -o - "$series" - | count' \
    "$( (pacs-find -L instance "$series"; pacs-find -L instance PatientID=77654033) | sort -u | wc -l)"
check_same 'NUL-ended' 'pacs-find -0 | pacs-export -0 -o - | count' "$(wc -l <stored)"
check_same 'files, without an archive' \
    'env -u PACS_ARCHIVE pacs-export -o - "$DATA/ct-study/S1000/I10" "$DATA/ct-study/S1000/../S1000/I10" | count' 1
check_same 'files of any name from find' \
    'mkdir "$T/a	b" && cp "$DATA/ct-study/S1000/I10" "$T/a	b/c
d" && find "$T/a	b" -type f -print0 | pacs-export -0 -o - | count' 1

# ---- manifest ----
check 'a manifest' sh -c 'pacs-find | pacs-export -o sums --manifest sums.txt'
check 'that sha256sum agrees with' sh -c 'cd sums && sha256sum --quiet --strict -c ../sums.txt'
check_same 'of all files' 'wc -l <sums.txt' "$(wc -l <stored)"
check 'for an archive' sh -c 'pacs-find | pacs-export -o sums.tar.zst --manifest - >sums2.txt'
check_same 'it is the same' 'sort sums2.txt | diff - sums.sorted' "$(sort sums.txt >sums.sorted)"
check 'of what was there already too' sh -c 'pacs-find | pacs-export -o sums --manifest - | sort | diff - sums.sorted'

# ---- hard links ----
check 'links' sh -c 'pacs-find | pacs-export --link -o links'
check_same 'are the stored files' 'find links -type f -printf "%i\n" | sort | diff - inodes' \
    "$(find "$A/objects" -type f -printf '%i\n' | sort >inodes)"
check_same 'all of them' 'sums links | diff - stored' ''
check 'links with a manifest' sh -c 'pacs-find | pacs-export --link -o links2 --manifest - | sort | diff - sums.sorted'

# ---- dry run ----
pacs-find | pacs-export -n -o nothing >dry
check_same 'a dry run writes nothing' 'ls -d nothing* 2>/dev/null' ''
check_same 'but tells the names' 'cut -f2 dry | sort | diff - names' ''
check_same 'the references' 'cut -f1 dry | sort | diff - uids' "$(pacs-find -L instance -k '' | sort >uids)"
check_same 'and the sizes' 'cut -f3 dry | sort -n | diff - sizes' \
    "$(find "$A/objects" -type f -printf '%s\n' | sort -n >sizes)"
check_same 'its lines are references for others' \
    'pacs-find PatientID=98890234 | pacs-export -n | pacs-find -L patient -k "" -' patient:98890234

check_fails 'no memory is misused or lost: zip' 1 under_valgrind pacs-export -o valgrind.zip "$study" 1.2.3.4 \
    --manifest valgrind.txt --level 3
check 'no memory is misused or lost: folder' under_valgrind pacs-export -o valgrind "$study" patient:77654033

if [ -n "${SOAK:-}" ]; then
    # 5 GiB, sparse: the sizes of a zip of old end at 4.
    cp "$DATA/odd/good.dcm" large.dcm && truncate -s 5G large.dcm
    check 'a zip of 5 GiB' pacs-export -o large.zip ./large.dcm "$study" --level 1
    check 'is whole' unzip -tqq large.zip
    check_same 'a tar of it too' 'pacs-export -o - ./large.dcm | tar -tvf - | awk "{ print \$3 }"' 5368709120
fi
done_testing
