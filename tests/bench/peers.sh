# shellcheck shell=sh disable=SC2034,SC2154
# The receivers that the bench compares; sourced by run. Each is started on a port of its own in a folder
# of its own, and stopped by its number.
#
#     peer_start NAME FOLDER     sets PEER_PID and PORT; status 1 if it does not come up
#     peer_stop
#     peer_memory                the most memory of the process that serves, so far, in KB
#
#     pacs-recv        as it comes: each object durable and indexed before it is answered
#     pacs-none        pacs-recv --sync none: indexed, not durable
#     storescp         as it comes
#     storescp-best    data sets written as they came, large PDUs, no Nagle, a process per association
#     orthanc          as it comes, but for HTTP, which is off: each file fsynced, and in its index
#     orthanc-best     no fsync, no MD5, large PDUs, no Nagle, a thread per association

PEER_PID=
PEER_CHILDREN=

free_port()
{
    port=$((21000 + $$ % 9000))
    while ss -Htln "sport = :$port" | grep -q .; do
        port=$((port + 1))
    done
    echo $port
}

orthanc_json()
{
    # $1 folder, $2 more settings
    cat >"$1/orthanc.json" <<END
{ "Name": "bench", "StorageDirectory": "$1/storage", "IndexDirectory": "$1/storage",
  "HttpServerEnabled": false, "DicomPort": $PORT, "DicomAet": "ORTHANC"$2 }
END
}

peer_start()
{
    folder=$2
    mkdir -p "$folder"
    PORT=$(free_port)
    case $1 in
        pacs-recv | pacs-none)
            rm -f "$folder/port"
            set -- "$1" --sync object
            [ "$1" = pacs-recv ] || set -- "$1" --sync none
            shift
            pacs-recv -q -A "$folder/archive" -p 0 --port-file "$folder/port" "$@" >/dev/null 2>>"$folder/log" </dev/null &
            PEER_PID=$!
            tries=200
            until [ -s "$folder/port" ]; do
                tries=$((tries - 1))
                [ $tries -gt 0 ] && kill -0 $PEER_PID || return 1
                sleep 0.05
            done
            PORT=$(cat "$folder/port")
            return 0
            ;;
        storescp)
            mkdir -p "$folder/objects"
            storescp -od "$folder/objects" "$PORT" >/dev/null 2>"$folder/log" </dev/null &
            ;;
        storescp-best)
            mkdir -p "$folder/objects"
            TCP_NODELAY=1 storescp -q --fork --bit-preserving --max-pdu 131072 -od "$folder/objects" "$PORT" \
                >/dev/null 2>"$folder/log" </dev/null &
            ;;
        orthanc)
            orthanc_json "$folder" ''
            Orthanc "$folder/orthanc.json" >/dev/null 2>"$folder/log" </dev/null &
            ;;
        orthanc-best)
            orthanc_json "$folder" ', "SyncStorageArea": false, "StoreMD5ForAttachments": false,
  "StorageCompression": false, "OverwriteInstances": false, "SaveJobs": false, "StableAge": 3600,
  "MaximumStorageCacheSize": 0, "MaximumPduLength": 131072, "DicomThreadsCount": 8'
            TCP_NODELAY=1 Orthanc "$folder/orthanc.json" >/dev/null 2>"$folder/log" </dev/null &
            ;;
    esac
    PEER_PID=$!
    tries=100
    until rawscu -q --timeout 5 --echo 1 localhost "$PORT" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] && kill -0 $PEER_PID || return 1
        sleep 0.1
    done
}

peer_stop()
{
    [ -n "$PEER_PID" ] || return 0
    kill "$PEER_PID" 2>/dev/null
    # Only if it does not listen to reason.
    (sleep 20 && kill -9 "$PEER_PID" 2>/dev/null) &
    guard=$!
    wait "$PEER_PID" 2>/dev/null
    kill $guard 2>/dev/null
    wait $guard 2>/dev/null
    PEER_PID=
}

peer_memory()
{
    for pid in "$PEER_PID" $(pgrep -P "$PEER_PID"); do
        sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null
    done | sort -n | tail -n 1
}
