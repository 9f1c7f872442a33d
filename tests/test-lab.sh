#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A quick round on the lab host, an emulated machine of four NUMA nodes with KVM (tests/lab/run), booted once: a Debian VM of four CPUs,
# one on each node; pages that are touched first, or hot, on another node than the VM's; pages that move and are copied while guests
# store to them; four Debian VMs over one copy-on-write disk. `make lab` runs all of its scripts, on two nodes, too. Then: statistics of
# a run under KVM have the same keys as those of the simulator.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "a sanitizer build is too slow under emulation"
scripts='self smp first hot moves copies round'
set --
for script in $scripts; do
	set -- "$@" "$root/tests/lab/$script.sh"
done
B=$(dirname "$disco") timeout -k 5 1500 "$root/tests/lab/run" 4 "$@" 600 >"$work/out" 2>&1
status=$?
[ $status -ne 77 ] || skip "$(sed -n 's/^SKIP: //p' "$work/out")"
for script in $scripts; do
	grep -q "^lab: $script.sh exits 0," "$work/out" || fail "$script: $(grep "^lab: $script.sh exits" "$work/out" || echo it did not end)"
done
[ $status -eq 0 ] || fail "the round ends with status $status"
grep '^lab: ' "$work/out"
[ $failures -eq 0 ] || { tail -n 60 "$work/out"; exit 1; }

# Every path to a value, with the places of lists left out: of both engines those that neither's devices, options or board explain.
keys() {
	jq -r '[paths(type != "object" and type != "array") | map(if type == "number" then "*" else . end)] | unique | .[] | join(".")' "$1" |
		grep -v -e '^kvm\.' -e '^inputs\.machine\.' -e '^inputs\.options\.' -e '^host\.options\.' -e '^vms\.\*\.devices\.' -e '^vms\.\*\.traps\.' -e 'services\.' -e '\.reason$'
}
need jq
"$disco" run --vcpus 4 --memory 192M --share boot,disk --fs lab="$root/tests/lab" --exec true --quiet --stats "$work/sim.json" ||
	fail "a run of the simulator"
lab=$(dirname "$disco")/lab/smp-4/s.json
diff <(keys "$work/sim.json") <(keys "$lab") || fail "statistics of KVM (>) have other keys than the simulator's (<)"
[ "$(jq '.kvm | length' "$lab")" -gt 5 ] || fail "no statistics of KVM"
finish
