#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Guests written for QEMU's board find what they expect with --bios: a course kernel's disk and UART, by its interrupts; the same
# program runs under QEMU. A program's requests through `tohost` are served, or end its VM with a line. Firmware that this board
# cannot start says so.
. "$(dirname "$0")/lib.sh"
need riscv64-unknown-elf-gcc
cc() { # NAME FILE...
	riscv64-unknown-elf-gcc -O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding -nostdlib -Wl,--no-warn-rwx-segments -Wall -Wextra -Werror \
		-T "$root/bench/guest/link.ld" -o "$work/$1.elf" "$root/bench/guest/start.S" "${@:2}" || fail "$1 does not compile"
}

# --- a course kernel ---
cc teach "$root/tests/guests/teach.c"
printf 'sector of disk 0' >"$work/disk.img"
truncate -s 64K "$work/disk.img"
run 30 --memory 16M --bios "$work/teach.elf" --disk "$work/disk.img" --virtual-timeout 5 --console-log "$work/log"
[ $status -eq 0 ] || fail "the course kernel ends with status $status: $(cat "$work/err" "$work/out")"
grep -q '^sector of disk 0' "$work/log/vm0.log" || fail "the course kernel printed: $(cat "$work/log/vm0.log")"
if command -v qemu-system-riscv64 >/dev/null; then
	limited 30 qemu-system-riscv64 -M virt -m 16M -nographic -bios none -kernel "$work/teach.elf" \
		-global virtio-mmio.force-legacy=false -drive file="$work/disk.img",if=none,format=raw,id=d \
		-device virtio-blk-device,drive=d,bus=virtio-mmio-bus.0 </dev/null >"$work/qemu.out" 2>&1
	grep -q '^sector of disk 0' "$work/qemu.out" || fail "under QEMU it printed: $(cat "$work/qemu.out")"
fi

# --- requests to the host ---
cat >"$work/request.c" <<'END'
#include <stdint.h>
volatile uint64_t tohost __attribute__((aligned(64))), fromhost __attribute__((aligned(64)));
static void ask(uint64_t request)
{
	tohost = request;
	while (tohost)
		;
}
int main(void)
{
	static volatile uint64_t call[8] __attribute__((aligned(64)));

	for (const char *s = "one "; *s; s++)
		ask((uint64_t)1 << 56 | (uint64_t)1 << 48 | (uint8_t)*s);
	fromhost = 0;
	call[0] = 64, call[1] = 1, call[2] = (uintptr_t) "two\n", call[3] = 4;
	ask((uintptr_t)call);
	while (!fromhost)
		;
	fromhost = 0;
	if (call[0] != 4)
		ask(9 << 1 | 1);
	if (LAST)
		ask(LAST);
	tohost = 6 << 1 | 1;
	for (;;)
		;
}
END
cc request -DLAST=0 "$work/request.c"
run 30 --memory 16M --bios "$work/request.elf" --virtual-timeout 5 --console-log "$work/log"
grep -q '^one two' "$work/log/vm0.log" || fail "tohost printed: $(cat "$work/log/vm0.log")"
grep -q 'vm0: powered off with exit code 6' "$work/err" || fail "the program ends so: $(cat "$work/err")"
cc strange '-DLAST=(uint64_t)2<<56|(uint64_t)7<<48' "$work/request.c"
run 30 --memory 16M --bios "$work/strange.elf" --virtual-timeout 5
[ $status -eq 1 ] || fail "a request that is not served ends with status $status"
grep -q 'vm0: HTIF: device 2, command 7 is not served' "$work/err" || fail "a request that is not served: $(cat "$work/err")"

# --- firmware for flash memory ---
{ head -c 40 /dev/zero && printf '_FVH' && head -c 4096 /dev/zero; } >"$work/flash.fd"
run 30 --memory 64M --bios "$work/flash.fd" --virtual-timeout 1
[ $status -eq 2 ] || fail "UEFI firmware ends with status $status"
[ "$(wc -l <"$work/err")" -eq 1 ] && grep -q 'flash.fd: UEFI firmware .*U-Boot' "$work/err" || fail "UEFI firmware: $(cat "$work/err")"
finish
