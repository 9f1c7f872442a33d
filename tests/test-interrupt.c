// SPDX-License-Identifier: MIT
/*
 * An interrupt of the run is seen wherever a run may be busy for long: among the devices' work of a
 * boundary, and in the run phase. What is left then is not lost, and the run ends at this boundary.
 */
#include "monitor/vm/boundary.h"
#include "tests/sim-vm.h"

enum { VMS = 3, DEVICES = 2 };

static volatile sig_atomic_t interrupt;

/* A device whose work is to count itself. */
struct worker {
	struct device dev;
	bool interrupts; /* while it works */
	unsigned done;
};

static unsigned work_done;

static void work(struct device *d)
{
	struct worker *w = (struct worker *)d;

	w->done = ++work_done;
	if (w->interrupts)
		interrupt = 1;
}

static void destroy(struct device *d)
{
	(void)d;
}

static const struct device_ops worker_ops = {.type = "worker", .io = work, .destroy = destroy};
static struct worker worker[VMS][DEVICES];
static const uint32_t spin[] = {0x00150513, 0xffdff06f}; /* addi a0,a0,1; j .-4 */

static void setup(void)
{
	interrupt = 0;
	work_done = 0;
	memset(worker, 0, sizeof(worker));
	sim_create(2);
	sim.interrupt = &interrupt;
	for (unsigned v = 0; v < VMS; v++) {
		struct vm *vm = sim_vm(1, false);

		put_code(vm, VM_RAM_BASE, spin, 2);
		for (unsigned i = 0; i < DEVICES; i++) {
			worker[v][i].dev =
				(struct device){.ops = &worker_ops, .base = 4096 * i, .size = 4096};
			device_attach(vm, &worker[v][i].dev);
			device_defer(&worker[v][i].dev);
		}
	}
}

static void teardown(void)
{
	sim_destroy();
}

START_TEST(deferred_work_stops_and_is_kept)
{
	worker[1][0].interrupts = true;
	boundary_release_deferred(&sim);
	ck_assert_uint_eq(work_done, DEVICES + 1);
	ck_assert(sim.stop);
	ck_assert(!sim.vm[0]->deferred && sim.vm[1]->deferred && sim.vm[2]->deferred);
	ck_assert(!worker[1][0].dev.deferred && worker[1][1].dev.deferred);
	/* Nothing is lost, and the order is the one it would have been. */
	interrupt = 0;
	boundary_release_deferred(&sim);
	for (unsigned v = 0; v < VMS; v++)
		for (unsigned i = 0; i < DEVICES; i++)
			ck_assert_uint_eq(worker[v][i].done, v * DEVICES + i + 1);
}
END_TEST

START_TEST(the_run_ends_at_this_boundary)
{
	worker[1][0].interrupts = true;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
	ck_assert_uint_eq(work_done, DEVICES + 1);
	ck_assert_uint_eq(sim.now, 0);
	ck_assert_uint_eq(sim.vm[0]->vcpu[0].ran_cycles, 0);
	cluster_check(&sim);
}
END_TEST

/* As a signal that comes when the run phase begins. */
static void interrupt_now(struct cluster *c, void *arg, uint64_t idle_cycles)
{
	(void)c, (void)arg, (void)idle_cycles;
	interrupt = 1;
}

START_TEST(vcpus_stop_in_the_run_phase)
{
	sim.at_boundary = interrupt_now;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
	for (unsigned v = 0; v < VMS; v++)
		ck_assert_uint_eq(sim.vm[v]->vcpu[0].ran_cycles, 0);
	ck_assert_uint_eq(sim.now, sim_machine.quantum_cycles);
	cluster_check(&sim);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("interrupt");
	TCase *t = tcase_create("interrupt");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, deferred_work_stops_and_is_kept);
	tcase_add_test(t, the_run_ends_at_this_boundary);
	tcase_add_test(t, vcpus_stop_in_the_run_phase);
	suite_add_tcase(s, t);
	return run_suite(s);
}
