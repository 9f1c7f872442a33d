#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# SPLASHOS keeps its promises to a parallel program: threads and their synchronization on 1 to 64 harts, also on QEMU with
# OpenSBI, where harts really run at once; arguments, exit codes and mistakes; it is up in less than a millisecond. The radix sort
# gives the same result with any number of processors, radix and host threads, and on Linux from the same source.
. "$(dirname "$0")/lib.sh"
need riscv64-unknown-elf-gcc jq
echo '#include <picolibc.h>' | riscv64-unknown-elf-gcc --specs=picolibc.specs -E - >/dev/null 2>&1 || skip "picolibc is missing"

# splashos ARGUMENTS OPTION...: run the test program.
make -s -C "$root/guests/splashos" SRC="$root/tests/guests/splashos.c" OUT="$work/os" >"$work/make.log" 2>&1 || {
	cat "$work/make.log"
	exit 1
}
[ ! -s "$work/make.log" ] || fail "the compiler warns: $(cat "$work/make.log")"
splashos() {
	run 120 --kernel "$work/os/kernel" --append "$1" --memory 65M --stats "$work/stats.json" "${@:2}"
}
is() { # FILTER VALUE: what the statistics say
	local v
	v=$(jq -r "$1" "$work/stats.json")
	[ "$v" = "$2" ] || fail "$1 is $v, not $2"
}

for n in 1 2 8 64; do
	splashos "t sync" --machine big64 --vcpus $n --virtual-timeout 20
	[ $status -eq 0 ] && grep -q "^$n harts: all as it should be, 1.5" "$work/out" || fail "$n harts: $(tail -n 1 "$work/out" "$work/err")"
done
splashos "t sync" --vcpus 8 --virtual-timeout 20 --fidelity numa --policy disco
[ $status -eq 0 ] || fail "8 harts with caches: $(tail -n 1 "$work/out" "$work/err")"
if command -v qemu-system-riscv64 >/dev/null; then
	limited 120 qemu-system-riscv64 -M virt -smp 4 -m 65M -display none -serial stdio -monitor none -kernel "$work/os/kernel" \
		-append "t sync" </dev/null >"$work/out" 2>&1 || fail "on QEMU: exit status $?"
	grep -q '^4 harts: all as it should be' "$work/out" || fail "on QEMU: $(tail -n 1 "$work/out")"
fi

splashos "t exit 0" --vcpus 8
[ $status -eq 0 ] || fail "exit 0 ends the run with $status"
is '.cycles < .inputs.machine.clock_hz / 1000' true
splashos "t exit 5" --vcpus 2
[ $status -eq 1 ] || fail "exit 5 ends the run with $status"
is '.vms[0].exit' 5
grep -q 'the last words' "$work/out" || fail "a line without an end is lost at exit"
splashos "A=1 HOME=there t words  b c"
grep -qx '\[t\]\[words\]\[b\]\[c\] there' "$work/out" || fail "arguments: $(cat "$work/out")"
splashos "t fault" --vcpus 2
is '.vms[0].exit' 255
grep -q 'splashos: hart 0: trap 5 at 0x802[0-9a-f]*, value 0x40$' "$work/out" || fail "a fault says: $(cat "$work/out")"
splashos "t abort"
is '.vms[0].exit' 134
grep -q 'assertion "argc == 0" failed' "$work/out" || fail "an assertion says: $(cat "$work/out")"
splashos "t hang" --vcpus 2
[ $status -eq 1 ] || fail "a program that waits for nothing ends the run with $status"
is .end stuck

# The guest, made in a cache of its own; the second run finds it there.
splash_radix() { # ARGUMENTS OPTION...
	XDG_CACHE_HOME=$work/cache run_ok 120 --guest splashos/radix --append "radix $1" --vcpus 8 --stats "$work/stats.json" "${@:2}"
}
sums() { # of VM $1, or of the console
	sed -n "s/^${1:+$1| }radix: .*: sorted, checksum //p" "$work/out"
}
for options in '-p 1 -r 65536' '-p 3 -r 32' '-p 8' '-p 8 -r 2'; do
	splash_radix "-n 100000 $options"
	sum=${sum:-$(sums)}
	[ -n "$sum" ] && [ "$(sums)" = "$sum" ] || fail "radix -n 100000 $options: checksum $(sums), not $sum"
done
[ "$(ls "$work/cache/disco" | wc -l)" -eq 1 ] || fail "the guest was made more than once: $(ls "$work/cache/disco")"
splash_radix '-n 100000 -s 1'
[ "$(sums)" != "$sum" ] || fail "another seed gives the same keys"
is '.numa.regions | length' 1
XDG_CACHE_HOME=$work/cache run 120 --guest splashos/radix --append 'radix -p 9' --vcpus 8 --stats "$work/stats.json"
is '.vms[0].exit' 2

# Two host threads and one: the same, bit for bit, and on each VM's console.
for threads in 1 2; do
	splash_radix '-n 50000' --vms 2 --fidelity numa --policy disco --threads $threads
	jq -S 'del(.host)' "$work/stats.json" >"$work/stats-$threads.json"
done
cmp -s "$work/stats-1.json" "$work/stats-2.json" || fail "one and two host threads differ"

# Options that need an initrd or a root disk are refused, and so are names of guests that do not exist.
refused() { # MESSAGE ARGUMENT...
	XDG_CACHE_HOME=$work/cache run 60 "${@:2}"
	[ $status -eq 2 ] && grep -q "$1" "$work/err" || fail "disco run ${*:2}: $status, $(cat "$work/err")"
}
refused "no initrd that runs commands" --guest splashos/radix --exec true
refused "there is no program 'nothing'" --guest splashos/nothing
refused "not the name of a guest" --guest splashos/../debian
refused "not the name of a guest" --guest splashos/

[ -z "${SAN:-}" ] || finish # a compiler in a guest takes minutes under the sanitizers
debian
run_ok 400 --vcpus 2 --exec 'make -s -C /usr/local/share/disco/radix OUT=/tmp && /tmp/radix -n 100000 && /tmp/radix -n 100000 -p 1 -r 64'
[ "$(sums vm0 | sort -u)" = "$sum" ] && [ "$(sums vm0 | wc -l)" -eq 2 ] || fail "radix on Linux: $(cat "$work/out"), not $sum"
finish
