# SPDX-License-Identifier: MIT
#
# Four Debian VMs under KVM read part of the disk they share: all see the same, in one copy. The kernel agrees: the nodes'
# memory files take the bytes that are reported, far less than four times those of one VM.
. /lab/lib.sh
start --share boot,disk --vms 4 --memory 128M --policy disco --stats /out/s.json --exec \
	'uname -n; dd if=/dev/vda bs=1M count=24 skip=8 2>/dev/null | md5sum; sleep 20'
await 300 4 '  -$' && where $pid >/out/where
wait $pid
status=$?
[ $status -eq 0 ] || { fail "the run ends with status $status"; told; }
equal_sums 4
cat /out/where
virtual=$(at_done virtual_bytes cache) machine=$(at_done machine_bytes cache)
[ "$virtual" -gt $((4 * 20 << 20)) ] && [ "$machine" -lt $((virtual / 2)) ] && [ "$machine" -ge $((24 << 20)) ] ||
	fail "of the cache VMs see $virtual bytes in $machine"
total=$(at_done machine_bytes total)
taken=$(awk '{ sum += $3 * 4096 } END { print sum }' /out/where)
awk -v a="$total" -v b="$taken" 'BEGIN { exit !(a > b * 0.9 && a < b * 1.1) }' ||
	fail "reported are $total bytes of machine memory; the kernel says $taken"
finish
