# SPDX-License-Identifier: MIT
#
# Neighbouring pages of VMs are neighbours in machine memory, too, though several VMs take memory of a node at once: the kernel keeps few
# records of them. With --huge-pages its page tables have large entries. Both, until pages move by themselves.
. /lab/lib.sh
# maps: how many mappings of frames the monitor has.
maps() {
	grep -c memfd:disco-node /proc/$pid/maps
}
pages=1200
for huge in "" --huge-pages; do
	[ -z "$huge" ] || echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled
	tiny "write pages=$pages seconds=15" --vms 4 --share boot $huge --stats /out/s.json
	await 60 1 stamped && sleep 5 # the others, too
	maps=$(maps)
	ended 90 4
	bytes=$(awk '$1 == "\"huge_bytes\":" { print $2 + 0 }' /out/s.json)
	echo "4 VMs with $((pages * 4)) KiB in use each, $huge: $maps mappings, $bytes bytes in huge pages"
	grep -e '"faults_m' -e '"maps' -e '"vmas"' /out/s.json
	[ "$maps" -le 100 ] || fail "frames take $maps mappings"
	if [ -z "$huge" ]; then
		[ "$bytes" -eq 0 ] || fail "$bytes bytes are in huge pages that were not asked for"
	else
		[ "$bytes" -ge $((4 * pages * 4096 / 2)) ] || fail "only $bytes bytes are in huge pages"
	fi
done
finish
