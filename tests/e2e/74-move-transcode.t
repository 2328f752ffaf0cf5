#!/bin/sh
# pacs-transcode by hand, and as the helper that others start: what crashes or stalls a codec ends the helper alone.
. "$(dirname "$0")/lib.sh"
require_tool pacs-transcode pacs-move pacs-index pacs-find dcmdump dcmdjpeg dcmftest python3
. "$SRC/tests/e2e/recv.sh"
. "$SRC/tests/e2e/move.sh"

CT=$DATA/pydicom/test_files/CT_small.dcm
JPEG=$DATA/one-ct-13-syntaxes/CTImage_1.2.840.10008.1.2.4.70.dcm
RGB=$DATA/pydicom-data/SC_rgb_small_odd.dcm
syntax()
{
    dcmdump -Un -q +P 0002,0010 "$1" | sed 's/.*\[\(.*\)\].*/\1/'
}

# ---- by hand ----

check 'one file to another' pacs-transcode -t JPEGLosslessSV1 -o out.dcm "$CT"
check_same 'its path is printed' 'cat "$LAST"' 'out.dcm'
check_same 'in the transfer syntax wanted' 'syntax out.dcm' 1.2.840.10008.1.2.4.70
check_same 'with the same pixels' 'dcmdjpeg out.dcm back.dcm && pixels back.dcm' "$(pixels "$CT")"
check_fails 'what is there is left alone' 1 pacs-transcode -t 1.2.840.10008.1.2.5 -o out.dcm "$CT"
check_same 'and named' 'cat "$LAST"; syntax out.dcm' 'pacs-transcode: out.dcm: is there already (--force replaces it)
1.2.840.10008.1.2.4.70'
check '--force replaces it' pacs-transcode --force -t 1.2.840.10008.1.2.5 -o out.dcm "$CT"
check_same 'nothing else is left' 'find . -name "*out.dcm?*" -o -name ".pacs*"' ''
check_same 'to stdout' 'pacs-transcode -t ImplicitVRLittleEndian -o - "$JPEG" >piped.dcm; syntax piped.dcm; pixels piped.dcm' "1.2.840.10008.1.2
$(dcmdjpeg "$JPEG" plain.dcm && pixels plain.dcm)"
check_fails 'two objects are too many for a file' 2 pacs-transcode -t ImplicitVRLittleEndian -o two.dcm "$CT" "$JPEG"
pacs-index -q --import -A "$A" "$DATA/mr-orientation" "$CT"
export PACS_ARCHIVE="$A"
objects=$(rows)
check_same 'an archive into a folder' 'pacs-find | pacs-transcode -t JPEG2000Lossless -o folder/ | sort' \
    "$(pacs-find -L instance | cut -f1 | sed 's|.*|./folder/&.dcm|' | sort)"
check_same 'every file is one' 'for f in folder/*; do syntax "$f"; done | sort | uniq -c | tr -s " "' " $objects 1.2.840.10008.1.2.4.90"
check_same 'what is printed can be sent on' 'pacs-find | pacs-transcode --force -t ExplicitVRLittleEndian -o folder | pacs-move -n --to X@localhost:1 | wc -l' "$objects"
cp "$DATA/odd/rle-bad-segments.dcm" bad.dcm
check_fails 'one that is broken is named, the others are written' 1 pacs-transcode -t ImplicitVRLittleEndian -o some/ ./bad.dcm "$CT" ./none.dcm
check_same 'both' 'grep -c -e bad.dcm -e none.dcm "$LAST"; ls some | wc -l' '2
1'
check_fails 'with loss only if asked' 1 pacs-transcode -t JPEGBaseline8Bit -o lossy.dcm "$RGB"
check 'then it is' pacs-transcode -t JPEGBaseline8Bit --lossy -o lossy.dcm "$RGB"
check_like 'the image is a new one, derived from the other' 'dcmdump -q lossy.dcm' "SourceImageSequence|DERIVED"
check_same 'with a UID of its own' '[ "$(values lossy.dcm 0008,0018 | head -n 1)" = "$(values "$RGB" 0008,0018)" ] || values lossy.dcm 0008,0018 | head -n 1 | cut -c1-5' '2.25.'
check 'unless it is to keep it' pacs-transcode -t JPEGBaseline8Bit --lossy --keep-uid -o kept.dcm "$RGB"
check_same 'kept' 'values kept.dcm 0008,0018' "$(values "$RGB" 0008,0018)"
check_fails 'no such transfer syntax' 2 pacs-transcode -t JPEG -o x.dcm "$CT"
check_fails 'a transfer syntax of no object' 1 pacs-transcode -t JPIPReferenced -o x.dcm "$CT"
check_fails 'no output' 2 pacs-transcode -t ImplicitVRLittleEndian "$CT"
check_fails 'stdin is no socket' 2 pacs-transcode --serve
check_fails 'the folder cannot be made' 2 pacs-transcode -t ImplicitVRLittleEndian -o /proc/none/ "$CT"

# ---- the helper ----

# In place of pacs-transcode, one that dies of its first object; the real one does the others.
mkdir bin
cp "$B/pacs-move" "$B/pacs-recv" bin/
cat >bin/pacs-transcode <<END
#!/bin/sh
echo x >>"$T/starts"
case \$(wc -l <"$T/starts") in
    1) kill -SEGV \$\$ ;;
esac
exec "$B/pacs-transcode" "\$@"
END
chmod +x bin/pacs-transcode
start_fake syntaxes=1.2.840.10008.1.2
check_fails 'a helper that crashes' 1 bin/pacs-move -q --tries 1 --to "X@localhost:$FAKE_PORT" "$JPEG" "$DATA/pydicom/test_files/MR_small_RLE.dcm"
check_like 'is told of its object' 'cat "$LAST"' 'CTImage_1.2.840.10008.1.2.4.70.dcm: transcoding it ended the codec by signal 11'
rm -f starts
echo x >starts
: >"$FAKE_LOG"
check 'a new one is started for the next' bin/pacs-move -q --to "X@localhost:$FAKE_PORT" "$JPEG" "$DATA/pydicom/test_files/MR_small_RLE.dcm"
check_same 'one for both' 'wc -l <starts; grep -c ^store "$FAKE_LOG"' '2
2'
rm bin/pacs-transcode
check_fails 'without a helper' 1 env PATH=/usr/bin:/bin bin/pacs-move -q --tries 1 --to "X@localhost:$FAKE_PORT" "$JPEG" "$CT"
check_like 'that is said, and the rest goes' 'cat "$LAST"' 'pacs-transcode is neither beside this program nor in PATH'
stop_child $FAKE_PID
done_testing
