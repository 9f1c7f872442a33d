// SPDX-License-Identifier: MIT
/*
 * The simulated machine made non-uniform: what ties the memory-system model (numa/memsys/memsys.h)
 * and page placement (numa/policy/placement.h) to the CPUs. Fidelity changes at boundaries only;
 * decoded code and soft TLBs belong to one fidelity and are dropped with it. A frame belongs, for
 * the model, to the VM that alone can reach it, or to none; memory tells of each change through
 * mem->owned.
 */
#include <string.h>

#include "monitor/vm/counts.h"
#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/numa.h"
#include "monitor/vm/moves.h"
#include "numa/memory/move.h"

void cpu_attach_model(struct sim_vcpu *cpu)
{
	struct cluster *c = cpu->vm->cluster;

	cpu->model = c->memsys && cpu->evm->model && cpu->placed
			     ? memsys_cpu(c->memsys, cpu->vcpu->cpu)
			     : NULL;
	if (cpu->model)
		tlb_flush_hardware(cpu); /* as Disco does on a switch: TLB entries are not tagged
					    with their VM */
}

/* ---- regions of interest */

void vm_mark(struct sim_vcpu *cpu, int value)
{
	struct vm *vm = cpu->vm;
	unsigned slot = MIN(vm->n_marks, (unsigned)VM_MAX_MARKS - 1);

	if (vm->ignores_magic) {
		vm->marks_refused++;
		return;
	}
	vm->mark[slot] = (struct vm_mark){value, cpu->hart, cpu->now};
	vm->n_marks++;
	/* One at a time: a second magic instruction of this VM in the same quantum would find the
	 * first not acted on yet. */
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vm->vcpu[i].sim->attention = vm->vcpu[i].sim->yield = vm->vcpu[i].sim->waiting =
			true;
}

/* CPU time of all vCPUs in numa fidelity. */
static uint64_t model_cycles(const struct cluster *c)
{
	uint64_t sum = 0;

	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			sum += c->vm[v]->vcpu[i].model_cycles;
	return sum;
}

static struct region totals(const struct cluster *c)
{
	struct region r = {.cycles = c->now, .moves = moves_total(c)};

	r.t.cpu_cycles = model_cycles(c);
	for (unsigned i = 0; i < c->machine->n_cpus && c->memsys; i++)
		counts_add(&r.t.n, memsys_counts(c->memsys, i), NULL);
	for (unsigned v = 0; v < c->n_vms; v++) {
		struct account a = account_of_vm(c->vm[v]);

		account_add(&r.account, &a);
	}
	return r;
}

static void vms_region_change(struct cluster *c, bool inside)
{
	for (unsigned v = 0; v < c->n_vms; v++) {
		struct vm *vm = c->vm[v];
		struct account now = account_of_vm(vm), in;

		if (inside) {
			vm->region_began = now;
			vm->services_began = vm->services;
			continue;
		}
		in = account_between(&vm->region_began, &now);
		account_add(&vm->region, &in);
		services_add(&vm->services_region, &vm->services, &vm->services_began);
	}
}

static void region_change(struct cluster *c, bool inside)
{
	struct region now, r;

	if (inside == c->in_region)
		return;
	c->in_region = inside;
	vms_region_change(c, inside);
	now = totals(c);
	if (inside) {
		c->region_began = now;
		return;
	}
	r = region_between(&c->region_began, &now);
	region_add(&c->region, &r);
	if (c->n_regions < REGIONS_MAX)
		c->region_list[c->n_regions] = r;
	c->n_regions++;
}

static void act_on_mark(struct vm *vm, int value)
{
	switch (value) {
	case MARK_FUNCTIONAL:
		vm->cluster->numa = false;
		break;
	case MARK_NUMA:
		vm->cluster->numa = true;
		break;
	case MARK_BEGIN:
		vm->regions++;
		break;
	case MARK_END:
		if (vm->regions)
			vm->regions--;
		break;
	}
}

static void act_on_marks(struct cluster *c)
{
	bool inside = false;

	for (unsigned v = 0; v < c->n_vms; v++) {
		struct vm *vm = c->vm[v];

		if (vm->n_marks_acted < vm->n_marks)
			act_on_mark(
				vm, vm->mark[MIN(vm->n_marks, (unsigned)VM_MAX_MARKS) - 1].value);
		vm->n_marks_acted = vm->n_marks;
		inside = inside || (vm->regions && vm->state == VM_RUNNING);
	}
	region_change(c, inside);
}

/* ---- owners of frames */

static void owned(void *arg, uint32_t mpn, uint32_t owner)
{
	struct cluster *c = arg;

	memsys_own(c->memsys, mpn, owner == OWNER_NONE ? MEMSYS_NO_TASK : (uint16_t)owner);
	if (frame_kind(c->mem, mpn) == FRAME_FREE)
		memsys_frame_moved(c->memsys, mpn);
}

/* The model begins: tell it of all frames there are. Reserved ones are given back and taken anew.
 */
static void own_everything(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++) {
		struct pmap *pm = c->vm[v]->pmap;

		pmap_drain(pm);
		for (uint32_t ppn = 0; ppn < pmap_pages(pm); ppn++) {
			const struct pmap_entry *e = pmap_entry(pm, ppn);

			if (e->mpn == MPN_NONE || frame_users(c->mem, e->mpn) != 1)
				continue;
			for (unsigned node = 0; node < c->machine->n_nodes; node++) {
				uint32_t mpn = frame_on(c->mem, e->mpn, node);

				if (mpn != MPN_NONE)
					memsys_own(c->memsys, mpn, (uint16_t)v);
			}
		}
		mode_own_tables(c->vm[v]);
	}
	c->mem->model_arg = c;
	c->mem->owned = owned;
}

/* ---- DMA, copies, moves */

/* The hart that pays for work on behalf of a VM: in the run phase the hart that executes; at the
 * boundary the first that has a CPU, or NULL. */
static struct sim_vcpu *payer(const struct vm *vm)
{
	if (vm->sim->acting)
		return vm->sim->acting;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpu[i].sim->placed)
			return vm->vcpu[i].sim;
	return NULL;
}

/* The CPU that does it, or has it done: in the run phase one of the VM's, as the model demands. For
 * a VM that has no CPU now, where its first vCPU was last. */
static struct memsys_cpu *agent(const struct cluster *c, uint32_t owner)
{
	const struct vm *vm = c->vm[owner];
	const struct sim_vcpu *cpu = payer(vm);

	return memsys_cpu(c->memsys, cpu ? cpu->vcpu->cpu : vm->vcpu[0].cpu);
}

/* Every node has its own I/O bus (as FLASH's had), so transfers do not cross the network. */
static void dma(void *arg, uint32_t owner, uint64_t ma, uint64_t bytes, bool to_memory)
{
	struct cluster *c = arg;

	memsys_dma(agent(c, owner), frame_node(c->mem, (uint32_t)(ma >> PAGE_SHIFT)), ma, bytes,
		to_memory);
}

/*
 * A page copied (from MPN_NONE: zeroed) by a CPU: its instructions, a load and a store each 8 bytes
 * or the store alone, and what they stall. The misses on the new frame are forgotten: its 4 KiB of
 * stores would make the policy take any page just filled for a written one.
 */
static uint64_t copy_page(struct cluster *c, struct memsys_cpu *cpu, uint32_t from, uint32_t to)
{
	uint64_t cycles = from == MPN_NONE ? PAGE_SIZE / 8 + memsys_zero_page(cpu, to)
					   : PAGE_SIZE / 8 * 2ul + memsys_copy_page(cpu, to, from);

	memsys_frame_reset(c->memsys, to);
	return cycles;
}

static void filled(void *arg, uint32_t owner, uint32_t from, uint32_t to)
{
	struct cluster *c = arg;
	struct sim_vcpu *cpu = payer(c->vm[owner]);
	uint64_t cycles;

	if (c->mode == MODE_NATIVE)
		return; /* memory that is there is not filled */
	cycles = copy_page(c, agent(c, owner), from, to);
	if (cpu)
		monitor_event(cpu, EVENT_FILL, cycles);
}

/* ---- fidelity */

static void set_fidelity(struct cluster *c)
{
	if (c->numa && !c->memsys) {
		if (c->placement)
			c->memsys_options.hot_trigger = (uint32_t)placement_trigger(c->placement);
		c->memsys = memsys_create(c->machine, &c->memsys_options);
		own_everything(c);
	} else if (c->numa && c->n_vms && !c->vm[0]->sim->model) {
		memsys_flush(c->memsys);
	}
	c->mem->dma = c->numa ? dma : NULL;
	c->mem->filled = c->numa ? filled : NULL;
	for (unsigned v = 0; v < c->n_vms; v++) {
		struct vm *vm = c->vm[v];

		if (vm->sim->model == c->numa)
			continue;
		vm->sim->model = c->numa;
		code_drop_all(vm);
		for (unsigned i = 0; i < vm->n_vcpus; i++) {
			vm->vcpu[i].sim->model = NULL;
			tlb_flush(vm->vcpu[i].sim);
			cpu_attach_model(vm->vcpu[i].sim);
		}
	}
}

void numa_follow(struct cluster *c)
{
	act_on_marks(c);
	set_fidelity(c);
}

void numa_end(struct cluster *c)
{
	region_change(c, false);
}

/* ---- around a quantum */

void numa_quantum(struct cluster *c)
{
	uint16_t task[MACHINE_MAX_CPUS];

	if (!c->numa)
		return;
	memset(task, 0xff, sizeof(task));
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			if (c->vm[v]->vcpu[i].sim->picked)
				task[c->vm[v]->vcpu[i].cpu] = (uint16_t)v;
	memsys_quantum(c->memsys, task);
}

void numa_boundary(struct cluster *c, uint64_t elapsed)
{
	if (!c->numa)
		return;
	memsys_boundary(c->memsys, elapsed);
	if (!c->placement)
		return;
	/* A store that ended a page's replication in this quantum left copies behind: moves must
	 * not find them. */
	for (unsigned v = 0; v < c->n_vms; v++)
		pmap_release_deferred(c->vm[v]->pmap);
	for (unsigned i = 0; i < c->machine->n_cpus; i++) {
		unsigned n;
		const struct memsys_hot *hot = memsys_hot(c->memsys, i, &n);

		c->handler = i + 1;
		for (unsigned h = 0; h < n; h++)
			placement_hot(c->placement, hot[h].mpn, hot[h].node);
	}
	c->handler = 0;
	memsys_hot_clear(c->memsys);
	placement_tick(c->placement, c->now);
}

/* ---- operations for page placement */

static void counts(void *arg, uint32_t mpn, uint32_t *misses, uint32_t *writes)
{
	struct cluster *c = arg;

	for (unsigned node = 0; node < c->machine->n_nodes && c->memsys; node++)
		misses[node] += memsys_frame_misses(c->memsys, mpn, node);
	if (c->memsys)
		*writes += memsys_frame_writes(c->memsys, mpn);
}

static struct placement_load load_in_all(const struct cluster *c)
{
	struct placement_load l = {0};

	for (unsigned i = 0; i < c->machine->n_cpus; i++) {
		const struct memsys_counts *n = memsys_counts(c->memsys, i);

		l.local += n->local + n->local_dirty;
		l.misses += n->local + n->local_dirty + n->remote + n->remote_dirty;
		l.writes += n->upgrades;
	}
	for (unsigned node = 0; node < c->machine->n_nodes; node++)
		l.requests[node] = memsys_home(c->memsys, node).requests;
	return l;
}

static void load(void *arg, struct placement_load *l)
{
	struct cluster *c = arg;
	struct placement_load now = load_in_all(c);

	l->misses = now.misses - c->load_before.misses;
	l->local = now.local - c->load_before.local;
	l->writes = now.writes - c->load_before.writes;
	for (unsigned node = 0; node < c->machine->n_nodes; node++)
		l->requests[node] = now.requests[node] - c->load_before.requests[node];
	c->load_before = now;
}

static void reset(void *arg)
{
	struct cluster *c = arg;

	memsys_frames_reset(c->memsys);
}

/* The CPU that got the signal copies the page, and pays by the vCPU it runs; a CPU that runs none
 * had nothing else to do. */
static uint64_t copy(void *arg, unsigned node, uint32_t from, uint32_t to)
{
	struct cluster *c = arg;

	(void)node;
	return copy_page(c, memsys_cpu(c->memsys, c->handler - 1), from, to);
}

static void charge(void *arg, unsigned node, uint64_t cycles)
{
	struct cluster *c = arg;

	(void)node;
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			struct sim_vcpu *cpu = c->vm[v]->vcpu[i].sim;

			if (cpu->placed && cpu->vcpu->cpu == c->handler - 1) {
				monitor_event(cpu, EVENT_MOVE, cycles);
				c->vm[v]->move_cycles += cycles;
				return;
			}
		}
}

static uint64_t interrupted(void *arg)
{
	return ((struct cluster *)arg)->interrupted;
}

const struct placement_ops numa_placement_ops = {
	.counts = counts,
	.load = load,
	.reset = reset,
	.copy = copy,
	.charge = charge,
	.interrupted = interrupted,
};
