# SPDX-License-Identifier: MIT
#
# Pages move from node to node, and get and lose copies, while a guest stores to them and another CPU of it reads: what was stored is
# always there, and in order. The kernel is asked where the pages are (where.c): on all nodes, and later elsewhere.
. /lab/lib.sh
tiny 'write pages=64 seconds=1000' --vcpus 2 --policy shuffle,rate=40,reset=500
await 60 1 stamped

# spread: pages are on every node, a few at least; what `where` says is in $now.
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
grep fault: /out/console/* && fail "the guest's memory is not what it stored"
finish
