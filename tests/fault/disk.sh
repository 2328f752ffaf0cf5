# shellcheck shell=sh disable=SC2034,SC2154
# A file system of the test's own, ext4 in a file, for full disks and power cuts; sourced after
# ../e2e/lib.sh. Needs root and a loop device.
#
#     disk_or_skip SIZE      makes one and mounts it at $DISK, or skips the whole test, with the reason
#     disk_mount             after disk_umount
#     disk_umount            waits for the last process to leave
#     disk_cut               power is lost: nothing written from now on, and nothing not yet flushed,
#                            will be there after disk_umount and disk_mount

DISK=$T/disk
disk_loop=

disk_mount()
{
    disk_loop=$(losetup --show -f --direct-io=on "$T/disk.img") || return 1
    # Nothing gets to the disk by the mere passing of time.
    mount -o commit=300 "$disk_loop" "$DISK"
    disk_status=$?
    # The loop device goes with the mount.
    losetup -d "$disk_loop"
    return $disk_status
}

disk_umount()
{
    wait_for 20 umount "$DISK"
}

disk_cut()
{
    powercut "$DISK"
}

disk_cleanup()
{
    disk_exit=$?
    for disk_pid in $(pgrep -P "${RECV_PID:-0}") $RECV_PID; do
        kill -9 "$disk_pid" 2>/dev/null
    done
    cd / || :
    if mountpoint -q "$DISK"; then
        wait_for 5 umount "$DISK" || umount -l "$DISK"
    fi
    return $disk_exit
}

disk_or_skip()
{
    [ "$(id -u)" -eq 0 ] || skip_all 'needs root, to mount a file system of its own'
    require_tool losetup mkfs.ext4 mountpoint pgrep
    mkdir "$DISK"
    truncate -s "$1" "$T/disk.img"
    mkfs.ext4 -q -b 4096 -m 0 "$T/disk.img" || skip_all 'mkfs.ext4 fails here'
    trap 'disk_cleanup; test_cleanup' EXIT
    disk_mount 2>"$T/disk.err" || skip_all "no loop device to be had: $(head -n 1 "$T/disk.err")"
    A=$DISK/archive
}
