#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A guest is shown the nodes that its CPUs are on with --virtual-numa, and one node without.
. "$(dirname "$0")/lib.sh"
debian
cat >"$work/three.conf" <<'END'
nodes = 3;
cpus = 1;
memory = "256M";
END
ask='cat /sys/devices/system/node/online; cd /sys/devices/system/node; for n in node*; do echo $n $(cat $n/cpulist): $(cat $n/distance), $(awk "/MemTotal/ { print (\$4 > 20000) }" $n/meminfo); done'
run_ok 600 --machine "$work/three.conf" --vcpus 3 --memory 160M --virtual-numa --exec "$ask" --stats "$work/stats.json"
[ "$(said vm0)" = "0-2
node0 0: 10 30 30, 1
node1 1: 30 10 30, 1
node2 2: 30 30 10, 1" ] || fail "with --virtual-numa the guest sees: $(said vm0)"
# A third of the memory is of each node, for a kernel that touches all of its tables.
jq -e '.vms[0].memory.node_bytes | min > 1e6 and max < 1e8' "$work/stats.json" >/dev/null ||
	fail "pages are on nodes so: $(jq -c '.vms[0].memory.node_bytes' "$work/stats.json")"
run_ok 600 --machine "$work/three.conf" --vcpus 3 --memory 160M --exec 'cat /sys/devices/system/node/online'
[ "$(said vm0)" = 0 ] || fail "without --virtual-numa the guest sees nodes $(said vm0)"
finish
