#!/bin/sh
# The lines of pacs-recv: one for each stored object, into pipes that read, that read slowly, and that are gone.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu sqlite3 mkfifo

small=$DATA/odd/good.dcm
check 'the receiver starts' start_recv
check 'an object' rawscu -q --aet CT1 localhost "$PORT" "$DATA/ct-study/S2010/I10"
check_same 'its line: reference, path, study, series, class, syntax, bytes, caller' 'cut -f 1-8 "$RECV_OUT"' \
    "$(values "$DATA/ct-study/S2010/I10" 0008,0018)	$(stored "$(values "$DATA/ct-study/S2010/I10" 0008,0018)")	$(
        values "$DATA/ct-study/S2010/I10" 0020,000d
    )	$(values "$DATA/ct-study/S2010/I10" 0020,000e)	1.2.840.10008.5.1.4.1.1.2	1.2.840.10008.1.2.1	$(
        stat -c %s "$(stored "$(values "$DATA/ct-study/S2010/I10" 0008,0018)")"
    )	CT1"
check_like 'and when it came' 'cut -f 9 "$RECV_OUT"' '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z$'
stop_recv

# A port file and a pipe behind: what a user writes as pacs-recv | awk.
piped()
{
    rm -f "$T/recv.port" fifo
    mkfifo fifo
    background sh -c "exec <fifo; $1"
    READER=$BG_PID
    pacs-recv -A "$A" -p 0 --port-file "$T/recv.port" 2>"$RECV_ERR" >fifo </dev/null &
    RECV_PID=$!
    test_children="$test_children $RECV_PID"
    wait_for 10 test -s "$T/recv.port"
    PORT=$(cat "$T/recv.port")
}
piped 'exec awk -F "\t" "{ bytes += \$7; n++ } END { print n, bytes }" >sum'
check '| awk: objects' rawscu -q --fresh --repeat 20 localhost "$PORT" "$small"
stop_recv
wait "$READER"
check_same '| awk has seen them all' 'cut -d " " -f 1 sum' 20

piped 'head -n 1 >first'
check '| head: objects' rawscu -q --fresh --repeat 20 localhost "$PORT" "$small"
check_same 'which leaves after the first line' 'wc -l <first' 1
check 'more of them' rawscu -q --fresh --repeat 20 localhost "$PORT" "$small"
check_same 'all are stored' rows 61
check 'the loss is said' told 'stdout: .*lines of stored objects end here'
stop_recv
check_same 'and is no failure' 'echo $RECV_STATUS' 0

# A reader that does not read: a pipe holds a while, then lines are dropped and objects are not.
piped 'sleep 60'
many=4000
check '| sleep: many objects' rawscu -q --fresh --parallel 2 --repeat $many localhost "$PORT" "$small"
check_same 'all are stored' rows $((61 + many))
check 'the lines that were dropped are counted' told 'stdout: [0-9]+ lines of stored objects could not be written'
kill "$READER"
stop_recv
check_same 'and it is no failure' 'echo $RECV_STATUS' 0

pacs-recv -A "$A" -p 0 --port-file "$T/recv.port" >&- 2>"$RECV_ERR" <&- &
RECV_PID=$!
test_children="$test_children $RECV_PID"
rm -f "$T/recv.port"
wait_for 10 test -s "$T/recv.port"
PORT=$(cat "$T/recv.port")
check 'without stdin and stdout it receives as well' rawscu -q --fresh localhost "$PORT" "$small"
stop_recv
check_same 'and stops with status 0' 'echo $RECV_STATUS' 0
done_testing
