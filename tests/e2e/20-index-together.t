#!/bin/sh
# Two writers at once, an interruption and a second run: nothing is lost and nothing is there twice.
. "$(dirname "$0")/lib.sh"
require_tool sqlite3 pacs-index pacs-find dicomgen

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

sound()
{
    check_same "$1: the index is sound" 'q "PRAGMA integrity_check"' ok
    check_same "$1: counters agree" 'q "SELECT sum(instances) = (SELECT count(*) FROM instance) AND
        sum(series) = (SELECT count(*) FROM series) FROM study"' 1
    check_same "$1: every row has its file" '
        pacs-find -A "$A" -L instance -k Path --tsv | cut -f2 |
            while read -r p; do [ -f "$p" ] || echo "no $p"; done' ''
    check_same "$1: every object has its row" \
        'q "SELECT count(*) FROM instance WHERE path IS NULL"' "$(find "$A/objects" -type f | wc -l)"
    check_same "$1: nothing is left in incoming" 'ls "$A/incoming"' ''
}

dicomgen --patients 2 --studies 2 --series 2 --instances 15 --pixels 512 tree
number=$(find tree -type f | wc -l)

# ---- two imports of one tree, from both ends ----

pacs-index -A "$A" --import tree/p00001/s001/e001 # so that both find an archive
find tree -type f | sort >up
sort -r up >down
pacs-index -A "$A" --import - <up >one 2>&1 &
one=$!
pacs-index -A "$A" --import - <down >two 2>&1 &
two=$!
test_children="$test_children $one $two"
wait $one
check_same 'two imports at once: the first' "echo $? && cat one" 0
wait $two
check_same 'two imports at once: the second' "echo $? && cat two" 0
check_same 'each object once' 'q "SELECT count(*) FROM instance"' "$number"
pacs-index -A "$A" --import tree # the last to end tidies up after both
sound 'two imports'

# ---- the same with files in place ----

rm -rf "$A"
pacs-index -A "$A" tree/p00001/s001
for n in 1 2 3; do
    pacs-index -q -A "$A" tree >place.$n 2>&1 &
    test_children="$test_children $!"
    eval "place$n=$!"
done
for n in 1 2 3; do
    eval "wait \$place$n"
    check_same "three in place at once: number $n" "echo $? && cat place.$n" 0
done
check_same 'each file once' 'q "SELECT (SELECT count(*) FROM instance) || '"' '"' || (SELECT count(*) FROM file)"' \
    "$number $number"
sound 'three in place'

# ---- interrupted ----

dicomgen --series 40 --instances 200 --pixels 64 --seed 7 many
rm -rf "$A"
pacs-index -A "$A" many >out 2>&1 &
pid=$!
test_children="$test_children $pid"
wait_for 20 sh -c "sqlite3 -readonly '$A/index.db' 'SELECT 1 FROM instance LIMIT 1' 2>/dev/null | grep -q 1"
kill -INT $pid
wait $pid
status=$?
done_first=$(q 'SELECT count(*) FROM instance')
note "interrupted after $done_first files"
if [ $status -eq 0 ]; then
    skip 'it ends by the signal' 'it was faster than the signal'
else
    check_same 'it ends by the signal' "echo $status" 130
fi
check_unlike 'without a word of failure' 'cat out' .
check_same 'the index is sound' 'q "PRAGMA integrity_check"' ok
check 'a second run' pacs-index -v -A "$A" many
check_like 'goes on where the first was' 'cat "$LAST"' \
    "$([ "$done_first" -eq 8000 ] || echo ": $((8000 - done_first)) indexed")"
check_same 'to the end' 'q "SELECT count(*) FROM instance"' 8000
sound 'interrupted'

dicomgen --instances 150 --pixels 64 --seed 8 part
rm -rf "$A"
pacs-index -A "$A" --import part >out 2>&1 &
pid=$!
test_children="$test_children $pid"
wait_for 20 sh -c "find '$A/objects' -type f 2>/dev/null | grep -q ."
kill -TERM $pid
wait $pid
note "status $? after $(find "$A/objects" -type f | wc -l) objects"
sound 'interrupted import'
check 'a second import' pacs-index -A "$A" --import part
check_same 'completes it' 'q "SELECT count(*) FROM instance"' "$(find part -type f | wc -l)"
sound 'the second'

# A list that does not end: the signal does not wait for it.
mkfifo list
pacs-index -A "$A" - <list >out 2>&1 &
pid=$!
test_children="$test_children $pid"
exec 7>list
find "$PWD/tree" -type f >&7
sleep 0.3
kill -INT $pid
exec 8>&1
check 'a list that does not end holds nothing up' wait_for 10 sh -c "! kill -0 $pid 2>/dev/null || grep -q '^State:.Z' /proc/$pid/status"
exec 7>&- 8>&-
wait $pid

# ---- someone else has the lock ----

if command -v flock >/dev/null 2>&1; then
    (
        exec 9>>"$A/index.lock"
        flock 9
        touch locked
        sleep 1
    ) &
    locker=$!
    test_children="$test_children $locker"
    wait_for 5 test -e locked
    check 'a writer waits for another' pacs-index -A "$A" --import "$DATA/odd/good.dcm"
    wait $locker
fi
done_testing
