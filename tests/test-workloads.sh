#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The workloads of guests/workloads, each made small, in one boot: each ends well with the result its `expected` names, whatever the
# number of threads or the compiler, and marks its part of interest as a region; and a result that is not expected fails. The
# database's queries have the same answers from PostgreSQL. That and pmake, on a private disk, run without magic instructions: they are the
# largest, and would take most of a minute with caches.
. "$(dirname "$0")/lib.sh"
need jq
debian
[ -z "${SAN:-}" ] || skip "nothing here that the other tests do not run, and slow"

truncate -s 64M "$work/private.img"
run_ok 500 --vcpus 4 --memory 256M --guest debian --no-net --disk "$guest/root.img" --disk "$work/private.img,private" \
	--stats "$work/stats.json" --exec '
		cd /usr/local/share/disco || exit
		status() { echo "$* after $(cut -d " " -f 1 /proc/uptime) s"; disco-mark functional; }
		make -s -C raytrace check N=16; status "raytrace 4: $?"
		make -s -C raytrace check N=16 THREADS=3; status "raytrace 3: $?"
		make -s -C raytrace check N=24; status "raytrace 24: $?"
		make -s -C database check N=1 STREAMS=2; status "database: $?"
		make -s -C engineering check N=1 JOBS=1; status "engineering: $?"
		PATH=/usr/bin:/usr/sbin make -s -C database check N=1 STREAMS=2 ENGINE=postgresql OUT=/tmp/server; status "postgresql: $?"
		ls -d /tmp/server/db 2>&1; ps -A | grep postgres
		PATH=/usr/bin:/usr/sbin make -s -C pmake run N=1 J=4 DISK=/dev/vdb CFLAGS=-O0; status "pmake: $?"
		[ -z "$(find /var/tmp/pmake -type f)" ] || echo "pmake left files on the root disk"'
said vm0
for name in 'raytrace 4: 0' 'raytrace 3: 0' 'raytrace 24: 2' 'database: 0' 'postgresql: 0' 'engineering: 0' 'pmake: 0'; do
	said vm0 | grep -q "^$name after" || fail "not '$name'"
done
[ "$(said vm0 | grep -c '^database 1 ')" -eq 2 ] || fail "not the same result from SQLite and PostgreSQL"
said vm0 | grep -q -e 'postgres$' -e '^/tmp/server/db' && fail "PostgreSQL is still there"
said vm0 | grep -q 'left files' && fail "pmake did not use its disk"
for line in 'raytrace 16' 'database 1' 'engineering 1 1'; do
	said vm0 | grep "^$line " | grep -qxFf "$root/guests/workloads/${line%% *}/expected" || fail "no right line '$line'"
done
said vm0 | grep -qx "pmake 1 $(tail -n 1 "$root/guests/workloads/pmake/expected")" || fail "pmake: another checksum"
[ "$(jq '.numa.regions | length' "$work/stats.json")" = 5 ] || fail "not five regions: $(jq -c .numa.regions "$work/stats.json")"
jq -e 'all(.numa.regions[]; .misses > 0)' "$work/stats.json" >/dev/null || fail "a region without caches"
jq -r ".numa.regions[] | \"region: \\(.cpu_cycles * (1 - .stall_share) / 1e6 | floor) M instructions, \\(.cycles / 4e5 | floor) ms\"" "$work/stats.json"
finish
