#!/bin/sh
# Files imported into the archive: each object once, byte for byte, durably at its place; again, nothing
# happens; what conflicts is kept aside by the policy.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump sqlite3 pacs-index pacs-find

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

mkdir tree
cp -R "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/dcmqi" "$DATA/one-ct-13-syntaxes/"*.1.dcm tree 2>/dev/null
cp -R "$DATA/pydicom/test_files/dicomdirtests" tree/cd
rm -f tree/cd/DICOMDIR-*
find tree -type f ! -name DICOMDIR | sort >files
cp -R tree before

check 'a tree is imported' pacs-index -v -A "$A" --import tree
check_same 'the originals are untouched' 'diff -r before tree' ''
check_same 'each is there, byte for byte, where its UIDs say' '
    while read -r f; do
        set -- $(values "$f" 0008,0018 0020,000d 0020,000e)
        o=$(find "$A/objects" -path "*/$2/$3/$1.dcm")
        cmp "$f" "$o"
    done <files' ''
check_same 'under the date of the study' '
    f=$(find tree/ct-study -type f | head -n 1)
    d=$(values "$f" 0008,0020 | sed "s|\(....\)\(..\)\(..\)|\1/\2/\3|")
    find "$A/objects/$d" -name "*.dcm" | wc -l' "$(find tree/ct-study -type f | wc -l)"
check_same 'and found' 'q "SELECT count(*) FROM instance WHERE path IS NULL"' "$(wc -l <files | tr -d ' ')"
check_same 'nothing is left in incoming' 'ls "$A/incoming"' ''
check_same 'each file has one name' 'find "$A/objects" -type f ! -links 1' ''

find "$A/objects" -type f -exec stat -c '%n %i %Y' {} + | sort >first
check 'again' pacs-index -v -A "$A" --import tree
check_like 'all are there already' 'cat "$LAST"' "^pacs-index: $(wc -l <files | tr -d ' ') already there"
find "$A/objects" -type f -exec stat -c '%n %i %Y' {} + | sort >second
check 'and no file was written' diff first second
check_same 'the quarantine is empty' 'ls "$A/quarantine"' ''

# ---- lines and lists ----

check_same 'from standard input, one line for each' \
    'rm -rf "$A"; find tree/ct-study -type f | pacs-index -p -A "$A" --import - | cut -f1 | sort' \
    "$(find tree/ct-study -type f | while read -r f; do values "$f" 0008,0018 | head -n 1; done | sort)"
check_same 'its second column is the path in the archive' \
    'rm -rf "$A"; pacs-index -p -A "$A" --import tree/ct-study | cut -f2 | while read -r p; do [ -f "$p" ] || echo "no $p"; done' ''
check_same 'a dry run stores nothing' \
    'pacs-index -n -A "$A" --import tree; find "$A/objects" -type f | wc -l' \
    "$(find tree/ct-study -type f | wc -l)"

# ---- bare data sets ----

rm -rf "$A"
check 'a data set without a head' pacs-index -A "$A" --import "$DATA/odd/no-meta-implicit.dcm"
bare=$(find "$A/objects" -name '*.dcm')
check 'gets one' dcmdump -q +fo "$bare"
size=$(stat -c %s "$DATA/odd/no-meta-implicit.dcm")
tail -c "$size" "$bare" >data
check 'and stays as it was' cmp data "$DATA/odd/no-meta-implicit.dcm"
check_same 'with its transfer syntax' 'values "$bare" 0002,0010' '=LittleEndianImplicit'

# ---- hard links ----

rm -rf "$A"
check 'with --link' pacs-index -A "$A" --import --link tree/ct-study
check_same 'objects and originals are the same files' '
    find tree/ct-study -type f -exec stat -c %i {} + | sort >one
    find "$A/objects" -type f -exec stat -c %i {} + | sort | diff one -' ''
check_same 'with no third name' 'find "$A/objects" -type f ! -links 2' ''
check_fails '--link alone is misuse' 2 pacs-index -A "$A" --link tree

# ---- the same instance, other content ----

cp "$DATA/odd/same-uid-1.dcm" "$DATA/odd/same-uid-2.dcm" .
for policy in quarantine keep replace; do
    rm -rf "$A"
    mkdir "$A"
    printf '[store]\nduplicate = %s\n' $policy >"$A/pacs.conf"
    check "$policy: the first" pacs-index -A "$A" --import same-uid-1.dcm
    object=$(find "$A/objects" -name '*.dcm')
    case $policy in
        replace)
            check "$policy: the second takes its place" pacs-index -A "$A" --import same-uid-2.dcm
            object=$(find "$A/objects" -name '*.dcm')
            check "$policy: it is stored" cmp same-uid-2.dcm "$object"
            kept=same-uid-1.dcm
            ;;
        *)
            check_fails "$policy: the second is named" 1 pacs-index -A "$A" --import same-uid-2.dcm
            check_like "$policy: with the reason" 'cat "$LAST"' 'same-uid-2.dcm: instance .* other content'
            check "$policy: the first stays" cmp same-uid-1.dcm "$object"
            kept=same-uid-2.dcm
            ;;
    esac
    check_same "$policy: one instance" 'q "SELECT count(*) FROM instance"' 1
    if [ $policy = keep ]; then
        check_same "$policy: nothing in quarantine" 'ls "$A/quarantine"' ''
    else
        uid=$(values same-uid-1.dcm 0008,0018 | head -n 1)
        check "$policy: the other is in quarantine" cmp $kept "$A/quarantine/$uid"
        check "$policy: with the reason" grep -q 'other content' "$A/quarantine/$uid.why"
        check "$policy: and the time" grep -Eq '^when: 20[0-9-]*T[0-9:]*Z$' "$A/quarantine/$uid.why"
        pacs-index -q -A "$A" --import same-uid-1.dcm same-uid-2.dcm same-uid-1.dcm 2>/dev/null
        check_same "$policy: again and again fills nothing" 'test $(ls "$A/quarantine" | wc -l) -le 4 && echo few' few
    fi
done
printf '[store]\nduplicate = sometimes\n' >"$A/pacs.conf"
check_fails 'a policy that does not exist' 2 pacs-index -A "$A" --import same-uid-1.dcm
check_like 'is named with its line' 'cat "$LAST"' 'pacs\.conf:2: duplicate = sometimes'
printf '[store]\nduplicates = keep\n' >"$A/pacs.conf"
check_fails 'so is a name' 2 pacs-index -A "$A" --import same-uid-1.dcm
check_like 'that does not exist' 'cat "$LAST"' 'pacs\.conf:2: .*duplicates'

# ---- in place, then imported ----

rm -rf "$A"
check 'a study in place' pacs-index -A "$A" tree/ct-study
check 'is imported' pacs-index -A "$A" --import tree/ct-study
check_same 'the archive has the rows' 'q "SELECT count(*) FROM instance WHERE path IS NULL"' \
    "$(find tree/ct-study -type f | wc -l)"
check_same 'and the files are known as copies' 'pacs-index -v -A "$A" tree/ct-study 2>&1' \
    "pacs-index: $(find tree/ct-study -type f | wc -l) unchanged"
check_same 'counters agree' \
    'q "SELECT sum(instances) = (SELECT count(*) FROM instance) AND sum(bytes) = (SELECT sum(size) FROM instance) FROM study"' 1

check 'under valgrind' under_valgrind pacs-index -A "$T/other" --import tree/ct-study
done_testing
