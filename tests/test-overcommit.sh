#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# VMs with twice the machine's memory and more: each in turn needs much memory for a while. Without
# --overcommit what a guest has freed is gone for the others, and the machine is exhausted; with it
# balloons bring it back and all end well. And freed pages come back unasked where guests report them.
. "$(dirname "$0")/lib.sh"
debian
cat >"$work/small.conf" <<END
nodes = 2;
cpus = 2;
memory = "90M";
END
job='sleep $(($(hostname | tr -d vm) * 2)); head -c 56000000 /dev/zero | tr "\0" x >/tmp/x; md5sum /tmp/x; rm /tmp/x'

# tight NAME OPTION...
tight() {
	local name=$1
	shift
	run 900 --quiet --machine "$work/small.conf" --vms 2 --memory 192M --exec "$job" --stats "$work/$name.json" "$@"
}

tight alone --share all,-content,-free
[ $status -eq 1 ] || fail "without balloons there is memory enough: status $status"
grep -q 'machine memory is exhausted' "$work/err" || fail "exhausted, but says: $(cat "$work/err")"
tight balloons --share all,-content,-free --overcommit
[ $status -eq 0 ] || fail "with balloons: status $status: $(cat "$work/out" "$work/err")"
[ "$(sed 's/^vm[01]| //' "$work/out" | sort -u | wc -l)" -eq 1 ] || fail "sums: $(cat "$work/out")"
tight reports
[ $status -eq 0 ] || fail "with pages reported: status $status: $(cat "$work/out" "$work/err")"

taken() { # FILE KEY: the sum over all VMs
	awk -v key="\"$2\":" '{ while (match($0, key " *[0-9]+")) { s = substr($0, RSTART, RLENGTH); sub(/.*[^0-9]/, "", s); n += s; $0 = substr($0, RSTART + RLENGTH) } } END { print n + 0 }' "$1"
}
[ "$(taken "$work/balloons.json" pages_taken)" -gt 5000 ] || fail "the balloons took nothing"
[ "$(taken "$work/balloons.json" pages_reported)" -eq 0 ] || fail "pages were reported in spite of --share -free"
[ "$(taken "$work/reports.json" pages_reported)" -gt 10000 ] || fail "no pages were reported"
finish
