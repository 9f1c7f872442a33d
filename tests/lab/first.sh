# SPDX-License-Identifier: MIT
#
# First touch in a VM with a CPU on each node: a page is on the node of the CPU that touched it, whether that waited in KVM itself
# (interrupts off) or the kernel let a worker wait for it (interrupts on). The kernel is asked where pages are (where.c).
. /lab/lib.sh
cpus=$(nproc) pages=$((64 * $(nproc)))
tiny "first pages=$pages cpus=$cpus" --vcpus "$cpus" --stats /out/s.json
await 60 1 stamped
where $pid 'lab page' >/tmp/where
cat /tmp/where
awk -v share=$((pages / nodes)) '$3 != share { exit 1 }' /tmp/where || fail "pages are not on the nodes of the CPUs that touched them"
stop
grep fault: /out/console/* && fail "the guest says so"
grep '"faults_' /out/s.json
grep -q '"faults_worker": [1-9]' /out/s.json || fail "no worker waited for a fault: this tests nothing"
finish
