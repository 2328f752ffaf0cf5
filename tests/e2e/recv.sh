# shellcheck shell=sh disable=SC2034,SC2154
# What the tests of pacs-recv share; sourced after lib.sh.
#
#     rows                   objects in the index
#     files                  objects on disk
#     lines                  lines that the receiver has printed
#     left                   names in incoming/ of objects that never came to be
#     stored UID             path of the stored object
#     told REGEX             its messages hold a line that matches; waits up to 10 s
#     fresh_recv [OPTION...] stops the receiver, begins a new archive
#     attributes FILE        what dcmdump says of the data set, independent of how it is encoded
#     sound_files            the sound files of tests/data that an archive can hold, one for each SOP
#                            instance, one a line

rows()
{
    [ ! -e "$A/index.db" ] || sqlite3 -cmd '.timeout 10000' "$A/index.db" 'select count(*) from instance'
}

files()
{
    find "$A/objects" -type f | wc -l
}

lines()
{
    wc -l <"$RECV_OUT"
}

# A finished object may keep a second name there until its row is durable.
left()
{
    find "$A/incoming" -type f -links 1 | wc -l
}

stored()
{
    find "$A/objects" -name "$1.dcm"
}

told()
{
    wait_for 10 grep -Eq -e "$1" "$RECV_ERR" && return
    cat "$RECV_ERR"
    return 1
}

fresh_recv()
{
    [ -z "$RECV_PID" ] || stop_recv
    rm -rf "$A" "$T/recv.out" "$T/recv.err"
    start_recv "$@"
}

# Lengths, and whether they are defined, belong to the encoding; so do group lengths and padding at the end.
attributes()
{
    dcmdump -q "$1" 2>/dev/null | awk '
        /^# Dicom-Data-Set/ { on = 1 }
        !on || /^#/ || /^ *$/ { next }
        /^ *\(....,0000\)/ || /^\(fffc,fffc\)/ || /DelimitationItem/ { next }
        {
            sub(/ *#[^#]*$/, "")
            sub(/\((Sequence|Item|PixelSequence) with [^)]*\)/, "")
            sub(/\) \?\? /, ") UN ") # implicit VR, and not in the dictionary
            print
        }'
}

sound_files()
{
    # No DICOMDIR; a study to go into; in the meta header the UID of the data set.
    awk -F '\t' -v data="$DATA/" 'NR > 1 && $10 == "yes" && $4 != "1.2.840.10008.1.3.10" && $12 != "" &&
        !seen[$5]++ { print $5 "\t" data $1 }' "$SRC/tests/data/manifest.tsv" | sort >sound
    cut -f2 sound | xargs -d '\n' rawscu --digest-only | cut -f1,3 | sort | comm -12 sound - | cut -f2
}
