#!/bin/sh
# A full disk: it is said, what was stored is whole and found, nothing half is left; with room again the
# same command completes.
. "$(dirname "$0")/lib.sh"
require_tool sqlite3 pacs-index pacs-find dicomgen

mkdir disk
mount -t tmpfs -o size=3m,mode=777 pacs-test disk 2>/dev/null || skip_all 'a small file system cannot be mounted here'
mounted=$PWD/disk
trap 'umount -l "$mounted" 2>/dev/null; test_cleanup' EXIT
A=$PWD/disk/archive

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

whole()
{
    check_same "$1: every row has its file" '
        pacs-find -A "$A" -L instance -k Path --tsv | cut -f2 | while read -r p; do
            [ -f "$p" ] || echo "no $p"; done' ''
    check_same "$1: every object is one of the originals" '
        find "$A/objects" -type f -exec sha256sum {} + | cut -d" " -f1 | sort >there
        comm -23 there originals' ''
}

dicomgen --series 2 --instances 20 --pixels 150000 large
find large -type f -exec sha256sum {} + | cut -d' ' -f1 | sort >originals
check_fails 'more than there is room for' 2 pacs-index -A "$A" --import large
check_like 'the reason is told' 'cat "$LAST"' 'No space left on device'
check_same 'nothing half is left in incoming' 'find "$A/incoming" -type f -links 1' ''
whole 'full'
check_fails 'again' 2 pacs-index -A "$A" --import large
whole 'full again'
check 'what is there can be found' pacs-find -A "$A"
mount -o remount,size=60m disk
check 'with room it goes on' pacs-index -A "$A" --import large
check_same 'to the end' 'q "SELECT count(*) FROM instance"' 40
check_same 'and tidies up' 'ls "$A/incoming"' ''
whole 'room again'

# ---- the index alone has no room ----

dicomgen --series 10 --instances 400 --pixels 64 --seed 3 small
rm -rf "$A"
pacs-index -A "$A" large/p00001/s001/e001 2>/dev/null || pacs-index -A "$A" large
before=$(q 'SELECT count(*) FROM instance')
used=$(df -k --output=used disk | tail -n 1)
mount -o "remount,size=$((used + 200))k" disk
check_fails 'no room for rows' 2 pacs-index -A "$A" small
check_like 'is told' 'cat "$LAST"' 'index.db: .*(full|No space)'
check_same 'the index is sound' 'q "PRAGMA integrity_check"' ok
check 'and what was in it is' test "$(q 'SELECT count(*) FROM instance')" -ge "$before"
check_fails 'no room for a rebuild' 2 pacs-index -A "$A" --rebuild
check 'leaves the old index' test "$(q 'SELECT count(*) FROM instance')" -ge "$before"
check_same 'and no piece of the new one' 'ls "$A" | grep new' ''
mount -o remount,size=60m disk
check 'with room it goes on' pacs-index -A "$A" small
check_same 'to the end' 'q "SELECT count(*) FROM instance"' $((before + 4000))
done_testing
