#!/bin/sh
# What goes wrong in an export is named, the rest is done, and nothing is ever there by half: objects
# missing on the disk, targets that are taken, a full disk, signals, readers that leave.
. "$(dirname "$0")/lib.sh"
require_tool unzip tar python3 script pacs-index pacs-find pacs-export

check 'the files are indexed' pacs-index -q -A "$A" --import "$DATA/pydicom/test_files/dicomdirtests" \
    "$DATA/ct-study"
PACS_ARCHIVE=$A
export PACS_ARCHIVE
all=$(pacs-find -L instance | wc -l)
study=$(pacs-find -k '' PatientID=98890234 StudyDate=20030505 StudyDescription=Carotids)
of_study=$(pacs-find -L instance "$study" | wc -l)
leftovers()
{
    find . -name '*.part-*'
}

# ---- objects that are not there ----
lost=$(pacs-find -L instance -k '' "$study" --limit 1)
mv "$(pacs-find -L instance -k Path "$lost" | cut -f2)" away
check_fails 'an object is missing on the disk' 1 pacs-export -o missing.tar "$study"
check_like 'it is named' 'cat "$LAST"' "$lost"
check_same 'the others are exported' 'tar -tf missing.tar | wc -l' $((of_study - 1))
check_fails 'the same into a folder' 1 pacs-export -o missing "$study"
check_same 'with the others' 'find missing -type f | wc -l' $((of_study - 1))
check_fails 'nothing but it: no archive' 1 pacs-export -o only.zip "$lost"
check_fails 'and no folder' 1 pacs-export -o only "$lost"
check_same 'is made' 'ls -d only* 2>/dev/null' ''
check_same 'an archive on stdout is empty and whole' 'pacs-export -o - "$lost" 2>/dev/null | tar -tf - && echo whole' whole
mkfifo "$(pacs-find -L instance -k Path "$lost" | cut -f2)"
check_fails 'a FIFO in its place does not hang' 1 timeout 20 pacs-export -o fifo.tar "$study"
rm "$(pacs-find -L instance -k Path "$lost" | cut -f2)"
head -c 200 away >"$(pacs-find -L instance -k Path "$lost" | cut -f2)"
check_fails 'a file that is no DICOM any more' 1 pacs-export -o cut.tar "$study"
check_like 'it is named too' 'cat "$LAST"' "$lost"
mv away "$(pacs-find -L instance -k Path "$lost" | cut -f2)"
check 'all is there again' pacs-export -o again.tar "$study"

check_fails 'a UID that the index does not know' 1 pacs-export -o unknown.tar "$study" 1.2.3.4
check_like 'is named' 'cat "$LAST"' '1\.2\.3\.4: not in the index'
check_same 'the rest is exported' 'tar -tf unknown.tar | wc -l' "$of_study"
check_fails 'lines that are no references' 1 sh -c 'pacs-find --csv | pacs-export -o csv.tar'
check_like 'are named' 'cat "$LAST"' 'StudyInstanceUID,.*no reference'
check_fails 'files that are none, or no DICOM' 1 pacs-export -o files.tar ./nothing . "$DATA/odd/text.dcm" "$DATA/odd/good.dcm"
check_same 'each in a line of its own' 'wc -l <"$LAST"' 3
check_same 'the good one is exported' 'tar -tf files.tar | wc -l' 1

# ---- nothing at all ----
check_fails 'no references' 1 sh -c 'pacs-export -o none.zip </dev/null'
check_like 'which is said' 'cat "$LAST"' 'nothing to export'
check_fails 'none for a folder' 1 sh -c 'pacs-export -o none </dev/null'
check_fails 'none with a manifest' 1 sh -c 'pacs-export -o none.tar --manifest none.txt </dev/null'
check_same 'leave nothing' 'ls -d none* 2>/dev/null' ''

# ---- what cannot work is said before anything is done ----
check_fails 'no output' 2 pacs-export "$study"
check_fails 'an empty name' 2 pacs-export -o '' "$study"
check_fails 'a format that is not written' 2 pacs-export -o x.7z "$study"
check_fails 'a level for a folder' 2 pacs-export -o x --level 3 "$study"
check_fails 'a level beyond the format' 2 pacs-export -o x.zip --level 10 "$study"
check_fails 'links in a zip' 2 pacs-export -o x.zip --link "$study"
check_fails 'a folder on stdout' 2 pacs-export -o - --format folder "$study"
check_fails 'archive and manifest both on stdout' 2 pacs-export -o - --manifest - "$study"
check_fails 'a key for a reference' 2 pacs-export -o x.zip PatientID=98890234
check_like 'is told where it belongs' 'cat "$LAST"' 'pacs-find'
check_fails 'a layout with an unknown keyword' 2 pacs-export -o x.zip --layout '{PatientNane}' "$study"
check_like 'and the nearest' 'cat "$LAST"' 'PatientName'
check_fails 'a layout that leads out' 2 pacs-export -o x.zip --layout '../{PatientID}' "$study"
check_fails 'an archive that is none' 2 pacs-export -A "$T" -o x.zip "$study"
check_fails 'a folder that is not there' 2 pacs-export -o nowhere/x.zip "$study"
check_same 'a tar on a terminal' \
    'script -qec "pacs-export -o - $study" /dev/null </dev/null | tr -d "\r"; ls x* nowhere 2>/dev/null' \
    'pacs-export: -o -: stdout is a terminal, and an archive is not for reading'

# ---- targets that are taken ----
echo mine >taken.zip
check_fails 'an archive is not replaced' 2 pacs-export -o taken.zip "$study"
check_same 'it is as it was' 'cat taken.zip' mine
check 'unless one insists' pacs-export --force -o taken.zip "$study"
check 'then it is whole' unzip -tqq taken.zip
check_fails 'a manifest is not replaced' 2 pacs-export -o m.zip --manifest taken.zip "$study"
check_same 'nor is an archive made then' 'ls m.zip 2>/dev/null' ''
mkdir folder.zip
check_fails 'a folder is no archive' 2 pacs-export --force -o folder.zip --format zip "$study"
check 'a folder may exist' pacs-export -o into "$study"
file=$(find into -type f | sort | head -n 1)
echo mine >"$file"
check_fails 'another file in it is not replaced' 1 pacs-export -o into "$study"
check_same 'it is as it was, too' 'cat "$file"' mine
check_like 'and named' 'pacs-export -o into "$study"' "$file: another file is there"
check 'unless one insists on it' pacs-export --force -o into "$study"
check_not 'then it is the object' grep -q mine "$file"
ln -sf "$T/outside" link.zip
check_fails 'a symbolic link is taken' 2 pacs-export -o link.zip "$study"
rm -r into
pacs-export -o into "$study"
ln -sf "$T/outside" "$file"
check 'nothing is written through one' pacs-export --force -o into "$study"
check_same 'to where it leads' 'ls outside 2>/dev/null' ''

# ---- a full disk: as ulimit makes it for one, as a small file system does ----
check_fails 'no room for a zip' 2 sh -c "ulimit -f 128; pacs-find | pacs-export -o full.zip"
check_like 'the reason is said' 'cat "$LAST"' 'full\.zip.*(too large|No space)'
check_fails 'nor for a compressed tar' 2 sh -c "ulimit -f 128; pacs-find | pacs-export -o full.tar.zst"
check_fails 'nor for files' 2 sh -c "ulimit -f 128; pacs-find | pacs-export -o fullfolder"
check_same 'nothing is left by half' 'leftovers; ls -d full.* 2>/dev/null' ''
check_same 'files that are there are whole' \
    'find fullfolder -type f | while IFS= read -r f; do find "$A/objects" -size "$(stat -c %s "$f")c" \
        -exec cmp -s "$f" {} \; -print | head -n 1; done | wc -l' "$(find fullfolder -type f | wc -l)"
mkdir small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=256k none small 2>/dev/null; then
    check_fails 'a disk that is full' 2 sh -c 'pacs-find | pacs-export -o small/x.tar'
    check_like 'says so' 'cat "$LAST"' 'small/x\.tar: No space left on device'
    check_same 'and is empty again' 'ls small' ''
    check_fails 'a folder on it' 2 sh -c 'pacs-find | pacs-export -o small/x --manifest small/sums'
    check_same 'holds whole files only' 'find small -size 0 -type f; find small -name "*.part*"; ls small/sums 2>/dev/null' ''
    umount small
else
    skip 'a disk that is full' 'needs to be root and to mount a tmpfs'
fi
check_fails 'a stdout that is closed' 2 sh -c "pacs-export -o - $study >&-"
check_fails 'a stdin that is closed' 2 sh -c 'pacs-export -o closed.zip <&-'
check_fails 'stdout on a full disk' 2 sh -c 'pacs-find | pacs-export -o - >/dev/full'

# ---- signals and readers that leave ----
# Python starts it with the signals as a terminal's shell does; references come when it says.
cat >interrupt.py <<'END'
import os, signal, subprocess, sys, time
number, output, references = getattr(signal, sys.argv[1]), sys.argv[2], sys.stdin.read().split()
child = subprocess.Popen(["pacs-export", "-o", output] + sys.argv[3:], stdin=subprocess.PIPE,
    stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
child.stdin.write("".join(r + "\n" for r in references[:1]).encode())
child.stdin.flush()
deadline = time.time() + 20
# The first object is in, or at least its file or folder is begun.
while time.time() < deadline and not any(output in f for f in os.listdir(".")):
    time.sleep(0.01)
time.sleep(0.2)
child.send_signal(number)
print((str(child.wait(20)) + " " + child.stderr.read().decode()).strip())
END
for number in SIGINT SIGTERM SIGHUP; do
    check_same "$number: it ends by the signal, silently" \
        "pacs-find -k '' | python3 interrupt.py $number stopped.zip" \
        "-$(python3 -c "import signal; print(int(signal.$number))")"
    check_same "$number: no half archive stays" 'leftovers; ls stopped* 2>/dev/null' ''
done
check_same 'nor half a manifest' \
    "pacs-find -k '' | python3 interrupt.py SIGINT stopped.tar.zst --manifest stopped.txt; leftovers; ls stopped* 2>/dev/null" '-2'
check_same 'in a folder whole files stay' \
    "echo $study | python3 interrupt.py SIGINT stopped; leftovers; find stopped -type f | wc -l" "-2
$of_study"
check_same 'and the next run goes on there' \
    'pacs-find | pacs-export -v -o stopped 2>&1 | tail -n 1 | sed "s/.*; \([0-9]* kept\).*/\1/"' "$of_study kept"
check_same 'a reader that leaves: silent, no success' \
    'bash -c "pacs-find | pacs-export -o - | head -c 1000 | wc -c; exit \${PIPESTATUS[1]}"; echo $?' '1000
141'
cat >python.py <<'END'
import os, subprocess
read, write = os.pipe()
os.close(read)
# SIGPIPE is ignored, as by many parents.
child = subprocess.run(["pacs-export", "-o", "-", "--manifest", "left.txt"] + os.sys.argv[1:], stdout=write,
    stderr=subprocess.PIPE, restore_signals=False)
print((str(child.returncode != 0) + " " + child.stderr.decode()).strip())
END
check_same 'nor does a manifest stay then' 'python3 python.py "$study"; leftovers; ls left.txt 2>/dev/null' True
check_not 'a tar that was cut is not taken for whole' sh -c 'pacs-find | (ulimit -f 100; pacs-export -o - >cut.out); tar -tf cut.out'

# ---- what a terminal shows ----
cat >slow.sh <<'END'
pacs-find -L instance --limit 8 | while read -r line; do echo "$line"; sleep 0.4; done |
    pacs-export -o terminal.tar 2>/dev/tty
END
check_like 'progress after a second, on a terminal' \
    'script -qec "sh slow.sh" /dev/null </dev/null | tr "\r" "\n"' \
    'pacs-export: [0-9]+ (of [0-9]+ )?objects, [0-9]+/s'
# A pipe holds 1 MB at most, two blocks are under way: the export waits for its reader in the middle.
mkdir copies
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    cp "$DATA/ct-study/S2010/I10" copies/$i
done
check_like 'with the time left' \
    'script -qec "pacs-export -o - ./copies/* | (sleep 1.5; cat >piped.tar)" /dev/null </dev/null | tr "\r" "\n"' \
    'pacs-export: [0-9]+ of 12 objects, [0-9]+/s, [0-9]+ MB/s, 0m[0-9]+s left'
check_same 'which is gone at the end' 'script -qec "pacs-export -o terminal2.tar $study" /dev/null </dev/null' ''
check_same 'and nowhere else' 'sh -c "(echo $study; sleep 1.2; echo patient:77654033) | pacs-export -o p.tar" 2>&1' ''
check_same '-v names each on stderr' 'pacs-export -v -o v.tar "$study" 2>&1 >/dev/null | grep -c "dcm$"' "$of_study"
check_same '-q leaves failures to be told' 'pacs-export -q -o q.tar "$study" 1.2.3 2>&1' \
    'pacs-export: 1.2.3: not in the index'
check 'all of it is still there' test "$all" = "$(find "$A/objects" -name '*.dcm' | wc -l)"
done_testing
