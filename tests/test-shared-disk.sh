#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Eight VMs on one disk: each reads the host's bytes and overwrites parts of them with a pattern of its own. After all of it has left
# its caches, each finds its own writes and no other VM's. Then each makes a file system on another shared disk, fills it and
# checks it. The host's files stay as they were.
. "$(dirname "$0")/lib.sh"
vms=8
[ -z "${SAN:-}" ] || vms=2 # slow
debian

# 8 MiB whose every 4 KiB block is different; and 16 MiB of nothing for the file system.
seq -w 100000000 | head -c 8M >"$work/known.img"
truncate -s 16M "$work/empty.img"
cp "$work/known.img" "$work/known.before"
sum=$(md5sum <"$work/known.img")

# Block N of VM V after the overwriting: each third block, and a piece that is no whole block, is the VM's.
cat >"$work/job" <<'E2'
set -e
me=$(hostname)
echo "read $(md5sum </dev/vdb)"
seq -f "$me %.0f" 40000 >/tmp/mine
for at in 0 3 6 300 303 1000 2045; do
	dd if=/tmp/mine of=/dev/vdb bs=4096 skip=$((at % 64)) seek=$at count=1 conv=notrunc 2>/dev/null
done
dd if=/tmp/mine of=/dev/vdb bs=512 seek=5001 count=3 conv=notrunc 2>/dev/null
sync
echo 3 >/proc/sys/vm/drop_caches
echo "written $(md5sum </dev/vdb)"
mke2fs -q -t ext4 /dev/vdc
mkdir /run/m
mount /dev/vdc /run/m
for i in 1 2 3 4 5 6 7 8; do
	seq -f "$me $i %.0f" 5000 >/run/m/file$i
done
rm /run/m/file3
umount /run/m
echo 3 >/proc/sys/vm/drop_caches
e2fsck -fn /dev/vdc >/dev/null 2>&1
mount -o ro /dev/vdc /run/m
echo "files $(cat /run/m/file* | md5sum)"
umount /run/m
E2
run_ok 280 --vms $vms --memory 128M --no-net --guest debian --disk "$guest/root.img" --disk "$work/known.img" \
	--disk "$work/empty.img,shared" --exec "$(cat "$work/job")"
cmp "$work/known.img" "$work/known.before" || fail "the host's file was changed"
[ "$(tr -d '\0' <"$work/empty.img" | wc -c)" -eq 0 ] || fail "the host's empty file was changed"

# The same on the host.
for v in $(seq 0 $((vms - 1))); do
	seq -f "vm$v %.0f" 40000 >"$work/mine"
	cp "$work/known.before" "$work/expected"
	for at in 0 3 6 300 303 1000 2045; do
		dd if="$work/mine" of="$work/expected" bs=4096 skip=$((at % 64)) seek=$at count=1 conv=notrunc 2>/dev/null
	done
	dd if="$work/mine" of="$work/expected" bs=512 seek=5001 count=3 conv=notrunc 2>/dev/null
	files=$(for i in 1 2 4 5 6 7 8; do seq -f "vm$v $i %.0f" 5000; done | md5sum)
	said vm$v >"$work/said"
	printf '%s\n' "read $sum" "written $(md5sum <"$work/expected")" "files $files" | cmp -s - "$work/said" ||
		fail "vm$v says: $(cat "$work/said")"
done
finish
