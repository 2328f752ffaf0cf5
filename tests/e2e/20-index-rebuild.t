#!/bin/sh
# The index is derived: rebuilt, it is what it was; lost, damaged or from the future, it comes back; rows
# are removed and files are not.
. "$(dirname "$0")/lib.sh"
require_tool sqlite3 pacs-index pacs-find

q()
{
    sqlite3 -readonly "$A/index.db" "$1"
}

# All that the index says, without the numbers of rows.
dump()
{
    for level in patient study series instance; do
        columns=$(q "SELECT group_concat(name, ', ') FROM pragma_table_info('$level') WHERE name NOT IN
            ('id', 'patient', 'study', 'series', 'class', 'syntax', 'calling', 'folder', 'path') OR
            ('$level' = 'study' AND name = 'folder')")
        echo "-- $level"
        q "SELECT $columns FROM $level ORDER BY $columns"
    done
    echo '-- places'
    q "SELECT i.uid, c.text, t.text, a.text, f.path, i.path, r.uid, s.uid, p.patient_id, p.name, r.series_of
       FROM instance AS i JOIN (SELECT *, study AS series_of FROM series) AS r ON r.id = i.series
       JOIN study AS s ON s.id = r.study JOIN patient AS p ON p.id = s.patient
       LEFT JOIN term AS c ON c.id = i.class LEFT JOIN term AS t ON t.id = i.syntax
       LEFT JOIN term AS a ON a.id = i.calling LEFT JOIN folder AS f ON f.id = i.folder
       ORDER BY i.uid" | sed 's/|[0-9]*$//'
    echo '-- files'
    q "SELECT f.path, file.name, file.size, file.mtime, instance IS NULL, instance > 0 FROM file
       JOIN folder AS f ON f.id = file.folder ORDER BY 1, 2"
    echo '-- names'
    q "SELECT key, patient_id FROM patient_name JOIN patient ON patient.id = patient ORDER BY 1, 2"
    echo '-- modalities'
    q "SELECT m.modality, s.uid FROM study_modality AS m JOIN study AS s ON s.id = m.study ORDER BY 1, 2"
}

mkdir tree
cp -R "$DATA/pydicom/charset_files" "$DATA/pydicom/test_files/dicomdirtests" "$DATA/highdicom" tree
cp "$DATA/ct-study/S1000/I10" tree/another
echo text >tree/notes.txt
pacs-index -q -A "$A" --import "$DATA/ct-study" "$DATA/mr-orientation" "$DATA/dcmqi" "$DATA/odd/no-meta-implicit.dcm"
pacs-index -q -A "$A" tree 2>/dev/null
dump >before
check 'there is something to rebuild' test "$(q 'SELECT count(*) FROM instance')" -gt 50
rm -f "$A"/index.db-wal "$A"/index.db-shm # of sqlite3, which only reads and cannot tidy
check 'the index is made anew' pacs-index -A "$A" --rebuild
check_same 'nothing lies about' 'ls "$A" | grep -E "new|wal|shm"' ''
dump >after
check 'and is what it was' diff before after
check_same 'its secondary indexes are back' \
    "q \"SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name IN ('instance_uid', 'study_date', 'instance_series')\"" 3
check_same 'it is sound' 'q "PRAGMA integrity_check"' ok
check_same 'files in place are known as before' 'pacs-index -v -A "$A" tree 2>&1 | grep -c unchanged' 1
check_same 'a dry run' 'ls -i "$A/index.db" >one; pacs-index -n -A "$A" --rebuild; ls -i "$A/index.db" | diff one -' ''

# ---- lost and damaged ----

rm -f "$A"/index.db*
check_fails 'without an index nothing is found' 2 pacs-find -A "$A"
check_like 'and it is said why' 'cat "$LAST"' 'nothing was indexed yet|rebuild'
check 'it comes back' pacs-index -A "$A" --rebuild
check_same 'with all objects of the archive' 'q "SELECT count(*) FROM instance"' \
    "$(find "$A/objects" -type f | wc -l)"
check 'and those in place when they are indexed again' sh -c "pacs-index -q -A '$A' tree; true"
dump >again
check 'then it is what it was' diff before again

head -c 40000 /dev/urandom >"$A/index.db"
check_fails 'garbage is no index' 2 pacs-find -A "$A"
check 'the way out is the same' pacs-index -A "$A" --rebuild
check 'pacs-find is content' pacs-find -A "$A" Modality=CT

rm -f "$A"/index.db*
check 'a new object with the index lost' pacs-index -A "$A" --import "$DATA/odd/good.dcm"
check_like 'is stored, and the loss is told' 'cat "$LAST"' 'index.db was missing.*--rebuild'

pacs-index -A "$A" --rebuild
sqlite3 "$A/index.db" 'PRAGMA user_version = 99'
check_fails 'an index of a newer release is refused' 2 pacs-index -A "$A" tree
check_like 'with what to do' 'cat "$LAST"' 'newer pacsutils .*--rebuild'
check_fails 'by all' 2 pacs-find -A "$A"
check 'and can be rebuilt' pacs-index -A "$A" --rebuild
check_same 'as one of this release' 'q "PRAGMA user_version"' 1

# ---- what is found on the way ----

echo 'no object' >"$A/objects/stray"
mkdir -p "$A/objects/2001/01/01"
cp "$DATA/pydicom/test_files/MR_small.dcm" "$A/objects/2001/01/01/by-hand.dcm"
check_fails 'what is no object in objects/ is named' 1 pacs-index -A "$A" --rebuild
check_like 'by its path' 'cat "$LAST"' '/objects/stray: not DICOM'
check_same 'an object in the wrong place is found where it is' \
    'pacs-find -A "$A" -L instance PatientID=4MR1 -k Path | cut -f2' "$A/objects/2001/01/01/by-hand.dcm"
cp "$DATA/ct-study/S1000/I10" "$A/objects/2001/01/01/copy.dcm"
check_fails 'two of one instance' 1 pacs-index -A "$A" --rebuild
check_same 'are one row' 'q "SELECT count(*) - count(DISTINCT uid) FROM instance"' 0
check_same 'and the counters know' \
    'q "SELECT sum(instances) = (SELECT count(*) FROM instance) FROM study"' 1
rm "$A/objects/stray" "$A/objects/2001/01/01/copy.dcm"

# ---- interrupted ----

dicomgen --instances 100 --series 80 --pixels 64 many >/dev/null
pacs-index -q -A "$A" --import many/p00001/s001/e001
pacs-index -q -A "$A" many
all=$(q 'SELECT count(*) FROM instance')
pacs-index -A "$A" --rebuild >/dev/null 2>rebuild.err &
pid=$!
test_children="$test_children $pid"
wait_for 20 test -s "$A/index.db.new"
kill -INT $pid
wait $pid
check_same 'an interrupted rebuild' 'q "SELECT count(*) FROM instance"' "$all"
check_same 'leaves nothing behind' 'ls "$A" | grep new' ''
check 'and the next is whole' pacs-index -A "$A" --rebuild
check_same 'with all' 'q "SELECT count(*) FROM instance"' "$all"

# ---- removing ----

rm -rf "$A"
pacs-index -q -A "$A" --import "$DATA/ct-study"
pacs-index -q -A "$A" tree 2>/dev/null
objects=$(find "$A/objects" tree -type f | sort)
study=$(pacs-find -A "$A" StudyDate=-now Modality=CT 2>/dev/null | cut -f1 | head -n 1)
study=${study:-$(pacs-find -A "$A" Modality=CT | cut -f1 | head -n 1)}
n=$(pacs-find -A "$A" -L instance StudyInstanceUID="$study" | wc -l)
check 'a study is removed' pacs-index -v -A "$A" --remove "$study"
check_like 'with its instances' 'cat "$LAST"' ": $n removed"
check_fails 'it is not found any more' 1 pacs-find -A "$A" StudyInstanceUID="$study"
check_fails 'removing it again' 1 pacs-index -A "$A" --remove "$study"
check_like 'names it' 'cat "$LAST"' "$study: not in the index"
check_same 'what is found can be removed' \
    'pacs-find -A "$A" -L instance PatientID=98890234 | pacs-index --remove -A "$A" -; pacs-find -A "$A" PatientID=98890234' ''
check 'a folder is' pacs-index -A "$A" --remove tree/highdicom
check_same 'with all below it' \
    "q \"SELECT count(*) FROM file JOIN folder ON folder.id = file.folder WHERE path LIKE '$T/tree/highdicom%'\"" 0
check 'a file is' pacs-index -A "$A" --remove tree/notes.txt
mv tree elsewhere
check 'a folder that is gone is' pacs-index -A "$A" --remove tree
mv elsewhere tree
check_same 'none are left in place' 'q "SELECT count(*) FROM file"' 0
check_same 'no file was touched' 'find "$A/objects" tree -type f | sort' "$objects"
check_same 'no empty parents are left' 'q "SELECT (SELECT count(*) FROM study WHERE instances = 0) +
    (SELECT count(*) FROM patient WHERE id NOT IN (SELECT patient FROM study))"' 0
check_fails 'not in the index' 1 pacs-index -A "$A" --remove ./nothing 1.2.3 patient:nobody
check_same 'each is named' 'wc -l <"$LAST"' 3
check 'a rebuild brings the archive back' pacs-index -A "$A" --rebuild
check_same 'its objects' 'q "SELECT count(*) FROM instance"' "$(find "$A/objects" -type f | wc -l)"
check_like 'statistics' 'pacs-index -A "$A" --stats' "^instances	$(find "$A/objects" -type f | wc -l)\$"
check 'under valgrind' under_valgrind pacs-index -A "$A" --rebuild
check 'and removing' under_valgrind pacs-index -A "$A" --remove "$(pacs-find -A "$A" | cut -f1 | head -n 1)"
done_testing
