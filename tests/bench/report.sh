# shellcheck shell=sh disable=SC2034,SC2154
# The tables of the bench; sourced by run.

report_machine()
{
    echo "Date        $(date -u '+%Y-%m-%d %H:%M UTC')"
    echo "Machine     $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo)"
    echo "System      $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), kernel $(uname -r), files on $(df --output=fstype,source "$W" | tail -n 1)"
    echo "pacsutils   $(pacs-recv --version 2>/dev/null | head -n 1), $(git -C "$SRC" describe --always --dirty 2>/dev/null)"
    echo "Peers       $(storescp --version | sed -n '1s/^[$]dcmtk: \(storescp [^ ]*\).*/\1/p'), $(Orthanc --version | head -n 1), SQLite $(sqlite3 --version | cut -d' ' -f1)"
    echo "Load        $(cut -d' ' -f1-3 /proc/loadavg) before"
    echo "Figures     best of $ROUNDS rounds of $SECONDS_EACH s each"
}

# value WHERE PEER SIZE SENDER ASSOCIATIONS [COLUMN]
value()
{
    awk -F '\t' -v k="$1 $2 $3 $4 $5" -v c="${6:-6}" \
        '$1 " " $2 " " $3 " " $4 " " $5 == k && $c > best { best = $c } END { if (best) print best }' "$R"
}

report_receive()
{
    heading 'Received, objects/s (MB/s)'
    awk -F '\t' -v ct="$(size_of "$CT")" -v small="$(size_of "$SMALL")" '
        $1 == "disk" || $1 == "tmpfs" {
            key = $1 " " $3 " " $4 " " $5
            if ($6 > rate[key, $2]) { rate[key, $2] = $6; mb[key, $2] = $7 }
        }
        function cell(key, peer) {
            if (!((key, peer) in rate))
                return "-"
            return sprintf(rate[key, peer] < 100 ? "%.1f (%.0f)" : "%.0f (%.0f)", rate[key, peer], mb[key, peer])
        }
        function row(key, label,  i) {
            printf "%-27s", label
            for (i = 1; i <= n; i++)
                printf " %13s", cell(key, peer[i])
            printf "\n"
        }
        END {
            n = split("floor pacs-recv pacs-none storescp storescp-best orthanc orthanc-best", peer, " ")
            printf "%-27s", ""
            for (i = 1; i <= n; i++)
                printf " %13s", peer[i]
            printf "\n"
            size["ct"] = ct " B"; size["small"] = small " B"
            for (s = 1; s <= 2; s++) {
                z = s == 1 ? "ct" : "small"
                row("disk " z " tuned 1", size[z] ", tuned sender, 1")
                row("disk " z " tuned 4", size[z] ", tuned sender, 4")
                row("disk " z " stock 1", size[z] ", stock sender, 1")
                row("disk " z " storescu 1", size[z] ", storescu, 1")
                row("tmpfs " z " tuned 1", size[z] ", tuned, 1, tmpfs")
                row("tmpfs " z " tuned 4", size[z] ", tuned, 4, tmpfs")
            }
        }' "$R"
    cat <<'END'

floor: write, fdatasync, rename, fsync of the folder, without a network. pacs-recv: durable and indexed
before the answer; pacs-none: --sync none. storescp: as it comes, neither durable nor indexed;
storescp-best: +B, PDUs of 128 KB, TCP_NODELAY, --fork. orthanc: as it comes (fsync, index), HTTP off;
orthanc-best: no fsync, no MD5, PDUs of 128 KB, TCP_NODELAY. Sender: rawscu, tuned (TCP_NODELAY, an object
in one send) or as stock senders do (Nagle, each PDU in two writes); storescu is DCMTK's, its start
included. The number is that of associations at a time.
END
}

# target TEXT GOT WANTED UNIT [max]: GOT should be at least (at most) WANTED
target()
{
    awk -v text="$1" -v got="$2" -v want="$3" -v unit="$4" -v most="${5:-}" 'BEGIN {
        if (got == "") { printf "%-66s %10s\n", text, "not measured"; exit }
        ok = most ? got + 0 <= want + 0 : got + 0 >= want + 0
        printf "%-66s %10s %s (%s %s) %s\n", text, got + 0 < 100 ? sprintf("%.2f", got) : sprintf("%.0f", got), unit,
            most ? "at most" : "at least", want, ok ? "reached" : "NOT REACHED"
    }'
}

ratio()
{
    awk -v a="$1" -v b="$2" 'BEGIN { if (a != "" && b > 0) printf "%.4f", a / b }'
}

larger()
{
    printf '%s\n%s\n' "$1" "$2" | sort -g | tail -n 1
}

report_targets()
{
    heading 'Targets, by ratio in this run'
    ct=$(value disk pacs-recv ct tuned 1)
    small=$(value disk pacs-recv small tuned 1)
    target 'CT, 1 association, against storescp +B (not durable, not indexed)' \
        "$(ratio "$ct" "$(value disk storescp-best ct tuned 1)")" 0.6 x
    target 'CT, 1 association, against the floor of the disk' "$(ratio "$ct" "$(value disk floor ct tuned 1)")" 0.8 x
    target 'CT, against Orthanc as it comes' "$(ratio "$ct" "$(value disk orthanc ct tuned 1)")" 4 x
    target 'CT, against Orthanc at its best' \
        "$(ratio "$ct" "$(larger "$(value disk orthanc ct tuned 1)" "$(value disk orthanc-best ct tuned 1)")")" 4 x
    for size in ct small; do
        for sender in storescu stock; do
            target "$size, $sender sender, against storescp as it comes" \
                "$(ratio "$(value disk pacs-recv $size $sender 1)" "$(value disk storescp $size $sender 1)")" 15 x
        done
    done
    target 'small objects, against Orthanc as it comes' "$(ratio "$small" "$(value disk orthanc small tuned 1)")" 2 x
    target 'small objects, against Orthanc at its best' \
        "$(ratio "$small" "$(larger "$(value disk orthanc small tuned 1)" "$(value disk orthanc-best small tuned 1)")")" 2 x
    target 'indexing a cached tree of small files, on one core' "$(value index pacs-index - - 1)" 80000 files/s
    target 'pacs-find on a small index, start to end' "$(value find pacs-find - - -)" 5 ms max
    for what in small ct huge; do
        target "memory of a worker: $what" "$(awk -v k="$(value worker $what - - -)" 'BEGIN { if (k) print k / 1024 }')" 20 MB max
    done
    echo
    echo "Load $(cut -d' ' -f1-3 /proc/loadavg) after"
}
