// SPDX-License-Identifier: MIT
/*
 * The memory-system model by numbers that are worked out here by hand from numa/memsys/memsys.h and the
 * paper's machine: flash8, 400 MHz (2.5 ns a cycle), L2 hit 50 ns, memory 300 ns at home and 900
 * from elsewhere, so 300 ns one way; another's cache answers in 250 ns more.
 */
#include "numa/memsys/memsys.h"
#include "tests/small-machine.h"

enum {
	L2_HIT = 20,         /* 50 ns */
	LOCAL = 120,         /* 300 ns */
	REMOTE = 360,        /* 900 ns */
	OWNED_TWO = 460,     /* two nodes: two ways of 300 ns, 300 ns at home, 250 ns: 1150 ns */
	OWNED_THREE = 580,   /* three nodes: three ways: 1450 ns */
	ROUND_TRIP = 240,    /* 600 ns: the home asks a sharer elsewhere and hears */
	NODE_PAGES = 0x20000 /* 512 MB */
};

static struct machine *m;
static struct memsys *ms;
static struct memsys_cpu *cpu[8];

static void start(const struct memsys_options *o)
{
	memsys_destroy(ms);
	ms = memsys_create(m, o);
	for (unsigned i = 0; i < 8; i++)
		cpu[i] = memsys_cpu(ms, i);
}

static void setup(void)
{
	ck_assert_int_eq(machine_load("flash8", &m), 0);
	start(&(struct memsys_options){0});
}

static void teardown(void)
{
	memsys_destroy(ms);
	ms = NULL;
	machine_free(m);
}

static uint64_t page(unsigned node, uint32_t n)
{
	return ((uint64_t)node * NODE_PAGES + n) << PAGE_SHIFT;
}

static void check(void)
{
	memsys_check(ms);
}

/* ---- latencies */

/* Stall of each access when a buffer is walked over and over, or 0 if they differ; -1 first time.
 */
static int chase(unsigned node, uint64_t bytes, unsigned stride)
{
	uint64_t base = page(node, 0x100), lines = bytes / stride;
	unsigned stall = 0;

	memsys_flush(ms);
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t i = 0, at = 0; i < lines; i++, at = (at + lines / 2 + 1) % lines) {
			unsigned s = memsys_data(cpu[0], base + at * stride, false);

			if (round == 1 && i == 0)
				stall = s;
			if (round && s != stall)
				return -1;
		}
	check();
	return (int)stall;
}

START_TEST(pointer_chase_measures_each_level)
{
	/* lines is a power of two, lines / 2 + 1 odd: each line once a round */
	ck_assert_int_eq(chase(0, 16 << 10, 64), 0);
	ck_assert_int_eq(chase(0, 32 << 10, 64), 0);
	ck_assert_int_eq(chase(0, 1 << 20, 128), L2_HIT);
	ck_assert_int_eq(chase(3, 1 << 20, 128), L2_HIT);
	ck_assert_int_eq(chase(0, 8 << 20, 128), LOCAL);
	ck_assert_int_eq(chase(3, 8 << 20, 128), REMOTE);
}
END_TEST

START_TEST(streaming_misses_once_a_line)
{
	const struct memsys_counts *n = memsys_counts(ms, 0);
	uint64_t stall = 0, bytes = 4 << 20;

	for (uint64_t at = 0; at < bytes; at += 8)
		stall += memsys_data(cpu[0], page(1, 0) + at, true);
	ck_assert_uint_eq(n->writes, bytes / 8);
	ck_assert_uint_eq(n->l1d_misses, bytes / 64);
	ck_assert_uint_eq(n->remote, bytes / 128);
	ck_assert_uint_eq(n->local + n->upgrades + n->remote_dirty, 0);
	/* All but the last 1 MB has left the L2 again. */
	ck_assert_uint_eq(n->write_backs, (bytes - (1 << 20)) / 128);
	ck_assert_uint_eq(stall, bytes / 128 * (REMOTE + L2_HIT));
	ck_assert_uint_eq(n->stall[STALL_REMOTE], bytes / 128 * REMOTE);
	ck_assert_uint_eq(n->stall[STALL_L2], bytes / 128 * L2_HIT);
	check();
}
END_TEST

START_TEST(instructions_have_their_own_l1)
{
	uint64_t ma = page(0, 1);

	ck_assert_uint_eq(memsys_fetch(cpu[0], ma), LOCAL);
	ck_assert_uint_eq(memsys_fetch(cpu[0], ma + 60), 0);
	ck_assert_uint_eq(memsys_fetch(cpu[0], ma + 64), L2_HIT);
	ck_assert_uint_eq(memsys_data(cpu[0], ma, false), L2_HIT);
	ck_assert_uint_eq(memsys_walk(cpu[0], ma + 64), L2_HIT);
	ck_assert_uint_eq(memsys_counts(ms, 0)->stall[STALL_TLB], L2_HIT);
	ck_assert_uint_eq(memsys_counts(ms, 0)->stall[STALL_L2], 2 * L2_HIT);
	ck_assert_uint_eq(memsys_counts(ms, 0)->l1i_misses, 2);
	ck_assert_uint_eq(memsys_counts(ms, 0)->fetches, 3);
	/* A line no other cache has is Exclusive: a store sends no request. */
	ck_assert_int_eq(memsys_state(ms, 0, ma), LINE_EXCLUSIVE);
	ck_assert_uint_eq(memsys_data(cpu[0], ma, true), 0);
	ck_assert_int_eq(memsys_state(ms, 0, ma), LINE_MODIFIED);
}
END_TEST

/* ---- sharing */

START_TEST(ping_pong_costs_what_the_protocol_says)
{
	uint64_t ma = page(0, 7), third = page(5, 7);

	memsys_data(cpu[1], ma, true);
	memsys_data(cpu[1], third, true);
	for (unsigned i = 0; i < 10; i++) {
		/* read what the other has written, then write it: home with CPU 0 */
		ck_assert_uint_eq(memsys_data(cpu[0], ma, false), OWNED_TWO);
		ck_assert_uint_eq(memsys_data(cpu[0], ma, true), LOCAL + ROUND_TRIP);
		ck_assert_uint_eq(memsys_data(cpu[1], ma, false), OWNED_TWO);
		ck_assert_uint_eq(memsys_data(cpu[1], ma, true), REMOTE);
		/* home elsewhere */
		ck_assert_uint_eq(memsys_data(cpu[0], third, false), OWNED_THREE);
		ck_assert_uint_eq(memsys_data(cpu[0], third, true), REMOTE + ROUND_TRIP);
		ck_assert_uint_eq(memsys_data(cpu[1], third, false), OWNED_THREE);
		ck_assert_uint_eq(memsys_data(cpu[1], third, true), REMOTE + ROUND_TRIP);
	}
	ck_assert_uint_eq(memsys_counts(ms, 0)->upgrades, 20);
	ck_assert_uint_eq(memsys_counts(ms, 0)->local_dirty, 10);
	ck_assert_uint_eq(memsys_counts(ms, 0)->remote_dirty, 10);
	ck_assert_uint_eq(memsys_counts(ms, 0)->invalidations, 20);
	ck_assert_uint_eq(memsys_counts(ms, 0)->write_backs, 20); /* to let the other read */
	ck_assert_uint_eq(memsys_counts(ms, 1)->remote_dirty, 20);
	check();
}
END_TEST

START_TEST(false_sharing_is_a_miss_each_time)
{
	uint64_t ma = page(2, 3);

	memsys_data(cpu[0], ma, true);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_uint_eq(memsys_data(cpu[1], ma + 64, true), OWNED_THREE);
		ck_assert_uint_eq(memsys_data(cpu[0], ma, true), OWNED_THREE);
	}
	/* the same words a line apart: no CPU waits */
	memsys_data(cpu[1], ma + 128, true);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_uint_eq(memsys_data(cpu[1], ma + 128, true), 0);
		ck_assert_uint_eq(memsys_data(cpu[0], ma, true), 0);
	}
	check();
}
END_TEST

START_TEST(store_waits_for_the_farthest_sharer)
{
	uint64_t ma = page(0, 9), set[2];

	for (unsigned i = 0; i < 8; i++)
		memsys_data(cpu[i], ma, false);
	ck_assert(!memsys_sharers(ms, ma, set));
	ck_assert_uint_eq(set[0], 0xff);
	ck_assert_uint_eq(memsys_data(cpu[3], ma, true), REMOTE + ROUND_TRIP);
	ck_assert(memsys_sharers(ms, ma, set));
	ck_assert_uint_eq(set[0], 1 << 3);
	/* Only the home's own CPU shares: no way beyond the home. */
	memsys_data(cpu[0], ma, false);
	ck_assert_uint_eq(memsys_data(cpu[3], ma, true), REMOTE);
	/* Not in the cache, and shared by others: a miss that waits for both. */
	memsys_data(cpu[1], ma, false);
	ck_assert_uint_eq(memsys_data(cpu[0], ma, true), LOCAL + ROUND_TRIP);
	ck_assert_uint_eq(memsys_counts(ms, 0)->upgrades, 0);
	check();
}
END_TEST

/* ---- tasks */

START_TEST(what_belongs_to_no_task_changes_at_the_boundary)
{
	const uint16_t tasks[8] = {0, 1, 1, MEMSYS_NO_TASK, MEMSYS_NO_TASK, MEMSYS_NO_TASK,
		MEMSYS_NO_TASK, MEMSYS_NO_TASK};
	uint64_t ma = page(0, 1), own = page(0, 2), set[2];

	memsys_own(ms, (uint32_t)(own >> PAGE_SHIFT), 1);
	memsys_data(cpu[3], own, true); /* the monitor, at the boundary */
	memsys_quantum(ms, tasks);
	/* Each sees the directory as it was: empty, whatever the others do. */
	ck_assert_uint_eq(memsys_data(cpu[0], ma, false), LOCAL);
	ck_assert_uint_eq(memsys_data(cpu[1], ma, false), REMOTE);
	ck_assert_uint_eq(memsys_data(cpu[2], ma, true), REMOTE);
	ck_assert_uint_eq(memsys_data(cpu[1], ma, false), 0);
	/* A frame of the task: at once between its CPUs, and an idle CPU's copy is not touched yet.
	 */
	ck_assert_uint_eq(memsys_data(cpu[1], own, true), OWNED_THREE);
	ck_assert_uint_eq(memsys_data(cpu[2], own, true), OWNED_THREE);
	ck_assert_int_eq(memsys_state(ms, 3, own), LINE_MODIFIED);
	ck_assert_int_eq(memsys_state(ms, 1, own), LINE_INVALID);
	memsys_boundary(ms, 1000);
	check();
	ck_assert_int_eq(memsys_state(ms, 3, own), LINE_INVALID);
	/* CPU 2's store came last. */
	ck_assert(memsys_sharers(ms, ma, set));
	ck_assert_uint_eq(set[0], 1 << 2);
	ck_assert_uint_eq(memsys_counts(ms, 0)->invalidations, 1);
	memsys_quantum(ms, tasks);
	ck_assert_uint_eq(memsys_data(cpu[0], ma, false), OWNED_TWO);
	memsys_boundary(ms, 1000);
	ck_assert_int_eq(memsys_state(ms, 2, ma), LINE_SHARED);
	check();
}
END_TEST

/* ---- the monitor's work */

START_TEST(pages_move_through_the_caches)
{
	uint32_t from = (uint32_t)(page(0, 4) >> PAGE_SHIFT),
		 to = (uint32_t)(page(1, 4) >> PAGE_SHIFT);

	/* 32 lines of 128 bytes, each in two L1 lines */
	ck_assert_uint_eq(memsys_copy_page(cpu[0], to, from), 32 * (LOCAL + REMOTE + 2 * L2_HIT));
	ck_assert_uint_eq(memsys_copy_page(cpu[0], to, from), 0);
	ck_assert_uint_eq(memsys_counts(ms, 0)->writes, 128);
	ck_assert_uint_eq(memsys_read_page(cpu[1], to), 32 * (OWNED_TWO + L2_HIT));
	ck_assert_uint_eq(memsys_zero_page(cpu[1], to), 32 * LOCAL + 32 * ROUND_TRIP);
	memsys_frame_moved(ms, to);
	ck_assert_int_eq(memsys_state(ms, 1, page(1, 4)), LINE_INVALID);
	ck_assert_uint_eq(memsys_zero_page(cpu[1], to), 32 * (LOCAL + L2_HIT));
	check();
}
END_TEST

START_TEST(dma_takes_lines_from_caches)
{
	uint64_t ma = page(1, 4);

	memsys_data(cpu[0], ma, true);
	memsys_data(cpu[2], ma + 256, true);
	/* from memory: 100 bytes at 100 are lines 0 and 1; 900 ns and 100 ns more */
	ck_assert_uint_eq(memsys_dma(cpu[0], 0, ma + 100, 100, false), REMOTE + 40);
	ck_assert_int_eq(memsys_state(ms, 0, ma), LINE_SHARED);
	ck_assert_int_eq(memsys_state(ms, 2, ma + 256), LINE_MODIFIED);
	ck_assert_uint_eq(memsys_dma(cpu[0], 1, ma, PAGE_SIZE, true), LOCAL + 31 * 40);
	ck_assert_int_eq(memsys_state(ms, 0, ma), LINE_INVALID);
	ck_assert_int_eq(memsys_state(ms, 2, ma + 256), LINE_INVALID);
	ck_assert_uint_eq(memsys_counts(ms, 0)->dma_reads, 2);
	ck_assert_uint_eq(memsys_counts(ms, 0)->dma_writes, 32);
	ck_assert_uint_eq(memsys_counts(ms, 0)->write_backs, 1);
	check();
}
END_TEST

/* ---- TLB */

START_TEST(tlb_holds_its_entries_and_replaces_the_oldest)
{
	struct memsys_tlb_victim v;

	/* 64 entries of page pairs */
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t vpn = 0; vpn < 128; vpn++)
			ck_assert_uint_eq(
				memsys_tlb_access(cpu[0], 1, vpn, 0, &v), round > 0 || vpn % 2);
	ck_assert_uint_eq(memsys_counts(ms, 0)->tlb_misses, 64);
	ck_assert_uint_eq(memsys_counts(ms, 0)->stall[STALL_TLB], 64 * m->cost.tlb_refill);
	/* the same page elsewhere is another: the oldest pair goes */
	ck_assert(!memsys_tlb_access(cpu[0], 2, 1, 0, &v));
	ck_assert(v.context == 1 && v.vpn == 0 && v.pages == 2);
	ck_assert(!memsys_tlb_access(cpu[0], 1, 1, 0, &v));
	ck_assert(v.context == 1 && v.vpn == 2 && v.pages == 2);
	memsys_tlb_flush_page(cpu[0], 1, 10);
	ck_assert(!memsys_tlb_access(cpu[0], 1, 11, 0, &v));
	ck_assert(v.vpn == 4); /* the hole waits its turn */
	memsys_tlb_flush_context(cpu[0], 1);
	ck_assert(memsys_tlb_access(cpu[0], 2, 0, 0, &v));
	ck_assert(!memsys_tlb_access(cpu[0], 1, 40, 0, &v));
	ck_assert_uint_eq(v.pages, 0);
	/* a 2 MB leaf is one entry (of a pair of such) */
	memsys_tlb_flush(cpu[0]);
	ck_assert(!memsys_tlb_access(cpu[0], 1, 512, 9, &v));
	ck_assert(memsys_tlb_access(cpu[0], 1, 0, 9, &v));
	ck_assert(!memsys_tlb_access(cpu[0], 1, 1024, 9, &v));
}
END_TEST

/* ---- frames */

START_TEST(hot_frames_are_signalled_at_each_doubling)
{
	uint32_t mpn = (uint32_t)(page(3, 5) >> PAGE_SHIFT);
	const struct memsys_hot *hot;
	unsigned n;

	start(&(struct memsys_options){.hot_trigger = 4});
	for (unsigned i = 0; i < 6; i++) {
		memsys_hot(ms, 0, &n);
		ck_assert_uint_eq(n, i >= 4);
		memsys_data(cpu[0], page(3, 5) + i * 128, i % 2);
	}
	hot = memsys_hot(ms, 0, &n);
	ck_assert(n == 1 && hot->mpn == mpn && hot->node == 0);
	memsys_data(cpu[1], page(3, 5), true);
	ck_assert_uint_eq(memsys_frame_misses(ms, mpn, 0), 6);
	ck_assert_uint_eq(memsys_frame_misses(ms, mpn, 1), 1);
	ck_assert_uint_eq(memsys_frame_writes(ms, mpn), 4);
	memsys_data(
		cpu[0], page(3, 5), false); /* another miss; then an upgrade, a write but no miss */
	memsys_data(cpu[0], page(3, 5), true);
	ck_assert_uint_eq(memsys_frame_misses(ms, mpn, 0), 7);
	ck_assert_uint_eq(memsys_frame_writes(ms, mpn), 5);
	memsys_frame_reset(ms, mpn);
	memsys_hot_clear(ms);
	for (unsigned i = 10; i < 26; i++) {
		memsys_hot(ms, 0, &n);
		ck_assert_uint_eq(n, (i - 10 >= 4) + (i - 10 >= 8));
		memsys_data(cpu[0], page(3, 5) + i * 128, false);
	}
	memsys_hot(ms, 0, &n);
	ck_assert_uint_eq(n, 3);
	/* Nothing can be done for a node that has the page. */
	for (unsigned i = 0; i < 16; i++)
		memsys_data(cpu[0], page(0, 5) + i * 128, false);
	memsys_hot(ms, 0, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(memsys_frame_misses(ms, (uint32_t)(page(0, 5) >> PAGE_SHIFT), 0), 16);
	memsys_frames_reset(ms);
	ck_assert_uint_eq(memsys_frame_misses(ms, mpn, 0), 0);
}
END_TEST

START_TEST(sampling_counts_one_in_n)
{
	uint32_t mpn = (uint32_t)(page(3, 5) >> PAGE_SHIFT);

	start(&(struct memsys_options){.sample = 10});
	for (unsigned i = 0; i < 32; i++)
		memsys_data(cpu[0], page(3, 5) + i * 128, false);
	ck_assert_uint_eq(memsys_frame_misses(ms, mpn, 0), 3);
	ck_assert_uint_eq(memsys_counts(ms, 0)->remote, 32);
}
END_TEST

START_TEST(counters_saturate_and_the_log_is_bounded)
{
	uint32_t mpn = (uint32_t)(page(3, 5) >> PAGE_SHIFT);
	unsigned n;

	start(&(struct memsys_options){.hot_trigger = 1});
	for (unsigned i = 0; i < 70000; i++) {
		memsys_data(cpu[0], page(3, 5), true);
		memsys_data(cpu[1], page(3, 5), true);
	}
	ck_assert_uint_eq(memsys_frame_misses(ms, mpn, 0), 65535);
	ck_assert_uint_eq(memsys_frame_writes(ms, mpn), 65535);
	for (uint32_t i = 0; i < MEMSYS_HOT_MAX + 9; i++)
		memsys_data(cpu[2], page(4, i), false);
	ck_assert_uint_eq(memsys_hot(ms, 2, &n)[MEMSYS_HOT_MAX - 1].mpn,
		(page(4, 0) >> PAGE_SHIFT) + MEMSYS_HOT_MAX - 1);
	ck_assert_uint_eq(n, MEMSYS_HOT_MAX);
	ck_assert_uint_eq(memsys_counts(ms, 2)->hot_dropped, 9);
}
END_TEST

/* ---- contention */

START_TEST(waiting_follows_from_load)
{
	/* No other CPU to wait for. */
	ck_assert_uint_eq(memsys_queue_cycles(1, 1000, 50000, 40, 0), 0);
	/* Two, each a request every 1000 cycles: rho 0.04, 40 * 0.04 / (2 * 0.96) = 0.83 */
	ck_assert_uint_eq(memsys_queue_cycles(2, 100, 50000, 40, 0), 0);
	/* Eight, Z = 400: B = 120, sqrt(14400 + 22400) = 191, so 35 */
	ck_assert_uint_eq(memsys_queue_cycles(8, 1000, 50000, 40, 0), 35);
	/* Having waited those, they send fewer, and the answer is the same. */
	ck_assert_uint_eq(memsys_queue_cycles(8, 8 * 50000 / 435, 50000, 40, 35), 35);
	/* All stand in line. */
	ck_assert_uint_eq(memsys_queue_cycles(128, 1u << 20, 50000, 40, 0), 127 * 40);
}
END_TEST

static unsigned stall_under_load(bool contention, unsigned users)
{
	uint16_t tasks[8] = {0};
	unsigned stall = 0;

	start(&(struct memsys_options){.contention = contention});
	for (unsigned quantum = 0; quantum < 4; quantum++) {
		memsys_quantum(ms, tasks);
		for (unsigned i = 0; i < 125; i++) /* 400 cycles apart */
			for (unsigned c = 0; c < users; c++)
				stall = memsys_data(
					cpu[c], page(0, quantum * 1000 + c * 100) + i * 128, false);
		memsys_boundary(ms, 50000);
	}
	return stall;
}

START_TEST(contention_delays_only_when_asked_for)
{
	/* Controller: as above 35, then, with as many requests all the same, Z = 365: B = 85,
	 * sqrt(7225 + 22400) = 172, 43; then Z = 357, B = 77, sqrt(5929 + 22400) = 168, 45.
	 * Link, seven customers: Z = 400, B = 304, sqrt(92416 + 3072) = 309, 2; and 2 again. */
	ck_assert_uint_eq(stall_under_load(false, 8), REMOTE);
	ck_assert_uint_eq(stall_under_load(true, 1), LOCAL);
	ck_assert_uint_eq(stall_under_load(true, 8), REMOTE + 45 + 2);
	ck_assert_uint_eq(memsys_home(ms, 0).requests, 4 * 8 * 125);
	ck_assert_uint_eq(memsys_home(ms, 0).remote_requests, 4 * 7 * 125);
	ck_assert_uint_eq(memsys_home(ms, 1).requests, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memsys");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pointer_chase_measures_each_level);
	tcase_add_test(t, streaming_misses_once_a_line);
	tcase_add_test(t, instructions_have_their_own_l1);
	tcase_add_test(t, ping_pong_costs_what_the_protocol_says);
	tcase_add_test(t, false_sharing_is_a_miss_each_time);
	tcase_add_test(t, store_waits_for_the_farthest_sharer);
	tcase_add_test(t, what_belongs_to_no_task_changes_at_the_boundary);
	tcase_add_test(t, pages_move_through_the_caches);
	tcase_add_test(t, dma_takes_lines_from_caches);
	tcase_add_test(t, tlb_holds_its_entries_and_replaces_the_oldest);
	tcase_add_test(t, hot_frames_are_signalled_at_each_doubling);
	tcase_add_test(t, sampling_counts_one_in_n);
	tcase_add_test(t, counters_saturate_and_the_log_is_bounded);
	tcase_add_test(t, waiting_follows_from_load);
	tcase_add_test(t, contention_delays_only_when_asked_for);
	suite_add_tcase(s, t);
	return run_suite(s);
}
