# SPDX-License-Identifier: MIT
#
# Memory beyond the gap below 4 GiB, in VMs larger than the host: pages never touched take nothing.
. /lab/lib.sh
host=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
[ "$host" -lt $((4 << 20)) ] || fail "the host is larger than VMs are to be"

# The last pages before the gap, the first behind it, the last of all.
for at in 0xbff00000 0x100000000 0x1bff00000; do
	tiny "write at=$at pages=256 seconds=2" --memory 6G
	ended 100 1
done

# Debian keeps 64 bytes for each page of 4 KiB: a VM of 4 GiB takes that much more than a small one.
run_ok 400 --share boot,disk --memory 4G --stats /out/s.json --exec 'grep MemTotal /proc/meminfo'
total=$(said vm0 | awk '/MemTotal/ { print $2 }')
[ "${total:-0}" -gt $((3800 << 10)) ] && [ "$total" -lt $((4096 << 10)) ] || fail "of 4 GiB Debian has '$total' kB"
taken=$(at_done machine_bytes total)
echo "Debian has $total kB, and the VM takes $((taken >> 20)) MB"
[ "$taken" -gt 0 ] && [ "$taken" -lt $((400 << 20)) ] || fail "a VM that uses little of its 4 GiB takes $taken bytes"
finish
