#!/bin/sh
# A worker is killed before each system call that storing an object takes, one after another, and each of
# them fails once: nothing acknowledged is lost, nothing half is stored, and what could not be made
# durable is not acknowledged.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SRC/tests/fault/verify.sh"
require_tool dcmdump sqlite3 pgrep strace

strace -qq -o /dev/null true 2>/dev/null || skip_all 'no process can be traced here'
fresh
check 'the receiver starts' restart
number=0

# with CALL INJECTION: one association with two objects, whose worker is injected from its first message
# on. Sets struck (1: the injection took place).
with()
{
    number=$((number + 1))
    rm -f go trace tracer.err
    rawscu --timeout 60 --wait-for go --fresh --repeat 2 --study-size 1 --seed "$((SEED + number))" --acks acks \
        --tries tries --digest localhost "$PORT" "$SMALL" >rawscu.out 2>&1 &
    pid=$!
    wait_for 20 attached "$1" "$2" || fail "strace does not attach: $(cat tracer.err)"
    : >go
    { wait $pid; } 2>/dev/null
    { wait "$tracer"; } 2>/dev/null
    wait_for 20 no_workers
    struck=0
    ! grep -Eq 'INJECTED|killed by SIGKILL' trace || struck=1
}
# The receiver has other children as well, which come and go: one that stays is a worker.
attached()
{
    worker=$(workers | tail -n 1)
    [ -n "$worker" ] || return 1
    strace -qq -o trace -e trace="$1" -e "inject=$1:$2" -p "$worker" 2>tracer.err &
    tracer=$!
    until grep -Eq '^TracerPid:[[:space:]]*[1-9]' "/proc/$worker/status"; do
        kill -0 $tracer || return 1
        sleep 0.01
    done
}
# The next place to strike: each in the long form; early ones and some later ones in the short form.
next()
{
    if [ -n "${SOAK:-}" ]; then n=$((n + 1)); else n=$((2 * n + 1)); fi
}

killed=0
for call in openat write pread64 fdatasync linkat fsync close pwrite64 flock newfstatat fcntl mkdirat sendto \
    unlink recvfrom; do
    n=1
    while :; do
        with $call "signal=KILL:when=$n"
        [ $struck -eq 1 ] || break
        killed=$((killed + 1))
        next
    done
done
check_same 'workers were killed at many places' "[ $killed -ge 30 ] && echo yes" yes
verify "killed before $killed calls"

# Errors of the disk and of the kernel.
failed=0
for injection in write:ENOSPC write:EIO pread64:EIO fdatasync:EIO fdatasync:ENOSPC linkat:ENOSPC linkat:EIO fsync:EIO \
    mkdirat:ENOSPC openat:EMFILE openat:ENOSPC pwrite64:ENOSPC pwrite64:EIO flock:EIO newfstatat:EIO fcntl:EIO; do
    n=1
    while :; do
        with "${injection%:*}" "error=${injection#*:}:when=$n"
        [ $struck -eq 1 ] || break
        failed=$((failed + 1))
        # The first of these belongs to the object itself.
        case $n:$injection in
            1:write:* | 1:fdatasync:* | 1:linkat:E* | 1:fsync:*)
                check_same "$injection: no success for that object" 'head -n 1 rawscu.out | cut -f2 | grep -c "^0000$"' 0
                ;;
        esac
        next
    done
done
check_same 'calls failed at many places' "[ $failed -ge 30 ] && echo yes" yes
check_same 'the receiver lives' 'kill -0 $RECV_PID && echo yes' yes
check 'and takes objects' sender --seed "$((SEED + number + 1))"
stop_recv
check_same 'it stops with status 0' 'echo $RECV_STATUS' 0
check 'and starts again' restart
verify "after $failed failed calls"
stop_recv
done_testing
