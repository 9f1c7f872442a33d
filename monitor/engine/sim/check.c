// SPDX-License-Identifier: MIT
/*
 * Does the engine agree with the memory of its VMs? A soft TLB holds host addresses of frames, so
 * it is right only as long as every change of a pmap ended in a shootdown; and the memory-system
 * model lets host threads work on frames side by side, which is right only as long as it knows
 * the owner of each. Here both are compared with the pmaps, from which they follow.
 */
#include "monitor/engine/sim/check.h"
#include "numa/memory/move.h"

/* A frame of zeroes that this CPU may read. Without the model a vCPU that moved to another node may
 * go on reading the one it used there: the bytes are the same. */
static bool is_zeroes(const struct sim_vcpu *cpu, uint32_t mpn)
{
	const struct cluster *c = cpu->vm->cluster;

	for (unsigned node = 0; node < c->machine->n_nodes; node++)
		if (mpn == c->mem->zero[node])
			return !cpu->model || node == cpu->node;
	return false;
}

/* Frame mpn, to which a TLB of this CPU leads: is it what the CPU sees of a page of its VM? The
 * page itself is not in the TLB, but all pages in one frame have the same view. */
static void check_mapping(
	const struct sim_vcpu *cpu, uint64_t va, uint64_t ma, bool write, const char *what)
{
	const struct memory *mem = cpu->vm->cluster->mem;
	uint32_t mpn = (uint32_t)(ma >> PAGE_SHIFT), master = MPN_NONE, n = 0;

	if (ma >> PAGE_SHIFT < mem->n_frames) {
		master = frame_master(mem, mpn);
		n = frame_users(mem, master);
	}
	/* Zeroes, which have no users, are read for pages without a frame. */
	if (is_zeroes(cpu, mpn) && !write && pmap_stats(cpu->vm->pmap)->mapped[FRAME_ZERO])
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct frame_user u = frame_user(mem, master, i);
		uint32_t view;
		bool writable;

		if (u.owner != cpu->vm->id || pmap_entry(cpu->vm->pmap, u.page)->mpn != master)
			continue;
		view = pmap_view(mem, cpu->vm->pmap, u.page, cpu->node, &writable);
		/* Without the model a CPU may go on using another node's copy: the bytes are the
		 * same. */
		if (cpu->model && view != mpn)
			die("%s CPU %u: %s for %#llx leads to frame %u, but page %u is in frame %u "
			    "for node %u",
				cpu->vm->name, cpu->hart, what, (unsigned long long)va, mpn, u.page,
				view, cpu->node);
		if (write && !writable)
			die("%s CPU %u: %s for %#llx may write to frame %u, but page %u is "
			    "read-only",
				cpu->vm->name, cpu->hart, what, (unsigned long long)va, mpn,
				u.page);
		return;
	}
	die("%s CPU %u: %s for %#llx leads to frame %u, in which no page of this VM is",
		cpu->vm->name, cpu->hart, what, (unsigned long long)va, mpn);
}

static void check_tlbs(const struct sim_vcpu *cpu)
{
	for (unsigned c = 0; c < TLB_CONTEXTS; c++)
		for (unsigned i = 0; i < TLB_ENTRIES && cpu->tlb_used >> c & 1; i++) {
			const struct tlb_entry *e = &cpu->tlbs[c][i];
			uint64_t va = e->read_tag != TLB_NONE ? e->read_tag : e->write_tag;

			if (va == TLB_NONE)
				continue;
			if ((uintptr_t)e->host != va + e->addend ||
				(e->write_tag != TLB_NONE && e->write_tag != va))
				die("%s CPU %u: the soft TLB's entry for %#llx contradicts itself",
					cpu->vm->name, cpu->hart, (unsigned long long)va);
			check_mapping(cpu, va, (uint64_t)(e->host - cpu->ram),
				e->write_tag != TLB_NONE, "the soft TLB");
		}
	/* An entry of an address space that is gone never matches again. */
	for (unsigned i = 0; i < FETCH_ENTRIES && cpu->model; i++)
		if (cpu->code[i].page != TLB_NONE && cpu->code[i].context >> 2 == cpu->context >> 2)
			check_mapping(cpu, cpu->code[i].page, cpu->code[i].ma, false,
				"the table of code pages");
}

/* Does the model know the owner of each frame of a page? */
static void check_task(const struct vm *vm, uint32_t ppn)
{
	const struct cluster *c = vm->cluster;
	uint32_t master = pmap_entry(vm->pmap, ppn)->mpn;
	uint16_t task = MEMSYS_NO_TASK;

	if (master == MPN_NONE)
		return;
	if (frame_users(c->mem, master) == 1)
		task = (uint16_t)vm->id;
	for (unsigned node = 0; node < c->machine->n_nodes; node++) {
		uint32_t mpn = frame_on(c->mem, master, node);

		if (mpn != MPN_NONE && memsys_owner(c->memsys, mpn) != task)
			die("frame %u, page %u of %s: the memory system takes it for task %#x's, "
			    "not %#x's",
				mpn, ppn, vm->name, memsys_owner(c->memsys, mpn), task);
	}
}

void sim_check(const struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++) {
		const struct vm *vm = c->vm[v];

		for (unsigned i = 0; i < vm->n_vcpus; i++)
			check_tlbs(vm->vcpu[i].sim);
		for (uint32_t ppn = 0; ppn < pmap_pages(vm->pmap) && c->memsys; ppn++)
			check_task(vm, ppn);
	}
}
