// SPDX-License-Identifier: MIT
/*
 * The board that tests of virtio use: one device of each kind and a second of some, over a real
 * disk image and subnet. Included by one C file of a program.
 */
#ifndef TESTS_VIRTIO_BOARD_H
#define TESTS_VIRTIO_BOARD_H

#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "sharing/share.h"
#include "tests/small-machine.h"
#include "tests/virtio-driver.h"

/* The board of these tests: what is in which slot. */
enum { RNG, CON, BLK, NET_A, NET_B, RNG2 };
enum { DISK_SECTORS = 512 };

static unsigned board_share; /* ways of sharing that are on */
static struct vm *vm;
static struct stream *stream;
static struct subnet *subnet;
static struct image_cache *images;
static struct disk *disk; /* in slot BLK */
static char disk_file[] = "/tmp/disco-test-XXXXXX";

static inline uint32_t disk_word(uint64_t sector, unsigned i)
{
	return (uint32_t)(sector * 1000 + i);
}

static inline void make_disk(void)
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

static inline void setup_board(enum disk_mode mode)
{
	static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	vm = fake_vm_create(false, 16 << 20);
	fake.cluster.share = board_share;
	plic_create(vm);
	for (unsigned irq = 1; irq <= BOARD_VIRTIO_SLOTS; irq++)
		mmio_write(BOARD_PLIC + 4 * irq, 4, 1);
	mmio_write(BOARD_PLIC + 0x2000, 4, UINT32_MAX);
	stream = stream_create();
	subnet = subnet_create(fake.cluster.mem, NULL);
	images = image_cache_create(fake.cluster.mem);
	make_disk();
	ck_assert_int_eq(disk_open(images, disk_file, mode, OWNER_DISK, &disk), 0);
	virtio_rng_create(vm, RNG);
	virtio_console_create(vm, CON, stream);
	virtio_blk_create(vm, BLK, disk);
	virtio_net_create(vm, NET_A, subnet, mac[0]);
	virtio_net_create(vm, NET_B, subnet, mac[1]);
	virtio_rng_create(vm, RNG2);
}

static inline void setup(void)
{
	setup_board(DISK_SHARED);
}

static inline void setup_ro(void)
{
	setup_board(DISK_RO);
}

static inline void setup_private(void)
{
	setup_board(DISK_PRIVATE);
}

static inline void teardown(void)
{
	fake_devices_destroy();
	image_cache_destroy(images);
	subnet_destroy(subnet);
	stream_destroy(stream);
	memory_check(fake.cluster.mem);
	fake_vm_destroy();
	unlink(disk_file);
}

static inline bool irq_raised(unsigned slot)
{
	return mmio_read(BOARD_PLIC + 0x1000, 4) >> (BOARD_IRQ_VIRTIO + slot) & 1;
}

/* Ask the entropy device in `slot` for n bytes: does it still work? */
static inline void ask_rng(unsigned slot, uint32_t n)
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

#endif
