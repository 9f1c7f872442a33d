#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Measures template clones: 63 clones of a booted Debian of 192 MB. Measured are the host's time to make them, their own frames right
# then, the monitor's memory for each, and the frames each has when it knows its name and has run `true`. Only the time and the
# resident set depend on the host. The time is a median of PAIRS runs.
#
# Usage: bench/clone.sh
. "$(dirname "$0")/lib.sh"
need jq
work=$out/clone
mkdir -p "$work"
"$here/../guests/debian/fetch" >/dev/null || fail "no guest"

printf 'run\tclone_s\town_bytes\tmonitor_bytes\tprivate_bytes\trss_bytes\n' >"$out/clone.tsv"
for ((i = 1; i <= PAIRS; i++)); do
	LIMIT=560 timed "$work/$i.log" "$DISCO" run --warm --machine big64 --vms 64 --memory 192M --quiet --stats "$work/$i.json" --exec true
	jq -r --arg i "$i" '[$i, .host.clone_seconds, .warm.own_bytes, .warm.monitor_bytes_per_clone,
		([.vms[1:][].memory.mapped_bytes.private] | add / length), .host.max_rss_bytes] | @tsv' "$work/$i.json" >>"$out/clone.tsv"
	say "clone: run $i of $PAIRS: $(jq .host.clone_seconds "$work/$i.json") s (load $(cut -d ' ' -f 1 /proc/loadavg))"
done

# column N: median, smallest and largest of a column.
column() { awk -v c="$1" 'NR > 1 { print $c }' "$out/clone.tsv" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[1], v[NR] }'; }
mib() { awk -v v="$1" 'BEGIN { printf "%.2f", v / 1048576 }'; }

rm -f "$out/clone.figures"
read -r middle least most <<<"$(column 2)"
figure clone 'making 63 clones of a booted Debian, s' '<= 1' "$(printf '%.3f' "$middle")" "$(printf '%.3f to %.3f' "$least" "$most")" \
	"$(mib "$(jq .warm.shared_bytes "$work/1.json")") MiB each" "$(verdict "$middle" '<=' 1)"
read -r _ _ own <<<"$(column 3)"
figure clone 'frames of its own of a new clone, MiB' '<= 1' "$(mib "$own")" '' \
	"$(mib "$(column 5 | cut -d ' ' -f 1)") when it has its name and has run true" "$(verdict "$(mib "$own")" '<=' 1)"
read -r monitor _ _ <<<"$(column 4)"
figure clone "monitor's memory a new clone, MiB" '<= 1' "$(mib "$monitor")" '' \
	"$(mib "$(column 6 | cut -d ' ' -f 1)") MiB resident, all of it" "$(verdict "$(mib "$monitor")" '<=' 1)"
[ -n "${BENCH_RUN-}" ] || "$here/run" --table clone
