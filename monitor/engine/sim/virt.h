// SPDX-License-Identifier: MIT
/*
 * The `virt` board of the simulator's VMs: board_virt of monitor/vm/board.h, and its device tree.
 */
#ifndef MONITOR_ENGINE_SIM_VIRT_H
#define MONITOR_ENGINE_SIM_VIRT_H

#include "monitor/vm/vm.h"

/*
 * Write the flattened device tree for `vm` with every attached device into buf, of `bytes` bytes:
 * large enough for any board before it is copied there, so that the writers need no error paths.
 * bootargs and initrd (0, 0: none) go to /chosen. 0, or -ENOSPC. Before the VM runs.
 */
int virt_fdt(struct vm *vm, const char *bootargs, uint64_t initrd_pa, uint64_t initrd_bytes,
	void *buf, int bytes);

#endif
