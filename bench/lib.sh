# SPDX-License-Identifier: MIT
#
# Functions of all benchmarks: timing, runs in pairs, medians, and the file of figures.
#
# Machines are shared and clocks drift. So two programs are timed in turn, A B A B ..., and compared pair by pair: a ratio is the median of the pairs' ratios, with the smallest and largest beside it. Wall time
# counts; CPU time (user and system) stands beside it, because other work on the host disturbs it less. Nothing is pinned.
#
# Every script writes under build/bench: NAME.tsv raw runs (pair, side, wall s, CPU s, load of the host before), NAME.figures the
# lines of bench/run's table (what, goal, measured, range, details, verdict). Environment: B the build directory, PAIRS how many.

set -u
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
B=${B:-build}
case $B in /*) ;; *) B=$here/../$B ;; esac
DISCO=$B/disco
PAIRS=${PAIRS:-5}
out=$B/bench
mkdir -p "$out"

fail() { echo "bench: $*" >&2; exit 1; }
say() { echo "bench: $*" >&2; }

need() { # PROGRAM...
	local p
	for p; do command -v "$p" >/dev/null || fail "$p is missing: 'make bench' and 'make bench-peers' install it"; done
}

[ -x "$DISCO" ] || fail "$DISCO is missing: run make"

# One line on the host, which every figure needs beside it.
host_line() {
	printf '%s, %s CPUs, Linux %s, load %s\n' \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

# timed LOG COMMAND...: run it with no input; sets $wall and $cpu, seconds. Its standard output is in LOG, its standard error in LOG.err.
timed() {
	local log=$1 times rc TIMEFORMAT='%R %U %S'
	shift
	times=$( { time timeout "${LIMIT:-300}" "$@" </dev/null >"$log" 2>"$log.err"; } 2>&1 )
	rc=$?
	[ $rc -eq 0 ] || { tail -n 5 "$log" "$log.err" >&2; fail "$1 ended with $rc"; }
	read -r wall user system <<<"$times"
	cpu=$(awk -v u="$user" -v s="$system" 'BEGIN { print u + s }')
}

# pairs NAME SIDE...: PAIRS rounds of the functions run_SIDE, each of which calls timed().
pairs() {
	local name=$1 side i
	shift
	printf 'pair\tside\twall_s\tcpu_s\tload\n' >"$out/$name.tsv"
	for ((i = 1; i <= PAIRS; i++)); do
		for side; do
			local load
			load=$(cut -d ' ' -f 1 /proc/loadavg)
			"run_$side"
			printf '%d\t%s\t%s\t%s\t%s\n' "$i" "$side" "$wall" "$cpu" "$load" >>"$out/$name.tsv"
			say "$name: pair $i of $PAIRS: $side $wall s, CPU $cpu s (load $load)"
		done
	done
}

# figure FILE WHAT GOAL MEASURED RANGE DETAILS VERDICT
figure() {
	local file=$1
	shift
	(IFS=$'\t'; echo "$*") >>"$out/$file.figures"
}

# ratio NAME A B: "median smallest largest" of A's wall over B's, "median" of CPU, then medians of wall A, B, CPU A, B.
ratio() {
	awk -F '\t' -v a="$2" -v b="$3" '
	function median(v, n,  i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
		return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	}
	$2 == a { n++; wa[n] = $3; ca[n] = $4 }
	$2 == b { m++; wb[m] = $3; cb[m] = $4; rw[m] = wa[m] / $3; rc[m] = ca[m] / ($4 > 0 ? $4 : 0.001) }
	END {
		x = median(rw, m)
		printf "%.2f %.2f %.2f %.2f %.2f %.2f %.2f %.2f\n", x, rw[1], rw[m], median(rc, m),
			median(wa, m), median(wb, m), median(ca, m), median(cb, m)
	}' "$out/$1.tsv"
}

# verdict VALUE RELATION GOAL: RELATION is <= or >=
verdict() { awk -v v="$1" -v g="$3" "BEGIN { print (v $2 g) ? \"met\" : \"missed\" }"; }
