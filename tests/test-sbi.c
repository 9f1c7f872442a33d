// SPDX-License-Identifier: MIT
/*
 * The monitor's SBI as a kernel sees it: registers in, registers out, and what each call does to
 * other harts, to the VM and to its console (RISC-V SBI specification 2.0).
 */
#include "monitor/vm/console.h"
#include "tests/sim-vm.h"

enum {
	BASE = 0x10,
	TIME = 0x54494d45,
	IPI = 0x735049,
	RFENCE = 0x52464e43,
	HSM = 0x48534d,
	SRST = 0x53525354,
	DBCN = 0x4442434e
};
enum {
	OK = 0,
	FAILED = -1,
	NOT_SUPPORTED = -2,
	INVALID_PARAM = -3,
	INVALID_ADDRESS = -5,
	ALREADY_AVAILABLE = -6
};

#define RAM VM_RAM_BASE

static struct vm *vm;
static struct sim_vcpu *cpu;

static void setup(void)
{
	sim_create(2);
	vm = sim_vm(4, false);
	cpu = vm->vcpu[0].sim;
	vm->console = stream_create();
}

static void teardown(void)
{
	stream_destroy(vm->console);
	sim_destroy();
}

/* Returns the error; *value is a1. */
static int call(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2,
	uint64_t a3, uint64_t *value)
{
	uint64_t s[32];

	for (unsigned i = 0; i < 32; i++)
		cpu->x[i] = i ? 0x5000 + i : 0;
	cpu->x[10] = a0, cpu->x[11] = a1, cpu->x[12] = a2, cpu->x[13] = a3;
	cpu->x[16] = function, cpu->x[17] = extension;
	memcpy(s, cpu->x, sizeof(s));
	sbi_call(cpu);
	/* "All registers except a0 & a1 must be preserved across an SBI call by the callee." */
	ck_assert_mem_eq(cpu->x, s, 10 * sizeof(s[0]));
	ck_assert_mem_eq(cpu->x + 12, s + 12, 20 * sizeof(s[0]));
	if (value)
		*value = cpu->x[11];
	return (int)(int64_t)cpu->x[10];
}

START_TEST(base)
{
	static const uint64_t here[] = {BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN};
	uint64_t v;

	ck_assert_int_eq(call(BASE, 0, 0, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 2 << 24);
	for (unsigned i = 0; i < ARRAY_SIZE(here); i++) {
		ck_assert_int_eq(call(BASE, 3, here[i], 0, 0, 0, &v), OK);
		ck_assert_uint_eq(v, 1);
		ck_assert_int_eq(call(here[i], 99, 0, 0, 0, 0, NULL), NOT_SUPPORTED);
	}
	ck_assert_int_eq(call(BASE, 3, 0x12345678, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(call(0x12345678, 0, 0, 0, 0, 0, NULL), NOT_SUPPORTED);
	ck_assert_int_eq(call(UINT64_MAX, 0, 0, 0, 0, 0, NULL), NOT_SUPPORTED);
	/* The extension's number is all 64 bits of a7. */
	ck_assert_int_eq(call(1ull << 32 | TIME, 0, 0, 0, 0, 0, NULL), NOT_SUPPORTED);
}
END_TEST

START_TEST(ipi)
{
	for (unsigned i = 1; i < 4; i++)
		sim.engine->vcpu_start(&vm->vcpu[i], RAM, i, 0);
	vm->vcpu[2].state = VCPU_IDLE;
	vm->vcpu[2].sim->mie = MIP_SSIP;
	ck_assert_int_eq(call(IPI, 0, 6, 0, 0, 0, NULL), OK);
	ck_assert(!(vm->vcpu[0].sim->mip & MIP_SSIP));
	ck_assert(vm->vcpu[1].sim->mip & MIP_SSIP);
	ck_assert(vm->vcpu[2].sim->mip & MIP_SSIP);
	ck_assert(!(vm->vcpu[3].sim->mip & MIP_SSIP));
	ck_assert_int_eq(vm->vcpu[2].state, VCPU_RUNNABLE);
	ck_assert_int_eq(call(IPI, 0, 1, 3, 0, 0, NULL), OK); /* bit 0 is hart 3 */
	ck_assert(vm->vcpu[3].sim->mip & MIP_SSIP);
	ck_assert_int_eq(call(IPI, 0, 0, UINT64_MAX, 0, 0, NULL), OK); /* all */
	ck_assert(vm->vcpu[0].sim->mip & MIP_SSIP);
	/* Harts that do not exist, and sums that wrap. */
	ck_assert_int_eq(call(IPI, 0, 16, 0, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(IPI, 0, 1, 4, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(IPI, 0, 6, UINT64_MAX - 1, 0, 0, NULL), INVALID_PARAM);
}
END_TEST

START_TEST(rfence)
{
	struct sim_vcpu *other = vm->vcpu[1].sim;
	uint64_t v;

	for (unsigned i = 1; i < 4; i++)
		sim.engine->vcpu_start(&vm->vcpu[i], RAM, i, 0);
	for (unsigned n = 0; n < 6; n++) {
		struct tlb_entry *e[3];
		bool gone[3];

		for (unsigned p = 0; p < 3; p++) {
			uint64_t va = RAM + 0x100000 + p * PAGE_SIZE;

			ck_assert_int_eq(mem_load(other, va, 8, &v), DONE);
			e[p] = &other->tlb[va >> PAGE_SHIFT & (TLB_ENTRIES - 1)];
			ck_assert_uint_eq(e[p]->read_tag, va);
		}
		switch (n) {
		case 0: /* one page */
			ck_assert_int_eq(
				call(RFENCE, 1, 2, 0, RAM + 0x101000, PAGE_SIZE, NULL), OK);
			break;
		case 1: /* a byte on each of two pages */
			ck_assert_int_eq(call(RFENCE, 1, 2, 0, RAM + 0x100fff, 2, NULL), OK);
			break;
		case 2: /* everything */
			ck_assert_int_eq(call(RFENCE, 2, 2, 0, 0, 0, NULL), OK);
			break;
		case 3:
			ck_assert_int_eq(call(RFENCE, 1, 2, 0, 0, UINT64_MAX, NULL), OK);
			break;
		case 4: /* more than is worth doing page by page */
			ck_assert_int_eq(
				call(RFENCE, 1, UINT64_MAX, UINT64_MAX, RAM, 0x400000, NULL), OK);
			break;
		default: /* somebody else */
			ck_assert_int_eq(call(RFENCE, 1, 13, 0, 0, 0, NULL), OK);
			break;
		}
		for (unsigned p = 0; p < 3; p++)
			gone[p] = e[p]->read_tag == TLB_NONE;
		ck_assert_int_eq(gone[0], n >= 1 && n <= 4);
		ck_assert_int_eq(gone[1], n <= 4);
		ck_assert_int_eq(gone[2], n >= 2 && n <= 4);
	}
	ck_assert_int_eq(call(RFENCE, 1, 1, 64, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(RFENCE, 3, 1, 0, 0, 0, NULL), NOT_SUPPORTED); /* hypervisor's */
	ck_assert_int_eq(call(RFENCE, 0, 15, 0, 0, 0, NULL), OK);
}
END_TEST

START_TEST(harts)
{
	struct sim_vcpu *one = vm->vcpu[1].sim;
	uint64_t v;

	ck_assert_int_eq(call(HSM, 2, 0, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 0); /* started */
	ck_assert_int_eq(call(HSM, 2, 1, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 1); /* stopped */
	ck_assert_int_eq(call(HSM, 2, 4, 0, 0, 0, &v), INVALID_PARAM);
	ck_assert_int_eq(call(HSM, 0, 4, RAM, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(HSM, 0, 0, RAM, 0, 0, NULL), ALREADY_AVAILABLE);
	ck_assert_int_eq(call(HSM, 0, 1, 0x1000, 0, 0, NULL), INVALID_ADDRESS);
	ck_assert_int_eq(call(HSM, 0, 1, RAM + SIM_RAM_BYTES, 0, 0, NULL), INVALID_ADDRESS);
	one->x[5] = 1, one->satp = 8ull << 60, one->mstatus = MSTATUS_SIE;
	ck_assert_int_eq(call(HSM, 0, 1, RAM + 0x400, 0xabc, 0, NULL), OK);
	ck_assert_int_eq(vm->vcpu[1].state, VCPU_RUNNABLE);
	ck_assert_uint_eq(one->pc, RAM + 0x400);
	ck_assert_uint_eq(one->x[10], 1);
	ck_assert_uint_eq(one->x[11], 0xabc);
	ck_assert_uint_eq(one->priv, PRIV_S);
	ck_assert_uint_eq(one->satp | (one->mstatus & MSTATUS_SIE), 0);
	ck_assert_int_eq(call(HSM, 2, 1, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 0);

	/* Suspend: idle until an interrupt; nothing at all when one is there. */
	cpu->mie = MIP_SSIP;
	cpu->mip |= MIP_SSIP;
	ck_assert_int_eq(call(HSM, 3, 0, 0, 0, 0, NULL), OK);
	ck_assert_int_eq(vm->vcpu[0].state, VCPU_RUNNABLE);
	cpu->mip &= ~(uint64_t)MIP_SSIP;
	ck_assert_int_eq(call(HSM, 3, 0, 0, 0, 0, NULL), OK);
	ck_assert_int_eq(vm->vcpu[0].state, VCPU_IDLE);
	ck_assert_int_eq(call(HSM, 2, 0, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 4); /* suspended */
	cpu->mip |= MIP_SSIP;
	cpu_wake(cpu);
	ck_assert_int_eq(vm->vcpu[0].state, VCPU_RUNNABLE);
	ck_assert_int_eq(call(HSM, 2, 0, 0, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 0);
	/* Reserved types, and those that a platform may have or not. */
	ck_assert_int_eq(call(HSM, 3, 1, 0, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(HSM, 3, 0x0fffffff, 0, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(HSM, 3, 0x80000001, 0, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(HSM, 3, 0x8fffffff, 0, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(HSM, 3, 0x10000000, 0, 0, 0, NULL), NOT_SUPPORTED);
	ck_assert_int_eq(call(HSM, 3, 0x80000000, 0, 0, 0, NULL), NOT_SUPPORTED);
	ck_assert_int_eq(call(HSM, 3, 0x90000000, 0, 0, 0, NULL), NOT_SUPPORTED);

	cpu->yield = false;
	call(HSM, 1, 0, 0, 0, 0, NULL);
	ck_assert_int_eq(vm->vcpu[0].state, VCPU_STOPPED);
	ck_assert(cpu->yield);
}
END_TEST

START_TEST(timer)
{
	cpu->mie = MIP_STIP;
	ck_assert_int_eq(call(TIME, 0, 100, 0, 0, 0, NULL), OK);
	ck_assert_uint_eq(cpu->timer_at, 1000);
	ck_assert(!(cpu->mip & MIP_STIP));
	cpu->now = 1000;
	timer_update(cpu);
	ck_assert(cpu->mip & MIP_STIP);
	ck_assert_int_eq(call(TIME, 0, UINT64_MAX, 0, 0, 0, NULL), OK); /* clears it */
	ck_assert(!(cpu->mip & MIP_STIP));
	call(0, 0, 50, 0, 0, 0, NULL); /* legacy */
	ck_assert(cpu->mip & MIP_STIP);
}
END_TEST

static size_t console(char *buf, size_t n)
{
	return stream_drain(vm->console, buf, n);
}

START_TEST(debug_console)
{
	char buf[8192];
	uint64_t v;

	ck_assert_int_eq(gm_write(vm, RAM + PAGE_SIZE - 3, "hello!", 6), 0); /* across pages */
	ck_assert_int_eq(call(DBCN, 0, 6, RAM + PAGE_SIZE - 3, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 6);
	ck_assert_uint_eq(console(buf, sizeof(buf)), 6);
	ck_assert_mem_eq(buf, "hello!", 6);
	ck_assert_int_eq(call(DBCN, 2, 0x141, 0, 0, 0, NULL), OK);
	ck_assert_uint_eq(console(buf, sizeof(buf)), 1);
	ck_assert_int_eq(buf[0], 'A');

	/* Not the guest's memory, or the upper half of an address it cannot have. */
	ck_assert_int_eq(call(DBCN, 0, 6, 0x1000, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(DBCN, 0, 6, RAM + SIM_RAM_BYTES - 3, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(DBCN, 0, UINT64_MAX, RAM, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(DBCN, 0, 6, RAM, 1, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(DBCN, 1, 6, RAM, 1, 0, NULL), INVALID_PARAM);
	ck_assert_uint_eq(console(buf, sizeof(buf)), 0);

	/* The calls cost what they copy. */
	sim_machine.cost.page_copy = 4 * PAGE_SIZE;
	cpu->charge = 0;
	ck_assert_int_eq(call(DBCN, 0, 1000, RAM, 0, 0, NULL), OK);
	ck_assert_uint_eq(cpu->charge, 4 * 1000);
	ck_assert_uint_eq(console(buf, sizeof(buf)), 1000);

	/* A long text needs more calls, each telling how much it took; nothing at all is fine. */
	ck_assert_int_eq(call(DBCN, 0, 100000, RAM, 0, 0, &v), OK);
	ck_assert_uint_ge(v, 1);
	ck_assert_uint_eq(console(buf, sizeof(buf)), v);
	ck_assert_int_eq(call(DBCN, 0, 0, RAM, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 0);

	ck_assert_int_eq(call(DBCN, 1, 16, RAM + 0x2000, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 0);
	stream_input(vm->console, "abc", 3);
	ck_assert_int_eq(call(DBCN, 1, 2, RAM + 0x2000, 0, 0, &v), OK);
	ck_assert_uint_eq(v, 2);
	ck_assert_uint_eq(get64(vm, RAM + 0x2000), 'a' | 'b' << 8);
	ck_assert_int_eq(call(2, 0, 0, 0, 0, 0, NULL), 'c'); /* legacy */
	ck_assert_int_eq(call(2, 0, 0, 0, 0, 0, NULL), -1);
	ck_assert_int_eq(call(1, 0, 'x', 0, 0, 0, NULL), 0);
	ck_assert_uint_eq(console(buf, sizeof(buf)), 1);
}
END_TEST

START_TEST(power_off)
{
	ck_assert_int_eq(call(SRST, 0, 3, 0, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(call(SRST, 0, 0, 2, 0, 0, NULL), INVALID_PARAM);
	ck_assert_int_eq(vm->state, VM_RUNNING);
	call(SRST, 0, 0, 0, 0, 0, NULL);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(vm->exit_code, 0);
	ck_assert(!vm->reset_wanted);
}
END_TEST

START_TEST(reset_and_failure)
{
	if (_i == 0) {
		call(SRST, 0, 1, 0, 0, 0, NULL);
		ck_assert(vm->reset_wanted);
		ck_assert_int_eq(vm->state, VM_OFF);
	} else if (_i == 1) {
		call(SRST, 0, 0, 1, 0, 0, NULL);
		ck_assert_int_eq(vm->state, VM_FAILED);
	} else {
		call(8, 0, 0, 0, 0, 0, NULL);
		ck_assert_int_eq(vm->state, VM_OFF);
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		ck_assert_int_eq(vm->vcpu[i].state, VCPU_STOPPED);
}
END_TEST

/* Through the instruction: a0 and a1 change, pc goes on, and U-mode's ecall is the guest's own
 * affair. */
START_TEST(ecall)
{
	static const uint32_t code[] = {0x00000073, 0x0000006f};

	put_code(vm, RAM, code, 2);
	cpu->x[17] = BASE;
	cpu->x[16] = 0;
	cpu->pc = RAM;
	step(cpu, 1);
	ck_assert_uint_eq(cpu->pc, RAM + 4);
	ck_assert_uint_eq(cpu->x[11], 2 << 24);
	ck_assert_uint_eq(cpu->sbi_calls, 1);
	cpu->stvec = RAM + 0x800;
	set_privilege(cpu, PRIV_U);
	cpu->pc = RAM;
	step(cpu, 1);
	ck_assert_uint_eq(cpu->scause, CAUSE_ECALL_U);
	ck_assert_uint_eq(cpu->sepc, RAM);
	ck_assert_uint_eq(cpu->sbi_calls, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sbi");
	TCase *t = tcase_create("sbi");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, base);
	tcase_add_test(t, ipi);
	tcase_add_test(t, rfence);
	tcase_add_test(t, harts);
	tcase_add_test(t, timer);
	tcase_add_test(t, debug_console);
	tcase_add_test(t, power_off);
	tcase_add_loop_test(t, reset_and_failure, 0, 3);
	tcase_add_test(t, ecall);
	suite_add_tcase(s, t);
	return run_suite(s);
}
