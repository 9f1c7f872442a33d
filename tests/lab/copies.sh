# SPDX-License-Identifier: MIT
#
# Pages that VMs of several nodes share get a copy on each node, and each VM reads that of its own; a store makes the VM a page of its
# own, and the others' stay. The kernel is asked for the nodes of the frames that VMs see (where.c).
. /lab/lib.sh
pages=32
awk -v n=$pages 'BEGIN { for (; length(rest) < 4096; rest = rest "................");
	for (; n; n--) printf "shared page %08d\n%s\n", n, substr(rest, 1, 4074) }' >/tmp/initrd
tiny 'read seconds=1000' --vms $nodes --initrd /tmp/initrd --share boot --policy shuffle,copies=100,rate=60,reset=500
n=0
until [ "$(where -v $pid 'shared page' | grep -c " $pages\$")" -eq "$nodes" ]; do
	sleep 1
	[ $((n += 1)) -lt 100 ] || { fail "not every VM has all $pages pages on its node:"; where -v $pid 'shared page'; break; }
done
where -v $pid 'shared page'
stop
grep fault: /out/console/* && fail "memory that VMs read changes"

tiny 'read store seconds=8' --vms $nodes --initrd /tmp/initrd --share boot --policy shuffle,copies=100,rate=60,reset=500 --stats /out/s.json
ended 100 $nodes
[ "$(cat /out/console/* | sed -n 's/.*done [0-9a-f]* //p' | sort -u | wc -l)" -eq 1 ] || fail "VMs read different things: $(cat /out/console/*)"
stores=$(awk '$1 == "\"copies_on_write\":" { inside = 1 } inside && $1 == "\"text\":" { n += $2; inside = 0 } END { print n + 0 }' /out/s.json)
# The last one stores to pages that are its own by then.
[ "$stores" -ge $(((nodes - 1) * pages)) ] || fail "$stores stores to pages of others, of $nodes VMs to $pages each"
finish
