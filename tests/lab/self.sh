# SPDX-License-Identifier: MIT
#
# The lab itself has all that the other scripts rely on.
. /lab/lib.sh
for node in /sys/devices/system/node/node[0-9]*; do
	echo "${node##*/}: cpus $(cat $node/cpulist), distances $(cat $node/distance), $(awk '/MemFree/ { print $4 }' $node/meminfo) kB free"
	awk '/MemFree/ { exit !($4 > 400000) }' $node/meminfo || fail "${node##*/} has no memory to work with"
	awk '{ for (i = 1; i <= NF; i++) remote += $i == 30; exit remote != NF - 1 }' $node/distance || fail "${node##*/} is not 30 from the others"
done
selftest "$nodes" || fail "selftest"
[ "$(disco topology --list | wc -l)" -gt 3 ] || fail "disco does not run"
[ "$(head -c 1082 /dev/vda | tail -c 2 | od -An -tx1)" = ' 53 ef' ] || fail "the guest's root disk is no ext4"
echo "$nodes" >/out/nodes
finish
