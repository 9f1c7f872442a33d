#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A file sent from one Debian VM to another by an unmodified kernel: it arrives whole; nearly all of it is mapped, and is in the
# disk cache's own frames; links have the latency and bandwidth they were given; the run is the same on one and on two host threads.
. "$(dirname "$0")/lib.sh"
need jq
debian

# transfer NAME ARGUMENT...: statistics in $work/NAME.json; what vm1 printed in $work/NAME.said.
transfer() {
	local name=$1
	shift
	run_ok 400 --vms 2 --stats "$work/$name.json" --check-invariants=0.1 --net-latency 2000000 --net-bandwidth 100 "$@" --exec '
		make -s -C /usr/local/share/disco/net OUT=/tmp || exit 1
		[ $(hostname) = vm1 ] || { /tmp/stream serve 5000 sendfile /usr/bin/bash 4 && sleep 1; exit; }
		for i in 1 2 3 4; do cat /usr/bin/bash; done | sha256sum
		/tmp/stream fetch vm0 5000 /tmp/got
		sha256sum </tmp/got
		ping -c 3 -i 0.1 -q vm0 | sed -n "s/^rtt.* = \([0-9.]*\).*/ping \1/p"'
	said vm1 >"$work/$name.said"
}

card() { # FIELD: of vm1's network card
	jq -r ".vms[1].devices[] | select(.type == \"virtio-net\").$1" "$work/one.json"
}

transfer one --threads 1
[ "$(grep -c ' -$' "$work/one.said")" = 2 ] && [ "$(grep ' -$' "$work/one.said" | sort -u | wc -l)" = 1 ] ||
	fail "the file arrives otherwise: $(cat "$work/one.said")"
[ $(($(card rx_pages_mapped) * 4096 * 100 / $(card rx_bytes))) -ge 85 ] || fail "only $(card rx_pages_mapped) pages of $(card rx_bytes) bytes were mapped"
grep -q '^Subnet: .* by mapping' "$work/out" || fail "the report has no line on the subnet"
awk '/^ping/ { ok = $2 >= 4 && $2 < 6 } END { exit !ok }' "$work/one.said" || fail "latency of 2 ms: $(cat "$work/one.said")"
awk '/bytes/ { ok = $5 > 6 && $5 <= 12.5 } END { exit !ok }' "$work/one.said" || fail "100 Mbit/s: $(cat "$work/one.said")"

transfer two --threads 2
cmp -s <(jq -S 'del(.host)' "$work/one.json") <(jq -S 'del(.host)' "$work/two.json") || fail "one and two threads differ"
finish
