// SPDX-License-Identifier: MIT
/*
 * What devices and boards write the flattened device tree with (Devicetree Specification 0.4):
 * phandles, and helpers for the properties every node has. A node is written between fdt_begin(),
 * fdt_begin_at() or fdt_device_begin() and fdt_end(). Before the VM runs.
 */
#ifndef MONITOR_BOOT_FDT_H
#define MONITOR_BOOT_FDT_H

#include <libfdt.h>

#include "monitor/vm/device.h"

enum {
	PHANDLE_PLIC = 1,
	PHANDLE_TEST = 2,
	PHANDLE_CPU_INTC = 16, /* + hart */
};

/* The buffer is large enough by construction: a libfdt error here is a fault of ours, die(). */
void fdt_ok(int err);

/* Opens node NAME, or NAME@UNIT. */
void fdt_begin(void *fdt, const char *name);
void fdt_begin_at(void *fdt, const char *name, uint64_t unit);
void fdt_end(void *fdt);
void fdt_reg(void *fdt, uint64_t base, uint64_t bytes);
/* Opens node "NAME@BASE" with its `reg` and `compatible` (a list of n_compatible bytes). */
void fdt_device_begin(void *fdt, const struct device *d, const char *name, const char *compatible,
	int n_compatible);
/* interrupt-parent and interrupts of a device with a PLIC source. */
void fdt_device_irq(void *fdt, const struct device *d);
/*
 * An interrupts-extended property: for each hart in turn, each of the n local interrupt numbers.
 */
void fdt_cpu_interrupts(void *fdt, const struct device *d, const unsigned *irq, unsigned n);

#endif
