#!/bin/sh
# kill -9 of pacs-index while it imports, indexes in place and rebuilds: what is in the archive is whole,
# the index is one that can be read, and running it again completes the work.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
require_tool dcmdump sqlite3

wanted=$(rounds 12 120)
dicomgen --patients 4 --studies 2 --series 2 --instances "$(rounds 40 80)" --pixels 3000 "$T/tree"
fresh
find "$T/tree" -type f -print0 | xargs -0 rawscu --digest-only | cut -f1,2 >"$T/tries"
files=$(wc -l <"$T/tries")

# interrupted COMMAND...: kills it at a random moment, if it is not done by then
killed=0
interrupted()
{
    "$@" >>"$T/index.log" 2>&1 &
    pid=$!
    random_ms 1 "$longest"
    sleep "$RANDOM_S"
    kill -9 $pid 2>/dev/null
    { wait $pid; } 2>/dev/null
    [ $? -ne 137 ] || killed=$((killed + 1))
}
rows()
{
    sqlite3 "file:$A/index.db?mode=rw" 'SELECT count(*) FROM instance'
}

# More rounds, up to five times as many, while too few were hit: others may slow the machine down and leave it again.
more_rounds()
{
    [ "$round" -lt "$wanted" ] ||
        { [ $killed -lt $((wanted / 4)) ] && [ "$round" -lt $((wanted * 5)) ]; }
}

# How long a whole run takes on this machine, so that moments lie within it.
took()
{
    began=$(date +%s%N)
    "$@" >>"$T/index.log" 2>&1
    longest=$((($(date +%s%N) - began) / 1000000 + 2))
    note "$longest ms: $*"
}

note 'imports'
took pacs-index -q -A "$T/other" --import "$T/tree"
round=0
while more_rounds; do
    round=$((round + 1))
    # A new archive now and then; else the next run meets what the last one left.
    if [ $((round % 4)) -eq 1 ]; then
        rm -rf "$A"
    fi
    interrupted pacs-index -q -A "$A" --import "$T/tree"
done
: >acks
check 'run again: the import completes' pacs-index -A "$A" --import "$T/tree"
cp tries acks
verify "after $killed killed imports"
check_same 'imports were killed' "[ $killed -ge $((wanted / 4)) ] && echo yes" yes

note 'rebuilds'
killed=0 bad=0
took pacs-index -q -A "$A" --rebuild
round=0
while more_rounds; do
    round=$((round + 1))
    interrupted pacs-index -q -A "$A" --rebuild
    # The index is the old one, or the new one, or in the making; never one that misleads in silence.
    if pacs-find -A "$A" -L instance >found 2>find.err; then
        [ "$(wc -l <found)" -eq "$files" ] || bad=$((bad + 1))
    else
        [ -s find.err ] || bad=$((bad + 1))
    fi
done
check_same 'meanwhile pacs-find finds all, or says why not' 'echo $bad' 0
check 'run again: the rebuild completes' pacs-index -A "$A" --rebuild
verify "after $killed killed rebuilds"
check_same 'rebuilds were killed' "[ $killed -ge $((wanted / 4)) ] && echo yes" yes

note 'in place'
killed=0
A=$T/place
took pacs-index -q -A "$T/place-2" "$T/tree"
round=0
while more_rounds; do
    round=$((round + 1))
    [ $((round % 4)) -ne 1 ] || rm -rf "$A"
    interrupted pacs-index -q -A "$A" "$T/tree"
done
check 'run again: it completes' pacs-index -A "$A" "$T/tree"
check_same 'every file is in the index, once' 'rows' "$files"
check_same 'and the index is whole' 'sqlite3 "file:$A/index.db?mode=rw" "PRAGMA integrity_check"' ok
check_same 'pacs-find finds them all' 'pacs-find -A "$A" -L instance | wc -l' "$files"
check_same 'in place was killed too' "[ $killed -ge $((wanted / 4)) ] && echo yes" yes
done_testing
