# SPDX-License-Identifier: MIT
#
# Four Debian VMs under KVM read the whole of the disk they share.
. /lab/lib.sh
run_ok 1500 --vms 4 --memory 128M --policy disco --stats /out/s.json --exec 'uname -a; md5sum /dev/vda | head -1'
equal_sums 4
for vm in vm0 vm1 vm2 vm3; do
	said $vm | head -n 1 | grep -q "^Linux $vm 6.* x86_64 GNU/Linux\$" || fail "$vm says of itself: $(said $vm | head -n 1)"
done
[ "$(at_done virtual_bytes cache)" -gt $((2 * $(at_done machine_bytes cache))) ] || fail "the cache is not shared"
finish
