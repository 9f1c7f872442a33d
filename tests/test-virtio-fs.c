// SPDX-License-Identifier: MIT
/*
 * The virtio-fs device, driven through its rings over a real directory: what a FUSE client is told,
 * which pages are mapped and which copied, and what hostile requests get.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <linux/fuse.h>
#include <sys/stat.h>

#include "tests/fs-driver.h"

START_TEST(device_says_what_it_is)
{
	char tag[37] = {0};

	ck_assert_uint_eq(reg(FS, 0x08), 26);
	for (unsigned i = 0; i < 36; i++)
		tag[i] = (char)mmio_read(BOARD_VIRTIO + 0x1000 * FS + 0x100 + i, 1);
	ck_assert_str_eq(tag, "files");
	ck_assert_uint_eq(reg(FS, 0x100 + 36), 1);
}
END_TEST

START_TEST(init_settles_version_and_flags)
{
	struct fuse_init_in in = {.major = 6, .minor = 40};
	struct fuse_init_out *out = init(FS, 8, 0, 0);

	ck_assert_uint_eq(out->major, 7);
	ck_assert_uint_eq(used, OUT + 8);
	ck_assert_int_eq(ask(FUSE_STATFS, 1, NULL, 0), -EIO); /* not yet */
	ck_assert_int_eq(ask(FUSE_INIT, 0, &in, sizeof(in)), -EPROTO);
	in = (struct fuse_init_in){.major = 7, .minor = 30};
	ck_assert_int_eq(ask(FUSE_INIT, 0, &in, sizeof(in)), -EPROTO);
	ck_assert_int_eq(ask(FUSE_INIT, 0, &in, 12), -EINVAL);
	ck_assert_int_eq(ask(FUSE_STATFS, 1, NULL, 0), -EIO);
	out = init(FS, 7, 31, UINT32_MAX);
	ck_assert_uint_eq(out->minor, 31);
	ck_assert_uint_eq(used, OUT + 64);
	out = init(FS, 7, 1000, UINT32_MAX);
	ck_assert_uint_eq(out->minor, FUSE_KERNEL_MINOR_VERSION);
	ck_assert_uint_eq(out->max_readahead, 131072);
	ck_assert_uint_eq(out->max_pages, 252);
	ck_assert(out->flags & FUSE_MAX_PAGES && out->flags & FUSE_DO_READDIRPLUS);
	ck_assert(!(out->flags & (FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_INIT_EXT)));
	ck_assert_uint_eq(init(FS, 7, 41, 0)->flags, 0);
	ck_assert_int_eq(ask(FUSE_STATFS, 1, NULL, 0), 0);
	ck_assert_int_eq(ask(FUSE_DESTROY, 0, NULL, 0), 0);
	ck_assert_int_eq(ask(FUSE_STATFS, 1, NULL, 0), -EIO);
	/* A reply that finds no room. */
	in.minor = 41;
	ck_assert_int_eq(ask_room(FS, FUSE_INIT, 0, &in, sizeof(in), 63), -EINVAL);
}
END_TEST

/* The clone has the original's rings, and need not ask for INIT again. */
START_TEST(a_clone_goes_on)
{
	struct device *from = device_find(vm, BOARD_VIRTIO + 0x1000 * FS, 4);
	struct device *to = device_find(vm, BOARD_VIRTIO + 0x1000 * COPYING, 4);
	uint16_t index;

	init(FS, 7, 41, UINT32_MAX);
	ck_assert_int_eq(to->ops->clone(to, from), 0);
	index = used_index(FS, REQUESTS);
	put_request(FUSE_STATFS, ROOT, NULL, 0);
	put_desc(desc_pa(FS, REQUESTS), 0, REQUEST, IN, NEXT, 1);
	put_desc(desc_pa(FS, REQUESTS), 1, REPLY, 4096, WRITE, 0);
	offer(FS, REQUESTS, 0);
	notify(COPYING, REQUESTS);
	used = OUT + sizeof(struct fuse_statfs_out);
	ck_assert_uint_eq(used_index(FS, REQUESTS), index + 1);
	ck_assert_int_eq(reply(), 0);
}
END_TEST

/* ---- names and attributes ---- */

START_TEST(lookup_finds_children)
{
	const struct fuse_attr *a = &((struct fuse_entry_out *)body)->attr;

	ck_assert_uint_eq(lookup(ROOT, "big"), BIG);
	ck_assert_uint_eq(a->ino, BIG);
	ck_assert_uint_eq(a->size, BIG_BYTES);
	ck_assert_uint_eq(a->blocks, tree_node(tree, BIG)->blocks);
	ck_assert_uint_eq(a->mode, S_IFREG | 0640);
	ck_assert_uint_eq(a->mtime, 1000000000);
	ck_assert_uint_eq(a->mtimensec, 5);
	ck_assert_uint_eq(a->atime, a->mtime); /* the host's is not shown */
	ck_assert_uint_eq(a->uid, 0);
	ck_assert_uint_eq(a->nlink, 1);
	ck_assert_uint_eq(lookup(ROOT, "sub"), SUB);
	ck_assert_uint_eq(a->nlink, 3);
	ck_assert_uint_eq(lookup(SUB, "small"), SMALL);
	ck_assert_uint_eq(lookup(ROOT, "small"), 0);
	ck_assert_uint_eq(lookup(ROOT, "fifo"), 0);
	ck_assert_uint_eq(lookup(SUB, "."), SUB);
	ck_assert_uint_eq(lookup(SUB, ".."), ROOT);
	ck_assert_uint_eq(lookup(ROOT, ".."), ROOT);
}
END_TEST

START_TEST(lookup_refuses_what_is_no_name)
{
	char longest[256], longer[257];

	memset(longest, 'x', sizeof(longest));
	memset(longer, 'x', sizeof(longer));
	longest[255] = longer[256] = '\0';
	ck_assert_uint_eq(lookup(ROOT, longest), 0);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, longer, 257), -ENAMETOOLONG);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "", 0), -EINVAL);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "", 1), -EINVAL);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "big", 3), -EINVAL);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "big\0", 5), -EINVAL);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "sub/small", 10), -EINVAL);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "../x", 5), -EINVAL);
	ck_assert_int_eq(ask(FUSE_LOOKUP, BIG, "x", 2), -ENOTDIR);
	ck_assert_int_eq(ask(FUSE_LOOKUP, LINK, "small", 6), -ENOTDIR);
	ck_assert_int_eq(ask(FUSE_LOOKUP, 0, "big", 4), -ESTALE);
	ck_assert_int_eq(ask(FUSE_LOOKUP, N_NODES + 1, "big", 4), -ESTALE);
	ck_assert_int_eq(ask(FUSE_LOOKUP, 1ull << 32 | ROOT, "big", 4), -ESTALE);
	ck_assert_int_eq(ask(FUSE_LOOKUP, UINT64_MAX, "big", 4), -ESTALE);
	ck_assert_int_eq(ask_room(FS, FUSE_LOOKUP, ROOT, "big", 4, 20), -EINVAL);
}
END_TEST

START_TEST(attributes_links_and_sizes)
{
	const struct fuse_attr *a = &((struct fuse_attr_out *)body)->attr;
	const struct fuse_kstatfs *st = (void *)body;
	struct fuse_getattr_in in = {0};

	for (uint64_t id = ROOT; id <= N_NODES; id++) {
		ck_assert_int_eq(ask(FUSE_GETATTR, id, &in, sizeof(in)), 0);
		ck_assert_uint_eq(a->ino, id);
		ck_assert_uint_eq(a->mode, tree_node(tree, id)->mode);
	}
	ck_assert_int_eq(ask(FUSE_READLINK, LINK, NULL, 0), 0);
	ck_assert_uint_eq(used, OUT + 9);
	ck_assert_mem_eq(body, "sub/small", 9);
	ck_assert_int_eq(ask(FUSE_READLINK, BIG, NULL, 0), -EINVAL);
	ck_assert_int_eq(ask_room(FS, FUSE_READLINK, LINK, NULL, 0, 8), -EINVAL);
	ck_assert_int_eq(ask(FUSE_STATFS, ROOT, NULL, 0), 0);
	ck_assert_uint_eq(st->files, N_NODES);
	ck_assert_uint_eq(st->blocks, BIG_PAGES + 2);
	ck_assert_uint_eq(st->bfree, 0);
	ck_assert_int_eq(ask(FUSE_ACCESS, BIG, (struct fuse_access_in[]){{4, 0}}, 8), 0);
	ck_assert_int_eq(ask(FUSE_ACCESS, BIG, (struct fuse_access_in[]){{2, 0}}, 8), -EROFS);
}
END_TEST

/* ---- directories ---- */

START_TEST(directories_list_in_pieces)
{
	static const uint32_t size[] = {4096, 200, 176, 400};
	struct fuse_read_in in = {.size = 31};

	for (unsigned i = 0; i < ARRAY_SIZE(size); i++)
		for (uint64_t dir = ROOT; dir <= N_NODES; dir++)
			if (S_ISDIR(tree_node(tree, dir)->mode)) {
				list(dir, FUSE_READDIR, size[i]);
				list(dir, FUSE_READDIRPLUS, size[i]);
			}
	list(ROOT, FUSE_READDIR, 32);
	ck_assert_int_eq(ask(FUSE_READDIR, ROOT, &in, sizeof(in)), -EINVAL); /* not: the end */
	ck_assert_int_eq(ask(FUSE_READDIR, BIG, &in, sizeof(in)), -ENOTDIR);
	ck_assert_int_eq(ask(FUSE_READDIR, ROOT, &in, 8), -EINVAL);
	in = (struct fuse_read_in){.size = UINT32_MAX, .offset = UINT64_MAX};
	ck_assert_int_eq(ask(FUSE_READDIRPLUS, ROOT, &in, sizeof(in)), 0);
	ck_assert_uint_eq(used, OUT);
	in.offset = 0;
	ck_assert_int_eq(ask_room(FS, FUSE_READDIRPLUS, ROOT, &in, sizeof(in), 500), 0);
	ck_assert_uint_le(used, OUT + 500);
}
END_TEST

/* ---- opening and changing ---- */

START_TEST(opening_needs_no_handles)
{
	const struct fuse_open_out *out = (void *)body;
	struct fuse_open_in in = {.flags = 0};

	ck_assert_int_eq(ask(FUSE_OPEN, BIG, &in, sizeof(in)), -ENOSYS);
	ck_assert_int_eq(ask(FUSE_OPENDIR, ROOT, &in, sizeof(in)), -ENOSYS);
	init(FS, 7, 31, 0); /* a driver that must open */
	for (unsigned i = 0; i < 3000; i++)
		ck_assert_int_eq(ask(FUSE_OPEN, BIG, &in, sizeof(in)), 0);
	ck_assert(out->open_flags & FOPEN_KEEP_CACHE);
	ck_assert_int_eq(ask(FUSE_OPENDIR, ROOT, &in, sizeof(in)), 0);
	ck_assert_int_eq(ask(FUSE_RELEASE, BIG, NULL, 0), 0);
	ck_assert_int_eq(ask(FUSE_OPEN, ROOT, &in, sizeof(in)), -EISDIR);
	ck_assert_int_eq(ask(FUSE_OPENDIR, BIG, &in, sizeof(in)), -ENOTDIR);
	ck_assert_int_eq(ask(FUSE_OPEN, LINK, &in, sizeof(in)), -ELOOP);
	in.flags = 1;
	ck_assert_int_eq(ask(FUSE_OPEN, BIG, &in, sizeof(in)), -EROFS);
}
END_TEST

START_TEST(nothing_can_be_changed)
{
	static const uint32_t changing[] = {FUSE_SETATTR, FUSE_SYMLINK, FUSE_MKNOD, FUSE_MKDIR,
		FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME, FUSE_RENAME2, FUSE_LINK, FUSE_WRITE,
		FUSE_CREATE, FUSE_TMPFILE, FUSE_FALLOCATE, FUSE_COPY_FILE_RANGE, FUSE_SETXATTR,
		FUSE_REMOVEXATTR};
	static const uint32_t unknown[] = {0, 7, FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_SETLK,
		FUSE_FLUSH, FUSE_FSYNC, FUSE_IOCTL, FUSE_SETUPMAPPING, 52, 63, 64, 4096,
		UINT32_MAX};
	uint8_t args[100] = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(changing); i++)
		ck_assert_int_eq(ask(changing[i], SUB, args, sizeof(args)), -EROFS);
	for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++)
		ck_assert_int_eq(ask(unknown[i], SUB, args, sizeof(args)), -ENOSYS);
	ck_assert_int_eq(count(FS, "refused"), ARRAY_SIZE(changing) + ARRAY_SIZE(unknown));
}
END_TEST

START_TEST(some_requests_have_no_reply)
{
	static const uint32_t silent[] = {FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT};
	uint8_t args[16] = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(silent); i++) {
		put_request(silent[i], UINT64_MAX, args, sizeof(args));
		put_desc(desc_pa(FS, HIPRIO), 0, REQUEST, IN + sizeof(args), 0, 0);
		ck_assert(submit(FS, HIPRIO));
		ck_assert_uint_eq(used, 0);
	}
	ck_assert_int_eq(ask(FUSE_STATFS, ROOT, NULL, 0), 0);
}
END_TEST

/* ---- reading ---- */

/* A READ as Linux sends it: the reply's header in a segment of its own, then n pages. */
static int32_t read_pages(
	unsigned slot, uint64_t id, uint64_t at, uint32_t size, uint64_t pa, unsigned n)
{
	struct fuse_read_in in = {.offset = at, .size = size};
	uint64_t d = desc_pa(slot, REQUESTS);

	put_request(FUSE_READ, id, &in, sizeof(in));
	put_desc(REQUEST + 0x1000, 0, REQUEST, IN + sizeof(in), NEXT, 1);
	put_desc(REQUEST + 0x1000, 1, REPLY, OUT, WRITE | (n ? NEXT : 0), 2);
	for (unsigned i = 0; i < n; i++)
		put_desc(REQUEST + 0x1000, 2 + i, pa + (uint64_t)i * PAGE_SIZE, PAGE_SIZE,
			WRITE | (i < n - 1 ? NEXT : 0), (uint16_t)(3 + i));
	put_desc(d, 0, REQUEST + 0x1000, 16 * (2 + n), INDIRECT, 0);
	ck_assert(submit(slot, REQUESTS));
	return reply();
}

static void expect_bytes(uint64_t pa, uint64_t at, uint32_t bytes, uint64_t file_bytes)
{
	static uint8_t got[16 * PAGE_SIZE];

	ck_assert_uint_le(bytes, sizeof(got));
	gm_read(vm, pa, got, bytes);
	for (uint32_t i = 0; i < bytes; i++)
		ck_assert_uint_eq(got[i], at + i < file_bytes ? file_byte(at + i) : 0);
}

static uint32_t frame_at(uint64_t pa)
{
	return pmap_entry(vm->pmap, (uint32_t)((pa - VM_RAM_BASE) >> PAGE_SHIFT))->mpn;
}

START_TEST(whole_pages_are_mapped)
{
	uint64_t second = PAGES + 0x10000;

	ck_assert_int_eq(read_pages(FS, BIG, 0, BIG_PAGES * PAGE_SIZE, PAGES, BIG_PAGES), 0);
	ck_assert_uint_eq(used, OUT + BIG_PAGES * PAGE_SIZE); /* the last page too */
	ck_assert_int_eq(count(FS, "pages_filled"), BIG_PAGES);
	ck_assert_int_eq(read_pages(FS, BIG, 0, BIG_PAGES * PAGE_SIZE, second, BIG_PAGES), 0);
	ck_assert_int_eq(count(FS, "pages_mapped"), BIG_PAGES);
	ck_assert_int_eq(count(FS, "bytes_copied"), 0);
	for (unsigned i = 0; i < BIG_PAGES; i++)
		ck_assert_uint_eq(
			frame_at(PAGES + i * PAGE_SIZE), frame_at(second + i * PAGE_SIZE));
	expect_bytes(PAGES, 0, BIG_PAGES * PAGE_SIZE, BIG_BYTES);
	/* A store is the VM's own. */
	gm_write32(vm, PAGES, 0xdeadbeef);
	expect_bytes(second, 0, PAGE_SIZE, BIG_BYTES);
	ck_assert_int_eq(read_pages(FS, BIG, 0, PAGE_SIZE, PAGES, 1), 0);
	expect_bytes(PAGES, 0, PAGE_SIZE, BIG_BYTES);
	/* The decoded code of each page is stale. */
	ck_assert_uint_ge(fake.pages_written, 2 * BIG_PAGES + 1);
}
END_TEST

START_TEST(without_sharing_everything_is_copied)
{
	ck_assert_int_eq(read_pages(COPYING, BIG, 0, BIG_PAGES * PAGE_SIZE, PAGES, BIG_PAGES), 0);
	ck_assert_uint_eq(used, OUT + BIG_PAGES * PAGE_SIZE); /* guests see no difference */
	expect_bytes(PAGES, 0, BIG_PAGES * PAGE_SIZE, BIG_BYTES);
	ck_assert_int_eq(count(COPYING, "pages_mapped") + count(COPYING, "pages_filled"), 0);
	ck_assert_int_eq(count(COPYING, "bytes_copied"), BIG_PAGES * PAGE_SIZE);
	ck_assert_uint_eq(image_stats(tree_image(tree))->blocks_cached, 0);
}
END_TEST

/* Whatever the alignment of file and memory, and however the buffers are cut. */
START_TEST(pieces_are_copied)
{
	static const struct {
		uint64_t at;
		uint32_t size, offset; /* of the buffer in its page */
	} cases[] = {{0, 8192, 16}, {1, 8192, 0}, {100, 5000, 100}, {4095, 4098, 1},
		{8191, 1, 4095}, {4096, 9000, 0}, {4 * PAGE_SIZE, 200, 0},
		{4 * PAGE_SIZE + 99, 1, 0}};

	for (unsigned slot = FS; slot <= COPYING; slot++) {
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			struct fuse_read_in in = {.offset = cases[i].at, .size = cases[i].size};
			uint64_t pa = PAGES + cases[i].offset, d = desc_pa(slot, REQUESTS);
			uint32_t first = cases[i].size / 3 + 1;

			gm_zero(vm, PAGES, 16 * PAGE_SIZE);
			put_request(FUSE_READ, BIG, &in, sizeof(in));
			/* The header in two parts, the data in two that are far apart. */
			put_desc(d, 0, REQUEST, 10, NEXT, 1);
			put_desc(d, 1, REQUEST + 10, IN + sizeof(in) - 10, NEXT, 2);
			put_desc(d, 2, REPLY, 7, WRITE | NEXT, 3);
			put_desc(d, 3, REPLY + 7, OUT - 7, WRITE | NEXT, 4);
			put_desc(d, 4, pa, first, WRITE | NEXT, 5);
			put_desc(d, 5, pa + 0x8000, 9000, WRITE, 0);
			ck_assert(submit(slot, REQUESTS));
			ck_assert_int_eq(reply(), 0);
			ck_assert_uint_eq(used, OUT + in.size);
			expect_bytes(pa, in.offset, MIN(first, in.size), BIG_BYTES);
			if (in.size > first)
				expect_bytes(
					pa + 0x8000, in.offset + first, in.size - first, BIG_BYTES);
		}
	}
}
END_TEST

START_TEST(the_end_of_a_file)
{
	struct fuse_read_in in = {.size = 5000, .flags = DIRECT};

	ck_assert_int_eq(ask(FUSE_READ, SMALL, &in, sizeof(in)), 0); /* direct: not a byte more */
	ck_assert_uint_eq(used, OUT + SMALL_BYTES);
	in.flags = 0;
	ck_assert_int_eq(ask(FUSE_READ, SMALL, &in, sizeof(in)), 0);
	ck_assert_uint_eq(used, OUT + PAGE_SIZE);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ck_assert_uint_eq(body[i], i < SMALL_BYTES ? file_byte(i) : 0);
	in.offset = SMALL_BYTES;
	ck_assert_int_eq(ask(FUSE_READ, SMALL, &in, sizeof(in)), 0);
	ck_assert_uint_eq(used, OUT);
	in.offset = UINT64_MAX;
	ck_assert_int_eq(ask(FUSE_READ, SMALL, &in, sizeof(in)), 0);
	ck_assert_uint_eq(used, OUT);
	in = (struct fuse_read_in){.size = UINT32_MAX};
	ck_assert_int_eq(ask(FUSE_READ, EMPTY_FILE, &in, sizeof(in)), 0);
	ck_assert_uint_eq(used, OUT);
	ck_assert_int_eq(ask_room(FS, FUSE_READ, BIG, &in, sizeof(in), 1000), 0);
	ck_assert_uint_eq(used, OUT + 1000); /* no more than there is room for */
	ck_assert_int_eq(ask_room(FS, FUSE_READ, BIG, &in, sizeof(in), 0), 0);
	ck_assert_int_eq(ask(FUSE_READ, SUB, &in, sizeof(in)), -EISDIR);
	ck_assert_int_eq(ask(FUSE_READ, LINK, &in, sizeof(in)), -EINVAL);
	ck_assert_int_eq(ask(FUSE_READ, BIG, &in, sizeof(in) - 1), -EINVAL);
}
END_TEST

START_TEST(a_changed_file_is_an_error_for_its_reader)
{
	static void (*const change[])(void) = {shrink_big, rewrite_big, remove_big};

	change[_i]();
	ck_assert_int_eq(read_pages(FS, BIG, 0, 2 * PAGE_SIZE, PAGES, 2), -ESTALE);
	ck_assert_int_eq(read_pages(COPYING, BIG, 0, 2 * PAGE_SIZE, PAGES, 2), -ESTALE);
	ck_assert_int_eq(read_pages(FS, SMALL, 0, PAGE_SIZE, PAGES, 1), 0);
	ck_assert_int_eq(vm->state, VM_RUNNING);
}
END_TEST

/* As many segments as max_pages allows, all the same page: the last one's bytes stay. */
START_TEST(the_longest_chain)
{
	struct fuse_read_in in = {.size = 252 * PAGE_SIZE};
	uint64_t table = PAGES + 0x80000;

	put_request(FUSE_READ, BIG, &in, sizeof(in));
	put_desc(table, 0, REQUEST, IN, NEXT, 1);
	put_desc(table, 1, REQUEST + IN, sizeof(in), NEXT, 2);
	put_desc(table, 2, REPLY, OUT / 2, WRITE | NEXT, 3);
	put_desc(table, 3, REPLY + OUT / 2, OUT / 2, WRITE | NEXT, 4);
	for (unsigned i = 4; i < VIRTQ_MAX; i++)
		put_desc(table, i, PAGES, PAGE_SIZE, WRITE | (i < VIRTQ_MAX - 1 ? NEXT : 0),
			(uint16_t)(i + 1));
	put_desc(desc_pa(FS, REQUESTS), 0, table, 16 * VIRTQ_MAX, INDIRECT, 0);
	ck_assert(submit(FS, REQUESTS));
	ck_assert_int_eq(reply(), 0);
	ck_assert_uint_eq(used, OUT + BIG_PAGES * PAGE_SIZE);
	expect_bytes(PAGES, 4 * PAGE_SIZE, PAGE_SIZE, BIG_BYTES);
}
END_TEST

/* A driver may give room for much more than it was told that a request may be of. */
START_TEST(a_read_is_no_longer_than_the_driver_was_told)
{
	const uint32_t room = 1536 << 10, most = 252 * PAGE_SIZE;
	struct fuse_read_in in = {.size = room};

	for (unsigned slot = FS; slot <= COPYING; slot++) {
		put_request(FUSE_READ, SMALL, &in, sizeof(in));
		put_desc(desc_pa(slot, REQUESTS), 0, REQUEST, IN + sizeof(in), NEXT, 1);
		put_desc(desc_pa(slot, REQUESTS), 1, REPLY, OUT, WRITE | NEXT, 2);
		put_desc(desc_pa(slot, REQUESTS), 2, PAGES, room, WRITE, 0);
		ck_assert(submit(slot, REQUESTS));
		ck_assert_int_eq(reply(), 0);
		ck_assert_uint_eq(used, OUT + most);
	}
}
END_TEST

/* ---- broken requests ---- */

START_TEST(lengths_are_checked)
{
	static const uint32_t wrong[] = {0, IN - 1, IN + 5, UINT32_MAX};
	uint64_t d = desc_pa(FS, REQUESTS);

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		put_request(FUSE_LOOKUP, ROOT, "big", 4);
		gm_write32(vm, REQUEST, wrong[i]);
		put_desc(d, 0, REQUEST, IN + 4, NEXT, 1);
		put_desc(d, 1, REPLY, 4096, WRITE, 0);
		ck_assert(submit(FS, REQUESTS));
		ck_assert_int_eq(reply(), -EINVAL);
	}
	/* Readable bytes beyond the request's own length do not count. */
	put_request(FUSE_LOOKUP, ROOT, "big", 4);
	put_desc(d, 0, REQUEST, 4096, NEXT, 1);
	put_desc(d, 1, REPLY, 4096, WRITE, 0);
	ck_assert(submit(FS, REQUESTS));
	ck_assert_int_eq(reply(), 0);
}
END_TEST

START_TEST(no_room_for_headers_breaks_the_device)
{
	for (unsigned i = 0; i < 3; i++) {
		uint64_t d = desc_pa(FS, REQUESTS);

		start_fs(FS);
		put_request(FUSE_STATFS, ROOT, NULL, 0);
		put_desc(d, 0, REQUEST, i == 0 ? IN - 1 : IN, i == 2 ? 0 : NEXT, 1);
		put_desc(d, 1, REPLY, i == 1 ? OUT - 1 : OUT, WRITE, 0);
		ck_assert(!submit(FS, REQUESTS));
		ck_assert(reg(FS, 0x70) & NEEDS_RESET);
		ck_assert_int_eq(vm->state, VM_RUNNING);
	}
	start_fs(FS);
	init(FS, 7, 41, 0);
	ck_assert_int_eq(ask(FUSE_STATFS, ROOT, NULL, 0), 0);
}
END_TEST

/* 2 MiB of files into a machine of 1 MiB, mapped: the cache can give nothing back. */
START_TEST(a_full_machine_fails_the_vm_alone)
{
	teardown();
	vm = fake_vm_create(false, 1 << 20);
	images = image_cache_create(fake.cluster.mem);
	make_files();
	files_shell("head -c 2M /dev/zero > big");
	ck_assert_int_eq(tree_open(images, files_dir, &tree), 0);
	virtio_fs_create(vm, FS, "files", tree, true);
	start_fs(FS);
	init(FS, 7, 41, 0);
	for (unsigned i = 0; i < 512 && vm->state == VM_RUNNING; i++) {
		struct fuse_read_in in = {.offset = i * PAGE_SIZE, .size = PAGE_SIZE};
		uint64_t d = desc_pa(FS, REQUESTS);

		put_request(FUSE_READ, BIG, &in, sizeof(in));
		put_desc(d, 0, REQUEST, IN + sizeof(in), NEXT, 1);
		put_desc(d, 1, REPLY, OUT, WRITE | NEXT, 2);
		put_desc(d, 2, PAGES + i * PAGE_SIZE, PAGE_SIZE, WRITE, 0);
		submit(FS, REQUESTS);
	}
	ck_assert_int_eq(vm->state, VM_FAILED);
	ck_assert_ptr_nonnull(strstr(vm->reason, "memory"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio-fs");
	TCase *new = tcase_create("new"), *up = tcase_create("up"),
	      *long_file = tcase_create("long file");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(new, setup, teardown);
	suite_add_tcase(s, new);
	tcase_add_test(new, device_says_what_it_is);
	tcase_add_test(new, init_settles_version_and_flags);
	tcase_add_test(new, a_clone_goes_on);
	tcase_add_checked_fixture(up, setup_up, teardown);
	suite_add_tcase(s, up);
	tcase_add_test(up, lookup_finds_children);
	tcase_add_test(up, lookup_refuses_what_is_no_name);
	tcase_add_test(up, attributes_links_and_sizes);
	tcase_add_test(up, directories_list_in_pieces);
	tcase_add_test(up, opening_needs_no_handles);
	tcase_add_test(up, nothing_can_be_changed);
	tcase_add_test(up, some_requests_have_no_reply);
	tcase_add_test(up, whole_pages_are_mapped);
	tcase_add_test(up, without_sharing_everything_is_copied);
	tcase_add_test(up, pieces_are_copied);
	tcase_add_test(up, the_end_of_a_file);
	tcase_add_loop_test(up, a_changed_file_is_an_error_for_its_reader, 0, 3);
	tcase_add_test(up, the_longest_chain);
	tcase_add_test(up, lengths_are_checked);
	tcase_add_test(up, a_full_machine_fails_the_vm_alone);
	tcase_add_test(up, no_room_for_headers_breaks_the_device);
	tcase_add_checked_fixture(long_file, setup_long, teardown);
	suite_add_tcase(s, long_file);
	tcase_add_test(long_file, a_read_is_no_longer_than_the_driver_was_told);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
