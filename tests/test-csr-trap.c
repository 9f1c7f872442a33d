// SPDX-License-Identifier: MIT
/*
 * Control registers and traps of the simulated CPU: what may be read and written by whom, what
 * sticks of a value, where a trap goes and what it leaves in the status registers, and which
 * interrupt comes first.
 */
#include "tests/sim-vm.h"

enum {
	FFLAGS = 1,
	FRM = 2,
	FCSR = 3,
	SSTATUS = 0x100,
	SIE = 0x104,
	STVEC = 0x105,
	SCOUNTEREN = 0x106,
	SEPC = 0x141,
	SIP = 0x144,
	STIMECMP = 0x14d,
	SATP = 0x180,
	MSTATUS = 0x300,
	MISA = 0x301,
	MEDELEG = 0x302,
	MIDELEG = 0x303,
	MIE = 0x304,
	MTVEC = 0x305,
	MCOUNTEREN = 0x306,
	MENVCFG = 0x30a,
	MEPC = 0x341,
	MIP = 0x344,
	PMPCFG0 = 0x3a0,
	PMPADDR0 = 0x3b0,
	MCYCLE = 0xb00,
	MINSTRET = 0xb02,
	CYCLE = 0xc00,
	TIME = 0xc01,
	INSTRET = 0xc02,
	MHARTID = 0xf14
};

static struct vm *vm;
static struct sim_vcpu *cpu;

static void setup(void)
{
	sim_create(1);
	vm = sim_vm(2, true);
	cpu = vm->vcpu[0].sim;
}

static void teardown(void)
{
	sim_destroy();
}

static bool readable(unsigned csr)
{
	uint64_t v;

	return csr_access(cpu, csr, CSR_SET, 0, true, false, &v);
}

static bool writable(unsigned csr)
{
	uint64_t v;

	return csr_access(cpu, csr, CSR_SET, 0, true, true, &v);
}

/* What is left of all ones and of zero. */
static uint64_t ones(unsigned csr)
{
	csr_set(cpu, csr, UINT64_MAX);
	return csr_get(cpu, csr);
}

START_TEST(who_may_use_which_register)
{
	/* The register's number says it: bits 9..8 the privilege, bits 11..10 = 3 read-only. Gates
	 * are opened first. */
	csr_set(cpu, MSTATUS, MSTATUS_FS);
	csr_set(cpu, MCOUNTEREN, UINT64_MAX);
	csr_set(cpu, SCOUNTEREN, UINT64_MAX);
	csr_set(cpu, MENVCFG, ENVCFG_STCE);
	for (unsigned p = 0; p < 3; p++) {
		static const enum priv priv[] = {PRIV_U, PRIV_S, PRIV_M};
		unsigned known = 0;

		set_privilege(cpu, priv[p]);
		for (unsigned csr = 0; csr < 4096; csr++) {
			bool exists =
				csr_name(csr) && !(csr >= PMPCFG0 && csr < PMPCFG0 + 16 && csr & 1);

			if (exists && (csr >> 8 & 3) <= priv[p]) {
				ck_assert_msg(readable(csr), "0x%x from %u", csr, priv[p]);
				ck_assert_msg(writable(csr) == (csr >> 10 != 3), "0x%x from %u",
					csr, priv[p]);
				known++;
			} else {
				ck_assert_msg(!readable(csr) && !writable(csr), "0x%x from %u", csr,
					priv[p]);
			}
			set_privilege(cpu, priv[p]);
		}
		ck_assert_uint_ge(known, 30);
	}
}
END_TEST

START_TEST(gates)
{
	/* Floating point that is off has no registers. */
	csr_set(cpu, MSTATUS, 0);
	ck_assert(!readable(FFLAGS) && !readable(FRM) && !readable(FCSR));
	csr_set(cpu, MSTATUS, 1 << 13);
	ck_assert(readable(FCSR));
	csr_set(cpu, FRM, 3);
	ck_assert_uint_eq(csr_get(cpu, MSTATUS) & MSTATUS_FS, MSTATUS_FS); /* dirty */
	ck_assert(csr_get(cpu, MSTATUS) & MSTATUS_SD);

	csr_set(cpu, MCOUNTEREN, 1);
	csr_set(cpu, SCOUNTEREN, 7);
	set_privilege(cpu, PRIV_S);
	ck_assert(readable(CYCLE) && !readable(TIME) && !readable(INSTRET));
	set_privilege(cpu, PRIV_U);
	ck_assert(readable(CYCLE) && !readable(TIME));
	set_privilege(cpu, PRIV_M);
	csr_set(cpu, MCOUNTEREN, 7);
	csr_set(cpu, SCOUNTEREN, 4);
	set_privilege(cpu, PRIV_U);
	ck_assert(!readable(CYCLE) && readable(INSTRET));

	set_privilege(cpu, PRIV_S);
	ck_assert(!readable(STIMECMP));
	cpu->menvcfg |= ENVCFG_STCE;
	ck_assert(readable(STIMECMP));
	ck_assert(readable(SATP));
	cpu->mstatus |= MSTATUS_TVM;
	ck_assert(!readable(SATP));
}
END_TEST

START_TEST(what_sticks)
{
	csr_set(cpu, MSTATUS, MSTATUS_FS);
	ck_assert_uint_eq(ones(FFLAGS), 31);
	ck_assert_uint_eq(ones(FRM), 7);
	ck_assert_uint_eq(ones(FCSR), 255);
	ck_assert_uint_eq(ones(MEPC), ~1ull);
	ck_assert_uint_eq(ones(SEPC), ~1ull);
	ck_assert_uint_eq(ones(MEDELEG) & 1u << CAUSE_ECALL_M, 0);
	ck_assert_uint_eq(ones(MIDELEG), 0x222);
	ck_assert_uint_eq(ones(MIE), 0xaaa);
	ck_assert_uint_eq(ones(MCOUNTEREN), 0xffffffff);
	ck_assert_uint_eq(ones(PMPADDR0), (1ull << 54) - 1);
	ck_assert_uint_eq(csr_get(cpu, MISA),
		2ull << 62 | 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 20);
	ck_assert_uint_eq(csr_get(cpu, MHARTID), 0);

	/* Vectors: direct and vectored; other modes are not taken. */
	csr_set(cpu, MTVEC, 0x80001001);
	csr_set(cpu, MTVEC, 0x90000002);
	ck_assert_uint_eq(csr_get(cpu, MTVEC) & 3, 1);

	/* No privilege 2. */
	csr_set(cpu, MSTATUS, MSTATUS_MPP);
	csr_set(cpu, MSTATUS, 2ull << 11);
	ck_assert_uint_ne(csr_get(cpu, MSTATUS) & MSTATUS_MPP, 2ull << 11);
	csr_set(cpu, MSTATUS, UINT64_MAX);
	ck_assert_uint_eq(
		csr_get(cpu, MSTATUS) & (MSTATUS_UXL | MSTATUS_SXL), MSTATUS_UXL | MSTATUS_SXL);

	/* sstatus is a view that shows and changes S's part only. */
	csr_set(cpu, MSTATUS, MSTATUS_MIE | MSTATUS_SIE | MSTATUS_MPRV);
	ck_assert_uint_eq(csr_get(cpu, SSTATUS), MSTATUS_SIE | MSTATUS_UXL);
	csr_set(cpu, SSTATUS, MSTATUS_SUM);
	ck_assert_uint_eq(csr_get(cpu, MSTATUS) & ~(MSTATUS_UXL | MSTATUS_SXL),
		MSTATUS_MIE | MSTATUS_MPRV | MSTATUS_SUM);

	/* satp: an unknown mode changes nothing; there are no ASIDs. */
	csr_set(cpu, MSTATUS, 0);
	csr_set(cpu, SATP, 8ull << 60 | 0xffffull << 44 | 0x80123);
	ck_assert_uint_eq(csr_get(cpu, SATP), 8ull << 60 | 0x80123);
	csr_set(cpu, SATP, 11ull << 60 | 0x80456);
	ck_assert_uint_eq(csr_get(cpu, SATP), 8ull << 60 | 0x80123);

	/* pmpcfg: W without R does not exist, a locked byte stays. */
	csr_set(cpu, PMPCFG0, 0x8a1f);
	ck_assert_uint_eq(csr_get(cpu, PMPCFG0) & 0xff, 0x1f);
	ck_assert_uint_ne(csr_get(cpu, PMPCFG0) >> 8 & 3, 2);
	csr_set(cpu, PMPCFG0, 0);
	ck_assert_uint_eq(csr_get(cpu, PMPCFG0) & 0xff, 0);
	ck_assert(csr_get(cpu, PMPCFG0) & 0x8000);
}
END_TEST

START_TEST(views_of_interrupts)
{
	csr_set(cpu, MIDELEG, 1 << IRQ_S_SOFT);
	csr_set(cpu, MIE, 0xaaa);
	csr_set(cpu, MIP, 0xaaa);
	ck_assert_uint_eq(csr_get(cpu, SIE), 1 << IRQ_S_SOFT);
	ck_assert_uint_eq(csr_get(cpu, SIP), 1 << IRQ_S_SOFT);
	/* M's own bits are wires. */
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_S_SOFT | 1 << IRQ_S_TIMER | 1 << IRQ_S_EXT);
	csr_set(cpu, SIP, 0);
	csr_set(cpu, SIE, 0);
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_S_TIMER | 1 << IRQ_S_EXT);
	ck_assert_uint_eq(csr_get(cpu, MIE), 0xaaa & ~(1 << IRQ_S_SOFT));
	csr_set(cpu, MIP, 0);
	/* SEIP is the or of the software's bit and the wire; setting another bit must not latch the
	 * wire. */
	sim.engine->vcpu_irq(&vm->vcpu[0], IRQ_S_EXT, true);
	ck_assert(csr_access(cpu, MIP, CSR_SET, 1 << IRQ_S_SOFT, true, true, &(uint64_t){0}));
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_S_SOFT | 1 << IRQ_S_EXT);
	sim.engine->vcpu_irq(&vm->vcpu[0], IRQ_S_EXT, false);
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_S_SOFT);
	/* With Sstc, STIP belongs to the comparator. */
	csr_set(cpu, MENVCFG, ENVCFG_STCE);
	csr_set(cpu, STIMECMP, UINT64_MAX);
	csr_set(cpu, MIP, 1 << IRQ_S_TIMER);
	ck_assert_uint_eq(csr_get(cpu, MIP), 0);
	csr_set(cpu, STIMECMP, 0);
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_S_TIMER);
}
END_TEST

START_TEST(counters)
{
	static const uint32_t code[] = {
		0x00000013, 0x00000013, 0xb0202573, 0xb00025f3, 0xb0251073, 0xb0202673, 0x0000006f};

	/* nop; nop; a0 = minstret; a1 = mcycle; minstret = a0; a2 = minstret; j . */
	put_code(vm, VM_RAM_BASE, code, ARRAY_SIZE(code));
	step(cpu, 7);
	ck_assert_uint_eq(cpu->x[10], 2);
	ck_assert_uint_ge(cpu->x[11], 3);
	ck_assert_uint_eq(cpu->x[12], 2); /* the write wins over its own retirement */
	cpu->now = 12345;
	ck_assert_uint_eq(csr_get(cpu, TIME), 1234); /* 100 MHz against 10 MHz */
	csr_set(cpu, MCYCLE, 5);
	ck_assert_uint_eq(csr_get(cpu, CYCLE), 5);
}
END_TEST

/* To S or to M, with the status registers' stacks. */
START_TEST(delegation)
{
	for (unsigned n = 0; n < 3 * 2 * 2; n++) {
		static const enum priv privs[] = {PRIV_U, PRIV_S, PRIV_M};
		enum priv from = privs[n % 3];
		bool deleg = n / 3 % 2, on = n / 6;
		bool to_s = deleg && from != PRIV_M;

		set_privilege(cpu, PRIV_M);
		csr_set(cpu, MSTATUS,
			on ? MSTATUS_SIE | MSTATUS_MIE : MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP);
		cpu->medeleg = deleg ? 1u << CAUSE_LOAD_PAGE : 0;
		cpu->mtvec = 0x80001001; /* exceptions go to the base in vectored mode too */
		cpu->stvec = 0x80002001;
		cpu->mepc = cpu->sepc = cpu->mcause = cpu->scause = 0;
		cpu->pc = 0x80000100;
		set_privilege(cpu, from);
		trap_exception(cpu, CAUSE_LOAD_PAGE, 0x1234);
		ck_assert_uint_eq(cpu->priv, to_s ? PRIV_S : PRIV_M);
		ck_assert_uint_eq(cpu->pc, to_s ? 0x80002000 : 0x80001000);
		ck_assert_uint_eq(to_s ? cpu->sepc : cpu->mepc, 0x80000100);
		ck_assert_uint_eq(to_s ? cpu->scause : cpu->mcause, CAUSE_LOAD_PAGE);
		ck_assert_uint_eq(to_s ? cpu->stval : cpu->mtval, 0x1234);
		ck_assert_uint_eq(to_s ? cpu->mcause : cpu->scause, 0);
		if (to_s) {
			ck_assert_uint_eq(!!(cpu->mstatus & MSTATUS_SPIE), on);
			ck_assert_uint_eq(cpu->mstatus & MSTATUS_SIE, 0);
			ck_assert_uint_eq(!!(cpu->mstatus & MSTATUS_SPP), from == PRIV_S);
			trap_sret(cpu);
			ck_assert_uint_eq(!!(cpu->mstatus & MSTATUS_SIE), on);
			ck_assert_uint_eq(
				cpu->mstatus & (MSTATUS_SPIE | MSTATUS_SPP), MSTATUS_SPIE);
		} else {
			ck_assert_uint_eq(!!(cpu->mstatus & MSTATUS_MPIE), on);
			ck_assert_uint_eq(cpu->mstatus & MSTATUS_MIE, 0);
			ck_assert_uint_eq((cpu->mstatus & MSTATUS_MPP) >> 11, from);
			trap_mret(cpu);
			ck_assert_uint_eq(!!(cpu->mstatus & MSTATUS_MIE), on);
			ck_assert_uint_eq(
				cpu->mstatus & (MSTATUS_MPIE | MSTATUS_MPP), MSTATUS_MPIE);
		}
		ck_assert_uint_eq(cpu->priv, from);
		ck_assert_uint_eq(cpu->pc, 0x80000100);
	}
}
END_TEST

START_TEST(returns_end_mprv)
{
	set_privilege(cpu, PRIV_M);
	csr_set(cpu, MSTATUS, MSTATUS_MPRV | MSTATUS_MPP);
	trap_mret(cpu);
	ck_assert(cpu->mstatus & MSTATUS_MPRV); /* to M: stays */
	csr_set(cpu, MSTATUS, MSTATUS_MPRV | 1ull << 11);
	trap_mret(cpu);
	ck_assert(!(cpu->mstatus & MSTATUS_MPRV));
	ck_assert_uint_eq(cpu->priv, PRIV_S);
}
END_TEST

/* All six at once are taken in the order of the specification; M's before S's whatever is
 * delegated. */
START_TEST(priority)
{
	static const unsigned order[] = {
		IRQ_M_EXT, IRQ_M_SOFT, IRQ_M_TIMER, IRQ_S_EXT, IRQ_S_SOFT, IRQ_S_TIMER};

	for (unsigned deleg = 0; deleg < 2; deleg++) {
		uint64_t pending = 0xaaa;

		cpu->mtvec = 0x80001001;
		cpu->stvec = 0x80002001;
		cpu->mideleg = deleg ? 0x222 : 0;
		cpu->mie = 0xaaa;
		for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
			bool to_s = deleg && order[i] < 10 && (0x222 >> order[i] & 1);

			set_privilege(cpu, PRIV_U);
			cpu->mstatus = 0;
			cpu->mip = pending;
			cpu->pc = 0x80000100;
			ck_assert(trap_pending(cpu));
			ck_assert(trap_interrupt(cpu));
			ck_assert_uint_eq(to_s ? cpu->scause : cpu->mcause, 1ull << 63 | order[i]);
			ck_assert_uint_eq(cpu->pc, (to_s ? 0x80002000 : 0x80001000) + 4 * order[i]);
			ck_assert_uint_eq(to_s ? cpu->stval : cpu->mtval, 0);
			pending &= ~(1ull << order[i]);
		}
		set_privilege(cpu, PRIV_U);
		cpu->mip = 0;
		ck_assert(!trap_interrupt(cpu));
	}
}
END_TEST

/* Enabled means: below the privilege it goes to always, at it by the global bit, above it never. */
START_TEST(enabling)
{
	for (unsigned n = 0; n < 3 * 2 * 2 * 2; n++) {
		static const enum priv privs[] = {PRIV_U, PRIV_S, PRIV_M};
		enum priv at = privs[n % 3];
		bool deleg = n / 3 % 2, s_on = n / 6 % 2, m_on = n / 12;
		bool taken = deleg ? at == PRIV_U || (at == PRIV_S && s_on) : at != PRIV_M || m_on;

		set_privilege(cpu, at);
		cpu->mstatus = (s_on ? MSTATUS_SIE : 0) | (m_on ? MSTATUS_MIE : 0);
		cpu->mideleg = deleg ? 1 << IRQ_S_SOFT : 0;
		cpu->mie = cpu->mip = 1 << IRQ_S_SOFT;
		ck_assert_int_eq(trap_interrupt(cpu), taken);
		ck_assert_uint_eq(cpu->priv, taken ? (deleg ? PRIV_S : PRIV_M) : at);
	}
	cpu->mie = 0;
	ck_assert(!trap_pending(cpu));
	ck_assert(!trap_interrupt(cpu));
}
END_TEST

/* What each privilege may not execute traps as illegal, with the word in tval. */
START_TEST(privileged_instructions)
{
	static const struct {
		uint32_t word;
		uint64_t mstatus; /* that forbids it to S */
	} rows[] = {{0x10200073, MSTATUS_TSR}, {0x10500073, MSTATUS_TW}, {0x12000073, MSTATUS_TVM},
		{0x30200073, 0}};

	/* Memory is open to S and U. */
	csr_set(cpu, PMPADDR0, UINT64_MAX);
	csr_set(cpu, PMPCFG0, 0x1f);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		for (enum priv p = PRIV_U; p <= PRIV_S; p++) {
			uint64_t pc = VM_RAM_BASE + 0x1000 + i * 64;

			put_code(vm, pc, &rows[i].word, 1);
			cpu->mtvec = VM_RAM_BASE + 0x8000;
			cpu->medeleg = 0;
			cpu->mstatus = rows[i].mstatus;
			cpu->mcause = 99;
			set_privilege(cpu, p);
			cpu->pc = pc;
			step(cpu, 1);
			ck_assert_uint_eq(cpu->mcause, CAUSE_ILLEGAL);
			ck_assert_uint_eq(cpu->mtval, rows[i].word);
			ck_assert_uint_eq(cpu->mepc, pc);
		}
}
END_TEST

/* A trap handler that traps on its own first instruction would never end: the VM is given up,
 * with the reason. */
START_TEST(stuck_on_its_own_handler)
{
	put64(vm, VM_RAM_BASE + 0x1000, 0); /* illegal */
	cpu->mtvec = cpu->pc = VM_RAM_BASE + 0x1000;
	step(cpu, 100000);
	ck_assert_int_eq(vm->state, VM_FAILED);
	ck_assert_ptr_nonnull(strstr(vm->reason, "0x80001000"));
	ck_assert_uint_lt(cpu->now, 100000);
}
END_TEST

START_TEST(timers)
{
	csr_set(cpu, MENVCFG, ENVCFG_STCE);
	csr_set(cpu, STIMECMP, 100); /* ticks of 10 cycles */
	ck_assert_uint_eq(cpu->timer_at, 1000);
	sim.engine->vcpu_mtimecmp(&vm->vcpu[0], 50);
	ck_assert_uint_eq(cpu->timer_at, 500);
	cpu->now = 499;
	timer_update(cpu);
	ck_assert_uint_eq(csr_get(cpu, MIP), 0);
	cpu->now = 500;
	timer_update(cpu);
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_M_TIMER);
	cpu->now = 1000;
	timer_update(cpu);
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_M_TIMER | 1 << IRQ_S_TIMER);
	ck_assert_uint_eq(cpu->timer_at, UINT64_MAX);
	sim.engine->vcpu_mtimecmp(&vm->vcpu[0], UINT64_MAX); /* beyond what cycles can count */
	ck_assert_uint_eq(csr_get(cpu, MIP), 1 << IRQ_S_TIMER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("csr-trap");
	TCase *t = tcase_create("csr-trap");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, who_may_use_which_register);
	tcase_add_test(t, gates);
	tcase_add_test(t, what_sticks);
	tcase_add_test(t, views_of_interrupts);
	tcase_add_test(t, counters);
	tcase_add_test(t, delegation);
	tcase_add_test(t, returns_end_mprv);
	tcase_add_test(t, priority);
	tcase_add_test(t, enabling);
	tcase_add_test(t, privileged_instructions);
	tcase_add_test(t, stuck_on_its_own_handler);
	tcase_add_test(t, timers);
	suite_add_tcase(s, t);
	return run_suite(s);
}
