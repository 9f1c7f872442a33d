#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# VMs that each read the same tree of files to its end. Measured are the bytes shared and copied, machine memory afterwards, and
# simulated time, with every mechanism of sharing and without the one in question. The files differ in every page, so only reading can
# make VMs share them. The VMs are clones, because their boot is not measured. The scan for identical pages is off, because it would
# find copies of any origin. With NFS it is on, because by it a client's copies come to share the server's frames.
#
# Modes, how the tree gets to the VMs: fs (virtio-fs; --share files), disk (a disk image; --share disk), nfs (the first VM serves it
# from its root disk, and the others read it; --share net and content).
#
# Leaves tree-read-MODE.tsv: how, VMs that read, MB read by all, pages mapped and filled, bytes copied, machine memory in bytes when all have
# read (in all, and of the kinds private and cache), seconds of simulated time from the first VM's start to the last one's end.
# Everything is the run's own statistics (monitor/report/STATS.md) and the same on any host.
#
# Usage: bench/tree-read.sh MODE [VMS [MB]]    (default: 8 VMs, 256 MB; nfs: 64 MB, for time); FIDELITY=numa: with caches and latencies while reading
. "$(dirname "$0")/lib.sh"
need jq
mode=${1-} vms=${2:-8} mb=${3:-256}
[ "$mode" != nfs ] || mb=${3:-64}
readers=$vms base=all,-content net=--no-net
work=$out/tree-read
mkdir -p "$work"
guest=$("$here/../guests/debian/fetch") || fail "no guest"

# Files of 256 KiB, 64 in a directory.
tree=$work/tree-$mb
if [ ! -e "$tree.made" ]; then
	rm -rf "$tree"
	mkdir -p "$tree"
	seq -w 100000000 | head -c "${mb}M" | (cd "$tree" && split -b 256K -d -a 5 - f)
	for f in "$tree"/f*; do
		d=$tree/d$((10#${f##*/f} / 64))
		mkdir -p "$d"
		mv "$f" "$d"
	done
	touch "$tree.made"
fi

case $mode in
fs)
	way=files device=virtio-fs there=/mnt/tree before=
	args=(--fs "tree=$tree")
	;;
disk)
	way=disk device=virtio-blk there=/mnt before='mount -o ro /dev/vdb /mnt &&'
	image=$work/tree-$mb.img
	[ "$image" -nt "$tree.made" ] || mke2fs -q -t ext4 -b 4096 -m 0 -O ^has_journal -d "$tree" "$image" "$((mb + mb / 16 + 8))M" ||
		fail "mke2fs failed"
	args=(--disk "$guest/root.img" --disk "$image,ro")
	;;
nfs)
	way=net,content device=virtio-net there=/nfs before= readers=$((vms - 1)) base=all net=--net
	image=$work/root-$mb.img
	if [ ! "$image" -nt "$tree.made" ] || [ ! "$image" -nt "$guest/root.img" ]; then
		cp --sparse=always "$guest/root.img" "$image.new" && chmod u+w "$image.new" && truncate -s "+$((mb * 2))M" "$image.new" &&
			resize2fs "$image.new" >/dev/null 2>&1 || fail "resize2fs failed"
		(
			cd "$tree" && echo mkdir /tree
			for d in d*; do echo "mkdir /tree/$d"; done
			for f in */f*; do echo "write $f /tree/$f"; done
		) | (cd "$tree" && debugfs -w "$image.new") >"$work/debugfs.log" 2>&1
		mv "$image.new" "$image"
	fi
	args=(--disk "$image" --nfs /tree)
	;;
*) fail "usage: $0 fs|disk|nfs [VMS [MB]]" ;;
esac
[ "${FIDELITY-}" != numa ] || before="$before disco-mark numa &&"

# Enough memory that all the files stay in each guest's own cache.
memory=$((mb + 160))M
printf 'how\tvms\tmb\tpages_mapped\tpages_filled\tbytes_copied\tmachine\tm_private\tm_cache\tseconds\n' >"$out/tree-read-$mode.tsv"
for how in shared copied; do
	share=$base
	[ $how = shared ] || share=$share,-${way//,/,-}
	say "tree-read: $mode, $vms VMs, $mb MB, $how"
	LIMIT=${LIMIT:-560} timed "$work/$mode-$how.log" "$DISCO" run --warm --machine flash8 --vms "$vms" --memory "$memory" $net \
		--guest debian --quiet --share "$share" --stats "$work/$mode-$how.json" "${args[@]}" \
		--exec "$before cd $there && cat */* | wc -c"
	[ "$(grep -c "| $((mb << 20))\$" "$work/$mode-$how.log")" -eq "$readers" ] || fail "not every VM read $mb MB"
	jq -r --arg how "$how" --arg device "$device" --argjson mb "$mb" --argjson n "$readers" '.inputs.machine.clock_hz as $hz |
		.vms[-$n:] as $v | [$v[].devices[] | select(.type == $device)] as $d |
		([.snapshots[] | select(.event == "done")][0].machine_bytes) as $m |
		[$how, $n, $mb * $n, ([$d[] | .pages_mapped // .rx_pages_mapped] | add), ([$d[] | .pages_filled // 0] | add),
			([$d[] | .bytes_copied // (.rx_copied_small + .rx_copied_part + .rx_copied_unaligned + .rx_copied_off)] | add),
			$m.total, $m.private, $m.cache,
			(([$v[].exit_cycles] | max) - ([$v[].ready_cycles] | min)) / $hz] | @tsv' "$work/$mode-$how.json" \
		>>"$out/tree-read-$mode.tsv"
done

rm -f "$out/tree-read-$mode.figures"
# row HOW COLUMN
row() { awk -F '\t' -v how="$1" -v c="$2" '$1 == how { print $c }' "$out/tree-read-$mode.tsv"; }
per() { awk -v a="$1" -v b="$2" -v f="$3" 'BEGIN { printf f, a / b }'; }
figure "tree-read-$mode" "$mode: bytes read by mapping, $readers VMs of $mb MB, %" '' \
	"$(per "$((($(row shared 4) + $(row shared 5)) * 409600))" "$((mb * readers << 20))" %.1f)" '' "$(per "$(row shared 6)" 1048576 %.0f) MB copied" ''
figure "tree-read-$mode" "$mode: machine memory after it, MB" '' "$(per "$(row shared 7)" 1048576 %.0f)" '' \
	"$(per "$(row copied 7)" 1048576 %.0f) without --share $way" ''
figure "tree-read-$mode" "$mode: MB/s read by all, simulated time" '' "$(per "$(row shared 3)" "$(row shared 10)" %.0f)" '' \
	"$(per "$(row copied 3)" "$(row copied 10)" %.0f) without --share $way${FIDELITY:+; $FIDELITY fidelity}" ''
[ -n "${BENCH_RUN-}" ] || "$here/run" --table "tree-read-$mode"
