#!/bin/sh
# 500 generated queries of all levels and types of matching: C-FIND, pacs-find and plain loops in Python over
# what was generated give the same.
. "$(dirname "$0")/lib.sh"
require_tool pacs-recv pacs-index pacs-find python3 dcmdump

mkdir made
check 'objects are made' python3 "$SRC/tests/tools/finddiff.py" make made 2024
check_same 'and DCMTK reads each' 'for f in made/*.dcm; do dcmdump -q "$f" >/dev/null || echo "$f"; done' ''
check 'they are stored' pacs-index -q --import -A "$A" made
start_recv
check_like '500 queries' 'python3 "$SRC/tests/tools/finddiff.py" ask "$PORT" "$A" 2024 500 | tee answers' '^500 queries, 0 differences, [0-9]+ with matches$'
note "$(tail -n 1 answers)"
check_same 'many of them find something' "sed -n 's/^500 queries.* \([0-9]*\) with matches/\1/p' answers | awk '{ print (\$1 >= 250) }'" 1
stop_recv
done_testing
