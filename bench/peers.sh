#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Disco and QEMU's translator (TCG) side by side, in pairs of runs: booting Linux to /init, and a CPU-bound program on the bare
# machine, integer and floating-point. Whole processes are timed, from start to power-off, so setting up and loading count, and
# with QEMU its firmware and its PCI bus, which our board does not have. Outputs must be equal before times mean anything.
#
# Usage: bench/peers.sh [boot] [int] [fp]    (default: all)
. "$(dirname "$0")/lib.sh"
need qemu-system-riscv64 riscv64-unknown-elf-gcc cpio

work=$out/peers
mkdir -p "$work"
qemu="$(qemu-system-riscv64 --version | sed -n 's/.*version \([0-9.]*\).*/QEMU \1/p')"

# The guest's kernel, and an initramfs of its busybox whose /init says so and powers off.
make_boot() {
	local guest
	guest=$("$here/../guests/debian/fetch") || fail "no guest"
	kernel=$guest/kernel
	initrd=$work/initrd
	rm -rf "$work/root"
	mkdir -p "$work/root"
	(cd "$work/root" && cpio -i --quiet -d bin/busybox bin/sh dev proc <"$guest/initrd") || fail "the guest's initrd has no busybox"
	printf '#!/bin/sh\necho init reached\nexec /bin/busybox poweroff -f\n' >"$work/root/init"
	chmod 755 "$work/root/init"
	(cd "$work/root" && find . -mindepth 1 | sort | cpio -o -H newc --quiet --owner 0:0) >"$initrd"
	append='console=ttyS0 panic=-1 cryptomgr.notests'
}
run_boot_disco() {
	timed "$work/boot.disco" "$DISCO" run --machine uma8 --kernel "$kernel" --initrd "$initrd" --append "$append" \
		--memory 512M --no-net --quiet
	grep -q 'init reached' "$work/boot.disco" || fail "disco does not reach /init: see $work/boot.disco"
}
run_boot_qemu() {
	timed "$work/boot.qemu" qemu-system-riscv64 -M virt -m 512 -smp 1 -accel tcg -nographic -nic none -bios default -kernel "$kernel" \
		-initrd "$initrd" -append "$append"
	grep -q 'init reached' "$work/boot.qemu" || fail "QEMU does not reach /init: see $work/boot.qemu"
}

make_program() { # int | fp
	program=$work/$1.elf
	riscv64-unknown-elf-gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding -fno-math-errno \
		-fno-tree-loop-distribute-patterns -nostdlib -static -Wall -Wextra -Werror -Wl,--build-id=none,--no-warn-rwx-segments \
		-T "$here/guest/link.ld" -o "$program" "$here/guest/start.S" "$here/guest/$1.c" || fail "the guest program does not build"
}
run_cpu_disco() { timed "$program.disco" "$DISCO" run --machine uma8 --bios "$program" --quiet; }
run_cpu_qemu() { timed "$program.qemu" qemu-system-riscv64 -M virt -accel tcg -nographic -bios "$program"; }

# compare NAME SIDES WHAT GOAL
compare() {
	local name=$1 sides=$2 what=$3 goal=$4 r
	pairs "peers-$name" "${sides}_disco" "${sides}_qemu"
	read -r -a r <<<"$(ratio "peers-$name" "${sides}_disco" "${sides}_qemu")"
	figure peers "$what" "<= $goal" "${r[0]}" "${r[1]}..${r[2]}" \
		"${r[4]} s, $qemu ${r[5]} s; CPU ${r[6]}, ${r[7]} s: ${r[3]}" "$(verdict "${r[0]}" '<=' "$goal")"
}

rm -f "$out/peers.figures"
[ $# -gt 0 ] || set -- boot int fp
for name; do
	case $name in
	boot)
		make_boot
		compare boot boot 'Boot to /init, time over QEMU' 1.0
		;;
	int | fp)
		make_program $name
		compare $name cpu "CPU-bound, $([ $name = int ] && echo integer || echo floating point), time over QEMU" 4
		tr -d '\r' <"$program.qemu" | cmp -s - <(tr -d '\r' <"$program.disco") || fail "$name: outputs differ: $program.*"
		;;
	*) fail "unknown comparison '$name' (there are: boot, int, fp)" ;;
	esac
done
[ -n "${BENCH_RUN-}" ] || { host_line; "$here/run" --table peers; }
