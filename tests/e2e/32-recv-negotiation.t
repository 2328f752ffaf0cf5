#!/bin/sh
# Who may call, for what, and how many at a time: what is rejected, what is refused, and how it is told.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu storescu echoscu findscu sqlite3

small=$DATA/odd/good.dcm
check 'by default any AE title may call, and call us anything' start_recv
check 'one' echoscu -aet SOMEONE -aec SOMETHING localhost "$PORT"
check 'another' rawscu --aet OTHER --aec THING localhost "$PORT" "$small"
check_like 'a service that is not ours is not accepted' 'findscu -v -W -k 0010,0010= localhost "$PORT"' \
    'No Acceptable Presentation Contexts'
check_like 'a private class is not accepted' \
    'rawscu --fresh --class 1.2.3.4 localhost "$PORT" "$small"' 'presentation context not accepted'
check_like 'nor a transfer syntax that nobody knows' \
    'rawscu --fresh --syntax 1.2.3.4 localhost "$PORT" "$small"' 'presentation context not accepted'
# 4: none of the transfer syntaxes; 3: abstract syntax.
check_like 'the sender is told which of the two' \
    'storescu -d -xf "$SRC/tests/e2e/recv-contexts.cfg" Odd localhost "$PORT" "$small"' 'Context ID: +1 .*Transfer Syntaxes Not Supported'
check_like 'for each context' \
    'storescu -d -xf "$SRC/tests/e2e/recv-contexts.cfg" Odd localhost "$PORT" "$small"' 'Context ID: +3 .*Abstract Syntax Not Supported'
check_like 'the first transfer syntax that we know is taken' \
    'storescu -d -xf "$SRC/tests/e2e/recv-contexts.cfg" Odd localhost "$PORT" "$small"' 'Accepted Transfer Syntax: =JPEGBaseline'
check_like 'the announced PDU is 128 KiB' 'echoscu -d localhost "$PORT"' 'Their Max PDU Receive Size: +131072'
check_like 'and the implementation ours' 'echoscu -d localhost "$PORT"' 'Their Implementation Version Name: PACSUTILS'

# ---- by configuration ----

stop_recv
cat >"$A/pacs.conf" <<'END'
[recv]
aet = HOSPITAL
called-aets = OLDPACS, OLDER PACS
calling-aets = CT1, MR1
storage-classes = 1.2.3.4
transfer-syntaxes = 1.2.3.4.5
max-pdu = 16384
max-associations = 3
max-per-peer = 2
END
check 'with titles and limits in pacs.conf' start_recv
check 'our title' echoscu -aet CT1 -aec HOSPITAL localhost "$PORT"
check 'another title of ours' echoscu -aet MR1 -aec OLDPACS localhost "$PORT"
check 'one with a blank' echoscu -aet MR1 -aec 'OLDER PACS' localhost "$PORT"
check_same 'any other is rejected' 'rawscu -q --expect-rj --aet CT1 --aec PACS localhost "$PORT" "$small"' \
    '1 1 7'
check 'which is said' told '127.0.0.1: CT1 calling PACS: rejected: called AE title not recognized'
check_same 'a caller that is not named is rejected' \
    'rawscu -q --expect-rj --aet US1 --aec HOSPITAL localhost "$PORT" "$small"' '1 1 3'
check 'which is said' told 'US1 calling HOSPITAL: rejected: calling AE title not recognized'
check_like 'control characters in a title do not reach the terminal' \
    'rawscu --aet "$(printf "A\033[2JB")" --aec HOSPITAL localhost "$PORT" "$small"; cat "$RECV_ERR"' 'A.\[2JB calling HOSPITAL'
check_unlike 'not one' 'cat "$RECV_ERR"' "$(printf '\033')"
# The data set is of the CT class all the same: A900 shows that the context was accepted.
check_like 'the private class is accepted' \
    'rawscu --aet CT1 --aec HOSPITAL --class 1.2.3.4 localhost "$PORT" "$small"' '	a900	'
check 'the private transfer syntax is accepted' \
    rawscu --aet CT1 --aec HOSPITAL --syntax 1.2.3.4.5 --fresh localhost "$PORT" "$small"
check_like 'the announced PDU is the configured one' \
    'echoscu -d -aet CT1 -aec HOSPITAL localhost "$PORT"' 'Their Max PDU Receive Size: +16384'
check 'what is sent in small PDUs is stored' \
    rawscu --aet CT1 --aec HOSPITAL localhost "$PORT" "$DATA/ct-study/S2010/I10"
stop_recv
check 'options win over the file' start_recv -a OTHER --max-pdu 4096
check_like 'over title and PDU' 'echoscu -d -aet CT1 -aec OTHER localhost "$PORT"' 'Their Max PDU Receive Size: +4096'
stop_recv

# ---- limits ----

start_recv
hold()
{
    background rawscu -q --aet CT1 --aec HOSPITAL --hold 60 "$1" "$PORT" "$small"
    held="$held $BG_PID"
}
workers()
{
    pgrep -P "$RECV_PID" | wc -l
}
held=
hold 127.0.0.1
hold 127.0.0.1
check 'two associations are held' wait_for 10 eval '[ "$(workers)" -eq 2 ]'
check_same 'one more from there is rejected for now' \
    'rawscu -q --expect-rj --aet CT1 --aec HOSPITAL 127.0.0.1 "$PORT" "$small"' '2 3 2'
check 'which is said' told 'CT1 calling HOSPITAL: rejected: max-per-peer is reached'
hold ::1
check 'another address may still come' wait_for 10 eval '[ "$(workers)" -eq 3 ]'
check_same 'up to the limit in all' \
    'rawscu -q --expect-rj --aet CT1 --aec HOSPITAL ::1 "$PORT" "$small"' '2 3 2'
check 'which is said' told 'rejected: max-associations is reached'
# shellcheck disable=SC2086 # several
kill $held
check 'when they are gone' wait_for 10 eval '[ "$(workers)" -eq 0 ]'
check 'there is room again' rawscu -q --aet CT1 --aec HOSPITAL localhost "$PORT" "$small"

# A flood of connections that say nothing costs a bounded number of processes.
cat >flood <<'END'
i=0
while [ $i -lt 100 ]; do
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    eval "exec $((i + 10))<&3"
    i=$((i + 1))
done
sleep 30
END
background bash flood "$PORT"
check 'a hundred silent connections' told 'connection closed: too many at a time'
check_same 'make no more processes than limits allow' '[ "$(workers)" -le 19 ] && echo few' few
check 'another address still gets in' rawscu -q --aet CT1 --aec HOSPITAL ::1 "$PORT" "$small"
kill "$BG_PID"
check 'and when the flood is over' wait_for 20 eval '[ "$(workers)" -eq 0 ]'
check 'all do' rawscu -q --aet CT1 --aec HOSPITAL 127.0.0.1 "$PORT" "$small"
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
done_testing
