// SPDX-License-Identifier: MIT
/*
 * A virtual NUMA topology: a guest is shown the nodes of the machine that its vCPUs are on, and its
 * memory as divided among them. What it is told of its memory is here also for a guest that is
 * shown none, so that device trees and ACPI tables need not know.
 */
#include "monitor/vm/board.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

/* Parts of memory begin at multiples of what a kernel may want in one piece. */
enum { VNODE_PAGES = 1024 };

void vm_make_vnodes(struct vm *vm)
{
	const struct machine *m = vm->cluster->machine;
	uint32_t pages = (uint32_t)(vm->ram_bytes >> PAGE_SHIFT), each;

	for (unsigned v = 0; v < vm->n_vcpus; v++) {
		unsigned node = m->cpu_node[vm->vcpu[v].cpu], i = 0;

		while (i < vm->n_vnodes && vm->vnode[i].node != node)
			i++;
		if (i == vm->n_vnodes)
			vm->vnode[vm->n_vnodes++].node = node;
		vm->vcpu[v].vnode = i;
	}
	each = pages / vm->n_vnodes & ~(uint32_t)(VNODE_PAGES - 1);
	for (unsigned i = 0; i < vm->n_vnodes; i++) {
		struct vnode *n = &vm->vnode[i];

		n->ppn = i * each;
		n->pages = i + 1 < vm->n_vnodes ? each : pages - n->ppn;
		if (n->pages)
			pmap_home(vm->pmap, n->ppn, n->node);
	}
}

bool vm_memory_range(
	const struct vm *vm, unsigned i, uint64_t *pa, uint64_t *bytes, unsigned *vnode)
{
	const struct board *b = vm->board;
	uint64_t low = b->ram_gap - b->ram_base;

	for (unsigned n = 0; n < MAX(vm->n_vnodes, 1u); n++) {
		uint64_t at = vm->n_vnodes ? (uint64_t)vm->vnode[n].ppn << PAGE_SHIFT : 0;
		uint64_t left =
			vm->n_vnodes ? (uint64_t)vm->vnode[n].pages << PAGE_SHIFT : vm->ram_bytes;

		while (left) {
			*pa = at < low ? b->ram_base + at : b->ram_high + (at - low);
			*bytes = at < low ? MIN(left, low - at) : left;
			*vnode = n;
			if (!i--)
				return true;
			at += *bytes;
			left -= *bytes;
		}
	}
	return false;
}

unsigned vm_vnode_distance(const struct vm *vm, unsigned from, unsigned to)
{
	enum { LOCAL = 10, FARTHEST = 254 };
	const struct machine *m = vm->cluster->machine;
	unsigned a = vm->vnode[from].node, b = vm->vnode[to].node;
	uint64_t far = (uint64_t)LOCAL * m->latency_ns[a][b] / MAX(m->latency_ns[a][a], 1u);

	return a == b ? LOCAL : (unsigned)MIN(MAX(far, LOCAL + 1u), (uint64_t)FARTHEST);
}
