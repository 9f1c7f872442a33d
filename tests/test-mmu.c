// SPDX-License-Identifier: MIT
/*
 * Address translation of the simulated CPU over page tables made by hand: who may do what, what the
 * walk updates, what is reserved, physical memory protection, and that the soft TLB never answers
 * what the tables no longer say.
 */
#include "tests/sim-vm.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };
enum { LEAF = V | R | W | A | D };
enum {
	SATP = 0x180,
	SSTATUS = 0x100,
	MSTATUS = 0x300,
	MENVCFG = 0x30a,
	PMPCFG0 = 0x3a0,
	PMPADDR0 = 0x3b0
};

#define RAM        VM_RAM_BASE
#define TABLE      (RAM + 0x100000)      /* tables from here, a page each */
#define DATA       (RAM + 0x200000)      /* data the tests map; 2 MiB aligned */
#define VA         0x0000000012345000ull /* where they map it */
#define PPN_OF(pa) ((uint64_t)(pa) >> 12 << 10)

static struct vm *vm;
static struct sim_vcpu *cpu;
static unsigned levels;
static uint64_t next_table;

/* Empty tables of `n` levels; S-mode. */
static void paging(unsigned n)
{
	levels = n;
	next_table = TABLE + PAGE_SIZE;
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(gm_zero(vm, TABLE + i * PAGE_SIZE, PAGE_SIZE), 0);
	set_privilege(cpu, PRIV_M);
	csr_set(cpu, SATP, (uint64_t)(n + 5) << 60 | TABLE >> 12);
	ck_assert_uint_eq(csr_get(cpu, SATP) >> 60, n + 5);
	set_privilege(cpu, PRIV_S);
}

/* Where the entry for va lies at `level` (0: 4 KiB); makes the tables above it. */
static uint64_t entry(uint64_t va, unsigned level)
{
	uint64_t table = TABLE;

	for (unsigned l = levels - 1; l > level; l--) {
		uint64_t pte_pa = table + (va >> (12 + 9 * l) & 511) * 8, pte = get64(vm, pte_pa);

		if (!(pte & V)) {
			pte = PPN_OF(next_table) | V;
			next_table += PAGE_SIZE;
			put64(vm, pte_pa, pte);
		}
		table = pte >> 10 << 12;
	}
	return table + (va >> (12 + 9 * level) & 511) * 8;
}

static void map(uint64_t va, unsigned level, uint64_t pa, uint64_t flags)
{
	put64(vm, entry(va, level), PPN_OF(pa) | flags);
	tlb_flush(cpu);
}

/* The access succeeds (-1), or this is the exception's cause. */
static int load(uint64_t va, uint64_t *v)
{
	uint64_t dummy;

	cpu->mcause = cpu->scause = 99;
	cpu->medeleg = 0;
	if (do_load(cpu, va, 8, v ? v : &dummy) == DONE)
		return -1;
	ck_assert_uint_eq(cpu->mtval, va);
	trap_mret(cpu);
	return (int)cpu->mcause;
}

static int store(uint64_t va, uint64_t v)
{
	cpu->medeleg = 0;
	if (do_store(cpu, va, 8, v) == DONE)
		return -1;
	ck_assert_uint_eq(cpu->mtval, va);
	trap_mret(cpu);
	return (int)cpu->mcause;
}

static int fetch(uint64_t va, uint64_t *pa)
{
	uint64_t dummy;

	cpu->medeleg = 0;
	if (do_fetch_pa(cpu, va, pa ? pa : &dummy) == DONE)
		return -1;
	ck_assert_uint_eq(cpu->mtval, va);
	trap_mret(cpu);
	return (int)cpu->mcause;
}

static bool in_tlb(const struct sim_vcpu *c, uint64_t va, bool write)
{
	const struct tlb_entry *e = &c->tlb[va >> PAGE_SHIFT & (TLB_ENTRIES - 1)];

	return (write ? e->write_tag : e->read_tag) == (va & ~(uint64_t)(PAGE_SIZE - 1));
}

static void setup(void)
{
	sim_create(2);
	vm = sim_vm(2, true);
	cpu = vm->vcpu[0].sim;
	/* All of memory is open; single tests close parts of it. */
	csr_set(cpu, PMPADDR0 + 15, UINT64_MAX);
	csr_set(cpu, PMPCFG0 + 2, 0x1full << 56);
	for (unsigned i = 0; i < 1024; i++)
		put64(vm, DATA + i * 8, 0x1000000 + i);
}

static void teardown(void)
{
	sim_destroy();
}

START_TEST(every_mode_and_page_size)
{
	static const uint64_t va[] = {VA, 0x7fffffe000ull, 0xffffffffc0001000ull};

	for (unsigned n = 3; n <= 5; n++)
		for (unsigned i = 0; i < ARRAY_SIZE(va); i++)
			for (unsigned level = 0; level < 2; level++) {
				uint64_t size = 1ull << (12 + 9 * level), v = 0, pa = 0;
				uint64_t page = va[i] & ~(size - 1);

				if (n == 3 && i == 1)
					page &= 0x3fffffffff;
				paging(n);
				map(page, level, DATA, LEAF | X);
				ck_assert_int_eq(load(page + 16, &v), -1);
				ck_assert_uint_eq(v, 0x1000002);
				ck_assert_int_eq(store(page + 24, 7), -1);
				ck_assert_uint_eq(get64(vm, DATA + 24), 7);
				ck_assert_int_eq(fetch(page + 0x7fe, &pa), -1);
				ck_assert_uint_eq(pa, DATA + 0x7fe);
				ck_assert_int_eq(load(page + size, NULL), CAUSE_LOAD_PAGE);
				put64(vm, DATA + 24, 0x1000003);
			}
}
END_TEST

/* A gigapage: only its part that is RAM can be reached. */
START_TEST(gigapage)
{
	uint64_t v;

	paging(3);
	map(0x40000000, 2, 0x80000000, LEAF);
	ck_assert_int_eq(load(0x40000000 + (DATA - RAM) + 8, &v), -1);
	ck_assert_uint_eq(v, 0x1000001);
	ck_assert_int_eq(load(0x40000000 + SIM_RAM_BYTES, NULL), CAUSE_LOAD_ACCESS);
	ck_assert_int_eq(store(0x40000000 + SIM_RAM_BYTES, 0), CAUSE_STORE_ACCESS);
}
END_TEST

START_TEST(not_canonical)
{
	for (unsigned n = 3; n <= 5; n++) {
		uint64_t top = 1ull << (12 + 9 * n - 1);

		paging(n);
		map(top - PAGE_SIZE, 0, DATA, LEAF | X);
		ck_assert_int_eq(load(top - 8, NULL), -1);
		ck_assert_int_eq(load(top, NULL), CAUSE_LOAD_PAGE);
		ck_assert_int_eq(store(~top, 0), CAUSE_STORE_PAGE);
		ck_assert_int_eq(fetch(top | 1ull << 63, NULL), CAUSE_FETCH_PAGE);
	}
}
END_TEST

/* For each set of permissions, privilege, SUM and MXR: the rule, written out again. */
START_TEST(permissions)
{
	paging(3);
	for (unsigned n = 0; n < 16 * 2 * 2 * 2; n++) {
		unsigned flags = (n & 15) << 1; /* R W X U */
		bool user = n & 16, sum = n & 32, mxr = n & 64;
		bool valid = (flags & (R | X)) && !((flags & W) && !(flags & R));
		bool mine = user ? flags & U : !(flags & U) || sum;

		map(VA, 0, DATA, V | A | D | flags);
		set_privilege(cpu, PRIV_M);
		csr_set(cpu, MSTATUS, (sum ? MSTATUS_SUM : 0) | (mxr ? MSTATUS_MXR : 0));
		set_privilege(cpu, user ? PRIV_U : PRIV_S);
		ck_assert_int_eq(load(VA, NULL),
			valid && mine && ((flags & R) || (mxr && (flags & X))) ? -1
									       : CAUSE_LOAD_PAGE);
		ck_assert_int_eq(
			store(VA, 0x1000000), valid && mine && (flags & W) ? -1 : CAUSE_STORE_PAGE);
		ck_assert_int_eq(fetch(VA, NULL),
			valid && (flags & X) && user == !!(flags & U) ? -1 : CAUSE_FETCH_PAGE);
		if (!valid || !mine || !(flags & W))
			ck_assert(!in_tlb(cpu, VA, true));
	}
}
END_TEST

START_TEST(reserved_entries)
{
	static const uint64_t bad[] = {V | W | A | D, V | W | X | A | D, LEAF | 1ull << 54,
		LEAF | 1ull << 60, LEAF | 1ull << 61, LEAF | 1ull << 63, V | A, V | D, V | U, 0,
		R | W | A | D};

	paging(4);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		map(VA, 0, DATA, bad[i]);
		ck_assert_msg(load(VA, NULL) == CAUSE_LOAD_PAGE, "leaf 0x%llx",
			(unsigned long long)bad[i]);
	}
	/* At the last level a pointer leads nowhere. */
	map(VA, 0, TABLE, V);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
	/* Above it A, D and U of a pointer must be clear; G may be set. */
	map(VA, 0, DATA, LEAF);
	for (unsigned bit = 0; bit < 8; bit++) {
		uint64_t at = entry(VA, 1), pte = get64(vm, at);

		put64(vm, at, pte | 1u << bit);
		tlb_flush(cpu);
		if (1u << bit == V || 1u << bit == G)
			ck_assert_int_eq(load(VA, NULL), -1);
		else
			ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
		put64(vm, at, pte);
	}
	/* A superpage at an address that is no multiple of its size. */
	paging(3);
	map(VA, 1, DATA + PAGE_SIZE, LEAF);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
	map(VA, 2, DATA, LEAF);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
	/* Tables outside memory: the walk itself fails. */
	put64(vm, entry(VA, 2), PPN_OF(0x1000) | V);
	tlb_flush(cpu);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_ACCESS);
	ck_assert_int_eq(store(VA, 0), CAUSE_STORE_ACCESS);
	ck_assert_int_eq(fetch(VA, NULL), CAUSE_FETCH_ACCESS);
}
END_TEST

/* Svadu: the walk sets A and D, D only for stores; without it (Svade) it faults instead. */
START_TEST(accessed_and_dirty)
{
	uint64_t at;

	paging(3);
	map(VA, 0, DATA, V | R | W);
	at = entry(VA, 0);
	ck_assert_int_eq(load(VA, NULL), -1);
	ck_assert_uint_eq(get64(vm, at) & (A | D), A);
	ck_assert(!in_tlb(cpu, VA, true)); /* or the store would not be seen */
	ck_assert_int_eq(store(VA, 1), -1);
	ck_assert_uint_eq(get64(vm, at) & (A | D), A | D);
	ck_assert(in_tlb(cpu, VA, true));

	map(VA, 0, DATA, V | R);
	ck_assert_int_eq(store(VA, 1), CAUSE_STORE_PAGE);
	ck_assert_uint_eq(get64(vm, at) & (A | D), 0);

	set_privilege(cpu, PRIV_M);
	csr_set(cpu, MENVCFG, 0);
	set_privilege(cpu, PRIV_S);
	map(VA, 0, DATA, V | R | W);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
	map(VA, 0, DATA, V | R | W | A);
	ck_assert_int_eq(load(VA, NULL), -1);
	ck_assert_int_eq(store(VA, 1), CAUSE_STORE_PAGE);
	ck_assert_uint_eq(get64(vm, at) & (A | D), A);
}
END_TEST

START_TEST(crossing_a_page)
{
	uint64_t edge = VA + PAGE_SIZE, v, expected, before;

	paging(3);
	map(VA, 0, DATA, LEAF);
	map(edge, 0, DATA + 4 * PAGE_SIZE, LEAF); /* not neighbours in memory */
	put64(vm, DATA + PAGE_SIZE - 8, 0x1122334455667788);
	put64(vm, DATA + 4 * PAGE_SIZE, 0x99aabbccddeeff00);
	for (unsigned n = 1; n < 8; n++) {
		expected = 0x1122334455667788ull >> 8 * (8 - n) | 0x99aabbccddeeff00ull << 8 * n;
		ck_assert_int_eq(load(edge - n, &v), -1);
		ck_assert_uint_eq(v, expected);
		ck_assert_int_eq(store(edge - n, ~expected), -1);
		ck_assert_int_eq(load(edge - n, &v), -1);
		ck_assert_uint_eq(v, ~expected);
		ck_assert_int_eq(store(edge - n, expected), -1);
	}
	/* The second page refuses: it is named, and the first one is as it was. */
	map(edge, 0, DATA + 4 * PAGE_SIZE, V | R | A | D);
	before = get64(vm, DATA + PAGE_SIZE - 8);
	ck_assert_int_eq(do_store(cpu, edge - 3, 8, 0), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_STORE_PAGE);
	ck_assert_uint_eq(cpu->mtval, edge);
	trap_mret(cpu);
	ck_assert_uint_eq(get64(vm, DATA + PAGE_SIZE - 8), before);
	map(edge, 0, 0, 0);
	ck_assert_int_eq(do_load(cpu, edge - 3, 8, &v), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_LOAD_PAGE);
	ck_assert_uint_eq(cpu->mtval, edge);
}
END_TEST

START_TEST(atomics_are_aligned_and_in_memory)
{
	void *host;

	set_privilege(cpu, PRIV_M);
	ck_assert_int_eq(do_atomic(cpu, DATA + 8, 8, true, &host), DONE);
	ck_assert_uint_eq(*(uint64_t *)host, 0x1000001);
	ck_assert_int_eq(do_atomic(cpu, DATA + 4, 8, true, &host), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_STORE_MISALIGNED);
	ck_assert_int_eq(do_atomic(cpu, DATA + 2, 4, false, &host), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_LOAD_MISALIGNED);
	ck_assert_int_eq(do_atomic(cpu, 0x1000, 8, true, &host), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_STORE_ACCESS);
}
END_TEST

START_TEST(mprv_lends_a_privilege)
{
	paging(3);
	map(VA, 0, DATA, LEAF | U);
	set_privilege(cpu, PRIV_M);
	csr_set(cpu, MSTATUS, MSTATUS_MPRV); /* MPP: U */
	ck_assert_int_eq(do_load(cpu, VA, 8, &(uint64_t){0}), DONE);
	ck_assert_int_eq(fetch(RAM, NULL), -1); /* fetches are M's own */
	csr_set(cpu, MSTATUS, MSTATUS_MPRV | 1ull << 11);
	ck_assert_int_eq(do_load(cpu, VA, 8, &(uint64_t){0}), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_LOAD_PAGE);
	csr_set(cpu, MSTATUS, MSTATUS_MPRV | 1ull << 11 | MSTATUS_SUM);
	ck_assert_int_eq(do_load(cpu, VA, 8, &(uint64_t){0}), DONE);
	csr_set(cpu, MSTATUS, MSTATUS_MPRV | MSTATUS_MPP);
	ck_assert_int_eq(do_load(cpu, VA, 8, &(uint64_t){0}), LEAVE);
	ck_assert_uint_eq(cpu->mcause, CAUSE_LOAD_ACCESS);
}
END_TEST

static void pmp(unsigned i, unsigned cfg, uint64_t addr)
{
	uint64_t all;

	set_privilege(cpu, PRIV_M);
	csr_set(cpu, PMPADDR0 + i, addr);
	all = csr_get(cpu, PMPCFG0) & ~(0xffull << 8 * i);
	csr_set(cpu, PMPCFG0, all | (uint64_t)cfg << 8 * i);
}

START_TEST(protection_ranges)
{
	enum { TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, LOCK = 0x80 };

	/* NAPOT of 16 bytes without permission, then all of memory. */
	pmp(0, NAPOT, (DATA + 64) >> 2 | 1);
	set_privilege(cpu, PRIV_S);
	ck_assert_int_eq(load(DATA + 56, NULL), -1);
	ck_assert_int_eq(load(DATA + 64, NULL), CAUSE_LOAD_ACCESS);
	ck_assert_int_eq(store(DATA + 72, 0), CAUSE_STORE_ACCESS);
	ck_assert_int_eq(load(DATA + 80, NULL), -1);
	ck_assert_int_eq(load(DATA + 60, NULL), CAUSE_LOAD_ACCESS); /* in part */
	ck_assert_int_eq(fetch(DATA + 62, NULL), -1);
	ck_assert_int_eq(fetch(DATA + 64, NULL), CAUSE_FETCH_ACCESS);
	ck_assert(!in_tlb(cpu, DATA, false)); /* a divided page is checked each time */
	set_privilege(cpu, PRIV_M);
	ck_assert_int_eq(load(DATA + 64, NULL), -1); /* not locked: M is free */

	/* TOR, read only, and NA4 inside it that comes first. */
	pmp(0, NA4, (DATA + 0x100) >> 2);
	pmp(1, 0, DATA >> 2);
	pmp(2, TOR | 1, (DATA + 0x2000) >> 2);
	set_privilege(cpu, PRIV_S);
	ck_assert_int_eq(load(DATA, NULL), -1);
	ck_assert_int_eq(load(DATA + 0x1ff8, NULL), -1);
	ck_assert_int_eq(store(DATA + 0x1ff8, 0), CAUSE_STORE_ACCESS);
	ck_assert_int_eq(store(DATA + 0x2000, 0), -1);
	ck_assert_int_eq(store(DATA - 8, 0), -1);
	ck_assert_int_eq(load(DATA + 0x100, NULL), CAUSE_LOAD_ACCESS);
	ck_assert_int_eq(load(DATA + 0x108, NULL), -1);
	ck_assert_int_eq(fetch(DATA, NULL), CAUSE_FETCH_ACCESS);

	/* Locked: M obeys, and nothing can be changed. */
	pmp(2, TOR | 1 | LOCK, (DATA + 0x2000) >> 2);
	ck_assert_int_eq(store(DATA + 8, 0), CAUSE_STORE_ACCESS);
	pmp(2, TOR | 7, 0);
	pmp(1, 0, 0); /* the locked range's lower end */
	ck_assert_int_eq(store(DATA + 8, 0), CAUSE_STORE_ACCESS);
	ck_assert_uint_eq(csr_get(cpu, PMPADDR0 + 1), DATA >> 2);
	ck_assert_uint_eq(csr_get(cpu, PMPADDR0 + 2), (DATA + 0x2000) >> 2);
}
END_TEST

/* The page tables themselves are subject to protection, as S-mode reads (and writes, for A and D).
 */
START_TEST(protected_page_tables)
{
	paging(3);
	map(VA, 0, DATA, V | R | W);
	pmp(0, 3 << 3 | 1, (TABLE >> 2) | 0x1fff); /* 64 KiB, read only */
	set_privilege(cpu, PRIV_S);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_ACCESS); /* A cannot be set */
	put64(vm, entry(VA, 0), PPN_OF(DATA) | LEAF);
	ck_assert_int_eq(load(VA, NULL), -1);
	pmp(0, 3 << 3, (TABLE >> 2) | 0x1fff);
	set_privilege(cpu, PRIV_S);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_ACCESS);
}
END_TEST

/* sfence.vma of an address within a superpage forgets all of it, also parts seen under other
 * addresses. */
START_TEST(flush_of_a_page)
{
	uint64_t big = VA & ~0x1fffffull, v;

	paging(3);
	map(VA, 0, DATA, LEAF);
	map(VA + PAGE_SIZE, 0, DATA + PAGE_SIZE, LEAF);
	load(VA, NULL), load(VA + PAGE_SIZE, NULL);
	put64(vm, entry(VA, 0), PPN_OF(DATA + 8 * PAGE_SIZE) | LEAF);
	put64(vm, DATA + 8 * PAGE_SIZE, 42);
	tlb_flush_page(cpu, VA);
	ck_assert(!in_tlb(cpu, VA, false));
	ck_assert(in_tlb(cpu, VA + PAGE_SIZE, false));
	ck_assert_int_eq(load(VA, &v), -1);
	ck_assert_uint_eq(v, 42);

	paging(3);
	map(big, 1, DATA, LEAF | X);
	load(big + 3 * PAGE_SIZE, NULL), load(big + 5 * PAGE_SIZE, NULL),
		fetch(big + 7 * PAGE_SIZE, NULL);
	put64(vm, entry(big, 1), 0);
	tlb_flush_page(cpu, big);
	ck_assert(!in_tlb(cpu, big + 3 * PAGE_SIZE, false));
	ck_assert_int_eq(load(big + 5 * PAGE_SIZE, NULL), CAUSE_LOAD_PAGE);
	ck_assert_int_eq(fetch(big + 7 * PAGE_SIZE, NULL), CAUSE_FETCH_PAGE);

	/* A page of code as well. */
	map(big + PAGE_SIZE, 0, DATA, LEAF | X);
	ck_assert_int_eq(fetch(big + PAGE_SIZE, NULL), -1);
	put64(vm, entry(big + PAGE_SIZE, 0), 0);
	tlb_flush_page(cpu, big + PAGE_SIZE);
	ck_assert_int_eq(fetch(big + PAGE_SIZE, NULL), CAUSE_FETCH_PAGE);
}
END_TEST

/* A walk may begin at a table it knows, until a fence covers the address. */
START_TEST(fence_reaches_tables)
{
	uint64_t v, old, new;

	paging(4);
	map(VA, 0, DATA, LEAF);
	ck_assert_int_eq(load(VA, NULL), -1);
	old = get64(vm, entry(VA, 1));
	new = next_table;
	put64(vm, new + (VA >> 12 & 511) * 8, PPN_OF(DATA + PAGE_SIZE) | LEAF);
	put64(vm, entry(VA, 1), PPN_OF(new) | V);
	tlb_flush_page(cpu, VA);
	ck_assert_int_eq(load(VA, &v), -1);
	ck_assert_uint_eq(v, 0x1000000 + PAGE_SIZE / 8);

	/* One level up, by a fence of everything. */
	put64(vm, entry(VA, 1), old);
	put64(vm, entry(VA, 2), 0);
	tlb_flush(cpu);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
}
END_TEST

/* A store that gives a page table a frame of its own reaches the walks of every hart. */
START_TEST(moved_table)
{
	struct sim_vcpu *other = vm->vcpu[1].sim;
	uint64_t pte_pa, v;
	uint32_t shared;

	paging(3);
	map(VA, 0, DATA, LEAF);
	map(VA + PAGE_SIZE, 0, DATA, LEAF);
	pte_pa = entry(VA + PAGE_SIZE, 0);
	shared = pmap_share_out(vm->pmap, (uint32_t)((pte_pa - RAM) >> PAGE_SHIFT), 0);
	frame_add_user(sim.mem, shared, (struct frame_user){0x80000001, 0});
	set_privilege(other, PRIV_M);
	csr_set(other, PMPADDR0 + 15, UINT64_MAX);
	csr_set(other, PMPCFG0 + 2, 0x1full << 56);
	csr_set(other, SATP, csr_get(cpu, SATP));
	set_privilege(other, PRIV_S);
	ck_assert_int_eq(do_load(other, VA, 8, &v), DONE);

	set_privilege(cpu, PRIV_M);
	ck_assert_int_eq(store(pte_pa, PPN_OF(DATA + PAGE_SIZE) | LEAF), -1);
	ck_assert_int_eq(do_load(other, VA + PAGE_SIZE, 8, &v), DONE);
	ck_assert_uint_eq(v, 0x1000000 + PAGE_SIZE / 8);
	pmap_release_deferred(vm->pmap);
	frame_del_user(sim.mem, shared, (struct frame_user){0x80000001, 0});
}
END_TEST

/* What U may see, S may not, and the other way round, although both were in the TLB before. */
START_TEST(contexts_are_apart)
{
	paging(3);
	map(VA, 0, DATA, LEAF | U);
	map(VA + PAGE_SIZE, 0, DATA, LEAF);
	set_privilege(cpu, PRIV_U);
	ck_assert_int_eq(load(VA, NULL), -1);
	set_privilege(cpu, PRIV_S);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
	ck_assert_int_eq(load(VA + PAGE_SIZE, NULL), -1);
	csr_set(cpu, SSTATUS, MSTATUS_SUM);
	ck_assert_int_eq(load(VA, NULL), -1);
	csr_set(cpu, SSTATUS, 0);
	ck_assert_int_eq(load(VA, NULL), CAUSE_LOAD_PAGE);
	set_privilege(cpu, PRIV_U);
	ck_assert_int_eq(load(VA + PAGE_SIZE, NULL), CAUSE_LOAD_PAGE);
}
END_TEST

/* Copy-on-write: the store gets its own frame, and every hart of the VM sees it. */
START_TEST(copy_on_write_reaches_every_hart)
{
	struct sim_vcpu *other = vm->vcpu[1].sim;
	uint32_t ppn = (DATA - RAM) >> PAGE_SHIFT, shared, mine;
	uint64_t v;

	shared = pmap_share_out(vm->pmap, ppn, 0);
	frame_add_user(sim.mem, shared, (struct frame_user){0x80000001, 0});
	set_privilege(cpu, PRIV_M);
	set_privilege(other, PRIV_M);
	ck_assert_int_eq(do_load(other, DATA, 8, &v), DONE);
	ck_assert_int_eq(load(DATA, &v), -1);
	ck_assert(in_tlb(other, DATA, false));
	ck_assert(!in_tlb(cpu, DATA, true));

	ck_assert_int_eq(store(DATA, 77), -1);
	mine = pmap_entry(vm->pmap, ppn)->mpn;
	ck_assert_uint_ne(mine, shared);
	ck_assert(!in_tlb(other, DATA, false));
	ck_assert_int_eq(do_load(other, DATA, 8, &v), DONE);
	ck_assert_uint_eq(v, 77);
	ck_assert_uint_eq(*(uint64_t *)frame_data(sim.mem, shared), 0x1000000);
	ck_assert_uint_eq(*(uint64_t *)frame_data(sim.mem, mine), 77);
	pmap_release_deferred(vm->pmap);
	frame_del_user(sim.mem, shared, (struct frame_user){0x80000001, 0});
}
END_TEST

/* Code that is rewritten: the old one may run until fence.i, the new one must run after it, on
 * every hart. */
START_TEST(rewritten_code)
{
	static const uint32_t old_code[] = {0x00150513, 0x0000006f}; /* addi a0,a0,1; j . */
	static const uint32_t fence[] = {0x0000100f, 0x0000006f};    /* fence.i; j . */
	struct sim_vcpu *other = vm->vcpu[1].sim;
	uint32_t ppn = (DATA - RAM) >> PAGE_SHIFT;

	put_code(vm, DATA, old_code, 2);
	put_code(vm, DATA + PAGE_SIZE, fence, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct sim_vcpu *c = vm->vcpu[i].sim;

		set_privilege(c, PRIV_M);
		c->pc = DATA;
		c->x[10] = 0;
		step(c, 2);
		ck_assert_uint_eq(c->x[10], 1);
	}
	ck_assert_uint_eq(vm->sim->page_code[ppn], CODE_PRESENT);
	/* addi a0,a0,2, by a store: it must be slow, or it would go unnoticed. */
	ck_assert(!in_tlb(cpu, DATA, true));
	ck_assert_int_eq(do_store(cpu, DATA, 4, 0x00250513), DONE);
	ck_assert_uint_eq(vm->sim->page_code[ppn], CODE_PRESENT | CODE_DIRTY);
	cpu->pc = DATA + PAGE_SIZE;
	step(cpu, 2);
	ck_assert_uint_eq(vm->sim->page_code[ppn], 0);
	for (unsigned i = 0; i < 2; i++) {
		struct sim_vcpu *c = vm->vcpu[i].sim;

		c->pc = DATA;
		c->x[10] = 0;
		step(c, 2);
		ck_assert_uint_eq(c->x[10], 2);
	}
	/* And by DMA. */
	put_code(vm, DATA, (const uint32_t[]){0x00350513}, 1);
	ck_assert_uint_eq(vm->sim->page_code[ppn], CODE_PRESENT | CODE_DIRTY);
	other->pc = DATA + PAGE_SIZE;
	step(other, 2);
	cpu->pc = DATA;
	cpu->x[10] = 0;
	step(cpu, 2);
	ck_assert_uint_eq(cpu->x[10], 3);
}
END_TEST

/* A page of code is mapped elsewhere: after sfence.vma the new page's code runs, whatever was
 * decoded before. */
START_TEST(remapped_code)
{
	static const uint32_t one[] = {0x00150513, 0x0000006f}, two[] = {0x00250513, 0x0000006f};

	put_code(vm, DATA, one, 2);
	put_code(vm, DATA + PAGE_SIZE, two, 2);
	paging(3);
	map(VA, 0, DATA, LEAF | X);
	for (unsigned i = 0; i < 4; i++) {
		put64(vm, entry(VA, 0), PPN_OF(DATA + (i & 1) * PAGE_SIZE) | LEAF | X);
		tlb_flush_page(cpu, VA);
		cpu->pc = VA;
		cpu->x[10] = 0;
		step(cpu, 2);
		ck_assert_uint_eq(cpu->x[10], 1 + (i & 1));
	}
}
END_TEST

/* An instruction whose halves lie on two pages, and whose second page is then taken away. */
START_TEST(instruction_across_pages)
{
	static const uint32_t code[] = {0x00150513, 0x0000006f};
	uint64_t va = VA + PAGE_SIZE - 2;

	paging(3);
	map(VA, 0, DATA, LEAF | X);
	map(VA + PAGE_SIZE, 0, DATA + 4 * PAGE_SIZE, LEAF | X);
	ck_assert_int_eq(gm_write(vm, DATA + PAGE_SIZE - 2, code, 2), 0);
	ck_assert_int_eq(gm_write(vm, DATA + 4 * PAGE_SIZE, (const char *)code + 2, 6), 0);
	cpu->pc = va;
	cpu->x[10] = 0;
	step(cpu, 2);
	ck_assert_uint_eq(cpu->x[10], 1);
	put64(vm, entry(VA + PAGE_SIZE, 0), 0);
	tlb_flush_page(cpu, VA + PAGE_SIZE);
	cpu->medeleg = 0;
	cpu->mtvec = RAM;
	cpu->pc = va;
	step(cpu, 1);
	ck_assert_uint_eq(cpu->mcause, CAUSE_FETCH_PAGE);
	ck_assert_uint_eq(cpu->mepc, va);
	ck_assert_uint_eq(cpu->mtval, VA + PAGE_SIZE);
	ck_assert_uint_eq(cpu->x[10], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mmu");
	TCase *t = tcase_create("mmu");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_mode_and_page_size);
	tcase_add_test(t, gigapage);
	tcase_add_test(t, not_canonical);
	tcase_add_test(t, permissions);
	tcase_add_test(t, reserved_entries);
	tcase_add_test(t, accessed_and_dirty);
	tcase_add_test(t, crossing_a_page);
	tcase_add_test(t, atomics_are_aligned_and_in_memory);
	tcase_add_test(t, mprv_lends_a_privilege);
	tcase_add_test(t, protection_ranges);
	tcase_add_test(t, protected_page_tables);
	tcase_add_test(t, flush_of_a_page);
	tcase_add_test(t, fence_reaches_tables);
	tcase_add_test(t, moved_table);
	tcase_add_test(t, contexts_are_apart);
	tcase_add_test(t, copy_on_write_reaches_every_hart);
	tcase_add_test(t, rewritten_code);
	tcase_add_test(t, remapped_code);
	tcase_add_test(t, instruction_across_pages);
	suite_add_tcase(s, t);
	return run_suite(s);
}
