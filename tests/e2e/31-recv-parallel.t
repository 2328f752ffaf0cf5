#!/bin/sh
# Many senders at once: all that is acknowledged is stored as sent, once, with one line each.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu storescu sqlite3 xargs

small=$DATA/odd/good.dcm
large=$DATA/ct-study/S2010/I10
check 'the receiver starts' start_recv

for many in 2 8; do
    rm -f acks.*
    seq $many | xargs -P $many -I N rawscu -q --seed "1$many"N --study-size 7 --repeat 20 --digest --acks acks.N \
        localhost "$PORT" "$small" "$large" "$small" >sent
    check_same "$many associations at a time: all is answered with success" \
        'grep -c "	success 60	" sent' $many
    cat acks.* >>acks
    find "$A/objects" -type f -exec rawscu --digest-only {} + | cut -f1,2 | sort >stored
    check_same 'and is stored as sent' 'sort acks | diff - stored' ''
    check_same 'with a row each, and a line' 'rows; lines' "$(wc -l <acks)
$(wc -l <acks)"
done
check_same 'each line is whole' 'awk -F "\t" "NF != 9 || \$9 !~ /Z\$/" "$RECV_OUT"' ''
check_same 'and is of a stored object' 'cut -f1 acks | sort >a; cut -f1 "$RECV_OUT" | sort | diff a -' ''
check_same 'whose path it names' 'cut -f2 "$RECV_OUT" | xargs ls | wc -l' "$(wc -l <acks)"
check_same 'the counters agree' 'sqlite3 -cmd ".timeout 10000" "$A/index.db" "select sum(instances), sum(bytes) from study"' \
    "$(wc -l <acks)|$(cut -f7 "$RECV_OUT" | paste -sd+ | bc)"

# The same objects by all at the same moment: each once.
check 'a new archive' fresh_recv
seq 8 | xargs -P 8 -I N rawscu -q --same --seed 7 --fresh --repeat 5 --study-size 4 localhost "$PORT" "$small" "$large" >sent
check_same 'eight senders of the same objects: all are answered with success' 'grep -Eo "	success [0-9]+" sent | sort | uniq -c | tr -d " "' '8	success10'
check_same 'each object is there once' 'rows; files; lines' "$(cut -f1 "$RECV_OUT" | sort -u | wc -l)
$(cut -f1 "$RECV_OUT" | sort -u | wc -l)
$(cut -f1 "$RECV_OUT" | sort -u | wc -l)"

check 'a new archive' fresh_recv
find "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/pydicom/test_files/dicomdirtests/98892001" -type f >files
xargs -P 8 -n 1 storescu -R localhost "$PORT" <files
check_same 'storescu, eight at a time: all is stored' 'rows; files; lines' "$(wc -l <files)
$(wc -l <files)
$(wc -l <files)"
check_same 'nothing was said' 'cat "$RECV_ERR"' ''
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
check_same 'and leaves nothing in incoming/' left 0
done_testing
