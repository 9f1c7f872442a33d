#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two Debian VMs on a machine so small that nodes run short, their pages migrating, replicating and
# collapsing: whenever 5 ms of machine time have passed, all bookkeeping of memory is consistent. (That
# the check would say so if it were not: tests/test-invariants.c.)
. "$(dirname "$0")/lib.sh"
debian

cat >"$work/small.conf" <<'END'
nodes = 4;
cpus = 1;
memory = "32M";
l2 = { size = "256K"; line = 128; ways = 2; };
END
run_ok 600 --machine "$work/small.conf" --vms 2 --vcpus 2 --memory 112M --fidelity numa \
	--policy disco,trigger=32,sharing=8,reset=20 --check-invariants=0.005 --stats "$work/s.json" --quiet \
	--exec 'cat /usr/bin/[a-d]* 2>/dev/null | cksum; cp -r /usr/local/share/disco /tmp; cat /usr/bin/[a-d]* 2>/dev/null | cksum'
for what in migrations replications collapses given_back shootdowns; do
	n=$(grep -o "\"$what\": *[0-9]*" "$work/s.json" | grep -o '[0-9]*$' | sort -n | tail -n 1)
	echo "$what: $n"
	[ "${n:-0}" -gt 0 ] || fail "no $what: the run shows nothing"
done
[ "$(said vm0 | sort -u)" = "$(said vm1 | sort -u)" ] || fail "the VMs read different bytes"
[ "$(said vm0 | sort -u | wc -l)" -eq 1 ] || fail "a VM read different bytes at its second time"
finish
