# SPDX-License-Identifier: MIT
#
# Four Debian VMs on the nodes, over one copy-on-write disk. All read the same of it, in one copy. The pages that each stores to are on
# its own node, as the kernel says (where.c); and when the monitor is killed, nothing is left of it: no process, no VM, no memory.
. /lab/lib.sh
pages=512 mb=2
free() {
	cat /sys/devices/system/node/node*/meminfo | awk '/MemFree/ { n += $4 } END { print n }'
}
vms() {
	find /sys/kernel/debug/kvm -mindepth 1 -maxdepth 1 -type d | wc -l
}
mount -t debugfs debugfs /sys/kernel/debug
before=$(free)

# Where the disk has something in nearly all of its blocks.
at=0
until [ "$(dd if=/dev/vda bs=1M count=$mb skip=$at 2>/dev/null | tr -d '\0' | wc -c)" -gt $((mb * 900000)) ]; do
	at=$((at + 16))
	[ $at -lt 1024 ] || { fail "the disk has no $mb MB that are full"; exit 1; }
done
disk=$(dd if=/dev/vda bs=1M count=$mb skip=$at 2>/dev/null | md5sum)

# Pages of a file in memory, all different, so that each has a frame.
start --share boot,disk --vms 4 --memory 128M --policy first-touch --exec \
	"dd if=/dev/vda bs=1M count=$mb skip=$at 2>/dev/null | md5sum
	seq -f \"\$(uname -n) page %08.0f\$(printf %4078s .)\" $pages >/tmp/pages; echo filled \$(wc -c </tmp/pages); sleep 10000"
await 600 4 "filled $((pages * 4096))\$" || exit 1
for vm in 0 1 2 3; do
	[ "$(said vm$vm | head -n 1)" = "$disk" ] || fail "vm$vm reads '$(said vm$vm | head -n 1)' from the disk, which has '$disk'"
done

where $pid >/out/where || fail "memory is not on the node it was bound to"
cat /out/where
# One block that all read and that is not mostly zeroes: it has one frame, and perhaps one that was given up keeps its bytes.
n=$((at * 256))
until dd if=/dev/vda bs=4096 count=1 skip=$n of=/tmp/block 2>/dev/null && [ "$(tr -d '\0' </tmp/block | wc -c)" -gt 3000 ]; do
	n=$((n + 1))
done
where $pid @/tmp/block >/tmp/where
[ "$(awk '{ n += $3 } END { print n }' /tmp/where)" -le 2 ] || fail "block $n, which four VMs have read, is there so often: $(cat /tmp/where)"
taken=
for vm in 0 1 2 3; do
	where $pid "vm$vm page " >/tmp/where
	[ "$(awk '{ n += $3 } END { print n }' /tmp/where)" -eq $pages ] || fail "vm$vm has not $pages pages: $(cat /tmp/where)"
	home=$(awk -v all=$pages '$3 > all * 0.9 { print $2 }' /tmp/where)
	case $nodes:" $taken " in
	4:*" $home "*) fail "by first-touch vm$vm is on node '$home', others on '$taken': $(cat /tmp/where)" ;;
	esac
	[ -n "$home" ] || fail "vm$vm is on no one node: $(cat /tmp/where)"
	taken="$taken $home"
done

during=$(free)
[ "$(vms)" -ge 4 ] || fail "KVM has $(vms) VMs"
kill -9 $pid
wait $pid
n=0
until [ "$(vms)" -eq 0 ] && [ $(($(free) - during)) -gt $(((before - during) * 8 / 10)) ]; do
	sleep 1
	[ $((n += 1)) -lt 30 ] || { fail "half a minute after kill -9 there are $(vms) VMs, and of $before kB $(free) kB free"; break; }
done
running disco && fail "a process is left"
finish
