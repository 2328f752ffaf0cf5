# shellcheck shell=sh disable=SC2034,SC2154
# Other archives as peers; sourced after lib.sh. Each gets a port of its own, knows PACS (on $PORT, where
# our receiver listens, if it is set) and is stopped with the test.
#
#     start_orthanc                  AE ORTHANC on $ORTHANC_PORT; 1 if it does not come up
#     start_dcmqrscp                 AE DCMTK on $DCMTK_PORT
#     start_other                    pacs-recv on an archive of its own, $OTHER; AE OTHER on $OTHER_PORT
#     fill PORT AE FILE...           sends the files to it, each in its own transfer syntax
#     peer_section NAME AE PORT [LINE...]   a section of pacs.conf on stdout

# Ports that differ between the peers of a test.
peer_port()
{
    peer_next=$(($1 + 33000 + $$ * 3 % 9000))
    until test_port_free $peer_next; do
        peer_next=$((peer_next + 5))
    done
    echo $peer_next
}

peer_up()
{
    wait_for 20 pacs-echo -q "$1@localhost:$2"
}

peer_section()
{
    printf '[peer %s]\naet = %s\nhost = localhost\nport = %s\n' "$1" "$2" "$3"
    shift 3
    [ $# -eq 0 ] || printf '%s\n' "$@"
}

start_orthanc()
{
    ORTHANC_PORT=${ORTHANC_PORT:-$(peer_port 1)}
    mkdir -p "$T/orthanc"
    cat >"$T/orthanc.json" <<END
{ "Name": "peer", "StorageDirectory": "$T/orthanc", "IndexDirectory": "$T/orthanc",
  "HttpServerEnabled": false, "DicomPort": $ORTHANC_PORT, "DicomAet": "ORTHANC",
  "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true, "DicomAlwaysAllowMove": true,
  "DicomAlwaysAllowStore": true, "DicomAlwaysAllowEcho": true, "SyncStorageArea": false,
  "UnknownSopClassAccepted": true, "DefaultEncoding": "Utf8",
  "DicomModalities": { "pacs": ["PACS", "localhost", ${PORT:-104}],
                       "other": ["OTHER", "localhost", ${OTHER_PORT:-104}] } }
END
    background Orthanc "$T/orthanc.json" >"$T/orthanc.log" 2>&1 </dev/null
    ORTHANC_PID=$BG_PID
    peer_up ORTHANC "$ORTHANC_PORT"
}

start_dcmqrscp()
{
    DCMTK_PORT=${DCMTK_PORT:-$(peer_port 2)}
    mkdir -p "$T/dcmtk"
    cat >"$T/dcmqrscp.cfg" <<END
NetworkTCPPort  = $DCMTK_PORT
MaxPDUSize      = 16384
MaxAssociations = 16
HostTable BEGIN
pacs  = (PACS, localhost, ${PORT:-104})
other = (OTHER, localhost, ${OTHER_PORT:-104})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
DCMTK $T/dcmtk RW (1000, 1024mb) ANY
AETable END
END
    background dcmqrscp -c "$T/dcmqrscp.cfg" >"$T/dcmqrscp.log" 2>&1 </dev/null
    DCMTK_PID=$BG_PID
    peer_up DCMTK "$DCMTK_PORT"
}

start_other()
{
    OTHER=$T/other
    rm -f "$T/other.port"
    mkdir -p "$OTHER"
    [ -s "$OTHER/pacs.conf" ] || {
        printf '[recv]\naet = OTHER\n'
        peer_section PACS PACS "${PORT:-104}"
    } >"$OTHER/pacs.conf"
    background pacs-recv -A "$OTHER" -p "${OTHER_PORT:-0}" --port-file "$T/other.port" \
        >>"$T/other.out" 2>>"$T/other.err" </dev/null
    OTHER_PID=$BG_PID
    wait_for 20 test -s "$T/other.port" || return 1
    OTHER_PORT=$(cat "$T/other.port")
}

fill()
{
    fill_port=$1 fill_ae=$2
    shift 2
    rawscu -q --aec "$fill_ae" localhost "$fill_port" "$@"
}
