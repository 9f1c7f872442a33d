# SPDX-License-Identifier: MIT
#
# vCPUs go where CPUs are idle. A VM begins on a node whose CPUs are idle. When another process takes them, it comes to another.
. /lab/lib.sh
# On which node's CPUs the only VM's thread may run.
node_of_vm() {
	for task in /proc/$pid/task/*; do
		awk '/^Name:/ { vcpu = $2 == "vm0" } /^Cpus_allowed_list:/ && vcpu { print $2 }' $task/status
	done 2>/dev/null >/tmp/cpus
	for node in $(seq 0 $((nodes - 1))); do
		[ "$(cat /sys/devices/system/node/node$node/cpulist)" = "$(cat /tmp/cpus)" ] && echo $node
	done
}
# Take all CPUs of a node.
crowd() {
	list=$(cat /sys/devices/system/node/node$1/cpulist)
	for cpu in $(seq ${list%-*} ${list#*-}); do
		taskset -c $cpu sh -c 'while :; do :; done' &
		crowd="$crowd $!"
	done
}
crowd=
crowd 0
start --share boot,disk --memory 128M --exec 'echo busy; while :; do :; done'
await 600 1 '| busy$' || exit 1
first=$(node_of_vm)
[ -n "$first" ] && [ "$first" != 0 ] || fail "the VM begins on node '$first', where others are at work"
kill $crowd
crowd=
# Two for a CPU: each gets half of it, and the VM's thread waits half of its time.
crowd "$first"
n=0
until now=$(node_of_vm); [ -n "$now" ] && [ "$now" != "$first" ]; do
	sleep 1
	[ $((n += 1)) -lt 60 ] || { fail "a minute after others came to node $first, the VM is still there"; break; }
done
echo "began on node $first, and came to node $now after $n s"
kill $crowd
stop
finish
