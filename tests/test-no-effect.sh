#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An option that can have no effect is refused before the run, or told of in one line at its end where only the end can know; a default
# never is, nor an option that had its effect. `disco compare` passes the lines on: two of its rows may be equal for that reason.
. "$(dirname "$0")/lib.sh"
need jq
cd "$work" || exit 1

# Firmware that powers off by the test device (0x5555 to 0x100000); the other one executes a magic instruction first (slti x0,x0,1).
word() {
	local w
	for w; do
		# shellcheck disable=SC2059 # the format is what is to be printed
		printf "\\x${w:6:2}\\x${w:4:2}\\x${w:2:2}\\x${w:0:2}"
	done
}
off="001002b7 00005337 55530313 0062a023 0000006f"
# shellcheck disable=SC2086 # words
{ word $off >off.bin && word 00102013 $off >magic.bin; }

# The run ends well, says only what matches, in one line or (empty) nothing, and writes the same into its statistics.
says() { # PATTERN BIOS OPTION...
	local pattern=$1 bios=$2
	shift 2
	run_ok 60 --memory 4M --bios "$bios" --stats s.json "$@"
	if [ -z "$pattern" ]; then
		[ ! -s err ] || fail "$* with $bios says: $(cat err)"
		jq -e '.without_effect == null' s.json >/dev/null || fail "$*: statistics say $(jq .without_effect s.json)"
	else
		[ "$(wc -l <err)" -eq 1 ] && grep -q -e "^disco: $pattern" err || fail "$* with $bios says: $(cat err)"
		[ "$(jq -r '.without_effect[]' s.json)" = "$(sed 's/^disco: //' err)" ] || fail "$*: statistics say $(jq .without_effect s.json)"
	fi
}
never='the run never was in numa fidelity'
says "--policy disco: $never" off.bin --policy disco,trigger=4
says "--policy interleave: $never" off.bin --policy interleave
says "--policy disco: no page became hot" off.bin --policy disco --fidelity numa
says "--contention: $never" off.bin --contention
says '--markers none: no guest executed' off.bin --markers none
says '--markers vm1: no guest executed' off.bin --markers vm1 --vms 2 --no-net
says '--overcommit: .* never became short' off.bin --overcommit
says '--net-latency: no packet' off.bin --net --net-latency 5
says '' off.bin
says '' off.bin --policy first-touch --markers all --net-latency 0
says '' off.bin --policy interleave --contention --fidelity numa
says '' magic.bin --markers none
says '' magic.bin --markers vm0

refuses() { # PATTERN OPTION...
	local pattern=$1
	shift
	run 60 --memory 4M "$@"
	[ $status -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q -e "^disco: $pattern" err || fail "$*: status $status, says: $(cat err)"
}
refuses '--net-latency: there is no network for one VM; give --net' --net-latency 5 --bios off.bin
refuses '--net-mtu: there is no network' --net-mtu 1500
refuses '--net-bandwidth: there is no network, because of --no-net' --net-bandwidth 5 --vms 2 --no-net
refuses '--share-scan: neither zero nor content' --share-scan 9 --share disk
refuses '--warm: one VM' --warm
refuses '--virtual-numa: .* has one node' --bios off.bin --virtual-numa --machine uma8
refuses '--contention is for --engine sim' --engine kvm --contention
refuses '--markers is for --engine sim' --engine kvm --markers none

# Both rows of this are equal.
limited 60 "$disco" compare first-touch disco --fidelity functional --memory 4M --bios off.bin -o both >out 2>err </dev/null || fail "compare: $(cat err)"
[ "$(grep -c "$never" err)" -eq 1 ] && grep -q "^disco: disco: --policy disco: $never" err || fail "compare says: $(cat err)"
finish
