#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What pictures show, read from the scripts that gnuplot gets: with 1, 2 and 64 VMs nothing lies over anything else, numbers have the
# digits that matter, lines and gaps are explained, colours are those that people who are colour-blind tell apart; and a region or
# a moment of a run is shown alone. gnuplot is a stand-in that keeps its script.
. "$(dirname "$0")/lib.sh"
need jq
cd "$work" || exit 1
mkdir bin
printf '#!/bin/sh\ntee %s/script\n' "$work" >bin/gnuplot
chmod +x bin/gnuplot
PATH=$work/bin:$PATH

# stats VMS NODES SERIES: a run's statistics. Each VM is in a region from 100 + VM to 400 + VM, all are again from 600 to 700.
stats() {
	jq -n --argjson vms "$1" --argjson nodes "$2" --argjson local "$3" '
	def kinds($n): {private: $n, text: 0, cache: 0, disk: 0, same: 0, zero: 0, cloned: 0, monitor: 0};
	def stall: {l2: 1, local: 2, remote: 3, upgrade: 4, tlb: 5, queue: 6};
	{schema: 1, cycles: 1000,
	 inputs: {machine: {name: "m", clock_hz: 1000, nodes: [range($nodes) | 1]}, options: {vms: $vms, memory: 4194304}},
	 vms: [range($vms) | {stopped_cycles: 1000}],
	 snapshots: [{event: "booted", cycles: 100}, {event: "done", cycles: 500}, {event: "end", cycles: 1000} |
		. + {monitor_bytes: 0, virtual_bytes: kinds(3397386), machine_bytes: kinds(104858),
		 sharers: [range($vms) | {own: 1048576, disk: 0, first_disk: 4096, first_other: 0, others: 0, text: 4096, zero: 0}]}],
	 numa: {policy: "disco", modelled: true, moves: {}, regions: [{cpu_cycles: 100, stall: stall}, {cpu_cycles: 100, stall: stall}],
	  vms: [range($vms) | {name: "vm\(.)", cpu_cycles: 100, pages: "0*2000 1+*20 - 1*10", stall: stall,
	   marks: [{value: 3, cycles: (100 + .)}, {value: 4, cycles: (400 + .)}, {value: 3, cycles: 600}, {value: 4, cycles: 700}]}],
	  series: {cycles: [range($local | length) | . * 1000 / (($local | length) - 1)], local: $local, remote: $local,
	   migrations: $local, replications: $local, collapses: $local}}}' >"vms$1.json"
}
stats 1 2 '[0, 1, 2, 3, 4]'
stats 2 8 '[0, 1, 1, 2, 3]'
stats 64 64 '[0, 1, 2, 3, 4]'

# draw FILE KIND OPTION...: the script is in $work/script
draw() {
	rm -f script
	"$disco" plot "$1.json" --kind "$2" "${@:3}" -o picture.png >out 2>err || fail "plot $*: $(cat err)"
}
has() { grep -q -e "$1" script || fail "$2: no '$1' in the script"; }
hasnt() { ! grep -q -e "$1" script || fail "$2: '$1' in the script: $(grep -m 1 -e "$1" script)"; }
labels() { sed -n "s/^set xtics[^(]*(\(.*\))$/\1/p" script | grep -o "'[^']*'" | wc -l; }

# Okabe and Ito's, black and greys. Colours of pages are numbers, looked at below.
known='#\(000000\|e69f00\|56b4e9\|009e73\|f0e442\|0072b2\|d55e00\|cc79a7\|999999\|dddddd\|f4f0d8\|ffffff\)'
for vms in 1 2 64; do
	for kind in memory sharing misses stall; do
		draw vms$vms $kind
		colours=$(grep -o "lc rgb '#[0-9a-f]*'" script | grep -v "$known")
		[ -z "$colours" ] || fail "$kind: colours $colours"
	done
done
colours=$(grep -h -o '"colour": *"#[0-9a-f]*"' "$root"/papers/*/*.json | grep -v "$known")
[ -z "$colours" ] || fail "papers: colours $colours"

draw vms1 memory
has 'Memory of 1 VM of 4 MB' 'one VM'
has '"3.24"' 'three digits of a number'
has '"0.100"' 'three digits of a small number'
draw vms2 sharing
has '"1.01"' 'three digits of a number'

# At 64 VMs names have room, and 64 maps stand beside the key.
for kind in stall sharing; do
	draw vms64 $kind
	[ "$(labels)" -ge 5 ] && [ "$(labels)" -le 10 ] || fail "$kind: $(labels) names of 64 VMs"
done
for vms in 2 64; do
	draw vms$vms pages
	[ "$(grep -c '^plot \$map' script)" -eq $vms ] || fail "pages: not $vms maps"
	# The last panel is the key; it is as wide as "replicated" and its square in the larger letters of SVG.
	grep -e '^set origin' -e '^set size' script | tr ',\n' '  ' | sed 's/set origin/\n/g' | awk '
		NF == 6 { x[++n] = $1; width[n] = $5 }
		END { for (i = 1; i < n; i++) if (x[i] + width[i] > x[n] + 0.0001) exit 1; exit !(n > 1 && x[n] <= 0.84) }' ||
		fail "pages: the key lies over the map of $vms VMs"
done
# Neighbouring nodes of many are neighbours on a scale that only gets lighter.
grep -o "lc rgb [0-9]* title 'node" script | awk '
	{ l = int($3 / 65536) * 0.3 + int($3 / 256) % 256 * 0.59 + $3 % 256 * 0.11; if (NR > 1 && l <= last) exit 1; last = l }
	END { exit !(NR == 16) }' || fail 'pages: the colours of 64 nodes are no scale'

# Lines and gaps are explained, where there are any; each region is one, however many VMs are in it.
draw vms64 misses
[ "$(grep -c '^set arrow' script)" -eq 4 ] || fail "misses: $(grep -c '^set arrow' script) lines for two regions"
has "region's limits" 'a key for broken lines'
hasnt 'gaps:' 'no gaps'
draw vms2 misses
has 'gaps:' 'a key for gaps'

# Parts of a run.
draw vms64 misses --region 1
has '^set xrange \[0.1:0.463\]' 'the first region'
has ', region 1' 'the first region'
[ "$(grep -c '^set arrow' script)" -eq 2 ] || fail "misses: lines of other regions"
draw vms64 misses --region 2
has '^set xrange \[0.6:0.7\]' 'the second region'
draw vms2 stall --region 2
[ "$(labels)" -eq 1 ] || fail "stall of a region: $(labels) bars"
draw vms2 sharing --at 0.3
has 'booted, 0.10 s' 'the snapshot before'
draw vms2 memory --at 0.5
has 'done, 0.50 s' 'the snapshot at'
hasnt 'booted' 'one snapshot'
rm -f picture*
"$disco" plot vms2.json --region 1 --at 1 -o all.png >out 2>err || fail "plot --region --at: $(cat err)"
[ "$(echo all*)" = 'all-memory.png all-misses.png all-sharing.png all-stall.png' ] || fail "the pictures of a part: $(echo all*)"

refuses() {
	"$disco" plot vms2.json -o no.png "${@:2}" >out 2>err
	[ $? -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q -e "$1" err || fail "'${*:2}' says: $(cat err)"
	[ ! -e no.png ] || fail "'${*:2}' draws"
}
refuses 'has 2 regions of interest, not 3' --kind misses --region 3
refuses "'0' is not a number from 1" --region 0
refuses "'memory' is not one of misses, stall" --kind memory --region 1
refuses "'stall' is not one of memory, sharing" --kind stall --at 1
refuses 'no snapshot before 0.05 s; the first is at 0.1 s' --kind memory --at 0.05
refuses "'soon' is not a time" --at soon
finish
