// SPDX-License-Identifier: MIT
/*
 * Runs: neighbouring pages of a VM get neighbouring frames that begin where a huge page may; what
 * is left of a run is as good as free, for all VMs and to the last frame.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"
#include "numa/memory/pmap.h"
#include "tests/small-machine.h"

enum { RUN = 512 };

static void shootdown(void *engine, uint32_t ppn, uint32_t old)
{
	(void)engine, (void)ppn, (void)old;
}

static const struct pmap_ops ops = {.shootdown = shootdown};

static uint32_t touch(struct pmap *pm, uint32_t ppn, unsigned node)
{
	bool writable;
	void *host;

	if (pmap_fault(pm, ppn, node, true, &host, &writable))
		return MPN_NONE;
	*(uint32_t *)host = ppn;
	return pmap_entry(pm, ppn)->mpn;
}

START_TEST(neighbours_get_neighbouring_frames_whatever_comes_between)
{
	struct memory *mem = SMALL_MEMORY(4096, 4096);
	struct pmap *a, *b;
	uint32_t first, mpn;

	frame_alloc(mem, 0, FRAME_CACHE, false); /* so that the pool does not begin with a run */
	frame_add_user(mem, 0, (struct frame_user){7, 0});
	memory_take_runs(mem);
	a = pmap_create(mem, 0, 3 * RUN, &ops, NULL);
	b = pmap_create(mem, 1, 3 * RUN, &ops, NULL);
	first = touch(a, RUN + 100, 0) - 100;
	ck_assert_uint_eq(first % RUN, 0);
	ck_assert_uint_gt(first, 0);
	for (uint32_t i = 0; i < RUN; i++) {
		ck_assert_uint_eq(touch(a, RUN + i, 0), first + i);
		mpn = touch(b, i, 0);
		ck_assert_uint_eq(mpn % RUN, i);
		ck_assert_uint_ne(mpn / RUN, first / RUN);
		if (i % 16 == 0) {
			mpn = frame_alloc(mem, 0, FRAME_CACHE, false);
			ck_assert_uint_lt(mpn, RUN);
			frame_add_user(mem, mpn, (struct frame_user){7, 0});
		}
	}
	memory_check(mem);
	/* The run is on node 0: who touches from elsewhere has the page there. */
	mpn = touch(a, 5, 0);
	ck_assert_uint_eq(frame_node(mem, touch(a, 6, 1)), 1);
	ck_assert_uint_eq(touch(a, 7, 0), mpn + 2);
	/* Its place stays its own while it is away, or nowhere. */
	ck_assert_int_eq(page_migrate(mem, mpn, 1, NULL), 0);
	ck_assert_uint_eq(touch(a, 8, 0), mpn + 3);
	pmap_drop(a, 5);
	ck_assert_uint_eq(touch(a, 5, 0), mpn);
	memory_check(mem);
	pmap_destroy(a);
	pmap_destroy(b);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(what_is_left_of_runs_is_there_for_all)
{
	struct memory *mem = SMALL_MEMORY(4 * RUN, 0);
	struct memory_usage u;
	struct pmap *a, *b;

	memory_take_runs(mem);
	a = pmap_create(mem, 0, 4 * RUN, &ops, NULL);
	b = pmap_create(mem, 1, 4 * RUN, &ops, NULL);
	/* A page of each stretch: all runs there are. */
	for (uint32_t slot = 0; slot < 4; slot++)
		touch(a, slot * RUN, 0);
	memory_usage(mem, 0, &u);
	ck_assert_uint_eq(u.free, 4 * RUN - 4);
	ck_assert_uint_eq(u.ready, 4 * RUN - 4);
	ck_assert_uint_eq(u.kind[FRAME_RESERVED], 4 * RUN - 4);
	/* Another takes every frame but those four. */
	for (uint32_t ppn = 0; ppn < 4 * RUN - 4; ppn++) {
		ck_assert_uint_ne(touch(b, ppn, 0), MPN_NONE);
		if (ppn % 300 == 0)
			memory_check(mem);
	}
	ck_assert_uint_eq(touch(a, 1, 0), MPN_NONE);
	for (uint32_t ppn = 0; ppn < 4 * RUN - 4; ppn++)
		ck_assert_uint_eq(*(uint32_t *)frame_data(mem, pmap_entry(b, ppn)->mpn), ppn);
	memory_check(mem);
	pmap_destroy(b);
	ck_assert_uint_ne(touch(a, 1, 0), MPN_NONE);
	memory_usage(mem, 0, &u);
	ck_assert_uint_eq(u.free, 4 * RUN - 5);
	memory_check(mem);
	pmap_destroy(a);
	memory_destroy(mem);
}
END_TEST

START_TEST(moves_and_copies_take_what_runs_have_left)
{
	struct memory *mem = SMALL_MEMORY(RUN, RUN);
	struct pmap *a, *b;
	uint32_t mpn;

	memory_take_runs(mem);
	a = pmap_create(mem, 0, RUN, &ops, NULL);
	b = pmap_create(mem, 1, RUN, &ops, NULL);
	mpn = touch(a, 3, 0);
	ck_assert_uint_eq(frame_node(mem, touch(b, 0, 1)), 1);
	ck_assert_int_eq(page_migrate(mem, mpn, 1, &mpn), 0);
	ck_assert_uint_eq(frame_node(mem, mpn), 1);
	ck_assert_uint_eq(*(uint32_t *)frame_data(mem, mpn), 3);
	ck_assert_int_eq(page_replicate(mem, mpn, 0, NULL), 0);
	memory_check(mem);
	pmap_check(a);
	pmap_check(b);
	pmap_destroy(a);
	pmap_destroy(b);
	memory_destroy(mem);
}
END_TEST

START_TEST(pages_that_come_together_again_are_neighbours)
{
	struct memory *mem = SMALL_MEMORY(4 * RUN, 100, 4 * RUN);
	struct pmap *a;
	uint32_t first, there, copy, seed = 1;

	memory_take_runs(mem);
	a = pmap_create(mem, 0, RUN, &ops, NULL);
	first = touch(a, 0, 0);
	for (uint32_t i = 1; i < RUN; i++)
		touch(a, i, 0);
	/* All of them, in disorder, to another node ... */
	for (uint32_t i = 0; i < RUN; i++) {
		seed = (seed * 5 + 1) % RUN; /* each once */
		ck_assert_int_eq(page_migrate(mem, pmap_entry(a, seed)->mpn, 2, NULL), 0);
	}
	there = pmap_entry(a, 0)->mpn;
	ck_assert_uint_eq(frame_node(mem, there), 2);
	for (uint32_t i = 0; i < RUN; i++)
		ck_assert_uint_eq(pmap_entry(a, i)->mpn, there + i);
	memory_check(mem);
	/* ... some as copies only, which a store then keeps, or does not ... */
	for (uint32_t i = 0; i < RUN; i += 3) {
		ck_assert_int_eq(page_replicate(mem, there + i, 0, &copy), 0);
		ck_assert_uint_eq(copy, first + i);
		if (i % 2)
			page_collapse(mem, there + i);
	}
	memory_check(mem);
	pmap_check(a);
	/* ... and back. */
	for (uint32_t i = 0; i < RUN; i++)
		ck_assert_int_eq(page_migrate(mem, pmap_entry(a, i)->mpn, 0, NULL), 0);
	for (uint32_t i = 0; i < RUN; i++) {
		ck_assert_uint_eq(pmap_entry(a, i)->mpn, first + i);
		ck_assert_uint_eq(*(uint32_t *)frame_data(mem, first + i), i);
	}
	memory_check(mem);
	/* A node without a run's room takes them all the same. */
	ck_assert_int_eq(page_migrate(mem, first + 7, 1, NULL), 0);
	ck_assert_uint_eq(frame_node(mem, pmap_entry(a, 7)->mpn), 1);
	memory_check(mem);
	pmap_destroy(a);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_page_that_others_use_too_takes_no_place)
{
	struct memory *mem = SMALL_MEMORY(4 * RUN, 4 * RUN);
	struct pmap *a, *b;
	uint32_t mine, shared;

	memory_take_runs(mem);
	a = pmap_create(mem, 0, RUN, &ops, NULL);
	b = pmap_create(mem, 1, RUN, &ops, NULL);
	shared = touch(a, 1, 0);
	pmap_share_in(b, 9, shared, FRAME_CACHE);
	mine = touch(a, 2, 1);
	ck_assert_int_eq(page_migrate(mem, shared, 1, &shared), 0);
	ck_assert_uint_ne(shared / RUN, mine / RUN);
	/* It ends in the one VM, then in neither: the other's place was never touched. */
	pmap_drop(a, 1);
	ck_assert_uint_eq(touch(a, 1, 1), mine - 1);
	pmap_destroy(a);
	memory_check(mem);
	pmap_destroy(b);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

/* As frames on the list of free ones are: else a VM that moved would be there twice. */
START_TEST(the_host_gets_back_what_pages_left_in_runs)
{
	enum { PAGES = 12 * RUN };
	struct memory *mem = SMALL_MEMORY(PAGES, PAGES);
	unsigned char *in = calloc(PAGES, 1);
	struct pmap *a;
	uint32_t n = 0;

	memory_take_runs(mem);
	a = pmap_create(mem, 0, PAGES, &ops, NULL);
	for (uint32_t i = 0; i < PAGES; i++)
		touch(a, i, 0);
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(page_migrate(mem, pmap_entry(a, i)->mpn, 1, NULL), 0);
	ck_assert_int_eq(mincore(frame_data(mem, 0), (size_t)PAGES * PAGE_SIZE, in), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		n += in[i] & 1;
	ck_assert_uint_le(n, PAGES - 4096);
	/* What comes back finds zeroes, and what is taken from others' places too. */
	pmap_drop(a, 5);
	ck_assert_int_eq(page_migrate(mem, pmap_entry(a, 4)->mpn, 0, NULL), 0);
	ck_assert_uint_eq(*(uint32_t *)frame_data(mem, pmap_entry(a, 4)->mpn), 4);
	ck_assert_uint_ne(touch(a, 5, 0), MPN_NONE);
	ck_assert_uint_eq(((uint32_t *)frame_data(mem, pmap_entry(a, 5)->mpn))[1], 0);
	memory_check(mem);
	pmap_destroy(a);
	memory_destroy(mem);
	free(in);
}
END_TEST

START_TEST(an_engine_that_asks_for_no_runs_has_none)
{
	struct memory *mem = SMALL_MEMORY(4096, 4096);
	struct pmap *a = pmap_create(mem, 0, 2 * RUN, &ops, NULL);
	struct memory_usage u;

	touch(a, RUN + 7, 0);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.kind[FRAME_RESERVED], 0);
	pmap_destroy(a);
	memory_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("run");
	TCase *tc = tcase_create("run");

	tcase_add_test(tc, neighbours_get_neighbouring_frames_whatever_comes_between);
	tcase_add_test(tc, what_is_left_of_runs_is_there_for_all);
	tcase_add_test(tc, moves_and_copies_take_what_runs_have_left);
	tcase_add_test(tc, pages_that_come_together_again_are_neighbours);
	tcase_add_test(tc, a_page_that_others_use_too_takes_no_place);
	tcase_add_test(tc, the_host_gets_back_what_pages_left_in_runs);
	tcase_add_test(tc, an_engine_that_asks_for_no_runs_has_none);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
