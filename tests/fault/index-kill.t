#!/bin/sh
# kill -9 of pacs-index --import at random moments: afterwards every object that the index names is there
# and whole, nothing half-written is under objects/, and the last run completes. SOAK=1: many times.
. "$(dirname "$0")/../e2e/lib.sh"
require_tool sqlite3 pacs-index pacs-find dicomgen

rounds=12
[ -z "${SOAK:-}" ] || rounds=500

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

# Prints what is wrong.
examine()
{
    find "$A/objects" -type f -exec sha256sum {} + | cut -d' ' -f1 | sort >there
    comm -23 there originals | sed 's/^/not an original: /'
    uniq -d there | sed 's/^/twice: /'
    [ -f "$A/index.db" ] || return 0
    pacs-find -A "$A" -L instance -k Path --tsv 2>/dev/null | cut -f2 | while read -r p; do
        [ -f "$p" ] || echo "listed and not there: $p"
    done
    # What was printed was promised.
    cut -f1 promised | sort -u >uids
    q 'SELECT uid FROM instance' | sort | comm -23 uids - | sed 's/^/promised and not found: /'
}

dicomgen --series 6 --instances 50 --pixels 40000 tree
find tree -type f -exec sha256sum {} + | cut -d' ' -f1 | sort >originals
: >promised
round=0
kills=0
total=0
bad=
while [ $round -lt $rounds ]; do
    round=$((round + 1))
    # From time to time from the beginning.
    if [ $((round % 3)) -eq 1 ]; then
        rm -rf "$A"
        : >promised
    fi
    pacs-index -p -A "$A" --import tree >>promised 2>>errors &
    pid=$!
    test_children="$test_children $pid"
    # At any of the 300 objects, and then anywhere between two.
    target=$(($(od -An -N2 -tu2 /dev/urandom) % 300))
    while [ "$(find "$A/objects" -type f 2>/dev/null | wc -l)" -lt $target ] && kill -0 $pid 2>/dev/null; do
        sleep 0.005
    done
    sleep "0.0$(printf %02d $(($(od -An -N2 -tu2 /dev/urandom) % 30)))"
    kill -KILL $pid 2>/dev/null && kills=$((kills + 1))
    wait $pid 2>/dev/null
    # The last line may be cut.
    [ -z "$(tail -c 1 promised)" ] || sed -i '$d' promised
    bad=$bad$(examine)
    total=$((total + $(wc -l <promised)))
    [ -z "$bad" ] || break
done
note "$kills of $round runs were killed, after $total objects were promised"
check_same "$rounds times: nothing promised was lost, nothing half is there" 'printf %s "$bad"' ''
check 'some of them were in time' test $kills -gt 0
check 'and some objects were promised before' test $total -gt 0
check 'the last run completes' pacs-index -A "$A" --import tree
check_same 'all are there' 'q "SELECT count(*) FROM instance"' 300
check_same 'and whole' 'find "$A/objects" -type f -exec sha256sum {} + | cut -d" " -f1 | sort | diff originals -' ''
check_same 'nothing is left in incoming' 'ls "$A/incoming"' ''
check_same 'the index is sound' 'q "PRAGMA integrity_check"' ok
check_same 'and nothing went wrong' 'grep -v "index.db was missing" errors' ''
done_testing
