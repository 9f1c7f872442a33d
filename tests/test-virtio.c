// SPDX-License-Identifier: MIT
/*
 * The virtio transport, rings and devices, driven by hand: what the specification asks for, and
 * everything a hostile guest may do instead. A broken ring must cost the guest that device until it
 * is reset, and nothing else.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/virtio-driver.h"

/* The board of these tests: what is in which slot. */
enum { RNG, CON, BLK, NET_A, NET_B, RNG2 };
enum { DISK_SECTORS = 512 };

static struct vm *vm;
static struct stream *stream;
static struct subnet *subnet;
static struct image_cache *images;
static struct disk *disk; /* in slot BLK */
static char disk_file[] = "/tmp/disco-test-XXXXXX";

static uint32_t disk_word(uint64_t sector, unsigned i)
{
	return (uint32_t)(sector * 1000 + i);
}

static void make_disk(void)
{
	int fd = mkstemp(strcpy(disk_file, "/tmp/disco-test-XXXXXX"));
	uint32_t word[128];

	ck_assert_int_ge(fd, 0);
	for (unsigned s = 0; s < DISK_SECTORS; s++) {
		for (unsigned i = 0; i < 128; i++)
			word[i] = disk_word(s, i);
		ck_assert_int_eq(write(fd, word, sizeof(word)), sizeof(word));
	}
	close(fd);
}

static void setup_board(enum disk_mode mode)
{
	static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	vm = fake_vm_create(false, 16 << 20);
	plic_create(vm);
	for (unsigned irq = 1; irq <= BOARD_VIRTIO_SLOTS; irq++)
		mmio_write(BOARD_PLIC + 4 * irq, 4, 1);
	mmio_write(BOARD_PLIC + 0x2000, 4, UINT32_MAX);
	stream = stream_create();
	subnet = subnet_create();
	images = image_cache_create(fake.cluster.mem);
	make_disk();
	ck_assert_int_eq(disk_open(images, disk_file, mode, 0xc0000000, &disk), 0);
	virtio_rng_create(vm, RNG);
	virtio_console_create(vm, CON, stream);
	virtio_blk_create(vm, BLK, disk);
	virtio_net_create(vm, NET_A, subnet, mac[0]);
	virtio_net_create(vm, NET_B, subnet, mac[1]);
	virtio_rng_create(vm, RNG2);
}

static void setup(void)
{
	setup_board(DISK_SHARED);
}

static void setup_ro(void)
{
	setup_board(DISK_RO);
}

static void setup_private(void)
{
	setup_board(DISK_PRIVATE);
}

static void teardown(void)
{
	fake_devices_destroy();
	image_cache_destroy(images);
	subnet_destroy(subnet);
	stream_destroy(stream);
	memory_check(fake.cluster.mem);
	fake_vm_destroy();
	unlink(disk_file);
}

static bool irq_raised(unsigned slot)
{
	return mmio_read(BOARD_PLIC + 0x1000, 4) >> (BOARD_IRQ_VIRTIO + slot) & 1;
}

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
	negotiate(RNG, 0);
	ck_assert_uint_eq(reg(RNG, 0x70), 3);
	negotiate(RNG, VIRTIO_F_VERSION_1 | 1 << 5);
	ck_assert_uint_eq(reg(RNG, 0x70), 3);
	negotiate(RNG, VIRTIO_F_VERSION_1 | 1ull << 33);
	ck_assert_uint_eq(reg(RNG, 0x70), 3);
	negotiate(RNG, VIRTIO_F_VERSION_1 | VIRTIO_F_RING_EVENT_IDX);
	ck_assert_uint_eq(reg(RNG, 0x70), 3 | FEATURES_OK);
}
END_TEST

/* Ask the entropy device in `slot` for n bytes: does it still work? */
static void ask_rng(unsigned slot, uint32_t n)
{
	uint32_t head;
	uint16_t index = used_index(slot, 0);

	put_desc(desc_pa(slot, 0), 0, BUF + 0x1000 * slot, n, WRITE, 0);
	offer(slot, 0, 0);
	notify(slot, 0);
	ck_assert_uint_eq(used_index(slot, 0), (uint16_t)(index + 1));
	ck_assert_uint_eq(used_bytes(slot, 0, (uint16_t)(index + 1), &head), n);
	ck_assert_uint_eq(head, 0);
}

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
	/* Stays so, whatever the driver does, and hurts nobody else. */
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
	subnet = subnet_create();
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

/* ---- devices ---- */

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
	subnet_run(subnet);
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
	subnet_run(subnet);
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
	Suite *s = suite_create("virtio");
	TCase *shared = tcase_create("shared"), *ro = tcase_create("ro"),
	      *own = tcase_create("private");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(shared, setup, teardown);
	tcase_add_checked_fixture(ro, setup_ro, teardown);
	tcase_add_checked_fixture(own, setup_private, teardown);
	tcase_set_timeout(shared, 60);
	suite_add_tcase(s, shared);
	suite_add_tcase(s, ro);
	suite_add_tcase(s, own);
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
