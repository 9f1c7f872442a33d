// SPDX-License-Identifier: MIT
/* What devices and boards write flattened device trees with. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/boot/fdt.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

void fdt_ok(int err)
{
	if (err)
		die("device tree: %s", fdt_strerror(err));
}

void fdt_begin(void *fdt, const char *name)
{
	fdt_ok(fdt_begin_node(fdt, name));
}

void fdt_begin_at(void *fdt, const char *name, uint64_t unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%" PRIx64, name, unit);
	fdt_begin(fdt, full);
}

void fdt_end(void *fdt)
{
	fdt_ok(fdt_end_node(fdt));
}

void fdt_reg(void *fdt, uint64_t base, uint64_t bytes)
{
	fdt64_t cells[] = {cpu_to_fdt64(base), cpu_to_fdt64(bytes)};

	fdt_ok(fdt_property(fdt, "reg", cells, sizeof(cells)));
}

void fdt_device_begin(void *fdt, const struct device *d, const char *name, const char *compatible,
	int n_compatible)
{
	fdt_begin_at(fdt, name, d->base);
	fdt_ok(fdt_property(fdt, "compatible", compatible, n_compatible));
	fdt_reg(fdt, d->base, d->size);
}

void fdt_device_irq(void *fdt, const struct device *d)
{
	fdt_ok(fdt_property_u32(fdt, "interrupt-parent", PHANDLE_PLIC));
	fdt_ok(fdt_property_u32(fdt, "interrupts", d->irq));
}

void fdt_cpu_interrupts(void *fdt, const struct device *d, const unsigned *irq, unsigned n)
{
	unsigned n_vcpus = d->vm->n_vcpus;
	int bytes = (int)(2 * sizeof(fdt32_t) * n * n_vcpus);
	fdt32_t *cell = xcalloc(1, (size_t)bytes), *at = cell;

	for (unsigned hart = 0; hart < n_vcpus; hart++) {
		for (unsigned i = 0; i < n; i++) {
			*at++ = cpu_to_fdt32(PHANDLE_CPU_INTC + hart);
			*at++ = cpu_to_fdt32(irq[i]);
		}
	}
	fdt_ok(fdt_property(fdt, "interrupts-extended", cell, bytes));
	free(cell);
}
