// SPDX-License-Identifier: MIT
/*
 * The host-target interface of bare-metal RISC-V programs: two words of memory, `tohost` and
 * `fromhost`, through which a program ends, prints, reads a character or has the system call
 * `write` done for it (riscv-isa-sim: fesvr/htif.cc, device.cc and syscall.cc).
 */
#ifndef MONITOR_BOOT_HTIF_H
#define MONITOR_BOOT_HTIF_H

#include <stdint.h>

struct vm;

/*
 * Serve the request in `tohost`, if there is one; both are physical addresses, 0: the program has no
 * such word. Output goes to the VM's console and input comes from there. A request that is not
 * served fails the VM with one line that names it: a program waits for the answer without end.
 * Boundary.
 */
void htif_poll(struct vm *vm, uint64_t tohost, uint64_t fromhost);

#endif
