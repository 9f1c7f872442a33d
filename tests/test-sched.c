// SPDX-License-Identifier: MIT
/*
 * The scheduler, through whole runs of tiny programs: more vCPUs than CPUs share them fairly, an
 * idle one gives its CPU up, waiting ones are taken over by CPUs that have nothing to do, vCPUs
 * otherwise stay where they are, and nothing depends on host threads.
 */
#include "tests/sim-vm.h"

static const uint32_t spin[] = {0x00150513, 0xffdff06f};              /* addi a0,a0,1; j .-4 */
static const uint32_t sleep_without_end[] = {0x10500073, 0xffdff06f}; /* wfi; j .-4 */
static const uint32_t exit_soon[] = {0x00800893, 0x00000073}; /* li a7,8 (shutdown); ecall */

/* Sleeps 50,000 cycles, computes for 40,000, and so on. */
/* clang-format off: an instruction a line */
static const uint32_t now_and_then[] = {
	0x02000293,             /* li t0,32 */
	0x10429073,             /* csrw sie,t0 */
	0xc0102573,             /* 1: rdtime a0 */
	0x00001337,             /* li t1,5000 */
	0x3883031b, 0x00650533, /* add a0,a0,t1 */
	0x544958b7,             /* li a7,TIME */
	0xd458889b, 0x00000813, /* li a6,0 */
	0x00000073,             /* ecall */
	0x10500073,             /* wfi */
	0x00005337,             /* li t1,20000 */
	0xe203031b, 0xfff30313, /* 2: addi t1,t1,-1 */
	0xfe031ee3,             /* bnez t1,2b */
	0xfcdff06f,             /* j 1b */
};
/* clang-format on */

/* n VMs of one vCPU, all running `code`. */
static void vms(unsigned n, const uint32_t code[2])
{
	for (unsigned i = 0; i < n; i++) {
		struct vm *vm = sim_vm(1, false);

		put_code(vm, VM_RAM_BASE, code, 2);
	}
}

static void run_for(uint64_t cycles)
{
	sim.stop_at = sim.now + cycles;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
}

static uint64_t ran(unsigned v)
{
	return sim.vm[v]->vcpu[0].ran_cycles;
}

START_TEST(two_for_each_cpu)
{
	uint64_t least = UINT64_MAX, most = 0, work_least = UINT64_MAX, work_most = 0, sum = 0;

	sim_create(8);
	vms(16, spin);
	run_for(10 * 1000 * 1000); /* 100 time slices */
	for (unsigned v = 0; v < 16; v++) {
		least = MIN(least, ran(v));
		most = MAX(most, ran(v));
		work_least = MIN(work_least, sim.vm[v]->vcpu[0].sim->x[10]);
		work_most = MAX(work_most, sim.vm[v]->vcpu[0].sim->x[10]);
		sum += ran(v);
	}
	ck_assert_uint_le(
		most - least, 2 * (sim_machine.timeslice_cycles + sim_machine.quantum_cycles));
	ck_assert_uint_le(
		work_most - work_least, sim_machine.timeslice_cycles + sim_machine.quantum_cycles);
	ck_assert_uint_le(sum, 80u * 1000 * 1000 + 16 * sim_machine.quantum_cycles);
	ck_assert_uint_ge(sum, 79u * 1000 * 1000); /* no CPU stood still */
	sim_destroy();
}
END_TEST

/* Three on two CPUs: fair only if they move. */
START_TEST(three_on_two_cpus)
{
	sim_create(2);
	vms(3, spin);
	run_for(30 * 1000 * 1000);
	for (unsigned v = 0; v < 3; v++)
		ck_assert_msg(ran(v) >= 14u * 1000 * 1000, "VM %u got %llu of 20 M cycles", v,
			(unsigned long long)ran(v));
	sim_destroy();
}
END_TEST

START_TEST(idle_gives_up_the_cpu)
{
	sim_create(1);
	vms(3, sleep_without_end);
	vms(1, spin);
	run_for(5 * 1000 * 1000);
	ck_assert_uint_ge(ran(3), 49u * 100 * 1000); /* 98 % */
	for (unsigned v = 0; v < 3; v++) {
		ck_assert_int_eq(sim.vm[v]->vcpu[0].state, VCPU_IDLE);
		ck_assert_uint_lt(ran(v), 1000);
	}
	sim_destroy();
}
END_TEST

/* CPUs left alone by VMs that ended take over those that wait elsewhere. */
START_TEST(stealing)
{
	sim_create(4);
	vms(3, exit_soon);
	vms(1, spin);
	for (unsigned v = 0; v < 3; v++) {
		vms(1, spin);
		/* four on the last CPU */
		sim.vm[4 + v]->vcpu[0].cpu = 3;
		sim.vm[4 + v]->vcpu[0].home = 3;
		sim.vm[4 + v]->vcpu[0].sim->node = 3;
	}
	run_for(4 * 1000 * 1000);
	for (unsigned v = 0; v < 3; v++)
		ck_assert_int_eq(sim.vm[v]->state, VM_OFF);
	for (unsigned v = 3; v < 7; v++)
		ck_assert_uint_ge(ran(v), 35u * 100 * 1000);
	ck_assert_uint_eq(sim.vm[3]->vcpu[0].migrations + sim.vm[4]->vcpu[0].migrations +
				  sim.vm[5]->vcpu[0].migrations + sim.vm[6]->vcpu[0].migrations,
		3);
	sim_destroy();
}
END_TEST

START_TEST(affinity)
{
	sim_create(4);
	vms(4, spin);
	run_for(3 * 1000 * 1000);
	for (unsigned v = 0; v < 4; v++) {
		ck_assert_uint_eq(sim.vm[v]->vcpu[0].migrations, 0);
		ck_assert_uint_eq(sim.vm[v]->vcpu[0].cpu, v);
		ck_assert_uint_ge(ran(v), 29u * 100 * 1000);
	}
	sim_destroy();
}
END_TEST

/* Who takes over an idle CPU makes room as soon as that CPU's own wakes, not after its time slice. */
START_TEST(room_for_its_own)
{
	struct vm *own;

	sim_create(2);
	vms(1, spin);
	own = sim_vm(1, false);
	put_code(own, VM_RAM_BASE, now_and_then, ARRAY_SIZE(now_and_then));
	vms(1, spin);
	ck_assert_uint_eq(own->vcpu[0].home, 1);
	ck_assert_uint_eq(sim.vm[2]->vcpu[0].home, 0);
	run_for(4 * 1000 * 1000);
	/* Of 90,000 cycles 40,000, or somewhat less: it waits for the ends of quanta. */
	ck_assert_uint_ge(ran(1), 4u * 380 * 1000);
	ck_assert_uint_eq(own->vcpu[0].migrations, 0);
	/* The others had what it left, after a while each time. */
	ck_assert_uint_ge(ran(0) + ran(1) + ran(2), 69u * 100 * 1000);
	ck_assert_uint_ge(sim.vm[0]->vcpu[0].migrations + sim.vm[2]->vcpu[0].migrations, 10);
	sim_destroy();
}
END_TEST

/* All asleep without a timer and without input: the run ends instead of waiting. */
START_TEST(nothing_left_to_do)
{
	sim_create(2);
	vms(2, sleep_without_end);
	ck_assert_int_eq(sim.engine->run(&sim), 0); /* stop_at: never */
	ck_assert(sim.stop);
	ck_assert_uint_lt(sim.now, 1000 * 1000);
	sim_destroy();
}
END_TEST

/* A VM whose harts have all stopped is reported. */
START_TEST(every_hart_stopped)
{
	static const uint32_t stop[] = {
		0x00000073, 0x0000006f}; /* ecall with a7, a6 set below; j . */
	struct sim_vcpu *cpu;

	sim_create(1);
	vms(1, stop);
	cpu = sim.vm[0]->vcpu[0].sim;
	cpu->x[17] = 0x48534d;
	cpu->x[16] = 1;
	run_for(1000 * 1000);
	ck_assert_int_eq(sim.vm[0]->state, VM_FAILED);
	ck_assert_ptr_nonnull(strstr(sim.vm[0]->reason, "hart"));
	sim_destroy();
}
END_TEST

START_TEST(threads_do_not_matter)
{
	uint64_t digest[2][6], cycles[2][6];

	for (unsigned t = 0; t < 2; t++) {
		sim_create(4);
		sim.threads = 1 + t;
		vms(6, spin);
		run_for(2 * 1000 * 1000 + 7);
		for (unsigned v = 0; v < 6; v++) {
			digest[t][v] = sim.engine->vcpu_digest(&sim.vm[v]->vcpu[0]);
			cycles[t][v] = ran(v);
		}
		sim_destroy();
	}
	ck_assert_mem_eq(digest[0], digest[1], sizeof(digest[0]));
	ck_assert_mem_eq(cycles[0], cycles[1], sizeof(cycles[0]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sched");
	TCase *t = tcase_create("sched");

	tcase_add_test(t, two_for_each_cpu);
	tcase_add_test(t, three_on_two_cpus);
	tcase_add_test(t, idle_gives_up_the_cpu);
	tcase_add_test(t, stealing);
	tcase_add_test(t, affinity);
	tcase_add_test(t, room_for_its_own);
	tcase_add_test(t, nothing_left_to_do);
	tcase_add_test(t, every_hart_stopped);
	tcase_add_test(t, threads_do_not_matter);
	suite_add_tcase(s, t);
	return run_suite(s);
}
