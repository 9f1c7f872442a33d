// SPDX-License-Identifier: MIT
/*
 * Page placement: where new pages go in both phases, and what drives policies, over counters that
 * the test sets.
 */
#include <errno.h>
#include <string.h>

#include "numa/memory/move.h"
#include "numa/policy/placement.h"
#include "numa/memory/pmap.h"
#include "tests/dies.h"
#include "tests/small-machine.h"

enum { NODES = 4 };

static struct policy parsed(const char *text)
{
	struct policy p;

	ck_assert_msg(policy_parse(text, NODES, &p) == 0, "%s", text);
	return p;
}

/* ---- placement of new pages -------------------------------------------------------------- */

/* `engine`: a count, or NULL. */
static void count_shootdown(void *engine, uint32_t ppn, uint32_t old)
{
	(void)ppn, (void)old;
	if (engine)
		++*(unsigned *)engine;
}

static const struct pmap_ops pmap_ops = {.shootdown = count_shootdown};

START_TEST(new_pages_go_where_the_policy_says_in_both_phases)
{
	static const struct {
		const char *policy;
		unsigned node[6]; /* of pages 10, 14, 18, 3, 7, 0 touched in this order by node 2 */
	} want[] = {{"first-touch", {2, 2, 2, 2, 2, 2}}, {"round-robin", {0, 1, 2, 3, 0, 1}},
		{"interleave", {2, 2, 2, 3, 3, 0}}, {"disco", {2, 2, 2, 2, 2, 2}}};
	static const uint32_t ppn[] = {10, 14, 18, 3, 7, 0};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		for (unsigned boundary = 0; boundary < 2; boundary++) {
			struct memory *mem = SMALL_MEMORY(200, 200, 200, 200);
			struct policy policy = parsed(want[i].policy);
			struct pmap *pm = pmap_create(mem, 0, 100, &pmap_ops, NULL);

			memory_set_placement(
				mem, policy.kind->place ? policy_place : NULL, &policy);
			pmap_refill(pm, 2);
			mem->boundary = boundary;
			for (unsigned t = 0; t < ARRAY_SIZE(ppn); t++) {
				bool writable;
				void *host;

				ck_assert_int_eq(
					pmap_fault(pm, ppn[t], 2, t & 1, &host, &writable), 0);
				ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, ppn[t])->mpn),
					want[i].node[t]);
			}
			mem->boundary = true;
			pmap_check(pm);
			pmap_destroy(pm);
			memory_check(mem);
			memory_destroy(mem);
		}
}
END_TEST

START_TEST(a_spread_vm_waits_for_the_node_it_needs_and_gets_on_when_all_is_full)
{
	struct memory *mem = SMALL_MEMORY(60, 60, 60, 60);
	struct policy policy = parsed("interleave");
	struct pmap *pm = pmap_create(mem, 0, 1000, &pmap_ops, NULL);
	unsigned waited = 0;
	uint32_t n = 0;
	bool writable;
	void *host;
	int err;

	memory_set_placement(mem, policy_place, &policy);
	/* All pages of node 1, until its 60 frames and then all others are used. */
	do {
		pmap_release_deferred(pm);
		pmap_refill(pm, 0);
		mem->boundary = false;
		while (!(err = pmap_fault(pm, 4 * n + 1, 0, true, &host, &writable))) {
			if (n < 60)
				ck_assert_uint_eq(
					frame_node(mem, pmap_entry(pm, 4 * n + 1)->mpn), 1);
			n++;
		}
		mem->boundary = true;
		waited += err == -EAGAIN;
	} while (err == -EAGAIN && waited < 1000);
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_uint_eq(n, 240);
	ck_assert_uint_gt(waited, 2);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

/* ---- the driver -------------------------------------------------------------------------- */

struct counters {
	uint32_t misses[800][NODES], writes[800];
	struct placement_load load;
	uint64_t charged[NODES];
	unsigned resets, interrupted;
};

static void counts(void *arg, uint32_t mpn, uint32_t *misses, uint32_t *writes)
{
	struct counters *c = arg;

	for (unsigned i = 0; i < NODES; i++)
		misses[i] += c->misses[mpn][i];
	*writes += c->writes[mpn];
}

static void load(void *arg, struct placement_load *l)
{
	*l = ((struct counters *)arg)->load;
}

static void reset(void *arg)
{
	struct counters *c = arg;

	memset(c->misses, 0, sizeof(c->misses));
	c->resets++;
}

static void charge(void *arg, unsigned node, uint64_t cycles)
{
	((struct counters *)arg)->charged[node] += cycles;
}

static uint64_t interrupted(void *arg)
{
	return ((struct counters *)arg)->interrupted;
}

static const struct placement_ops placement_ops = {.counts = counts,
	.load = load,
	.reset = reset,
	.charge = charge,
	.interrupted = interrupted};

struct rig {
	struct machine m;
	struct memory *mem;
	struct pmap *pm;
	struct placement *pl;
	struct counters c;
};

static struct rig rig;

static void rig_up(const char *policy)
{
	struct policy p = parsed(policy);

	memset(&rig, 0, sizeof(rig));
	rig.m.n_nodes = NODES;
	rig.m.clock_hz = 400000000;
	rig.m.cost.trap = 1;
	rig.m.cost.monitor_call = 10;
	rig.m.cost.page_fault = 100;
	rig.m.cost.page_copy = 1000;
	rig.m.cost.shootdown = 10000;
	rig.m.cost.shootdown_interrupted = 7;
	for (unsigned i = 0; i < NODES; i++) {
		rig.m.node[i].mem_bytes = 200 * PAGE_SIZE;
		for (unsigned j = 0; j < NODES; j++)
			rig.m.latency_ns[i][j] = i == j ? 300 : 900;
	}
	rig.mem = memory_create(&rig.m);
	rig.pl = placement_create(rig.mem, &rig.m, &p, &placement_ops, &rig.c);
	rig.pm = pmap_create(rig.mem, 0, 100, &pmap_ops, &rig.c.interrupted);
}

static void rig_down(void)
{
	memory_check(rig.mem);
	pmap_check(rig.pm);
	pmap_destroy(rig.pm);
	placement_destroy(rig.pl);
	memory_destroy(rig.mem);
}

static uint32_t page_of(uint32_t ppn, unsigned node)
{
	bool writable;
	void *host;

	ck_assert_int_eq(pmap_fault(rig.pm, ppn, node, false, &host, &writable), 0);
	return pmap_entry(rig.pm, ppn)->mpn;
}

START_TEST(a_hot_page_moves_and_its_cost_is_charged)
{
	const struct placement_stats *s;
	uint32_t mpn;

	rig_up("disco,spare=10");
	s = placement_stats(rig.pl);
	ck_assert_uint_eq(placement_trigger(rig.pl), 128);
	mpn = page_of(5, 0);
	rig.c.misses[mpn][3] = 128;
	rig.c.misses[mpn][1] = 33;
	rig.c.writes[mpn] = 2;
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(s->why[WHY_WRITTEN], 1);
	ck_assert_uint_eq(rig.c.charged[3], 11);
	rig.c.misses[mpn][1] = 0;
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(s->why[WHY_ONE_NODE], 1);
	ck_assert_uint_ne(pmap_entry(rig.pm, 5)->mpn, mpn);
	ck_assert_uint_eq(rig.c.charged[3], 11 + 11 + 100 + 1000 + 10000);
	ck_assert_uint_eq(s->cycles_migrate, 11100);
	ck_assert_uint_eq(s->interrupted, 1);
	ck_assert_uint_eq(s->cycles_interrupted, 7);
	ck_assert_uint_eq(s->cycles_signal, 22);
	/* The old frame is free; the new one has counted nothing. */
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(s->stale, 1);
	mpn = pmap_entry(rig.pm, 5)->mpn;
	ck_assert_uint_eq(frame_node(rig.mem, mpn), 3);
	rig.c.misses[mpn][3] = 128;
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(s->why[WHY_LOCAL], 1);
	/* The other reads as much, and no CPU writes: each gets its own; the signal may name any
	 * frame of the page. */
	rig.c.misses[mpn][1] = 128;
	placement_hot(rig.pl, mpn, 1);
	ck_assert_uint_eq(s->why[WHY_READ_SHARED], 1);
	ck_assert_uint_eq(frame_nodes(rig.mem, mpn), 1 << 3 | 1 << 1);
	ck_assert_uint_eq(s->cycles_replicate, 11100);
	rig.c.misses[frame_on(rig.mem, mpn, 1)][0] = 128;
	placement_hot(rig.pl, frame_on(rig.mem, mpn, 1), 0);
	ck_assert_uint_eq(frame_nodes(rig.mem, mpn), 1 << 3 | 1 << 1 | 1);
	/* It is the page that is written, whichever frame is hot. */
	rig.c.misses[mpn][2] = 128;
	placement_hot(rig.pl, frame_on(rig.mem, mpn, 1), 2);
	ck_assert_uint_eq(s->why[WHY_WRITTEN], 2);
	ck_assert_uint_eq(s->hot, 7);
	rig_down();
}
END_TEST

/* A memory model has the page's lines in caches until the copy is made. */
static uint64_t copy(void *arg, unsigned node, uint32_t from, uint32_t to)
{
	(void)arg;
	ck_assert_uint_eq(node, 3);
	ck_assert_uint_eq(frame_kind(rig.mem, from), FRAME_PRIVATE);
	ck_assert_uint_eq(frame_node(rig.mem, to), 3);
	ck_assert_mem_eq(frame_data(rig.mem, from), frame_data(rig.mem, to), PAGE_SIZE);
	return 777;
}

START_TEST(a_move_copies_while_the_page_is_where_it_was)
{
	struct placement_ops ops = placement_ops;
	struct policy p = parsed("migrate,spare=10");
	uint32_t mpn;

	rig_up("migrate,spare=10");
	placement_destroy(rig.pl);
	ops.copy = copy;
	rig.pl = placement_create(rig.mem, &rig.m, &p, &ops, &rig.c);
	mpn = page_of(5, 0);
	memset(frame_data(rig.mem, mpn), 5, PAGE_SIZE);
	rig.c.misses[mpn][3] = 128;
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_ne(pmap_entry(rig.pm, 5)->mpn, mpn);
	ck_assert_uint_eq(placement_stats(rig.pl)->cycles_migrate, 100 + 777 + 10000);
	rig_down();
}
END_TEST

START_TEST(an_interval_ends_with_fresh_counters)
{
	uint64_t interval = 400000 * 5;
	uint32_t mpn;

	rig_up("migrate,reset=5,rate=2,spare=0,cap=255");
	for (uint32_t ppn = 0; ppn < 3; ppn++) {
		mpn = page_of(ppn, 0);
		rig.c.misses[mpn][1] = 128;
		placement_hot(rig.pl, mpn, 1);
	}
	ck_assert_uint_eq(memory_moves(rig.mem)->migrations, 2);
	ck_assert_uint_eq(placement_stats(rig.pl)->capped, 1);
	ck_assert_uint_eq(frame_recent_moves(rig.mem, pmap_entry(rig.pm, 0)->mpn), 1);
	placement_tick(rig.pl, interval - 1);
	ck_assert_uint_eq(rig.c.resets, 0);
	placement_tick(rig.pl, interval);
	ck_assert_uint_eq(rig.c.resets, 1);
	ck_assert_uint_eq(frame_recent_moves(rig.mem, pmap_entry(rig.pm, 0)->mpn), 0);
	ck_assert_uint_eq(frame_moves(rig.mem, pmap_entry(rig.pm, 0)->mpn), 1);
	ck_assert_uint_eq(placement_stats(rig.pl)->intervals, 1);
	/* And with moves allowed anew. */
	mpn = pmap_entry(rig.pm, 2)->mpn;
	rig.c.misses[mpn][1] = 128;
	placement_hot(rig.pl, mpn, 1);
	ck_assert_uint_eq(memory_moves(rig.mem)->migrations, 3);
	rig_down();
}
END_TEST

START_TEST(the_machine_is_looked_at_more_often_than_counters_are_reset)
{
	uint32_t mpn;

	rig_up("carrefour,spare=0");
	mpn = page_of(1, 0);
	rig.c.load = (struct placement_load){.requests = {800000}, .misses = 800000, .local = 100};
	rig.c.misses[mpn][2] = 128;
	placement_tick(rig.pl, 400000 * 100 - 1);
	placement_hot(rig.pl, mpn, 2);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_COLD], 1);
	placement_tick(rig.pl, 400000 * 100);
	placement_hot(rig.pl, mpn, 2);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_ONE_NODE], 1);
	ck_assert_uint_eq(rig.c.resets, 0);
	placement_tick(rig.pl, 400000 * 1000);
	ck_assert_uint_eq(rig.c.resets, 1);
	rig_down();
}
END_TEST

START_TEST(what_the_machine_did_reaches_the_policy)
{
	uint32_t mpn;

	rig_up("carrefour,spare=0,used=3,reset=1");
	mpn = page_of(1, 0);
	rig.c.misses[mpn][2] = 128;
	placement_hot(rig.pl, mpn, 2); /* nothing is known yet */
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_COLD], 1);
	/* 2999 requests in 1 ms are fewer than 3 a microsecond. */
	rig.c.load = (struct placement_load){.requests = {2999}, .misses = 2999, .local = 100};
	placement_tick(rig.pl, 400000);
	rig.c.misses[mpn][2] = 128;
	placement_hot(rig.pl, mpn, 2);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_COLD], 2);
	rig.c.load.requests[1] = 1;
	placement_tick(rig.pl, 800000);
	rig.c.misses[mpn][2] = 128;
	placement_hot(rig.pl, mpn, 2);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_ONE_NODE], 1);
	/* Enough of them local: no need to move anything. */
	rig.c.load.local = 2400;
	placement_tick(rig.pl, 1200000);
	mpn = pmap_entry(rig.pm, 1)->mpn;
	rig.c.misses[mpn][3] = 128;
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_NOT_DONE], 1);
	rig_down();
}
END_TEST

START_TEST(a_refusal_is_counted_and_harms_nothing)
{
	uint32_t mpn;

	rig_up("disco,spare=0");
	mpn = page_of(1, 0);
	page_pin(rig.mem, mpn);
	rig.c.misses[mpn][2] = 128;
	placement_hot(rig.pl, mpn, 2);
	ck_assert_uint_eq(placement_stats(rig.pl)->refused, 1);
	ck_assert_uint_eq(memory_moves(rig.mem)->refused[MOVE_PINNED], 1);
	ck_assert_uint_eq(pmap_entry(rig.pm, 1)->mpn, mpn);
	page_unpin(rig.mem, mpn);
	placement_hot(rig.pl, mpn, 2);
	ck_assert_uint_eq(memory_moves(rig.mem)->migrations, 1);
	rig_down();
}
END_TEST

START_TEST(a_static_policy_moves_nothing)
{
	uint32_t mpn;

	rig_up("round-robin");
	ck_assert_uint_eq(placement_trigger(rig.pl), 0);
	ck_assert_uint_eq(frame_node(rig.mem, page_of(1, 3)), 0);
	mpn = page_of(2, 3);
	ck_assert_uint_eq(frame_node(rig.mem, mpn), 1);
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(memory_moves(rig.mem)->migrations, 0);
	placement_tick(rig.pl, 400000 * 100);
	ck_assert_uint_eq(placement_stats(rig.pl)->intervals, 1);
	rig_down();
}
END_TEST

START_TEST(shuffle_moves_unused_pages_and_their_bytes)
{
	enum { PAGES = 50, MS = 400000 };
	const struct placement_stats *s;
	unsigned away = 0, copied = 0;

	rig_up("shuffle,pages=2,copies=50");
	s = placement_stats(rig.pl);
	ck_assert_uint_eq(placement_trigger(rig.pl), 0);
	for (uint32_t ppn = 0; ppn < PAGES; ppn++)
		memset(frame_data(rig.mem, page_of(ppn, 0)), (int)ppn + 1, PAGE_SIZE);
	/* Two in a millisecond; what is left of one's time is not lost. */
	for (unsigned i = 1; i <= 10; i++)
		placement_tick(rig.pl, i * MS / 4 * 3);
	ck_assert_uint_le(
		memory_moves(rig.mem)->migrations + memory_moves(rig.mem)->replications, 15);
	ck_assert_uint_gt(s->why[WHY_RANDOM], 0);
	placement_tick(rig.pl, 200 * MS);
	for (uint32_t ppn = 0; ppn < PAGES; ppn++) {
		const uint8_t *page;
		bool writable;
		uint32_t mpn = pmap_view(rig.mem, rig.pm, ppn, 3, &writable);

		page = frame_data(rig.mem, mpn);
		ck_assert(page[0] == ppn + 1 && !memcmp(page, page + 1, PAGE_SIZE - 1));
		mpn = pmap_entry(rig.pm, ppn)->mpn;
		away += frame_node(rig.mem, mpn) != 0;
		copied += frame_replicated(rig.mem, mpn);
	}
	ck_assert_uint_gt(away, PAGES / 2);
	ck_assert_uint_gt(copied, PAGES / 2);
	rig_down();
	rig_up("shuffle,pages=1000,rate=3");
	page_of(0, 0);
	placement_tick(rig.pl, 100 * MS);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_RANDOM], 3);
	rig_down();
}
END_TEST

/* ---- a policy that is wrong -------------------------------------------------------------- */

static struct policy_answer migrate_to_99(const uint64_t *p, const struct page_view *v)
{
	(void)p, (void)v;
	return (struct policy_answer){POLICY_MIGRATE, 99, WHY_ONE_NODE};
}

static unsigned place_on_99(unsigned n_nodes, uint32_t page, unsigned node, uint64_t nth)
{
	(void)n_nodes, (void)page, (void)node, (void)nth;
	return 99;
}

static uint64_t shuffle_one(const uint64_t *p)
{
	(void)p;
	return 1;
}

static const struct policy_kind bad_kinds[] = {
	{.name = "bad-decide", .moves = true, .decide = migrate_to_99},
	{.name = "bad-shuffle", .moves = true, .decide = migrate_to_99, .shuffle = shuffle_one},
	{.name = "bad-place", .moves = true, .decide = migrate_to_99, .place = place_on_99},
};

/* Page 5 is touched, is hot, and time passes: what comes first depends on the policy. */
static void run_policy(void *kind)
{
	struct policy p = parsed("migrate,trigger=1");
	uint32_t mpn;

	rig_up("migrate");
	placement_destroy(rig.pl);
	p.kind = kind;
	rig.pl = placement_create(rig.mem, &rig.m, &p, &placement_ops, &rig.c);
	mpn = page_of(5, 0);
	rig.c.misses[mpn][3] = 128;
	placement_hot(rig.pl, mpn, 3);
	placement_tick(rig.pl, 400000 * 100);
}

START_TEST(a_node_that_there_is_not_ends_the_program_where_it_comes_in)
{
	struct policy_kind k = bad_kinds[_i];
	char *said = xasprintf("policy %s answered node 99 of 4 (page 5 of vm0)", k.name);

	dies(k.name, run_policy, &k, said);
	free(said);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("placement");
	TCase *tc = tcase_create("placement");

	tcase_add_test(tc, new_pages_go_where_the_policy_says_in_both_phases);
	tcase_add_test(tc, a_spread_vm_waits_for_the_node_it_needs_and_gets_on_when_all_is_full);
	tcase_add_test(tc, a_hot_page_moves_and_its_cost_is_charged);
	tcase_add_test(tc, a_move_copies_while_the_page_is_where_it_was);
	tcase_add_test(tc, an_interval_ends_with_fresh_counters);
	tcase_add_test(tc, the_machine_is_looked_at_more_often_than_counters_are_reset);
	tcase_add_test(tc, what_the_machine_did_reaches_the_policy);
	tcase_add_test(tc, a_refusal_is_counted_and_harms_nothing);
	tcase_add_test(tc, a_static_policy_moves_nothing);
	tcase_add_test(tc, shuffle_moves_unused_pages_and_their_bytes);
	tcase_add_loop_test(tc, a_node_that_there_is_not_ends_the_program_where_it_comes_in, 0,
		(int)ARRAY_SIZE(bad_kinds));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
