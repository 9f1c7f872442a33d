# SPDX-License-Identifier: MIT
# Functions of the lab's scripts. Sourced, by busybox's shell on the lab host: `. /lab/lib.sh`.
failures=0
nodes=$(ls -d /sys/devices/system/node/node[0-9]* | wc -l)

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# Is there a process of this name? The guest's busybox has no pgrep.
running() {
	grep -qx "$1" /proc/[0-9]*/comm 2>/dev/null
}

finish() {
	[ $failures -eq 0 ] || exit 1
	echo "all as it should be"
	exit 0
}

# VMs of Debian.
debian='--engine kvm --guest debian --console-log /out/console'

# run LIMIT ARGUMENT...: disco run with KVM; output in /out/stdout and /out/stderr, VMs' consoles in /out/console, its status in $status.
run() {
	limit=$1
	shift
	timeout -k 5 "$limit" disco run $debian "$@" >/out/stdout 2>/out/stderr
	status=$?
	# disco takes the first signal of timeout for an interrupt.
	case $status in
	124 | 130 | 137 | 143) fail "disco run $* does not end within $limit s" ;;
	*) [ $status -lt 128 ] || fail "disco run $* ends by signal $((status - 128))" ;;
	esac
}

# A run that must succeed.
run_ok() {
	run "$@"
	[ $status -eq 0 ] || {
		fail "disco run $* ends with status $status"
		told
	}
}

told() {
	for file in /out/stdout /out/stderr /out/console/*; do
		echo "$file:"
		tail -n 20 "$file"
	done
}

# start ARGUMENT...: the same in the background, as process $pid.
start() {
	disco run $debian "$@" >/out/stdout 2>/out/stderr &
	pid=$!
}

# tiny WORDS ARGUMENT...: VMs of the lab's own guest (guest/guest.c) with these words on its command line, in the background.
tiny() {
	words=$1
	shift
	disco run --engine kvm --kernel /lab/guest.bz --append "$words" --disk none --no-net --memory 64M --console-log /out/console \
		"$@" >/out/stdout 2>/out/stderr &
	pid=$!
}

# ended LIMIT N: the run ends, and N VMs of the lab's guest found all right.
ended() {
	waited=0
	while kill -0 $pid 2>/dev/null; do
		sleep 1
		[ $((waited += 1)) -lt "$1" ] || { fail "the run does not end within $1 s"; kill -9 $pid; }
	done
	wait $pid
	status=$?
	[ $status -eq 0 ] || fail "the run ends with status $status"
	[ "$(cat /out/console/* | grep -c 'done [0-9a-f]')" -eq "$2" ] && ! grep -q fault: /out/console/* || fail "not $2 VMs are done"
	[ $failures -eq 0 ] || told
}

# await LIMIT N TEXT: until N lines that VMs print have TEXT.
await() {
	waited=0
	until [ "$(grep -c "$3" /out/stdout)" -ge "$2" ]; do
		sleep 1
		kill -0 $pid 2>/dev/null || { fail "the run ends before $2 times '$3' is printed"; told; return 1; }
		[ $((waited += 1)) -lt "$1" ] || { fail "after $1 s '$3' is not there $2 times"; told; return 1; }
	done
}

# Ends the run that start() began, as a user at the keyboard would.
stop() {
	kill -INT $pid
	wait $pid
	status=$?
	[ $status -eq 130 ] || fail "the interrupted run ends with status $status"
}

# Lines that VM $1 printed.
said() {
	sed -n "s/^$1| //p" /out/stdout
}

# at_done SUM KIND: bytes of the kind in a sum of the statistics /out/s.json, when the last command had ended.
at_done() {
	awk -v sum="\"$1\":" -v kind="\"$2\":" '$1 == "\"event\":" { at = $2 == "\"done\"," } $1 == sum { inside = at }
		inside && $1 == kind { print $2 + 0; exit }' /out/s.json
}

# equal_sums N: the last line of VMs 0 to N-1 is that of vm0, a checksum.
equal_sums() {
	sum=$(said vm0 | tail -n 1)
	[ "$(expr "$sum" : '[0-9a-f]\{32\}  ')" -eq 34 ] || fail "vm0 has no sum: '$sum'"
	for vm in $(seq 0 $(($1 - 1))); do
		[ "$(said vm$vm | tail -n 1)" = "$sum" ] || fail "vm$vm has '$(said vm$vm | tail -n 1)', vm0 '$sum'"
	done
}
