#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Two VMs read a directory of the host by virtio-fs: both see the host's files, the pages are in machine memory once, and nothing
# is copied; without sharing they see the same, copied. Nothing can be written, however the guest mounts it. Of a file that changes
# meanwhile, pages that are in memory can be read, and no others. What may not be read on the host, loops of links and sparse files
# are in the guest as on the host, and nothing else is the worse for them.
. "$(dirname "$0")/lib.sh"
need jq
debian

mkdir -p "$work/tree/a/b" "$work/tree/none" "$work/tree/many"
seq 300000 >"$work/tree/a/big"
printf 'hello\n' >"$work/tree/a/b/small"
: >"$work/tree/zero"
seq 5000 | head -c 8192 >"$work/tree/a/two pages"
for i in $(seq 200); do
	seq "$i" 999 >"$work/tree/many/file$i"
done
ln -s a/big "$work/tree/link"
ln -s /etc/hostname "$work/tree/absolute"
mkfifo "$work/tree/fifo"
chmod 640 "$work/tree/a/big"
touch -d '2001-02-03 04:05:06 UTC' "$work/tree/a/big"

# Names and contents; the fifo is left out.
look='export LC_ALL=C TZ=UTC0; find . ! -type p ! -type d -printf "%p %y %m %s %T@ %l\n" | sort
	find . -type d -printf "%p %m\n" | sort; find . -type f -print0 | sort -z | xargs -0 md5sum; md5sum <link'
(cd "$work/tree" && sh -c "$look") >"$work/host"
pages=$(find "$work/tree" -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) } END { print n }')

# counter NAME: of the virtio-fs devices, one a line.
counter() {
	jq -r ".vms[].devices[] | select(.type == \"virtio-fs\") | .$1" "$work/stats.json"
}
expect() { # NAME VALUE...
	[ "$(counter "$1" | tr '\n' ' ')" = "${*:2} " ] || fail "$1 of the devices are $(counter "$1" | tr '\n' ' '), not ${*:2}"
}
# Bytes of machine memory in frames of kind $1 when the jobs were done.
machine() {
	jq "[.snapshots[] | select(.event == \"done\")][0].machine_bytes.$1" "$work/stats.json"
}
same() {
	for v in vm0 vm1; do
		said $v | cmp -s - "$work/host" || fail "$1: $v sees something else: $(said $v | diff - "$work/host" | head -n 5)"
	done
}

# --- shared ---
vms() { # ARGUMENT...
	run_ok 280 --vms 2 --memory 128M --no-net --fs "t=$work/tree" --stats "$work/stats.json" "$@"
}
vms --share all,-content,-zero --exec "cd /mnt/t; $look"
same shared
[ "$(jq '.images[] | select(.role == "fs") | .blocks_read' "$work/stats.json")" = "$pages" ] || fail "not each page was read once"
expect bytes_copied 0 0
[ $(($(counter pages_mapped | paste -sd +) + $(counter pages_filled | paste -sd +))) -eq $((2 * pages)) ] ||
	fail "$(counter pages_mapped) pages mapped and $(counter pages_filled) filled are not twice $pages"
shared=$(machine total)

# --- copied ---
vms --share all,-content,-zero,-files --exec "cd /mnt/t; $look"
same copied
expect pages_mapped 0 0
expect pages_filled 0 0
expect bytes_copied $((4096 * pages)) $((4096 * pages))
# Twice the files, instead of once; the rest of the run is not quite the same.
[ $(($(machine total) - shared)) -ge $((4096 * pages * 9 / 10)) ] || fail "sharing saves only $(($(machine total) - shared)) bytes"

# --- nothing can be written ---
vms --exec 'cd /mnt/t
	for mode in ro rw; do
		mount -o remount,$mode /mnt/t
		for try in "touch new" "mkdir new" "mv zero new" "rm zero" "chmod 777 zero" "ln zero new" "ln -s x new" "truncate -s 1 zero" \
			"dd if=/dev/zero of=a/b/small count=1 conv=notrunc"; do
			LC_ALL=C $try 2>&1 | grep -q "Read-only file system" || echo "$mode: $try is not refused: $(LC_ALL=C $try 2>&1)"
		done
	done
	cat a/b/small; dd if=a/b/small iflag=direct bs=4096 2>/dev/null; ls -1'
for v in vm0 vm1; do
	[ "$(said $v)" = "$(printf 'hello\nhello\na\nabsolute\nlink\nmany\nnone\nzero')" ] || fail "$v could write: $(said $v)"
done

# --- a file that changes: here because the VM has it as its disk, too ---
seq 300000 | head -c 1M >"$work/tree/disk"
run_ok 280 --vms 1 --memory 128M --fs "t=$work/tree" --guest debian --disk "$guest/root.img" --disk "$work/tree/disk,private" --exec '
	cd /mnt/t
	head -c 4096 disk | md5sum
	seq 9 | dd of=/dev/vdb bs=4096 seek=3 conv=sync,fsync 2>/dev/null
	head -c 4096 disk | md5sum
	for at in 0 200; do
		LC_ALL=C dd if=disk iflag=direct skip=$at bs=4096 count=1 2>&1 >/dev/null | grep -o "Stale file handle"
	done
	cat a/b/small'
sum=$(head -c 4096 "$work/tree/disk" | md5sum)
[ "$(said vm0)" = "$(printf '%s\n' "$sum" "$sum" 'Stale file handle' hello)" ] || fail "a changed file reads as: $(said vm0)"
# --- what the host's user may not read, loops of links, holes ---
mkdir -p "$work/odd/closed/below" "$work/odd/names" "$work/odd/open"
for name in closed/below/x names/x open/x secret; do echo words >"$work/odd/$name"; done
truncate -s 50M "$work/odd/holes" && echo end >>"$work/odd/holes" && sync "$work/odd/holes"
ln -s loop "$work/odd/loop"
chmod 0 "$work/odd/closed" "$work/odd/secret"
chmod 444 "$work/odd/names"
odd='export LC_ALL=C; stat -c "%b %s" holes; cat open/x; for try in "ls closed" "cat closed/below/x" "cat names/x" "cat secret" "cat loop"; do
	$try >/tmp/said.$$ 2>&1 && echo "$try" can be done; sed "s/.*: //" /tmp/said.$$; rm /tmp/said.$$; done; ls names 2>/dev/null'
# A root without these two may read no more than others.
user=()
[ "$(id -u)" != 0 ] || user=(setpriv --bounding-set=-dac_override,-dac_read_search)
if [ "$(id -u)" != 0 ] || "${user[@]}" true 2>/dev/null; then
	(cd "$work/odd" && "${user[@]}" sh -c "$odd") >"$work/host"
	grep -c 'Permission denied' "$work/host" | grep -qx 4 || fail "the host's user may read: $(cat "$work/host")"
	limited 280 "${user[@]}" "$disco" run --threads 1 --memory 96M --fs "t=$work/odd" --exec "cd /mnt/t; $odd" </dev/null \
		>"$work/out" 2>"$work/err" || fail "a part that may not be read: $(tail -n 3 "$work/err")"
	said vm0 | cmp -s - "$work/host" || fail "a part that may not be read: $(said vm0 | diff - "$work/host")"
	grep -q "^disco: $work/odd/closed: Permission denied; guests get an error there and at 1 other" "$work/err" ||
		fail "the run does not say what may not be read: $(head -n 3 "$work/err")"
fi
chmod 755 "$work/odd/closed" "$work/odd/names"
finish
