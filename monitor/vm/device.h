// SPDX-License-Identifier: MIT
/*
 * A device: one file each, found by guest physical address on its VM's bus. A device belongs to one
 * VM and is only touched by the host thread that runs this VM (run phase) or by the boundary; so no
 * locks. Work that reaches beyond the VM (disk blocks, packets) is asked for with device_defer()
 * and done in io() at the boundary, in order of VM and of device.
 */
#ifndef MONITOR_VM_DEVICE_H
#define MONITOR_VM_DEVICE_H

#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>

struct vm;
struct vcpu;
struct device;
struct json_t;

struct device_ops {
	const char *type; /* "uart", "virtio-blk", ... */
	/* MMIO of 1, 2, 4 or 8 naturally aligned bytes at `offset` < device size. Unknown offsets
	 * read 0 and ignore writes. `vcpu` makes the access (NULL: the monitor). Run phase. */
	uint64_t (*read)(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size);
	void (*write)(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size,
		uint64_t value);
	/* Deferred work; NULL if there is none. Boundary. */
	void (*io)(struct device *d);
	/* Adds the device's node to the flattened tree being written (sequential-write libfdt
	 * calls, inside /soc); NULL if it has none. */
	void (*fdt)(struct device *d, void *fdt);
	/* Adds the device's counters to its JSON object in the statistics; NULL if it has none. */
	void (*stats)(struct device *d, struct json_t *object);
	void (*destroy)(struct device *d);
	/*
	 * Take over what the guest can see of `from`, the same device of the VM that d's VM is a
	 * clone of: registers and queues, not what is behind the device (streams, ports, seeds) nor
	 * counters. The guest's memory and vCPUs are those of the original already; d may raise its
	 * interrupt. 0, or a negative errno after vm_fail() of d's VM. NULL: a VM that has such a
	 * device cannot be cloned. Boundary.
	 */
	int (*clone)(struct device *d, const struct device *from);
};

struct device { /* the first member of each device's own struct */
	const struct device_ops *ops;
	struct vm *vm;
	uint64_t base, size;
	unsigned irq; /* PLIC source, 0: none */
	/*
	 * A 32-bit write of n < n_doorbells to the register at offset `doorbell` is only a notice:
	 * an engine may make several of them one, and make it later, from outside any vCPU. Such a
	 * device's interrupts may be edges, one each time that device_irq() raises the line.
	 */
	unsigned n_doorbells;
	uint32_t doorbell;
	bool deferred; /* io() is wanted at the next boundary */
};

/* Put the device on its VM's bus. Ranges must not overlap (die()): the board is ours. Before the VM
 * runs. */
void device_attach(struct vm *vm, struct device *d);
/* Which device owns [pa, pa + size)? NULL if none. Run phase. */
struct device *device_find(struct vm *vm, uint64_t pa, unsigned size);
/* Ask for io() at the next boundary. Run phase or boundary. */
void device_defer(struct device *d);
/* Run io() of every device of this VM that asked; those that are left when the run is interrupted
 * still ask. Boundary. */
void device_run_deferred(struct vm *vm);

/* Level of an interrupt line of the VM's interrupt controller. Run phase (own VM) or boundary. */
void device_irq(struct device *d, bool level);

#endif
