#!/bin/sh
# DICOM over TLS, as server and as user, with DCMTK's tools on the other side: who has a certificate of our authority
# gets in and is answered as in the clear; who has none, or another's, is refused and logged.
. "$(dirname "$0")/lib.sh"
require_tool echoscu storescu storescp openssl pacs-recv pacs-find pacs-echo

check 'certificates are made' "$SRC/scripts/make-certificates" keys pacs scanner
check 'and another authority' "$SRC/scripts/make-certificates" others stranger
check_same 'keys are for their owner alone' 'stat -c %a keys/pacs.key' 600
check_same 'the chain holds' 'openssl verify -CAfile keys/authority.pem keys/scanner.pem' 'keys/scanner.pem: OK'

secure=$(free_port)
mkdir "$A"
cat >"$A/pacs.conf" <<END
[recv]
tls-port = $secure

[tls]
certificate = ../keys/pacs.pem
key = ../keys/pacs.key
authorities = ../keys/authority.pem
END
check 'pacs-recv listens with and without TLS' start_recv -v

mine="+tls keys/scanner.key keys/scanner.pem +cf keys/authority.pem"
# shellcheck disable=SC2086
check 'echoscu by TLS' echoscu $mine localhost "$secure"
# shellcheck disable=SC2086
check 'storescu by TLS' storescu $mine +sd +r localhost "$secure" "$DATA/ct-study"
check_same 'all of it is there' 'pacs-find -A "$A" -L instance | wc -l' 5
check 'the other port goes on in the clear' echoscu localhost "$PORT"

check_not 'in the clear on the port for TLS: refused' echoscu -ta 5 localhost "$secure"
check_not 'no certificate: refused' echoscu -ta 5 +tla -ic localhost "$secure"
check_not "a stranger's certificate: refused" \
    echoscu -ta 5 +tls others/stranger.key others/stranger.pem -ic localhost "$secure"
check 'each is in the log' wait_for 10 sh -c "[ \$(grep -c 'TLS' '$RECV_ERR') -ge 3 ]"
check_like 'with its address and reason' 'cat "$RECV_ERR"' '^pacs-recv: (127.0.0.1|::1): TLS .*certificate'
# shellcheck disable=SC2086
check 'and nobody else suffers' echoscu $mine localhost "$secure"

# As a user: pacs.conf says that a peer wants TLS.
server=$(free_port)
mkdir in
background storescp +tls keys/scanner.key keys/scanner.pem +cf keys/authority.pem -od in "$server"
wait_for 10 sh -c "! ss -Htln 'sport = :$server' | grep -q '^$'"
cat >>"$A/pacs.conf" <<END

[peer SCANNER]
host = localhost
port = $server
tls = yes

[peer SELF]
host = localhost
port = $secure
tls = yes

[peer PLAIN]
host = localhost
port = $secure
timeout = 5
END
check 'pacs-echo asks by TLS' pacs-echo -A "$A" SCANNER SELF
check_fails 'and does not get through without it' 1 pacs-echo -A "$A" PLAIN
sed -i 's|authority.pem|../others/authority.pem|' "$A/pacs.conf"
check_fails 'a server that our authorities do not know is not trusted' 1 pacs-echo -A "$A" SCANNER
check_like 'which is said' 'cat "$LAST"' 'SCANNER: TLS: the peer.s certificate: '
stop_recv

sed -i 's|^key = .*|key = ../keys/scanner.key|' "$A/pacs.conf"
check_fails 'a key that is not the certificate.s: no start' 2 pacs-recv -A "$A" -p 0
check_like 'and the files are named' 'cat "$LAST"' 'scanner.key: not the key of the certificate .*pacs.pem'
sed -i 's|^key = .*|key = ../keys/none.key|' "$A/pacs.conf"
check_fails 'a file that is not there: no start' 2 pacs-recv -A "$A" -p 0
check_like 'and it is named' 'cat "$LAST"' 'none.key'
done_testing
