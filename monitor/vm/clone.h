// SPDX-License-Identifier: MIT
/*
 * Cloning: virtual machines that go on from where another one is. They share all its pages and disk
 * blocks copy-on-write, so a clone costs next to nothing until it stores. What makes a VM itself
 * stays its own: name, seed, MAC address, consoles, the counters of its devices. Boundary only.
 */
#ifndef MONITOR_VM_CLONE_H
#define MONITOR_VM_CLONE_H

#include "monitor/vm/vm.h"

/* 0, or -ENOTSUP after one line on stderr: a device of this VM does not know how to be cloned. */
int vm_check_cloneable(const struct vm *vm);

/*
 * Let n VMs go on from where `from` is. They must be of its shape (memory, vCPUs, devices in the
 * same places) and have neither run nor been given any memory. The CPU of from's first vCPU is
 * charged. A VM that cannot be cloned has ended by vm_fail() saying why; the others go on. Returns
 * how many pages each shares.
 */
uint32_t vm_clone(struct vm *from, struct vm *const *to, unsigned n);

#endif
