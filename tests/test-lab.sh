#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A quick round on the lab host, an emulated NUMA machine with KVM (tests/lab/run): the lab itself. `make lab` runs all of its scripts.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "a sanitizer build is too slow under emulation"
round() { # NODES SCRIPT LIMIT
	B=$(dirname "$disco") timeout -k 5 400 "$root/tests/lab/run" "$1" "$root/tests/lab/$2.sh" "$3" >"$work/out" 2>&1
	status=$?
	[ $status -ne 77 ] || skip "$(sed -n 's/^SKIP: //p' "$work/out")"
	[ $status -eq 0 ] || {
		fail "$2 on $1 nodes ends with status $status"
		tail -n 30 "$work/out"
	}
}
round 2 self 60
finish
