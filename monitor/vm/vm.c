// SPDX-License-Identifier: MIT
/*
 * Making, ending and freeing virtual machines. A VM that has ended keeps its memory until it is
 * destroyed, so that the end of a run can be examined and digested.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/vm/engine.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"
#include "sharing/content.h"

enum {
	A_VCPU = 100, /* hundredths of a CPU */
	VNODE_PAGES = 1024
};

/* Hundredths of each CPU's time that are taken: by vCPUs of all VMs so far that start there, as if
 * they never idled, and by others. */
static void count_load(const struct cluster *c, unsigned load[MACHINE_MAX_CPUS])
{
	for (unsigned cpu = 0; cpu < c->machine->n_cpus; cpu++)
		load[cpu] = c->busy[cpu];
	for (unsigned i = 0; i < c->n_vms; i++)
		for (unsigned v = 0; v < c->vm[i]->n_vcpus; v++)
			load[c->vm[i]->vcpu[v].cpu] += A_VCPU;
}

/* The node with the least load for its CPUs; ties go to the lower number. */
static unsigned emptiest_node(const struct machine *m, const unsigned load[MACHINE_MAX_CPUS])
{
	unsigned best = 0;
	double best_load = -1;

	for (unsigned node = 0; node < m->n_nodes; node++) {
		unsigned sum = 0;

		if (!m->node[node].n_cpus)
			continue;
		for (unsigned i = 0; i < m->node[node].n_cpus; i++)
			sum += load[m->node[node].first_cpu + i];
		if (best_load < 0 || (double)sum / m->node[node].n_cpus < best_load) {
			best = node;
			best_load = (double)sum / m->node[node].n_cpus;
		}
	}
	return best;
}

/*
 * Where a VM starts decides where its kernel's first pages go, before any scheduler has run. VMs
 * spread over nodes; the vCPUs of one VM stay near its first.
 */
static void place(struct vm *vm)
{
	const struct machine *m = vm->cluster->machine;
	unsigned load[MACHINE_MAX_CPUS] = {0};
	unsigned home;

	count_load(vm->cluster, load);
	home = emptiest_node(m, load);
	for (unsigned v = 0; v < vm->n_vcpus; v++) {
		unsigned best = m->node[home].first_cpu;

		for (unsigned cpu = 0; cpu < m->n_cpus; cpu++) {
			uint32_t here = m->latency_ns[home][m->cpu_node[cpu]];
			uint32_t there = m->latency_ns[home][m->cpu_node[best]];

			if (load[cpu] < load[best] || (load[cpu] == load[best] && here < there))
				best = cpu;
		}
		vm->vcpu[v].cpu = vm->vcpu[v].home = best;
		load[best] += A_VCPU;
	}
}

struct vm *vm_create(struct cluster *c, const char *name, unsigned n_vcpus, uint64_t ram_bytes,
	bool bios, uint64_t seed)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	vm->cluster = c;
	vm->id = c->n_vms;
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	vm->board = c->engine->board;
	vm->ram_bytes = ram_bytes;
	vm->bios = bios;
	vm->seed = seed;
	vm->n_vcpus = n_vcpus;
	vm->vcpu = xcalloc(n_vcpus, sizeof(*vm->vcpu));
	for (unsigned i = 0; i < n_vcpus; i++) {
		vm->vcpu[i].vm = vm;
		vm->vcpu[i].id = i;
		vm->vcpu[i].state = VCPU_STOPPED;
	}
	vm->on_node = xcalloc(c->machine->n_nodes, sizeof(*vm->on_node));
	place(vm);
	vm->pmap = pmap_create(
		c->mem, vm->id, (uint32_t)(ram_bytes >> PAGE_SHIFT), c->engine->pmap_ops, vm);
	if (c->virtual_numa)
		vm_make_vnodes(vm);
	if (c->content)
		vm->log = content_add(c->content, vm->pmap);
	c->engine->vm_init(vm);
	c->vm = xrealloc(c->vm, (c->n_vms + 1) * sizeof(struct vm *));
	c->vm[c->n_vms++] = vm;
	return vm;
}

void vm_destroy(struct vm *vm)
{
	for (unsigned i = vm->n_devices; i-- > 0;)
		vm->device[i]->ops->destroy(vm->device[i]);
	pmap_destroy(vm->pmap);
	vm->cluster->engine->vm_free(vm);
	free(vm->on_node);
	free(vm->vcpu);
	free(vm);
}

static void stop(struct vm *vm, enum vm_state state)
{
	vm->state = state;
	vm->stopped_at = vm->cluster->now;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vm->vcpu[i].state = VCPU_STOPPED;
}

void vm_fail(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	if (vm->state != VM_RUNNING)
		return;
	va_start(ap, fmt);
	vsnprintf(vm->reason, sizeof(vm->reason), fmt, ap);
	va_end(ap);
	stop(vm, VM_FAILED);
}

void vm_power_off(struct vm *vm, int exit_code)
{
	if (vm->state != VM_RUNNING)
		return;
	vm->exit_code = exit_code;
	stop(vm, VM_OFF);
}

unsigned vm_home_node(const struct vm *vm)
{
	return vm->cluster->machine->cpu_node[vm->vcpu[0].cpu];
}

void cluster_check(const struct cluster *c)
{
	memory_check(c->mem);
	memory_check_owners(c->mem);
	if (c->memsys)
		memsys_check(c->memsys);
	if (c->content)
		content_check(c->content);
	c->engine->check(c);
}
