// SPDX-License-Identifier: MIT
/*
 * The balloon device: pages put into it or reported free cost no frame and read as zero again; what
 * a guest may get wrong costs no other VM.
 */
#include <check.h>

#include "monitor/dev/balloon.h"
#include "tests/small-machine.h"
#include "tests/virtio-driver.h"

enum { INFLATE_Q, DEFLATE_Q, STATS_Q, REPORT_Q };

static struct device *balloon;

static void setup(void)
{
	fake_vm_create(false, 16 << 20);
	plic_create(&fake.vm);
	balloon = virtio_balloon_create(&fake.vm, 0, true);
	negotiate(0, balloon ? 1ull << 1 | 1ull << 5 | VIRTIO_F_VERSION_1 : 0);
	for (unsigned q = 0; q < 4; q++)
		place_queue(0, q, QUEUE_SIZE, desc_pa(0, q), avail_pa(0, q), used_pa(0, q));
	set_reg(0, 0x70, 3 | FEATURES_OK | DRIVER_OK);
}

static void teardown(void)
{
	fake_devices_destroy();
	memory_check(fake.cluster.mem);
	fake_vm_destroy();
}

static bool present(uint32_t ppn)
{
	return pmap_entry(fake.vm.pmap, ppn)->mpn != MPN_NONE;
}

static void fill(uint32_t ppn)
{
	gm_write64(&fake.vm, VM_RAM_BASE + (uint64_t)ppn * PAGE_SIZE, 0x1234);
	ck_assert(present(ppn));
}

static void send(unsigned queue, uint64_t pa, uint32_t bytes, uint16_t flags)
{
	uint16_t before = used_index(0, queue);

	put_desc(desc_pa(0, queue), 0, pa, bytes, flags, 0);
	offer(0, queue, 0);
	notify(0, queue);
	ck_assert_uint_eq(used_index(0, queue), (uint16_t)(before + 1));
}

START_TEST(inflated_pages_cost_no_frame_and_read_as_zero)
{
	const uint32_t pfn[] = {0x80000 + 1000, 0x80000 + 1002};
	uint64_t word = 1;

	for (uint32_t ppn = 1000; ppn < 1003; ppn++)
		fill(ppn);
	gm_write(&fake.vm, BUF, pfn, sizeof(pfn));
	send(INFLATE_Q, BUF, sizeof(pfn), 0);
	ck_assert(!present(1000) && present(1001) && !present(1002));
	gm_read64(&fake.vm, VM_RAM_BASE + 1000 * PAGE_SIZE, &word);
	ck_assert_uint_eq(word, 0);
	ck_assert_uint_eq(balloon_state(balloon).taken, 2);
	send(DEFLATE_Q, BUF, sizeof(pfn), 0);
	fill(1002);
}
END_TEST

START_TEST(page_numbers_outside_memory_are_ignored)
{
	const uint32_t pfn[] = {
		0, 0x7ffff, 0x80000 + pmap_pages(fake.vm.pmap), UINT32_MAX, 0x80000 + 1000};

	fill(1000);
	gm_write(&fake.vm, BUF, pfn, sizeof(pfn));
	send(INFLATE_Q, BUF, sizeof(pfn) + 3, 0); /* and a number cut short */
	ck_assert(!present(1000));
	ck_assert_uint_eq(balloon_state(balloon).taken, 1);
}
END_TEST

START_TEST(only_whole_pages_that_are_reported_go)
{
	for (uint32_t ppn = 1000; ppn < 1005; ppn++)
		fill(ppn);
	send(REPORT_Q, VM_RAM_BASE + 1000 * PAGE_SIZE + 8, 4 * PAGE_SIZE, WRITE);
	ck_assert(present(1000) && !present(1001) && !present(1003) && present(1004));
	ck_assert_uint_eq(balloon_state(balloon).reported, 3);
	send(REPORT_Q, VM_RAM_BASE + 1000 * PAGE_SIZE + 8, 16, WRITE); /* within a page */
	ck_assert(present(1000));
}
END_TEST

START_TEST(the_target_is_in_the_configuration_with_an_interrupt)
{
	uint32_t generation = reg(0, 0xfc);

	balloon_set_target(balloon, 77);
	ck_assert_uint_eq(reg(0, 0x100), 77);
	ck_assert_uint_eq(reg(0, 0x60) & 2, 2);
	ck_assert_uint_ne(reg(0, 0xfc), generation);
	set_reg(0, 0x100, 5); /* not the driver's to write */
	ck_assert_uint_eq(reg(0, 0x100), 77);
	set_reg(0, 0x104, 70);
	ck_assert_uint_eq(balloon_state(balloon).held, 70);
	ck_assert_uint_eq(balloon_state(balloon).target, 77);
	set_reg(0, 0x70, 0);
	ck_assert(!balloon_state(balloon).live);
	ck_assert_uint_eq(balloon_state(balloon).held, 0);
}
END_TEST

/* Tag 6 is the memory available, in bytes. */
static void put_stats(uint64_t bytes)
{
	const struct {
		uint16_t tag;
		uint64_t value;
	} __attribute__((packed)) entry[] = {{4, 1}, {6, bytes}};

	gm_write(&fake.vm, BUF, entry, sizeof(entry));
	put_desc(desc_pa(0, STATS_Q), 0, BUF, sizeof(entry), 0, 0);
	offer(0, STATS_Q, 0);
	notify(0, STATS_Q);
}

START_TEST(statistics_come_when_asked_for)
{
	ck_assert_uint_eq(balloon_state(balloon).available, UINT32_MAX);
	balloon_ask(balloon); /* no buffer yet */
	put_stats(5 * PAGE_SIZE);
	ck_assert_uint_eq(balloon_state(balloon).available, 5);
	ck_assert_uint_eq(used_index(0, STATS_Q), 0); /* the device keeps the buffer */
	balloon_ask(balloon);
	ck_assert_uint_eq(used_index(0, STATS_Q), 1);
	balloon_ask(balloon);
	ck_assert_uint_eq(used_index(0, STATS_Q), 1);
	put_stats(UINT64_MAX); /* more than the whole */
	ck_assert_uint_eq(balloon_state(balloon).available, pmap_pages(fake.vm.pmap));
	set_reg(0, 0x70, 0);
	ck_assert_uint_eq(balloon_state(balloon).available, UINT32_MAX);
	balloon_ask(balloon); /* and nothing happens */
}
END_TEST

/* Many page numbers in one request, and many such requests: a bounded part of it at a time. */
START_TEST(inflation_is_bounded_at_each_boundary)
{
	const uint32_t bytes = 160 << 10, most = 64 << 20 >> PAGE_SHIFT; /* pages */
	uint64_t taken = 0, all = 2 * (bytes / 4);

	for (uint32_t at = 0; at < bytes; at += 4)
		gm_write32(&fake.vm, BUF + at, 0x80000 + 1000);
	for (uint16_t i = 0; i < 2; i++) {
		put_desc(desc_pa(0, INFLATE_Q), i, BUF, bytes, 0, 0);
		offer(0, INFLATE_Q, i);
	}
	notify(0, INFLATE_Q);
	while (balloon_state(balloon).taken < all) {
		ck_assert_uint_gt(balloon_state(balloon).taken, taken);
		ck_assert_uint_le(balloon_state(balloon).taken - taken, 2 * most);
		taken = balloon_state(balloon).taken;
		ck_assert_uint_lt(used_index(0, INFLATE_Q), 2);
		fake_boundary();
	}
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_eq(balloon_state(balloon).taken, all);
	ck_assert_uint_eq(used_index(0, INFLATE_Q), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balloon");
	TCase *t = tcase_create("balloon");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, inflated_pages_cost_no_frame_and_read_as_zero);
	tcase_add_test(t, page_numbers_outside_memory_are_ignored);
	tcase_add_test(t, only_whole_pages_that_are_reported_go);
	tcase_add_test(t, the_target_is_in_the_configuration_with_an_interrupt);
	tcase_add_test(t, statistics_come_when_asked_for);
	tcase_add_test(t, inflation_is_bounded_at_each_boundary);
	suite_add_tcase(s, t);
	return run_suite(s);
}
