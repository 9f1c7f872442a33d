// SPDX-License-Identifier: MIT
/*
 * Policies and what drives them: each policy's answers to hand-made pages, placement of new pages
 * in both phases, parameters and their errors, and the driver over counters that the test sets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/move.h"
#include "numa/placement.h"
#include "numa/pmap.h"
#include "tests/small-machine.h"

enum { NODES = 4 };

static const uint32_t latency[NODES][MACHINE_MAX_NODES] = {
	{300, 900, 900, 900}, {900, 300, 900, 900}, {900, 900, 300, 900}, {900, 900, 900, 300}};

static struct policy parsed(const char *text)
{
	struct policy p;

	ck_assert_msg(policy_parse(text, NODES, &p) == 0, "%s", text);
	return p;
}

static uint64_t value(const struct policy *p, const char *name)
{
	for (unsigned i = 0; policy_kind_param(p->kind, i); i++)
		if (!strcmp(policy_kind_param(p->kind, i)->name, name))
			return p->value[i];
	ck_abort_msg("%s has no parameter %s", p->kind->name, name);
}

/* ---- decisions --------------------------------------------------------------------------- */

struct hand {
	struct machine_view machine;
	uint32_t misses[NODES];
	struct page_view page;
};

/* A private page of node 0 on which node 2 has just missed often enough. */
static struct page_view *hot_page(struct hand *h)
{
	*h = (struct hand){
		.machine = {.n_nodes = NODES,
			.latency_ns = latency,
			.free_frames = {1000, 1000, 1000, 1000},
			.requests = {100, 100, 100, 100},
			.local_percent = 20,
			.read_percent = 99,
			.requests_per_us = 60},
		.misses = {0, 0, 128, 0},
		.page = {.asker = 2, .home = 0, .nodes = 1},
	};
	h->page.machine = &h->machine;
	h->page.misses = h->misses;
	return &h->page;
}

static void expect(const char *policy, const struct page_view *v, enum policy_act act,
	unsigned node, enum policy_why why)
{
	struct policy p = parsed(policy);
	struct policy_answer a = policy_decide(&p, v);

	ck_assert_msg(a.act == act && a.why == why && (act == POLICY_LEAVE || a.node == node),
		"%s: act %u node %u because %s; not act %u node %u because %s", policy, a.act,
		a.node, policy_why_name[a.why], act, node, policy_why_name[why]);
}

static void expect_left(const char *policy, const struct page_view *v, enum policy_why why)
{
	expect(policy, v, POLICY_LEAVE, 0, why);
}

START_TEST(all_leave_what_is_cold_local_or_has_no_room)
{
	static const char *const mover[] = {"migrate", "replicate", "disco", "carrefour"};

	for (size_t i = 0; i < ARRAY_SIZE(mover); i++) {
		struct hand h;
		struct page_view *v = hot_page(&h);

		h.misses[2] = 127;
		expect_left(mover[i], v, WHY_COLD);
		v = hot_page(&h);
		v->nodes = 1 | 1 << 2;
		expect_left(mover[i], v, WHY_LOCAL);
		v = hot_page(&h);
		h.machine.free_frames[2] = 64;
		expect_left(mover[i], v, WHY_FULL);
		h.machine.free_frames[2] = 65;
		expect(mover[i], v,
			strcmp(mover[i], "replicate") ? POLICY_MIGRATE : POLICY_REPLICATE, 2,
			strcmp(mover[i], "replicate") ? WHY_ONE_NODE : WHY_READ_SHARED);
	}
}
END_TEST

START_TEST(migrate_moves_what_has_one_user)
{
	struct hand h;
	struct page_view *v = hot_page(&h);

	v->writes = 1000; /* its own */
	h.misses[1] = 32;
	expect("migrate", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	h.misses[1] = 33;
	expect_left("migrate", v, WHY_NOT_DONE);
	expect("migrate,sharing=33", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	v->moves = 1;
	expect("migrate,sharing=33", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	v->moves = 2;
	expect_left("migrate,sharing=33", v, WHY_MOBILE);
	v->moves = 0;
	v->moves_ever = 100;
	expect_left("migrate,sharing=33", v, WHY_MOBILE);
	expect("migrate,sharing=33,cap=101", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	h.misses[2] = 5;
	h.misses[1] = 0;
	expect("migrate,trigger=5,cap=101", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
}
END_TEST

START_TEST(replicate_copies_what_is_not_written)
{
	struct hand h;
	struct page_view *v = hot_page(&h);

	v->writes = 1;
	expect("replicate", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	v->writes = 2;
	expect_left("replicate", v, WHY_WRITTEN);
	expect("replicate,write=2", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	v->moves = 2;
	expect_left("replicate,write=2", v, WHY_MOBILE);
	v->shared = true;
	expect("replicate", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
}
END_TEST

START_TEST(disco_migrates_to_one_user_and_copies_to_readers)
{
	struct hand h;
	struct page_view *v = hot_page(&h);

	v->writes = 1000;
	h.misses[1] = 32;
	expect("disco", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	h.misses[1] = 33;
	expect_left("disco", v, WHY_WRITTEN);
	v->writes = 1;
	expect("disco", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	v->moves = 2;
	expect_left("disco", v, WHY_MOBILE);
	expect("disco,migrate=2", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	/* One more reader of a page that has copies gets one too, alone as it is by now. */
	v = hot_page(&h);
	v->nodes = 1 | 1 << 3;
	expect("disco", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	/* Stores to a copy-on-write page go elsewhere, and its age does not count. */
	v->shared = true;
	v->writes = 1000;
	v->moves = v->moves_ever = 200;
	expect("disco", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	/* But with one user it migrates like any. */
	v->nodes = 1;
	expect_left("disco", v, WHY_MOBILE);
	v->moves = v->moves_ever = 0;
	expect("disco", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
}
END_TEST

/* What made a page shared may be over: at twice the misses, twice as much of it is allowed. */
START_TEST(a_second_look_weighs_by_the_misses_there_are_by_then)
{
	struct hand h;
	struct page_view *v = hot_page(&h);

	v->writes = 1000;
	h.misses[1] = 64;
	expect_left("disco", v, WHY_WRITTEN);
	expect_left("migrate", v, WHY_NOT_DONE);
	h.misses[2] = 256;
	expect("disco", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	expect("migrate", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	h.misses[1] = 65;
	expect_left("disco", v, WHY_WRITTEN);
	v->writes = 3;
	expect_left("disco", v, WHY_WRITTEN);
	expect_left("replicate", v, WHY_WRITTEN);
	v->writes = 2;
	expect("disco", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	expect("replicate", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
}
END_TEST

/*
 * Of a working set that one CPU reads evenly, waiting 900 ns each time, do all pages become hot
 * before the counters are reset, and are there moves enough for all?
 */
START_TEST(defaults_serve_working_sets_up_to_16_mb)
{
	struct policy p = parsed("disco");
	uint64_t misses = value(&p, "reset") * 1000000 / 900;

	for (uint64_t mb = 2; mb <= 16; mb *= 2) {
		uint64_t pages = mb << (20 - PAGE_SHIFT);

		ck_assert_uint_ge(misses / pages, value(&p, "trigger"));
		ck_assert_uint_le(pages, value(&p, "rate"));
	}
}
END_TEST

START_TEST(carrefour_asks_the_machine_first)
{
	struct hand h;
	struct page_view *v = hot_page(&h);

	h.machine.requests_per_us = 49;
	expect_left("carrefour,used=50", v, WHY_COLD);
	h.machine.requests_per_us = 50;
	expect("carrefour,used=50", v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	h.machine.local_percent = 80;
	expect_left("carrefour", v, WHY_NOT_DONE);
	h.misses[1] = 13; /* more than a tenth of the asker's: shared */
	expect("carrefour", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	h.machine.read_percent = 94;
	expect_left("carrefour", v, WHY_NOT_DONE);
	/* Deviation 34.6% and 36.1% of the mean of 100. */
	h.machine.requests[0] = 160;
	h.machine.requests[1] = h.machine.requests[2] = h.machine.requests[3] = 80;
	expect_left("carrefour", v, WHY_NOT_DONE);
	h.machine.requests[0] = 161;
	h.machine.requests[1] = 79;
	h.machine.requests[3] = 78;
	h.machine.requests[2] = 82;
	expect("carrefour", v, POLICY_MIGRATE, 3, WHY_BALANCE);
	h.machine.requests[1] = 78; /* of the idlest, the first */
	h.machine.requests[2] = 83;
	expect("carrefour", v, POLICY_MIGRATE, 1, WHY_BALANCE);
	expect_left("carrefour,imbalance=37", v, WHY_NOT_DONE);
	v->home = 1; /* not a busy controller */
	v->nodes = 2;
	expect_left("carrefour", v, WHY_NOT_DONE);
	v->home = 0;
	v->nodes = 1 | 2; /* copies are balanced as they are */
	expect_left("carrefour", v, WHY_NOT_DONE);
	v = hot_page(&h);
	h.misses[1] = 100;
	v->writes = 1;
	expect_left("carrefour", v, WHY_NOT_DONE);
	v->shared = true;
	expect("carrefour", v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
	v->moves_ever = 100;
	expect_left("carrefour", v, WHY_MOBILE);
}
END_TEST

/* ---- parameters -------------------------------------------------------------------------- */

START_TEST(parameters_are_read_and_written_back)
{
	struct policy p = parsed("disco"), q;
	char *text;

	ck_assert_uint_eq(value(&p, "trigger"), 128);
	ck_assert_uint_eq(value(&p, "sharing"), 32);
	ck_assert_uint_eq(value(&p, "write"), 1);
	ck_assert_uint_eq(value(&p, "migrate"), 1);
	ck_assert_uint_eq(value(&p, "reset"), 1000);
	p = parsed("disco,write=0,trigger=1048576,reset=7");
	ck_assert_uint_eq(value(&p, "trigger"), 1 << 20);
	ck_assert_uint_eq(value(&p, "reset"), 7);
	ck_assert_uint_eq(value(&p, "write"), 0);
	ck_assert_uint_eq(value(&p, "sharing"), 32);
	text = policy_text(&p);
	ck_assert_int_eq(policy_parse(text, NODES, &q), 0);
	ck_assert_mem_eq(p.value, q.value, sizeof(p.value));
	free(text);
	p = parsed("first-touch");
	text = policy_text(&p);
	ck_assert_str_eq(text, "first-touch");
	free(text);
}
END_TEST

/* stderr of one call, which must be one line that holds `needle`. */
static void must_complain(const char *text, const char *needle)
{
	struct policy p, before;
	char line[512] = "";
	int saved = dup(STDERR_FILENO), err;
	FILE *f = tmpfile();

	memset(&p, 0x5a, sizeof(p));
	before = p;
	fflush(stderr);
	dup2(fileno(f), STDERR_FILENO);
	err = policy_parse(text, NODES, &p);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	ck_assert_int_eq(err, -EINVAL);
	ck_assert_mem_eq(&p, &before, sizeof(p));
	ck_assert_msg(
		fgets(line, sizeof(line), f) && strstr(line, needle), "'%s' gives: %s", text, line);
	ck_assert_msg(!fgets(line, sizeof(line), f), "'%s' gives a second line: %s", text, line);
	fclose(f);
}

START_TEST(bad_parameters_are_refused_with_one_line)
{
	must_complain("", "there are: first-touch, round-robin, interleave, migrate, replicate");
	must_complain("discos", "no policy is called 'discos'");
	must_complain("disc", "no policy is called 'disc'");
	must_complain("disco,", "no parameter ''; it has: trigger, reset, rate, spare, sharing");
	must_complain("disco,,write=1", "no parameter ''");
	must_complain("disco,trig=1", "no parameter 'trig'");
	must_complain("disco,trigger", "needs a value: trigger=128");
	must_complain("disco,trigger=", "'' is not a number from 1 to 1048576");
	must_complain("disco,trigger=0", "'0' is not");
	must_complain("disco,trigger=1048577", "is not a number");
	must_complain("disco,trigger=18446744073709551617", "is not a number");
	must_complain("disco,trigger=-1", "'-1' is not");
	must_complain("disco,trigger=1k", "'1k' is not");
	must_complain("disco,trigger= 1", "' 1' is not");
	must_complain("disco,write=1,write=2", "'write' is given twice");
	must_complain("round-robin,trigger=1", "has no parameters");
	must_complain("interleave,", "has no parameters");
}
END_TEST

START_TEST(every_policy_is_whole)
{
	const struct policy_kind *k;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	policy_list(out);
	fclose(out);
	for (unsigned i = 0; (k = policy_kind(i)); i++) {
		struct policy p = parsed(k->name);
		const struct policy_param *q;
		unsigned n = 0;

		ck_assert(strstr(text, k->name) && strstr(text, k->help));
		ck_assert(k->moves == (k->decide != NULL));
		for (; (q = policy_kind_param(k, n)); n++) {
			ck_assert(q->min <= q->value && q->value <= q->max);
			ck_assert(q->source && strstr(text, q->help));
			ck_assert_uint_eq(p.value[n], q->value);
		}
		ck_assert_uint_le(n, POLICY_MAX);
	}
	free(text);
}
END_TEST

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
		pmap_settle(pm);
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
	for (unsigned i = 0; i < NODES; i++)
		rig.m.node[i].mem_bytes = 200 * PAGE_SIZE;
	memcpy(rig.m.latency_ns, latency, sizeof(latency));
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
	/* The old frame is nobody's; the new one has counted nothing. */
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(s->stale, 1);
	mpn = pmap_entry(rig.pm, 5)->mpn;
	ck_assert_uint_eq(frame_node(rig.mem, mpn), 3);
	rig.c.misses[mpn][3] = 128;
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(s->why[WHY_LOCAL], 1);
	/* The other reads as much, and nobody writes: each gets its own; the signal may name any
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

START_TEST(an_interval_ends_with_fresh_counters_and_a_sample)
{
	const struct placement_sample *series;
	uint64_t interval = 400000 * 5, migrations = 0;
	uint32_t mpn;
	unsigned n;

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
	series = placement_series(rig.pl, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(series[0].migrations, 2);
	ck_assert_uint_eq(series[0].now, interval);
	ck_assert_uint_eq(series[0].cycles, 3 * 11 + 2 * (11100 + 7));
	/* However long it runs, the series is bounded and loses nothing. */
	for (uint64_t i = 2; i <= 2000; i++) {
		mpn = pmap_entry(rig.pm, 0)->mpn;
		rig.c.misses[mpn][i % 2] = 128;
		placement_hot(rig.pl, mpn, i % 2);
		placement_tick(rig.pl, i * interval);
	}
	series = placement_series(rig.pl, &n);
	ck_assert_uint_le(n, 512);
	ck_assert_uint_gt(n, 200);
	for (unsigned i = 0; i < n; i++) {
		migrations += series[i].migrations;
		ck_assert(!i || series[i].now - series[i - 1].now == series[0].now);
	}
	ck_assert_uint_gt(migrations, 250); /* the page's 254 moves, and one more page's */
	ck_assert_uint_eq(migrations, memory_moves(rig.mem)->migrations);
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
	unsigned n;

	rig_up("round-robin");
	ck_assert_uint_eq(placement_trigger(rig.pl), 0);
	ck_assert_uint_eq(frame_node(rig.mem, page_of(1, 3)), 0);
	mpn = page_of(2, 3);
	ck_assert_uint_eq(frame_node(rig.mem, mpn), 1);
	placement_hot(rig.pl, mpn, 3);
	ck_assert_uint_eq(memory_moves(rig.mem)->migrations, 0);
	placement_tick(rig.pl, 400000 * 100);
	placement_series(rig.pl, &n);
	ck_assert_uint_eq(n, 1);
	rig_down();
}
END_TEST

START_TEST(shuffle_moves_pages_that_nobody_uses_and_their_bytes)
{
	enum { PAGES = 50, MS = 400000 };
	const struct placement_stats *s;
	unsigned away = 0, copied = 0;

	rig_up("shuffle,stir=2,copies=50");
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
	rig_up("shuffle,stir=1000,rate=3");
	page_of(0, 0);
	placement_tick(rig.pl, 100 * MS);
	ck_assert_uint_eq(placement_stats(rig.pl)->why[WHY_RANDOM], 3);
	rig_down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_add_test(tc, all_leave_what_is_cold_local_or_has_no_room);
	tcase_add_test(tc, migrate_moves_what_has_one_user);
	tcase_add_test(tc, replicate_copies_what_is_not_written);
	tcase_add_test(tc, disco_migrates_to_one_user_and_copies_to_readers);
	tcase_add_test(tc, a_second_look_weighs_by_the_misses_there_are_by_then);
	tcase_add_test(tc, defaults_serve_working_sets_up_to_16_mb);
	tcase_add_test(tc, carrefour_asks_the_machine_first);
	tcase_add_test(tc, parameters_are_read_and_written_back);
	tcase_add_test(tc, bad_parameters_are_refused_with_one_line);
	tcase_add_test(tc, every_policy_is_whole);
	tcase_add_test(tc, new_pages_go_where_the_policy_says_in_both_phases);
	tcase_add_test(tc, a_spread_vm_waits_for_the_node_it_needs_and_gets_on_when_all_is_full);
	tcase_add_test(tc, a_hot_page_moves_and_its_cost_is_charged);
	tcase_add_test(tc, a_move_copies_while_the_page_is_where_it_was);
	tcase_add_test(tc, an_interval_ends_with_fresh_counters_and_a_sample);
	tcase_add_test(tc, the_machine_is_looked_at_more_often_than_counters_are_reset);
	tcase_add_test(tc, what_the_machine_did_reaches_the_policy);
	tcase_add_test(tc, a_refusal_is_counted_and_harms_nothing);
	tcase_add_test(tc, a_static_policy_moves_nothing);
	tcase_add_test(tc, shuffle_moves_pages_that_nobody_uses_and_their_bytes);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
