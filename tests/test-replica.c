// SPDX-License-Identifier: MIT
/*
 * Copies of pages and moves, one behaviour each: which frame a CPU uses, what a store does to
 * copies, what is refused, what a node gives back when it runs short, and that the checker finds
 * damage. tests/test-move.c does all of it at random.
 */
#include <errno.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"
#include "numa/memory/pmap.h"
#include "sharing/image.h"
#include "tests/small-machine.h"

enum { LOG = 64 };

/* Which frames the VM's CPUs were told to forget. */
struct log {
	unsigned n;
	uint32_t ppn[LOG], mpn[LOG];
};

static void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	struct log *log = engine;

	ck_assert_uint_lt(log->n, LOG);
	log->ppn[log->n] = ppn;
	log->mpn[log->n++] = old;
}

static const struct pmap_ops ops = {.shootdown = shoot};

static bool was_shot(const struct log *log, uint32_t ppn, uint32_t mpn)
{
	for (unsigned i = 0; i < log->n; i++)
		if (log->ppn[i] == ppn && log->mpn[i] == mpn)
			return true;
	return false;
}

/* An engine that maps at once, for one node, what the tables say when it is told to forget. */
struct eager {
	struct memory *mem;
	struct pmap *pm;
	unsigned node;
	uint32_t mpn; /* that it has mapped for page 0 */
};

static void map_at_once(void *engine, uint32_t ppn, uint32_t old)
{
	struct eager *e = engine;
	bool writable;

	ck_assert_uint_eq(ppn, 0);
	if (old == e->mpn)
		e->mpn = pmap_view(e->mem, e->pm, ppn, e->node, &writable);
}

static const struct pmap_ops eager_ops = {.shootdown = map_at_once};

static uint8_t *touch(struct pmap *pm, uint32_t ppn, unsigned node, bool write)
{
	bool writable = false;
	void *host = NULL;

	ck_assert_int_eq(pmap_fault(pm, ppn, node, write, &host, &writable), 0);
	ck_assert(writable || !write);
	return host;
}

static uint32_t mpn_of(const struct pmap *pm, uint32_t ppn)
{
	return pmap_entry(pm, ppn)->mpn;
}

static uint32_t replicate(struct memory *mem, uint32_t mpn, unsigned node)
{
	uint32_t to = MPN_NONE;

	ck_assert_int_eq(page_replicate(mem, mpn, node, &to), 0);
	return to;
}

/* A cached page of somebody's that hears of no moves. */
static uint32_t cached(struct memory *mem, unsigned node)
{
	uint32_t mpn = frame_alloc(mem, node, FRAME_CACHE, true);

	frame_add_user(mem, mpn, (struct frame_user){0x80000000, mpn});
	memset(frame_data(mem, mpn), 0x5c, PAGE_SIZE);
	return mpn;
}

START_TEST(every_node_uses_the_nearest)
{
	/* Two pairs of near nodes. */
	struct machine m = {.n_nodes = 4};
	struct memory *mem;
	struct log log = {0};
	struct pmap *pm;
	uint32_t master, copy;
	bool writable;

	for (unsigned i = 0; i < 4; i++) {
		m.node[i].mem_bytes = 100 * PAGE_SIZE;
		for (unsigned j = 0; j < 4; j++)
			m.latency_ns[i][j] = i == j ? 100 : (i ^ j) == 1 ? 200 : 300;
	}
	mem = memory_create(&m);
	pm = pmap_create(mem, 0, 10, &ops, &log);
	touch(pm, 3, 1, true)[7] = 9;
	master = mpn_of(pm, 3);
	ck_assert_uint_eq(pmap_view(mem, pm, 3, 3, &writable), master);
	ck_assert(writable);
	copy = replicate(mem, master, 2);
	ck_assert_uint_eq(frame_view(mem, master, 0), master);
	ck_assert_uint_eq(frame_view(mem, master, 1), master);
	ck_assert_uint_eq(frame_view(mem, master, 2), copy);
	ck_assert_uint_eq(frame_view(mem, master, 3), copy);
	ck_assert_uint_eq(frame_nodes(mem, copy), 1 << 1 | 1 << 2);
	ck_assert_uint_eq(frame_on(mem, copy, 1), master);
	ck_assert_uint_eq(frame_on(mem, master, 0), MPN_NONE);
	ck_assert_uint_eq(frame_master(mem, copy), master);
	/* No CPU may write, so all have forgotten; and the entry names the master still. */
	ck_assert(was_shot(&log, 3, master));
	ck_assert_uint_eq(mpn_of(pm, 3), master);
	ck_assert_uint_eq(pmap_view(mem, pm, 3, 3, &writable), copy);
	ck_assert(!writable);
	ck_assert_uint_eq(pmap_view(mem, pm, 4, 3, &writable), MPN_NONE);
	ck_assert_uint_eq(((uint8_t *)frame_data(mem, copy))[7], 9);
	/* A device gets the master, a CPU its node's. */
	ck_assert_ptr_eq(touch(pm, 3, 3, false), frame_data(mem, master));
	mem->boundary = false;
	ck_assert_ptr_eq(touch(pm, 3, 3, false), frame_data(mem, copy));
	mem->boundary = true;
	/* A copy on node 3 takes it from the one on node 2. */
	log.n = 0;
	replicate(mem, copy, 3);
	ck_assert_uint_eq(log.n, 1);
	ck_assert(was_shot(&log, 3, copy));
	ck_assert_uint_eq(pmap_stats(pm)->replications, 2);
	pmap_check(pm);
	memory_check(mem);
	pmap_destroy(pm);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(equally_far_nodes_stay_with_the_master)
{
	struct memory *mem = SMALL_MEMORY(50, 50, 50, 50);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 10, &ops, &log);
	uint32_t master;

	touch(pm, 0, 3, true);
	master = mpn_of(pm, 0);
	replicate(mem, master, 0);
	for (unsigned node = 1; node < 4; node++)
		ck_assert_uint_eq(frame_view(mem, master, node), master);
	memory_check(mem);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(what_the_writer_saw_becomes_the_page)
{
	struct memory *mem = SMALL_MEMORY(50, 50, 50, 50);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 10, &ops, &log);
	struct memory_usage u;
	uint32_t master, copy, other;

	touch(pm, 2, 0, true)[5] = 1;
	master = mpn_of(pm, 2);
	copy = replicate(mem, master, 1);
	other = replicate(mem, master, 2);
	log.n = 0;
	mem->boundary = false;
	touch(pm, 2, 1, true)[5] = 2;
	ck_assert_uint_eq(mpn_of(pm, 2), copy);
	ck_assert(was_shot(&log, 2, master) && was_shot(&log, 2, other));
	ck_assert(!was_shot(&log, 2, copy));
	/* All see the one that is left; nothing is freed before the boundary. */
	ck_assert_uint_eq(touch(pm, 2, 0, false)[5], 2);
	ck_assert_uint_eq(touch(pm, 2, 2, false)[5], 2);
	ck_assert_int_eq(frame_kind(mem, other), FRAME_REPLICA);
	ck_assert_int_eq(frame_kind(mem, master), FRAME_REPLICA);
	touch(pm, 2, 3, true)[5] = 3;
	mem->boundary = true;
	memory_check(mem);
	pmap_check(pm);
	pmap_release_deferred(pm);
	ck_assert_int_eq(frame_kind(mem, other), FRAME_FREE);
	ck_assert_int_eq(frame_kind(mem, master), FRAME_FREE);
	ck_assert_uint_eq(frame_moves(mem, copy), 1);
	ck_assert_uint_eq(memory_moves(mem)->collapses, 1);
	ck_assert_uint_eq(pmap_stats(pm)->collapses, 1);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.kind[FRAME_PRIVATE], 1);
	ck_assert_uint_eq(u.kind[FRAME_REPLICA], 0);

	/* At the boundary the master stays: a device has its address. */
	master = copy;
	copy = replicate(mem, master, 0);
	ck_assert_ptr_eq(touch(pm, 2, 0, true), frame_data(mem, master));
	ck_assert_int_eq(frame_kind(mem, copy), FRAME_FREE);
	memory_check(mem);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_pinned_master_outlives_a_store)
{
	struct memory *mem = SMALL_MEMORY(50, 50);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 10, &ops, &log);
	uint32_t master;

	touch(pm, 2, 0, true);
	master = mpn_of(pm, 2);
	replicate(mem, master, 1);
	page_pin(mem, master);
	page_pin(mem, master);
	page_unpin(mem, master);
	mem->boundary = false;
	touch(pm, 2, 1, true)[0] = 1;
	mem->boundary = true;
	ck_assert_uint_eq(mpn_of(pm, 2), master);
	ck_assert_int_eq(page_migrate(mem, master, 1, NULL), -EBUSY);
	page_unpin(mem, master);
	ck_assert_int_eq(page_migrate(mem, master, 1, NULL), 0);
	ck_assert_uint_eq(touch(pm, 2, 0, false)[0], 1);
	memory_check(mem);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_private_copy_leaves_the_replicas_of_the_others)
{
	struct memory *mem = SMALL_MEMORY(50, 50, 150);
	struct log log[2] = {0};
	struct pmap *a = pmap_create(mem, 0, 10, &ops, &log[0]),
		    *b = pmap_create(mem, 1, 10, &ops, &log[1]);
	uint32_t shared = cached(mem, 0), copy;

	pmap_share_in(a, 1, shared, FRAME_CACHE);
	pmap_share_in(b, 2, shared, FRAME_CACHE);
	copy = replicate(mem, shared, 2);
	ck_assert(was_shot(&log[0], 1, shared) && was_shot(&log[1], 2, shared));
	ck_assert_uint_eq(pmap_stats(a)->replications, 1);
	ck_assert_uint_eq(pmap_stats(b)->replications, 1);
	pmap_refill(b, 2);
	log[0].n = log[1].n = 0;
	mem->boundary = false;
	ck_assert_ptr_eq(touch(a, 1, 2, false), frame_data(mem, copy));
	touch(b, 2, 2, true)[0] = 1;
	mem->boundary = true;
	ck_assert(was_shot(&log[1], 2, copy) && was_shot(&log[1], 2, shared));
	ck_assert_uint_eq(log[0].n, 0);
	pmap_release_deferred(b);
	ck_assert_uint_eq(frame_view(mem, shared, 2), copy);
	ck_assert_uint_eq(memory_moves(mem)->collapses, 0);
	ck_assert_uint_eq(touch(a, 1, 2, false)[0], 0x5c);
	memory_check(mem);
	/* The last user's going frees them all. */
	pmap_destroy(a);
	frame_del_user(mem, shared, (struct frame_user){0x80000000, shared});
	ck_assert_int_eq(frame_kind(mem, copy), FRAME_FREE);
	pmap_destroy(b);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_move_reaches_every_table)
{
	struct memory *mem = SMALL_MEMORY(50, 50);
	struct image_cache *cache = image_cache_create(mem);
	static const char bytes[2 * PAGE_SIZE] = "block 0";
	struct image *image = image_from_bytes(cache, "i", bytes, sizeof(bytes), FRAME_TEXT);
	struct log log[2] = {0};
	struct pmap *a = pmap_create(mem, 0, 10, &ops, &log[0]),
		    *b = pmap_create(mem, 1, 10, &ops, &log[1]);
	uint32_t from, to, again;

	ck_assert_int_eq(image_block(image, 0, 0, &from, NULL), 0);
	pmap_share_in(a, 1, from, FRAME_TEXT);
	pmap_share_in(a, 2, from, FRAME_TEXT);
	pmap_share_in(b, 3, from, FRAME_TEXT);
	ck_assert_int_eq(page_migrate(mem, from, 1, &to), 0);
	ck_assert_uint_eq(mpn_of(a, 1), to);
	ck_assert_uint_eq(mpn_of(a, 2), to);
	ck_assert_uint_eq(mpn_of(b, 3), to);
	ck_assert_int_eq(image_block(image, 0, 0, &again, NULL), 0);
	ck_assert_uint_eq(again, to);
	ck_assert(was_shot(&log[0], 1, from) && was_shot(&log[0], 2, from));
	ck_assert(was_shot(&log[1], 3, from));
	ck_assert_uint_eq(memory_moves(mem)->shootdowns, 3);
	ck_assert_uint_eq(pmap_stats(a)->migrations, 2);
	ck_assert_int_eq(frame_kind(mem, from), FRAME_FREE);
	ck_assert_int_eq(frame_kind(mem, to), FRAME_TEXT);
	ck_assert_str_eq((char *)touch(b, 3, 0, false), "block 0");
	memory_check(mem);
	pmap_check(a);
	/* Moves stay with the page, and are forgotten with its frame. */
	ck_assert_int_eq(page_migrate(mem, to, 0, &to), 0);
	ck_assert_uint_eq(frame_moves(mem, to), 2);
	ck_assert_uint_eq(frame_recent_moves(mem, to), 2);
	memory_new_interval(mem);
	ck_assert_uint_eq(frame_recent_moves(mem, to), 0);
	ck_assert_uint_eq(frame_moves(mem, to), 2);
	pmap_destroy(a);
	pmap_destroy(b);
	image_close(image);
	ck_assert_uint_eq(frame_moves(mem, to), 0);
	image_cache_destroy(cache);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(users_left_by_the_run_phase_do_not_stop_a_move)
{
	struct memory *mem = SMALL_MEMORY(150, 50);
	struct log log[2] = {0};
	struct pmap *a = pmap_create(mem, 0, 10, &ops, &log[0]),
		    *b = pmap_create(mem, 1, 10, &ops, &log[1]);
	uint32_t shared, to;

	touch(a, 1, 0, true)[0] = 1;
	shared = pmap_share_out(a, 1, 0);
	pmap_share_in(b, 1, shared, FRAME_DISK);
	pmap_refill(a, 0);
	mem->boundary = false;
	touch(a, 1, 0, true)[0] = 2;
	mem->boundary = true;
	ck_assert_int_eq(page_migrate(mem, shared, 1, &to), 0);
	ck_assert_uint_eq(mpn_of(b, 1), to);
	ck_assert_uint_eq(touch(b, 1, 0, false)[0], 1);
	pmap_check(a);
	memory_check(mem);
	pmap_destroy(a);
	pmap_destroy(b);
	memory_destroy(mem);
}
END_TEST

START_TEST(the_master_of_copies_moves_where_one_is)
{
	struct memory *mem = SMALL_MEMORY(10, 10, 10, 10);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 10, &ops, &log);
	uint32_t master, one, two, to;
	struct memory_usage u;

	strcpy((char *)touch(pm, 1, 0, true), "bytes");
	master = mpn_of(pm, 1);
	one = replicate(mem, master, 1);
	two = replicate(mem, master, 2);
	log.n = 0;
	ck_assert_int_eq(page_migrate(mem, two, 1, &to), 0);
	ck_assert_uint_eq(to, one); /* no new frame, */
	ck_assert_uint_eq(mpn_of(pm, 1), one);
	ck_assert_int_eq(frame_kind(mem, master), FRAME_FREE);
	ck_assert_int_eq(frame_kind(mem, one), FRAME_PRIVATE);
	ck_assert_uint_eq(frame_nodes(mem, one), 1 << 1 | 1 << 2);
	ck_assert_uint_eq(frame_master(mem, two), one);
	ck_assert_uint_eq(frame_view(mem, one, 0), one);
	ck_assert_uint_eq(frame_view(mem, one, 2), two);
	ck_assert_uint_eq(log.n, 1); /* and only those who saw the old one lose it */
	ck_assert(was_shot(&log, 1, master));
	memory_check(mem);
	pmap_check(pm);
	/* The last copy becomes the page: it can be written to in place. */
	ck_assert_int_eq(page_migrate(mem, one, 2, &to), 0);
	ck_assert_uint_eq(to, two);
	ck_assert(!frame_replicated(mem, two));
	ck_assert_str_eq((char *)touch(pm, 1, 3, true), "bytes");
	ck_assert_uint_eq(mpn_of(pm, 1), two);
	ck_assert_uint_eq(memory_moves(mem)->collapses, 0);
	ck_assert_uint_eq(memory_moves(mem)->migrations, 2);
	ck_assert_uint_eq(frame_moves(mem, two), 2);
	memory_check(mem);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.kind[FRAME_REPLICA], 0);
	ck_assert_uint_eq(u.kind[FRAME_PRIVATE], 1);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(the_master_of_copies_moves_where_none_is)
{
	struct memory *mem = SMALL_MEMORY(10, 10, 10, 10);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 10, &ops, &log);
	uint32_t master, copy, to;

	strcpy((char *)touch(pm, 1, 0, true), "bytes");
	master = mpn_of(pm, 1);
	copy = replicate(mem, master, 1);
	log.n = 0;
	ck_assert_int_eq(page_migrate(mem, master, 3, &to), 0);
	ck_assert_uint_eq(frame_node(mem, to), 3);
	ck_assert_uint_eq(frame_nodes(mem, to), 1 << 1 | 1 << 3);
	ck_assert_uint_eq(frame_view(mem, to, 1), copy);
	ck_assert_uint_eq(frame_view(mem, to, 3), to);
	ck_assert_int_eq(frame_kind(mem, master), FRAME_FREE);
	ck_assert(was_shot(&log, 1, master));
	ck_assert(!was_shot(&log, 1, to));
	ck_assert_str_eq((char *)touch(pm, 1, 3, false), "bytes");
	memory_check(mem);
	pmap_check(pm);
	/* Named by a copy: the master is there already. */
	ck_assert_int_eq(page_migrate(mem, copy, 3, NULL), -EEXIST);
	pmap_destroy(pm);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

/* Migrations to where a copy is and to where none is, seen from each node. */
START_TEST(who_forgets_a_frame_finds_what_to_use_instead)
{
	struct memory *mem = SMALL_MEMORY(50, 50, 50, 50);
	struct eager e = {.mem = mem, .node = (unsigned)_i};
	bool writable;
	uint32_t master;

	e.pm = pmap_create(mem, 0, 10, &eager_ops, &e);
	touch(e.pm, 0, 0, true)[9] = 7;
	e.mpn = master = mpn_of(e.pm, 0);
	replicate(mem, master, 1);
	ck_assert_int_eq(page_migrate(mem, master, 2, &master), 0);
	ck_assert_uint_eq(e.mpn, pmap_view(mem, e.pm, 0, e.node, &writable));
	ck_assert_int_eq(page_migrate(mem, master, 1, &master), 0);
	ck_assert_uint_eq(e.mpn, master);
	ck_assert_uint_eq(((uint8_t *)frame_data(mem, e.mpn))[9], 7);
	memory_check(mem);
	pmap_destroy(e.pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(what_cannot_move_is_refused_by_reason)
{
	struct memory *mem = SMALL_MEMORY(10, 1, 10);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 10, &ops, &log);
	uint32_t page, monitor = frame_alloc(mem, 0, FRAME_MONITOR, false), reserved;
	const uint64_t *refused = memory_moves(mem)->refused;

	touch(pm, 1, 0, true);
	page = mpn_of(pm, 1);
	ck_assert_int_eq(page_migrate(mem, 15, 0, NULL), -ENOENT);
	reserved = frame_reserve(mem, 0, 0);
	ck_assert_int_eq(page_replicate(mem, reserved, 2, NULL), -ENOENT);
	frame_unreserve(mem, reserved);
	ck_assert_uint_eq(refused[MOVE_GONE], 2);
	ck_assert_int_eq(page_migrate(mem, monitor, 2, NULL), -EPERM);
	ck_assert_uint_eq(refused[MOVE_MONITOR], 1);
	ck_assert_int_eq(page_migrate(mem, page, 0, NULL), -EEXIST);
	ck_assert_int_eq(page_migrate(mem, cached(mem, 0), 2, NULL), -ENOTSUP);
	ck_assert_uint_eq(refused[MOVE_OWNER], 1);
	replicate(mem, page, 1);
	ck_assert_int_eq(page_replicate(mem, page, 1, NULL), -EEXIST);
	ck_assert_uint_eq(refused[MOVE_PRESENT], 2);
	/* Node 1 is full, with a copy: a move does not push it out. */
	touch(pm, 2, 0, true);
	ck_assert_int_eq(page_replicate(mem, mpn_of(pm, 2), 1, NULL), -ENOSPC);
	ck_assert_int_eq(page_migrate(mem, mpn_of(pm, 2), 1, NULL), -ENOSPC);
	ck_assert_uint_eq(refused[MOVE_NO_MEMORY], 2);
	ck_assert_uint_eq(memory_moves(mem)->migrations, 0);
	memory_check(mem);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

static uint32_t reclaims;

static uint32_t count_reclaims(void *arg, uint32_t want)
{
	(void)arg, (void)want;
	reclaims++;
	return 0;
}

START_TEST(a_node_gives_copies_back_before_it_sends_pages_elsewhere)
{
	struct memory *mem = SMALL_MEMORY(20, 4);
	struct log log = {0};
	struct pmap *pm = pmap_create(mem, 0, 60, &ops, &log);
	uint32_t master[3], copy[3];
	struct memory_usage u;

	mem->reclaim = count_reclaims;
	for (uint32_t i = 0; i < 3; i++) {
		touch(pm, i, 0, true)[0] = (uint8_t)i;
		master[i] = mpn_of(pm, i);
		copy[i] = replicate(mem, master[i], 1);
	}
	memory_usage(mem, 1, &u);
	ck_assert_uint_eq(u.kind[FRAME_REPLICA], 3);
	touch(pm, 10, 1, true);
	log.n = 0;
	/* One after the other, in the order of their frames; no page goes to node 0 for them. */
	for (uint32_t i = 0; i < 3; i++) {
		touch(pm, 11 + i, 1, true);
		ck_assert_uint_eq(mpn_of(pm, 11 + i), copy[i]);
		ck_assert_uint_eq(frame_view(mem, master[i], 1), master[i]);
		ck_assert(was_shot(&log, i, copy[i]));
		ck_assert(!frame_replicated(mem, master[i]));
		memory_check(mem);
	}
	ck_assert_uint_eq(memory_moves(mem)->given_back, 3);
	touch(pm, 14, 1, true);
	ck_assert_uint_eq(frame_node(mem, mpn_of(pm, 14)), 0);
	/* The cache is asked only when there is no copy left anywhere. */
	for (uint32_t i = 15; i < 31; i++)
		touch(pm, i, 0, true);
	ck_assert_uint_eq(reclaims, 0);
	pmap_drop(pm, 11);
	replicate(mem, master[0], 1);
	touch(pm, 31, 0, true);
	ck_assert_uint_eq(reclaims, 0);
	pmap_check(pm);
	memory_check(mem);
	mem->reclaim = NULL;
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

/* Of the leak checker, when the test is built with it. */
void __lsan_disable(void) __attribute__((weak));

/* Each leaves the program by die(). */
START_TEST(damage_is_found)
{
	struct memory *mem;
	struct pmap *pm;
	struct log log = {0};
	uint32_t master, copy;

	if (__lsan_disable)
		__lsan_disable(); /* die() frees nothing */
	mem = SMALL_MEMORY(8, 8, 8);
	pm = pmap_create(mem, 0, 10, &ops, &log);
	touch(pm, 1, 0, true);
	master = mpn_of(pm, 1);
	copy = replicate(mem, master, 1);
	memory_check(mem);
	switch (_i) {
	case 0: /* a byte of a copy */
		((uint8_t *)frame_data(mem, copy))[4095] = 1;
		break;
	case 1: /* a user on a copy */
		frame_add_user(mem, copy, (struct frame_user){5, 5});
		break;
	case 2: /* the copy is of another page */
		touch(pm, 2, 0, true);
		mem->p->frame[copy].master = mpn_of(pm, 2);
		break;
	case 3: /* the master has forgotten */
		mem->p->frame[master].flags &= (uint8_t)~FRAME_REPLICATED;
		break;
	case 4: /* not the nearest */
		mem->p->replicas[master]->node[1].view = master;
		break;
	case 5: /* count of copies */
		mem->p->replicas[master]->n++;
		break;
	case 6: /* count of frames */
		mem->p->pool[1].kind[FRAME_REPLICA]++;
		break;
	case 7: /* freed under its master */
		frame_free(mem, copy);
		break;
	}
	memory_check(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replica");
	TCase *tc = tcase_create("replica");

	tcase_add_test(tc, every_node_uses_the_nearest);
	tcase_add_test(tc, equally_far_nodes_stay_with_the_master);
	tcase_add_test(tc, what_the_writer_saw_becomes_the_page);
	tcase_add_test(tc, a_pinned_master_outlives_a_store);
	tcase_add_test(tc, a_private_copy_leaves_the_replicas_of_the_others);
	tcase_add_test(tc, a_move_reaches_every_table);
	tcase_add_test(tc, users_left_by_the_run_phase_do_not_stop_a_move);
	tcase_add_test(tc, the_master_of_copies_moves_where_one_is);
	tcase_add_test(tc, the_master_of_copies_moves_where_none_is);
	tcase_add_loop_test(tc, who_forgets_a_frame_finds_what_to_use_instead, 0, 4);
	tcase_add_test(tc, what_cannot_move_is_refused_by_reason);
	tcase_add_test(tc, a_node_gives_copies_back_before_it_sends_pages_elsewhere);
	tcase_add_loop_exit_test(tc, damage_is_found, 70, 0, 8);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
