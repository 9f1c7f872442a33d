// SPDX-License-Identifier: MIT
/*
 * A FUSE client for tests of the virtio-fs device: it builds requests in guest memory by hand and reads
 * the replies. Two devices over one real directory: one maps pages, one copies them. Included by one C
 * file of a program.
 */
#ifndef TESTS_FS_DRIVER_H
#define TESTS_FS_DRIVER_H

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <linux/fuse.h>
#include <sys/stat.h>

#include "tests/fs-files.h"
#include "tests/small-machine.h"
#include "tests/virtio-driver.h"

enum { FS, COPYING }; /* slots: one that maps pages, one that copies them */
enum { HIPRIO, REQUESTS };
enum { IN = sizeof(struct fuse_in_header), OUT = sizeof(struct fuse_out_header) };
#define REQUEST (BUF)
#define REPLY   (BUF + 0x2000)
#define PAGES   (BUF + 0x100000)
#define DIRECT  0x4000 /* the guest's O_DIRECT */

static struct vm *vm;
static struct image_cache *images;
static struct tree *tree;
static uint8_t body[8 << 10];
static uint32_t used; /* of the last reply */
static uint64_t unique;

static inline void start_fs(unsigned slot)
{
	start(slot, VIRTIO_F_RING_INDIRECT_DESC);
}

static uint32_t small_bytes = SMALL_BYTES;

static inline void setup(void)
{
	char *resize = xasprintf("truncate -s %u sub/small", small_bytes);

	vm = fake_vm_create(false, 16 << 20);
	plic_create(vm);
	images = image_cache_create(fake.cluster.mem);
	make_files();
	files_shell(resize);
	free(resize);
	ck_assert_int_eq(tree_open(images, files_dir, &tree), 0);
	virtio_fs_create(vm, FS, "files", tree, true);
	virtio_fs_create(vm, COPYING, "copied", tree, false);
	start_fs(FS);
	start_fs(COPYING);
}

static inline void teardown(void)
{
	pmap_check(vm->pmap);
	memory_check(fake.cluster.mem);
	fake_devices_destroy();
	tree_close(tree);
	image_cache_destroy(images);
	fake_vm_destroy();
	remove_files();
}

static inline json_int_t count(unsigned slot, const char *name)
{
	struct device *d = device_find(vm, BOARD_VIRTIO + 0x1000 * slot, 4);
	json_t *o = json_object();
	json_int_t n;

	d->ops->stats(d, o);
	ck_assert_msg(json_object_get(o, name) != NULL, "no counter %s", name);
	n = json_integer_value(json_object_get(o, name));
	json_decref(o);
	return n;
}

static inline void put_request(uint32_t opcode, uint64_t id, const void *args, uint32_t n)
{
	struct fuse_in_header h = {
		.len = IN + n, .opcode = opcode, .nodeid = id, .unique = ++unique};

	gm_write(vm, REQUEST, &h, IN);
	gm_write(vm, REQUEST + IN, args, n);
}

/* Offer the chain at descriptor 0 and let a boundary pass; true if it came back. */
static inline bool submit(unsigned slot, unsigned queue)
{
	uint16_t index = used_index(slot, queue);
	uint32_t head;

	offer(slot, queue, 0);
	fake_run_phase();
	notify(slot, queue);
	ck_assert_uint_eq(used_index(slot, queue), index); /* only at the boundary */
	fake_boundary();
	if (used_index(slot, queue) == index)
		return false;
	used = used_bytes(slot, queue, (uint16_t)(index + 1), &head);
	ck_assert_uint_eq(head, 0);
	return true;
}

/* The error in the reply's header, which must be sound. */
static inline int32_t reply(void)
{
	struct fuse_out_header h;

	gm_read(vm, REPLY, &h, OUT);
	ck_assert_uint_eq(h.len, used);
	ck_assert_uint_eq(h.unique, unique);
	ck_assert(h.error <= 0 && h.error > -512);
	if (h.error)
		ck_assert_uint_eq(used, OUT);
	return h.error;
}

/* A request with `room` bytes for what follows the reply's header; 0 or the error. Its body: body.
 */
static inline int32_t ask_room(
	unsigned slot, uint32_t opcode, uint64_t id, const void *args, uint32_t n, uint32_t room)
{
	put_request(opcode, id, args, n);
	put_desc(desc_pa(slot, REQUESTS), 0, REQUEST, IN + n, NEXT, 1);
	put_desc(desc_pa(slot, REQUESTS), 1, REPLY, OUT + room, WRITE, 0);
	ck_assert(submit(slot, REQUESTS));
	gm_read(vm, REPLY + OUT, body, MIN(room, (uint32_t)sizeof(body)));
	return reply();
}

static inline int32_t ask(uint32_t opcode, uint64_t id, const void *args, uint32_t n)
{
	return ask_room(FS, opcode, id, args, n, sizeof(body));
}

static inline struct fuse_init_out *init(
	unsigned slot, uint32_t major, uint32_t minor, uint32_t flags)
{
	struct fuse_init_in in = {
		.major = major, .minor = minor, .max_readahead = 131072, .flags = flags};

	ck_assert_int_eq(ask_room(slot, FUSE_INIT, 0, &in, sizeof(in), 64), 0);
	return (struct fuse_init_out *)body;
}

static inline void setup_up(void)
{
	setup();
	init(FS, 7, 41, UINT32_MAX);
	init(COPYING, 7, 41, UINT32_MAX);
}

static inline void setup_long(void)
{
	small_bytes = 2 << 20;
	setup_up();
}

/* ---- INIT ---- */

static inline uint64_t lookup(uint64_t dir, const char *name)
{
	const struct fuse_entry_out *e = (void *)body;

	ck_assert_int_eq(ask(FUSE_LOOKUP, dir, name, (uint32_t)strlen(name) + 1), 0);
	ck_assert_uint_eq(used, OUT + sizeof(*e));
	ck_assert_uint_ge(e->entry_valid, 1000000);
	return e->nodeid;
}

/* List with replies of at most `bytes`, and compare with what the directory has. */
static inline void list(uint64_t dir, uint32_t opcode, uint32_t bytes)
{
	const struct tree_node *d = tree_node(tree, dir);
	uint64_t at = 0, n = 0;

	for (;;) {
		struct fuse_read_in in = {.offset = at, .size = bytes};
		uint32_t got;

		ck_assert_int_eq(ask(opcode, dir, &in, sizeof(in)), 0);
		got = used - OUT;
		ck_assert_uint_le(got, bytes);
		if (!got)
			break;
		for (uint32_t pos = 0; pos < got; n++) {
			const struct fuse_direntplus *p = (void *)(body + pos);
			const struct fuse_dirent *e =
				opcode == FUSE_READDIR ? (void *)p : &p->dirent;
			uint64_t id = n == 0 ? dir : n == 1 ? d->parent : d->first_child + n - 2;
			const char *name = n == 0 ? "." : n == 1 ? ".." : tree_node(tree, id)->name;

			ck_assert_uint_eq(e->ino, id);
			ck_assert_uint_eq(e->namelen, strlen(name));
			ck_assert_mem_eq(e->name, name, e->namelen);
			ck_assert_uint_eq(e->type, tree_node(tree, id)->mode >> 12);
			if (opcode == FUSE_READDIRPLUS)
				ck_assert_uint_eq(p->entry_out.nodeid, n < 2 ? 0 : id);
			at = e->off;
			pos += opcode == FUSE_READDIR ? FUSE_DIRENT_SIZE(e)
						      : FUSE_DIRENTPLUS_SIZE(p);
			ck_assert_uint_le(pos, got);
		}
	}
	ck_assert_uint_eq(n, d->n_children + 2);
}

#endif
