#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A private disk keeps what was flushed: a guest writes files to ext4, names each on its console once fsync has returned, and the
# monitor is killed at some moment. The file system must then be repaired without loss, and every file named be there with the
# right content. The moments are a number of files, drawn from a seed, so that they fall into writing whatever the host's speed.
. "$(dirname "$0")/lib.sh"
need mke2fs e2fsck debugfs
debian

job='mkdir /run/m; mount /dev/vdb /run/m || exit 1; i=0
while [ $i -lt 400 ]; do
	i=$((i + 1)); seq $i 7 $((i * 40 + 2000)) >/run/m/f$i; sync /run/m/f$i && sync /run/m && echo "flushed f$i"
done'
RANDOM=7
for round in 1 2 3; do
	kill_after=$((RANDOM % 60 + 5))
	rm -f "$work/disk.img"
	truncate -s 24M "$work/disk.img"
	mke2fs -q -F -t ext4 -O '^metadata_csum_seed,^orphan_file' "$work/disk.img" 2>/dev/null || mke2fs -q -F -t ext4 "$work/disk.img"
	"$disco" run --threads 1 --memory 128M --guest debian --no-net --disk "$guest/root.img" --disk "$work/disk.img,private" --exec "$job" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	waited=0
	until [ "$(grep -c '^vm0| flushed' "$work/out")" -ge $kill_after ]; do
		sleep 0.05
		kill -0 $pid 2>/dev/null && [ $((waited += 1)) -lt 2400 ] || break
	done
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	said vm0 | sed -n 's/^flushed //p' >"$work/flushed"
	[ "$(wc -l <"$work/flushed")" -ge $kill_after ] || {
		fail "round $round: only $(wc -l <"$work/flushed") files were written: $(tail -n 3 "$work/out" "$work/err")"
		continue
	}
	[ "$(wc -l <"$work/flushed")" -lt 400 ] || fail "round $round: the guest was done before it was killed"
	e2fsck -fy "$work/disk.img" >"$work/fsck" 2>&1
	[ $? -le 1 ] || fail "round $round: e2fsck: $(tail -n 3 "$work/fsck")"
	e2fsck -fn "$work/disk.img" >"$work/fsck" 2>&1 || fail "round $round: not clean after repair: $(tail -n 3 "$work/fsck")"
	while read -r name; do
		i=${name#f}
		rm -f "$work/file"
		debugfs -R "dump /$name $work/file" "$work/disk.img" 2>/dev/null
		seq "$i" 7 $((i * 40 + 2000)) | cmp -s - "$work/file" || fail "round $round: $name, flushed before the kill, is not there"
	done <"$work/flushed"
	echo "round $round: $(wc -l <"$work/flushed") files were flushed and are there"
done

# While one monitor has the disk, a second one must not.
"$disco" run --memory 128M --guest debian --no-net --disk "$guest/root.img" --disk "$work/disk.img,private" --exec 'sleep 100' \
	</dev/null >"$work/out" 2>"$work/err" &
pid=$!
sleep 1
run 60 --memory 128M --guest debian --disk "$guest/root.img" --disk "$work/disk.img,private" --exec true
kill -KILL $pid
wait $pid 2>/dev/null
[ $status -ne 0 ] && grep -q '^disco: .*disk.img' "$work/err" || fail "two monitors share a private disk: $(cat "$work/err")"

# Scratch disks: each VM has one of its own, empty, behind the guest's disk; what is not written takes nothing, and all is gone at
# the end: another run is equal to the first.
need jq
for round in 1 2; do
	run_ok 200 --vms 2 --memory 128M --no-net --disk 256M,scratch --stats "$work/stats.json" --exec '
		[ "$(head -c 1M /dev/vdb | tr -d "\0" | wc -c)" = 0 ] || exit 1
		mke2fs -q -t ext4 /dev/vdb 2>/dev/null && mount /dev/vdb /mnt || exit 1
		seq 1 20000 >/mnt/$(hostname) && umount /mnt && mount /dev/vdb /mnt || exit 1
		(cd /mnt && echo *); seq 1 20000 | cmp - /mnt/$(hostname) && echo kept'
	for vm in vm0 vm1; do
		[ "$(said $vm | tr '\n' ' ')" = "lost+found $vm kept " ] || fail "round $round: $vm: $(said $vm)"
	done
	jq -e 'all(.vms[]; .devices | map(select(.type == "virtio-blk")) | length == 2 and .[0].pages_held == 0 and
		.[1].pages_held > 10 and .[1].pages_held < 10000 and .[1].bytes_written > 100000 and .[1].errors == 0)' "$work/stats.json" \
		>/dev/null || fail "round $round: $(jq -c '[.vms[].devices[] | select(.type == "virtio-blk")]' "$work/stats.json")"
	grep -q '^Scratch disks hold [0-9.]* MB' "$work/out" || fail "round $round: the report does not tell what the disks hold"
	jq -r .digest "$work/stats.json" >"$work/digest.$round"
done
cmp "$work/digest.1" "$work/digest.2" || fail "two runs with scratch disks differ"
finish
