// SPDX-License-Identifier: MIT
/*
 * What a mode of virtualization (monitor/vm/account.h) does to a vCPU: which of its instructions
 * and traps enter the monitor and at what price, what a TLB miss takes, and the books of its time.
 * None of it changes what an instruction does, only when the next one comes.
 *
 * nested: the guest's page tables are in its physical memory, so the hardware translates each
 * address on the walk, and the page's own, by the monitor's three-level tables (Sv39x4, leaves of 4
 * KiB, for pages of one VM are on any node). Those tables lie in frames of their own, which here
 * have no contents, only addresses for the memory-system model.
 *
 * trap: a TLB miss comes to the monitor, which looks into its L2TLB (the paper, section 4.1), each
 * vCPU's own, direct-mapped. A hit costs little; on a miss it walks the guest's tables itself, for
 * the guest's architecture has tables and not a TLB of its own to write. An entry that leads to
 * another frame than the page has now is no hit, so moves of pages need not look for it. The
 * guest's sfence.vma and satp, which here have no address-space identifiers, empty it, as they do
 * the TLB; being switched to another CPU empties the TLB alone.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/engine/sim/mode.h"

enum { L2TLB_ENTRY_BYTES = 16, ENTRY_BYTES = 8, LEVEL_BITS = 9 };

struct l2tlb_entry {
	uint64_t key; /* virtual page * 2, + 1 if it is not translated */
	uint64_t ma;
	uint64_t generation;
};

/* ---- the monitor is entered */

void mode_enter(struct sim_vcpu *cpu, enum account_event e)
{
	const struct machine *m = cpu->vm->cluster->machine;
	uint64_t cycles = m->cost.trap;

	if (cpu->mode == MODE_TRAP) {
		if (account_event_class[e] == CLASS_INSTRUCTION)
			cycles += m->cost.emulate;
		else
			cycles += m->cost.reflect;
		if (e == EVENT_PAGE_FAULT)
			cycles += m->cost.tlb_fill; /* the search that found nothing */
	}
	cpu->account.trapped[e]++;
	monitor_charge(cpu, e, cycles);
}

/* ---- time */

static unsigned account_index(const struct sim_vcpu *cpu)
{
	return cpu->priv == PRIV_M ? 2 : cpu->priv;
}

void account_now(struct sim_vcpu *cpu)
{
	struct account *a = &cpu->account;
	uint64_t t = cpu->now + cpu->charge, retired = cpu->now - cpu->skew;
	uint64_t spent = (t - cpu->since) - (a->monitor - cpu->monitor_since);
	unsigned p = account_index(cpu);

	*(p == 0 ? &a->user : p == 1 ? &a->supervisor : &a->machine) += spent;
	a->instructions[p] += retired - cpu->retired_since;
	account_begin(cpu);
}

void account_begin(struct sim_vcpu *cpu)
{
	cpu->since = cpu->now + cpu->charge;
	cpu->monitor_since = cpu->account.monitor;
	cpu->retired_since = cpu->now - cpu->skew;
}

void sim_vcpu_account(const struct vcpu *vcpu, struct account *out)
{
	struct sim_vcpu *cpu = vcpu->sim;
	const struct vm *vm = vcpu->vm;
	uint64_t end = vm->state == VM_RUNNING ? vm->cluster->now : vm->stopped_at;

	account_now(cpu);
	*out = cpu->account;
	if (end <= cpu->now)
		return;
	if (cpu->idled)
		out->idle += end - cpu->now;
	else if (vcpu->state == VCPU_RUNNABLE)
		out->wait += end - cpu->now;
}

/* ---- a TLB miss: numa fidelity */

/* What a miss at va took, for the statistics of the kernel's services (service.c). */
static void book_refill(struct sim_vcpu *cpu, uint64_t va, uint64_t cycles)
{
	struct service_sum *sum = &cpu->vm->services.of[SERVICE_TLB_MISS];

	if (cpu->priv == PRIV_U) {
		sum->count++;
		sum->cycles[PART_TLB] += cycles;
	} else if (cpu->priv == PRIV_S && !(va >> 63)) {
		cpu->user_half_refills += cycles;
	}
}

static uint64_t table_entry_ma(const struct sim_vm *evm, uint32_t table, uint64_t index)
{
	return ((uint64_t)evm->table[table] << PAGE_SHIFT) + index * ENTRY_BYTES;
}

static unsigned walk_guest(struct sim_vcpu *cpu, const uint64_t *walked_ma, unsigned n)
{
	unsigned stall = 0;

	for (unsigned i = 0; i < n; i++)
		stall += memsys_walk(cpu->model, walked_ma[i]);
	return stall;
}

/* Entry number n of a level is that of the n-th page, 2 MiB or GiB of physical memory. */
static unsigned second_stage(const struct sim_vcpu *cpu, uint64_t pa)
{
	const struct sim_vm *evm = cpu->evm;
	uint64_t n[3], first[3], mask = (1 << LEVEL_BITS) - 1;
	unsigned stall = 0;

	for (unsigned level = 0; level < 3; level++) {
		n[level] = pa >> (PAGE_SHIFT + LEVEL_BITS * level);
		first[level] = VM_RAM_BASE >> (PAGE_SHIFT + LEVEL_BITS * (level + 1));
	}
	first[2] = 0; /* the root begins at address 0, the tables below it with the RAM */
	for (unsigned level = 3; level-- > 0;)
		stall += memsys_walk(cpu->model,
			table_entry_ma(evm,
				evm->level[level] +
					(uint32_t)((n[level] >> LEVEL_BITS) - first[level]),
				n[level] & mask));
	return stall;
}

static unsigned walk_nested(
	struct sim_vcpu *cpu, uint64_t va, uint64_t pa, const uint64_t *walked_ma, unsigned n)
{
	uint64_t table = (cpu->satp & 0xfffffffffffull) << PAGE_SHIFT;
	unsigned level = (unsigned)(cpu->satp >> 60) - 6, stall = 0;

	for (unsigned i = 0; i < n; i++, level--) {
		uint64_t index = va >> (PAGE_SHIFT + LEVEL_BITS * level) & ((1 << LEVEL_BITS) - 1);
		uint64_t pte = *(const uint64_t *)(cpu->ram + walked_ma[i]);

		stall += second_stage(cpu, table + index * ENTRY_BYTES);
		stall += memsys_walk(cpu->model, walked_ma[i]);
		table = (pte & 0x003ffffffffffc00ull) << 2;
	}
	return stall + second_stage(cpu, pa);
}

static void fill_by_monitor(
	struct sim_vcpu *cpu, uint64_t va, uint64_t ma, const uint64_t *walked_ma, unsigned n)
{
	const struct machine *m = cpu->vm->cluster->machine;
	uint64_t key = va >> PAGE_SHIFT << 1 | !n, cycles = m->cost.tlb_refill;
	struct l2tlb_entry *e = NULL;
	bool hit = false;

	if (m->l2tlb_entries) {
		uint64_t at = (va >> PAGE_SHIFT) % m->l2tlb_entries,
			 byte = ((uint64_t)cpu->hart * m->l2tlb_entries + at) * L2TLB_ENTRY_BYTES;

		e = &cpu->l2tlb[at];
		hit = e->key == key && e->ma == ma && e->generation == cpu->l2tlb_generation;
		cycles += memsys_walk(
			cpu->model, table_entry_ma(cpu->evm, (uint32_t)(byte >> PAGE_SHIFT), 0) +
					    (byte & (PAGE_SIZE - 1)));
	}
	if (hit) {
		cycles += m->cost.l2tlb_hit;
	} else {
		cycles += m->cost.trap + m->cost.tlb_fill + walk_guest(cpu, walked_ma, n);
		if (e)
			*e = (struct l2tlb_entry){key, ma, cpu->l2tlb_generation};
	}
	monitor_event(cpu, hit ? EVENT_L2TLB_HIT : EVENT_L2TLB_MISS, cycles);
	book_refill(cpu, va, cycles);
}

void mode_tlb_miss(struct sim_vcpu *cpu, uint64_t va, uint64_t pa, uint64_t ma,
	const uint64_t *walked_ma, unsigned n)
{
	uint64_t cycles = cpu->vm->cluster->machine->cost.tlb_refill;

	if (cpu->mode == MODE_TRAP) {
		fill_by_monitor(cpu, va, ma & ~(uint64_t)(PAGE_SIZE - 1), walked_ma, n);
		return;
	}
	cycles += cpu->mode == MODE_NESTED ? walk_nested(cpu, va, pa, walked_ma, n)
					   : walk_guest(cpu, walked_ma, n);
	cpu->charge += cycles;
	cpu->account.tlb[account_index(cpu)] += cycles;
	book_refill(cpu, va, cycles);
}

void l2tlb_forget(struct sim_vcpu *cpu, uint64_t va)
{
	uint32_t entries = cpu->vm->cluster->machine->l2tlb_entries;
	struct l2tlb_entry *e;

	if (!cpu->l2tlb)
		return;
	e = &cpu->l2tlb[(va >> PAGE_SHIFT) % entries];
	if (e->key == va >> PAGE_SHIFT << 1)
		e->generation = 0;
}

/* ---- the monitor's tables */

static uint32_t tables_wanted(struct vm *vm)
{
	const struct machine *m = vm->cluster->machine;
	uint64_t last = VM_RAM_BASE + vm->ram_bytes - 1, n = 0;

	switch (vm->cluster->mode) {
	case MODE_NESTED:
		for (unsigned level = 0; level < 3; level++) {
			unsigned shift = PAGE_SHIFT + LEVEL_BITS * (level + 1);

			vm->sim->level[level] = (uint32_t)n;
			n += (last >> shift) - (level < 2 ? VM_RAM_BASE >> shift : 0) + 1;
		}
		break;
	case MODE_TRAP:
		n = ((uint64_t)vm->n_vcpus * m->l2tlb_entries * L2TLB_ENTRY_BYTES + PAGE_SIZE - 1) /
		    PAGE_SIZE;
		break;
	default:
		break;
	}
	return (uint32_t)n;
}

void mode_own_tables(const struct vm *vm)
{
	for (uint32_t i = 0; i < vm->n_tables; i++)
		/* `table` has n_tables entries. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		memsys_own(vm->cluster->memsys, vm->sim->table[i], (uint16_t)vm->id);
}

void mode_init(struct vm *vm)
{
	struct cluster *c = vm->cluster;
	uint32_t want = tables_wanted(vm);

	vm->sim->table = want ? xcalloc(want, sizeof(vm->sim->table[0])) : NULL;
	for (; vm->n_tables < want; vm->n_tables++) {
		uint32_t mpn = frame_alloc(c->mem, vm_home_node(vm), FRAME_MONITOR, false);

		if (mpn == MPN_NONE) {
			vm_fail(vm, "machine memory is exhausted: no frame for the tables that "
				    "translate its addresses");
			break;
		}
		vm->sim->table[vm->n_tables] = mpn;
	}
	if (c->memsys)
		mode_own_tables(vm);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct sim_vcpu *cpu = vm->vcpu[i].sim;

		cpu->mode = c->mode;
		if (c->mode == MODE_NESTED || c->mode == MODE_TRAP)
			cpu->exit_cycles = c->machine->cost.trap;
		if (c->mode == MODE_NESTED)
			cpu->enters =
				1ull << EVENT_WFI | 1ull << EVENT_IPI | 1ull << EVENT_EXTERNAL;
		for (unsigned e = EVENT_NONE + 1; e < EVENTS && c->mode == MODE_TRAP; e++)
			if (account_event_class[e] == CLASS_INSTRUCTION ||
				account_event_class[e] == CLASS_GUEST)
				cpu->enters |= 1ull << e;
		if (c->mode == MODE_TRAP && c->machine->l2tlb_entries)
			cpu->l2tlb = xcalloc(c->machine->l2tlb_entries, sizeof(cpu->l2tlb[0]));
		cpu->l2tlb_generation = 1;
	}
}

void mode_free(struct vm *vm)
{
	/* A frame is freed when its last user leaves. These have had no user. */
	for (uint32_t i = 0; i < vm->n_tables; i++) {
		const struct frame_user user = {vm->id, i};

		frame_add_user(vm->cluster->mem, vm->sim->table[i], user);
		frame_del_user(vm->cluster->mem, vm->sim->table[i], user);
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		free(vm->vcpu[i].sim->l2tlb);
	free(vm->sim->table);
}

uint64_t mode_overhead_bytes(const struct vm *vm)
{
	uint64_t bytes = vm->n_tables * sizeof(vm->sim->table[0]);

	if (vm->cluster->mode == MODE_TRAP)
		bytes += (uint64_t)vm->n_vcpus * vm->cluster->machine->l2tlb_entries *
			 sizeof(struct l2tlb_entry);
	return bytes;
}
