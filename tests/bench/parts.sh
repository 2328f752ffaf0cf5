# shellcheck shell=sh disable=SC2034,SC2154
# Indexing, queries, start and latency, memory; sourced by run.

# best RUNS SCRIPT: the shortest of several, in seconds; $FRESH is a new folder each time.
best()
{
    for _ in $(seq "$1"); do
        FRESH=$(mktemp -d "$W/fresh.XXXXXX")
        began=$(date +%s.%N)
        (eval "$2") >>"$W/out" 2>>"$W/errors" || echo "status $?: $2" >>"$W/problems"
        ended=$(date +%s.%N)
        awk -v s="$began" -v e="$ended" 'BEGIN { printf "%.4f\n", e - s }'
    done | sort -n | head -n 1
}

rate()
{
    awk -v n="$1" -v s="$2" 'BEGIN { if (s > 0) printf "%.0f", n / s }'
}

index_line()
{
    # label, files, seconds
    printf '%-58s %10s files/s\n' "$1" "$(rate "$2" "$3")"
}

part_index()
{
    heading 'Indexing, files in the page cache, best of 3'
    progress 'a tree of files'
    tree=$W/tree
    dicomgen --patients 100 --studies 2 --series 2 --instances 100 --pixels 2048 "$tree" || problem 'the tree was not made'
    find "$tree" -type f >"$W/all"
    sed -n '1~10p' "$W/all" >"$W/some"
    sed -n '1~80p' "$W/all" >"$W/few"
    files=$(wc -l <"$W/all")
    xargs -a "$W/all" cat >/dev/null
    echo "$files files of $(size_of "$(head -n 1 "$W/all")") bytes, 100 in a folder, 200 studies of 100 patients"
    one=$(best 3 'taskset -c 0 pacs-index -q -A "$FRESH" "$tree"')
    record index pacs-index - - 1 "$(rate "$files" "$one")" 0
    index_line 'pacs-index, on one core' "$files" "$one"
    index_line "pacs-index, $(nproc) cores" "$files" "$(best 3 'pacs-index -q -A "$FRESH" "$tree"')"
    again=$(mktemp -d "$W/again.XXXXXX")
    pacs-index -q -A "$again" "$tree"
    index_line 'pacs-index again, nothing changed' "$files" "$(best 3 'pacs-index -q -A "$again" "$tree"')"
    index_line 'pacs-index --import --link, durable, 4000 files' 4000 \
        "$(best 2 'pacs-index -q -A "$FRESH" --import --link - <"$W/some"')"
    received
    echo "the header scanner alone, on one core:    $(scanner_line)"
    parse=$(best 3 'xargs -a "$W/some" dcmdump -q +sb PixelData +P 0008,0018')
    index_line 'DCMTK loadFileUntilTag (dcmdump +sb PixelData), 4000 files' 4000 "$parse"
    index_line "dcmqridx, $(wc -l <"$W/few") files" "$(wc -l <"$W/few")" "$(best 3 'xargs -a "$W/few" dcmqridx "$FRESH"')"
    index_problems
}

# An archive as a receiver makes it, and its index made again.
received()
{
    progress 'an archive of received objects'
    peer_start pacs-none "$W/received" || { problem 'pacs-recv does not start'; return; }
    rawscu -q --repeat 20000 --study-size 100 --parallel 4 localhost "$PORT" "$SMALL" >/dev/null ||
        problem 'the archive to rebuild was not made'
    peer_stop
    index_line 'pacs-index --rebuild, 20000 files' 20000 \
        "$(best 3 'pacs-index -q -A "$W/received/archive" --rebuild')"
}

# The database alone, without files: rows made up by indexbench.
part_query()
{
    heading 'Rows into index.db, 1000 in a transaction; then queries on 200,000 studies, 1,000,000 objects'
    for what in '' random bulk; do
        mkdir "$W/rows.$what"
        printf '%-20s' "${what:-UIDs in order}"
        indexbench write "$W/rows.$what" 10000 25 $what || problem "indexbench write $what"
    done
    mkdir "$W/rows"
    indexbench write "$W/rows" 200000 5 bulk >/dev/null && indexbench query "$W/rows" 7 ||
        problem 'indexbench query'
}

# What went wrong in a subshell.
index_problems()
{
    [ ! -s "$W/problems" ] || problem "$(cat "$W/problems"): $(tail -n 1 "$W/errors")"
}

# The scanner alone, without a database.
scanner_line()
{
    xargs -a "$W/some" taskset -c 0 scanprint --time 1 2>&1 | tail -n 1
}

part_start()
{
    heading 'Start to end, median and best of 100 runs, and memory'
    printf '%-34s %9s %9s %9s\n' '' 'median ms' 'best ms' 'KB'
    for tool in "$B"/pacs-*; do
        [ -f "$tool" ] && [ -x "$tool" ] && start_line "${tool##*/} --version" "${tool##*/}" --version
    done
    for tool in true dcmdump storescu findscu storescp; do
        start_line "$tool --version" $tool --version
    done
    pacs-index -q -A "$W/small-index" --import "$SRC/tests/data/dicom/ct-study" "$SRC/tests/data/dicom/mr-orientation" \
        "$SRC/tests/data/dicom/pydicom" >/dev/null 2>&1
    start_line 'pacs-find, a small index' pacs-find -A "$W/small-index"
    record find pacs-find - - - "$median" 0
    start_line 'pacs-find Modality=CT' pacs-find -A "$W/small-index" Modality=CT
    start_line 'pacs-find -L instance PatientName=*a*' pacs-find -A "$W/small-index" -L instance 'PatientName=*a*'
    start_line 'pacs-find, a key that is not indexed' pacs-find -A "$W/small-index" -L series 'SoftwareVersions=*'
}

start_line()
{
    label=$1
    shift
    progress "$label"
    line=$(stopwatch -n 100 "$@") || problem "$label"
    median=$(printf '%s' "$line" | cut -f1)
    progress ''
    # shellcheck disable=SC2086 # three numbers
    printf '%-34s %9s %9s %9s\n' "$label" $line
}

# A CT whose pixel data are 4 GB of nothing: a hole in a file, which takes no room.
make_huge()
{
    dcmodify -q -nb -ie -e PixelData "$1" 2>/dev/null
    printf '\340\177\020\000OW\000\000\360\377\377\377' >>"$1"
    truncate -s $(($(size_of "$1") + 4294967280)) "$1"
}

part_memory()
{
    heading 'Peak memory of the process that receives (VmHWM)'
    if [ "$(df --output=avail -m "$W" | tail -n 1)" -lt 5000 ]; then
        echo 'no 5 GB of room: left out'
        return
    fi
    cp "$CT" "$W/huge"
    make_huge "$W/huge"
    peer_start pacs-recv "$W/memory" || { problem 'pacs-recv does not start'; return; }
    for what in small ct huge; do
        file=$W/huge repeat=1
        [ $what = huge ] || file=$(file_of $what) repeat=300
        rawscu -q --timeout 300 --repeat $repeat --hold 0.3 localhost "$PORT" "$file" >"$W/memory.out" 2>&1 &
        sender=$!
        most=0
        while kill -0 $sender 2>/dev/null; do
            for pid in $(pgrep -P "$PEER_PID"); do
                now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
                [ "${now:-0}" -le $most ] || most=$now
            done
            sleep 0.1
        done
        wait $sender || problem "memory, $what: $(tail -n 1 "$W/memory.out")"
        printf '%-58s %10s KB\n' "pacs-recv worker, $repeat objects of $(size_of "$file") bytes" "$most"
        record worker $what - - - "$most" 0
        [ $what != huge ] || sed -n 's|.*\(seconds.*\)|  the last in \1|p' "$W/memory.out" | tr '\t' ' '
    done
    peer_stop
    find "$W/memory" -type f -size +1G -exec truncate -s 0 {} +
    awk -F '\t' '$1 == "memory" && $6 > most[$2] { most[$2] = $6 }
        END { for (p in most) printf "%-58s %10d KB\n", p " (the whole server, or a child), after all of the above", most[p] }' "$R" |
        grep -v '^pacs' | sort
}
