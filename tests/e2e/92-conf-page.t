#!/bin/sh
# pacs.conf(5) and the program agree: every setting is described with its default, nothing else is, and
# the example is accepted.
. "$(dirname "$0")/lib.sh"
require_tool mandoc pacs-recv

mandoc -Tascii -O width=500 "$SRC/man/pacs.conf.5" | sed "s/.$(printf '\b')//g" >page.txt

# settings SOURCE TABLE: NAME DEFAULT of a table in the source; lists without a default have "none", addresses "all".
settings()
{
    sed -n "/ $2\[\]/,/^};/s/^ *{\"\([a-z-]*\)\", SETTING_[A-Z]*, FIELD([a-z_]*), \(\"\([^\"]*\)\"\|NULL\).*/\1 \3/p" \
        "$SRC/libcore/net/$1"
}

# described SECTION: the same of the page. What has no fixed default is said in words.
described()
{
    awk -v section="$1" '/^   \[/ { on = index($0, "   [" section "]") == 1; next } /^[A-Z]/ { on = 0 }
        on && $2 == "=" { name = $1 }
        on && match($0, /Default: .*\.$/) {
            value = substr($0, RSTART + 9, RLENGTH - 10)
            print name, value ~ / / || value == "none" || value == "all" ? "" : value
        }' page.txt
}

for section in 'recv:recv_config.c:settings' 'peer NAME:peers.c:peer_settings' 'tls:peers.c:tls_settings'; do
    name=${section%%:*}
    table=${section#*:}
    settings "${table%:*}" "${table#*:}" >source.txt
    described "$name" >described.txt
    check "[$name] has settings" test -s source.txt
    check "[$name]: the page has the same, with the same defaults" diff source.txt described.txt
done

mkdir "$A"
awk '/^EXAMPLES/ { on = 1 } /^SEE ALSO/ { on = 0 } on && /^           / { print substr($0, 12) }' \
    page.txt >"$A/pacs.conf"
check 'the example sets something' grep -q '^calling-aets = CT1' "$A/pacs.conf"
check 'pacs-recv takes the example' start_recv
stop_recv
check_same 'and stops in order' 'echo $RECV_STATUS' 0

sed -i 's/^\[recv\]/&\ncalling-aet = CT1/' "$A/pacs.conf"
check_fails 'a misspelt name stops it' 2 timeout 20 pacs-recv -A "$A" -p 0
check_like 'and is named with its line' 'cat "$LAST"' 'pacs.conf:[0-9]+: .*calling-aet'
done_testing
