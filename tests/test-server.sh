#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench/server.conf made small: three clones read the same 16 MB of a file that the first VM serves by NFS. Most bytes that arrive are
# mapped, not copied, and the clients' page caches are in the server's frames. Without sharing over the
# subnet nothing is mapped; without identical pages each client has 16 MB of its own.
. "$(dirname "$0")/lib.sh"
need jq
debian
[ -z "${SAN:-}" ] || skip "nothing here that the other tests do not run, and slow"
clients=3 bytes=$((16 << 20))

# serve SHARE: statistics in $work/SHARE.json
serve() {
	run_ok 300 --config "$root/bench/server.conf" --vms $((clients + 1)) --warm --memory 160M --quiet --share "$1" \
		--stats "$work/$1.json" --exec "head -c $bytes /nfs/gcc/*/*/cc1 | md5sum"
	[ "$(grep -c '^vm[1-9]| .* -$' "$work/out")" -eq $clients ] || fail "$1: not everyone read the file: $(cat "$work/out")"
	cut -d ' ' -f 2 "$work/out" >>"$work/sums"
}
# get SHARE FILTER: of the statistics, with functions for those of clients
get() {
	jq -r "([.snapshots[] | select(.event == \"done\")][0]) as \$done | [.vms[1:][].devices[] | select(.type == \"virtio-net\")] as \$cards | $2" \
		"$work/$1.json"
}
# is SHARE WHAT FILTER: true of the statistics
is() { [ "$(get "$1" "$3")" = true ] || fail "$1: $2: $(get "$1" '$done.sharers | tojson')"; }
# Of the buffer cache's frames, how much more a client has in common with the server than when it was cloned: the least of all.
common='([range(1; .vms | length) as $k | $done.sharers[$k].disk_with[0] - .warm.sharers[$k].disk_with[0]] | min)'

for share in all all,-net all,-content; do
	serve $share
	[ $failures -eq 0 ] || finish
	is $share 'what a VM shares with whom is not all it has' '[.snapshots[] | (.virtual_bytes | .total - .monitor) as $all |
		[.sharers[] | .own + .disk + .first_disk + .first_other + .others + .text + .zero] | add == $all] | all'
done
[ "$(sort -u "$work/sums" | wc -l)" -eq 1 ] || fail "they read different things: $(cat "$work/sums")"

mapped='([$cards[].rx_pages_mapped] | add * 4096)'
echo "mapped $(get all "$mapped") bytes of $(get all '[$cards[].rx_bytes] | add'); common frames $(get all "$common")," \
	"without identical pages $(get all,-content "$common"); memory $(get all '$done.machine_bytes.total')," \
	"$(get all,-content '$done.machine_bytes.total')"
is all 'less than half of the bytes came by mapping' "$mapped > ([\$cards[].rx_bytes] | add) / 2"
is all,-net 'pages were mapped' "$mapped == 0"
is all "clients have less than 95% of the file in the server's frames" "$common >= 0.95 * $bytes"
is all "most of the file's pages were not found by hints" "([.vms[1:][].memory.content.merged_hinted] | min * 4096) >= 0.95 * $bytes"
is all,-content "clients have the file in the server's frames" "$common <= 0.2 * $bytes"
more=$(($(get all,-content '$done.machine_bytes.total') - $(get all '$done.machine_bytes.total')))
[ $more -ge $((clients * bytes * 8 / 10)) ] || fail "without identical pages memory is larger by $more bytes alone"
finish
