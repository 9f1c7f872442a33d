# SPDX-License-Identifier: MIT
#
# Pages that one CPU touched first and a CPU of another node works on come to that node by the policy `disco`, and sampling who uses
# them takes no more than its share of the CPUs' time. The kernel is asked where they are (where.c).
. /lab/lib.sh
pages=48
# As many CPUs as the host has: the first is on another node than the last.
cpus=$(nproc)
tiny "hand pages=$pages cpus=$cpus seconds=1000" --vcpus "$cpus" --policy disco,reset=100000 --stats /out/s.json
await 60 1 stamped
first=$(where $pid 'lab page' | sort -k 3 -n | tail -n 1 | cut -d ' ' -f 2)
# Some of them, in a time that a test may take: a touch takes 10 ms of an emulated host that has other things to do.
n=0
until [ "$(where -v $pid 'lab page' | awk -v first="$first" '$2 != first { n += $3 } END { print n + 0 }')" -ge 8 ]; do
	sleep 1
	[ $((n += 1)) -lt 60 ] || { fail "after $n s pages are where they were"; break; }
done
where -v $pid 'lab page'
stop
grep fault: /out/console/* && fail "the guest's memory is not what it stored"
grep -e '"sampl' -e '"touched' /out/s.json
awk '$1 == "\"sampling_share\":" { share = $2 + 0 } END { exit !(share > 0 && share < 0.03) }' /out/s.json ||
	fail "sampling takes more than its share"
finish
