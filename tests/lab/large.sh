# SPDX-License-Identifier: MIT
#
# Memory beyond the gap below 4 GiB, in VMs larger than the host: what was not touched takes nothing.
. /lab/lib.sh
# The last pages before the gap, the first behind it, the last of all.
for at in 0xbff00000 0x100000000 0x1bff00000; do
	tiny "write at=$at pages=256 seconds=2" --memory 6G
	ended 100 1
done
finish
