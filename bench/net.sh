#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A byte stream between two Debian VMs, with pages mapped across the subnet and with everything copied: throughput in machine time,
# the share of the bytes received that was mapped, and the cost of copy-on-write on each side. The stream is a file of the root disk
# (the compiler, some 30 MB), sent by sendfile(2), whose pages are the disk cache's own frames, or by write(2), which the sender's
# kernel copies first. The runs are in numa fidelity from the connection on. Nothing is timed on the host: results are the same on any.
#
# Debian's kernel zeroes every page it allocates (init_on_alloc), which breaks copy-on-write of each page that was received: the
# monitor copies a page that is then overwritten. "alloc 0" are runs with init_on_alloc=0 on the kernel's command line.
#
# Leaves net.tsv and net.txt, the table.
#
# Usage: bench/net.sh [FIDELITY]...    (default: functional numa)
. "$(dirname "$0")/lib.sh"
need jq
[ $# -gt 0 ] || set -- functional numa
work=$out/net
mkdir -p "$work"
"$here/../guests/debian/fetch" >/dev/null || fail "no guest"

append='console=ttyS0 panic=-1 cryptomgr.notests quiet'
printf 'fidelity\talloc\thow\tshare\tmb_s\tbytes\tmapped\tcopied\tcow_sender\tcow_receiver\n' >"$out/net.tsv"

one() { # FIDELITY ALLOC HOW SHARE
	local name=$1-$2-$3-$4 share=all
	[ "$4" = off ] && share=all,-net
	say "net: $name"
	LIMIT=560 timed "$work/$name.log" "$DISCO" run --vms 2 --guest debian --append "$append init_on_alloc=$2" --share $share \
		--stats "$work/$name.json" --exec "
		make -s -C /usr/local/share/disco/net OUT=/tmp || exit 1
		file=\$(gcc -print-prog-name=cc1)
		[ \$(hostname) = vm1 ] || exec /tmp/stream serve 5000 $3 \$file 1
		disco-mark $1
		disco-mark begin
		/tmp/stream fetch vm0 5000
		disco-mark end"
	jq -r --arg rate "$(sed -n 's/^vm1| .* s \(.*\) MB\/s.*/\1/p' "$work/$name.log")" --arg f "$1" --arg a "$2" --arg h "$3" --arg s "$4" '
		def card: .devices[] | select(.type == "virtio-net");
		(.vms[1] | card) as $n |
		[$f, $a, $h, $s, $rate, $n.rx_bytes, $n.rx_pages_mapped * 4096,
		($n.rx_copied_small + $n.rx_copied_part + $n.rx_copied_unaligned + $n.rx_copied_off),
		(.vms[0, 1].memory.copies_on_write | .private + .cache)] | @tsv' "$work/$name.json" >>"$out/net.tsv"
}

for fidelity; do
	for alloc in 1 0; do
		for how in sendfile write; do
			for share in on off; do
				one "$fidelity" $alloc $how $share
			done
		done
	done
done
{
	echo 'fidelity    init_on_alloc  by        mapping    MB/s   mapped  copied MB  pages copied on write: sender, receiver'
	awk -F '\t' 'NR > 1 { printf "%-11s %-14s %-9s %-7s %7.1f  %5.1f%%  %9.1f  %6d %6d\n", $1, $2, $3, $4, $5, 100 * $7 / $6, $8 / 1e6, $9, $10 }' \
		"$out/net.tsv"
} | tee "$out/net.txt"
