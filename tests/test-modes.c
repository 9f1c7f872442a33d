// SPDX-License-Identifier: MIT
/*
 * Modes of virtualization: each sensitive instruction, trap, TLB miss and call costs what the
 * machine's parameters say and is counted by kind; what an instruction does is the same in every
 * mode; and a vCPU's times add up to what has passed.
 */
#include "tests/sim-vm.h"

enum { PAUSE = 0x0100000f, ECALL = 0x00000073, SRET = 0x10200073, MRET = 0x30200073 };
enum { WFI = 0x10500073, SFENCE = 0x12000073, NOP = 0x00000013, EBREAK = 0x00100073 };
#define CSRR(rd, csr)  (0x00002073u | (uint32_t)(rd) << 7 | (uint32_t)(csr) << 20)
#define CSRW(csr, rs1) (0x00001073u | (uint32_t)(rs1) << 15 | (uint32_t)(csr) << 20)

static struct vm *vm;
static struct sim_vcpu *cpu;
static const struct machine *m = &sim_machine;

/* Prices no two sums of which are alike. */
static void create(enum mode mode, bool bios, uint32_t l2tlb)
{
	sim_create(1);
	sim_machine.cost.trap = 1000;
	sim_machine.cost.monitor_call = 17;
	sim_machine.cost.page_fault = 20011;
	sim_machine.cost.page_zero = 40031;
	sim_machine.cost.vcpu_switch = 5003;
	sim_machine.cost.shootdown = 607;
	sim_machine.cost.mmio = 307;
	sim_machine.cost.tlb_refill = 13;
	sim_machine.cost.emulate = 37;
	sim_machine.cost.reflect = 59;
	sim_machine.cost.l2tlb_hit = 7;
	sim_machine.cost.tlb_fill = 211;
	sim_machine.cost.uncached = 83;
	sim_machine.l1i = sim_machine.l1d = (struct machine_cache){16 << 10, 64, 4};
	sim_machine.l2 = (struct machine_cache){256 << 10, 64, 4};
	sim_machine.tlb_entries = 4;
	sim_machine.tlb_pages = 1;
	sim_machine.l2tlb_entries = l2tlb;
	sim.policy = "first-touch";
	sim.mode = mode;
	vm = sim_vm(1, bios);
	cpu = vm->vcpu[0].sim;
}

/* Execute words from pc on, up to a pause after them: the cycles that took. */
static uint64_t run_words(uint64_t pc, const uint32_t *words, unsigned n)
{
	static const uint32_t pause = PAUSE;
	uint64_t begin;

	put_code(vm, pc, words, n);
	put_code(vm, pc + 4 * n, &pause, 1);
	code_fence(cpu->evm, vm);
	cpu->pc = pc;
	begin = cpu->now + cpu->charge;
	cpu->yield = false;
	while (!cpu->yield) {
		cpu->stop = cpu->now + 1000000000;
		cpu->attention = false;
		exec_run(cpu);
	}
	return cpu->now + cpu->charge - begin;
}

static uint64_t monitors_price(enum mode mode, bool in_nested)
{
	return mode == MODE_TRAP                  ? m->cost.trap + m->cost.emulate
	       : mode == MODE_NESTED && in_nested ? m->cost.trap
						  : 0;
}

/* ---- instructions */

static const struct {
	uint32_t word;
	enum account_event event;
} instructions[] = {
	{CSRR(5, 0x100), EVENT_SSTATUS},
	{CSRW(0x100, 0), EVENT_SSTATUS},
	{CSRW(0x104, 0), EVENT_SIE},
	{CSRR(5, 0x105), EVENT_STVEC},
	{CSRR(5, 0x106), EVENT_SCOUNTEREN},
	{CSRR(5, 0x10a), EVENT_SENVCFG},
	{CSRW(0x140, 0), EVENT_SSCRATCH},
	{CSRR(5, 0x140), EVENT_SSCRATCH},
	{CSRW(0x141, 0), EVENT_SEPC},
	{CSRW(0x142, 0), EVENT_SCAUSE},
	{CSRR(5, 0x143), EVENT_STVAL},
	{CSRR(5, 0x144), EVENT_SIP},
	{CSRR(5, 0x14d), EVENT_STIMECMP},
	{CSRW(0x180, 0), EVENT_SATP},
	{SFENCE, EVENT_SFENCE},
	{SFENCE | 10 << 15, EVENT_SFENCE},
	{WFI, EVENT_WFI},
	/* Anyone's: floating point's registers, counters and time. */
	{CSRR(5, 0x003), EVENT_NONE},
	{CSRR(5, 0xc01), EVENT_NONE},
	{NOP, EVENT_NONE},
};

START_TEST(each_sensitive_instruction_has_its_price)
{
	enum { N = 100 };
	enum mode mode = (enum mode)(_i % MODES);
	unsigned k = (unsigned)_i / MODES;
	enum account_event event = instructions[k].event;
	uint64_t cycles, counted, price;
	uint32_t words[N];

	create(mode, false, 64);
	price = event ? monitors_price(mode, event == EVENT_WFI) : 0;
	cpu->mstatus |= MSTATUS_FS;
	cpu->mie = cpu->mip = MIP_SSIP; /* pending, and not taken: wfi does not wait */
	for (unsigned i = 0; i < N; i++)
		words[i] = instructions[k].word;
	run_words(VM_RAM_BASE, words, N); /* first touches */
	cpu->mie = cpu->mip = MIP_SSIP;
	counted = cpu->account.count[event];
	cycles = run_words(VM_RAM_BASE, words, N);
	ck_assert_uint_eq(cycles, N + 1 + N * price);
	if (event) {
		ck_assert_uint_eq(cpu->account.count[event] - counted, N);
		ck_assert_uint_eq(cpu->account.trapped[event], price ? 2 * N : 0);
		ck_assert_uint_eq(cpu->account.cycles[event], 2 * N * price);
	}
	for (unsigned e = EVENT_NONE + 1; e < EVENTS; e++)
		if (account_event_class[e] == CLASS_INSTRUCTION && e != (unsigned)event)
			ck_assert_msg(!cpu->account.count[e], "%s", account_event_name[e]);
	sim_destroy();
}
END_TEST

/* A return continues behind itself. */
static uint64_t returns(uint32_t word, uint64_t *epc)
{
	*epc = VM_RAM_BASE + 4;
	run_words(VM_RAM_BASE, &word, 1);
	*epc = VM_RAM_BASE + 4;
	cpu->mstatus |= MSTATUS_SPP | MSTATUS_MPP;
	return run_words(VM_RAM_BASE, &word, 1);
}

START_TEST(returns_have_their_price)
{
	enum mode mode = (enum mode)_i;
	uint64_t price;

	create(mode, false, 64);
	price = monitors_price(mode, false);
	cpu->mstatus |= MSTATUS_SPP;
	ck_assert_uint_eq(returns(SRET, &cpu->sepc), 2 + price);
	ck_assert_uint_eq(cpu->account.cycles[EVENT_SRET], 2 * price);
	sim_destroy();

	/* With firmware of its own, what the guest does in M-mode is emulated as well. */
	create(mode, true, 64);
	cpu->mstatus |= MSTATUS_MPP;
	ck_assert_uint_eq(returns(MRET, &cpu->mepc), 2 + price);
	ck_assert_uint_eq(run_words(VM_RAM_BASE, (uint32_t[]){CSRR(5, 0x340), CSRR(5, 0xf14)}, 2),
		3 + 2 * price);
	ck_assert_uint_eq(cpu->account.count[EVENT_MACHINE_CSR], 2);
	sim_destroy();
}
END_TEST

/* ---- traps to the guest's kernel */

/* From user mode at RAM + 4096, where `word` is, to a pause at RAM. */
static uint64_t trap_by(uint32_t word)
{
	static const uint32_t pause = PAUSE;

	put_code(vm, VM_RAM_BASE, &pause, 1);
	cpu->stvec = VM_RAM_BASE;
	set_privilege(cpu, PRIV_U);
	run_words(VM_RAM_BASE + 4096, &word, 1);
	set_privilege(cpu, PRIV_U);
	return run_words(VM_RAM_BASE + 4096, &word, 1);
}

START_TEST(traps_are_reflected_at_their_price)
{
	enum mode mode = (enum mode)_i;
	uint64_t price;

	create(mode, false, 64);
	price = mode == MODE_TRAP ? m->cost.trap + m->cost.reflect : 0;
	ck_assert_uint_eq(trap_by(ECALL), 2 + price); /* the hardware's cycle, and the pause */
	ck_assert_uint_eq(cpu->scause, CAUSE_ECALL_U);
	ck_assert_uint_eq(cpu->account.count[EVENT_SYSCALL], 2);
	ck_assert_uint_eq(cpu->account.cycles[EVENT_SYSCALL], 2 * price);
	ck_assert_uint_eq(trap_by(EBREAK), 2 + price);
	ck_assert_uint_eq(cpu->account.count[EVENT_EXCEPTION], 2);
	/* User mode may not read it: that is one trap, the guest's. */
	ck_assert_uint_eq(trap_by(CSRR(5, 0x100)), 2 + price);
	ck_assert_uint_eq(cpu->scause, CAUSE_ILLEGAL);
	ck_assert_uint_eq(cpu->account.count[EVENT_SSTATUS], 0);
	ck_assert_uint_eq(cpu->account.count[EVENT_EXCEPTION], 4);
	sim_destroy();
}
END_TEST

START_TEST(a_page_fault_has_been_looked_for)
{
	enum mode mode = (enum mode)_i;
	uint64_t root = VM_RAM_BASE + 0x10000, charge;

	create(mode, false, 64);
	put64(vm, root, 0);
	cpu->satp = 8ull << 60 | root >> PAGE_SHIFT;
	ck_assert_int_eq(do_load(cpu, 0x1000, 8, &charge), LEAVE);
	charge = cpu->charge;
	ck_assert_int_eq(do_load(cpu, 0x1000, 8, &root), LEAVE);
	ck_assert_uint_eq(cpu->charge - charge,
		1 + (mode == MODE_TRAP ? m->cost.trap + m->cost.reflect + m->cost.tlb_fill : 0));
	ck_assert_uint_eq(cpu->account.count[EVENT_PAGE_FAULT], 2);
	sim_destroy();
}
END_TEST

START_TEST(interrupts_are_injected_at_their_price)
{
	enum mode mode = (enum mode)_i;
	static const struct {
		unsigned irq;
		enum account_event event;
		bool nested;
	} kinds[] = {
		{IRQ_S_EXT, EVENT_EXTERNAL, true}, {IRQ_S_SOFT, EVENT_IPI, true},
		{IRQ_S_TIMER, EVENT_TIMER, false}, /* stimecmp is the guest's own */
	};

	create(mode, false, 64);
	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint64_t price = mode == MODE_TRAP ? m->cost.trap + m->cost.reflect
				 : mode == MODE_NESTED && kinds[k].nested ? m->cost.trap
									  : 0;

		set_privilege(cpu, PRIV_U);
		cpu->charge = 0;
		cpu->mie = cpu->mip = 1u << kinds[k].irq;
		ck_assert(trap_interrupt(cpu));
		ck_assert_uint_eq(cpu->charge, price);
		ck_assert_uint_eq(cpu->account.count[kinds[k].event], 1);
		ck_assert_uint_eq(cpu->account.cycles[kinds[k].event], price);
	}
	sim_destroy();
}
END_TEST

/* ---- the monitor's work */

START_TEST(calls_and_first_touches)
{
	static const uint64_t touch[MODES] = {
		[MODE_PLAIN] = 20011 + 40031,
		[MODE_NATIVE] = 0,
		[MODE_NESTED] = 1000 + 20011 + 40031,
		[MODE_TRAP] = 1000 + 20011 + 40031,
	};
	enum mode mode = (enum mode)_i;
	uint64_t v;
	uint32_t ecall = ECALL;

	create(mode, false, 64);
	do_store(cpu, VM_RAM_BASE + 0x5000, 8, 1);
	ck_assert_uint_eq(cpu->charge, touch[mode]);
	ck_assert_uint_eq(cpu->account.monitor, touch[mode]);
	do_load(cpu, VM_RAM_BASE + 0x5000, 8, &v);
	ck_assert_uint_eq(v, 1);
	ck_assert_uint_eq(cpu->charge, touch[mode]);
	cpu->x[17] = 0x10; /* base: which specification */
	run_words(VM_RAM_BASE, &ecall, 1);
	cpu->x[17] = 0x10;
	ck_assert_uint_eq(run_words(VM_RAM_BASE, &ecall, 1),
		2 + (mode == MODE_NATIVE ? m->cost.uncached : m->cost.trap + m->cost.monitor_call));
	ck_assert_uint_eq(cpu->account.count[EVENT_CALL], mode == MODE_NATIVE ? 0 : 2);
	sim_destroy();
}
END_TEST

/* ---- TLB misses, with the memory system */

static void model(void)
{
	sim.numa = true;
	cpu->placed = true;
	numa_follow(&sim);
	ck_assert_ptr_nonnull(cpu->model);
}

/* Pages 0 .. 9, with their numbers in them, translated to where they are. */
static void pages(void)
{
	uint64_t root = VM_RAM_BASE + 0x100000;

	put64(vm, root + 8 * 2, (root + 0x1000) >> 2 | 1);
	put64(vm, root + 0x1000, (root + 0x2000) >> 2 | 1);
	for (unsigned page = 0; page < 10; page++) {
		put64(vm, VM_RAM_BASE + page * PAGE_SIZE, page);
		put64(vm, root + 0x2000 + 8 * page, (VM_RAM_BASE + page * PAGE_SIZE) >> 2 | 0xcf);
	}
	model();
	csr_set(cpu, 0x180, 8ull << 60 | root >> PAGE_SHIFT);
}

/* What a load of the n-th page is charged. */
static uint64_t load(unsigned page)
{
	uint64_t v, before = cpu->charge;

	ck_assert_int_eq(do_load(cpu, VM_RAM_BASE + page * PAGE_SIZE, 8, &v), DONE);
	return cpu->charge - before;
}

/* Load pages 0 .. 7 until they, and all that translates them, are in the caches: more than the TLB
 * has. */
static void warm(void)
{
	for (unsigned round = 0; round < 4; round++)
		for (unsigned page = 0; page < 8; page++)
			load(page);
}

static uint64_t hit_price(void)
{
	return m->cost.tlb_refill + m->cost.l2tlb_hit;
}

static uint64_t miss_price(void)
{
	return m->cost.tlb_refill + m->cost.trap + m->cost.tlb_fill;
}

START_TEST(l2tlb_makes_refills_cheap)
{
	uint64_t hits;

	create(MODE_TRAP, false, 64);
	pages();
	warm();
	hits = cpu->account.count[EVENT_L2TLB_HIT];
	ck_assert_uint_eq(cpu->account.count[EVENT_L2TLB_MISS], 8);
	/* FIFO: with 4 entries for 8 pages each load is a miss of the TLB, and none of the L2TLB.
	 */
	for (unsigned page = 0; page < 8; page++)
		ck_assert_uint_eq(load(page), hit_price());
	ck_assert_uint_eq(cpu->account.count[EVENT_L2TLB_HIT], hits + 8);
	ck_assert_uint_eq(load(7), 0); /* in the TLB */

	/* On another CPU (here, the same) the TLB is empty, the L2TLB is not. */
	cpu_attach_model(cpu);
	ck_assert_uint_eq(load(7), hit_price());
	/* The guest's own flush empties both; of one page, for that page. */
	tlb_flush(cpu);
	ck_assert_uint_eq(load(7), miss_price());
	ck_assert_uint_eq(load(6), miss_price());
	tlb_flush_page(cpu, VM_RAM_BASE + 7 * PAGE_SIZE);
	ck_assert_uint_eq(load(7), miss_price());
	cpu_attach_model(cpu);
	ck_assert_uint_eq(load(6), hit_price());
	sim_destroy();
	memsys_destroy(sim.memsys);
}
END_TEST

START_TEST(l2tlb_has_the_size_asked_for)
{
	static const uint32_t entries[] = {0, 1, 4, 7, 8};
	uint64_t misses, expected = entries[_i] < 8 ? 8 : 0;

	create(MODE_TRAP, false, entries[_i]);
	pages();
	warm();
	misses = cpu->account.count[EVENT_L2TLB_MISS];
	for (unsigned page = 0; page < 8; page++)
		load(page);
	if (entries[_i] == 7) /* direct-mapped: the first and the last one share a place */
		expected = 2;
	ck_assert_uint_eq(cpu->account.count[EVENT_L2TLB_MISS] - misses, expected);
	sim_destroy();
	memsys_destroy(sim.memsys);
}
END_TEST

START_TEST(a_page_that_moved_is_no_hit)
{
	uint64_t misses;
	uint32_t was;

	create(MODE_TRAP, false, 64);
	pages();
	warm();
	was = pmap_entry(vm->pmap, 3)->mpn;
	misses = cpu->account.count[EVENT_L2TLB_MISS];
	pmap_drop(vm->pmap, 3);
	pmap_release_deferred(vm->pmap);
	put64(vm, VM_RAM_BASE + 11 * PAGE_SIZE, 9); /* may have the frame */
	put64(vm, VM_RAM_BASE + 3 * PAGE_SIZE, 33);
	ck_assert_uint_ne(pmap_entry(vm->pmap, 3)->mpn, was);
	cpu_attach_model(cpu);
	load(3);
	ck_assert_uint_eq(cpu->account.count[EVENT_L2TLB_MISS], misses + 1);
	cpu_attach_model(cpu);
	ck_assert_uint_eq(load(3), hit_price());
	sim_destroy();
	memsys_destroy(sim.memsys);
}
END_TEST

START_TEST(walks_have_one_dimension_or_two)
{
	/* Three levels of the guest's; each is found by three of the monitor's, and so is the page.
	 */
	static const unsigned walks[MODES] = {
		[MODE_PLAIN] = 3, [MODE_NATIVE] = 3, [MODE_NESTED] = 15, [MODE_TRAP] = 3 + 1};
	static const unsigned bare[MODES] = {
		[MODE_PLAIN] = 0, [MODE_NATIVE] = 0, [MODE_NESTED] = 3, [MODE_TRAP] = 1};
	uint64_t root = VM_RAM_BASE + 0x10000, v, before;
	enum mode mode = (enum mode)_i;

	create(mode, false, 64);
	put64(vm, VM_RAM_BASE + 0x5000, 77);
	put64(vm, root, (root + 0x1000) >> 2 | 1);
	put64(vm, root + 0x1000, (root + 0x2000) >> 2 | 1);
	put64(vm, root + 0x2000 + 8 * 5, (VM_RAM_BASE + 0x5000) >> 2 | 0xcf);
	model();
	before = memsys_counts(sim.memsys, 0)->walks;
	load(5);
	ck_assert_uint_eq(memsys_counts(sim.memsys, 0)->walks - before, bare[mode]);
	csr_set(cpu, 0x180, 8ull << 60 | root >> PAGE_SHIFT);
	before = memsys_counts(sim.memsys, 0)->walks;
	cpu->charge = 0;
	ck_assert_int_eq(do_load(cpu, 0x5008 - 8, 8, &v), DONE);
	ck_assert_uint_eq(v, 77);
	ck_assert_uint_eq(memsys_counts(sim.memsys, 0)->walks - before, walks[mode]);
	/* Once more, with everything in the caches: the fixed price. */
	tlb_flush(cpu);
	cpu->charge = 0;
	do_load(cpu, 0x5000, 8, &v);
	ck_assert_uint_eq(cpu->charge, mode == MODE_TRAP ? miss_price() : m->cost.tlb_refill);
	ck_assert_uint_eq(vm->n_tables, mode == MODE_NESTED ? 1 + 1 + SIM_RAM_BYTES / (2 << 20)
					: mode == MODE_TRAP ? 1
							    : 0);
	memory_check(sim.mem);
	sim_destroy();
	memsys_destroy(sim.memsys);
}
END_TEST

/* The hardware's refills are the guest's time, by its privilege; the monitor's are not. */
START_TEST(refills_are_booked_by_who_needs_them)
{
	enum mode mode = (enum mode)_i;
	uint64_t kernel = 0, user = 0, v;

	create(mode, false, 64);
	pages();
	put64(vm, VM_RAM_BASE + 0x102000 + 8 * 9, (VM_RAM_BASE + 9 * PAGE_SIZE) >> 2 | 0xdf);
	warm();
	cpu->account.tlb[PRIV_S] = 0;
	for (unsigned page = 0; page < 8; page++)
		kernel += load(page);
	set_privilege(cpu, PRIV_U);
	user = cpu->charge;
	ck_assert_int_eq(do_load(cpu, VM_RAM_BASE + 9 * PAGE_SIZE, 8, &v), DONE);
	user = cpu->charge - user;
	ck_assert_uint_gt(kernel, 0);
	ck_assert_uint_eq(cpu->account.tlb[PRIV_S], mode == MODE_TRAP ? 0 : kernel);
	if (mode == MODE_TRAP)
		ck_assert_uint_eq(cpu->account.tlb[PRIV_U], 0);
	else
		ck_assert_uint_ge(cpu->account.tlb[PRIV_U], m->cost.tlb_refill);
	ck_assert_uint_le(cpu->account.tlb[PRIV_U], user);
	sim_destroy();
	memsys_destroy(sim.memsys);
}
END_TEST

/* ---- waiting for another CPU */

START_TEST(spinning_is_booked_by_privilege)
{
	static const uint32_t loop[] = {PAUSE, 0xffdff06f}; /* j .-4 */
	struct account a[2];

	sim_create(2);
	vm = sim_vm(2, false);
	put_code(vm, VM_RAM_BASE, loop, ARRAY_SIZE(loop));
	sim.engine->vcpu_start(&vm->vcpu[1], VM_RAM_BASE, 0, 0);
	set_privilege(vm->vcpu[1].sim, PRIV_U);
	sim.stop_at = 100 * m->quantum_cycles;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	for (unsigned i = 0; i < 2; i++) {
		sim.engine->vcpu_account(&vm->vcpu[i], &a[i]);
		ck_assert_uint_gt(a[i].pause, 99 * (account_total(&a[i]) - a[i].monitor) / 100);
	}
	ck_assert_uint_eq(a[0].user_pause, 0);
	ck_assert_uint_eq(a[1].user_pause, a[1].pause);
	ck_assert_uint_eq(a[0].user + a[1].supervisor, 0);
	sim_destroy();
}
END_TEST

/* ---- a whole guest */

/*
 * Kernel: sets its handler, gives a timer 500 ticks, waits for it, and goes to user mode, which
 * adds and calls ten times; each call adds to s1. Then it powers off.
 */
static const uint32_t guest[] = {
	/* 0x00 */ 0x00000297, /* auipc t0, 0 */
	/* 0x04 */ 0x04c28313, /* addi t1, t0, 0x4c: handler */
	/* 0x08 */ CSRW(0x105, 6),
	/* 0x0c */ 0xc0102373, /* rdtime t1 */
	/* 0x10 */ 0x1f430313, /* addi t1, t1, 500 */
	/* 0x14 */ CSRW(0x14d, 6),
	/* 0x18 */ 0x02000313, /* li t1, 32: STIE */
	/* 0x1c */ CSRW(0x104, 6),
	/* 0x20 */ WFI,
	/* 0x24 */ CSRW(0x104, 0),
	/* 0x28 */ 0x04028313, /* addi t1, t0, 0x40: user */
	/* 0x2c */ CSRW(0x141, 6),
	/* 0x30 */ 0x00000493, /* li s1, 0 */
	/* 0x34 */ 0x00a00a13, /* li s4, 10 */
	/* 0x38 */ SRET,
	/* 0x3c */ NOP,
	/* 0x40 user */ 0x00190913, /* addi s2, s2, 1 */
	/* 0x44 */ ECALL,
	/* 0x48 */ 0xff9ff06f, /* j user */
	/* 0x4c handler */ CSRR(6, 0x141),
	/* 0x50 */ 0x00430313, /* addi t1, t1, 4 */
	/* 0x54 */ CSRW(0x141, 6),
	/* 0x58 */ CSRR(19, 0x142), /* s3: cause */
	/* 0x5c */ 0x013484b3,      /* add s1, s1, s3 */
	/* 0x60 */ 0xfffa0a13,      /* addi s4, s4, -1 */
	/* 0x64 */ 0x000a0463,      /* beqz s4, +8 */
	/* 0x68 */ SRET,
	/* 0x6c */ 0x00800893, /* li a7, 8: power off */
	/* 0x70 */ ECALL,
};

START_TEST(a_guest_does_the_same_and_its_times_add_up)
{
	enum mode mode = (enum mode)(_i % MODES);
	bool numa = _i >= MODES;
	uint64_t counted = 0, cycles = 0;
	struct account a;

	create(mode, false, 64);
	sim.numa = numa;
	put_code(vm, VM_RAM_BASE, guest, ARRAY_SIZE(guest));
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_uint_eq(cpu->x[9], 10 * CAUSE_ECALL_U);
	ck_assert_uint_eq(cpu->x[18], 10);
	ck_assert_uint_eq(cpu->x[19], CAUSE_ECALL_U);

	sim.engine->vcpu_account(&vm->vcpu[0], &a);
	ck_assert_uint_eq(account_total(&a), cpu->now + cpu->charge);
	ck_assert_uint_eq(
		a.instructions[0] + a.instructions[1], sim.engine->vcpu_instructions(&vm->vcpu[0]));
	/* add, add, call: 9 jumps back. The calls themselves trap before they are done. */
	ck_assert_uint_eq(a.instructions[0], 10 + 9);
	ck_assert_uint_eq(a.count[EVENT_SYSCALL], 10);
	ck_assert_uint_eq(a.count[EVENT_SRET], 10);
	ck_assert_uint_eq(a.count[EVENT_WFI], 1);
	ck_assert_uint_gt(a.idle, 0);
	ck_assert_uint_eq(a.wait + a.pause + a.machine, 0);
	for (unsigned e = 0; e < EVENTS; e++) {
		cycles += a.cycles[e];
		if (account_event_class[e] == CLASS_INSTRUCTION)
			counted += a.trapped[e];
	}
	ck_assert_uint_eq(cycles, a.monitor);
	ck_assert_uint_eq(counted, mode == MODE_TRAP     ? 1 + 1 + 1 + 1 + 1 + 1 + 10 * 3 + 10
				   : mode == MODE_NESTED ? 1
							 : 0);
	if (mode == MODE_NATIVE)
		ck_assert_uint_eq(a.monitor, 0);
	if (!numa) /* nothing stalls, but for the hardware's cycle at each trap */
		ck_assert_uint_eq(a.user + a.supervisor,
			a.instructions[0] + a.instructions[1] + 10 +
				(mode == MODE_NATIVE ? m->cost.uncached : 0));
	sim_destroy();
	if (numa)
		memsys_destroy(sim.memsys);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("modes");
	TCase *t = tcase_create("costs");

	tcase_add_loop_test(
		t, each_sensitive_instruction_has_its_price, 0, MODES * ARRAY_SIZE(instructions));
	tcase_add_loop_test(t, returns_have_their_price, 0, MODES);
	tcase_add_loop_test(t, traps_are_reflected_at_their_price, 0, MODES);
	tcase_add_loop_test(t, a_page_fault_has_been_looked_for, 0, MODES);
	tcase_add_loop_test(t, interrupts_are_injected_at_their_price, 0, MODES);
	tcase_add_loop_test(t, calls_and_first_touches, 0, MODES);
	suite_add_tcase(s, t);

	t = tcase_create("translation");
	tcase_add_test(t, l2tlb_makes_refills_cheap);
	tcase_add_loop_test(t, l2tlb_has_the_size_asked_for, 0, 5);
	tcase_add_test(t, a_page_that_moved_is_no_hit);
	tcase_add_loop_test(t, walks_have_one_dimension_or_two, 0, MODES);
	tcase_add_loop_test(t, refills_are_booked_by_who_needs_them, 0, MODES);
	suite_add_tcase(s, t);

	t = tcase_create("guest");
	tcase_add_test(t, spinning_is_booked_by_privilege);
	tcase_add_loop_test(t, a_guest_does_the_same_and_its_times_add_up, 0, 2 * MODES);
	suite_add_tcase(s, t);
	return run_suite(s);
}
