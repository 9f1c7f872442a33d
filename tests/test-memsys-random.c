// SPDX-License-Identifier: MIT
/*
 * The fast memory-system model against the slow one (tests/memsys-reference.h): random accesses,
 * bulk operations, TLB use, changes of owner and moves, on machines small enough that everything
 * collides. Every stall, and at every boundary every counter, every line of every cache and of the
 * directory must be the same. And the same on threads: tasks run by two threads at a time, in
 * another order, leave the model exactly as when one thread runs them one after the other.
 */
#include <pthread.h>
#include <string.h>

#include "tests/memsys-reference.h"
#include "tests/small-machine.h"

enum { CONTEXTS = 3, PAGES_OF_A_CONTEXT = 48 };

struct shape {
	const char *name;
	unsigned nodes, cpus_of_node, frames_of_node, tasks;
	struct machine_cache l1i, l1d, l2;
	uint32_t tlb_entries, tlb_ways, tlb_pages;
	struct memsys_options o;
};

static const struct shape shapes[] = {
	{"direct-mapped, two lines a cache", 2, 1, 4, 2, {16, 8, 1}, {16, 8, 1}, {32, 16, 1}, 4, 0,
		1, {.hot_trigger = 3}},
	{"one CPU", 1, 1, 8, 1, {256, 32, 2}, {128, 32, 2}, {1024, 64, 2}, 8, 2, 2,
		{.hot_trigger = 20}},
	{"one task of four CPUs", 2, 2, 8, 1, {256, 64, 2}, {256, 64, 2}, {1024, 128, 2}, 8, 0, 1,
		{.hot_trigger = 50, .contention = true}},
	{"a task for each CPU", 4, 1, 6, 4, {256, 64, 1}, {512, 64, 4}, {2048, 64, 8}, 16, 4, 1,
		{.hot_trigger = 10, .sample = 3}},
	{"sixteen CPUs, three tasks", 4, 4, 8, 3, {256, 32, 4}, {256, 32, 2}, {1024, 128, 4}, 8, 0,
		2, {.hot_trigger = 30, .contention = true}},
	{"seventy CPUs", 7, 10, 2, 5, {256, 64, 2}, {256, 64, 2}, {512, 64, 2}, 4, 1, 1,
		{.hot_trigger = 8}},
	{"all 128 CPUs", 64, 2, 1, 4, {256, 64, 2}, {256, 64, 2}, {512, 64, 2}, 4, 1, 2,
		{.hot_trigger = 8, .contention = true}},
};

static struct machine *build(const struct shape *s, uint64_t *seed)
{
	struct machine *m = xcalloc(1, sizeof(*m));

	m->n_nodes = s->nodes;
	for (unsigned node = 0; node < s->nodes; node++) {
		m->node[node] = (struct machine_node){m->n_cpus, s->cpus_of_node,
			(uint64_t)(s->frames_of_node + node % 2) << PAGE_SHIFT};
		for (unsigned i = 0; i < s->cpus_of_node; i++)
			m->cpu_node[m->n_cpus++] = (uint8_t)node;
		/* Any numbers, a remote one below the local one among them. */
		for (unsigned to = 0; to < s->nodes; to++)
			m->latency_ns[node][to] = 50 + (unsigned)(splitmix64(seed) % 1000);
	}
	if (s->nodes > 2)
		m->node[1].mem_bytes = 0;
	m->clock_hz = 700000000 + splitmix64(seed) % 1000000000;
	m->l1i = s->l1i;
	m->l1d = s->l1d;
	m->l2 = s->l2;
	m->tlb_entries = s->tlb_entries;
	m->tlb_ways = s->tlb_ways;
	m->tlb_pages = s->tlb_pages;
	m->l2_hit_ns = 13;
	m->dirty_extra_ns = 77;
	m->controller_ns = 31;
	m->link_ns = 9;
	m->cost.tlb_refill = 5;
	return m;
}

/* A model, or both side by side, and what the test knows of frames and CPUs. */
struct world {
	const struct shape *s;
	struct machine *m;
	struct memsys *ms;
	struct ref *ref; /* or NULL */
	uint32_t n_frames;
	uint16_t *owner;
	uint16_t task[MACHINE_MAX_CPUS];
	uint64_t seed;
	unsigned quantum;
};

static void world_init(struct world *w, const struct shape *s, uint64_t seed, bool with_ref)
{
	*w = (struct world){.s = s, .seed = seed};
	w->m = build(s, &w->seed);
	w->ms = memsys_create(w->m, &s->o);
	w->ref = with_ref ? ref_create(w->m, &s->o) : NULL;
	for (unsigned node = 0; node < w->m->n_nodes; node++)
		w->n_frames += (uint32_t)(w->m->node[node].mem_bytes >> PAGE_SHIFT);
	w->owner = xcalloc(w->n_frames, sizeof(w->owner[0]));
	memset(w->owner, 0xff, w->n_frames * sizeof(w->owner[0]));
}

static void world_free(struct world *w)
{
	memsys_destroy(w->ms);
	if (w->ref)
		ref_destroy(w->ref);
	free(w->owner);
	free(w->m);
}

static uint64_t below(uint64_t *seed, uint64_t n)
{
	return splitmix64(seed) % n;
}

/* A frame that `task` may access in this quantum (at the boundary: any), or MPN_NONE. */
static uint32_t pick_frame(struct world *w, uint64_t *seed, bool boundary, uint16_t task)
{
	uint32_t mpn;

	for (unsigned tries = 0; tries < 100; tries++) {
		mpn = (uint32_t)below(seed, w->n_frames);
		if (boundary || w->owner[mpn] == MEMSYS_NO_TASK || w->owner[mpn] == task)
			return mpn;
	}
	return MPN_NONE;
}

#define SAME(w, expected, actual)                                                                  \
	do {                                                                                       \
		uint64_t fast_ = (actual);                                                         \
		if ((w)->ref)                                                                      \
			ref_same(fast_, (expected), #actual);                                      \
	} while (0)

static void tlb_step(struct world *w, unsigned cpu, uint64_t *seed)
{
	struct memsys_cpu *c = memsys_cpu(w->ms, cpu);
	uint64_t context = below(seed, CONTEXTS), vpn = below(seed, PAGES_OF_A_CONTEXT);
	struct memsys_tlb_victim fast, slow;
	unsigned order, what = (unsigned)below(seed, 300);

	if (what == 0) {
		memsys_tlb_flush(c);
		if (w->ref)
			ref_tlb_flush(w->ref, cpu);
	} else if (what == 1) {
		memsys_tlb_flush_context(c, context);
		if (w->ref)
			ref_tlb_flush_context(w->ref, cpu, context);
	} else if (what < 10) {
		memsys_tlb_flush_page(c, context, vpn);
		if (w->ref)
			ref_tlb_flush_page(w->ref, cpu, context, vpn);
	} else {
		order = what < 30 ? 3 : 0;
		SAME(w, ref_tlb_access(w->ref, cpu, context, vpn, order, &slow),
			memsys_tlb_access(c, context, vpn, order, &fast));
		if (!w->ref)
			return;
		ref_same(fast.pages, slow.pages, "victim's pages");
		if (fast.pages) {
			ref_same(fast.vpn, slow.vpn, "victim's vpn");
			ref_same(fast.context, slow.context, "victim's context");
		}
	}
}

/* Instructions from ma to last, as an executor fetches them: as a whole if that is a hit, else by
 * line. */
static void fetch_step(struct world *w, unsigned cpu, uint64_t ma, uint64_t last)
{
	struct memsys_cpu *c = memsys_cpu(w->ms, cpu);
	uint64_t mask = ~((uint64_t)w->m->l1i.line_bytes - 1);
	bool hit = memsys_fetch_hit(c, ma, last);

	for (; ma <= last; ma = (ma & mask) + w->m->l1i.line_bytes)
		SAME(w, ref_fetch(w->ref, cpu, ma), hit ? 0u : memsys_fetch(c, ma));
}

static void step(struct world *w, unsigned cpu, uint64_t *seed, bool boundary)
{
	struct memsys_cpu *c = memsys_cpu(w->ms, cpu);
	uint32_t mpn = pick_frame(w, seed, boundary, w->task[cpu]);
	uint32_t other = pick_frame(w, seed, boundary, w->task[cpu]);
	unsigned what = (unsigned)below(seed, 1000), node = (unsigned)below(seed, w->m->n_nodes);
	uint64_t ma, bytes;

	if (mpn == MPN_NONE || other == MPN_NONE)
		return;
	/* Half of all accesses go to the first lines of a frame, so that CPUs meet. */
	ma = (uint64_t)mpn << PAGE_SHIFT | below(seed, below(seed, 2) ? PAGE_SIZE : 256);
	bytes = 1 + below(seed, PAGE_SIZE - (ma & (PAGE_SIZE - 1)));
	if (what < 3) {
		SAME(w, ref_copy_page(w->ref, cpu, other, mpn), memsys_copy_page(c, other, mpn));
	} else if (what < 5) {
		SAME(w, ref_zero_page(w->ref, cpu, mpn), memsys_zero_page(c, mpn));
	} else if (what < 6) {
		SAME(w, ref_read_page(w->ref, cpu, mpn), memsys_read_page(c, mpn));
	} else if (what < 15) {
		bool to = what < 10;

		SAME(w, ref_dma(w->ref, cpu, node, ma, bytes, to),
			memsys_dma(c, node, ma, bytes, to));
	} else if (what < 100) {
		tlb_step(w, cpu, seed);
	} else if (what < 150) {
		SAME(w, ref_walk(w->ref, cpu, ma), memsys_walk(c, ma));
	} else if (what < 350) {
		fetch_step(w, cpu, ma, MIN(ma + bytes % 64, ma | (PAGE_SIZE - 1)));
	} else {
		SAME(w, ref_data(w->ref, cpu, ma, what < 600), memsys_data(c, ma, what < 600));
	}
}

/* What a task does in a quantum: its own sequence, whichever thread runs it. */
static void run_task(struct world *w, uint16_t task)
{
	uint64_t seed = w->seed ^ (uint64_t)task << 32 ^ (uint64_t)w->quantum << 40;
	unsigned cpu[MACHINE_MAX_CPUS], n = 0;

	for (unsigned i = 0; i < w->m->n_cpus; i++)
		if (w->task[i] == task)
			cpu[n++] = i;
	for (unsigned i = 0; n && i < 300; i++)
		step(w, cpu[below(&seed, n)], &seed, false);
}

static void quantum_begins(struct world *w)
{
	uint64_t seed = w->seed ^ 0xabcdef ^ (uint64_t)w->quantum << 40;

	/* Frames change hands, now and then move, and the monitor copies what it likes. */
	for (unsigned i = 0; i < 1 + w->n_frames / 4; i++) {
		uint32_t mpn = (uint32_t)below(&seed, w->n_frames);
		uint64_t to = below(&seed, w->s->tasks + 2);

		w->owner[mpn] = to < w->s->tasks ? (uint16_t)to : MEMSYS_NO_TASK;
		memsys_own(w->ms, mpn, w->owner[mpn]);
		if (w->ref)
			ref_own(w->ref, mpn, w->owner[mpn]);
		if (below(&seed, 8) == 0) {
			memsys_frame_moved(w->ms, mpn);
			if (w->ref)
				ref_frame_moved(w->ref, mpn);
		}
	}
	for (unsigned i = 0; i < 20; i++)
		step(w, (unsigned)below(&seed, w->m->n_cpus), &seed, true);
	if (below(&seed, 5) == 0) {
		memsys_hot_clear(w->ms);
		memsys_frames_reset(w->ms);
		if (w->ref) {
			ref_hot_clear(w->ref);
			ref_frames_reset(w->ref);
		}
	}
	if (below(&seed, 40) == 0) {
		memsys_flush(w->ms);
		if (w->ref)
			ref_flush(w->ref);
	}
	for (unsigned i = 0; i < w->m->n_cpus; i++) {
		uint64_t task = below(&seed, w->s->tasks * 8 + 1) / 8;

		if (w->quantum % 4 == 0) /* vCPUs stay a few quanta on a CPU */
			w->task[i] = task < w->s->tasks ? (uint16_t)task : MEMSYS_NO_TASK;
	}
	memsys_quantum(w->ms, w->task);
	if (w->ref)
		ref_quantum(w->ref, w->task);
}

static void quantum_ends(struct world *w)
{
	uint64_t elapsed = 20000 + w->quantum % 3 * 10000;

	memsys_boundary(w->ms, elapsed);
	if (w->ref)
		ref_boundary(w->ref, elapsed);
	memsys_check(w->ms);
	w->quantum++;
}

START_TEST(fast_model_equals_reference)
{
	const struct shape *s = &shapes[_i];
	struct memsys_counts sum = {0};
	uint64_t signals = 0;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct world w;

		world_init(&w, s, seed, true);
		while (w.quantum < 60) {
			quantum_begins(&w);
			for (uint16_t task = 0; task < s->tasks; task++)
				run_task(&w, task);
			quantum_ends(&w);
			ref_same_state(w.ms, w.ref, w.m);
		}
		for (unsigned i = 0; i < w.m->n_cpus; i++) {
			const uint64_t *n = (const uint64_t *)memsys_counts(w.ms, i);
			unsigned hot;

			for (unsigned k = 0; k < sizeof(sum) / 8; k++)
				((uint64_t *)&sum)[k] += n[k];
			memsys_hot(w.ms, i, &hot);
			signals += hot;
		}
		world_free(&w);
	}
	/* The comparison means something: all of it happened. */
	ck_assert_msg(
		sum.local && sum.write_backs && sum.tlb_misses && sum.dma_reads && sum.dma_writes,
		"%s", s->name);
	ck_assert_msg(s->nodes == 1 || (sum.remote && sum.remote_dirty && sum.local_dirty &&
					       sum.upgrades && sum.invalidations && signals),
		"%s", s->name);
	ck_assert_msg(!s->o.contention || sum.stall[STALL_QUEUE], "%s", s->name);
}
END_TEST

/* ---- threads */

struct runner {
	struct world *w;
	unsigned first;
	pthread_barrier_t *start;
};

static void *run_some(void *arg)
{
	struct runner *r = arg;

	pthread_barrier_wait(r->start);
	for (unsigned task = r->w->s->tasks; task-- > 0;)
		if (task % 2 == r->first)
			run_task(r->w, (uint16_t)task);
	return NULL;
}

static void run_on_two_threads(struct world *w)
{
	pthread_barrier_t start;
	struct runner r[2] = {{w, 0, &start}, {w, 1, &start}};
	pthread_t t[2];

	pthread_barrier_init(&start, NULL, 2);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, run_some, &r[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&start);
}

/* The reference in `a` saw one thread only; `b` has none, so its state is compared with it. */
START_TEST(threads_change_nothing)
{
	const struct shape *s = &shapes[_i];
	struct world a, b;

	world_init(&a, s, 77, true);
	world_init(&b, s, 77, false);
	while (a.quantum < (INSTRUMENTED ? 20 : 60)) {
		quantum_begins(&a);
		for (uint16_t task = 0; task < s->tasks; task++)
			run_task(&a, task);
		quantum_ends(&a);

		quantum_begins(&b);
		run_on_two_threads(&b);
		quantum_ends(&b);
		ref_same_state(b.ms, a.ref, b.m);
	}
	world_free(&a);
	world_free(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memsys-random");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, fast_model_equals_reference, 0, (int)ARRAY_SIZE(shapes));
	tcase_add_loop_test(t, threads_change_nothing, 0, (int)ARRAY_SIZE(shapes));
	suite_add_tcase(s, t);
	return run_suite(s);
}
