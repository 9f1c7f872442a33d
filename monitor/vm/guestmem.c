// SPDX-License-Identifier: MIT
/*
 * Guest memory as devices see it. One walk, page by page through the pmap, serves reading, writing,
 * zeroing and touching, so the rules (bounds first, first touch, copy-on-write, telling the engine
 * that decoded code may be stale and the memory model of the lines) are in one place.
 */
#include <errno.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/vm/guestmem.h"
#include "monitor/vm/engine.h"

enum access { READ, PEEK, WRITE, ZERO, TOUCH_READ, TOUCH_WRITE };

bool gm_valid(const struct vm *vm, uint64_t pa, uint64_t bytes)
{
	const struct board *b = vm->board;
	uint64_t low = MIN(vm->ram_bytes, b->ram_gap - b->ram_base), high = vm->ram_bytes - low;

	if (pa < b->ram_gap)
		return pa >= b->ram_base && bytes <= low && pa - b->ram_base <= low - bytes;
	return pa >= b->ram_high && bytes <= high && pa - b->ram_high <= high - bytes;
}

uint64_t gm_offset(const struct vm *vm, uint64_t pa)
{
	const struct board *b = vm->board;

	return pa < b->ram_gap ? pa - b->ram_base : pa - b->ram_high + (b->ram_gap - b->ram_base);
}

uint32_t gm_ppn(const struct vm *vm, uint64_t pa)
{
	return (uint32_t)(gm_offset(vm, pa) >> PAGE_SHIFT);
}

/* `buf` is written for READ and PEEK, read for WRITE, unused otherwise. */
static int walk(struct vm *vm, uint64_t pa, uint8_t *buf, uint64_t bytes, enum access access)
{
	bool store = access == WRITE || access == ZERO || access == TOUCH_WRITE;
	unsigned node = vm_home_node(vm);

	if (!gm_valid(vm, pa, bytes))
		return -EFAULT;
	for (uint64_t at = gm_offset(vm, pa), left = bytes, n; left; at += n, left -= n) {
		uint32_t ppn = (uint32_t)(at >> PAGE_SHIFT);
		uint64_t in_page = at & (PAGE_SIZE - 1);
		uint8_t *byte;
		void *host;
		bool writable;
		int err = pmap_fault(vm->pmap, ppn, node, store, &host, &writable);

		if (err)
			return err;
		n = MIN(left, PAGE_SIZE - in_page);
		byte = (uint8_t *)host + in_page;
		if (access == READ || access == PEEK) {
			memcpy(buf, byte, n);
			buf += n;
		} else if (access == WRITE) {
			memcpy(byte, buf, n);
			buf += n;
		} else if (access == ZERO) {
			memset(byte, 0, n);
		}
		if (access == WRITE || access == ZERO)
			vm->cluster->engine->page_written(vm, ppn);
		if (access == READ || access == WRITE || access == ZERO)
			memory_dma(vm->cluster->mem, vm->id, byte, n, access != READ);
	}
	return 0;
}

int gm_read(struct vm *vm, uint64_t pa, void *buf, uint64_t bytes)
{
	return walk(vm, pa, buf, bytes, READ);
}

int gm_write(struct vm *vm, uint64_t pa, const void *buf, uint64_t bytes)
{
	return walk(vm, pa, (uint8_t *)buf, bytes, WRITE);
}

int gm_zero(struct vm *vm, uint64_t pa, uint64_t bytes)
{
	return walk(vm, pa, NULL, bytes, ZERO);
}

int gm_touch(struct vm *vm, uint64_t pa, uint64_t bytes, bool write)
{
	return walk(vm, pa, NULL, bytes, write ? TOUCH_WRITE : TOUCH_READ);
}

/* The host is little-endian, as the guest is: x86-64 and arm64 are all the monitor runs on. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "guest scalars are copied as they are");

int gm_read16(struct vm *vm, uint64_t pa, uint16_t *v)
{
	return gm_read(vm, pa, v, sizeof(*v));
}

int gm_read32(struct vm *vm, uint64_t pa, uint32_t *v)
{
	return gm_read(vm, pa, v, sizeof(*v));
}

int gm_read64(struct vm *vm, uint64_t pa, uint64_t *v)
{
	return gm_read(vm, pa, v, sizeof(*v));
}

int gm_peek64(struct vm *vm, uint64_t pa, uint64_t *v)
{
	return walk(vm, pa, (uint8_t *)v, sizeof(*v), PEEK);
}

int gm_write16(struct vm *vm, uint64_t pa, uint16_t v)
{
	return gm_write(vm, pa, &v, sizeof(v));
}

int gm_write32(struct vm *vm, uint64_t pa, uint32_t v)
{
	return gm_write(vm, pa, &v, sizeof(v));
}

int gm_write64(struct vm *vm, uint64_t pa, uint64_t v)
{
	return gm_write(vm, pa, &v, sizeof(v));
}
