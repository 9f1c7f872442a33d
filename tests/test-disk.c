// SPDX-License-Identifier: MIT
/*
 * Images and disks: what is mapped and what is copied, who sees whose writes, what reaches the
 * file, what is refused; and random transfers of every alignment against a model.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sharing/disk.h"
#include "tests/small-machine.h"

enum { BLOCKS = 40, IMAGE_BYTES = BLOCKS * PAGE_SIZE + 1024, VM_PAGES = 64 };
/* Of a disk that is no private one: the file and zeroes to the end of a block. */
enum { DISK_BYTES = (BLOCKS + 1) * PAGE_SIZE };

static char dir[] = "/tmp/disco-test-disk-XXXXXX";
static char *path;
static uint8_t content[IMAGE_BYTES];
static struct memory *mem;
static struct image_cache *cache;
static struct pmap *vm[2];
static unsigned shootdowns;

static void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	(void)engine;
	(void)ppn;
	(void)old;
	shootdowns++;
}

static const struct pmap_ops ops = {.shootdown = shoot};

static void put(const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

static void start(uint32_t frames)
{
	uint64_t seed = 5;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = xasprintf("%s/disk", dir);
	for (unsigned i = 0; i < IMAGE_BYTES; i++)
		content[i] = (uint8_t)splitmix64(&seed);
	put(content, sizeof(content));
	mem = SMALL_MEMORY(frames, frames);
	cache = image_cache_create(mem);
	for (unsigned v = 0; v < 2; v++)
		vm[v] = pmap_create(mem, v, VM_PAGES, &ops, NULL);
}

static void setup(void)
{
	start(500);
}

static void setup_tight(void)
{
	start(60);
}

/* Everything must come back. */
static void teardown(void)
{
	struct memory_usage u;

	pmap_destroy(vm[0]);
	pmap_destroy(vm[1]);
	image_cache_destroy(cache);
	memory_check(mem);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.free, u.total);
	memory_destroy(mem);
	unlink(path);
	rmdir(dir);
	free(path);
}

static struct disk *open_disk(enum disk_mode mode, unsigned n)
{
	struct disk *d = NULL;

	ck_assert_int_eq(disk_open(cache, path, mode, OWNER_DISK | n, &d), 0);
	ck_assert_int_eq(disk_mode(d), mode);
	ck_assert_str_eq(disk_path(d), path);
	return d;
}

static uint8_t *guest(unsigned v, uint64_t pa, bool write)
{
	bool writable;
	void *host;

	ck_assert_int_eq(
		pmap_fault(vm[v], (uint32_t)(pa >> PAGE_SHIFT), 0, write, &host, &writable), 0);
	return (uint8_t *)host + (pa & (PAGE_SIZE - 1));
}

static int transfer(
	struct disk *d, unsigned v, bool write, uint64_t sector, uint64_t pa, uint32_t bytes)
{
	struct disk_segment seg = {.pa_offset = pa, .bytes = bytes};

	return write ? disk_write(d, vm[v], 0, sector, &seg, 1)
		     : disk_read(d, vm[v], 0, sector, &seg, 1);
}

static uint32_t mapped_at(unsigned v, uint32_t ppn)
{
	return pmap_entry(vm[v], ppn)->mpn;
}

static void check_all(void)
{
	memory_check(mem);
	pmap_check(vm[0]);
	pmap_check(vm[1]);
}

/* ---- images ------------------------------------------------------------------------------ */

START_TEST(an_image_is_read_once_and_opened_once)
{
	struct image *a, *b;
	char *other = xasprintf("%s/./disk", dir);
	uint32_t mpn, again;
	bool was;

	ck_assert_int_eq(image_open(cache, path, FRAME_TEXT, &a), 0);
	ck_assert_int_eq(image_open(cache, other, FRAME_TEXT, &b), 0);
	ck_assert_ptr_eq(a, b);
	ck_assert_uint_eq(image_bytes(a), IMAGE_BYTES);
	ck_assert_int_eq(image_block(a, 3, 1, &mpn, &was), 0);
	ck_assert(!was);
	ck_assert_uint_eq(frame_node(mem, mpn), 1);
	ck_assert_int_eq(frame_kind(mem, mpn), FRAME_TEXT);
	ck_assert_int_eq(image_block(b, 3, 0, &again, &was), 0);
	ck_assert(was);
	ck_assert_uint_eq(again, mpn);
	ck_assert_mem_eq(frame_data(mem, mpn), content + 3 * PAGE_SIZE, PAGE_SIZE);
	ck_assert_uint_eq(image_stats(a)->blocks_read, 1);
	ck_assert_uint_eq(image_stats(a)->hits, 1);
	ck_assert_uint_eq(image_stats(a)->blocks_cached, 1);
	image_close(b);
	ck_assert_int_eq(frame_kind(mem, mpn), FRAME_TEXT);
	image_close(a);
	ck_assert_int_eq(frame_kind(mem, mpn), FRAME_FREE);
	free(other);
}
END_TEST

START_TEST(the_last_block_is_padded_with_zeroes)
{
	struct image *img, *bytes;
	static const uint8_t zero[PAGE_SIZE];
	uint32_t mpn;
	uint8_t buf[700];

	/* Have dirty frames lie about. */
	memset(guest(0, 0, true), 0xff, PAGE_SIZE);
	pmap_drop(vm[0], 0);
	ck_assert_int_eq(image_open(cache, path, FRAME_CACHE, &img), 0);
	ck_assert_int_eq(image_block(img, BLOCKS, 0, &mpn, NULL), 0);
	ck_assert_mem_eq(frame_data(mem, mpn), content + BLOCKS * PAGE_SIZE, 1024);
	ck_assert_mem_eq((uint8_t *)frame_data(mem, mpn) + 1024, zero, PAGE_SIZE - 1024);
	ck_assert_int_eq(image_block(img, BLOCKS + 1, 0, &mpn, NULL), -ERANGE);
	ck_assert_int_eq(image_block(img, UINT32_MAX, 0, &mpn, NULL), -ERANGE);

	ck_assert_int_eq(image_read(img, 5000, buf, sizeof(buf)), 0);
	ck_assert_mem_eq(buf, content + 5000, sizeof(buf));
	ck_assert_int_eq(image_read(img, IMAGE_BYTES - 700, buf, 700), 0);
	ck_assert_int_eq(image_read(img, IMAGE_BYTES - 699, buf, 700), -ERANGE);
	ck_assert_int_eq(image_read(img, UINT64_MAX, buf, 700), -ERANGE);
	ck_assert_int_eq(image_read(img, 1, buf, UINT64_MAX), -ERANGE);
	ck_assert_uint_eq(image_stats(img)->blocks_cached, 1);

	bytes = image_from_bytes(cache, "blob", content, 5000, FRAME_TEXT);
	ck_assert_str_eq(image_name(bytes), "blob");
	ck_assert_int_eq(image_block(bytes, 1, 0, &mpn, NULL), 0);
	ck_assert_mem_eq(frame_data(mem, mpn), content + PAGE_SIZE, 5000 - PAGE_SIZE);
	ck_assert_mem_eq((uint8_t *)frame_data(mem, mpn) + 904, zero, PAGE_SIZE - 904);
	ck_assert_int_eq(image_block(bytes, 2, 0, &mpn, NULL), -ERANGE);
	image_close(bytes);
	bytes = image_from_bytes(cache, "nothing", "", 0, FRAME_TEXT);
	ck_assert_int_eq(image_block(bytes, 0, 0, &mpn, NULL), -ERANGE);
	image_close(bytes);
	image_close(img);
}
END_TEST

START_TEST(a_file_that_shrinks_is_an_io_error)
{
	struct image *img;
	uint32_t mpn;

	ck_assert_int_eq(image_open(cache, path, FRAME_CACHE, &img), 0);
	ck_assert_int_eq(truncate(path, 2 * PAGE_SIZE + 100), 0);
	ck_assert_int_eq(image_block(img, 1, 0, &mpn, NULL), -EIO);
	ck_assert_int_eq(image_block(img, 2, 0, &mpn, NULL), -EIO);
	ck_assert_int_eq(image_block(img, 7, 0, &mpn, NULL), -EIO);
	ck_assert_uint_eq(image_stats(img)->blocks_cached, 0);
	memory_check(mem);
	image_close(img);
}
END_TEST

/* What is in memory stays as it was; a mixture of two files is never seen. */
START_TEST(a_file_that_is_rewritten_is_an_io_error)
{
	const struct timespec now[2] = {{1000000000, 5}, {1000000000, 5}};
	struct disk *d;
	int fd;

	ck_assert_int_eq(utimensat(AT_FDCWD, path, now, 0), 0);
	d = open_disk(_i ? DISK_RO : DISK_SHARED, 0);
	disk_set_sharing(d, _i != 2);
	ck_assert_int_eq(transfer(d, 0, false, 8, 0, PAGE_SIZE), 0);
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "new", 3, 3 * PAGE_SIZE), 3);
	close(fd);
	ck_assert_int_eq(transfer(d, 0, false, 24, 1 << 12, PAGE_SIZE), -EIO);
	ck_assert_int_eq(transfer(d, 0, false, 32, 1 << 12, PAGE_SIZE), -EIO);
	ck_assert_int_eq(transfer(d, 0, false, 8, 1 << 12, PAGE_SIZE), _i == 2 ? -EIO : 0);
	ck_assert_mem_eq(guest(0, 0, false), content + PAGE_SIZE, PAGE_SIZE);
	disk_close(d);
}
END_TEST

/* No byte of a file is out of a guest's reach, whatever its length. */
START_TEST(odd_lengths_end_in_zeroes)
{
	static const unsigned bytes[] = {1, 511, 513, 1000, 4097, 8191};
	static const uint8_t zero[PAGE_SIZE];
	const unsigned n = bytes[_i / 2], last = n / PAGE_SIZE;
	struct disk *d;

	ck_assert_int_eq(truncate(path, n), 0);
	d = open_disk(DISK_SHARED, 0);
	disk_set_sharing(d, _i % 2);
	ck_assert_uint_eq(disk_sectors(d), 8 * (last + 1));
	memset(guest(0, 0, true), 0xff, PAGE_SIZE);
	for (unsigned s = 0; s < 8; s++) /* each of the last block's by itself */
		ck_assert_int_eq(transfer(d, 0, false, 8 * last + s, 512 * s, 512), 0);
	ck_assert_mem_eq(guest(0, 0, false), content + last * PAGE_SIZE, n % PAGE_SIZE);
	ck_assert_mem_eq(guest(0, n % PAGE_SIZE, false), zero, PAGE_SIZE - n % PAGE_SIZE);
	ck_assert_int_eq(transfer(d, 0, true, 8 * last + 7, 0, 512), 0);
	ck_assert_int_eq(transfer(d, 0, false, 8 * last + 7, 1 << 12, 512), 0);
	ck_assert_mem_eq(
		guest(0, 1 << 12, false), content + last * PAGE_SIZE, MIN(n % PAGE_SIZE, 512u));
	ck_assert_int_eq(transfer(d, 0, false, 8 * last + 8, 0, 512), -ERANGE);
	disk_close(d);
}
END_TEST

START_TEST(what_cannot_be_opened_is_refused)
{
	struct image *img = NULL;
	struct disk *d = NULL;
	char *missing = xasprintf("%s/missing", dir);

	ck_assert_int_eq(image_open(cache, missing, FRAME_TEXT, &img), -ENOENT);
	ck_assert_int_eq(image_open(cache, dir, FRAME_TEXT, &img), -EINVAL);
	ck_assert_int_eq(image_open(cache, "/dev/zero", FRAME_TEXT, &img), -EINVAL);
	for (unsigned mode = DISK_SHARED; mode <= DISK_RO; mode++)
		ck_assert_int_eq(disk_open(cache, missing, mode, OWNER_DISK, &d), -ENOENT);
	ck_assert_int_eq(disk_open(cache, dir, DISK_PRIVATE, OWNER_DISK, &d), -EISDIR);
	ck_assert_int_eq(truncate(path, 1000), 0);
	ck_assert_int_eq(disk_open(cache, path, DISK_PRIVATE, OWNER_DISK, &d), -EINVAL);
	ck_assert_int_eq(disk_open(cache, path, DISK_SHARED, OWNER_DISK, &d), 0);
	ck_assert_uint_eq(disk_sectors(d), 8);
	disk_close(d);
	ck_assert_int_eq(truncate(path, 0), 0);
	for (unsigned mode = DISK_SHARED; mode <= DISK_RO; mode++)
		ck_assert_int_eq(disk_open(cache, path, mode, OWNER_DISK, &d), -EINVAL);
	ck_assert_int_eq(image_open(cache, path, FRAME_TEXT, &img), -EINVAL);
	free(missing);
}
END_TEST

START_TEST(memory_pressure_evicts_only_unmapped_blocks)
{
	struct disk *d = open_disk(DISK_RO, 0);
	struct image *img;
	uint32_t keep;

	/* 120 frames: the image takes 41, the two VMs want 64 and 30 pages, 3 of them mapped. */
	for (uint32_t b = 0; b < BLOCKS; b++)
		ck_assert_int_eq(transfer(d, 0, false, b * 8ull, b % 3 << 12, PAGE_SIZE), 0);
	ck_assert_int_eq(image_open(cache, path, FRAME_CACHE, &img), 0);
	ck_assert_uint_eq(image_stats(img)->blocks_cached, BLOCKS);
	keep = mapped_at(0, 1);
	for (uint32_t ppn = 3; ppn < VM_PAGES; ppn++)
		*guest(0, ppn << 12, true) = 1;
	for (uint32_t ppn = 0; ppn < 30; ppn++)
		*guest(1, ppn << 12, true) = 1;
	ck_assert_uint_lt(image_stats(img)->blocks_cached, BLOCKS);
	ck_assert_uint_ge(image_stats(img)->blocks_cached, 3);
	ck_assert_uint_eq(mapped_at(0, 1), keep);
	ck_assert_mem_eq(guest(0, 1 << 12, false), content + 37 * PAGE_SIZE, PAGE_SIZE);
	check_all();
	/* Evicted blocks can be read again, in place of others. */
	for (uint32_t b = 0; b < BLOCKS; b++) {
		ck_assert_int_eq(transfer(d, 0, false, b * 8ull, 0, PAGE_SIZE), 0);
		ck_assert_mem_eq(guest(0, 0, false), content + b * PAGE_SIZE, PAGE_SIZE);
	}
	check_all();
	image_close(img);
	disk_close(d);
}
END_TEST

/* ---- shared disks ------------------------------------------------------------------------ */

START_TEST(whole_pages_are_mapped_by_all_from_one_frame)
{
	struct disk *a = open_disk(DISK_SHARED, 0), *b = open_disk(DISK_SHARED, 1);
	struct disk_segment seg[2] = {{5 << 12, 2 * PAGE_SIZE}, {9 << 12, PAGE_SIZE}};

	ck_assert_uint_eq(disk_sectors(a), DISK_BYTES / 512);
	ck_assert_int_eq(disk_read(a, vm[0], 0, 16, seg, 2), 0);
	ck_assert_int_eq(disk_read(b, vm[1], 1, 16, seg, 2), 0);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t ppn = i < 2 ? 5 + i : 9;

		ck_assert_uint_eq(mapped_at(0, ppn), mapped_at(1, ppn));
		ck_assert_mem_eq(
			guest(1, ppn << 12, false), content + (2 + i) * PAGE_SIZE, PAGE_SIZE);
		ck_assert_uint_eq(pmap_entry(vm[0], ppn)->kind, FRAME_CACHE);
	}
	ck_assert_uint_eq(disk_stats(a)->pages_filled, 3);
	ck_assert_uint_eq(disk_stats(a)->pages_mapped, 0);
	ck_assert_uint_eq(disk_stats(b)->pages_filled, 0);
	ck_assert_uint_eq(disk_stats(b)->pages_mapped, 3);
	ck_assert_uint_eq(disk_stats(b)->bytes_copied, 0);
	ck_assert_uint_eq(disk_stats(b)->bytes_read, 3 * PAGE_SIZE);
	ck_assert_uint_eq(disk_stats(b)->reads, 1);

	/* A store makes a copy; the disk and the other VM are as before. */
	*guest(0, 5 << 12, true) ^= 0xff;
	ck_assert_uint_ne(mapped_at(0, 5), mapped_at(1, 5));
	ck_assert_mem_eq(guest(1, 5 << 12, false), content + 2 * PAGE_SIZE, PAGE_SIZE);
	check_all();
	disk_close(a);
	disk_close(b);
}
END_TEST

START_TEST(without_sharing_a_read_leaves_only_the_guests_copy)
{
	struct disk *a = open_disk(DISK_SHARED, 0), *b = open_disk(DISK_SHARED, 1);
	struct disk_segment seg = {5 << 12, 2 * PAGE_SIZE};
	struct memory_usage u;

	disk_set_sharing(a, false);
	disk_set_sharing(b, false);
	ck_assert_int_eq(disk_read(a, vm[0], 0, 16, &seg, 1), 0);
	ck_assert_int_eq(disk_read(b, vm[1], 0, 16, &seg, 1), 0);
	ck_assert_int_eq(disk_write(b, vm[1], 0, 0, &seg, 1), 0);
	for (unsigned v = 0; v < 2; v++) {
		ck_assert_mem_eq(guest(v, 5 << 12, false), content + 2 * PAGE_SIZE, 2 * PAGE_SIZE);
		ck_assert_uint_eq(pmap_entry(vm[v], 5)->kind, FRAME_PRIVATE);
	}
	ck_assert_uint_ne(mapped_at(0, 5), mapped_at(1, 5));
	ck_assert_uint_eq(disk_stats(a)->bytes_copied, 2 * PAGE_SIZE);
	ck_assert_uint_eq(disk_stats(a)->pages_filled + disk_stats(a)->pages_mapped, 0);
	memory_usage(mem, -1, &u);
	ck_assert_uint_eq(u.kind[FRAME_CACHE], 0);
	ck_assert_uint_eq(u.kind[FRAME_PRIVATE], 4);
	ck_assert_uint_eq(u.kind[FRAME_DISK], 2); /* what b wrote */
	check_all();
	disk_close(a);
	disk_close(b);
}
END_TEST

START_TEST(each_vm_sees_only_its_own_writes)
{
	struct disk *d[2] = {open_disk(DISK_SHARED, 0), open_disk(DISK_SHARED, 1)};
	uint8_t file[IMAGE_BYTES];
	uint32_t kept;
	int fd;

	for (unsigned v = 0; v < 2; v++) {
		memset(guest(v, 1 << 12, true), 0x10 + (int)v, PAGE_SIZE);
		kept = mapped_at(v, 1);
		ck_assert_int_eq(transfer(d[v], v, true, 8, 1 << 12, PAGE_SIZE), 0);
		/* The disk keeps the guest's own frame. */
		ck_assert_uint_eq(mapped_at(v, 1), kept);
		ck_assert_int_eq(frame_kind(mem, kept), FRAME_DISK);
		ck_assert_uint_eq(disk_stats(d[v])->bytes_copied, 0);
		ck_assert_uint_eq(disk_stats(d[v])->pages_private, 1);
	}
	/* What the guest does to its page after the write is not on the disk. */
	memset(guest(0, 1 << 12, true), 0x99, PAGE_SIZE);
	for (unsigned v = 0; v < 2; v++) {
		ck_assert_int_eq(transfer(d[v], v, false, 8, 2 << 12, PAGE_SIZE), 0);
		ck_assert_uint_eq(guest(v, 2 << 12, false)[77], 0x10 + v);
		ck_assert_uint_eq(pmap_entry(vm[v], 2)->kind, FRAME_DISK);
		ck_assert_int_eq(transfer(d[v], v, false, 16, 3 << 12, PAGE_SIZE), 0);
		ck_assert_mem_eq(guest(v, 3 << 12, false), content + 2 * PAGE_SIZE, PAGE_SIZE);
	}
	check_all();
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, file, sizeof(file)), sizeof(file));
	close(fd);
	ck_assert_mem_eq(file, content, sizeof(file));
	disk_close(d[0]);
	disk_close(d[1]);
}
END_TEST

START_TEST(writing_a_block_again_lets_the_old_frame_go)
{
	struct disk *d = open_disk(DISK_SHARED, 0);
	uint32_t first;

	*guest(0, 0, true) = 1;
	first = mapped_at(0, 0);
	ck_assert_int_eq(transfer(d, 0, true, 8, 0, PAGE_SIZE), 0);
	ck_assert_int_eq(transfer(d, 0, true, 8, 0, PAGE_SIZE), 0); /* unchanged */
	ck_assert_uint_eq(frame_users(mem, first), 2);
	*guest(0, 1 << 12, true) = 2;
	ck_assert_int_eq(transfer(d, 0, true, 8, 1 << 12, PAGE_SIZE), 0);
	ck_assert_uint_eq(frame_users(mem, first), 1);
	ck_assert_int_eq(frame_kind(mem, first), FRAME_PRIVATE);
	ck_assert_uint_eq(disk_stats(d)->pages_private, 1);
	/* One page on two blocks. */
	ck_assert_int_eq(transfer(d, 0, true, 16, 1 << 12, PAGE_SIZE), 0);
	ck_assert_uint_eq(frame_users(mem, mapped_at(0, 1)), 3);
	/* A cached block written to another place is kept as it is. */
	ck_assert_int_eq(transfer(d, 0, false, 80, 2 << 12, PAGE_SIZE), 0);
	ck_assert_int_eq(transfer(d, 0, true, 96, 2 << 12, PAGE_SIZE), 0);
	ck_assert_int_eq(frame_kind(mem, mapped_at(0, 2)), FRAME_CACHE);
	ck_assert_uint_eq(disk_stats(d)->pages_private, 3);
	check_all();
	disk_close(d);
}
END_TEST

START_TEST(ro_disks_refuse_writes)
{
	struct disk *d = open_disk(DISK_RO, 0);

	ck_assert_int_eq(transfer(d, 0, true, 0, 0, PAGE_SIZE), -EROFS);
	ck_assert_int_eq(transfer(d, 0, false, 0, 0, PAGE_SIZE), 0);
	ck_assert_int_eq(disk_flush(d), 0);
	ck_assert_uint_eq(disk_stats(d)->writes, 0);
	disk_close(d);
}
END_TEST

START_TEST(what_is_out_of_range_is_refused_whole)
{
	struct disk *d = open_disk((enum disk_mode)_i, 0);
	uint64_t end = disk_sectors(d), memory = VM_PAGES * (uint64_t)PAGE_SIZE;
	static const struct disk_segment wrap[2] = {{0, UINT32_MAX}, {0, 1}};
	const struct disk_segment part[2] = {{0, 512}, {memory - 512, 1024}};

	for (unsigned write = 0; write < 2; write++) {
		if (write && _i == DISK_RO)
			continue;
		ck_assert_int_eq(transfer(d, 0, write, end - 1, 0, 1024), -ERANGE);
		ck_assert_int_eq(transfer(d, 0, write, end, 0, 512), -ERANGE);
		ck_assert_int_eq(transfer(d, 0, write, UINT64_MAX, 0, 512), -ERANGE);
		ck_assert_int_eq(transfer(d, 0, write, UINT64_MAX / 512, 0, 512), -ERANGE);
		ck_assert_int_eq(transfer(d, 0, write, 0, 0, 513), -ERANGE);
		ck_assert_int_eq(transfer(d, 0, write, 0, memory, 512), -ERANGE);
		ck_assert_int_eq(transfer(d, 0, write, 0, UINT64_MAX - 511, 512), -ERANGE);
		ck_assert_int_eq(disk_read(d, vm[0], 0, 0, wrap, 2), -ERANGE);
		ck_assert_int_eq(disk_read(d, vm[0], 0, 0, part, 2), -ERANGE);
		ck_assert_uint_eq(mapped_at(0, 0), MPN_NONE);
		ck_assert_int_eq(transfer(d, 0, write, end, 0, 0), 0);
	}
	ck_assert_int_eq(transfer(d, 0, false, end - 1, memory - 512, 512), 0);
	if (_i == DISK_PRIVATE)
		ck_assert_mem_eq(guest(0, memory - 512, false), content + IMAGE_BYTES - 512, 512);
	disk_close(d);
}
END_TEST

START_TEST(full_memory_fails_the_request_and_nothing_else)
{
	struct disk *d = open_disk(DISK_SHARED, 0);

	for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
		*guest(0, ppn << 12, true) = 1;
	for (uint32_t ppn = 0; ppn < 56; ppn++)
		*guest(1, ppn << 12, true) = 1;
	ck_assert_int_eq(transfer(d, 0, false, 8, 0, PAGE_SIZE), -ENOMEM);
	ck_assert_int_eq(transfer(d, 0, true, 8, 0, 512), -ENOMEM);
	ck_assert_int_eq(transfer(d, 1, true, 8, 60 << 12, PAGE_SIZE), -ENOMEM);
	check_all();
	ck_assert_int_eq(transfer(d, 0, true, 8, 0, PAGE_SIZE), 0); /* needs no frame */
	pmap_drop(vm[1], 0);
	ck_assert_int_eq(transfer(d, 0, false, 16, 0, PAGE_SIZE), 0);
	ck_assert_mem_eq(guest(0, 0, false), content + 2 * PAGE_SIZE, PAGE_SIZE);
	check_all();
	disk_close(d);
}
END_TEST

/* ---- private disks ----------------------------------------------------------------------- */

START_TEST(private_writes_are_in_the_file)
{
	struct disk *d = open_disk(DISK_PRIVATE, 0);
	uint8_t block[3 * PAGE_SIZE];
	struct disk_segment seg[3] = {{100, 3000}, {5 << 12, 1096}, {(7 << 12) + 8, 2 * PAGE_SIZE}};
	uint64_t seed = 9;
	int fd;

	for (uint32_t ppn = 0; ppn < 10; ppn++)
		for (uint32_t i = 0; i < PAGE_SIZE; i++)
			guest(0, ppn << 12, true)[i] = (uint8_t)splitmix64(&seed);
	ck_assert_int_eq(disk_write(d, vm[0], 0, 3, seg, 3), 0);
	ck_assert_int_eq(disk_flush(d), 0);
	ck_assert_uint_eq(disk_stats(d)->flushes, 1);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(pread(fd, block, sizeof(block), 3 * 512), sizeof(block));
	close(fd);
	ck_assert_mem_eq(block, guest(0, 100, false), 3000);
	ck_assert_mem_eq(block + 3000, guest(0, 5 << 12, false), 1096);
	ck_assert_mem_eq(block + 4096, guest(0, (7 << 12) + 8, false), 4088);
	ck_assert_mem_eq(block + 8184, guest(0, 8 << 12, false), 4096);
	ck_assert_mem_eq(block + 12280, guest(0, 9 << 12, false), 8);

	/* More segments than go into one call, read back into other pages. */
	struct disk_segment many[150];
	for (unsigned i = 0; i < 150; i++)
		many[i] = (struct disk_segment){(30ull << 12) + (149 - i) * 512, 512};
	ck_assert_int_eq(disk_read(d, vm[0], 0, 0, many, 150), 0);
	fd = open(path, O_RDONLY);
	for (unsigned i = 0; i < 150; i++) {
		ck_assert_int_eq(pread(fd, block, 512, i * 512), 512);
		ck_assert_mem_eq(guest(0, many[i].pa_offset, false), block, 512);
	}
	close(fd);
	ck_assert_int_eq(truncate(path, 512), 0);
	ck_assert_int_eq(transfer(d, 0, false, 8, 0, PAGE_SIZE), -EIO);
	disk_close(d);
}
END_TEST

START_TEST(a_private_read_leaves_shared_frames_alone)
{
	struct disk *d = open_disk(DISK_PRIVATE, 0);
	struct image *img = image_from_bytes(cache, "x", content, 2 * PAGE_SIZE, FRAME_TEXT);
	uint32_t mpn;

	ck_assert_int_eq(image_block(img, 1, 0, &mpn, NULL), 0);
	pmap_share_in(vm[0], 4, mpn, FRAME_TEXT);
	ck_assert_int_eq(transfer(d, 0, false, 24, 4 << 12, PAGE_SIZE), 0);
	ck_assert_mem_eq(guest(0, 4 << 12, false), content + 3 * PAGE_SIZE, PAGE_SIZE);
	ck_assert_mem_eq(frame_data(mem, mpn), content + PAGE_SIZE, PAGE_SIZE);
	/* A write reads the guest's page where it is. */
	pmap_share_in(vm[0], 4, mpn, FRAME_TEXT);
	ck_assert_int_eq(transfer(d, 0, true, 0, 4 << 12, PAGE_SIZE), 0);
	ck_assert_uint_eq(mapped_at(0, 4), mpn);
	ck_assert_int_eq(transfer(d, 0, false, 0, 5 << 12, PAGE_SIZE), 0);
	ck_assert_mem_eq(guest(0, 5 << 12, false), content + PAGE_SIZE, PAGE_SIZE);
	image_close(img);
	disk_close(d);
}
END_TEST

START_TEST(a_private_disk_has_one_user)
{
	struct disk *d = open_disk(DISK_PRIVATE, 0), *e = NULL;
	pid_t child;
	int status;

	ck_assert_int_eq(disk_open(cache, path, DISK_PRIVATE, 0xc0000001, &e), -EBUSY);
	ck_assert_int_eq(disk_open(cache, path, DISK_SHARED, 0xc0000001, &e), -EBUSY);
	child = fork();
	if (!child)
		_exit(disk_open(cache, path, DISK_PRIVATE, 0xc0000001, &e) == -EBUSY ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	disk_close(d);
	d = open_disk(DISK_SHARED, 0);
	ck_assert_int_eq(disk_open(cache, path, DISK_PRIVATE, 0xc0000001, &e), -EBUSY);
	disk_close(d);
	disk_close(open_disk(DISK_PRIVATE, 0));
}
END_TEST

/* ---- scratch disks ----------------------------------------------------------------------- */

START_TEST(a_scratch_disk_is_empty_and_holds_what_was_written)
{
	enum { SECTORS = 1 << 21 }; /* 1 GiB, of which the test writes five blocks */
	static const uint8_t zero[PAGE_SIZE];
	struct disk *d, *other;

	ck_assert_int_eq(disk_open_scratch(cache, SECTORS * 512ull, &d), 0);
	ck_assert_int_eq(disk_open_scratch(cache, SECTORS * 512ull, &other), 0);
	ck_assert_int_eq(disk_mode(d), DISK_SCRATCH);
	ck_assert(disk_has_one_user(disk_mode(d)));
	ck_assert_uint_eq(disk_sectors(d), SECTORS);
	memset(guest(0, 0, true), 0xee, PAGE_SIZE);
	ck_assert_int_eq(transfer(d, 0, false, SECTORS - 8, 0, PAGE_SIZE), 0);
	ck_assert_mem_eq(guest(0, 0, false), zero, PAGE_SIZE);
	ck_assert_uint_eq(disk_stats(d)->pages_held, 0);

	memcpy(guest(0, 4 << 12, true), content, PAGE_SIZE);
	ck_assert_int_eq(transfer(d, 0, true, SECTORS - 8, 4 << 12, PAGE_SIZE), 0);
	ck_assert_uint_eq(disk_stats(d)->pages_held, 1);
	ck_assert_int_eq(transfer(d, 0, true, SECTORS - 1, 4 << 12, 512), 0); /* there already */
	ck_assert_uint_eq(disk_stats(d)->pages_held, 1);
	ck_assert_int_eq(transfer(d, 0, true, 7, 8 << 12, 3 * PAGE_SIZE), 0); /* parts of four */
	ck_assert_uint_eq(disk_stats(d)->pages_held, 5);
	ck_assert_int_eq(transfer(d, 0, true, 64, 4 << 12, 0), 0);
	ck_assert_uint_eq(disk_stats(d)->pages_held, 5);
	ck_assert_int_eq(transfer(d, 0, true, SECTORS - 1, 4 << 12, 1024), -ERANGE);
	ck_assert_int_eq(disk_flush(d), 0);

	ck_assert_int_eq(transfer(d, 0, false, SECTORS - 8, 5 << 12, PAGE_SIZE), 0);
	ck_assert_mem_eq(guest(0, 5 << 12, false), content, PAGE_SIZE - 512);
	ck_assert_mem_eq(guest(0, (6 << 12) - 512, false), content, 512);
	ck_assert_int_eq(transfer(other, 1, false, SECTORS - 8, 5 << 12, PAGE_SIZE), 0);
	ck_assert_mem_eq(guest(1, 5 << 12, false), zero, PAGE_SIZE);
	ck_assert_uint_eq(disk_stats(other)->pages_held, 0);
	disk_close(d);
	disk_close(other);
}
END_TEST

/* ---- random transfers -------------------------------------------------------------------- */

/* Two VMs, each with its disk, and what each must see of memory and disk. */
START_TEST(random_transfers_agree_with_the_model)
{
	enum { MEMORY = VM_PAGES * PAGE_SIZE };
	enum disk_mode mode = _i & 1 ? DISK_PRIVATE : DISK_SHARED;
	unsigned vms = mode == DISK_PRIVATE ? 1 : 2, failed = 0;
	bool sharing = !(_i & 2);
	struct disk *d[2];
	static uint8_t disk[2][DISK_BYTES], memory[2][MEMORY];
	const uint64_t bytes = mode == DISK_PRIVATE ? IMAGE_BYTES : DISK_BYTES;
	uint64_t seed = 1000 + (uint64_t)_i;

	for (unsigned v = 0; v < vms; v++) {
		d[v] = open_disk(mode, v);
		disk_set_sharing(d[v], sharing);
		memcpy(disk[v], content, sizeof(content));
		memset(memory[v], 0, sizeof(memory[v]));
	}
	for (unsigned step = 0; step < 6000; step++) {
		unsigned v = (unsigned)(splitmix64(&seed) >> 40) % vms, n, k = 0;
		bool write = splitmix64(&seed) >> 63, whole = (splitmix64(&seed) >> 40) % 3 != 0;
		uint64_t r = splitmix64(&seed), sector = r % (bytes / 512), total = 0;
		struct disk_segment seg[6];
		int err;

		if (whole)
			sector &= ~7ull;
		n = 1 + (r >> 40) % 6;
		for (; k < n; k++) {
			seg[k].pa_offset = splitmix64(&seed) % (MEMORY - 2 * PAGE_SIZE);
			seg[k].bytes = 512 * (uint32_t)((splitmix64(&seed) >> 40) % 16);
			if (whole) {
				seg[k].pa_offset &= ~4095ull;
				seg[k].bytes &= ~4095u;
			}
			if (sector * 512 + total + seg[k].bytes > bytes)
				break;
			total += seg[k].bytes;
		}
		err = write ? disk_write(d[v], vm[v], step & 1, sector, seg, k)
			    : disk_read(d[v], vm[v], step & 1, sector, seg, k);
		if (err == -ENOMEM) {
			/* How far it got is not said: start this disk's model anew from what is
			 * seen, having made room. */
			failed++;
			for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
				pmap_drop(vm[v], ppn);
			memset(memory[v], 0, sizeof(memory[v]));
			disk_close(d[v]);
			d[v] = open_disk(mode, v);
			disk_set_sharing(d[v], sharing);
			memset(disk[v], 0, sizeof(disk[v]));
			memcpy(disk[v], content, sizeof(content));
			continue;
		}
		ck_assert_int_eq(err, 0);
		total = sector * 512;
		for (unsigned i = 0; i < k; i++) {
			uint8_t *at_disk = disk[v] + total,
				*at_memory = memory[v] + seg[i].pa_offset;

			memmove(write ? at_disk : at_memory, write ? at_memory : at_disk,
				seg[i].bytes);
			total += seg[i].bytes;
		}
		/* The guest scribbles over a page, often one just used. */
		if (step % 2) {
			uint64_t pa = (k ? seg[0].pa_offset : r >> 20) % MEMORY & ~7ull;

			bool writable;
			void *host;

			err = pmap_fault(
				vm[v], (uint32_t)(pa >> PAGE_SHIFT), 0, true, &host, &writable);
			ck_assert(!err || err == -ENOMEM);
			if (!err) {
				memcpy((uint8_t *)host + (pa & (PAGE_SIZE - 1)), &r, 8);
				memcpy(memory[v] + pa, &r, 8);
			}
		}
		if (step % 200)
			continue;
		check_all();
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
			static const uint8_t zero[PAGE_SIZE];
			uint32_t mpn = mapped_at(v, ppn);

			ck_assert_mem_eq(mpn == MPN_NONE ? zero : frame_data(mem, mpn),
				memory[v] + ppn * PAGE_SIZE, PAGE_SIZE);
		}
	}
	/* And the disks, read through a page that is not aligned with them. */
	for (unsigned v = 0; v < vms; v++) {
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
			pmap_drop(vm[v], ppn);
		for (uint64_t s = 0; s < disk_sectors(d[v]); s++) {
			ck_assert_int_eq(transfer(d[v], v, false, s, 512, 512), 0);
			ck_assert_mem_eq(guest(v, 512, false), disk[v] + s * 512, 512);
		}
		disk_close(d[v]);
	}
	ck_assert(mode == DISK_PRIVATE || mem->n_frames > 200 || failed > 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disk");
	TCase *tc = tcase_create("disk"), *tight = tcase_create("full memory");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_checked_fixture(tight, setup_tight, teardown);
	tcase_add_test(tc, an_image_is_read_once_and_opened_once);
	tcase_add_test(tc, the_last_block_is_padded_with_zeroes);
	tcase_add_test(tc, a_file_that_shrinks_is_an_io_error);
	tcase_add_loop_test(tc, a_file_that_is_rewritten_is_an_io_error, 0, 3);
	tcase_add_loop_test(tc, odd_lengths_end_in_zeroes, 0, 12);
	tcase_add_test(tc, what_cannot_be_opened_is_refused);
	tcase_add_test(tc, whole_pages_are_mapped_by_all_from_one_frame);
	tcase_add_test(tc, without_sharing_a_read_leaves_only_the_guests_copy);
	tcase_add_test(tc, each_vm_sees_only_its_own_writes);
	tcase_add_test(tc, writing_a_block_again_lets_the_old_frame_go);
	tcase_add_test(tc, ro_disks_refuse_writes);
	tcase_add_test(tc, a_scratch_disk_is_empty_and_holds_what_was_written);
	tcase_add_loop_test(tc, what_is_out_of_range_is_refused_whole, DISK_SHARED, DISK_RO + 1);
	tcase_add_test(tc, private_writes_are_in_the_file);
	tcase_add_test(tc, a_private_read_leaves_shared_frames_alone);
	tcase_add_test(tc, a_private_disk_has_one_user);
	tcase_add_loop_test(tc, random_transfers_agree_with_the_model, 0, 4);
	tcase_add_test(tight, memory_pressure_evicts_only_unmapped_blocks);
	tcase_add_test(tight, full_memory_fails_the_request_and_nothing_else);
	tcase_add_loop_test(tight, random_transfers_agree_with_the_model, 4, 8);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, tight);
	return run_suite(s);
}
