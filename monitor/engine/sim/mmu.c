// SPDX-License-Identifier: MIT
/*
 * Guest virtual to guest physical to host: page-table walks (privileged specification,
 * "Supervisor-Level ISA": Sv39, Sv48, Sv57, Svadu), physical memory protection, the soft TLB, and
 * every access that the TLB does not answer: misaligned ones, devices, first touches,
 * copy-on-write.
 *
 * The TLB holds a frame's host address, so it must be told when a ppn's frame changes: the pmap's
 * shootdown ends in tlb_forget_host().
 */
#include <errno.h>
#include <string.h>

#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "sharing/content.h"

enum walk_result { WALK_OK, WALK_PAGE_FAULT, WALK_ACCESS_FAULT, WALK_WAIT };

#define PTE_V    (1u << 0)
#define PTE_R    (1u << 1)
#define PTE_W    (1u << 2)
#define PTE_X    (1u << 3)
#define PTE_U    (1u << 4)
#define PTE_A    (1u << 6)
#define PTE_D    (1u << 7)
#define PTE_PPN  0x003ffffffffffc00ull
#define PTE_HIGH 0xffc0000000000000ull /* reserved, PBMT and N: none implemented */

struct translation {
	uint64_t pa;
	uint64_t leaf_bytes; /* size of the page that maps it */
	bool writable;       /* a store to it would be allowed as well, with nothing to update */
	bool readable;
	unsigned n_walked; /* page-table entries read, and where they are */
	uint64_t walked_ma[5];
};

/* ---- physical memory protection */

/* Range of entry i, or an empty one when it is off. */
static void pmp_range(const struct sim_vcpu *cpu, unsigned i, uint64_t *lo, uint64_t *hi)
{
	uint64_t a = cpu->pmpaddr[i];

	*lo = *hi = 0;
	switch (cpu->pmpcfg[i] >> 3 & 3) {
	case 1: /* TOR */
		*lo = i ? cpu->pmpaddr[i - 1] << 2 : 0;
		*hi = a << 2;
		break;
	case 2: /* NA4 */
		*lo = a << 2;
		*hi = *lo + 4;
		break;
	case 3: /* NAPOT: as many ones at the end as the size says */
		*lo = (a & (a + 1)) << 2;
		*hi = *lo + ((a ^ (a + 1)) + 1) * 4;
		break;
	}
}

static bool pmp_search(
	const struct sim_vcpu *cpu, uint64_t pa, unsigned size, enum access access, enum priv priv)
{
	static const uint8_t need[] = {[ACCESS_READ] = 1, [ACCESS_WRITE] = 2, [ACCESS_FETCH] = 4};

	if (!cpu->pmp_active)
		return priv == PRIV_M;
	for (unsigned i = 0; i < PMP_COUNT; i++) {
		uint64_t lo, hi;

		pmp_range(cpu, i, &lo, &hi);
		if (pa + size <= lo || pa >= hi || lo >= hi)
			continue;
		if (pa < lo || pa + size > hi)
			return false; /* matches some of its bytes only */
		if (priv == PRIV_M && !(cpu->pmpcfg[i] & 0x80))
			return true;
		return cpu->pmpcfg[i] & need[access];
	}
	return priv == PRIV_M;
}

static inline bool pmp_allows(
	const struct sim_vcpu *cpu, uint64_t pa, unsigned size, enum access access, enum priv priv)
{
	return !cpu->vm->bios || pmp_search(cpu, pa, size, access, priv);
}

bool pmp_uniform(const struct sim_vcpu *cpu, uint64_t pa)
{
	uint64_t page = pa & ~(uint64_t)(PAGE_SIZE - 1);

	for (unsigned i = 0; i < PMP_COUNT && cpu->pmp_active; i++) {
		uint64_t lo, hi;

		pmp_range(cpu, i, &lo, &hi);
		if ((lo > page && lo < page + PAGE_SIZE) || (hi > page && hi < page + PAGE_SIZE))
			return false;
	}
	return true;
}

void pmp_update(struct sim_vcpu *cpu)
{
	cpu->pmp_active = 0;
	for (unsigned i = 0; i < PMP_COUNT; i++)
		cpu->pmp_active += (cpu->pmpcfg[i] >> 3 & 3) != 0;
	tlb_flush(cpu);
}

/* ---- guest RAM */

static bool is_ram(const struct sim_vcpu *cpu, uint64_t pa, unsigned size)
{
	return pa >= VM_RAM_BASE && pa - VM_RAM_BASE < cpu->vm->ram_bytes &&
	       cpu->vm->ram_bytes - (pa - VM_RAM_BASE) >= size;
}

/* Host address of the page of pa (RAM), taking a frame or a private copy where needed; LEAVE: not
 * now. */
static int ram_page(struct sim_vcpu *cpu, uint64_t pa, bool write, uint8_t **host, bool *writable)
{
	struct vm *vm = cpu->vm;
	uint32_t ppn = (pa - VM_RAM_BASE) >> PAGE_SHIFT;
	const struct machine *m = vm->cluster->machine;
	uint32_t old = pmap_view(vm->cluster->mem, vm->pmap, ppn, cpu->node, writable);
	const void *before = old == MPN_NONE ? NULL : frame_data(vm->cluster->mem, old);
	bool absent;
	void *p;
	int err;

	if (old != MPN_NONE && (!write || *writable)) {
		*host = frame_data(vm->cluster->mem, old);
		return DONE;
	}
	absent = pmap_entry(vm->pmap, ppn)->mpn == MPN_NONE;
	err = pmap_fault(vm->pmap, ppn, cpu->node, write, &p, writable);
	switch (err == -ENOMEM && vm->cluster->waits_for_memory ? -EAGAIN : err) {
	case 0:
		*host = p;
		if (cpu->mode == MODE_NATIVE)
			return DONE; /* it was there all along */
		monitor_event(cpu, EVENT_FRAME, cpu->exit_cycles + m->cost.page_fault);
		/* The model charges what filling a frame takes (numa.c). No frame was filled where
		 * zeroes are there already, or one of a page's copies becomes the page. */
		if (*writable && p != before && !cpu->model)
			monitor_event(
				cpu, EVENT_FILL, absent ? m->cost.page_zero : m->cost.page_copy);
		return DONE;
	case -EAGAIN:
		cpu->attention = cpu->yield = cpu->waiting = true;
		return LEAVE;
	default:
		vm_fail(vm, "machine memory is exhausted: no frame for guest page 0x%x", ppn);
		cpu->attention = cpu->yield = true;
		return LEAVE;
	}
}

bool mem_code16(const struct sim_vcpu *cpu, uint64_t pa, uint16_t *half)
{
	const struct pmap_entry *e;

	if (!is_ram(cpu, pa, 2))
		return false;
	e = pmap_entry(cpu->vm->pmap, (pa - VM_RAM_BASE) >> PAGE_SHIFT);
	*half = 0;
	if (e->mpn != MPN_NONE)
		memcpy(half,
			(uint8_t *)frame_data(cpu->vm->cluster->mem, e->mpn) +
				(pa & (PAGE_SIZE - 1)),
			2);
	return true;
}

/* ---- translation */

static bool leaf_allows(
	const struct sim_vcpu *cpu, uint64_t pte, enum access access, enum priv priv)
{
	if (priv == PRIV_U && !(pte & PTE_U))
		return false;
	if (priv == PRIV_S && (pte & PTE_U) &&
		(access == ACCESS_FETCH || !(cpu->mstatus & MSTATUS_SUM)))
		return false;
	switch (access) {
	case ACCESS_FETCH:
		return pte & PTE_X;
	case ACCESS_WRITE:
		return pte & PTE_W;
	default:
		return (pte & PTE_R) || ((cpu->mstatus & MSTATUS_MXR) && (pte & PTE_X));
	}
}

/* ---- tables on the way */

static uint64_t table_tag(uint64_t va, unsigned level)
{
	return va >> (PAGE_SHIFT + 9 * (level + 1)) << 1 | level;
}

static unsigned table_slot(uint64_t tag)
{
	return (tag ^ tag >> 6) & (TABLE_ENTRIES - 1);
}

/* The lowest table known on the way to va; its level in *level. NULL: none. */
static const struct table_entry *table_find(const struct sim_vcpu *cpu, uint64_t va, int *level)
{
	for (unsigned l = 0; l < 2; l++) {
		uint64_t tag = table_tag(va, l);
		unsigned slot = table_slot(tag);

		if (cpu->table_tag[slot] == tag) {
			*level = (int)l;
			return &cpu->table[slot];
		}
	}
	return NULL;
}

static void table_remember(struct sim_vcpu *cpu, uint64_t va, int level, uint64_t pa,
	const uint8_t *host, const struct translation *t)
{
	uint64_t tag = table_tag(va, (unsigned)level);
	unsigned slot = table_slot(tag);
	struct table_entry *e = &cpu->table[slot];

	cpu->table_tag[slot] = tag;
	e->pa = pa;
	e->host = host;
	e->n_walked = t->n_walked;
	memcpy(e->walked_ma, t->walked_ma, t->n_walked * sizeof(e->walked_ma[0]));
}

static void tables_forget(struct sim_vcpu *cpu)
{
	memset(cpu->table_tag, 0xff, sizeof(cpu->table_tag));
}

static void tables_forget_page(struct sim_vcpu *cpu, uint64_t va)
{
	for (unsigned l = 0; l < 2; l++) {
		uint64_t tag = table_tag(va, l), *at = &cpu->table_tag[table_slot(tag)];

		if (*at == tag)
			*at = TLB_NONE;
	}
}

/* ---- reads without side effects */

/* The frame of the page of pa; MPN_NONE: absent, or no RAM. */
static uint32_t peek_frame(const struct sim_vcpu *cpu, uint64_t pa)
{
	return is_ram(cpu, pa, 1) ? pmap_entry(cpu->vm->pmap, (pa - VM_RAM_BASE) >> PAGE_SHIFT)->mpn
				  : MPN_NONE;
}

uint64_t mmu_peek(const struct sim_vcpu *cpu, uint64_t va)
{
	uint64_t table = (cpu->satp & 0xfffffffffffull) << PAGE_SHIFT;

	for (int level = (int)(cpu->satp >> 60) - 6; level >= 0; level--) {
		unsigned shift = PAGE_SHIFT + 9 * (unsigned)level;
		uint32_t mpn = peek_frame(cpu, table);
		uint64_t pte = 0;

		if (mpn != MPN_NONE)
			pte = ((const uint64_t *)frame_data(
				cpu->vm->cluster->mem, mpn))[va >> shift & 511];
		if (!(pte & PTE_V))
			return 0;
		if (pte & (PTE_R | PTE_X))
			return pte | ((va & ((1ull << shift) - 1)) >> PAGE_SHIFT << 10);
		table = (pte & PTE_PPN) << 2;
	}
	return 0;
}

bool mmu_peek_zero(const struct sim_vcpu *cpu, uint64_t pte)
{
	uint64_t pa = (pte & PTE_PPN) << 2;
	uint32_t mpn = peek_frame(cpu, pa);

	return is_ram(cpu, pa, 1) && (mpn == MPN_NONE || frame_is_zero(cpu->vm->cluster->mem, mpn));
}

/* ---- walks */

/* Note in a leaf that it was used, as Svadu demands, where the guest has asked for it. */
static enum walk_result update_leaf(
	struct sim_vcpu *cpu, uint64_t pte_pa, uint64_t pte, uint64_t want)
{
	uint8_t *host;
	bool writable;

	if (!(cpu->menvcfg & ENVCFG_ADUE))
		return WALK_PAGE_FAULT;
	if (!pmp_allows(cpu, pte_pa, 8, ACCESS_WRITE, PRIV_S))
		return WALK_ACCESS_FAULT;
	if (ram_page(cpu, pte_pa, true, &host, &writable))
		return WALK_WAIT;
	host += pte_pa & (PAGE_SIZE - 1);
	*(uint64_t *)host = pte | want;
	if (cpu->model)
		cpu->charge += memsys_data(cpu->model, (uint64_t)(host - cpu->ram), true);
	return WALK_OK;
}

static enum walk_result walk(struct sim_vcpu *cpu, uint64_t va, enum access access, enum priv priv,
	struct translation *t)
{
	unsigned mode = cpu->satp >> 60;
	uint64_t table = (cpu->satp & 0xfffffffffffull) << PAGE_SHIFT;
	const struct table_entry *known;
	const uint8_t *page = NULL; /* host address of the table, where known */
	int level;

	if (priv == PRIV_M || mode == 0) {
		*t = (struct translation){
			.pa = va, .leaf_bytes = PAGE_SIZE, .writable = true, .readable = true};
		return WALK_OK;
	}
	t->n_walked = 0;
	known = table_find(cpu, va, &level);
	if (known) {
		table = known->pa;
		page = known->host;
		t->n_walked = known->n_walked;
		memcpy(t->walked_ma, known->walked_ma, sizeof(known->walked_ma));
	} else {
		level = mode - 6; /* Sv39: 8 -> 2, Sv48: 3, Sv57: 4 */
		if ((int64_t)(va << (64 - 21 - 9 * level)) >> (64 - 21 - 9 * level) != (int64_t)va)
			return WALK_PAGE_FAULT;
	}
	for (;; level--, page = NULL) {
		unsigned shift = PAGE_SHIFT + 9 * level;
		uint64_t offset = (va >> shift & 511) * 8, pte_pa = table + offset, pte, want;

		if (!is_ram(cpu, pte_pa, 8) || !pmp_allows(cpu, pte_pa, 8, ACCESS_READ, PRIV_S))
			return WALK_ACCESS_FAULT;
		if (!page) {
			uint8_t *host;
			bool writable;

			if (ram_page(cpu, table, false, &host, &writable))
				return WALK_WAIT;
			page = host;
			if (level < 2)
				table_remember(cpu, va, level, table, page, t);
		}
		pte = *(const uint64_t *)(page + offset);
		t->walked_ma[t->n_walked++] = (uint64_t)(page + offset - cpu->ram);
		if (!(pte & PTE_V) || (pte & PTE_HIGH) || (pte & (PTE_R | PTE_W)) == PTE_W)
			return WALK_PAGE_FAULT;
		table = (pte & PTE_PPN) << 2;
		if (!(pte & (PTE_R | PTE_X))) {
			if (level == 0 || (pte & (PTE_A | PTE_D | PTE_U)))
				return WALK_PAGE_FAULT;
			continue;
		}
		/* At level 0 all has ended. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		t->leaf_bytes = 1ull << shift;
		if (!leaf_allows(cpu, pte, access, priv) || (table & (t->leaf_bytes - 1)))
			return WALK_PAGE_FAULT;
		want = PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
		if ((pte & want) != want) {
			enum walk_result r = update_leaf(cpu, pte_pa, pte, want);

			if (r != WALK_OK)
				return r;
			pte |= want;
		}
		t->pa = table | (va & (t->leaf_bytes - 1));
		t->writable = (pte & PTE_D) && leaf_allows(cpu, pte, ACCESS_WRITE, priv);
		t->readable = leaf_allows(cpu, pte, ACCESS_READ, priv);
		return WALK_OK;
	}
}

/* Leave the exception that a failed walk means. Always LEAVE. */
static int walk_failed(struct sim_vcpu *cpu, enum walk_result r, uint64_t va, enum access access)
{
	static const uint8_t page_fault[] = {CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE};
	static const uint8_t access_fault[] = {
		CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS};

	if (r == WALK_PAGE_FAULT)
		return mem_fault(cpu, page_fault[access], va);
	if (r == WALK_ACCESS_FAULT)
		return mem_fault(cpu, access_fault[access], va);
	return LEAVE;
}

/* The privilege with which data is accessed: MPRV lends M-mode another one. */
static enum priv data_priv(const struct sim_vcpu *cpu)
{
	if (cpu->priv == PRIV_M && (cpu->mstatus & MSTATUS_MPRV))
		return (cpu->mstatus & MSTATUS_MPP) >> 11;
	return cpu->priv;
}

static int translate(
	struct sim_vcpu *cpu, uint64_t va, unsigned size, enum access access, struct translation *t)
{
	enum priv priv = data_priv(cpu);
	enum walk_result r = walk(cpu, va, access, priv, t);

	if (r == WALK_OK && !pmp_allows(cpu, t->pa, size, access, priv))
		r = WALK_ACCESS_FAULT;
	return r == WALK_OK ? DONE : walk_failed(cpu, r, va, access);
}

/* The modelled TLB dropped a mapping: what the soft TLB knows must stay within it. */
static void forget_victim(struct sim_vcpu *cpu, const struct memsys_tlb_victim *v)
{
	uint64_t first = v->vpn << PAGE_SHIFT, bytes = v->pages << PAGE_SHIFT;

	for (unsigned c = 0; c < TLB_CONTEXTS; c++) {
		if (!(cpu->tlb_used & 1u << c))
			continue;
		for (uint64_t i = 0; i < MIN(v->pages, (uint64_t)TLB_ENTRIES); i++) {
			struct tlb_entry *e = &cpu->tlbs[c][(v->vpn + i) & (TLB_ENTRIES - 1)];

			if (e->host && (uint64_t)e->host - e->addend - first < bytes) {
				e->read_tag = e->write_tag = TLB_NONE;
				e->host = NULL;
			}
		}
	}
	for (uint64_t i = 0; i < MIN(v->pages, (uint64_t)FETCH_ENTRIES); i++) {
		struct code_entry *f = &cpu->code[(v->vpn + i) & (FETCH_ENTRIES - 1)];

		if (f->page - first < bytes) {
			f->page = TLB_NONE;
			cpu->fetch_page = FETCH_NONE;
		}
	}
}

/* A translation that the soft TLB did not have: was it in the modelled one? */
static void model_translation(
	struct sim_vcpu *cpu, uint64_t va, const struct translation *t, const uint8_t *page)
{
	/* Where the monitor has a say in translation, it has one for each page of 4 KiB, also of
	 * addresses that the guest does not translate: those are another context. */
	bool every = cpu->mode == MODE_NESTED || cpu->mode == MODE_TRAP;
	unsigned order = every ? 0 : __builtin_ctzll(t->leaf_bytes) - PAGE_SHIFT;
	struct memsys_tlb_victim victim;

	if ((!t->n_walked && !every) ||
		memsys_tlb_access(cpu->model, !t->n_walked, va >> PAGE_SHIFT, order, &victim))
		return;
	mode_tlb_miss(cpu, va, t->pa, (uint64_t)(page - cpu->ram), t->walked_ma, t->n_walked);
	if (victim.pages)
		forget_victim(cpu, &victim);
}

int mem_fetch_model(struct sim_vcpu *cpu, uint64_t va)
{
	struct code_entry *f = &cpu->code[va >> PAGE_SHIFT & (FETCH_ENTRIES - 1)];
	struct translation t;
	enum walk_result r = walk(cpu, va, ACCESS_FETCH, cpu->priv, &t);
	uint8_t *host;
	bool writable;

	if (r == WALK_OK &&
		(!pmp_allows(cpu, t.pa, 2, ACCESS_FETCH, cpu->priv) || !is_ram(cpu, t.pa, 2)))
		r = WALK_ACCESS_FAULT;
	if (r != WALK_OK)
		return walk_failed(cpu, r, va, ACCESS_FETCH);
	if (ram_page(cpu, t.pa, false, &host, &writable))
		return LEAVE;
	model_translation(cpu, va, &t, host);
	*f = (struct code_entry){va & ~(uint64_t)(PAGE_SIZE - 1), cpu->context, host - cpu->ram};
	code_page(cpu, va);
	return DONE;
}

int mem_fetch_pa(struct sim_vcpu *cpu, uint64_t va, uint64_t *pa)
{
	uint64_t page = va & ~(uint64_t)(PAGE_SIZE - 1),
		 index = va >> PAGE_SHIFT & (FETCH_ENTRIES - 1);
	struct fetch_entry *f = &cpu->fetch[index];
	unsigned bit = (va >> PAGE_SHIFT ^ va >> 24) & 4095;
	struct translation t;
	enum walk_result r;

	if (f->page == page && f->context == cpu->context) {
		*pa = f->pa | (va & (PAGE_SIZE - 1));
		return DONE;
	}
	r = walk(cpu, va, ACCESS_FETCH, cpu->priv, &t);
	if (r == WALK_OK &&
		(!pmp_allows(cpu, t.pa, 2, ACCESS_FETCH, cpu->priv) || !is_ram(cpu, t.pa, 2)))
		r = WALK_ACCESS_FAULT;
	if (r != WALK_OK)
		return walk_failed(cpu, r, va, ACCESS_FETCH);
	cpu->exec_pages[bit / 64] |= 1ull << (bit & 63);
	if (t.leaf_bytes > PAGE_SIZE) {
		cpu->big_lo = MIN(cpu->big_lo, va & ~(t.leaf_bytes - 1));
		cpu->big_hi = MAX(cpu->big_hi, va | (t.leaf_bytes - 1));
	}
	if (pmp_uniform(cpu, t.pa))
		*f = (struct fetch_entry){page, cpu->context, t.pa & ~(uint64_t)(PAGE_SIZE - 1)};
	*pa = t.pa;
	return DONE;
}

/* ---- soft TLB */

static void new_context(struct sim_vcpu *cpu)
{
	cpu->context = ++cpu->evm->generation << 2 | cpu->priv;
	cpu->fetch_page = FETCH_NONE;
	memset(cpu->exec_pages, 0, sizeof(cpu->exec_pages));
}

void tlb_flush_hardware(struct sim_vcpu *cpu)
{
	for (unsigned c = 0; c < TLB_CONTEXTS; c++)
		if (cpu->tlb_used & 1u << c)
			memset(cpu->tlbs[c], 0xff, sizeof(cpu->tlbs[c]));
	cpu->tlb_used = 0;
	tables_forget(cpu);
	cpu->big_lo = UINT64_MAX;
	cpu->big_hi = 0;
	cpu->reserved_va = UINT64_MAX;
	if (cpu->model)
		memsys_tlb_flush(cpu->model);
	new_context(cpu);
}

void tlb_flush(struct sim_vcpu *cpu)
{
	cpu->l2tlb_generation++;
	tlb_flush_hardware(cpu);
}

void tlb_flush_page(struct sim_vcpu *cpu, uint64_t va)
{
	unsigned bit = (va >> PAGE_SHIFT ^ va >> 24) & 4095;

	cpu->reserved_va = UINT64_MAX;
	if (va >= cpu->big_lo && va <= cpu->big_hi) {
		tlb_flush(cpu);
		return;
	}
	tables_forget_page(cpu, va);
	l2tlb_forget(cpu, va);
	if (cpu->model)
		memsys_tlb_flush_page(cpu->model, 0, va >> PAGE_SHIFT);
	cpu->code[va >> PAGE_SHIFT & (FETCH_ENTRIES - 1)].page = TLB_NONE;
	cpu->fetch_page = FETCH_NONE;
	for (unsigned c = 0; c < TLB_CONTEXTS; c++) {
		struct tlb_entry *e = &cpu->tlbs[c][va >> PAGE_SHIFT & (TLB_ENTRIES - 1)];

		e->read_tag = e->write_tag = TLB_NONE;
		e->host = NULL;
	}
	if (cpu->exec_pages[bit / 64] >> (bit & 63) & 1)
		new_context(cpu);
}

void tlb_forget_host(struct sim_vcpu *cpu, const uint8_t *host, bool only_write)
{
	if (!only_write)
		tables_forget(cpu);
	for (unsigned i = 0; i < FETCH_ENTRIES && cpu->model && !only_write; i++)
		if (cpu->code[i].ma == (uint64_t)(host - cpu->ram)) {
			cpu->code[i].page = TLB_NONE;
			cpu->fetch_page = FETCH_NONE;
		}
	for (unsigned c = 0; c < TLB_CONTEXTS; c++) {
		if (!(cpu->tlb_used & 1u << c))
			continue;
		for (unsigned i = 0; i < TLB_ENTRIES; i++) {
			struct tlb_entry *e = &cpu->tlbs[c][i];

			if (e->host != host)
				continue;
			e->write_tag = TLB_NONE;
			if (!only_write)
				e->read_tag = TLB_NONE;
		}
	}
}

void tlb_forget_writes(struct sim_vcpu *cpu)
{
	for (unsigned c = 0; c < TLB_CONTEXTS; c++)
		for (unsigned i = 0; i < TLB_ENTRIES && (cpu->tlb_used & 1u << c); i++)
			cpu->tlbs[c][i].write_tag = TLB_NONE;
}

void mmu_update_context(struct sim_vcpu *cpu)
{
	enum tlb_context c;

	switch (data_priv(cpu)) {
	case PRIV_M:
		c = TLB_M;
		break;
	case PRIV_U:
		c = TLB_U;
		break;
	default:
		c = cpu->mstatus & MSTATUS_SUM ? TLB_S_SUM : TLB_S;
		break;
	}
	cpu->tlb = cpu->tlbs[c];
	cpu->context = (cpu->context & ~3ull) | cpu->priv;
	cpu->fetch_page = FETCH_NONE;
}

static void tlb_fill(struct sim_vcpu *cpu, uint64_t va, const struct translation *t, uint8_t *page,
	bool writable)
{
	struct tlb_entry *e = &cpu->tlb[va >> PAGE_SHIFT & (TLB_ENTRIES - 1)];
	uint64_t tag = va & ~(uint64_t)(PAGE_SIZE - 1);
	uint8_t code = cpu->evm->page_code[(t->pa - VM_RAM_BASE) >> PAGE_SHIFT];

	if (cpu->pmp_active &&
		(!pmp_uniform(cpu, t->pa) ||
			!pmp_allows(cpu, t->pa & ~7ull, 8, ACCESS_READ, data_priv(cpu)) ||
			!pmp_allows(cpu, t->pa & ~7ull, 8, ACCESS_WRITE, data_priv(cpu))))
		return;
	cpu->tlb_used |= 1u << ((cpu->tlb - cpu->tlbs[0]) / TLB_ENTRIES);
	if (t->leaf_bytes > PAGE_SIZE) {
		cpu->big_lo = MIN(cpu->big_lo, va & ~(t->leaf_bytes - 1));
		cpu->big_hi = MAX(cpu->big_hi, va | (t->leaf_bytes - 1));
	}
	e->read_tag = t->readable ? tag : TLB_NONE;
	e->write_tag = t->writable && writable && code != CODE_PRESENT ? tag : TLB_NONE;
	e->addend = (uintptr_t)page - tag;
	e->host = page;
}

/* ---- slow accesses */

void mem_code_written(struct sim_vm *evm, uint32_t ppn)
{
	if (evm->page_code[ppn] != CODE_PRESENT)
		return;
	evm->page_code[ppn] |= CODE_DIRTY;
	if (evm->n_dirty < ARRAY_SIZE(evm->dirty))
		evm->dirty[evm->n_dirty] = ppn;
	evm->n_dirty++;
}

/*
 * Make `size` bytes at va, within one page, accessible: host address in *host, or NULL when *pa is
 * not RAM.
 */
static int reach(struct sim_vcpu *cpu, uint64_t va, unsigned size, enum access access,
	uint8_t **host, uint64_t *pa)
{
	struct translation t;
	uint8_t *page;
	bool writable;

	if (translate(cpu, va, size, access, &t))
		return LEAVE;
	*pa = t.pa;
	*host = NULL;
	if (!is_ram(cpu, t.pa, size))
		return DONE;
	if (ram_page(cpu, t.pa, access == ACCESS_WRITE, &page, &writable))
		return LEAVE;
	if (access == ACCESS_WRITE) {
		mem_code_written(cpu->evm, (t.pa - VM_RAM_BASE) >> PAGE_SHIFT);
		content_wrote(cpu->vm->log, (uint32_t)((t.pa - VM_RAM_BASE) >> PAGE_SHIFT));
	}
	if (cpu->model)
		model_translation(cpu, va, &t, page);
	tlb_fill(cpu, va, &t, page, writable);
	*host = page + (t.pa & (PAGE_SIZE - 1));
	if (cpu->model)
		cpu->charge += memsys_data(cpu->model, *host - cpu->ram, access == ACCESS_WRITE);
	return DONE;
}

static void device_charge(struct sim_vcpu *cpu)
{
	const struct machine *m = cpu->vm->cluster->machine;

	if (cpu->mode == MODE_NATIVE)
		cpu->charge += m->cost.uncached;
	else
		monitor_event(cpu, EVENT_DEVICE, cpu->exit_cycles + m->cost.mmio);
}

static int device_access(
	struct sim_vcpu *cpu, uint64_t va, uint64_t pa, unsigned size, bool write, uint64_t *value)
{
	struct device *d = (pa & (size - 1)) ? NULL : device_find(cpu->vm, pa, size);

	if (!d)
		return walk_failed(cpu, WALK_ACCESS_FAULT, va, write ? ACCESS_WRITE : ACCESS_READ);
	device_charge(cpu);
	cpu->attention = true; /* the device may have raised an interrupt, or stopped the VM */
	if (write)
		d->ops->write(d, cpu->vcpu, pa - d->base, size, *value);
	else
		*value = d->ops->read(d, cpu->vcpu, pa - d->base, size);
	return DONE;
}

static bool crosses_page(uint64_t va, unsigned size)
{
	return (va & (PAGE_SIZE - 1)) + size > PAGE_SIZE;
}

int mem_load(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t *value)
{
	uint8_t *host;
	uint64_t pa;

	*value = 0;
	if (crosses_page(va, size)) {
		for (unsigned i = 0; i < size; i++) {
			uint64_t byte;

			if (mem_load(cpu, va + i, 1, &byte))
				return LEAVE;
			*value |= byte << 8 * i;
		}
		return DONE;
	}
	if (reach(cpu, va, size, ACCESS_READ, &host, &pa))
		return LEAVE;
	if (!host)
		return device_access(cpu, va, pa, size, false, value);
	memcpy(value, host, size);
	return DONE;
}

int mem_store(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t value)
{
	uint8_t *host;
	uint64_t pa;

	if (crosses_page(va, size)) {
		uint64_t second = (va | (PAGE_SIZE - 1)) + 1;

		/* Both pages must take the store before either is written: a trap leaves no half.
		 */
		if (reach(cpu, va, second - va, ACCESS_WRITE, &host, &pa) ||
			reach(cpu, second, va + size - second, ACCESS_WRITE, &host, &pa))
			return LEAVE;
		for (unsigned i = 0; i < size; i++)
			if (mem_store(cpu, va + i, 1, value >> 8 * i))
				return LEAVE;
		return DONE;
	}
	if (reach(cpu, va, size, ACCESS_WRITE, &host, &pa))
		return LEAVE;
	if (!host)
		return device_access(cpu, va, pa, size, true, &value);
	memcpy(host, &value, size);
	return DONE;
}

int mem_atomic(struct sim_vcpu *cpu, uint64_t va, unsigned size, bool write, void **host)
{
	uint64_t pa;
	uint8_t *p;

	if (va & (size - 1))
		return mem_fault(cpu, write ? CAUSE_STORE_MISALIGNED : CAUSE_LOAD_MISALIGNED, va);
	if (reach(cpu, va, size, write ? ACCESS_WRITE : ACCESS_READ, &p, &pa))
		return LEAVE;
	if (!p)
		return walk_failed(cpu, WALK_ACCESS_FAULT, va, write ? ACCESS_WRITE : ACCESS_READ);
	*host = p;
	return DONE;
}
