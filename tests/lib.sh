# SPDX-License-Identifier: MIT
# Functions of all test scripts. Sourced: makes a working directory that goes away at the end, and changes nothing else.
# DISCO names the program, and SAN is set when it is a sanitizer build, three to four times slower.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
disco=${DISCO:-$root/build/disco}
[ -z "${SAN:-}" ] && grep -qa __asan_init "$disco" 2>/dev/null && SAN=1
slowness=${SAN:+4} slowness=${slowness:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
PATH=$PATH:/usr/sbin:/sbin
failures=0

fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

skip() {
	echo "SKIP: $*"
	exit 77
}

finish() {
	[ $failures -eq 0 ] || exit 1
	echo "all as it should be"
	exit 0
}

need() { # TOOL...
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is missing"
	done
}

# What clang makes under the sanitizers, for several tests: the first of them builds it, the others wait.
sanitized_build() {
	need make clang
	mkdir -p "$root/build"
	unset MAKEFLAGS MAKELEVEL MFLAGS
	flock "$root/build/fuzz.lock" make -C "$root" -s -j2 fuzzers >"$work/make.log" 2>&1 || {
		echo "FAIL: clang cannot build all: $(grep -v -e '^  CC' -e '^  LD' "$work/make.log" | tail -n 40)"
		exit 1
	}
}

# bare NAME: build tests/guests/NAME.S as $work/NAME.elf.
bare() {
	need riscv64-linux-gnu-as riscv64-linux-gnu-ld
	riscv64-linux-gnu-as -march=rv64gc -I "$root/tests/guests" "$root/tests/guests/$1.S" -o "$work/$1.o" &&
		riscv64-linux-gnu-ld -N --no-warn-rwx-segments -Ttext=0x80000000 "$work/$1.o" -o "$work/$1.elf" || {
		echo "FAIL: $1 cannot be built"
		exit 1
	}
}

# Sets $guest to the directory with the Debian guest's files.
debian() {
	if ! guest=$("$root/guests/debian/fetch" 2>"$work/fetch.log"); then
		grep -q -e 'is there a network?' -e 'download failed' "$work/fetch.log" && skip "no Debian guest in the cache, and no network"
		cat "$work/fetch.log"
		exit 1
	fi
}

# limited LIMIT COMMAND...: ends a command that does not end. LIMIT: seconds of two idle CPUs, for a program without sanitizers. The
# command has five times as long, as the host may have other work to do.
limited() {
	local seconds=$(($1 * slowness))
	(ulimit -c 0 -t $((seconds * 2)) && exec timeout -k 5 $((seconds * 5)) "${@:2}")
}

# run LIMIT ARGUMENT...: disco run; output in $work/out and $work/err, its status in $status. Reaching the limit fails.
run() {
	local limit=$1
	shift
	limited "$limit" "$disco" run --threads 2 "$@" </dev/null >"$work/out" 2>"$work/err"
	status=$?
	case $status in 124 | 137 | 152) fail "disco run $* does not end within $limit s" ;; esac
	[ $status -lt 128 ] || fail "disco run $* ends by signal $((status - 128))"
}

# A run that must succeed.
run_ok() {
	run "$@"
	[ $status -eq 0 ] || {
		fail "disco run ${*:2} ends with status $status"
		tail -n 20 "$work/out" "$work/err"
	}
}

# Lines that VM $1 printed.
said() {
	sed -n "s/^$1| //p" "$work/out"
}
