#!/bin/sh
# Files indexed where they lie: what is found equals what DCMTK reads, a second run reads no file, and the
# index follows what is changed, moved, added and removed.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump sqlite3 pacs-index pacs-find

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

mkdir tree
cp -R "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/dcmqi" tree
cp -R "$DATA/pydicom/test_files/dicomdirtests" tree/cd
rm -f tree/cd/DICOMDIR-*
echo 'not an image' >tree/notes.txt
mkfifo tree/pipe

check 'a tree is indexed' pacs-index -v -A "$A" tree
check_like 'what is not DICOM is named with -v' 'cat "$LAST"' '/tree/notes\.txt: not DICOM'
check_unlike 'a DICOMDIR is not' 'cat "$LAST"' 'DICOMDIR:'
check_like 'and it sums up' 'cat "$LAST"' 'indexed, 1 not DICOM, 1 DICOMDIR'
find tree -type f ! -name DICOMDIR ! -name notes.txt >files
while read -r file; do
    values "$file" 0008,0018 | head -n 1
done <files | sort -u >expected
q 'SELECT uid FROM instance ORDER BY uid' | LC_ALL=C sort >got
check 'the index has each instance that dcmdump reads, and no other' diff expected got
check_same 'paths are absolute' 'q "SELECT count(*) FROM folder WHERE path NOT LIKE '"'$T/tree%'"'"' 0
check_same 'the archive holds no copy' 'find "$A/objects" "$A/incoming" -type f | wc -l' 0
check_same 'pacs-find names the file' \
    'pacs-find -A "$A" -L instance -k Path | cut -f2 | while read -r f; do [ -f "$f" ] || echo "no $f"; done' ''
check_same 'silent without -v' 'pacs-index -A "$A" tree 2>&1' ''

# ---- again ----

if command -v strace >/dev/null 2>&1 && strace -o /dev/null true 2>/dev/null; then
    strace -f -e trace=open,openat,pread64,read -o trace pacs-index -v -A "$A" tree >again 2>&1
    check_like 'again: all are unchanged' 'cat again' ': [0-9]+ unchanged$'
    check_same 'and no file was opened' \
        'sed "s|.*/||" files | sort -u | while read -r n; do grep -F "\"$n\"" trace; done' ''
    check 'but the folders were' grep -q '/tree/ct-study' trace
else
    skip 'no file is opened again' 'strace is not there or may not trace'
fi

# ---- changes ----

count()
{
    q 'SELECT count(*) FROM instance'
}
all=$(count)
one=$(find "$PWD/tree/ct-study" -type f | sort | head -n 1)
uid=$(values "$one" 0008,0018 | head -n 1)
touch "$one"
check 'a file that was touched' pacs-index -v -A "$A" tree
check_like 'is read again' 'cat "$LAST"' '1 updated, .* unchanged'
mv "$one" tree/aaa-moved
check 'a file that was moved to an earlier place' pacs-index -v -A "$A" tree
check_same 'is found there' 'pacs-find -A "$A" -L instance SOPInstanceUID=$uid -k Path | cut -f2' "$T/tree/aaa-moved"
mv tree/aaa-moved tree/zzz-moved
check 'and to a later one' pacs-index -A "$A" tree
check_same 'as well' 'pacs-find -A "$A" -L instance SOPInstanceUID=$uid -k Path | cut -f2' "$T/tree/zzz-moved"
check_same 'none was lost by it' count "$all"
cp tree/zzz-moved tree/zzzz-copy
check 'a copy' pacs-index -v -A "$A" tree
check_like 'is counted and named' 'cat "$LAST"' "zzzz-copy: instance $uid is indexed as .*/zzz-moved"
check_same 'and adds no instance' count "$all"
rm tree/zzz-moved
check 'the first of them vanishes' pacs-index -A "$A" tree
check 'the copy' pacs-index -A "$A" tree
check_same 'takes its place' 'pacs-find -A "$A" -L instance SOPInstanceUID=$uid -k Path | cut -f2' "$T/tree/zzzz-copy"
cp "$DATA/pydicom/test_files/CT_small.dcm" tree/zzzz-copy
check 'another object in the same file' pacs-index -A "$A" tree
check_same 'takes the row of the first' 'pacs-find -A "$A" -L instance SOPInstanceUID=$uid' ''
check_same 'and the number is the same' count "$all"
echo 'no image any more' >tree/zzzz-copy
check 'no object in it' pacs-index -A "$A" tree
check_same 'removes the row' count $((all - 1))
gone=$(find tree/cd -type f | wc -l)
rm -rf tree/cd
check 'a folder that is gone' pacs-index -v -A "$A" tree
check_like 'leaves the index' 'cat "$LAST"' " $gone gone"
check_same 'with all below it' 'q "SELECT count(*) FROM file JOIN folder ON folder.id = file.folder WHERE path LIKE '"'%/cd/%'"'"' 0
check_same 'and studies without objects go too' \
    'q "SELECT count(*) FROM study WHERE NOT EXISTS (SELECT 1 FROM series WHERE study = study.id)"' 0
check 'one folder alone' pacs-index -A "$A" tree/dcmqi
check_same 'takes nothing from its neighbours' 'pacs-find -A "$A" Modality=CT | wc -l' 1

# ---- names ----

mkdir -p odd/sub
n=0
for file in "$DATA"/ct-study/*/* "$DATA"/dcmqi/paramaps/*/*; do
    n=$((n + 1))
    case $n in
        1) cp "$file" "odd/new
line" ;;
        2) cp "$file" "odd/tab	tab" ;;
        3) cp "$file" "$(printf 'odd/latin-\351')" ;;
        4) cp "$file" 'odd/ blank ' ;;
        5) cp "$file" "odd/-dash" ;;
        6) cp "$file" 'odd/sub/quote"'"'" ;;
        *) break ;;
    esac
done
number=$((n > 6 ? 6 : n))
rm -rf "$A"
find "$PWD/odd" -type f -print0 >list0
check_same 'names of every kind, by -0' 'pacs-index -0 -A "$A" - <list0; q "SELECT count(*) FROM instance"' "$number"
check_same 'and by a walk nothing is new' 'pacs-index -v -A "$A" odd 2>&1' "pacs-index: $number unchanged"
rm -rf "$A"
find odd -type f ! -name '*
*' >list
check_same 'and by lines' 'pacs-index -A "$A" <list; q "SELECT count(*) FROM instance"' "$((number - 1))"
check_same 'each can be opened as it is stored' \
    'q "SELECT count(length(readfile(folder.path || '"'/'"' || file.name))) FROM file JOIN folder ON folder.id = file.folder"' \
    "$((number - 1))"

# ---- links ----

rm -rf "$A"
mkdir -p real/a
cp "$DATA/ct-study"/*/I10 real/a 2>/dev/null || cp "$DATA/ct-study/S1000/I10" real/a
ln -s . real/loop
ln -s ../../odd real/a/out
ln -s real named
check 'a link that is named is followed' pacs-index -A "$A" named
check_same 'to where it leads' 'q "SELECT DISTINCT path FROM folder"' "$T/real/a"
check_same 'links below it are not' 'q "SELECT count(*) FROM instance"' 1
ln -s "$T/$(head -n 1 files)" single || :
check 'a link to a file that is named is followed too' pacs-index -A "$A" single
check_same 'and stands under its own name' 'q "SELECT name FROM file WHERE name = '"'single'"'"' single

# ---- the archive's own ----

check 'the tree that the archive lies in' pacs-index -A "$A" --import real
check 'is indexed without the archive' pacs-index -A "$A" "$T"
check_same 'no object of it is taken for a file in place' \
    'q "SELECT count(*) FROM folder WHERE path LIKE '"'$A/%'"'"' 0
check_fails 'its objects are no files to index' 1 pacs-index -A "$A" "$A/objects"
check_like 'which is said' 'cat "$LAST"' 'lies in the archive itself'

# ---- what is told ----

check_fails 'what is not there is named' 1 pacs-index -A "$A" nowhere
check_like 'with the reason' 'cat "$LAST"' 'nowhere: No such file'
check_fails 'a device is neither file nor folder' 1 pacs-index -A "$A" /dev/null
rm -rf "$A"
check_same 'with -p a line for each' 'pacs-index -p -A "$A" real | cut -f2' "$T/real/a/I10"
check_same 'and none for what is known' 'pacs-index -p -A "$A" real' ''
check_same 'a dry run changes nothing' 'pacs-index -n -A "$A" odd; q "SELECT count(*) FROM instance"' 1
check_fails 'a dry run makes no archive' 2 pacs-index -n -A "$T/other" odd
check_fails 'a foreign folder is refused' 2 pacs-index -A tree odd
check_like 'by naming what is in it' 'cat "$LAST"' 'not an archive'
check_same 'and left alone' 'ls tree | grep -E "objects|index.db"' ''
check_fails 'two kinds of work at once' 2 pacs-index -A "$A" --import --remove odd
check 'under valgrind' under_valgrind pacs-index -A "$T/second" odd
done_testing
