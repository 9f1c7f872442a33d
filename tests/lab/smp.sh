# SPDX-License-Identifier: MIT
#
# One VM with a CPU on each node sorts in parallel, with threads that wait for each other at barriers, and its result is right. Its
# threads may run on their node alone. Its kernel is shown the nodes (--virtual-numa), and understands.
. /lab/lib.sh
# The CPUs of each thread: lines "NAME CPUS" of the vCPUs' threads.
threads() {
	for task in /proc/$pid/task/*; do
		awk '/^Name:/ { name = $2 " " $3 } /^Cpus_allowed_list:/ { if (name ~ /^vm[0-9]+ cpu/) print name, $2 }' $task/status
	done 2>/dev/null | sort
}
start --share boot,disk --vcpus 4 --virtual-numa --memory 192M --fs lab=/lab/programs --stats /out/s.json --exec \
	'echo up; /mnt/lab/radix -n 1500000 -p 4; echo sorted with $?; grep -c "^cpu[0-9]" /proc/stat; echo "used $(awk "/^cpu[0-9]/ && \$2 > 5" /proc/stat | wc -l)"
	cat /sys/devices/system/node/online /sys/devices/system/node/node0/distance; echo go; sleep 5'
await 600 1 '| up$' || exit 1
threads >/out/threads
await 600 1 '| go$' || exit 1
cat /out/threads
[ "$(awk '{ print $3 }' /out/threads | sort -u | wc -l)" -eq $nodes ] && [ "$(wc -l </out/threads)" -eq 4 ] ||
	fail "four vCPUs are not on $nodes nodes"
said vm0 | grep -q '^radix: .* sorted, checksum ' && said vm0 | grep -q '^sorted with 0$' || fail "the sort: $(said vm0)"
[ "$nodes" -ne 4 ] || said vm0 | tr '\n' ' ' | grep -q ' 0-3 10 30 30 30 go' || fail "the guest sees other nodes: $(said vm0)"
said vm0 | grep -q '^used 4$' || fail "not all CPUs took part: $(said vm0)"
wait $pid
status=$?
[ $status -eq 0 ] || { fail "the run ends with status $status"; told; }
finish
