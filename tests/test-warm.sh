#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Template clones (disco run --warm): Debian boots once, and clones of it are machines of their own: with other names, addresses and random numbers,
# that reach each other and read their disk. They have no frame of their own at first, the bookkeeping of memory holds, and all of
# it is the same for any number of host threads. A VM that can never be cloned fails.
. "$(dirname "$0")/lib.sh"
need jq

# A guest that ends before it can be cloned.
bare cpus
run 60 --warm --vms 2 --machine big64 --vcpus 128 --memory 16M --bios "$work/cpus.elf" --virtual-timeout 1
[ $status -eq 1 ] && grep -q 'before it could be cloned' "$work/err" || fail "a guest that ends before it can be cloned: status $status, $(cat "$work/err")"

debian
job='hostname; echo "uuid $(cat /proc/sys/kernel/random/uuid)"; echo "boot $(cat /proc/sys/kernel/random/boot_id)"
echo "mac $(cat /sys/class/net/eth0/address)"; echo "sum $(cat /usr/bin/[a-d]* 2>/dev/null | md5sum)"
hostname >/root/mine; sync; for i in 0 1 2 3; do ping -c 1 -W 5 vm$i >/dev/null && echo reaches vm$i; done
disco-mark numa; find /usr/share >/dev/null; disco-mark functional; echo "kept $(cat /root/mine)"'

# The server is no clone, and serves until its clones are off.
run_ok 120 --warm --vms 2 --nfs /usr/share --exec 'ls -d /nfs/misc'
[ "$(said vm1)" = /nfs/misc ] || fail "a clone sees no files of the server: $(tail -n 3 "$work/out")"

# once THREADS: statistics less the host's in $work/THREADS, output in $work/THREADS.out.
once() {
	run 280 --warm --vms 4 --threads "$1" --check-invariants --stats "$work/stats.json" --exec "$job"
	[ $status -eq 0 ] || {
		fail "$1 threads: status $status: $(tail -n 3 "$work/err")"
		finish
	}
	jq 'del(.host)' "$work/stats.json" >"$work/$1"
	cp "$work/out" "$work/$1.out"
}
once 1
once 2
cmp -s "$work/1" "$work/2" || fail "the number of host threads matters: $(diff "$work/1" "$work/2" | head -n 6)"

everyone() { grep -a "^vm[0-3]| $1" "$work/1.out" | cut -d ' ' -f 2-; }
for i in 0 1 2 3; do
	grep -aqx "vm$i| vm$i" "$work/1.out" || fail "vm$i has another name"
	grep -aqx "vm$i| kept vm$i" "$work/1.out" || fail "vm$i does not read what it wrote"
	[ "$(everyone "reaches vm$i" | wc -l)" -eq 4 ] || fail "$(everyone "reaches vm$i" | wc -l) of 4 reach vm$i"
done
for what in uuid boot mac; do
	[ "$(everyone $what | sort -u | wc -l)" -eq 4 ] || fail "not everyone has a $what of its own: $(everyone $what)"
done
[ "$(everyone sum | wc -l)" -eq 4 ] && [ "$(everyone sum | sort -u | wc -l)" -eq 1 ] || fail "the disk differs: $(everyone sum)"

# is FILTER: true of the statistics.
is() { jq -e "$1" "$work/1" >/dev/null || fail "not so: $1: $(jq -c '[.warm, [.vms[].cloned_from]]' "$work/1")"; }
is '.warm.clones == 3 and .warm.own_bytes == 0 and .warm.shared_bytes > 30e6'
is '[.vms[].cloned_from] == [null, "vm0", "vm0", "vm0"]'
is '.warm.machine_bytes.cloned * 4 <= .warm.virtual_bytes.cloned'
is '.vms[0].vcpus[0].instructions - ([.vms[1:][] | .vcpus[0].instructions] | max) > 0.5e9' # they did not boot
is '.vms[1].started_cycles == .warm.cycles'
finish
