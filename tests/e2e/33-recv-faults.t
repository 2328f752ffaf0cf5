#!/bin/sh
# Peers that stop, lie, talk nonsense or keep silent: only they feel it. Nothing half is stored, the reason is
# said, and the next sender is served.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu echoscu sqlite3

small=$DATA/odd/good.dcm
large=$DATA/ct-study/S2010/I10
check 'the receiver starts, with small time-outs' \
    start_recv -v --timeout 1 --idle-timeout 2 --negotiation-timeout 1

# Runs rawscu with the options, which breaks something; then all must be as if it had not been there, but for
# the message.
harmless()
{
    name=$1 message=$2
    shift 2
    : >"$RECV_ERR"
    rawscu -q --timeout 10 "$@" >fault.out 2>&1
    check "$name: is said" told "$message"
    check_same "$name: nothing is stored, nothing left" 'wait_for 10 eval "[ \$(left) -eq 0 ]"; rows; files; left' "$before
$before
0"
}

rawscu -q --fresh localhost "$PORT" "$small"
before=1
harmless 'closed inside an object' 'association lost: .*inside an object' \
    --fresh --cut-at 200000 localhost "$PORT" "$large"
harmless 'closed inside a command' 'association lost: ' --fresh --cut-at 20 localhost "$PORT" "$small"
harmless 'reset inside an object' 'association lost: ' --fresh --reset-at 300000 localhost "$PORT" "$large"
harmless 'aborted inside an object' 'the peer aborted the association inside an object' \
    --fresh --abort-at 150000 localhost "$PORT" "$large"
harmless 'silence inside an object' 'association aborted: the peer kept silent inside a message' \
    --fresh --stall-at 100000 localhost "$PORT" "$large"
harmless 'silence inside a command' 'association aborted: the peer kept silent inside a message' \
    --fresh --stall-at 30 localhost "$PORT" "$small"
harmless 'silence after the negotiation' 'association aborted: the peer kept silent for 2 s' \
    --hold 8 localhost "$PORT" "$small"
harmless 'silence inside the association request' 'the peer kept silent' \
    --from-start --stall-at 50 localhost "$PORT" "$small"
harmless 'random bytes' '127.0.0.1: (no association request|association request)' --garbage 5000 localhost "$PORT"
harmless 'a request cut short' 'closed before an association was requested' \
    --from-start --cut-at 100 localhost "$PORT" "$small"
harmless 'a PDV longer than its PDU' 'association aborted: PDV of' --fresh --pdv-lie 100 localhost "$PORT" "$small"
harmless 'a PDV shorter than it is' 'association aborted: ' --fresh --pdv-lie -50 localhost "$PORT" "$small"
harmless 'a PDU shorter than it is' 'association aborted: ' --fresh --pdu-lie -50 localhost "$PORT" "$small"
harmless 'a context that was not accepted' 'association aborted: presentation context 77 was not accepted' \
    --fresh --context-id 77 localhost "$PORT" "$small"
harmless 'a data set before its command' 'association aborted: data without a command' \
    --fresh --data-first localhost "$PORT" "$small"
harmless 'data after a command that has none' '(association aborted: data without a command|no data set)' \
    --fresh --no-data localhost "$PORT" "$small"
harmless 'an unknown PDU' 'association aborted: PDU of unknown type' --fresh --odd-pdu 99 localhost "$PORT" "$small"
harmless 'an association request inside an association' 'association aborted: PDU of type 01 inside' \
    --fresh --odd-pdu 1 localhost "$PORT" "$small"
harmless 'a command set without a message ID' 'association aborted: command set: no message ID' \
    --fresh --omit 0000,0110 localhost "$PORT" "$small"
harmless 'an endless command set' 'association aborted: command set of more than' \
    --fresh --extra 70000 localhost "$PORT" "$small"
harmless 'a last fragment that never comes' 'kept silent inside a message' --fresh --no-last localhost "$PORT" "$small"

# The A-ABORT carries the reason of PS3.8 section 9.3.8, by the service provider.
check_like 'an abort has source and reason' \
    'rawscu --fresh --context-id 77 localhost "$PORT" "$small"' 'abort.* 2.* 6'

# Requests that are sound and not for us are answered, and the association goes on.
check_like 'another operation is answered: unrecognized' \
    'rawscu --fresh --command-field 0x0150 localhost "$PORT" "$small"' '	0211	'
check 'what a cut sender failed to send is taken when it comes whole' rawscu -q localhost "$PORT" "$large"
check 'an element that nobody knows in the command is passed over' \
    rawscu -q --fresh --extra 100 localhost "$PORT" "$small"
check 'a wrong group length of the command is passed over' \
    rawscu -q --fresh --group-length-lie 7 localhost "$PORT" "$small"
check 'PDVs of a few bytes' rawscu -q --fresh --pdv 8 --max-pdu 512 localhost "$PORT" "$small"
check 'PDUs larger than we announced' rawscu -q --fresh --beyond --max-pdu 1000000 localhost "$PORT" "$large"
check 'command and data set in one PDU' rawscu -q --fresh --together localhost "$PORT" "$small"
check_same 'all are stored' rows 7
check 'the receiver lives' echoscu localhost "$PORT"
stop_recv
check_same 'and stops with status 0' 'echo $RECV_STATUS' 0
done_testing
