#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures the host's time for the memory-system model: the same run in functional and in numa fidelity, in turn. A Debian boot, and a
# parallel compilation (part of the pmake workload) in two VMs on two host threads. A stalled guest also waits longer for its disks and takes more timer
# interrupts, so the two do not execute the same instructions; a user waits for the whole job, so its time is compared.
. "$(dirname "$0")/lib.sh"
need jq
PAIRS=${PAIRS_NUMA:-$(((PAIRS + 1) / 2))}

work=$out/numa-speed
mkdir -p "$work"
compile='cd /usr/local/share/disco/pmake && make -s -j2 OUT=/tmp/out /tmp/out/sort.o /tmp/out/json.o /tmp/out/vm.o /tmp/out/huffman.o'
"$here/../guests/debian/fetch" >/dev/null || fail "no guest"

boot() { timed "$work/boot-$1" "$DISCO" run --machine flash8 --guest debian --exec true --quiet --fidelity "$1" --stats "$work/boot-$1.json"; }
run_boot_functional() { boot functional; }
run_boot_numa() { boot numa; }
job() {
	timed "$work/compile-$1" "$DISCO" run --machine flash8 --guest debian --vms 2 --threads 2 --exec "$compile" --quiet \
		--fidelity "$1" --stats "$work/compile-$1.json"
}
run_compile_functional() { job functional; }
run_compile_numa() { job numa; }

# The slowdown: NAME TEXT
slowdown() {
	local r
	read -r -a r <<<"$(ratio "$1" "${1#numa-}_numa" "${1#numa-}_functional")"
	figure numa-speed "$2, numa over functional" '<= 4' "${r[0]}" "${r[1]}..${r[2]}" \
		"numa ${r[4]} s, functional ${r[5]} s; CPU ${r[6]}, ${r[7]} s, ratio ${r[3]}" "$(verdict "${r[0]}" '<=' 4)"
}

rm -f "$out/numa-speed.figures"
pairs numa-boot boot_numa boot_functional
LIMIT=560 pairs numa-compile compile_numa compile_functional
slowdown numa-boot 'Debian boot'
slowdown numa-compile 'Parallel compilation, 2 VMs'
instructions=$(jq '[.vms[].vcpus[].instructions] | add' "$work/compile-numa.json")
seconds=$(awk -F '\t' '$2 == "compile_numa" { print $3 }' "$out/numa-compile.tsv" | sort -n)
mips=$(awk -v n="$instructions" '{ v[NR] = n / $1 / 1e6 } END { printf "%.1f %.1f %.1f", v[int((NR + 1) / 2)], v[NR], v[1] }' <<<"$seconds")
read -r -a m <<<"$mips"
figure numa-speed 'M instructions/s with the model, 2 threads' '>= 30' "${m[0]}" "${m[1]}..${m[2]}" \
	"$instructions instructions" "$(verdict "${m[0]}" '>=' 30)"
[ -n "${BENCH_RUN-}" ] || { host_line; "$here/run" --table numa-speed; }
