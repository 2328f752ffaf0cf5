#!/bin/sh
# What a command says of itself: --help fits a terminal, the manual page names every option, and
# misuse is told from failure by the status.
. "$(dirname "$0")/lib.sh"
require_tool mandoc pacs-recv pacs-index pacs-find pacs-export

for source in "$SRC"/cmd/pacs-*.c; do
    name=$(basename "$source" .c)
    check_like "$name --version" "$name --version" "^$name [0-9]+\\.[0-9]+"
    check_same "$name --help is no wider than a terminal" \
        "$name --help | awk 'length > 80'" ''
    check_same "$name --help is no longer than 40 lines" "$name --help | awk 'NR == 41'" ''
    check_fails "$name: an unknown option is misuse" 2 "$name" --no-such-option
    check_fails "$name: no archive here is no success" 2 "$name" -A "$T/none/none" 1.2.3

    page=$SRC/man/$name.1
    check "$name has a page" test -s "$page"
    mandoc -Tascii "$page" 2>/dev/null | sed "s/.$(printf '\b')//g" >page.txt
    for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
        check "$name(1): $section" grep -qx "$section" page.txt
    done
    "$name" --completion-words >words
    check "$name lists its options for completion" grep -qx -e --help words
    missing=
    while read -r word; do
        grep -qE -e "(^|[^-a-z])$word([^-a-z]|\$)" page.txt || missing="$missing $word"
    done <words
    check_same "$name(1) names every option" 'echo "$missing"' ''
done
done_testing
