// SPDX-License-Identifier: MIT
/*
 * A minimal virtio driver for tests of the devices: it builds rings in guest memory by hand, so
 * that it can build wrong ones too. Each device (slot) has its rings at a place of its own.
 */
#ifndef TESTS_VIRTIO_DRIVER_H
#define TESTS_VIRTIO_DRIVER_H

#include "monitor/dev/virtio.h"
#include "tests/fake-vm.h"

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };
enum { QUEUE_SIZE = 8 };
/* Scratch memory for buffers: 1 MiB and up of guest memory. */
#define BUF (VM_RAM_BASE + 0x100000)

static inline uint32_t reg(unsigned slot, unsigned offset)
{
	return (uint32_t)mmio_read(BOARD_VIRTIO + 0x1000 * slot + offset, 4);
}

static inline void set_reg(unsigned slot, unsigned offset, uint32_t value)
{
	mmio_write(BOARD_VIRTIO + 0x1000 * slot + offset, 4, value);
}

static inline uint64_t desc_pa(unsigned slot, unsigned queue)
{
	return VM_RAM_BASE + 0x10000 * (slot + 1) + 0x4000 * queue;
}

static inline uint64_t avail_pa(unsigned slot, unsigned queue)
{
	return desc_pa(slot, queue) + 0x1000;
}

static inline uint64_t used_pa(unsigned slot, unsigned queue)
{
	return desc_pa(slot, queue) + 0x2000;
}

static inline void negotiate(unsigned slot, uint64_t features)
{
	set_reg(slot, 0x70, 0);
	set_reg(slot, 0x70, 1);
	set_reg(slot, 0x70, 3);
	set_reg(slot, 0x24, 0);
	set_reg(slot, 0x20, (uint32_t)features);
	set_reg(slot, 0x24, 1);
	set_reg(slot, 0x20, (uint32_t)(features >> 32));
	set_reg(slot, 0x70, 3 | FEATURES_OK);
}

static inline void place_queue(
	unsigned slot, unsigned queue, uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	set_reg(slot, 0x30, queue);
	set_reg(slot, 0x38, size);
	set_reg(slot, 0x80, (uint32_t)desc);
	set_reg(slot, 0x84, (uint32_t)(desc >> 32));
	set_reg(slot, 0x90, (uint32_t)avail);
	set_reg(slot, 0x94, (uint32_t)(avail >> 32));
	set_reg(slot, 0xa0, (uint32_t)used);
	set_reg(slot, 0xa4, (uint32_t)(used >> 32));
	set_reg(slot, 0x44, 1);
}

/* Bring a device up with all its queues empty. */
static inline void start(unsigned slot, uint64_t features)
{
	negotiate(slot, features | VIRTIO_F_VERSION_1);
	gm_zero(&fake.vm, desc_pa(slot, 0), 0x8000);
	for (unsigned q = 0; q < 2; q++)
		place_queue(
			slot, q, QUEUE_SIZE, desc_pa(slot, q), avail_pa(slot, q), used_pa(slot, q));
	set_reg(slot, 0x70, 3 | FEATURES_OK | DRIVER_OK);
}

static inline void put_desc(
	uint64_t table, unsigned i, uint64_t pa, uint32_t bytes, uint16_t flags, uint16_t next)
{
	gm_write64(&fake.vm, table + 16 * i, pa);
	gm_write32(&fake.vm, table + 16 * i + 8, bytes);
	gm_write16(&fake.vm, table + 16 * i + 12, flags);
	gm_write16(&fake.vm, table + 16 * i + 14, next);
}

/* Make a chain available; returns the new index. */
static inline uint16_t offer(unsigned slot, unsigned queue, uint16_t head)
{
	uint16_t index = 0;

	gm_read16(&fake.vm, avail_pa(slot, queue) + 2, &index);
	gm_write16(&fake.vm, avail_pa(slot, queue) + 4 + 2 * (index % QUEUE_SIZE), head);
	gm_write16(&fake.vm, avail_pa(slot, queue) + 2, ++index);
	return index;
}

static inline void notify(unsigned slot, unsigned queue)
{
	set_reg(slot, 0x50, queue);
}

static inline uint16_t used_index(unsigned slot, unsigned queue)
{
	uint16_t index = 0;

	gm_read16(&fake.vm, used_pa(slot, queue) + 2, &index);
	return index;
}

/* The used element that made the index `index`. */
static inline uint32_t used_bytes(unsigned slot, unsigned queue, uint16_t index, uint32_t *head)
{
	uint64_t at = used_pa(slot, queue) + 4 + 8 * ((index - 1u) % QUEUE_SIZE);
	uint32_t bytes = 0;

	gm_read32(&fake.vm, at, head);
	gm_read32(&fake.vm, at + 4, &bytes);
	return bytes;
}

#endif
