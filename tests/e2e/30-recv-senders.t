#!/bin/sh
# What other people's senders send is stored as sent, found in the index, and printed; and what a raw sender
# sends is stored byte for byte, in every transfer syntax of the test data.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/e2e/recv.sh"
require_tool pacs-recv rawscu storescu dcmsend gdcmscu odil echoscu dcmdump sqlite3

check 'the receiver starts, and makes the archive' start_recv -v
check 'echoscu' echoscu -aet ME -aec ANYONE localhost "$PORT"
check 'odil echo' odil echo localhost "$PORT" ME ANYONE
check_like 'associations are told of with -v' 'cat "$RECV_ERR"' '^pacs-recv: 127.0.0.1 ME calling ANYONE: association accepted'

# ---- a raw sender: bytes ----

sound_files >files
tr '\n' '\000' <files | xargs -0 rawscu --digest --acks acks localhost "$PORT" >sent
check_same 'every sound file is taken' 'grep -Ev "	0000	|^summary" sent' ''
check_same 'these are many' '[ "$(wc -l <files)" -ge 100 ] && echo yes' yes
check_same 'as many as there are files' 'wc -l <acks' "$(wc -l <files)"
find "$A/objects" -type f -exec rawscu --digest-only {} + | cut -f1,2 | sort >stored
check_same 'each is stored with the bytes that were sent' 'sort acks | diff - stored' ''
check_same 'each has a row in the index' rows "$(wc -l <acks)"
check_same 'each has a line' lines "$(wc -l <acks)"
check_same 'nothing is left in incoming/' left 0
tr '\n' '\000' <files | xargs -0 rawscu -q localhost "$PORT" >again
check_like 'sent again they are a quiet success' 'cat again' "	success $(wc -l <files)	"
check_same 'without new lines, rows or files' 'lines; rows; files' "$(wc -l <files)
$(wc -l <files)
$(wc -l <files)"

# ---- the head of a stored file ----

uid=$(rawscu --digest-only "$DATA/ct-study/S2010/I10" | cut -f1)
file=$(stored "$uid")
check_same 'the meta header is ours' 'values "$file" 0002,0001 0002,0003 0002,0010 0002,0012 0002,0013 0002,0016' \
    "00\\01
$uid
=LittleEndianExplicit
2.25.257905587905102377849610817798770989639
PACSUTILS_01
RAWSCU"
check_same 'its length is right' 'dcmdump -q +P 0002,0000 "$file" | sed "s/.*UL \([0-9]*\) .*/\1/"' \
    "$(dcmdump -q "$file" | awk '/^\(0002,/ && !/,0000\)/ { n += $2 == "OB" ? 12 : 8; sub(/.*#/, ""); n += $1 } END { print n }')"

# ---- stock senders: attributes ----

differing()
{
    while read -r name; do
        stored_name=$(stored "$(values "$name" 0008,0018)")
        [ -n "$stored_name" ] || continue
        attributes "$name" >sent.dump
        attributes "$stored_name" >stored.dump
        cmp -s sent.dump stored.dump || echo "$name"
    done <"$1"
}

check 'a new archive' fresh_recv
# storescu and dcmsend decide by DCMTK's tables what they can send.
xargs -d '\n' storescu -v -R -nh localhost "$PORT" <files >storescu.log 2>&1
taken=$(grep -c 'Received Store Response (Success)' storescu.log)
check_same 'storescu: most files go' '[ "$taken" -ge 80 ] && echo yes' yes
check_same 'none is refused' 'grep "Received Store Response" storescu.log | grep -vc "(Success)"' 0
check_same 'what it was told is stored is stored' 'rows; files; lines' "$taken
$taken
$taken"
shuf -n 50 --random-source="$SRC/LICENSE" files >some
check_same 'and says what was sent' 'differing some' ''

check 'a new archive' fresh_recv
xargs -d '\n' dcmsend -v --no-halt --decompress-never localhost "$PORT" <files >dcmsend.log 2>&1
taken=$(grep -c 'Received C-STORE Response (Success)' dcmsend.log)
check_same 'dcmsend: most files go' '[ "$taken" -ge 80 ] && echo yes' yes
check_same 'what it was told is stored is stored' 'rows; files' "$taken
$taken"
check_same 'and says what was sent' 'differing some' ''

check 'a new archive' fresh_recv
find "$DATA/ct-study" "$DATA/mr-orientation" -type f >studies
# GDCM 3.0.21, as Debian has it, aborts after each orderly release.
xargs gdcmscu --store localhost "$PORT" <studies >/dev/null 2>&1
check_same 'gdcmscu: all of two studies are stored' 'rows; files' "$(wc -l <studies)
$(wc -l <studies)"
check_same 'and say what was sent' 'differing studies' ''

check 'a new archive' fresh_recv
# odil's store wants contexts for all its files: by study.
for folder in ct-study/S2010 mr-orientation/ax/axasc35; do
    check "odil store: $folder" odil store localhost "$PORT" ODIL PACS "$DATA/$folder"/*
done
check_same 'all is stored' 'rows' "$(find "$DATA/ct-study/S2010" "$DATA/mr-orientation/ax/axasc35" -type f | wc -l)"
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
done_testing
