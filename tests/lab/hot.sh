# SPDX-License-Identifier: MIT
#
# Pages that one CPU touched first and a CPU of another node works on come to that node and no other by the policy `disco`, and
# sampling takes no more than its share of the CPUs' time. The kernel is asked where they are (where.c). The guest has
# interrupts on, as programs on Linux have: its faults are those of the kernel's workers, by which the node is to be told.
. /lab/lib.sh
pages=48
# As many CPUs as the host has: the first is on another node than the last.
cpus=$(nproc)
tiny "hand pages=$pages cpus=$cpus seconds=1000" --vcpus "$cpus" --policy disco,reset=100000 --stats /out/s.json
await 60 1 stamped
for thread in /proc/$pid/task/*; do
	[ "$(cat $thread/comm)" = "vm0 cpu$((cpus - 1))" ] && bound=$(sed -n 's/^Cpus_allowed_list:[^0-9]*//p' $thread/status)
done
for node in $(seq 0 $((nodes - 1))); do
	[ "$(cat /sys/devices/system/node/node$node/cpulist)" = "$bound" ] && user=$node
done
[ -n "$user" ] || fail "the last vCPU may run on the CPUs '$bound', which are no node"
first=$(where $pid 'lab page' | sort -k 3 -n | tail -n 1 | cut -d ' ' -f 2)
# Some of them. The limit is for a program that moves none: a touch takes 10 ms of an emulated host, and far more where the
# emulator has to share its CPUs.
n=0
until [ "$(where -v $pid 'lab page' | awk -v user="$user" '$2 == user { print $3 }')" -ge 8 ]; do
	sleep 1
	[ $((n += 1)) -lt 600 ] || { fail "after $n s pages are where they were"; break; }
done
where -v $pid 'lab page' >/tmp/where
awk -v first="$first" -v user="$user" '$2 != first && $2 != user && $3 { exit 1 }' /tmp/where ||
	fail "pages of node $first that node $user uses come elsewhere"
cat /tmp/where
sleep 20 # enough for thousands of touches, if there were no limit
stop
grep fault: /out/console/* && fail "the guest's memory has changed"
# All CPUs of a VM see its memory as its first node does: copies elsewhere are of no use.
grep -q '"replications": 0,' /out/s.json || fail "copies were made that no CPU uses: $(grep '"replications"' /out/s.json)"
grep -q '"faults_worker": [1-9]' /out/s.json && grep -q '"faults_nowhere": 0,' /out/s.json ||
	fail "faults are not those of workers whose node is known: $(grep '"faults_' /out/s.json)"
grep -e '"sampl' -e '"touched' /out/s.json
# While more was spent than a hundredth, no page is removed; the 128 that are removed at the most may still be touched. So beyond the
# share are never more touches than these, counted twice here, as not all take the same time.
awk '$1 == "\"sampling_share\":" { share = $2 + 0 } $1 == "\"touched\":" { touched = $2 + 0 }
	END { exit !(share > 0 && touched > 0 && share * (1 - 256 / touched) < 0.011) }' /out/s.json ||
	fail "sampling takes more than its share"
finish
