// SPDX-License-Identifier: MIT
/*
 * A VM's bus. Devices are kept sorted by address, so that finding one is a binary search over a
 * dozen pointers and deferred work runs in an order that depends on the board alone. The bus also
 * carries interrupt lines to the VM's interrupt controller.
 */
#include "monitor/vm/device.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

void device_attach(struct vm *vm, struct device *d)
{
	unsigned i = vm->n_devices;

	if (vm->n_devices == VM_MAX_DEVICES)
		die("more than %d devices on one bus", VM_MAX_DEVICES);
	for (; i > 0 && vm->device[i - 1]->base > d->base; i--)
		vm->device[i] = vm->device[i - 1];
	vm->device[i] = d;
	vm->n_devices++;
	d->vm = vm;
	if ((i > 0 && vm->device[i - 1]->base + vm->device[i - 1]->size > d->base) ||
		(i + 1 < vm->n_devices && d->base + d->size > vm->device[i + 1]->base))
		die("device %s overlaps another on the bus", d->ops->type);
}

struct device *device_find(struct vm *vm, uint64_t pa, unsigned size)
{
	unsigned lo = 0, hi = vm->n_devices;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		struct device *d = vm->device[mid];

		if (pa < d->base)
			hi = mid;
		else if (pa - d->base >= d->size)
			lo = mid + 1;
		else
			return d->size - (pa - d->base) >= size ? d : NULL;
	}
	return NULL;
}

void device_defer(struct device *d)
{
	d->deferred = true;
	d->vm->deferred = true;
}

void device_run_deferred(struct vm *vm)
{
	if (!vm->deferred)
		return;
	/* Cleared first: io() may ask for the boundary after this one. */
	vm->deferred = false;
	for (unsigned i = 0; i < vm->n_devices; i++) {
		struct device *d = vm->device[i];

		if (!d->deferred)
			continue;
		if (cluster_interrupted(vm->cluster)) {
			vm->deferred = true;
			return;
		}
		d->deferred = false;
		d->ops->io(d);
	}
}

void device_irq(struct device *d, bool level)
{
	if (d->irq && d->vm->irq_line)
		d->vm->irq_line(d->vm->irq_chip, d->irq, level);
}
