// SPDX-License-Identifier: MIT
/*
 * Policies: each one's answers to hand-made pages, parameters and their errors.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "numa/policy/policy.h"
#include "tests/dies.h"
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
		.page = {.initiator = 2, .home = 0, .nodes = 1},
	};
	h->page.machine = &h->machine;
	h->page.misses = h->misses;
	return &h->page;
}

static void expect(const char *policy, const struct page_view *v, enum policy_act act,
	unsigned node, enum policy_why why)
{
	struct policy p = parsed(policy);
	struct policy_answer a = policy_decide(&p, v, (struct frame_user){3, 5});

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

START_TEST(no_copy_is_made_on_a_node_that_would_not_use_it)
{
	static const char *const copies[] = {"replicate", "disco"};

	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		struct hand h;
		struct page_view *v = hot_page(&h);

		h.misses[1] = 100;
		expect(copies[i], v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
		v->unseen = 1 << 2;
		expect_left(copies[i], v, WHY_UNSEEN);
		v->unseen = ~(1ull << 2);
		expect(copies[i], v, POLICY_REPLICATE, 2, WHY_READ_SHARED);
		/* A migration takes all users along. */
		h.misses[1] = 0;
		v->unseen = ~0ull;
		if (!strcmp(copies[i], "disco"))
			expect(copies[i], v, POLICY_MIGRATE, 2, WHY_ONE_NODE);
	}
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
	h.misses[1] = 13; /* more than a tenth of the initiator's: shared */
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

/* ---- wrong answers ----------------------------------------------------------------------- */

/* Its parameter says what is wrong with it. */
static struct policy_answer answer;
static bool moves_at_all; /* through policy_move() */

static struct policy_answer bad_decide(const uint64_t *p, const struct page_view *v)
{
	if (moves_at_all)
		return policy_move(p, v, answer.act, answer.node, answer.why);
	return answer;
}

static unsigned bad_place(unsigned n_nodes, uint32_t page, unsigned node, uint64_t nth)
{
	(void)n_nodes, (void)page, (void)node, (void)nth;
	return answer.node;
}

static uint64_t bad_shuffle(const uint64_t *p)
{
	return p[POLICY_COMMON];
}

static const struct policy_kind bad = {.name = "bad",
	.moves = true,
	.decide = bad_decide,
	.place = bad_place,
	.shuffle = bad_shuffle};
static struct policy bad_policy = {.kind = &bad, .n_nodes = NODES};

static void ask_bad(void *user)
{
	struct hand h;

	policy_decide(&bad_policy, hot_page(&h), *(struct frame_user *)user);
}

static void place_bad(void *user)
{
	policy_place(&bad_policy, *(struct frame_user *)user, 1, 0);
}

static void shuffle_bad(void *user)
{
	(void)user;
	policy_shuffles(&bad_policy);
}

START_TEST(a_wrong_answer_names_the_policy_and_the_page)
{
	static const struct {
		struct policy_answer a;
		bool through_move;
		struct frame_user user;
		const char *said;
	} wrong[] = {
		{{POLICY_MIGRATE, 99, WHY_ONE_NODE}, false, {3, 5},
			"policy bad answered node 99 of 4 (page 5 of vm3): mend it in numa/policy"},
		{{POLICY_REPLICATE, NODES, WHY_ONE_NODE}, true, {OWNER_IMAGE | 2, 5},
			"policy bad answered node 4 of 4 (page 5 of image 2)"},
		{{(enum policy_act)3, 0, WHY_COLD}, false, {OWNER_DISK | 1, 5},
			"policy bad answered act 3 of 3 (page 5 of disk 1)"},
		{{POLICY_LEAVE, 0, POLICY_WHYS}, false, {OWNER_PACKET | 7, 5},
			"policy bad answered reason 11 of 11 (page 5 of packet 7)"},
		{{(enum policy_act) - 1, 0, WHY_COLD}, false, {0, 5}, "answered act 4294967295 of"},
		/* Where to is of no account for a page that stays. */
		{{POLICY_LEAVE, 99, WHY_COLD}, false, {0, 5}, NULL},
		{{POLICY_MIGRATE, NODES - 1, POLICY_WHYS - 1}, true, {0, 5}, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct frame_user user = wrong[i].user;

		answer = wrong[i].a;
		moves_at_all = wrong[i].through_move;
		dies("decide", ask_bad, &user, wrong[i].said);
	}
	answer.node = NODES;
	dies("place", place_bad, &(struct frame_user){0, 6},
		"policy bad answered node 4 of 4 (page 6 of vm0)");
	answer.node = NODES - 1;
	dies("place", place_bad, &(struct frame_user){0, 6}, NULL);
	dies("shuffle", shuffle_bad, NULL, "policy bad answered that it shuffles 0 pages");
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

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_add_test(tc, all_leave_what_is_cold_local_or_has_no_room);
	tcase_add_test(tc, migrate_moves_what_has_one_user);
	tcase_add_test(tc, replicate_copies_what_is_not_written);
	tcase_add_test(tc, no_copy_is_made_on_a_node_that_would_not_use_it);
	tcase_add_test(tc, disco_migrates_to_one_user_and_copies_to_readers);
	tcase_add_test(tc, a_second_look_weighs_by_the_misses_there_are_by_then);
	tcase_add_test(tc, defaults_serve_working_sets_up_to_16_mb);
	tcase_add_test(tc, carrefour_asks_the_machine_first);
	tcase_add_test(tc, a_wrong_answer_names_the_policy_and_the_page);
	tcase_add_test(tc, parameters_are_read_and_written_back);
	tcase_add_test(tc, bad_parameters_are_refused_with_one_line);
	tcase_add_test(tc, every_policy_is_whole);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
