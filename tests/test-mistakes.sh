#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Mistakes with what a guest is given are told in one line before the run, or fail it, instead of a command that runs elsewhere, a
# kernel without words, or a boot without end. A partitioned disk boots from its root partition.
. "$(dirname "$0")/lib.sh"
debian
root_img=$guest/root.img

# refused TEXT ARGUMENT...: exit 2 and one line that has TEXT.
refused() {
	local text=$1
	shift
	run 60 --exec true "$@"
	[ $status -eq 2 ] || fail "'$*' ends with status $status"
	[ "$(wc -l <"$work/err")" -eq 1 ] && grep -q -e "$text" "$work/err" || fail "'$*' says: $(cat "$work/err")"
}

# --- files that are no raw disks ---
head -c 100000 /dev/zero >"$work/zero"
gzip -c "$work/zero" >"$work/root.img.gz"
printf 'QFI\373\0\0\0\003' | cat - "$work/zero" >"$work/disk.qcow2"
printf 'PK\003\004' | cat - "$work/zero" >"$work/disk.zip"
refused 'root.img.gz: a gzip file, not a raw disk; make one: gunzip' --disk "$work/root.img.gz"
refused 'disk.zip: a zip file' --disk "$work/disk.zip,private"
refused 'disk.qcow2: a qcow2 image, not a raw disk; make one: qemu-img convert' --disk "$work/disk.qcow2,ro"
refused 'disk.qcow2: a qcow2 image' --disk "$root_img" --disk "$work/disk.qcow2"
run_ok 300 --exec 'head -c 2 /dev/vdb | od -An -tx1' --disk "$root_img" --disk "$work/root.img.gz,ro" # data may be compressed
said vm0 | grep -q '1f 8b' || fail "a compressed file as data: $(cat "$work/out" "$work/err")"

# --- a disk without a root file system; and without a command to need one ---
run 300 --exec 'echo ran in the wrong place' --disk "$work/zero"
[ $status -eq 1 ] || fail "no root file system: status $status"
grep -q 'vm0: no root file system .* on /dev/vda' "$work/err" || fail "no root file system: $(cat "$work/err")"
[ -z "$(said vm0)" ] || fail "the command ran without its root file system"
run_ok 300 --exec 'echo in the initial RAM disk' --disk none
said vm0 | grep -q 'in the initial RAM disk' || fail "--disk none: $(cat "$work/out")"

# --- a partitioned disk: the root is in the second of two (types: FAT, Linux) ---
truncate -s 2M "$work/part.img"
dd if="$root_img" of="$work/part.img" bs=1M seek=2 conv=sparse,notrunc status=none
sectors=$(($(stat -c %s "$root_img") / 512))
le32() { printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)))"; }
{
	printf '\0\0\0\0\x0c\0\0\0' && le32 2048 && le32 2048
	printf '\0\0\0\0\x83\0\0\0' && le32 4096 && le32 $sectors
	head -c 32 /dev/zero
	printf '\x55\xaa'
} | dd of="$work/part.img" bs=1 seek=446 conv=notrunc status=none
run_ok 300 --exec 'grep -o "/dev/vda2 / ext4" /proc/mounts' --disk "$work/part.img"
said vm0 | grep -q '/dev/vda2 / ext4' || fail "a partitioned disk: $(cat "$work/out" "$work/err")"

# --- too little, too much ---
refused "memory: 64 MB, but the guest 'debian' needs at least 88 MB" --memory 64M
refused 'append: 1024 bytes, but Linux keeps 1023' --append "$(printf '%01024d' 0)"
run_ok 300 --memory 88M --exec 'echo up' --append "console=ttyS0 panic=-1 quiet $(printf '%0990d' 0)"
run 300 --memory 80M --exec true --kernel "$guest/kernel" --initrd "$guest/initrd" --disk "$root_img"
[ $status -eq 1 ] && grep -q 'end of the console' "$work/err" && grep -q -i 'memory\|panic' "$work/err" ||
	fail "a kernel that panics before its console is there: status $status, $(cat "$work/err")"
# On a CPU of 10 MHz a minute is soon over.
{ cat "$root/numa/machine/machines/uma8.conf"; echo 'clock_hz = 10000000;'; } >"$work/slow.conf"
run 300 --machine "$work/slow.conf" --memory 64M --exec true --kernel "$guest/kernel" --initrd "$guest/initrd" --disk "$root_img"
[ $status -eq 1 ] && grep -q 'not up, and silent for 60 s of machine time' "$work/err" ||
	fail "a kernel that never speaks: status $status, $(tail -n 5 "$work/err")"
head -c 150000000 /dev/urandom >"$work/large"
(cd "$work" && echo large | cpio --quiet -o -H newc) | cat "$guest/initrd" - >"$work/large.initrd"
run 300 --memory 256M --initrd "$work/large.initrd" --exec true
[ $status -eq 1 ] && grep -q 'its initrd was not unpacked whole' "$work/err" ||
	fail "an initrd too large for the memory: status $status, $(tail -n 5 "$work/err")"
finish
