#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures the speed-up by a second host thread: eight VMs boot and each does a CPU-bound job, on one thread and on two, in turn. The
# host limits that speed-up, so each round has a third run: two processes at once, on one thread each, four VMs each. That is the
# same work with nothing to wait for. Statistics of one and two threads must be equal, or the times mean nothing.
. "$(dirname "$0")/lib.sh"
need jq
PAIRS=${PAIRS_THREADS:-$(((PAIRS + 1) / 2))}
[ "$(nproc)" -ge 2 ] || fail "this host has one CPU"

work=$out/threads
mkdir -p "$work"
job='head -c 16M /dev/zero | sha256sum; seq 1 20000 | sort -r | md5sum'
common=(run --machine flash8 --memory 128M --guest debian --exec "$job" --quiet)
"$here/../guests/debian/fetch" >/dev/null || fail "no guest"

run_one() { timed "$work/one" "$DISCO" "${common[@]}" --vms 8 --threads 1 --stats "$work/one.json"; }
run_two() { timed "$work/two" "$DISCO" "${common[@]}" --vms 8 --threads 2 --stats "$work/two.json"; }
halves() {
	local first rc
	"$DISCO" "${common[@]}" --vms 4 --threads 1 &
	first=$!
	"$DISCO" "${common[@]}" --vms 4 --threads 1
	rc=$?
	wait $first && return $rc
}
run_halves() {
	export -f halves
	export DISCO
	timed "$work/halves" bash -c "$(declare -p common); halves"
}

rm -f "$out/threads.figures"
LIMIT=560 pairs threads one two halves
[ "$(jq -c 'del(.host)' "$work/one.json")" = "$(jq -c 'del(.host)' "$work/two.json")" ] ||
	fail "one and two threads give different statistics: $work/one.json $work/two.json"
read -r -a r <<<"$(ratio threads one two)"
read -r -a h <<<"$(ratio threads one halves)"
figure threads 'Two host threads on 8 VMs, speed-up' '>= 1.7' "${r[0]}" "${r[1]}..${r[2]}" \
	"one ${r[4]} s, two ${r[5]} s; CPU ${r[6]}, ${r[7]} s; two processes: ${h[0]}" "$(verdict "${r[0]}" '>=' 1.7)"
[ -n "${BENCH_RUN-}" ] || { host_line; "$here/run" --table threads; }
