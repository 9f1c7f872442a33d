// SPDX-License-Identifier: MIT
/*
 * What devices share to describe themselves in the flattened device tree (Devicetree Specification
 * 0.4): phandles, and helpers for the properties every node has. A node is written between
 * fdt_device_begin() and fdt_ok(fdt_end_node(fdt)). Before the VM runs.
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
