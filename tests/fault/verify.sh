# shellcheck shell=sh disable=SC2034,SC2154
# What the fault tests share; sourced after ../e2e/lib.sh.
#
# Senders write every object into `tries` before they send it and into `acks` when it was answered with
# success, with the SHA-256 of its data set; at any time each object is in the archive as it was sent, or
# not at all, and the acknowledged ones are.
#
#     sender [OPTION...]     one run of rawscu with small and CT objects, fresh UIDs; sets nothing
#     random_ms LOW HIGH     prints seconds as a fraction
#     workers                the pids of the receiver's workers; no_workers: whether there are none
#     restart                starts the receiver on $A, waiting until one that was killed is gone
#     verify NAME [may-quarantine]   checks, and forgets nothing: acks and tries grow over a test
#     fresh                  a new archive, and empty lists
#
# SOAK=1 makes rounds long: `rounds SHORT LONG` prints which; half of SHORT with the sanitizers, under
# which everything takes several times as long.

SMALL=$DATA/odd/good.dcm
CT=$DATA/ct-study/S2010/I10
SEED=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
run=0
note "SEED=$SEED"

rounds()
{
    if [ -n "${SOAK:-}" ]; then
        echo "$2"
    elif [ -n "${SAN:-}" ]; then
        echo $((($1 + 1) / 2))
    else
        echo "$1"
    fi
}

# The same numbers for the same seed.
random_ms()
{
    run=$((run + 1))
    RANDOM_S=$(awk -v seed="$((SEED + run))" -v low="$1" -v high="$2" \
        'BEGIN { srand(seed); rand(); printf "%.3f", (low + rand() * (high - low)) / 1000 }')
}

# Two of three objects are small, so that more moments lie around fsync, rename, index and answer.
sender()
{
    rawscu -q --study-size 25 --acks "$T/acks" --tries "$T/tries" --digest "$@" \
        localhost "$PORT" "$SMALL" "$CT" "$SMALL"
}

no_workers()
{
    ! workers >/dev/null
}

workers()
{
    pgrep -P "$RECV_PID"
}

# What pacs-recv says while an earlier one still holds the archive is no failure; never starting is one.
restart()
{
    restart_tries=0
    until start_recv "$@" >"$T/restart.log"; do
        restart_tries=$((restart_tries + 1))
        if [ $restart_tries -ge 40 ]; then
            cat "$T/restart.log"
            return 1
        fi
        sleep 0.25
    done
}

fresh()
{
    rm -rf "$A"
    : >"$T/acks"
    : >"$T/tries"
}

# Each prints what is wrong, a few lines of it.
few()
{
    head -n 5
}

# UID and digest of each stored file, which is named by its UID.
list_stored()
{
    find "$A/objects" -type f -print0 2>/dev/null | xargs -0 -r -n 400 rawscu --digest-only --syntax any >"$T/stored.paths"
    awk -F '\t' '{ n = split($3, part, "/"); if (part[n] != $1 ".dcm") print $3 }' "$T/stored.paths" >"$T/stored.misnamed"
    cut -f1,2 "$T/stored.paths" | sort >"$T/stored"
    find "$A/objects" -type f | sed 's|.*/||; s|\.dcm$||' | sort >"$T/files"
}

# As DCMTK reads them: whole, and with the UID that names the file.
list_dcmdump()
{
    find "$A/objects" -type f -print0 | xargs -0 -r -n 400 dcmdump -q +P 0008,0018 2>"$T/dcmdump.errors" |
        sed -n 's/^(0008,0018) UI \[\(.*\)\].*/\1/p' | sort >"$T/dcmdumped"
}

verify()
{
    set -- "$1" "${2:-}"
    list_stored
    list_dcmdump
    sort -u "$T/acks" >"$T/acked"
    sort -u "$T/tries" >"$T/tried"
    cut -f1 "$T/acked" | sort >"$T/acked.uids"
    pacs-find -A "$A" -L instance 2>"$T/find.errors" | cut -f1 | sort >"$T/found"
    sqlite3 "file:$A/index.db?mode=rw" 'SELECT uid FROM instance' 2>&1 | sort >"$T/indexed"
    note "$1: $(wc -l <"$T/acked") acknowledged of $(wc -l <"$T/tried"), $(wc -l <"$T/stored") stored"
    check_same "$1: every acknowledged object is there, byte for byte" \
        'comm -23 acked stored | few' ''
    check_same "$1: nothing is there that was not sent so, nothing half" \
        'comm -13 tried stored | few; cat stored.misnamed | few' ''
    check_same "$1: DCMTK reads every file" 'few <dcmdump.errors; comm -3 dcmdumped files | few' ''
    check_same "$1: pacs-find finds every acknowledged object" \
        'few <find.errors; comm -23 acked.uids found | few' ''
    check_same "$1: index and files agree" 'comm -3 indexed files | few; comm -3 found files | few' ''
    check_same "$1: the index is whole, its counters too" "sqlite3 \"file:\$A/index.db?mode=rw\" 'PRAGMA integrity_check;
        SELECT s.uid, s.instances, count(*) FROM study s JOIN series e ON e.study = s.id
            JOIN instance i ON i.series = e.id GROUP BY s.id HAVING s.instances <> count(*);
        SELECT e.uid, e.instances, count(*) FROM series e JOIN instance i ON i.series = e.id
            GROUP BY e.id HAVING e.instances <> count(*);'" ok
    # A second name of an object that is in its place is a note for the next start, no leftover.
    check_same "$1: nothing unfinished is in incoming/" 'find "$A/incoming" -type f -links 1 | few' ''
    [ "$2" = may-quarantine ] ||
        check_same "$1: quarantine/ is empty" 'find "$A/quarantine" -type f | few' ''
}
