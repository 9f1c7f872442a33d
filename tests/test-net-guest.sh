#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A file sent from one Debian VM to another by an unmodified kernel: it arrives whole; with sharing nearly all of it is mapped, from
# the disk cache's own frames; without, none; links have the latency and bandwidth they were given; and the run is the same on one
# and on two host threads.
. "$(dirname "$0")/lib.sh"
need jq
debian

# transfer NAME ARGUMENT...: statistics in $work/NAME.json; what vm1 printed in $work/NAME.said.
transfer() {
	local name=$1
	shift
	run_ok 400 --vms 2 --stats "$work/$name.json" --check-invariants=0.1 "$@" --exec '
		make -s -C /usr/local/share/disco/net OUT=/tmp || exit 1
		[ $(hostname) = vm1 ] || exec /tmp/stream serve 5000 sendfile /usr/bin/bash 1
		sha256sum </usr/bin/bash
		/tmp/stream fetch vm0 5000 /tmp/got
		sha256sum </tmp/got
		ping -c 3 -i 0.1 -q vm0 | sed -n "s/^rtt.* = \([0-9.]*\).*/ping \1/p"'
	said vm1 >"$work/$name.said"
	[ "$(grep -c ' -$' "$work/$name.said")" = 2 ] && [ "$(grep ' -$' "$work/$name.said" | sort -u | wc -l)" = 1 ] ||
		fail "$name: the file arrives otherwise: $(cat "$work/$name.said")"
}

card() { # NAME FIELD: of vm1's network card
	jq -r ".vms[1].devices[] | select(.type == \"virtio-net\").$2" "$work/$1.json"
}

transfer on
[ $(($(card on rx_pages_mapped) * 4096 * 100 / $(card on rx_bytes))) -ge 75 ] ||
	fail "only $(card on rx_pages_mapped) pages of $(card on rx_bytes) bytes were mapped"
grep -q '^Subnet: .* by mapping' "$work/out" || fail "the report has no line on the subnet"

transfer off --share all,-net --threads 1 --net-latency 2000000 --net-bandwidth 100
[ "$(card off rx_pages_mapped)" = 0 ] || fail "pages are mapped though that is off"
awk '/^ping/ { exit !($2 >= 4 && $2 < 6) }' "$work/off.said" || fail "latency of 2 ms: $(cat "$work/off.said")"
awk '/bytes/ { exit !($5 <= 12.5) }' "$work/off.said" || fail "100 Mbit/s: $(cat "$work/off.said")"

transfer again --threads 1
[ "$(jq -r .digest "$work/on.json")" = "$(jq -r .digest "$work/again.json")" ] || fail "one and two threads differ"
finish
