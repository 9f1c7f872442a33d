# SPDX-License-Identifier: MIT
# What the lab's scripts share. Sourced, by busybox's shell on the lab host: `. /lab/lib.sh`.
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

finish() {
	[ $failures -eq 0 ] || exit 1
	echo "all as it should be"
	exit 0
}
