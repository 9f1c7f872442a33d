#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A run is a function of its inputs and seed: statistics outside "host", digests of all guest-visible state among them, are the
# same bytes for one and two host threads, for repeated runs, and for gcc -O0, gcc -O3 and clang -O2. Another seed gives another
# digest, so that the digest is known to see something.
. "$(dirname "$0")/lib.sh"
export DISCO_DATA=$root # programs built elsewhere find no machines beside them
need gcc make
bare hostile

# The part of the file that two runs must have in common: all but its last object and the version, which says of a program built of
# changed sources that they were changed.
common() {
	awk '/^ "disco": / { next } /^ "host": \{/ { skip = 1 } !skip { print } /^ \}/ { skip = 0 }' "$1"
}

# once NAME PROGRAM THREADS ARGUMENT...: statistics of a run, less the host's, in $work/NAME.
once() {
	local name=$1 program=$2 threads=$3
	shift 3
	limited 280 "$program" run --threads "$threads" --stats "$work/stats.json" "$@" </dev/null >"$work/$name.out" 2>"$work/$name.err"
	[ $? -le 1 ] && grep -q '"digest"' "$work/stats.json" || {
		fail "$name: no statistics: $(tail -n 3 "$work/$name.err")"
		return
	}
	grep -q '^ "host": {' "$work/stats.json" || fail "$name: no host object to leave out"
	common "$work/stats.json" >"$work/$name"
	rm "$work/stats.json"
}

same() { # NAME NAME
	cmp -s "$work/$1" "$work/$2" || fail "$1 and $2 differ: $(diff "$work/$1" "$work/$2" | head -n 6)"
	# Progress is paced by the host's clock; the rest is not.
	cmp -s <(grep -v ' VMs are up' "$work/$1.err") <(grep -v ' VMs are up' "$work/$2.err") || fail "$1 and $2 report differently"
	cmp -s <(grep '^vm[0-9]*|' "$work/$1.out") <(grep '^vm[0-9]*|' "$work/$2.out") || fail "$1 and $2 print differently"
}

# Bare metal: traps, atomics between harts, devices, floods, on all CPUs.
metal="--vms 24 --vcpus 2 --memory 16M --bios $work/hostile.elf --virtual-timeout 0.3"
once metal-1 "$disco" 1 $metal
once metal-2 "$disco" 2 $metal
once metal-again "$disco" 2 $metal
same metal-1 metal-2
same metal-2 metal-again
once metal-seed "$disco" 2 $metal --seed 2
cmp -s "$work/metal-1" "$work/metal-seed" && fail "the digest does not see the seed"

# Debian in two VMs of two vCPUs, that talk to each other.
debian
job="--vms 2 --vcpus 2 --exec"
text='ping -c 2 -i 0.2 vm0 >/dev/null && ping -c 2 -i 0.2 vm1 >/dev/null && cat /usr/bin/[a-f]* 2>/dev/null | md5sum; head -c 64 /dev/urandom | md5sum; date; awk "BEGIN { x = 1; for (i = 0; i < 20000; i++) x = sin(x) * 3 + log(i + 1); print x }"'
once debian-1 "$disco" 1 $job "$text"
once debian-2 "$disco" 2 $job "$text"
same debian-1 debian-2
[ "$(grep -c '^vm[01]| ' "$work/debian-1.out")" -eq 8 ] || fail "the job did not run: $(cat "$work/debian-1.out" "$work/debian-1.err")"

# With caches, latencies and pages that move: 24 VMs on bare metal, and a kernel's first half second in two VMs. The trigger is low,
# so that a short run moves pages of VMs on different threads.
once numa-1 "$disco" 1 $metal --fidelity numa --contention --policy disco,trigger=4
once numa-2 "$disco" 2 $metal --fidelity numa --contention --policy disco,trigger=4
same numa-1 numa-2
boot="--vms 2 --vcpus 2 --disk none --exec true --virtual-timeout 0.4 --fidelity numa --policy disco,trigger=8"
once numa-boot-1 "$disco" 1 $boot
once numa-boot-2 "$disco" 2 $boot
same numa-boot-1 numa-boot-2
grep -q '"migrations": [1-9]' "$work/numa-boot-1" || fail "no page moved"

[ -z "${SAN:-}" ] || finish # the builds have nothing of sanitizers
# Other compilers. The slow one boots a kernel for a while, not to the end.
short="--vms 2 --vcpus 2 --disk none --exec true --virtual-timeout 0.5"
once short "$disco" 2 $short
for build in 'gcc -O0' 'gcc -O3' 'clang -O2'; do
	set -- $build
	command -v "$1" >/dev/null || {
		echo "without $1"
		continue
	}
	dir=$work/det
	make -s -C "$root" -j2 CC="$1" OPT="$2" B="$dir" SAN= "$dir/disco" >"$work/make.log" 2>&1 || {
		fail "$build does not build: $(tail -n 3 "$work/make.log")"
		continue
	}
	once "metal$2-$1" "$dir/disco" 2 $metal
	same metal-1 "metal$2-$1"
	once "short$2-$1" "$dir/disco" 2 $short
	same short "short$2-$1"
	rm -rf "$dir"
done
finish
