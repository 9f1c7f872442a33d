// SPDX-License-Identifier: MIT
/*
 * Frames: the order in which pools hand them out, back-maps against a plain list, zeroing, what
 * happens when memory is full, and that the checker finds damage.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"
#include "tests/small-machine.h"

static struct frame_user user(uint32_t owner, uint32_t page)
{
	return (struct frame_user){.owner = owner, .page = page};
}

/* A private frame with one user. */
static uint32_t take(struct memory *mem, unsigned node, uint32_t page)
{
	uint32_t mpn = frame_alloc(mem, node, FRAME_PRIVATE, true);

	if (mpn != MPN_NONE)
		frame_add_user(mem, mpn, user(1, page));
	return mpn;
}

START_TEST(new_frames_come_lowest_first_and_freed_ones_last_freed_first)
{
	struct memory *mem = SMALL_MEMORY(8, 8);

	for (uint32_t i = 0; i < 5; i++)
		ck_assert_uint_eq(take(mem, 1, i), 8 + i);
	frame_del_user(mem, 9, user(1, 1));
	frame_del_user(mem, 11, user(1, 3));
	ck_assert_uint_eq(take(mem, 1, 1), 11);
	ck_assert_uint_eq(take(mem, 1, 3), 9);
	ck_assert_uint_eq(take(mem, 1, 5), 13);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_full_node_takes_from_the_nearest)
{
	struct machine m = {.n_nodes = 4};
	struct memory *mem;
	static const uint32_t ns[4][4] = {
		{300, 900, 500, 500}, {900, 300, 900, 900}, {500, 900, 300, 900}, {1, 1, 1, 300}};

	for (unsigned i = 0; i < 4; i++) {
		m.node[i].mem_bytes = 2 * PAGE_SIZE;
		memcpy(m.latency_ns[i], ns[i], sizeof(ns[i]));
	}
	mem = memory_create(&m);
	/* By latency, then by number; home first even where a file says that others are nearer. */
	static const unsigned order[] = {0, 0, 2, 2, 3, 3, 1, 1};
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(frame_node(mem, take(mem, 0, i)), order[i]);
	ck_assert_uint_eq(take(mem, 0, 8), MPN_NONE);
	frame_del_user(mem, 6, user(1, 4));
	ck_assert_uint_eq(take(mem, 3, 4), 6);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(each_node_has_a_copy_of_the_monitor)
{
	struct machine m = {.n_nodes = 3, .monitor_text = 3 * PAGE_SIZE};
	struct memory_usage u;
	struct memory *mem;

	m.node[0].mem_bytes = 10 * PAGE_SIZE; /* node 1 has no memory at all */
	m.node[2].mem_bytes = 4 * PAGE_SIZE;
	mem = memory_create(&m);
	for (int node = 0; node < 3; node++) {
		memory_usage(mem, node, &u);
		ck_assert_uint_eq(u.kind[FRAME_MONITOR], node == 1 ? 0 : 3);
	}
	/* A guest's pages go round them, and nothing moves them. */
	ck_assert_uint_eq(frame_alloc(mem, 2, FRAME_PRIVATE, true), 13);
	ck_assert_uint_eq(frame_alloc(mem, 2, FRAME_PRIVATE, true), 3);
	ck_assert_int_eq(page_migrate(mem, 10, 0, NULL), -EPERM);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.free, 6);
	memory_destroy(mem);
}
END_TEST

START_TEST(every_frame_is_on_its_node)
{
	static const uint32_t frames[] = {3, 0, 5, 1, 0, 0, 7, 0};
	struct memory *mem = small_memory(8, frames);
	uint32_t mpn = 0;

	for (unsigned node = 0; node < 8; node++)
		for (uint32_t i = 0; i < frames[node]; i++)
			ck_assert_uint_eq(frame_node(mem, mpn++), node);
	ck_assert_uint_eq(mpn, mem->n_frames);
	/* A node without memory has its neighbours'. */
	ck_assert_uint_eq(take(mem, 1, 0), 0);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_frame_used_before_is_zeroed_when_asked)
{
	struct memory *mem = SMALL_MEMORY(2);
	uint32_t mpn = take(mem, 0, 0);
	static const uint8_t zero[PAGE_SIZE];

	ck_assert_mem_eq(frame_data(mem, mpn), zero, PAGE_SIZE);
	memset(frame_data(mem, mpn), 0xa5, PAGE_SIZE);
	frame_del_user(mem, mpn, user(1, 0));
	ck_assert_uint_eq(take(mem, 0, 0), mpn);
	ck_assert_mem_eq(frame_data(mem, mpn), zero, PAGE_SIZE);

	/* The same by way of a reserve. */
	memset(frame_data(mem, mpn), 0xa5, PAGE_SIZE);
	frame_del_user(mem, mpn, user(1, 0));
	ck_assert_uint_eq(frame_reserve(mem, 0, 0), mpn);
	frame_unreserve(mem, mpn);
	ck_assert_uint_eq(frame_reserve(mem, 0, 0), mpn);
	frame_take_reserved(mem, mpn, user(1, 0), true);
	ck_assert_mem_eq(frame_data(mem, mpn), zero, PAGE_SIZE);
	memory_destroy(mem);
}
END_TEST

START_TEST(users_are_a_set_of_any_size)
{
	enum { PAGES = 3000 };
	struct memory *mem = SMALL_MEMORY(4);
	uint32_t mpn = frame_alloc(mem, 0, FRAME_CACHE, true), n = 0;
	uint64_t seed = 1, empty = memory_overhead_bytes(mem);
	static bool in[PAGES];

	frame_add_user(mem, mpn, user(0x80000000, 7));
	/* Grow, waver, shrink: first mostly adding, then mostly removing. */
	for (unsigned step = 0; step < 40000; step++) {
		uint64_t r = splitmix64(&seed);
		uint32_t page = (uint32_t)(r % PAGES);
		bool add = (r >> 32) % 100 < (step < 20000 ? 70u : 10u);

		if (add && !in[page]) {
			frame_add_user(mem, mpn, user(3, page));
			in[page] = true;
			n++;
		} else if (!add && in[page]) {
			frame_del_user(mem, mpn, user(3, page));
			in[page] = false;
			n--;
		}
		ck_assert_uint_eq(frame_users(mem, mpn), n + 1);
		if (step % 1000 == 0)
			memory_check(mem);
		ck_assert(frame_has_user(mem, mpn, user(3, page)) == in[page]);
	}
	static bool seen[PAGES];
	for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);

		if (u.owner == 3) {
			ck_assert(in[u.page] && !seen[u.page]);
			seen[u.page] = true;
		} else {
			ck_assert(u.owner == 0x80000000 && u.page == 7);
		}
	}
	ck_assert_uint_eq(memory_count_owner(mem, 3), n);
	for (uint32_t page = 0; page < PAGES; page++)
		if (in[page])
			frame_del_user(mem, mpn, user(3, page));
	ck_assert_uint_eq(frame_users(mem, mpn), 1);
	ck_assert_uint_eq(memory_overhead_bytes(mem), empty);
	frame_del_user(mem, mpn, user(0x80000000, 7));
	ck_assert_int_eq(frame_kind(mem, mpn), FRAME_FREE);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(usage_counts_by_kind_and_node)
{
	struct memory *mem = SMALL_MEMORY(10, 20);
	struct memory_usage u;
	uint32_t text = frame_alloc(mem, 1, FRAME_TEXT, true);

	frame_add_user(mem, text, user(0x80000000, 0));
	take(mem, 0, 1);
	take(mem, 1, 2);
	frame_reserve(mem, 1, 0);
	memory_usage(mem, 1, &u);
	ck_assert_uint_eq(u.total, 20);
	ck_assert_uint_eq(u.free, 18);
	ck_assert_uint_eq(u.kind[FRAME_RESERVED], 1);
	ck_assert_uint_eq(u.kind[FRAME_TEXT], 1);
	ck_assert_uint_eq(u.kind[FRAME_PRIVATE], 1);
	frame_set_kind(mem, text, FRAME_DISK);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.total, 30);
	ck_assert_uint_eq(u.free, 27);
	ck_assert_uint_eq(u.kind[FRAME_TEXT], 0);
	ck_assert_uint_eq(u.kind[FRAME_DISK], 1);
	ck_assert_uint_eq(u.kind[FRAME_PRIVATE], 2);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

struct giver {
	struct memory *mem;
	uint32_t next, end; /* frames it may free */
	unsigned calls;
};

static uint32_t give(void *arg, uint32_t want)
{
	struct giver *g = arg;
	uint32_t n = 0;

	g->calls++;
	for (; n < want && g->next < g->end; n++, g->next++)
		frame_del_user(g->mem, g->next, user(0x80000000, g->next));
	return n;
}

START_TEST(full_memory_is_reclaimed_and_a_futile_call_is_not_repeated)
{
	struct memory *mem = SMALL_MEMORY(4);
	struct giver g = {.mem = mem, .end = 1};

	mem->reclaim = give;
	mem->reclaim_arg = &g;
	frame_add_user(mem, frame_alloc(mem, 0, FRAME_CACHE, true), user(0x80000000, 0));
	for (uint32_t i = 1; i < 4; i++)
		take(mem, 0, i);
	ck_assert_uint_eq(g.calls, 0);
	ck_assert_uint_eq(take(mem, 0, 4), 0);
	ck_assert_uint_eq(g.calls, 1);
	ck_assert_uint_eq(take(mem, 0, 5), MPN_NONE);
	ck_assert_uint_eq(take(mem, 0, 5), MPN_NONE);
	ck_assert_uint_eq(g.calls, 2);
	frame_del_user(mem, 2, user(1, 2));
	ck_assert_uint_eq(take(mem, 0, 5), 2);
	ck_assert_uint_eq(take(mem, 0, 6), MPN_NONE);
	ck_assert_uint_eq(g.calls, 3);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

static unsigned resident(const struct memory *mem)
{
	unsigned char *in = xcalloc(mem->n_frames, 1);
	unsigned n = 0;

	ck_assert_int_eq(mincore(mem->base, (size_t)mem->n_frames << PAGE_SHIFT, in), 0);
	for (uint32_t i = 0; i < mem->n_frames; i++)
		n += in[i] & 1;
	free(in);
	return n;
}

START_TEST(the_host_gets_much_freed_memory_back)
{
	enum { FRAMES = 10000 };
	struct memory *mem = SMALL_MEMORY(FRAMES);
	static const uint8_t zero[PAGE_SIZE];
	uint32_t mpn;

	/* The host may round a touched page up to a huge one; this test counts small ones. */
	madvise(mem->base, (size_t)FRAMES << PAGE_SHIFT, MADV_NOHUGEPAGE);
	ck_assert_uint_eq(resident(mem), 0);
	for (uint32_t i = 0; i < FRAMES; i++)
		*(uint32_t *)frame_data(mem, take(mem, 0, i)) = i + 1;
	ck_assert_uint_eq(resident(mem), FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++)
		if (i % 100)
			frame_del_user(mem, i, user(1, i));
	ck_assert_uint_lt(resident(mem), 100 + 4096);
	memory_check(mem);
	for (uint32_t i = 0; i < FRAMES; i++)
		if (i % 100 == 0)
			ck_assert_uint_eq(*(uint32_t *)frame_data(mem, i), i + 1);
	while ((mpn = take(mem, 0, 1)) != MPN_NONE)
		ck_assert_mem_eq(frame_data(mem, mpn), zero, PAGE_SIZE);
	memory_destroy(mem);
}
END_TEST

/* Of the leak checker, when the test is built with it. */
void __lsan_disable(void) __attribute__((weak));

/* Each leaves the program by die(). */
START_TEST(damage_is_found)
{
	struct memory *mem;
	uint32_t mpn;

	if (__lsan_disable)
		__lsan_disable(); /* die() frees nothing */
	mem = SMALL_MEMORY(4);
	mpn = take(mem, 0, 5);
	memory_check(mem);
	switch (_i) {
	case 0: /* the same user twice */
		frame_add_user(mem, mpn, user(1, 5));
		memory_check(mem);
		break;
	case 1: /* a frame in use without a user */
		frame_alloc(mem, 0, FRAME_CACHE, true);
		memory_check(mem);
		break;
	case 2: /* not a user */
		frame_del_user(mem, mpn, user(1, 6));
		break;
	case 3: /* not a user of many */
		frame_add_user(mem, mpn, user(2, 5));
		frame_del_user(mem, mpn, user(2, 6));
		break;
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *tc = tcase_create("frame");

	tcase_add_test(tc, new_frames_come_lowest_first_and_freed_ones_last_freed_first);
	tcase_add_test(tc, a_full_node_takes_from_the_nearest);
	tcase_add_test(tc, each_node_has_a_copy_of_the_monitor);
	tcase_add_test(tc, every_frame_is_on_its_node);
	tcase_add_test(tc, a_frame_used_before_is_zeroed_when_asked);
	tcase_add_test(tc, users_are_a_set_of_any_size);
	tcase_add_test(tc, usage_counts_by_kind_and_node);
	tcase_add_test(tc, full_memory_is_reclaimed_and_a_futile_call_is_not_repeated);
	tcase_add_test(tc, the_host_gets_much_freed_memory_back);
	tcase_add_loop_exit_test(tc, damage_is_found, 70, 0, 4);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
