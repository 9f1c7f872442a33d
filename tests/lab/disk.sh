# SPDX-License-Identifier: MIT
#
# Four Debian VMs under KVM read the whole of the disk they share.
. /lab/lib.sh
run_ok 1500 --vms 4 --memory 128M --policy disco --stats /out/s.json --exec 'uname -a; md5sum /dev/vda | head -1'
equal_sums 4
for vm in vm0 vm1 vm2 vm3; do
	said $vm | head -n 1 | grep -q "^Linux $vm 6.* x86_64 GNU/Linux\$" || fail "$vm says of itself: $(said $vm | head -n 1)"
done
# Each got every block of the 1 GiB by mapping, and the machine has one copy.
[ "$(awk '$1 == "\"shared_in\":" && $2 + 0 >= 262144 { n++ } END { print n + 0 }' /out/s.json)" -eq 4 ] || fail "blocks are not mapped"
[ "$(at_done machine_bytes cache)" -le $((1 << 30)) ] || fail "the machine has blocks of the disk more than once"
finish
