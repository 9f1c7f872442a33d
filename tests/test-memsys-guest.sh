#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The memory system as a guest's own clock sees it: guests/workloads/numa/bare/validate.c runs known
# access patterns on the bare machine and reads the cycle and instruction counters around each. The
# right cost of each is computed here from the machine file, by the prices numa/memsys/memsys.h documents; the
# program knows nothing of them. All within 2%. Pages are not shared: one that only reads as zero would be where zeroes are.
set -u
cd "$(dirname "$0")/.." || exit 1
disco=${DISCO:-build/disco}
cc=riscv64-unknown-elf-gcc
command -v $cc >/dev/null || { echo "$cc is missing (Debian package gcc-riscv64-unknown-elf)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A machine on which no two prices are alike, so that one taken for another shows.
cat >"$work/uneven.conf" <<'END'
nodes = 4;
memory = "256M";
clock_hz = 500000000;
l1i = { size = "16K"; line = 32; ways = 1; };
l1d = { size = "8K"; line = 32; ways = 2; };
l2 = { size = "256K"; line = 64; ways = 4; };
l2_hit_ns = 34;
dirty_extra_ns = 126;
latency_ns = ( [ 200,  520,  740, 1000 ],
               [ 560,  220,  840,  940 ],
               [ 700,  860,  250,  640 ],
               [ 980,  900,  660,  280 ] );
END

# judge NODES CLOCK L1-LINE L2-LINE L2-HIT DIRTY SLICE MATRIX <measurements
# MATRIX: latencies in ns, row by row. A row "NAME-NODE CYCLES INSTRUCTIONS ACCESSES" in, a verdict out.
judge() {
	awk -v n="$1" -v clock="$2" -v l1="$3" -v l2="$4" -v hit="$5" -v dirty="$6" -v slice="$7" -v matrix="$8" '
	function cycles(ns) { return int(ns * clock / 1e9 + 0.5) }
	function M(a, b) { return lat[a * n + b + 1] }
	function T(a, b) { return M(a, b) > M(b, b) ? (M(a, b) - M(b, b)) / 2 : 0 }
	function clean(h) { return cycles(M(0, h)) }
	# A line whose other words the next L1 line brings from the L2.
	function streamed(h) { return clean(h) + (l2 / l1 - 1) * cycles(hit) }
	# CPU r takes a line from CPU w, which owns it, to read; then writes it while w still shares it.
	function taken(r, h, w) { return cycles(T(r, h) + T(h, w) + T(w, r) + M(h, h) + dirty) + cycles(M(r, h) + 2 * T(h, w)) }
	function expect(what, got, want) {
		error = want ? got / want - 1 : got
		good = error < 0.02 && error > -0.02
		printf "%s %-10s %10.3f cycles, expected %10.3f\n", good ? "ok  " : "FAIL", what, got, want
		bad += !good
		seen++
	}
	BEGIN { split(matrix, lat, " ") }
	NF != 4 { next }
	{
		split($1, w, "-")
		h = w[2] + 0
		stall = ($2 - $3) / $4
	}
	w[1] == "l1" { expect($1, stall, 0) }
	w[1] == "l2" { expect($1, stall, cycles(hit)) }
	w[1] == "memory" { expect($1, stall, clean(h)) }
	w[1] == "read" || w[1] == "update" { expect($1, stall, streamed(h)) }
	w[1] == "ping" { expect($1, stall, taken(0, h, 1)) }
	# CPUs 0 and 1 alternate every slice. Each time the first access has to take the line, and the
	# rest of the slice is left for counting.
	w[1] == "false" { expect($1, $2 / $4, $3 / $4 * slice / (slice - taken(0, h, 1))) }
	w[1] == "apart" { expect($1, $2 / $4, $3 / $4) }
	END {
		if (seen != 2 + n + 3 * 5) { print "FAIL: " seen " measurements"; bad++ }
		exit bad != 0
	}'
}

# check MACHINE NODES L1 L1-LINE L2 L2-LINE CLOCK L2-HIT DIRTY SLICE MATRIX: as the machine file says
check() {
	$cc -O2 -Wall -Wextra -Werror -march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding -fno-pic \
		-nostdlib -static -Wl,--build-id=none -DHARTS="$2" -DL1="$3" -DL2="$5" -DLINE="$6" \
		-T guests/workloads/numa/bare/link.ld -o "$work/validate" \
		guests/workloads/numa/bare/start.S guests/workloads/numa/bare/validate.c || exit 1
	timeout 900 "$disco" run --policy first-touch --share none --machine "$1" --vcpus "$2" --memory 256M --quiet --bios "$work/validate" \
		</dev/null >"$work/out" 2>"$work/err" || { cat "$work/err"; echo "FAIL: the run on $1"; exit 1; }
	echo "$1:"
	judge "$2" "$7" "$4" "$6" "$8" "$9" "${10}" "${11}" <"$work/out" || failures=$((failures + 1))
}

check "$work/uneven.conf" 4 8192 32 $((256 << 10)) 64 500000000 34 126 2000 \
	"200 520 740 1000  560 220 840 940  700 860 250 640  980 900 660 280"
# The paper's machine. Values that its file leaves to defaults are those of numa/machine/machine.h.
check flash8 8 $((32 << 10)) 64 $((1 << 20)) 128 400000000 50 250 2000 \
	"$(for a in 0 1 2 3 4 5 6 7; do for b in 0 1 2 3 4 5 6 7; do [ $a = $b ] && echo 300 || echo 900; done; done | tr '\n' ' ')"
[ $failures -eq 0 ]
