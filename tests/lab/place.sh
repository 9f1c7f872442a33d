# SPDX-License-Identifier: MIT
#
# Where pages are. A VM on each node fills pages with its name. By first-touch those of a VM are all on one node, another for each
# VM; by round-robin they are spread evenly. It is the kernel that is asked (where.c).
. /lab/lib.sh
pages=2048
# Pages of a file in memory, all different, so that each has a frame.
fill='awk -v name=$(uname -n) -v n='$pages' "BEGIN { for (; length(rest) < 4096; rest = rest \"................\");
	for (; n; n--) printf \"%s page %08d\n%s\n\", name, n, substr(rest, 1, 4077) }" >/tmp/pages; echo filled $(wc -c </tmp/pages); sleep 10000'

# begin POLICY: a VM on each node, its pages filled.
begin() {
	start --share boot,disk --vms $nodes --memory 128M --policy "$1" --exec "$fill"
	await 300 $nodes "filled $((pages * 4096))\$"
}

begin first-touch
where $pid || fail "memory is not on the node it was bound to"
taken=
for vm in $(seq 0 $((nodes - 1))); do
	where $pid "vm$vm page " >/tmp/where
	all=$(awk '{ n += $3 } END { print n }' /tmp/where)
	home=$(awk -v all="$all" '$3 > all * 0.9 { print $2 }' /tmp/where)
	[ "$all" -eq $pages ] || fail "vm$vm has $all pages of $pages"
	case " $taken " in
	*" $home "*) fail "by first-touch vm$vm is on node '$home', others on '$taken': $(cat /tmp/where)" ;;
	esac
	taken="$taken $home"
done
stop

begin round-robin
for vm in $(seq 0 $((nodes - 1))); do
	where $pid "vm$vm page " | awk -v share=$((pages / nodes)) '{ if ($3 < share * 0.9 || $3 > share * 1.1) exit 1 }' ||
		fail "by round-robin vm$vm's pages are not spread: $(where $pid "vm$vm page ")"
done
stop
finish
