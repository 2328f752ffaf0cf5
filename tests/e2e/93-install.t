#!/bin/sh
# make install puts commands, pages, completion and service where they belong; make uninstall leaves
# nothing behind; the installed completion asks the installed commands.
. "$(dirname "$0")/lib.sh"
require_tool make bash pacs-recv pacs-index pacs-find pacs-export

# Quietly, and never as a part of the make that runs the tests.
install_make()
{
    env -u MAKEFLAGS -u MAKELEVEL make -s -C "$SRC" ${SAN:+"SAN=$SAN"} PREFIX=/usr \
        "DESTDIR=$T/root" "$@"
}

check 'make install' install_make install
for source in "$SRC"/cmd/pacs-*.c; do
    name=$(basename "$source" .c)
    check_like "$name runs from there" "\$T/root/usr/bin/$name --version" "^$name "
    check "$name(1) is there" test -s "root/usr/share/man/man1/$name.1"
    check "$name is completed" test -e "root/usr/share/bash-completion/completions/$name"
done
check_fails 'the helper of pacs-find is found' 2 root/usr/bin/pacs-find @X@localhost:1
check_like 'and asks' 'cat "$LAST"' '^pacs-find: X@localhost:1: '
check_unlike 'where it is installed' 'cat "$LAST"' 'find-peer'
mv root/usr/lib/pacsutils/find-peer find-peer
check_fails 'without it' 2 root/usr/bin/pacs-find @X@localhost:1
check_like 'that is said' 'cat "$LAST"' 'find-peer.*the installation is not whole'
mv find-peer root/usr/lib/pacsutils/find-peer
check 'pacs(7) and pacs.conf(5) are there' \
    test -s root/usr/share/man/man7/pacs.7 -a -s root/usr/share/man/man5/pacs.conf.5
check_same 'the service starts the installed receiver' \
    'sed -n "s/^ExecStart=//p" root/usr/lib/systemd/system/pacs-recv.service' \
    '/usr/bin/pacs-recv $PACS_RECV'

cat >complete <<'END'
. "$1"
COMP_WORDS=("$2")
_pacs "$2" "$3" "$4" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
END
# shellcheck disable=SC2034 # used in the scripts below
completion=root/usr/share/bash-completion/completions/pacs-find
check_same 'an option is completed' \
    'PATH=$T/root/usr/bin:$PATH bash complete $completion pacs-find --lev ""' --level
check_same 'a keyword is completed' \
    'bash complete $completion pacs-find StudyDe ""' StudyDescription=
check_same 'a level is completed' 'bash complete $completion pacs-find se -L' series

check 'make uninstall' install_make uninstall
check_same 'leaves no file' 'find root ! -type d' ''
done_testing
