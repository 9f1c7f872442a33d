# SPDX-License-Identifier: MIT
#
# Pages move from node to node, and get and lose copies, while a guest stores to them and another CPU of it reads: every store is
# always there, and in order. The kernel is asked where the pages are (where.c): on all nodes, and later elsewhere. Stores end copies.
. /lab/lib.sh
tiny 'write pages=64 seconds=1000' --vcpus 2 --policy shuffle,rate=40,reset=500 --stats /out/s.json
await 60 1 stamped

# spread: pages are on every node, a few at least; the output of `where` is in $now.
spread() {
	now=$(where -v $pid 'lab page') || fail "a page is on another node than its file"
	[ "$(echo "$now" | awk '$3 >= 8' | wc -l)" -eq "$nodes" ]
}
n=0
until spread; do
	sleep 1
	[ $((n += 1)) -lt 100 ] || { fail "pages are not on all nodes: $now"; break; }
done
then=$now
echo "$then"
until spread && [ "$now" != "$then" ]; do
	sleep 1
	[ $((n += 1)) -lt 100 ] || { fail "pages are where they were: $now"; break; }
done
echo "$now"
await 60 $(($(grep -c round /out/stdout) + 2)) round
stop
grep fault: /out/console/* && fail "the guest's memory has changed"
# A store ends a page's copies.
awk '$1 == "\"collapses\":" { n += $2 } END { print n + 0, "stores ended copies"; exit !n }' /out/s.json || fail "no store ended copies"

# Pages that moved about and come together on one node are side by side again, and the kernel's records of them merge.
tiny 'write pages=256 seconds=1000' --policy shuffle,pages=20,copies=0,rate=150,reset=500,stay=3 --stats /out/together.json
await 60 1 stamped
most=0 n=0
until where -v $pid 'lab page' >/tmp/where && [ "$(sed -n 's/^node 0 //p' /tmp/where)" -eq 256 ]; do
	maps=$(grep -c memfd:disco-node /proc/$pid/maps)
	[ "$maps" -le $most ] || most=$maps
	sleep 1
	[ $((n += 1)) -lt 200 ] || { fail "pages do not come together: $(cat /tmp/where)"; break; }
done
maps=$(grep -c memfd:disco-node /proc/$pid/maps)
echo "256 pages took $most mappings on their way, and $maps on one node"
[ $most -gt 60 ] || fail "pages on their way take only $most mappings"
[ "$maps" -le 30 ] || fail "pages on one node take $maps mappings"
await 60 $(($(grep -c round /out/stdout) + 1)) round
stop
grep fault: /out/console/* && fail "the guest's memory has changed"
vmas=$(awk '$1 == "\"vmas\":" { print $2 + 0 }' /out/together.json)
echo "the monitor has $vmas mappings in all"
[ "$vmas" -gt 0 ] && [ "$vmas" -lt 200 ] || fail "the monitor has $vmas mappings in the end, its libraries' among them"
finish
