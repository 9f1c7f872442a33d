// SPDX-License-Identifier: MIT
/*
 * The virtio transport and rings, driven by hand: what the specification asks for, and everything a
 * hostile guest may do instead. A broken ring must cost the guest that device until it is reset,
 * and nothing else.
 */
#include <errno.h>

#include "tests/virtio-board.h"

/* ---- transport ---- */

START_TEST(transport_introduces_itself)
{
	static const struct {
		unsigned slot, id;
	} who[] = {{RNG, 4}, {CON, 3}, {BLK, 2}, {NET_A, 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(who); i++) {
		ck_assert_uint_eq(reg(who[i].slot, 0), 0x74726976);
		ck_assert_uint_eq(reg(who[i].slot, 4), 2);
		ck_assert_uint_eq(reg(who[i].slot, 8), who[i].id);
		set_reg(who[i].slot, 0x14, 1);
		ck_assert_uint_eq(reg(who[i].slot, 0x10), 1); /* VERSION_1 and nothing else above */
		set_reg(who[i].slot, 0x14, 2);
		ck_assert_uint_eq(reg(who[i].slot, 0x10), 0);
		ck_assert_uint_eq(reg(who[i].slot, 0xb0), UINT32_MAX);
	}
	ck_assert_uint_eq(reg(RNG, 0x34), VIRTQ_MAX);
	set_reg(RNG, 0x30, 1);
	ck_assert_uint_eq(reg(RNG, 0x34), 0);
	ck_assert_uint_eq(mmio_read(BOARD_VIRTIO + 0x1000 * BLK + 0x100, 8), DISK_SECTORS);
	ck_assert_uint_eq(mmio_read(BOARD_VIRTIO + 0x1000 * NET_B + 0x105, 1), 2);
	ck_assert_uint_eq(mmio_read(BOARD_VIRTIO + 0x1000 * RNG + 0xff8, 8), 0);
}
END_TEST

START_TEST(transport_refuses_features)
{
	negotiate(NET_A, 0); /* whose header is another one without VERSION_1 */
	ck_assert_uint_eq(reg(NET_A, 0x70), 3);
	negotiate(RNG, 0);
	ck_assert_uint_eq(reg(RNG, 0x70), 3 | FEATURES_OK);
	negotiate(RNG, VIRTIO_F_VERSION_1 | 1 << 5);
	ck_assert_uint_eq(reg(RNG, 0x70), 3);
	negotiate(RNG, VIRTIO_F_VERSION_1 | 1ull << 33);
	ck_assert_uint_eq(reg(RNG, 0x70), 3);
	negotiate(RNG, VIRTIO_F_VERSION_1 | VIRTIO_F_RING_EVENT_IDX);
	ck_assert_uint_eq(reg(RNG, 0x70), 3 | FEATURES_OK);
}
END_TEST

START_TEST(transport_rejects_bad_queues)
{
	uint64_t d = desc_pa(RNG, 0), a = avail_pa(RNG, 0), u = used_pa(RNG, 0);
	uint64_t top = VM_RAM_BASE + FAKE_RAM_BYTES;
	const struct {
		uint32_t size;
		uint64_t desc, avail, used;
	} bad[] = {
		{0, d, a, u},
		{3, d, a, u},
		{512, d, a, u},
		{65536 + 8, d, a, u},
		{8, d + 8, a, u},
		{8, d, a + 1, u},
		{8, d, a, u + 2},
		{8, 0, a, u},
		{8, d, 0, u},
		{8, d, a, 0},
		{8, top - 112, a, u},
		{8, d, top - 20, u},
		{8, d, a, top - 68},
		{8, d, a, UINT64_MAX - 3},
		{8, UINT64_MAX - 15, a, u},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		negotiate(RNG, VIRTIO_F_VERSION_1);
		place_queue(RNG, 0, bad[i].size, bad[i].desc, bad[i].avail, bad[i].used);
		ck_assert_msg(reg(RNG, 0x70) & NEEDS_RESET, "case %u", i);
		ck_assert_uint_eq(reg(RNG, 0x44), 0);
		set_reg(RNG, 0x70, 3 | FEATURES_OK | DRIVER_OK);
		notify(RNG, 0);
		ck_assert(reg(RNG, 0x70) & NEEDS_RESET);
	}
	start(RNG, 0);
	ask_rng(RNG, 16);
	/* Neither a queue that does not exist nor one in use can be moved. */
	place_queue(RNG, 7, 0, 0, 0, 0);
	place_queue(RNG, 0, 0, 0, 0, 0);
	notify(RNG, 1);
	notify(RNG, UINT32_MAX);
	ask_rng(RNG, 16);
	/* The very end of memory is fine. */
	negotiate(RNG, VIRTIO_F_VERSION_1);
	place_queue(RNG, 0, 8, d, a, top - 72);
	ck_assert(!(reg(RNG, 0x70) & NEEDS_RESET));
}
END_TEST

START_TEST(transport_waits_for_driver_ok)
{
	negotiate(RNG, VIRTIO_F_VERSION_1);
	place_queue(RNG, 0, 8, desc_pa(RNG, 0), avail_pa(RNG, 0), used_pa(RNG, 0));
	put_desc(desc_pa(RNG, 0), 0, BUF, 8, WRITE, 0);
	offer(RNG, 0, 0);
	notify(RNG, 0);
	ck_assert_uint_eq(used_index(RNG, 0), 0);
	set_reg(RNG, 0x70, 3 | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(used_index(RNG, 0), 1);
	ck_assert(irq_raised(RNG));
	ck_assert_uint_eq(reg(RNG, 0x60), 1);
	set_reg(RNG, 0x64, 1);
	ck_assert(!irq_raised(RNG));
	set_reg(RNG, 0x70, 0);
	offer(RNG, 0, 0);
	notify(RNG, 0);
	ck_assert_uint_eq(used_index(RNG, 0), 1);
}
END_TEST

/* ---- rings ---- */

START_TEST(ring_suppresses_interrupts)
{
	start(RNG, 0);
	gm_write16(vm, avail_pa(RNG, 0), 1); /* NO_INTERRUPT */
	ask_rng(RNG, 8);
	ck_assert(!irq_raised(RNG));
	gm_write16(vm, avail_pa(RNG, 0), 0);
	ask_rng(RNG, 8);
	ck_assert(irq_raised(RNG));

	start(RNG, VIRTIO_F_RING_EVENT_IDX);
	ck_assert(!irq_raised(RNG));
	gm_write16(vm, avail_pa(RNG, 0) + 4 + 2 * QUEUE_SIZE, 1); /* after the second */
	ask_rng(RNG, 8);
	ck_assert(!irq_raised(RNG));
	ask_rng(RNG, 8);
	ck_assert(irq_raised(RNG));
	set_reg(RNG, 0x64, 1);
	ask_rng(RNG, 8);
	ck_assert(!irq_raised(RNG));
}
END_TEST

START_TEST(ring_wraps_and_tells_when_to_notify)
{
	uint16_t event;

	start(RNG, VIRTIO_F_RING_EVENT_IDX);
	for (unsigned i = 0; i < 70000; i++) {
		ask_rng(RNG, 1);
		gm_read16(vm, used_pa(RNG, 0) + 4 + 8 * QUEUE_SIZE, &event);
		ck_assert_uint_eq(event, (uint16_t)(i + 1));
	}
}
END_TEST

START_TEST(ring_follows_indirect_tables)
{
	uint64_t table = BUF + 0x8000, d = desc_pa(CON, 1);
	char got[16] = {0};
	uint32_t head;

	start(CON, VIRTIO_F_RING_INDIRECT_DESC);
	gm_write(vm, BUF, "hello, world", 12);
	put_desc(table, 0, BUF, 5, NEXT, 2);
	put_desc(table, 2, BUF + 5, 2, NEXT, 1);
	put_desc(table, 1, BUF + 7, 5, 0, 0);
	put_desc(d, 3, table, 48, INDIRECT, 0);
	offer(CON, 1, 3);
	notify(CON, 1);
	ck_assert_uint_eq(stream_drain(stream, got, 16), 12);
	ck_assert_str_eq(got, "hello, world");
	/* Direct descriptors, then a table; WRITE on the table itself means nothing. */
	put_desc(table, 0, BUF + 7, 5, 0, 0);
	put_desc(d, 0, BUF, 5, NEXT, 1);
	put_desc(d, 1, table, 16, INDIRECT | WRITE, 0);
	offer(CON, 1, 0);
	notify(CON, 1);
	memset(got, 0, sizeof(got));
	ck_assert_uint_eq(stream_drain(stream, got, 16), 10);
	ck_assert_str_eq(got, "helloworld");
	ck_assert_uint_eq(used_bytes(CON, 1, 2, &head), 0);
	ck_assert_uint_eq(head, 0);
}
END_TEST

/* Each builds a wrong chain at descriptor 0 of the console's output queue. */
static void bad_loop(uint64_t d)
{
	put_desc(d, 0, BUF, 4, NEXT, 1);
	put_desc(d, 1, BUF, 4, NEXT, 0);
}

static void bad_self_loop(uint64_t d)
{
	put_desc(d, 0, BUF, 4, NEXT, 0);
}

static void bad_next(uint64_t d)
{
	put_desc(d, 0, BUF, 4, NEXT, QUEUE_SIZE);
	put_desc(d, QUEUE_SIZE, BUF, 4, 0, 0); /* but not of the ring */
}

static void bad_address(uint64_t d)
{
	put_desc(d, 0, VM_RAM_BASE - 4, 4, 0, 0);
}

static void bad_end(uint64_t d)
{
	put_desc(d, 0, VM_RAM_BASE + FAKE_RAM_BYTES - 4, 5, 0, 0);
}

static void bad_wrap(uint64_t d)
{
	put_desc(d, 0, UINT64_MAX - 1, 4, 0, 0);
}

static void bad_length(uint64_t d)
{
	put_desc(d, 0, BUF, UINT32_MAX, 0, 0);
}

static void bad_sum(uint64_t d)
{
	for (unsigned i = 0; i < 6; i++)
		put_desc(d, i, VM_RAM_BASE, 1 << 20, i < 5 ? NEXT : 0, (uint16_t)(i + 1));
}

static void bad_zero(uint64_t d)
{
	put_desc(d, 0, BUF, 0, 0, 0);
}

static void bad_order(uint64_t d)
{
	put_desc(d, 0, BUF, 4, WRITE | NEXT, 1);
	put_desc(d, 1, BUF, 4, 0, 0);
}

static void bad_table_next(uint64_t d)
{
	put_desc(BUF, 0, BUF, 4, NEXT, 2);
	put_desc(BUF, 1, BUF, 4, 0, 0);
	put_desc(d, 0, BUF, 32, INDIRECT, 0);
}

static void bad_table_loop(uint64_t d)
{
	put_desc(BUF, 0, BUF, 4, NEXT, 1);
	put_desc(BUF, 1, BUF, 4, NEXT, 1);
	put_desc(d, 0, BUF, 32, INDIRECT, 0);
}

static void bad_table_size(uint64_t d)
{
	put_desc(d, 0, BUF, 24, INDIRECT, 0);
}

static void bad_table_empty(uint64_t d)
{
	put_desc(d, 0, BUF, 0, INDIRECT, 0);
}

static void bad_table_long(uint64_t d)
{
	put_desc(d, 0, BUF, 16 * (VIRTQ_MAX + 1), INDIRECT, 0);
}

static void bad_table_address(uint64_t d)
{
	put_desc(d, 0, VM_RAM_BASE + FAKE_RAM_BYTES - 16, 32, INDIRECT, 0);
}

static void bad_nested(uint64_t d)
{
	put_desc(BUF, 0, BUF + 64, 16, INDIRECT, 0);
	put_desc(BUF + 64, 0, BUF, 4, 0, 0);
	put_desc(d, 0, BUF, 16, INDIRECT, 0);
}

static void bad_indirect_next(uint64_t d)
{
	put_desc(BUF, 0, BUF, 4, 0, 0);
	put_desc(d, 0, BUF, 16, INDIRECT | NEXT, 1);
	put_desc(d, 1, BUF, 4, 0, 0);
}

/* Not too long by itself, but with what came before it. */
static void bad_table_after_direct(uint64_t d)
{
	for (unsigned i = 0; i < VIRTQ_MAX; i++)
		put_desc(BUF, i, BUF, 1, i < VIRTQ_MAX - 1 ? NEXT : 0, (uint16_t)(i + 1));
	put_desc(d, 0, BUF, 4, NEXT, 1);
	put_desc(d, 1, BUF, 16 * VIRTQ_MAX, INDIRECT, 0);
}

static void (*const bad_chain[])(uint64_t d) = {bad_loop, bad_self_loop, bad_next, bad_address,
	bad_end, bad_wrap, bad_length, bad_sum, bad_zero, bad_order, bad_table_next, bad_table_loop,
	bad_table_size, bad_table_empty, bad_table_long, bad_table_address, bad_nested,
	bad_indirect_next, bad_table_after_direct};

static void expect_broken(unsigned slot, unsigned queue)
{
	uint16_t index = used_index(slot, queue);

	notify(slot, queue);
	ck_assert(reg(slot, 0x70) & NEEDS_RESET);
	ck_assert_uint_eq(reg(slot, 0x60) & 2, 2);
	ck_assert(irq_raised(slot));
	ck_assert_uint_eq(used_index(slot, queue), index);
	/* Stays so, whatever the driver does, and hurts no other VM. */
	notify(slot, queue);
	set_reg(slot, 0x70, 3 | FEATURES_OK | DRIVER_OK);
	notify(slot, queue);
	ck_assert(reg(slot, 0x70) & NEEDS_RESET);
	ck_assert_uint_eq(used_index(slot, queue), index);
	ck_assert_uint_eq(stream_output_bytes(stream), 0);
	ask_rng(RNG2, 8);
	ck_assert_int_eq(vm->state, VM_RUNNING);
}

START_TEST(ring_breaks_on_bad_chain)
{
	char got[4];

	start(RNG2, 0);
	start(CON, VIRTIO_F_RING_INDIRECT_DESC);
	bad_chain[_i](desc_pa(CON, 1));
	offer(CON, 1, 0);
	expect_broken(CON, 1);

	start(CON, 0);
	ck_assert_uint_eq(reg(CON, 0x60), 0);
	gm_write(vm, BUF, "ok", 2);
	put_desc(desc_pa(CON, 1), 0, BUF, 2, 0, 0);
	offer(CON, 1, 0);
	notify(CON, 1);
	ck_assert_uint_eq(stream_drain(stream, got, 4), 2);
}
END_TEST

START_TEST(ring_breaks_on_bad_index)
{
	start(RNG2, 0);
	start(CON, 0);
	put_desc(desc_pa(CON, 1), 0, BUF, 4, 0, 0);
	gm_write16(vm, avail_pa(CON, 1) + 2, QUEUE_SIZE + 1);
	expect_broken(CON, 1);
	start(CON, 0);
	put_desc(desc_pa(CON, 1), QUEUE_SIZE, BUF, 4, 0, 0);
	offer(CON, 1, QUEUE_SIZE);
	expect_broken(CON, 1);
	start(CON, 0);
	offer(CON, 1, UINT16_MAX);
	expect_broken(CON, 1);
	/* An indirect table that was not agreed on. */
	start(CON, 0);
	put_desc(BUF, 0, BUF, 4, 0, 0);
	put_desc(desc_pa(CON, 1), 0, BUF, 16, INDIRECT, 0);
	offer(CON, 1, 0);
	expect_broken(CON, 1);
}
END_TEST

START_TEST(ring_may_lie_over_its_own_buffers)
{
	start(RNG2, 0);
	start(RNG, 0);
	put_desc(desc_pa(RNG, 0), 0, desc_pa(RNG, 0), 0x3000, WRITE, 0);
	offer(RNG, 0, 0);
	notify(RNG, 0);
	notify(RNG, 0);
	ask_rng(RNG2, 8);
}
END_TEST

/* ---- phases ---- */

START_TEST(work_waits_for_memory_and_then_happens_once)
{
	start(RNG, 0);
	put_desc(desc_pa(RNG, 0), 0, BUF, 8, WRITE, 0);
	offer(RNG, 0, 0);
	fake_run_phase(); /* the reserve was never filled: a new page cannot be had */
	notify(RNG, 0);
	ck_assert(!irq_raised(RNG));
	fake_boundary();
	ck_assert_uint_eq(used_index(RNG, 0), 1);
	offer(RNG, 0, 0);
	fake_run_phase();
	notify(RNG, 0);
	ck_assert_uint_eq(used_index(RNG, 0), 2); /* all there now: at once */
	fake_boundary();
	ck_assert_uint_eq(used_index(RNG, 0), 2);
}
END_TEST

START_TEST(exhausted_machine_fails_the_vm)
{
	teardown();
	vm = fake_vm_create(false, 1 << 20);
	stream = stream_create();
	subnet = subnet_create(fake.cluster.mem, NULL);
	images = image_cache_create(fake.cluster.mem);
	virtio_rng_create(vm, RNG);
	start(RNG, 0);
	put_desc(desc_pa(RNG, 0), 0, BUF, 8, WRITE, 0);
	offer(RNG, 0, 0);
	ck_assert_int_eq(gm_zero(vm, BUF + 0x1000, 2 << 20), -ENOMEM);
	notify(RNG, 0);
	ck_assert_int_eq(vm->state, VM_FAILED);
	ck_assert_ptr_nonnull(strstr(vm->reason, "memory"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio");
	TCase *shared = tcase_create("shared");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(shared, setup, teardown);
	suite_add_tcase(s, shared);
	tcase_add_test(shared, transport_introduces_itself);
	tcase_add_test(shared, transport_refuses_features);
	tcase_add_test(shared, transport_rejects_bad_queues);
	tcase_add_test(shared, transport_waits_for_driver_ok);
	tcase_add_test(shared, ring_suppresses_interrupts);
	tcase_add_test(shared, ring_wraps_and_tells_when_to_notify);
	tcase_add_test(shared, ring_follows_indirect_tables);
	tcase_add_loop_test(shared, ring_breaks_on_bad_chain, 0, ARRAY_SIZE(bad_chain));
	tcase_add_test(shared, ring_breaks_on_bad_index);
	tcase_add_test(shared, ring_may_lie_over_its_own_buffers);
	tcase_add_test(shared, work_waits_for_memory_and_then_happens_once);
	tcase_add_test(shared, exhausted_machine_fails_the_vm);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
