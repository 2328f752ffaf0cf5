#!/bin/sh
# The EXAMPLES of every manual page do what they say: each line that starts with `$ ` is run.
#
# All lines of a page run in order, in one shell, in a folder with
#     ./archive   $PACS_ARCHIVE: holds what is in ./cd
#     ./cd        a tree of DICOM files with a DICOMDIR, as from a CD, and a CT study of a phantom
#     ./new       files that are not in the archive
# 11112 stands for a free port. A line with pacs-recv runs in the background until the next such line
# or the end of the page, when SIGTERM must end it with status 0. A line ending in a backslash goes on
# in the next. What cannot run in a test has the prompt `# ` and is left alone.
. "$(dirname "$0")/lib.sh"
require_tool mandoc bash storescu pacs-recv pacs-index pacs-find pacs-export

mkdir -p template/cd template/new
cp -R "$DATA/pydicom/test_files/dicomdirtests/." template/cd
rm -f template/cd/DICOMDIR-* # variants of the first for another test
cp -R "$DATA/ct-study" template/cd/phantom
cp "$DATA"/mr-orientation/ax/axasc35/MR.* "$DATA/pydicom/test_files/CT_small.dcm" \
    "$DATA/pydicom/test_files/MR_small.dcm" template/new
check 'the archive for the examples' pacs-index -q -A template/archive --import template/cd

# The commands of page $1, one a line.
commands()
{
    mandoc -Tascii -O width=500 "$1" | sed "s/.$(printf '\b')//g" | awk '
        /^[A-Z]/ { on = $0 == "EXAMPLES"; next }
        !on { next }
        more { sub(/^ +/, ""); text = text $0 }
        !more && $1 == "$" { sub(/^ *[$] /, ""); text = $0; more = 1 }
        more {
            if (text ~ /\\$/)
                sub(/\\$/, "", text)
            else {
                print text
                more = 0
            }
        }'
}

# Runs the lines of a file in one bash; prints "STATUS<tab>COMMAND" for each, and "STATUS<tab>(stop)"
# for a receiver that was stopped.
cat >runner <<'END'
set -o pipefail
exec 3>&1
job=
pacs-recv()
{
    command pacs-recv "$@" &
    echo $! >../recv.pid
    wait $!
}
stop_recv()
{
    [ -n "$job" ] || return
    kill -TERM "$(cat ../recv.pid)"
    wait "$job"
    printf '%s\t(SIGTERM to pacs-recv)\n' $? >&3
    job=
    rm -f ../recv.pid
}
while IFS= read -r line <&4; do
    echo "\$ $line" >>../log
    case $line in
        *pacs-recv*)
            stop_recv
            line=${line%&}
            eval "$line" >>../log 2>&1 3>&- 4<&- </dev/null &
            job=$!
            status=1
            for _ in {1..200}; do
                kill -0 $job 2>/dev/null || break
                if [ -s ../recv.pid ] && ss -Htlnp | grep -q "pid=$(cat ../recv.pid),"; then
                    status=0
                    break
                fi
                sleep 0.05
            done
            if [ $status -ne 0 ] && ! kill -0 $job 2>/dev/null; then
                wait $job # --help and its like end by themselves
                status=$?
                job=
            fi
            ;;
        *)
            eval "$line" >>../log 2>&1 3>&- 4<&- </dev/null
            status=$?
            # A reader such as head may leave before the writer is done.
            [ $status -ne 141 ] || status=0
            ;;
    esac
    printf '%s\t%s\n' $status "$line" >&3
done 4<"$1"
stop_recv
END

for page in "$SRC"/man/*.[1-9]; do
    name=$(basename "$page")
    rm -rf page log
    cp -R template page
    port=$(free_port)
    commands "$page" | sed "s/11112/$port/g" >list
    case $name in
        *.[178]) check "$name has examples" test -s list ;;
    esac
    [ -s list ] || continue
    # Receivers are children of this shell's child: they are in its group and end with the test.
    (
        cd page && PACS_ARCHIVE=$T/page/archive && export PACS_ARCHIVE && exec bash ../runner ../list
    ) >results 2>>log
    while IFS="$(printf '\t')" read -r status command <&5; do
        if [ "$status" = 0 ]; then
            pass "$name: $command"
        else
            fail "$name: $command" "status $status; the page's log ends with"
            tail -n 15 log | sed 's/^/#   /'
        fi
    done 5<results
done
done_testing
