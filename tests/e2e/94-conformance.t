#!/bin/sh
# pacs-conformance(7) says what the code does: its tables are those of the code, its statuses stand in the sources, and
# a peer is accepted what it promises.
. "$(dirname "$0")/lib.sh"
require_tool mandoc echoscu storescu

page=$SRC/man/pacs-conformance.7
table()
{
    sed -n "/BEGIN $1\$/,/END $1\$/p" "$page" | grep '^\.It'
}
for name in storage syntaxes attributes; do
    conformance $name >expected
    table $name >found
    check "$name: there are some" test -s expected
    check "$name: the page has the same" diff expected found
done

for uid in "$(sed -n 's/.*IMPLEMENTATION_CLASS_UID *"\(.*\)"/\1/p' "$SRC/libcore/dicom/uid.h")" \
    "$(sed -n 's/.*IMPLEMENTATION_VERSION_NAME *"\(.*\)"/\1/p' "$SRC/libcore/dicom/uid.h")" \
    "$(sed -n 's/.*HASH_CREATOR_UID *"\(.*\)"/\1/p' "$SRC/libcore/dicom/meta.c")"; do
    check "$uid is named" grep -qF "$uid" "$page"
done

# Each status of the page is one that the sources have.
sed -n '/^\.Ss Storage$/,/^\.Ss Security$/p' "$page" | sed -n 's/^\.It \([0-9A-F, ]*\) Ta .*/\1/p' |
    tr -d ' ' | tr ',' '\n' | sort -u | while read -r status; do
    grep -qi "0x$status" "$SRC"/libcore/net/*.[ch] || echo "$status"
done >unknown
check_same 'no status is invented' 'cat unknown' ''

start_recv
# What DCMTK's echoscu says of the other side.
check_like 'the implementation is the one that is stated' 'echoscu -d localhost $PORT' 'Their Implementation Version Name: *PACSUTILS_01'
check_like 'the PDU size too' 'echoscu -d localhost $PORT' 'Their Max PDU Receive Size: *131072'
done_testing
