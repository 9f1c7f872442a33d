#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The fast memory-system model against the slow one on the traces of real programs, recorded and compared while they run: disco-live
# is disco with both models (tests/memsys-live.c), and ends at the first access that they answer differently. A slice of a Debian
# boot in two VMs, a partitioned program, and the patterns of guests/workloads/numa/bare (pointer chase, ping-pong, false sharing).
. "$(dirname "$0")/lib.sh"
live=${BUILD:-$root/build}/tests/disco-live

# Little memory, since the slow model keeps a record for each line and CPU; small caches, so that lines leave them.
cat >"$work/small.conf" <<'END'
nodes = 4;
cpus = 1;
memory = "64M";
l1i = { size = "8K"; line = 64; ways = 2; };
l1d = { size = "8K"; line = 32; ways = 2; };
l2 = { size = "64K"; line = 128; ways = 2; };
END

# compared NAME LEAST STATUS OPTION...: both models agree on at least LEAST requests.
compared() {
	local name=$1 least=$2 want=$3 n
	shift 3
	limited 400 "$live" run --machine "$work/small.conf" --fidelity numa --threads 1 --quiet --check-invariants "$@" \
		</dev/null >"$work/out" 2>"$work/err"
	status=$?
	n=$(sed -n 's/^both models agree on \([0-9]*\) requests.*/\1/p' "$work/err")
	echo "$name: $n requests"
	[ $status -eq "$want" ] && [ "${n:-0}" -ge "$least" ] || {
		fail "$name: status $status"
		tail -n 5 "$work/err"
	}
}

bare slices
compared slices 5000000 0 --vcpus 4 --memory 8M --policy disco,trigger=8,sharing=2 --stats "$work/s.json" --bios "$work/slices.elf"
for what in migrations replications; do
	grep -q "\"$what\": *[1-9]" "$work/s.json" || fail "slices: no $what"
done
compared 'slices, contended, round robin' 5000000 0 --vcpus 4 --memory 8M --policy round-robin --contention --bios "$work/slices.elf"

# As tests/test-memsys-guest.sh, for the machine above.
need riscv64-unknown-elf-gcc
riscv64-unknown-elf-gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding -fno-pic -nostdlib -static -Wl,--build-id=none \
	-DHARTS=4 -DL1=8192 -DL2=65536 -DLINE=128 -T "$root/guests/workloads/numa/bare/link.ld" -o "$work/validate" \
	"$root"/guests/workloads/numa/bare/{start.S,validate.c} || fail "validate.c does not build"
compared patterns 1000000 0 --vcpus 4 --memory 128M --policy first-touch --bios "$work/validate"
compared 'patterns, all moving' 1000000 0 --vcpus 4 --memory 128M --policy disco,trigger=8,sharing=2 --bios "$work/validate"

debian
compared boot 50000000 1 --vms 2 --vcpus 2 --memory 96M --policy disco,trigger=16,sharing=4 --contention --virtual-timeout 1 \
	--guest debian
# Walks in two stages, and refills by the monitor.
for mode in nested trap; do
	compared "boot, $mode" 5000000 1 --mode $mode --vms 2 --vcpus 2 --memory 96M --policy disco,trigger=16 --virtual-timeout 0.15 --guest debian
done
finish
