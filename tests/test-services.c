// SPDX-License-Identifier: MIT
/*
 * Services of a guest's kernel: a service lasts from a program's trap to the return to that
 * program, less what other tasks ran; each kind of page fault is known by what became of the page
 * table; each cycle of the kernel is in one place; and no number of tasks is too many.
 */
#include "tests/sim-vm.h"

enum { SSCRATCH = 0x140, SSTATUS = 0x100, A7 = 17, TP = 4 };

static struct vm *vm;
static struct sim_vcpu *cpu;
static const struct machine *m = &sim_machine;

static void create(enum mode mode)
{
	sim_create(1);
	sim_machine.cost.trap = 1000;
	sim_machine.cost.emulate = 37;
	sim_machine.cost.reflect = 59;
	sim_machine.cost.tlb_fill = 211;
	sim_machine.cost.tlb_refill = 13;
	sim_machine.cost.monitor_call = 17;
	sim_machine.l1i = sim_machine.l1d = (struct machine_cache){16 << 10, 64, 4};
	sim_machine.l2 = (struct machine_cache){256 << 10, 64, 4};
	sim_machine.tlb_entries = 4;
	sim_machine.tlb_pages = 1;
	sim_machine.l2tlb_entries = 64;
	sim.policy = "first-touch";
	sim.mode = mode;
	vm = sim_vm(1, false);
	cpu = vm->vcpu[0].sim;
}

/* The program of `task` traps. */
static void enter(uint64_t task, enum cause cause, uint64_t number, uint64_t tval)
{
	set_privilege(cpu, PRIV_U);
	cpu->sscratch = task;
	cpu->x[A7] = number;
	cpu->x[TP] = 0x7777; /* the program's */
	trap_exception(cpu, cause, tval);
	csr_get(cpu, SSCRATCH);
	cpu->x[TP] = task;
	csr_get(cpu, SSTATUS);
}

static void call(uint64_t task, uint64_t number)
{
	enter(task, CAUSE_ECALL_U, number, 0);
}

static void work(uint64_t cycles)
{
	cpu->now += cycles;
}

/* The kernel goes over to another task, as Linux does. */
static void switch_to(uint64_t task)
{
	csr_get(cpu, SSTATUS);
	cpu->x[TP] = task;
	csr_get(cpu, SSTATUS);
}

static void back(uint64_t task)
{
	csr_set(cpu, SSCRATCH, task);
	cpu->x[TP] = 0x7777;
	cpu->mstatus &= ~MSTATUS_SPP;
	mode_event(cpu, EVENT_SRET);
	trap_sret(cpu);
}

static void expect(enum service_kind kind, uint64_t count, uint64_t cycles)
{
	const struct service_sum *s = &vm->services.of[kind];

	ck_assert_msg(s->count == count && service_cycles(s) == cycles,
		"%s: %llu in %llu cycles, not %llu in %llu", service_name[kind],
		(unsigned long long)s->count, (unsigned long long)service_cycles(s),
		(unsigned long long)count, (unsigned long long)cycles);
}

/* ---- system calls */

START_TEST(calls_by_number)
{
	static const struct {
		uint64_t number;
		enum service_kind kind;
	} calls[] = {{56, SERVICE_OPEN}, {437, SERVICE_OPEN}, {63, SERVICE_READ},
		{64, SERVICE_WRITE}, {221, SERVICE_EXECVE}, {281, SERVICE_EXECVE},
		{172, SERVICE_OTHER_CALL}, {UINT64_MAX, SERVICE_OTHER_CALL}};

	create(MODE_NATIVE);
	work(500);
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		struct service_sum before = vm->services.of[calls[i].kind];

		call(1, calls[i].number);
		work(100 + i);
		back(1);
		work(10000); /* the program's */
		expect(calls[i].kind, before.count + 1, service_cycles(&before) + 100 + i);
	}
	expect(SERVICE_KERNEL, 0, 0);
	sim_destroy();
}
END_TEST

START_TEST(traps_that_are_no_calls)
{
	create(MODE_NATIVE);
	enter(1, CAUSE_ILLEGAL, 63, 0);
	work(10);
	back(1);
	expect(SERVICE_EXCEPTION, 1, 10);
	cpu->sscratch = 1;
	cpu->mie = cpu->mip = MIP_SSIP;
	ck_assert(trap_interrupt(cpu));
	cpu->x[TP] = 1;
	work(20);
	back(1);
	expect(SERVICE_INTERRUPT, 1, 20);
	/* What the kernel takes in its own time begins nothing. */
	call(1, 63);
	work(30);
	cpu->mstatus |= MSTATUS_SIE;
	ck_assert(trap_interrupt(cpu));
	work(40);
	cpu->mstatus |= MSTATUS_SPP;
	trap_sret(cpu);
	work(50);
	back(1);
	expect(SERVICE_INTERRUPT, 1, 20);
	expect(SERVICE_READ, 1, 120);
	sim_destroy();
}
END_TEST

START_TEST(a_task_that_sleeps_does_not_pay_for_others)
{
	create(MODE_NATIVE);
	call(1, 63);
	work(100);
	switch_to(2); /* which has never been in user mode */
	work(1000);
	back(2);
	work(5000);
	call(2, 64);
	work(30);
	switch_to(3); /* of the kernel's own */
	work(700);
	switch_to(1);
	work(7);
	back(1);
	work(5000);
	/* 2 is interrupted in the middle of nothing and goes on. */
	call(1, 63);
	switch_to(2);
	work(3);
	back(2);
	expect(SERVICE_READ, 1, 107);
	expect(SERVICE_WRITE, 1, 33);
	expect(SERVICE_KERNEL, 0, 1700);
	sim_destroy();
}
END_TEST

/* A task ends in its last call; its number is given to another one, which begins anew. */
START_TEST(a_number_is_used_again)
{
	create(MODE_NATIVE);
	call(1, 93);
	work(100);
	switch_to(2);
	back(2);
	enter(1, CAUSE_ECALL_U, 63, 0);
	work(50);
	back(1);
	expect(SERVICE_READ, 1, 50);
	expect(SERVICE_OTHER_CALL, 0, 0);
	sim_destroy();
}
END_TEST

START_TEST(any_number_of_tasks)
{
	enum { TASKS = 10000, MOST = 4096 };

	create(MODE_NATIVE);
	for (uint64_t t = 0; t < TASKS; t++)
		call(t * 0x1240, 63);
	ck_assert_uint_eq(vm->services.untraced, TASKS - MOST);
	for (uint64_t t = 0; t < TASKS; t++) {
		switch_to(t * 0x1240);
		back(t * 0x1240);
		set_privilege(cpu, PRIV_S);
	}
	ck_assert_uint_eq(vm->services.of[SERVICE_READ].count, MOST);
	call(5, 63);
	back(5);
	ck_assert_uint_eq(vm->services.of[SERVICE_READ].count, MOST + 1);
	ck_assert_uint_eq(vm->services.untraced, TASKS - MOST);
	sim_destroy();
}
END_TEST

/* ---- page faults */

enum { V = 1, READ = 2, WRITE = 4, USER = 0x10, USED = 0xc0 };
#define ROOT (VM_RAM_BASE + 0x100000)

static uint64_t leaf(unsigned page, unsigned rights)
{
	return (VM_RAM_BASE + page * PAGE_SIZE) >> 2 | (rights ? rights | V | USER | USED : 0);
}

START_TEST(faults_by_what_became_of_the_page)
{
	static const struct {
		unsigned page, rights, page_after, rights_after;
		bool sleeps;
		enum service_kind kind;
	} faults[] = {
		{0, 0, 5, READ | WRITE, false, SERVICE_DEMAND_ZERO},
		{6, READ, 5, READ | WRITE, false,
			SERVICE_DEMAND_ZERO}, /* zeroes were read before */
		{0, 0, 6, READ, false, SERVICE_QUICK_FAULT},
		{0, 0, 5, READ, false, SERVICE_QUICK_FAULT},
		{6, READ, 6, READ | WRITE, false, SERVICE_QUICK_FAULT},
		{5, READ, 5, READ | WRITE, false, SERVICE_QUICK_FAULT},
		{7, READ, 6, READ | WRITE, false, SERVICE_COPY_FAULT},
		{0, 0, 6, READ | WRITE, false, SERVICE_COPY_FAULT},
		{0, 0, 0, 0, false, SERVICE_OTHER_FAULT},
		{0, 0, 5, READ | WRITE, true, SERVICE_OTHER_FAULT},
		{0, 0, 999999, READ | WRITE, false, SERVICE_COPY_FAULT}, /* no memory: a device */
	};
	static const enum cause causes[] = {CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE};
	uint64_t va = 0x3000 + 8;

	create(MODE_NATIVE);
	put64(vm, ROOT, (ROOT + 0x1000) >> 2 | 1);
	put64(vm, ROOT + 0x1000, (ROOT + 0x2000) >> 2 | 1);
	put64(vm, VM_RAM_BASE + 6 * PAGE_SIZE + 4088, 1);
	csr_set(cpu, 0x180, 8ull << 60 | ROOT >> PAGE_SHIFT);
	for (unsigned i = 0; i < ARRAY_SIZE(faults); i++) {
		struct service_sum before = vm->services.of[faults[i].kind];

		put64(vm, ROOT + 0x2000 + 8 * 3, leaf(faults[i].page, faults[i].rights));
		enter(1, causes[i % ARRAY_SIZE(causes)], 0, va);
		work(100);
		put64(vm, ROOT + 0x2000 + 8 * 3,
			leaf(faults[i].page_after, faults[i].rights_after));
		if (faults[i].sleeps) {
			switch_to(2);
			work(1000);
			switch_to(1);
		}
		back(1);
		ck_assert_msg(vm->services.of[faults[i].kind].count == before.count + 1,
			"fault %u is another than %s", i, service_name[faults[i].kind]);
		ck_assert_uint_eq(
			service_cycles(&vm->services.of[faults[i].kind]) - service_cycles(&before),
			100);
	}
	sim_destroy();
}
END_TEST

/* Tables that lead anywhere are only looked at. */
START_TEST(tables_of_nonsense)
{
	static const uint64_t tables[] = {0, VM_RAM_BASE - PAGE_SIZE, VM_RAM_BASE + SIM_RAM_BYTES,
		0xfffffffffff000, VM_RAM_BASE + SIM_RAM_BYTES - PAGE_SIZE};

	create(MODE_NATIVE);
	put64(vm, ROOT, ROOT >> 2 | 1); /* leads to itself */
	for (unsigned i = 0; i < ARRAY_SIZE(tables) * 3; i++) {
		cpu->satp = (8ull + i % 3) << 60 | (tables[i / 3] >> PAGE_SHIFT);
		enter(1, CAUSE_LOAD_PAGE, 0, UINT64_MAX << i);
		back(1);
	}
	cpu->satp = 8ull << 60 | ROOT >> PAGE_SHIFT;
	enter(1, CAUSE_LOAD_PAGE, 0, 8);
	back(1);
	ck_assert_uint_eq(vm->services.of[SERVICE_OTHER_FAULT].count, ARRAY_SIZE(tables) * 3 + 1);
	sim_destroy();
}
END_TEST

/* ---- parts */

START_TEST(each_part_has_its_own)
{
	const struct service_sum *s;

	create(MODE_TRAP);
	call(1, 63);
	csr_get(cpu, SSTATUS);
	work(100);
	monitor_event(cpu, EVENT_CALL, 3000);
	mode_event(cpu, EVENT_SFENCE);
	monitor_event(cpu, EVENT_MOVE, 50000); /* not of the kernel's doing */
	back(1);
	s = &vm->services.of[SERVICE_READ];
	ck_assert_uint_eq(s->cycles[PART_KERNEL], 100);
	ck_assert_uint_eq(s->cycles[PART_TLB], m->cost.trap + m->cost.emulate);
	/* The call; sscratch twice, sstatus twice, and the return. */
	ck_assert_uint_eq(s->cycles[PART_PRIVILEGED],
		m->cost.trap + m->cost.reflect + 5 * (m->cost.trap + m->cost.emulate));
	ck_assert_uint_eq(s->cycles[PART_CALLS], 3000);
	ck_assert_uint_eq(s->cycles[PART_KERNEL_TLB], 0);
	/* A fault has been looked for before it was passed on. */
	enter(1, CAUSE_LOAD_PAGE, 0, 0);
	back(1);
	ck_assert_uint_eq(vm->services.of[SERVICE_OTHER_FAULT].cycles[PART_TLB],
		m->cost.trap + m->cost.reflect + m->cost.tlb_fill);
	sim_destroy();
}
END_TEST

/* In both kinds of refill: the program's misses, and the kernel's by where they were. */
START_TEST(refills_are_told_apart)
{
	enum mode mode = (enum mode)_i;
	struct service_sum *s;
	uint64_t v, before, low, high;

	create(mode);
	put64(vm, ROOT, (ROOT + 0x1000) >> 2 | 1);
	put64(vm, ROOT + 8 * 511, (ROOT + 0x1000) >> 2 | 1);
	put64(vm, ROOT + 0x1000, (ROOT + 0x2000) >> 2 | 1);
	put64(vm, ROOT + 0x2000 + 8 * 3, leaf(3, READ | WRITE));
	put64(vm, ROOT + 0x2000 + 8 * 4, leaf(4, READ | WRITE) & ~(uint64_t)USER);
	put64(vm, VM_RAM_BASE + 3 * PAGE_SIZE, 1);
	put64(vm, VM_RAM_BASE + 4 * PAGE_SIZE, 1);
	sim.numa = true;
	cpu->placed = true;
	numa_follow(&sim);
	csr_set(cpu, 0x180, 8ull << 60 | ROOT >> PAGE_SHIFT);
	cpu->mstatus |= MSTATUS_SUM;

	set_privilege(cpu, PRIV_U);
	before = cpu->charge;
	ck_assert_int_eq(mem_load(cpu, 0x3000, 8, &v), DONE);
	s = &vm->services.of[SERVICE_TLB_MISS];
	ck_assert_uint_eq(s->count, 1);
	ck_assert_uint_gt(s->cycles[PART_TLB], 0);
	ck_assert_uint_le(service_cycles(s), cpu->charge - before);

	call(1, 64);
	tlb_flush_hardware(cpu);
	mmu_update_context(cpu);
	before = cpu->charge;
	ck_assert_int_eq(mem_load(cpu, 0x3000, 8, &v), DONE);
	low = cpu->charge - before;
	ck_assert_int_eq(mem_load(cpu, 0xffffffffc0004000, 8, &v), DONE);
	high = cpu->charge - before - low;
	back(1);
	s = &vm->services.of[SERVICE_WRITE];
	ck_assert_uint_eq(vm->services.of[SERVICE_TLB_MISS].count, 1);
	ck_assert_uint_eq(s->cycles[PART_TLB], low); /* what is loaded is in the cache */
	ck_assert_uint_ge(s->cycles[PART_KERNEL_TLB], m->cost.tlb_refill);
	ck_assert_uint_le(s->cycles[PART_KERNEL_TLB], high);
	sim_destroy();
	memsys_destroy(sim.memsys);
}
END_TEST

/* All the kernel's time is in some service or its own. */
START_TEST(nothing_is_lost)
{
	enum mode mode = (enum mode)_i;
	struct account a;
	uint64_t all = 0, ours = 0;

	create(mode);
	for (unsigned i = 0; i < 100; i++) {
		call(i % 7, 60 + i % 5);
		work(i * 13);
		if (i % 3 == 0) {
			switch_to(i * 5 % 7);
			work(i);
			switch_to(i % 7);
		}
		back(i % 7);
		work(i);
	}
	account_now(cpu);
	a = cpu->account;
	for (unsigned k = 0; k < SERVICES; k++)
		all += service_cycles(&vm->services.of[k]);
	for (unsigned e = EVENT_NONE + 1; e < EVENTS; e++)
		ours += a.cycles[e];
	ck_assert_uint_eq(ours, a.monitor);
	ck_assert_uint_eq(all, a.supervisor + a.monitor);
	/* A trap takes the hardware a cycle, which is the program's. */
	ck_assert_uint_eq(a.user, 100 * 99 / 2 + 100);
	sim_destroy();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("services");
	TCase *t = tcase_create("services");

	tcase_add_test(t, calls_by_number);
	tcase_add_test(t, traps_that_are_no_calls);
	tcase_add_test(t, a_task_that_sleeps_does_not_pay_for_others);
	tcase_add_test(t, a_number_is_used_again);
	tcase_add_test(t, any_number_of_tasks);
	tcase_add_test(t, faults_by_what_became_of_the_page);
	tcase_add_test(t, tables_of_nonsense);
	tcase_add_test(t, each_part_has_its_own);
	tcase_add_loop_test(t, refills_are_told_apart, 0, MODES);
	tcase_add_loop_test(t, nothing_is_lost, 0, MODES);
	suite_add_tcase(s, t);
	return run_suite(s);
}
