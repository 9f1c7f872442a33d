// SPDX-License-Identifier: MIT
/*
 * The virtio devices, each driven by hand through its rings, over real disks and a real subnet.
 */
#include <jansson.h>

#include "tests/virtio-board.h"

START_TEST(rng_is_a_function_of_the_seed)
{
	uint64_t first[2], again[2];

	start(RNG, 0);
	ask_rng(RNG, 16);
	gm_read(vm, BUF + 0x1000 * RNG, first, 16);
	ask_rng(RNG, 16);
	gm_read(vm, BUF + 0x1000 * RNG, again, 16);
	ck_assert_mem_ne(first, again, 16);
	start(RNG2, 0); /* same seed, same stream */
	ask_rng(RNG2, 16);
	gm_read(vm, BUF + 0x1000 * RNG2, again, 16);
	ck_assert_mem_eq(first, again, 16);
}
END_TEST

START_TEST(console_moves_both_ways)
{
	char got[8] = {0};
	uint32_t head;

	start(CON, 0);
	stream_input(stream, "abcdef", 6); /* nowhere to put it yet */
	ck_assert_uint_eq(stream_input_pending(stream), 6);
	put_desc(desc_pa(CON, 0), 0, BUF, 4, WRITE, 0);
	put_desc(desc_pa(CON, 0), 1, BUF + 4, 4, WRITE, 0);
	offer(CON, 0, 0);
	notify(CON, 0);
	ck_assert_uint_eq(used_bytes(CON, 0, 1, &head), 4);
	offer(CON, 0, 1);
	notify(CON, 0);
	ck_assert_uint_eq(used_bytes(CON, 0, 2, &head), 2);
	gm_read(vm, BUF, got, 6);
	ck_assert_str_eq(got, "abcdef");
	set_reg(CON, 0x64, 3);
	offer(CON, 0, 0);
	notify(CON, 0);
	ck_assert(!irq_raised(CON));
	stream_input(stream, "x", 1); /* a waiting buffer is filled at once */
	ck_assert(irq_raised(CON));
	ck_assert_uint_eq(used_index(CON, 0), 3);
}
END_TEST

/* One disk request: header, data (may be empty) and status in a descriptor each. */
static uint8_t disk_request(uint32_t type, uint64_t sector, uint64_t pa, uint32_t bytes, bool in)
{
	uint64_t d = desc_pa(BLK, 0);
	uint16_t index = used_index(BLK, 0);
	uint8_t status = 0xff;

	gm_write32(vm, BUF, type);
	gm_write32(vm, BUF + 4, 0);
	gm_write64(vm, BUF + 8, sector);
	gm_write(vm, BUF + 16, &status, 1);
	put_desc(d, 0, BUF, 16, NEXT, bytes ? 1 : 2);
	put_desc(d, 1, pa, bytes, NEXT | (in ? WRITE : 0), 2);
	put_desc(d, 2, BUF + 16, 1, WRITE, 0);
	offer(BLK, 0, 0);
	fake_run_phase();
	notify(BLK, 0);
	ck_assert_uint_eq(used_index(BLK, 0), index); /* only at the boundary */
	fake_boundary();
	gm_read(vm, BUF + 16, &status, 1);
	return status;
}

static void expect_sector(uint64_t pa, uint64_t sector)
{
	uint32_t word;

	for (unsigned i = 0; i < 128; i += 127) {
		gm_read32(vm, pa + 4 * i, &word);
		ck_assert_uint_eq(word, disk_word(sector, i));
	}
}

START_TEST(disk_reads_and_writes)
{
	uint64_t page = BUF + 0x10000;
	char id[21] = {0};
	uint32_t word;

	start(BLK, VIRTIO_F_RING_EVENT_IDX);
	ck_assert_uint_eq(disk_request(0, 8, page, 8192, true), 0);
	for (unsigned s = 0; s < 16; s++)
		expect_sector(page + 512 * s, 8 + s);
	ck_assert_uint_eq(disk_stats(disk)->pages_filled, 2); /* mapped, not copied */
	ck_assert_uint_eq(disk_stats(disk)->bytes_copied, 0);
	ck_assert_uint_eq(disk_request(0, 3, page + 0x3200, 512, true), 0);
	expect_sector(page + 0x3200, 3);
	/* A store into a page that came from the disk must not reach the disk. */
	gm_write32(vm, page, 0xdeadbeef);
	ck_assert_uint_eq(disk_request(0, 8, page + 0x4000, 4096, true), 0);
	expect_sector(page + 0x4000, 8);
	ck_assert_uint_eq(disk_request(1, 8, page, 4096, false), 0);
	gm_write32(vm, page, 0x12345678);
	ck_assert_uint_eq(disk_request(0, 8, page + 0x4000, 4096, true), 0);
	gm_read32(vm, page + 0x4000, &word);
	ck_assert_uint_eq(word, 0xdeadbeef);
	ck_assert_uint_eq(disk_request(8, 0, page, 20, true), 0);
	gm_read(vm, page, id, 20);
	ck_assert_str_eq(id, "disco-disk-2");
	ck_assert_uint_eq(disk_stats(disk)->flushes, 0); /* nothing of it outlives the VM */
	ck_assert_uint_eq(disk_request(4, 0, 0, 0, false), 0);
	ck_assert_uint_eq(disk_request(99, 0, page, 512, true), 2);
	ck_assert_uint_eq(disk_request(0, DISK_SECTORS - 1, page, 512, true), 0);
	ck_assert_uint_eq(disk_request(0, DISK_SECTORS - 1, page, 1024, true), 1);
	ck_assert_uint_eq(disk_request(0, UINT64_MAX, page, 512, true), 1);
	ck_assert_uint_eq(disk_request(1, UINT64_MAX / 512 + 1, page, 512, false), 1);
	ck_assert_uint_eq(disk_request(0, 0, page, 511, true), 1);
	ck_assert_uint_eq(reg(BLK, 0x70), 3 | FEATURES_OK | DRIVER_OK);
}
END_TEST

START_TEST(devices_report_what_they_did)
{
	json_t *o = json_object();
	struct device *d = device_find(vm, BOARD_VIRTIO + 0x1000 * BLK, 4);

	start(BLK, 0);
	disk_request(0, 8, BUF + 0x10000, 4096, true);
	disk_request(99, 0, BUF + 0x10000, 4096, true);
	d->ops->stats(d, o);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "reads")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "bytes_read")), 4096);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "errors")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "kicks")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "interrupts")), 2);
	json_decref(o);
}
END_TEST

START_TEST(disk_requests_may_be_cut_anywhere)
{
	uint64_t d = desc_pa(BLK, 0);
	uint8_t status = 0xff;

	start(BLK, 0);
	gm_write32(vm, BUF, 0);
	gm_write64(vm, BUF + 8, 5);
	put_desc(d, 0, BUF, 7, NEXT, 1);
	put_desc(d, 1, BUF + 7, 9, NEXT, 2);
	put_desc(d, 2, BUF + 0x1000, 1024, WRITE | NEXT, 3);
	put_desc(d, 3, BUF + 0x2000, 513, WRITE, 0); /* data and status in one */
	offer(BLK, 0, 0);
	notify(BLK, 0);
	gm_read(vm, BUF + 0x2200, &status, 1);
	ck_assert_uint_eq(status, 0);
	expect_sector(BUF + 0x1000, 5);
	expect_sector(BUF + 0x1200, 6);
	expect_sector(BUF + 0x2000, 7);
	/* But data in whole sectors. */
	put_desc(d, 2, BUF + 0x1000, 256, WRITE | NEXT, 3);
	put_desc(d, 3, BUF + 0x2000, 257, WRITE, 0);
	offer(BLK, 0, 0);
	notify(BLK, 0);
	gm_read(vm, BUF + 0x2100, &status, 1);
	ck_assert_uint_eq(status, 1);
	/* No room for a status: there is no way to answer. */
	start(BLK, 0);
	put_desc(d, 0, BUF, 16, 0, 0);
	offer(BLK, 0, 0);
	notify(BLK, 0);
	ck_assert(reg(BLK, 0x70) & NEEDS_RESET);
	start(BLK, 0);
	put_desc(d, 0, BUF, 15, NEXT, 1);
	put_desc(d, 1, BUF + 16, 1, WRITE, 0);
	offer(BLK, 0, 0);
	notify(BLK, 0);
	ck_assert(reg(BLK, 0x70) & NEEDS_RESET);
}
END_TEST

START_TEST(disk_transfers_stay_in_memory)
{
	uint64_t top = VM_RAM_BASE + FAKE_RAM_BYTES;
	static const uint64_t bad[] = {0, 0x7ffff000, UINT64_MAX - 511, 0x180000000};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		start(BLK, 0);
		disk_request(0, 8, bad[i], 4096, true);
		ck_assert(reg(BLK, 0x70) & NEEDS_RESET);
	}
	start(BLK, 0);
	disk_request(1, 8, top - 512, 1024, false);
	ck_assert(reg(BLK, 0x70) & NEEDS_RESET);
	start(BLK, 0);
	ck_assert_uint_eq(disk_request(0, 8, top - 1024, 1024, true), 0);
	expect_sector(top - 512, 9);
}
END_TEST

START_TEST(read_only_disk_refuses_writes)
{
	ck_assert(reg(BLK, 0x10) & 1 << 5);
	start(BLK, 1 << 5);
	ck_assert_uint_eq(disk_request(1, 8, BUF + 0x1000, 512, false), 1);
	ck_assert_uint_eq(disk_request(0, 8, BUF + 0x1000, 512, true), 0);
	expect_sector(BUF + 0x1000, 8);
}
END_TEST

START_TEST(private_disk_writes_through_unless_flush_is_agreed)
{
	const struct disk_stats *s = disk_stats(disk);

	ck_assert(reg(BLK, 0x10) & 1 << 9);
	start(BLK, 0);
	ck_assert_uint_eq(disk_request(1, 8, BUF + 0x1000, 512, false), 0);
	ck_assert_uint_eq(s->flushes, 1);
	start(BLK, 1 << 9);
	ck_assert_uint_eq(disk_request(1, 8, BUF + 0x1000, 512, false), 0);
	ck_assert_uint_eq(s->flushes, 1);
	ck_assert_uint_eq(disk_request(4, 0, 0, 0, false), 0);
	ck_assert_uint_eq(s->flushes, 2);
}
END_TEST

/* Send a frame of `bytes` from A to B, where n buffers of `room` bytes wait. */
static void send_frame(uint64_t features, uint32_t bytes, unsigned n, uint32_t room)
{
	static const uint8_t head[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00};
	uint64_t frame = BUF + 0x40000;

	start(NET_A, 0);
	start(NET_B, features);
	for (unsigned i = 0; i < n; i++) {
		put_desc(desc_pa(NET_B, 0), i, BUF + 0x10000 + i * 0x4000, room, WRITE, 0);
		offer(NET_B, 0, (uint16_t)i);
	}
	gm_zero(vm, frame, 12);
	gm_write(vm, frame + 12, head, 14);
	for (unsigned i = 14; i < bytes; i++)
		gm_write(vm, frame + 12 + i, &(uint8_t){(uint8_t)(i * 3 + i / 256)}, 1);
	put_desc(desc_pa(NET_A, 1), 0, frame, 12 + bytes, 0, 0);
	offer(NET_A, 1, 0);
	fake_run_phase();
	notify(NET_A, 1);
	fake_boundary();
	subnet_run(subnet, 0);
	ck_assert_uint_eq(used_index(NET_A, 1), 1);
}

START_TEST(net_delivers_over_merged_buffers)
{
	uint8_t byte;
	uint16_t num_buffers;
	uint32_t head, at = 0;

	send_frame(1 << 15, 9000, 4, 4000);
	ck_assert_uint_eq(used_index(NET_B, 0), 3);
	gm_read16(vm, BUF + 0x10000 + 10, &num_buffers);
	ck_assert_uint_eq(num_buffers, 3);
	ck_assert(irq_raised(NET_B));
	ck_assert_uint_eq(used_bytes(NET_B, 0, 1, &head), 4000);
	ck_assert_uint_eq(used_bytes(NET_B, 0, 3, &head), 12 + 9000 - 8000);
	for (unsigned i = 14; i < 9000; i++) {
		at = i + 12;
		gm_read(vm, BUF + 0x10000 + at / 4000 * 0x4000 + at % 4000, &byte, 1);
		ck_assert_uint_eq(byte, (uint8_t)(i * 3 + i / 256));
	}
}
END_TEST

START_TEST(net_drops_what_does_not_fit)
{
	send_frame(1 << 15, 9000, 2, 4000); /* 8000 bytes of room */
	ck_assert_uint_eq(used_index(NET_B, 0), 0);
	offer(NET_B, 0, 2); /* the two are still the device's: one more makes it fit */
	put_desc(desc_pa(NET_B, 0), 2, BUF + 0x18000, 4000, WRITE, 0);
	offer(NET_A, 1, 0);
	notify(NET_A, 1);
	subnet_run(subnet, 0);
	ck_assert_uint_eq(used_index(NET_B, 0), 3);

	send_frame(0, 1500, 4, 1000); /* not merging */
	ck_assert_uint_eq(used_index(NET_B, 0), 0);
	send_frame(0, 900, 4, 1000);
	ck_assert_uint_eq(used_index(NET_B, 0), 1);
	send_frame(0, 900, 1, 8);
	ck_assert(reg(NET_B, 0x70) & NEEDS_RESET);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio-devices");
	TCase *shared = tcase_create("shared");
	TCase *ro = tcase_create("ro");
	TCase *own = tcase_create("own");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(shared, setup, teardown);
	tcase_add_checked_fixture(ro, setup_ro, teardown);
	tcase_add_checked_fixture(own, setup_private, teardown);
	suite_add_tcase(s, shared);
	suite_add_tcase(s, ro);
	suite_add_tcase(s, own);
	tcase_add_test(shared, rng_is_a_function_of_the_seed);
	tcase_add_test(shared, console_moves_both_ways);
	tcase_add_test(shared, disk_reads_and_writes);
	tcase_add_test(shared, devices_report_what_they_did);
	tcase_add_test(shared, disk_requests_may_be_cut_anywhere);
	tcase_add_test(shared, disk_transfers_stay_in_memory);
	tcase_add_test(ro, read_only_disk_refuses_writes);
	tcase_add_test(own, private_disk_writes_through_unless_flush_is_agreed);
	tcase_add_test(shared, net_delivers_over_merged_buffers);
	tcase_add_test(shared, net_drops_what_does_not_fit);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
