#!/bin/sh
# Broken and hostile files: each is indexed or named, none crashes, no path leaves the archive.
. "$(dirname "$0")/lib.sh"
require_tool sqlite3 pacs-index pacs-find

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

ls "$T" >before
for file in "$DATA"/odd/*; do
    name=${file##*/}
    verdict=$(awk -F'\t' -v f="odd/$name" '$1 == f { print $10 }' "$SRC/tests/data/manifest.tsv")
    pacs-index -v -A "$A" --import "$file" >out 2>&1 </dev/null
    status=$?
    stored=$(grep -c ' 1 imported' out)
    # A file of the same instance as an earlier one may be in conflict with it: that is an answer too.
    case $status.$stored in
        0.1) what=stored ;;
        0.0) what=passed ;;
        1.0) what=named ;;
        *) what="status $status" ;;
    esac
    case $verdict.$what in
        yes.stored | odd.stored | odd.named | odd.passed | no.named | no.passed) pass "$name: $what" ;;
        no.stored)
            # What the header scanner does not read it does not judge: broken pixel data is stored as it came.
            case $name in
                fragments-too-long.dcm | length-beyond.dcm | length-fffffffe.dcm | deflated-corrupt.dcm | cut-in-*)
                    pass "$name: $what, as it came" ;;
                *) fail "$name: stored, though no object can be had from it" ;;
            esac
            ;;
        yes.named)
            if grep -q 'other content' out; then pass "$name: in conflict"; else fail "$name: named" "$(cat out)"; fi
            ;;
        *) fail "$name ($verdict): $what" "$(cat out)" ;;
    esac
    [ $what != named ] || grep -qF "/$name: " out || fail "$name: is not named" "$(cat out)"
done
check_same 'all objects have a path by our rule' 'find "$A/objects" -type f |
    grep -vE "^$A/objects/[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9.]{1,64}/[0-9.]{1,64}/[0-9.]{1,64}\.dcm$"' ''
check_same 'none has a dot for a folder' 'find "$A" -name "..*"' ''
check_same 'nothing came to lie outside' 'ls "$T" | grep -vE "^(archive|out|before)$"' ''
check_same 'names in quarantine are plain' 'ls "$A/quarantine" | LC_ALL=C grep -v "^[A-Za-z0-9_][A-Za-z0-9._-]*$"' ''
check_same 'every row has its file' '
    pacs-find -A "$A" -L instance -k Path --tsv | cut -f2 | while read -r p; do [ -f "$p" ] || echo "no $p"; done' ''
check_same 'every file has its row' 'q "SELECT count(*) FROM instance"' "$(find "$A/objects" -type f | wc -l)"
check_same 'nothing is left in incoming' 'ls "$A/incoming"' ''

# ---- all at once, in place ----

mv "$A" first
pacs-index -q -A "$A" "$DATA/odd/good.dcm"
pacs-index -v -A "$A" "$DATA/odd" >out 2>&1
status=$?
check_same 'in place they are all gone through' "echo $status" 1
check_like 'and summed up' 'cat out' 'indexed, .* not DICOM, .* broken'
check_unlike 'no line drives the terminal' 'cat -v out' '\^\['
check_same 'the same objects as by import, one by one' \
    'q "SELECT uid FROM instance ORDER BY 1" | sort >a; A=first; q "SELECT uid FROM instance" | sort | diff - a' ''
check_same 'no text in the index has a line break in its UIDs' \
    'q "SELECT count(*) FROM instance WHERE uid GLOB '"'*[^0-9.]*'"'"' 0
check 'and the index is sound' test "$(q 'PRAGMA integrity_check')" = ok
pacs-index -q -A "$T/again" "$DATA/odd/good.dcm"
pacs-index -j 4 -v -A "$T/again" "$DATA/odd" >out4 2>&1
check_same 'more threads, the same in the same order' 'diff out out4' ''
rm -rf again
VALGRIND_OPTS="--suppressions=$SRC/tests/valgrind.supp"
export VALGRIND_OPTS
under_valgrind pacs-index -A "$T/again" "$DATA/odd" >out 2>&1
status=$?
check_same 'under valgrind' "echo $status" 1
[ $status -eq 1 ] || test_show out
if [ -z "${SAN:-}" ]; then
    check "memory stays within bounds" sh -c "ulimit -v 400000; pacs-index -j 2 -q -A '$T/third' '$DATA/odd' 2>/dev/null; test \$? -eq 1"
fi
done_testing
