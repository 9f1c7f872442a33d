#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Memory of 1, 2, 4, 8 and 16 VMs on one disk: after boot, and after each has read the disk's first 64 MB. With 192 MB a VM, some
# 100 MB are free after boot, so the blocks read stay in every guest's own cache, and sharing shows for all of them. Nothing is timed:
# every number is the run's own statistics (monitor/report/STATS.md) and the same on any host, but the resident set.
# Zero and identical pages are not scanned for: bench/sharing.sh measures that.
#
# Leaves memory.tsv (bytes; pages for copies), memory.txt (the table) and memory.png, stacked as in the paper's Fig. 6.
#
# Usage: bench/memory.sh [VMS]...    (default: 1 2 4 8 16)
. "$(dirname "$0")/lib.sh"
need jq gnuplot
[ $# -gt 0 ] || set -- 1 2 4 8 16
work=$out/memory
mkdir -p "$work"
"$here/../guests/debian/fetch" >/dev/null || fail "no guest"

columns='vms event virtual machine v_private v_text v_cache v_disk m_private m_text m_cache m_disk monitor'
row='(.vms | length) as $n | .snapshots[] | select(.event != "end") |
	[$n, .event, .virtual_bytes.total + .monitor_bytes, .machine_bytes.total + .monitor_bytes] +
	[.virtual_bytes | .private, .text, .cache, .disk] + [.machine_bytes | .private, .text, .cache, .disk] + [.monitor_bytes] | @tsv'

tr ' ' '\t' <<<"$columns" >"$out/memory.tsv"
for n; do
	say "memory: $n VMs"
	LIMIT=560 timed "$work/$n.log" "$DISCO" run --machine flash8 --vms "$n" --memory 192M --guest debian --quiet --share boot,disk \
		--stats "$work/$n.json" --exec 'dd if=/dev/vda bs=1M count=64 of=/dev/null 2>/dev/null'
	jq -r "$row" "$work/$n.json" >>"$out/memory.tsv"
done

{
	echo 'Memory, MB            virtual  machine  saved | virtual by kind             | machine by kind             | monitor'
	echo 'VMs  when                                   | private    text cache  disk | private    text cache  disk |'
	awk -F '\t' 'NR > 1 {
		for (i = 3; i <= 13; i++) $i /= 1048576
		printf "%3d  %-15s %8.1f %8.1f  %4.0f%% | %7.1f %7.1f %5.1f %5.1f | %7.1f %7.1f %5.1f %5.1f | %6.1f\n", $1,
			$2 == "booted" ? "booted" : "read the disk", $3, $4, 100 * (1 - $4 / $3), $5, $6, $7, $8, $9, $10, $11, $12, $13
	}' "$out/memory.tsv"
	echo
	echo 'VMs  boot-file pages copied a VM (4 KiB)  of disk cache a VM  monitor a VM, MiB  peak reported, MB  resident, MB'
	for n; do
		jq -r '[(.vms | length), ([.vms[].memory.copies_on_write.text] | add / length),
			([.images[] | select(.role != "disk") | .blocks_read] | add), ([.vms[].memory.copies_on_write.cache] | add / length),
			.monitor.total_bytes / 1048576 / (.vms | length), (.memory.peak_bytes + .monitor.total_bytes) / 1048576,
			.host.max_rss_bytes / 1048576] | @tsv' "$work/$n.json" |
			awk -F '\t' '{ printf "%3d  %18.0f of %-6d %18.0f %18.2f %18.1f %13.1f\n", $1, $2, $3, $4, $5, $6, $7 }'
	done
} >"$out/memory.txt"

rm -f "$out/memory.figures"
largest=$work/${!#}.json
n=${!#}
# get FILTER [FILE]
get() { jq -r "$1" "${2-$largest}"; }
done_cache='[.snapshots[] | select(.event == "done")][0].machine_bytes.cache'
copies=$(awk -v a="$(get "$done_cache")" -v b="$(get '[.images[] | select(.role == "disk") | .blocks_read] | add * 4096')" \
	'BEGIN { printf "%.3f", a / b }')
figure memory "Copies of a cached disk block, $n VMs" '<= 1' "$copies" "" \
	"$(get "$done_cache / 1048576 | floor") MB in machine memory for $(get "[.snapshots[] | select(.event == \"done\")][0].virtual_bytes.cache / 1048576 | floor") MB in the VMs" \
	"$(verdict "$copies" '<=' 1)"
own=$(get '.monitor.total_bytes / 1048576 / (.vms | length)' | awk '{ printf "%.2f", $1 }')
figure memory "Monitor's own memory a VM, $n VMs, MiB" '<= 3' "$own" "" \
	"$(get '.monitor.engine_bytes / 1048576 / (.vms | length)' | awk '{ printf "%.2f", $1 }') engine (code cache, soft TLBs), $(get '.monitor.pmap_bytes / 1048576 / (.vms | length)' | awk '{ printf "%.2f", $1 }') pmap, $(get '.monitor.memmap_bytes / 1048576 / (.vms | length)' | awk '{ printf "%.2f", $1 }') frames' table" \
	"$(verdict "$own" '<=' 3)"
rss=$(get '.host.max_rss_bytes / (.memory.peak_bytes + .monitor.total_bytes)' | awk '{ printf "%.3f", $1 }')
figure memory "Resident set over reported memory, $n VMs" "" "$rss" "" "peaks of both" ""
figure memory "Pages of kernel and initrd copied, a VM" "" \
	"$(get '[.vms[].memory.copies_on_write.text] | add / length | round')" "" \
	"of $(get '[.images[] | select(.role != "disk") | .blocks_read] | add'); 4 KiB each" ""

# Bars V and M for each number of VMs, once all have read.
awk -F '\t' '$2 == "done" {
	for (v = 0; v < 2; v++) {
		low = 0
		printf "%g", 2.6 * n + 0.9 * v
		for (k = 0; k < 5; k++) {
			high = low + (k == 4 ? $13 : $(5 + 4 * v + k)) / 1048576
			printf " %.3f %.3f", low, high
			low = high
		}
		print "", low
	}
	n++
}' "$out/memory.tsv" >"$work/bars"
gnuplot <<END || fail "gnuplot failed"
set terminal pngcairo size 1350,840 font 'DejaVu Sans,12' fontscale 1.5
set output '$out/memory.png'
set title 'Memory of VMs of 192 MB that have read the same 64 MB of disk'
set ylabel 'memory (MB)'
set xrange [-0.8:*]
set yrange [0:*]
set offsets 0, 0.8, graph 0.1, 0
set border 3
set ytics nomirror
set grid ytics lc rgb '#dddddd'
set bmargin 5
set key inside left top reverse Left invert samplen 1.5
set style fill solid 1.0 noborder
set xtics nomirror scale 0 ($(i=0; for n; do
	awk -v i=$i -v n="$n" 'BEGIN { printf "%s\"V\" %g, \"M\" %g", (i ? ", " : ""), 2.6 * i, 2.6 * i + 0.9 }'; i=$((i + 1)); done))
$(i=0; for n; do
	awk -v i=$i -v n="$n" 'BEGIN { printf "set label \"%d VM%s\" at first %g, character 2.2 center\n", n, (n > 1 ? "s" : ""), 2.6 * i + 0.45 }'
	i=$((i + 1)); done)
set label 'V: virtual memory of the VMs   M: machine memory in use' at graph 0.5, character 0.9 center
bars = '$work/bars'
plot bars using 1:2:(\$1-0.375):(\$1+0.375):2:3 with boxxyerror lc rgb '#4c72b0' title 'private', \\
	bars using 1:4:(\$1-0.375):(\$1+0.375):4:5 with boxxyerror lc rgb '#dd8452' title 'kernel and boot files', \\
	bars using 1:6:(\$1-0.375):(\$1+0.375):6:7 with boxxyerror lc rgb '#55a868' title 'buffer cache', \\
	bars using 1:8:(\$1-0.375):(\$1+0.375):8:9 with boxxyerror lc rgb '#8172b3' title 'modified disk blocks', \\
	bars using 1:10:(\$1-0.375):(\$1+0.375):10:11 with boxxyerror lc rgb '#937860' title 'monitor', \\
	bars using 1:12:(sprintf('%.0f', \$12)) with labels offset 0,0.7 notitle
END
[ -n "${BENCH_RUN-}" ] || { cat "$out/memory.txt"; echo; "$here/run" --table memory; }
