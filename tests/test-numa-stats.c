// SPDX-License-Identifier: MIT
/*
 * Statistics of numa fidelity: what CPUs count is divided
 * among the vCPUs that had them without loss, regions of interest see their own part only, and the
 * JSON says the same as the structs.
 */
#include <jansson.h>

#include "monitor/vm/moves.h"
#include "monitor/report/stats.h"
#include "numa/memory/move.h"
#include "tests/sim-vm.h"

static const uint32_t spin[] = {0x00150513, 0xffdff06f}; /* addi a0,a0,1; j .-4 */

/* A load and a store in each line of the 1 MB at a0, again and again. */
static const uint32_t sweep[] = {
	0x00100337, /* lui t1,0x100: 1 MB */
	0x00000e13, /* li t3,0 */
	0x01c50eb3, /* add t4,a0,t3 */
	0x000ebf03, /* ld t5,0(t4) */
	0x01eeb423, /* sd t5,8(t4) */
	0x040e0e13, /* addi t3,t3,64 */
	0xfe6e48e3, /* blt t3,t1,.-16 */
	0xfe9ff06f, /* j .-24 */
};

#define MARK(n) (0x00002013u | (uint32_t)(n) << 20) /* slti x0,x0,n */

static void caches(void)
{
	sim_machine.l1i = sim_machine.l1d = (struct machine_cache){1024, 64, 2};
	sim_machine.l2 = (struct machine_cache){16 << 10, 64, 2};
	sim_machine.tlb_entries = 16;
	sim_machine.tlb_pages = 1;
	sim_machine.l2_hit_ns = 50;
	sim.numa = true;
	sim.policy = "first-touch";
}

static struct vm *sweeper(void)
{
	struct vm *vm = sim_vm(1, false);

	put_code(vm, VM_RAM_BASE, sweep, ARRAY_SIZE(sweep));
	vm->vcpu[0].sim->x[10] = VM_RAM_BASE + (1 << 20);
	return vm;
}

static void run_for(uint64_t cycles)
{
	sim.stop_at = sim.now + cycles;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
}

static void finish(void)
{
	sim.mem->boundary = true;
	for (unsigned i = sim.n_vms; i-- > 0;)
		vm_destroy(sim.vm[i]);
	free(sim.vm);
	memory_destroy(sim.mem);
	if (sim.memsys)
		memsys_destroy(sim.memsys);
}

/* --- attribution --- */

static void expect_no_loss(void)
{
	struct tally vms = {0}, all = numa_total(&sim), nodes = {0}, both = {0};

	for (unsigned v = 0; v < sim.n_vms; v++) {
		struct tally t = numa_vm(sim.vm[v]);

		tally_add(&vms, &t);
		for (unsigned i = 0; i < sim.machine->n_nodes; i++)
			tally_add(&both, &sim.vm[v]->on_node[i]);
	}
	for (unsigned i = 0; i < sim.machine->n_nodes; i++) {
		struct tally t = numa_node(&sim, i);

		tally_add(&nodes, &t);
	}
	ck_assert_mem_eq(&vms, &all, sizeof(all));
	ck_assert_mem_eq(&nodes, &all, sizeof(all));
	ck_assert_mem_eq(&both, &all, sizeof(all));
	ck_assert_uint_gt(all.n.local + all.n.remote, 1000);
}

/* Five sweep and one spins, on two CPUs: each CPU is handed round, and vCPUs move. */
START_TEST(shared_cpus_lose_no_count)
{
	struct vm *quiet;

	sim_create(2);
	caches();
	for (int i = 0; i < 5; i++)
		sweeper();
	quiet = sim_vm(1, false);
	put_code(quiet, VM_RAM_BASE, spin, ARRAY_SIZE(spin));
	run_for(4 * 1000 * 1000);
	run_for(1000 * 1000); /* a second run goes on where the first ended */
	expect_no_loss();
	for (unsigned v = 0; v < 5; v++)
		ck_assert_uint_gt(sim.vm[v]->vcpu[0].counts.writes, 1000);
	/* What the others did on its CPU is not its own. */
	ck_assert_uint_eq(quiet->vcpu[0].counts.writes, 0);
	ck_assert_uint_lt(quiet->vcpu[0].counts.local + quiet->vcpu[0].counts.remote,
		sim.vm[0]->vcpu[0].counts.local / 10);
	ck_assert_uint_gt(quiet->vcpu[0].counts.fetches, 1000);
	finish();
}
END_TEST

START_TEST(what_a_vm_missed_is_divided_by_node)
{
	sim_create(2);
	caches();
	sweeper();
	sweeper();
	run_for(2 * 1000 * 1000);
	expect_no_loss();
	for (unsigned v = 0; v < 2; v++) {
		unsigned node = sim.machine->cpu_node[sim.vm[v]->vcpu[0].cpu];
		struct tally t = numa_node(&sim, node);

		ck_assert_uint_eq(node, v);
		ck_assert_mem_eq(&sim.vm[v]->on_node[node], &t, sizeof(t));
	}
	finish();
}
END_TEST

/* The monitor's stores to a page it copies are not the guest's: the policy would leave the page. */
START_TEST(a_copy_does_not_make_a_page_written)
{
	struct vm *vm;
	uint32_t from, to;

	sim_create(2);
	caches();
	vm = sweeper();
	run_for(100 * 1000);
	from = pmap_entry(vm->pmap, 0)->mpn;
	to = frame_alloc(sim.mem, 1, FRAME_MONITOR, false);
	sim.handler = 1 + 1;
	ck_assert_uint_gt(numa_placement_ops.copy(&sim, 1, from, to), PAGE_SIZE / 8 * 2);
	ck_assert_uint_eq(memsys_frame_writes(sim.memsys, to), 0);
	ck_assert_uint_eq(memsys_frame_misses(sim.memsys, to, 1), 0);
	finish();
}
END_TEST

START_TEST(functional_time_is_not_numa_time)
{
	struct vm *vm;

	sim_create(1);
	caches();
	vm = sweeper();
	sim.numa = false;
	run_for(1000 * 1000);
	ck_assert_uint_eq(vm->vcpu[0].model_cycles, 0);
	ck_assert_uint_ge(vm->vcpu[0].ran_cycles, 1000 * 1000);
	sim.numa = true;
	run_for(1000 * 1000);
	ck_assert_uint_ge(vm->vcpu[0].model_cycles, 1000 * 1000);
	ck_assert_uint_le(vm->vcpu[0].model_cycles, vm->vcpu[0].ran_cycles - 1000 * 1000);
	/* In order, one instruction a cycle plus stalls. */
	ck_assert_uint_lt(counts_stall(&vm->vcpu[0].counts), vm->vcpu[0].model_cycles);
	expect_no_loss();
	finish();
}
END_TEST

/* A switch asked for from outside, in the middle of a boundary, takes effect in the next quantum.
 */
static void switch_on(struct cluster *c, void *arg, uint64_t idle)
{
	(void)arg, (void)idle;
	if (c->now >= 500 * 1000)
		c->numa = true;
}

START_TEST(fidelity_can_be_switched_from_outside)
{
	struct vm *vm;

	sim_create(1);
	caches();
	vm = sweeper();
	sim.numa = false;
	sim.at_boundary = switch_on;
	run_for(1000 * 1000);
	ck_assert_uint_ge(vm->vcpu[0].model_cycles, 490 * 1000);
	ck_assert_uint_le(vm->vcpu[0].model_cycles, 510 * 1000);
	expect_no_loss();
	finish();
}
END_TEST

/* --- regions --- */

/* Moves made before and between regions are not the region's. */
START_TEST(regions_count_their_own_moves)
{
	static const struct placement_ops none;
	struct policy policy;
	struct vm *vm;
	uint32_t mpn;

	sim_create(2);
	ck_assert_int_eq(policy_parse("disco,spare=0", 2, &policy), 0);
	sim.placement = placement_create(sim.mem, &sim_machine, &policy, &none, NULL);
	vm = sim_vm(1, false);
	put64(vm, VM_RAM_BASE, 1);
	mpn = pmap_entry(vm->pmap, 0)->mpn;
	for (unsigned i = 0; i < 6; i++) {
		if (i == 1 || i == 4)
			vm->regions = 1;
		numa_follow(&sim);
		ck_assert_int_eq(page_migrate(sim.mem, mpn, !frame_node(sim.mem, mpn), &mpn), 0);
		sim.now += 1000;
		if (i == 2 || i == 4)
			vm->regions = 0;
		numa_follow(&sim);
	}
	ck_assert_uint_eq(moves_total(&sim).migrations, 6);
	ck_assert_uint_eq(sim.region.moves.migrations, 3);
	ck_assert_uint_eq(sim.region.cycles, 3000);
	ck_assert_uint_eq(sim.n_regions, 2);
	ck_assert_uint_eq(sim.region_list[0].moves.migrations, 2);
	ck_assert_uint_eq(sim.region_list[1].cycles, 1000);
	placement_destroy(sim.placement);
	sim.placement = NULL;
	sim_destroy();
}
END_TEST

/* What one VM does in another's region is the region's, too; what they did before it is in no
 * region.
 */
START_TEST(regions_know_where_time_went)
{
	static const uint32_t begin[] = {MARK(MARK_BEGIN)};
	const struct account *a = &sim.region.account;
	uint64_t before;
	struct vm *vm;

	sim_create(2);
	caches();
	sweeper();
	run_for(500 * 1000);
	before = sim.vm[0]->vcpu[0].ran_cycles;
	vm = sim_vm(1, false);
	put_code(vm, VM_RAM_BASE, begin, 1);
	put_code(vm, VM_RAM_BASE + 4, spin, ARRAY_SIZE(spin));
	run_for(1000 * 1000);
	ck_assert_uint_eq(a->user + a->machine + a->pause + a->user_pause, 0);
	ck_assert_uint_eq(account_total(a),
		account_total(&sim.vm[0]->region) + account_total(&sim.vm[1]->region));
	/* Each may have been ahead of the machine by what it had been charged. */
	ck_assert_uint_ge(account_total(&sim.vm[0]->region) + 3 * 10000, sim.region.cycles);
	ck_assert_uint_le(
		account_total(&sim.vm[0]->region), sim.vm[0]->vcpu[0].ran_cycles - before);
	/* The one waits for memory, the other does not. */
	ck_assert_uint_gt(sim.vm[0]->region.supervisor, 4 * sim.vm[0]->region.instructions[PRIV_S]);
	ck_assert_uint_lt(
		sim.vm[1]->region.supervisor, sim.vm[1]->region.instructions[PRIV_S] + 10 * 1000);
	/* The caches' stalls are the guest's; the monitor's own are for pages it fills. */
	ck_assert_uint_le(a->supervisor - a->instructions[PRIV_S], counts_stall(&sim.region.t.n));
	ck_assert_uint_ge(a->supervisor - a->instructions[PRIV_S] + a->monitor,
		counts_stall(&sim.region.t.n));
	finish();
}
END_TEST

START_TEST(magic_instructions_of_a_vm_that_ignores_them_do_nothing)
{
	static const uint32_t marks[] = {
		MARK(MARK_FUNCTIONAL), MARK(MARK_BEGIN), MARK(MARK_LABEL), 0x0000006f /* j . */};
	struct vm *vm;

	sim_create(1);
	caches();
	vm = sim_vm(1, false);
	vm->ignores_magic = true;
	put_code(vm, VM_RAM_BASE, marks, ARRAY_SIZE(marks));
	run_for(100 * 1000);
	ck_assert_uint_eq(vm->marks_refused, 3);
	ck_assert_uint_eq(vm->n_marks, 0);
	ck_assert_uint_eq(sim.n_regions, 0);
	ck_assert(sim.numa);
	ck_assert_uint_ge(vm->vcpu[0].model_cycles, 100 * 1000);
	finish();
}
END_TEST

START_TEST(an_open_region_ends_with_the_run)
{
	static const uint32_t begin[] = {MARK(MARK_BEGIN)};
	uint64_t region = 0;
	struct vm *vm;

	sim_create(1);
	caches();
	vm = sim_vm(1, false);
	put_code(vm, VM_RAM_BASE, begin, 1);
	put_code(vm, VM_RAM_BASE + 4, sweep, ARRAY_SIZE(sweep));
	vm->vcpu[0].sim->x[10] = VM_RAM_BASE + (1 << 20);
	run_for(1000 * 1000);
	ck_assert_uint_eq(vm->n_marks, 1);
	ck_assert_uint_ge(sim.region.cycles, 980 * 1000);
	ck_assert_uint_lt(sim.region.cycles, 1000 * 1000);
	region = sim.region.t.n.local;
	ck_assert_uint_gt(region, 100);
	ck_assert_uint_le(region, vm->vcpu[0].counts.local);
	ck_assert_uint_ge(sim.region.t.cpu_cycles, sim.region.cycles);
	ck_assert_uint_le(sim.region.t.cpu_cycles, vm->vcpu[0].model_cycles);
	finish();
}
END_TEST

/* --- JSON --- */

START_TEST(tally_json_says_what_the_struct_says)
{
	struct tally t = {.cpu_cycles = 1000,
		.n = {.local = 30, .local_dirty = 5, .remote = 60, .remote_dirty = 5, .walks = 7}};
	json_t *o;

	t.n.stall[STALL_REMOTE] = 200;
	t.n.stall[STALL_QUEUE] = 50;
	o = tally_json(&t);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "misses")), 100);
	ck_assert_double_eq(json_real_value(json_object_get(o, "local_share")), 0.35);
	ck_assert_double_eq(json_real_value(json_object_get(o, "stall_share")), 0.25);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "walks")), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "remote_dirty")), 5);
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_object_get(o, "stall"), "queue")), 50);
	json_decref(o);
	t = (struct tally){0};
	o = tally_json(&t);
	ck_assert(json_is_null(json_object_get(o, "local_share"))); /* and not 0/0 */
	json_decref(o);
}
END_TEST

START_TEST(page_map_is_runs_of_nodes)
{
	struct vm *vm;
	char *map;

	sim_create(2);
	vm = sim_vm(1, false);
	for (unsigned i = 0; i < 3; i++)
		put64(vm, VM_RAM_BASE + (4 + i) * PAGE_SIZE, 1); /* the node of vCPU 0 */
	map = numa_page_map(vm);
	ck_assert_str_eq(map, "-*4 0*3 -*2041");
	free(map);
	sim_destroy();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("numa-stats");
	TCase *t = tcase_create("numa-stats");

	tcase_add_test(t, shared_cpus_lose_no_count);
	tcase_add_test(t, what_a_vm_missed_is_divided_by_node);
	tcase_add_test(t, a_copy_does_not_make_a_page_written);
	tcase_add_test(t, functional_time_is_not_numa_time);
	tcase_add_test(t, fidelity_can_be_switched_from_outside);
	tcase_add_test(t, regions_count_their_own_moves);
	tcase_add_test(t, regions_know_where_time_went);
	tcase_add_test(t, magic_instructions_of_a_vm_that_ignores_them_do_nothing);
	tcase_add_test(t, an_open_region_ends_with_the_run);
	tcase_add_test(t, tally_json_says_what_the_struct_says);
	tcase_add_test(t, page_map_is_runs_of_nodes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
