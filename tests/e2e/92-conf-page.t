#!/bin/sh
# pacs.conf(5) and the program agree: every setting is described with its default, nothing else is, and
# the example is accepted.
. "$(dirname "$0")/lib.sh"
require_tool mandoc pacs-recv

# NAME DEFAULT of the table in the source; lists without a default have "none", addresses "all".
sed -n 's/^ *{"\([a-z-]*\)", SETTING_[A-Z]*, FIELD([a-z_]*), \("\([^"]*\)"\|NULL\),.*/\1 \3/p' \
    "$SRC/libcore/net/recv_config.c" >source.txt
check 'the source has a table of settings' test -s source.txt

mandoc -Tascii -O width=500 "$SRC/man/pacs.conf.5" | sed "s/.$(printf '\b')//g" >page.txt
awk '/^   \[recv\]/ { on = 1; next } /^   \[|^[A-Z]/ { on = 0 }
    on && $2 == "=" { name = $1 }
    on && match($0, /Default: [^ ]*\.$/) {
        value = substr($0, RSTART + 9, RLENGTH - 10)
        print name, value == "none" || value == "all" ? "" : value
    }' page.txt >described.txt
check 'the page has the same, with the same defaults' diff source.txt described.txt

mkdir "$A"
awk '/^EXAMPLES/ { on = 1 } /^SEE ALSO/ { on = 0 } on && /^           / { print substr($0, 12) }' \
    page.txt >"$A/pacs.conf"
check 'the example sets something' grep -q '^calling-aets = CT1' "$A/pacs.conf"
check 'pacs-recv takes the example' start_recv
stop_recv
check_same 'and stops in order' 'echo $RECV_STATUS' 0

echo 'calling-aet = CT1' >>"$A/pacs.conf"
sed -i 's/^\[store\]/\n/; s/^duplicate.*//' "$A/pacs.conf"
check_fails 'a misspelt name stops it' 2 pacs-recv -A "$A" -p 0
check_like 'and is named with its line' 'cat "$LAST"' 'pacs.conf:[0-9]+: .*calling-aet'
done_testing
