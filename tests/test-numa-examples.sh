#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What placement is worth, on bench/numa-*.conf made small: the L2 is a quarter (256 KB, as the paper's for Raytrace) and the programs'
# memory half of theirs, so that a third of a second says what seconds do. The three programs run one after the other in one boot,
# each in a region of interest of its own. All times are the machine's and so the same on every host.
. "$(dirname "$0")/lib.sh"
need jq
debian
[ -z "${SAN:-}" ] || skip "nothing here that the other tests do not run, and slow"

sed 's/^l2 *= { size = "1M"/l2 = { size = "256K"/' "$root/numa/machine/machines/flash8.conf" >"$work/small.conf"
grep -q '^l2 = { size = "256K"' "$work/small.conf" || fail "flash8.conf has no L2 of 1 MB to make smaller"
numa='taskset -c 0 make -s -C /usr/local/share/disco/numa'
# Two VMs are never quite together: each waits until both have left a region before it makes the next memory without caches.
for kind in read-shared partitioned write-shared; do
	numa+=" && /tmp/numa $kind ROUNDS 1 && sleep 0.2 && disco-mark functional && sleep 0.2"
done

# example VMS POLICY: statistics in $work/VMS-POLICY.json
example() {
	run_ok 300 --config "$root/bench/numa-$1-read-shared.conf" --machine "$work/small.conf" --policy "$2" --quiet --exec "${numa//ROUNDS/$rounds}" \
		--stats "$work/$1-$2.json"
	[ "$(jq '.numa.regions | length' "$work/$1-$2.json")" = 3 ] || fail "$1, $2: not three regions: $(cat "$work/out")"
}

# region VMS POLICY KIND KEY
region() { jq -r ".numa.regions[{\"read-shared\": 0, \"partitioned\": 1, \"write-shared\": 2}[\"$3\"]].$4" "$work/$1-$2.json"; }

is() { # TEXT EXPRESSION: an awk expression that must be true
	awk "BEGIN { exit !($2) }" || fail "$1: $2"
}

for vms in 1vm 2vm; do
	# Two VMs do not begin at the same moment, so their regions must be longer to be one.
	rounds=48
	[ $vms = 1vm ] || rounds=120
	example $vms round-robin
	example $vms disco
	[ $failures -eq 0 ] || finish
	for kind in read-shared partitioned write-shared; do
		what="$vms, $kind"
		robin=$(region $vms round-robin $kind cycles) disco_=$(region $vms disco $kind cycles)
		echo "$what: round-robin $robin cycles, disco $disco_; local" \
			"$(region $vms round-robin $kind local_share) $(region $vms disco $kind local_share)"
		is "$what: round-robin's remote misses" "1 - $(region $vms round-robin $kind local_share) >= 0.85"
		if [ $kind = write-shared ]; then
			is "$what: disco's cost" "$disco_ <= 1.03 * $robin"
		else
			is "$what: disco's local misses" "$(region $vms disco $kind local_share) >= 0.7"
			is "$what: disco's time" "$disco_ <= 0.75 * $robin"
		fi
	done
done
finish
