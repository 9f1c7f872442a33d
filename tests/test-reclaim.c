// SPDX-License-Identifier: MIT
/*
 * Overcommitted memory: a guest is asked for pages when the machine runs short, at most for what it
 * can spare, gets them back when there is plenty, and waiting ends when nothing comes free.
 */
#include <check.h>

#include "monitor/dev/balloon.h"
#include "monitor/drive/overcommit.h"
#include "tests/small-machine.h"
#include "tests/virtio-driver.h"

enum { STATS_Q = 2, FRAMES = 12288, GUEST_PAGES = 16384, FLOOR = 2048 };

static struct run r;
static struct guest guest;
static struct run_options options;

static void setup(void)
{
	fake_vm_create(false, (uint64_t)FRAMES << PAGE_SHIFT);
	pmap_destroy(fake.vm.pmap);
	fake.vm.ram_bytes = (uint64_t)GUEST_PAGES << PAGE_SHIFT;
	fake.vm.pmap = pmap_create(fake.cluster.mem, 0, GUEST_PAGES, &fake_pmap_ops, &fake.vm);
	plic_create(&fake.vm);
	memset(&r, 0, sizeof(r));
	memset(&guest, 0, sizeof(guest));
	options = (struct run_options){.vms = 1, .overcommit = true};
	guest.vm = &fake.vm;
	guest.balloon = virtio_balloon_create(&fake.vm, 0, false);
	negotiate(0, 1ull << 1 | VIRTIO_F_VERSION_1);
	for (unsigned q = 0; q < 3; q++)
		place_queue(0, q, QUEUE_SIZE, desc_pa(0, q), avail_pa(0, q), used_pa(0, q));
	set_reg(0, 0x70, 3 | FEATURES_OK | DRIVER_OK);
	r.options = &options;
	r.cluster = fake.cluster;
	r.cluster.n_vms = 1;
	r.cluster.waits_for_memory = true;
	r.guest = &guest;
}

static void teardown(void)
{
	fake_devices_destroy();
	memory_check(fake.cluster.mem);
	fake_vm_destroy();
}

/* Tag 6 is the memory available, in bytes. */
static void says_available(uint32_t pages)
{
	const struct {
		uint16_t tag;
		uint64_t value;
	} __attribute__((packed)) entry = {6, (uint64_t)pages << PAGE_SHIFT};

	gm_write(&fake.vm, BUF, &entry, sizeof(entry));
	put_desc(desc_pa(0, STATS_Q), 0, BUF, sizeof(entry), 0, 0);
	offer(0, STATS_Q, 0);
	notify(0, STATS_Q);
	ck_assert_uint_eq(balloon_state(guest.balloon).available, pages);
}

static uint64_t frames_free(void)
{
	struct memory_usage u;

	memory_usage(fake.cluster.mem, -1, &u);
	return u.free;
}

/* The guest touches pages from its memory's end on until `free` frames are left. */
static void leave_free(uint64_t free)
{
	for (uint32_t ppn = GUEST_PAGES; frames_free() > free;)
		gm_write64(&fake.vm, VM_RAM_BASE + ((uint64_t)--ppn << PAGE_SHIFT), 1);
}

static void boundary(void)
{
	r.cluster.now += fake.machine.clock_hz;
	overcommit_boundary(&r);
}

static uint32_t target(void)
{
	return balloon_state(guest.balloon).target;
}

START_TEST(plenty_asks_for_nothing)
{
	says_available(GUEST_PAGES);
	boundary();
	ck_assert_uint_eq(target(), 0);
	ck_assert(!r.was_short);
}
END_TEST

START_TEST(shortage_asks_for_what_is_missing)
{
	uint64_t free;

	says_available(6000);
	leave_free(FRAMES / 8 - 100);
	free = frames_free();
	boundary();
	ck_assert_uint_eq(target(), FRAMES * 3 / 16 - free);
	ck_assert(r.was_short);
	/* Those are under way: they are not asked for again. The question itself took a page. */
	free = frames_free();
	boundary();
	ck_assert_uint_eq(target(), FRAMES * 3 / 16 - free);
}
END_TEST

START_TEST(a_guest_keeps_its_floor)
{
	says_available(FLOOR + 10);
	leave_free(FRAMES / 8 - 100);
	boundary();
	ck_assert_uint_eq(target(), 10);
}
END_TEST

START_TEST(a_guest_that_said_nothing_is_not_asked)
{
	leave_free(FRAMES / 8 - 100);
	boundary();
	ck_assert_uint_eq(target(), 0);
}
END_TEST

START_TEST(plenty_gives_back)
{
	says_available(6000);
	balloon_set_target(guest.balloon, 3000);
	set_reg(0, 0x104, 3000); /* it holds them */
	boundary();
	ck_assert_uint_lt(target(), 3000);
	for (unsigned i = 0; i < 50; i++)
		boundary();
	ck_assert_uint_eq(target(), 0);
}
END_TEST

START_TEST(looks_are_apart)
{
	says_available(6000);
	boundary();
	leave_free(FRAMES / 8 - 100);
	overcommit_boundary(&r); /* no time has passed */
	ck_assert_uint_eq(target(), 0);
	boundary();
	ck_assert_uint_gt(target(), 0);
}
END_TEST

START_TEST(waiting_ends_when_nothing_comes_free)
{
	boundary();
	leave_free(FRAMES / 64 - 10);
	for (unsigned i = 0; i < 20; i++)
		boundary();
	ck_assert(r.cluster.waits_for_memory);
	boundary();
	ck_assert(!r.cluster.waits_for_memory);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reclaim");
	TCase *t = tcase_create("overcommit");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, plenty_asks_for_nothing);
	tcase_add_test(t, shortage_asks_for_what_is_missing);
	tcase_add_test(t, a_guest_keeps_its_floor);
	tcase_add_test(t, a_guest_that_said_nothing_is_not_asked);
	tcase_add_test(t, plenty_gives_back);
	tcase_add_test(t, looks_are_apart);
	tcase_add_test(t, waiting_ends_when_nothing_comes_free);
	suite_add_tcase(s, t);
	return run_suite(s);
}
