// SPDX-License-Identifier: MIT
/*
 * Cloning VMs while they run: a clone goes on from where the original is, in either fidelity,
 * shares all its memory until one of them stores, and neither sees what the other does afterwards.
 * What random stores and moves may do to shared pages is in test-move.c, devices in test-devices.c.
 */
#include "monitor/vm/clone.h"
#include "tests/sim-vm.h"

enum { DATA = VM_RAM_BASE + 0x10000, OUT = VM_RAM_BASE + 0x20000 };

/*
 * Writes 0, 1, 2, ... to DATA while the word after it is 0; then, with that word n, writes count *
 * n to OUT and never ends. The count is the place to clone at: the test waits for it.
 */
static const uint32_t program[] = {
	0x00010537, /* lui   a0, 0x10 */
	0x00008597, /* auipc a1, 8: somewhere to add up in */
	0x00100293, /* li    t0, 1 */
	0x01f29293, /* slli  t0, t0, 31 */
	0x00550533, /* add   a0, a0, t0: DATA */
	0x00000313, /* li    t1, 0 */
	0x00653023, /* sd    t1, 0(a0) */
	0x00130313, /* addi  t1, t1, 1 */
	0x00853383, /* ld    t2, 8(a0) */
	0xfe038ae3, /* beqz  t2, .-12 */
	0x02730e33, /* mul   t3, t1, t2 */
	0x00010eb7, /* lui   t4, 0x10 */
	0x01d50533, /* add   a0, a0, t4: OUT */
	0x01c53023, /* sd    t3, 0(a0) */
	0x10500073, /* wfi */
	0xffdff06f, /* j     .-4 */
};

struct plan {
	unsigned clones;
	uint64_t at;    /* cycles: clone at the first boundary after it ... */
	bool numa;      /* ... having been in this fidelity from the start */
	uint64_t count; /* what the original had written then */
	uint32_t pages; /* how many pages each clone shared */
	uint64_t minstret, instructions;
	bool done;
};

/* From outside: each VM gets its number, the clones are made. */
static void at_boundary(struct cluster *c, void *arg, uint64_t idle_cycles)
{
	struct plan *p = arg;
	struct vm *to[64], *from = c->vm[0];

	if (idle_cycles == UINT64_MAX)
		c->stop = true;
	if (p->done || c->now < p->at)
		return;
	p->done = true;
	for (unsigned i = 0; i < p->clones; i++)
		to[i] = vm_create(c, "clone", from->n_vcpus, from->ram_bytes, from->bios, 2 + i);
	p->count = get64(from, DATA);
	p->minstret = csr_get(from->vcpu[0].sim, 0xb02);
	p->instructions = c->engine->vcpu_instructions(&from->vcpu[0]);
	p->pages = vm_clone(from, to, p->clones);
	for (unsigned i = 0; i < p->clones; i++) {
		ck_assert_uint_eq(pmap_own_pages(to[i]->pmap), 0);
		ck_assert_uint_eq(c->engine->vcpu_instructions(&to[i]->vcpu[0]), 0);
		ck_assert_uint_eq(csr_get(to[i]->vcpu[0].sim, 0xb02), p->minstret);
		ck_assert_uint_eq(to[i]->vcpu[0].sim->pc, from->vcpu[0].sim->pc);
	}
	for (unsigned i = 0; i < c->n_vms; i++)
		put64(c->vm[i], DATA + 8, 1000 + i);
}

static uint64_t digest(void)
{
	uint64_t d = 0;

	for (unsigned i = 0; i < sim.n_vms; i++) {
		d = d * 31 + pmap_digest(sim.vm[i]->pmap);
		d = d * 31 + sim.engine->vcpu_digest(&sim.vm[i]->vcpu[0]);
	}
	return d;
}

static uint64_t run(struct plan *p, unsigned threads)
{
	struct vm *vm;

	sim_create(4);
	sim_machine.cost.page_share = 100;
	sim_machine.l1i = sim_machine.l1d = (struct machine_cache){4096, 32, 2};
	sim_machine.l2 = (struct machine_cache){16384, 64, 2};
	sim_machine.tlb_entries = 16;
	sim_machine.tlb_pages = 1;
	sim.numa = p->numa;
	sim.threads = threads;
	sim.at_boundary = at_boundary;
	sim.at_boundary_arg = p;
	vm = sim_vm(1, true); /* M-mode: it may read its own minstret */
	put_code(vm, VM_RAM_BASE, program, ARRAY_SIZE(program));
	for (unsigned i = 0; i < 40; i++)
		put64(vm, VM_RAM_BASE + 0x100000 + i * PAGE_SIZE, i + 1);
	sim.stop_at = 100 * 1000 * 1000;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
	ck_assert(p->done);
	for (unsigned i = 0; i < sim.n_vms; i++) {
		pmap_release_deferred(sim.vm[i]->pmap);
		pmap_check(sim.vm[i]->pmap);
	}
	memory_check(sim.mem);
	return digest();
}

static void end(void)
{
	struct memsys *model = sim.memsys;

	sim_destroy();
	memsys_destroy(model); /* until then told whose each frame is */
}

static void check_results(const struct plan *p)
{
	struct memory_usage u;

	ck_assert_uint_gt(p->count, 100);
	ck_assert_uint_ge(p->pages, 42); /* code, data and the 40 */
	for (unsigned i = 0; i < sim.n_vms; i++) {
		uint64_t out = get64(sim.vm[i], OUT), count = get64(sim.vm[i], DATA);

		/* Each went on from the count at that place, by a few more at most. */
		ck_assert_uint_ge(count, p->count);
		ck_assert_uint_le(count, p->count + 1);
		ck_assert_uint_eq(out, (count + 1) * (1000 + i));
		ck_assert_uint_le(pmap_own_pages(sim.vm[i]->pmap), 3); /* data, out */
		for (unsigned k = 0; k < 40; k++)
			ck_assert_uint_eq(
				get64(sim.vm[i], VM_RAM_BASE + 0x100000 + k * PAGE_SIZE), k + 1);
		if (i)
			ck_assert_uint_lt(sim.engine->vcpu_instructions(&sim.vm[i]->vcpu[0]), 100);
	}
	memory_usage(sim.mem, -1, &u);
	ck_assert_uint_ge(u.kind[FRAME_CLONED], 41);
	ck_assert_uint_le(u.kind[FRAME_PRIVATE], 2 * sim.n_vms);
}

START_TEST(clones_go_on_from_the_marker_each_its_own_way)
{
	struct plan p = {.clones = _i % 2 ? 1 : 63, .at = 100000, .numa = _i / 2};

	run(&p, 1);
	check_results(&p);
	end();
}
END_TEST

START_TEST(host_threads_change_nothing)
{
	struct plan p = {.clones = 9, .at = 100000, .numa = _i}, q = p;
	uint64_t d = run(&p, 1);

	end();
	ck_assert_uint_eq(d, run(&q, 4));
	end();
	ck_assert_uint_eq(p.count, q.count);
}
END_TEST

/* The original pays for the pages it gave: it comes later by that. */
START_TEST(the_original_is_charged)
{
	struct plan p = {.clones = 4, .at = 100000};
	uint64_t cost;

	run(&p, 1);
	cost = 4 * (uint64_t)p.pages * sim_machine.cost.page_share;
	ck_assert_uint_gt(sim.vm[0]->vcpu[0].sim->skew, cost);
	ck_assert_uint_eq(get64(sim.vm[0], OUT) / 1000, get64(sim.vm[1], OUT) / 1001);
	end();
}
END_TEST

/* A store through a translation the original's CPU held before is the clone's no more. */
START_TEST(the_originals_translations_are_shot_down)
{
	static const uint32_t store[] = {0x00b53023}; /* sd a1, 0(a0) */
	struct vm *vm, *clone;

	sim_create(1);
	vm = sim_vm(1, true);
	put_code(vm, VM_RAM_BASE, store, 1);
	vm->vcpu[0].sim->x[10] = DATA;
	vm->vcpu[0].sim->x[11] = 1;
	pmap_refill(vm->pmap, 0);
	step(vm->vcpu[0].sim, 1);
	ck_assert_uint_eq(get64(vm, DATA), 1);
	clone = vm_create(&sim, "clone", 1, SIM_RAM_BYTES, true, 2);
	vm_clone(vm, &clone, 1);
	vm->vcpu[0].sim->pc = VM_RAM_BASE;
	vm->vcpu[0].sim->x[11] = 2;
	step(vm->vcpu[0].sim, 1);
	ck_assert_uint_eq(get64(vm, DATA), 2);
	ck_assert_uint_eq(get64(clone, DATA), 1);
	ck_assert_uint_eq(clone->vcpu[0].sim->reserved_va, UINT64_MAX);
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clone");
	TCase *tc = tcase_create("clone");

	tcase_add_loop_test(tc, clones_go_on_from_the_marker_each_its_own_way, 0, 4);
	tcase_add_loop_test(tc, host_threads_change_nothing, 0, 2);
	tcase_add_test(tc, the_original_is_charged);
	tcase_add_test(tc, the_originals_translations_are_shot_down);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
