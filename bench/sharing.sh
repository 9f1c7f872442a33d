#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures the scan for zero and identical pages, its worth and its cost: Debian VMs booted separately, then idle, with each of the
# two and with neither. Machine memory of a further VM is the difference between N VMs and one, over N - 1, so that all memory of a VM
# is in it. Last, the pages that the scan found against those of a perfect search.
#
# Memory and machine time are the runs' own statistics (monitor/report/STATS.md), the same on any host. The host's time for the scan is
# measured in pairs.
#
# Leaves sharing.txt (the table). Usage: bench/sharing.sh [VMS] [IDLE-SECONDS]    (default: 8 20)
. "$(dirname "$0")/lib.sh"
need jq
n=${1:-8}
idle=${2:-20}
work=$out/sharing
mkdir -p "$work"
"$here/../guests/debian/fetch" >/dev/null || fail "no guest"

boot() { # VMS SHARE NAME COMMAND
	LIMIT=560 timed "$work/$3.log" "$DISCO" run --machine flash8 --vms "$1" --memory 192M --guest debian --quiet --share "$2" \
		--stats "$work/$3.json" --exec "$4"
}
# get NAME FILTER: of the snapshot when the last command had ended
get() { jq -r ". as \$all | [.snapshots[] | select(.event == \"done\")][0] | $2" "$work/$1.json"; }

declare -A share=([neither]=all,-zero,-content [zero]=all,-content [identical]=all,-zero [both]=all)
for way in neither zero identical both; do
	for vms in 1 "$n"; do
		say "sharing: $vms VMs, $way"
		boot "$vms" "${share[$way]}" "$way-$vms" "sleep $idle"
	done
done

# MB that a further VM takes: frames alone.
further() {
	awk -v a="$(get "$1-$n" .machine_bytes.total)" -v b="$(get "$1-1" .machine_bytes.total)" -v n="$n" \
		'BEGIN { printf "%.1f", (a - b) / (n - 1) / 1048576 }'
}
saved='(.virtual_bytes | .same + .zero) - (.machine_bytes | .same + .zero)'
found() { # NAME: per cent of what a perfect search would have freed
	get "$1" "100 * ($saved) / ($saved + .duplicate_bytes) * 10 | round / 10"
}
{
	echo "Memory of $n VMs, MB, after boot and $idle s idle; shared besides zero and identical pages: boot files, disk blocks"
	echo 'found       virtual  machine   a further VM  monitor  search: looks  % of CPUs, % of VMs   boot s  possible found'
	for way in neither zero identical both; do
		printf '%-10s %8.1f %8.1f %14s %8.1f %14d %10.2f %8.2f %8.2f %12s %%\n' "$way" \
			"$(get "$way-$n" '.virtual_bytes.total / 1048576')" "$(get "$way-$n" '.machine_bytes.total / 1048576')" \
			"$(further "$way")" "$(get "$way-$n" '.monitor_bytes / 1048576')" \
			"$(get "$way-$n" '$all.content.looks // 0')" \
			"$(get "$way-$n" '100 * ($all.content.cycles // 0) / ($all.cycles * $all.inputs.machine.cpus)')" \
			"$(get "$way-$n" '100 * ($all.content.charged_cycles // 0) / ([$all.vms[].vcpus[].ran_cycles] | add)')" \
			"$(get "$way-$n" '[$all.vms[] | .ready_cycles - .started_cycles] | add / length / $all.inputs.machine.clock_hz')" \
			"$([ "$way" = both ] && found "$way-$n" || echo -)"
	done
} >"$out/sharing.txt"

# The host's time for a boot, with and without the search.
run_search() { boot "$n" all time "true"; }
run_none() { boot "$n" all,-zero,-content time "true"; }
pairs sharing-time search none
read -r r low high cpu _ <<<"$(ratio sharing-time search none)"

rm -f "$out/sharing.figures"
figure sharing "A further idle VM's frames, MB of $n VMs" '<= 12' "$(further both)" "" \
	"$(further neither) with neither zero nor identical pages, $(further zero) with zero, $(further identical) with identical ones" \
	"$(verdict "$(further both)" '<=' 12)"
figure sharing "Possible sharing that is found, %" "" "$(found "both-$n")" "" \
	"against a count of all frames at that moment" ""
figure sharing "CPU time of $n boots with the search over without" '<= 1.03' "$cpu" "" \
	"wall time $r ($low .. $high)" "$(verdict "$cpu" '<=' 1.03)"
[ -n "${BENCH_RUN-}" ] || { cat "$out/sharing.txt"; echo; "$here/run" --table sharing; }
