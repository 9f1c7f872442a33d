// SPDX-License-Identifier: MIT
/*
 * Cloning: see clone.h. Between two quanta all of a VM's state is in its structs, so the original
 * need not stop: memory goes by numa/memory/pmap.h, vCPUs by the engine, devices each by its own function.
 */
#include <errno.h>
#include <stdlib.h>

#include "monitor/vm/clone.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"

int vm_check_cloneable(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_devices; i++)
		if (!vm->device[i]->ops->clone)
			return complain(ENOTSUP,
				"--warm: %s cannot be cloned: its device %s at 0x%llx", vm->name,
				vm->device[i]->ops->type, (unsigned long long)vm->device[i]->base);
	return 0;
}

static void clone_device(struct device *d, const struct device *from)
{
	if (d->ops != from->ops || d->base != from->base)
		die("%s has another %s at 0x%llx than %s", d->vm->name, d->ops->type,
			(unsigned long long)d->base, from->vm->name);
	if (d->ops->clone(d, from))
		return;
	if (from->deferred)
		device_defer(d);
}

static void clone_devices(struct vm *to, const struct vm *from)
{
	/* The interrupt controller first: others raise their lines on its state. */
	for (unsigned i = 0; i < to->n_devices; i++)
		if (to->device[i] == to->irq_chip)
			clone_device(to->device[i], from->device[i]);
	for (unsigned i = 0; i < to->n_devices && to->state == VM_RUNNING; i++)
		if (to->device[i] != to->irq_chip)
			clone_device(to->device[i], from->device[i]);
}

uint32_t vm_clone(struct vm *from, struct vm *const *to, unsigned n)
{
	const struct machine *m = from->cluster->machine;
	const struct engine *engine = from->cluster->engine;
	struct pmap **pmap = xcalloc(n, sizeof(pmap[0]));
	uint32_t pages;

	for (unsigned i = 0; i < n; i++) {
		if (to[i]->ram_bytes != from->ram_bytes || to[i]->n_vcpus != from->n_vcpus ||
			to[i]->n_devices != from->n_devices)
			die("%s has not the shape of %s", to[i]->name, from->name);
		pmap[i] = to[i]->pmap;
	}
	pages = pmap_clone(from->pmap, pmap, n);
	for (unsigned i = 0; i < n; i++) {
		engine->vm_clone(to[i], from);
		clone_devices(to[i], from);
		to[i]->regions = from->regions;
		to[i]->started_at = from->cluster->now;
	}
	engine->vcpu_charge(&from->vcpu[0],
		(uint64_t)pages * n * m->cost.page_share + from->n_vcpus * m->cost.shootdown);
	free(pmap);
	return pages;
}
