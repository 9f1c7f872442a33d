// SPDX-License-Identifier: MIT
/*
 * The virtio file system device (Virtual I/O Device specification 1.2, section 5.11): FUSE requests
 * (<linux/fuse.h>) over a queue, answered from a host directory's snapshot (sharing/tree.h), which
 * all VMs see read-only. One queue for FORGET and one for the rest; each request is served whole
 * when it is taken, so nothing is ever under way that could be interrupted.
 *
 * The server keeps no state of files: a node's id says everything, so there are no handles to run
 * out of and nothing to forget. Because nothing in a snapshot changes, names and attributes may
 * be cached without limit, and drivers need not even ask before they open a file.
 *
 * READ is what the device is for. Linux puts the pages of its page cache straight into the chain,
 * after a segment for the reply's header; each whole page of the chain that a whole page of the
 * file falls on is mapped onto the frame of the global buffer cache, and the rest is copied. The
 * last page of a file would be the exception, since after a short reply Linux clears what is behind
 * the end by a store, which makes the page private. So a reply goes to the end of the page,
 * behind the file's end, where it has the zeros that the driver would write; the size is known from
 * the attributes. Only for direct I/O, where the reply's length is what the program is told, it
 * ends with the file.
 */
#include <errno.h>
#include <jansson.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "monitor/dev/virtio.h"
#include "monitor/vm/engine.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"

enum {
	IN_HEADER = sizeof(struct fuse_in_header),
	OUT_HEADER = sizeof(struct fuse_out_header),
	/* Two headers and the arguments that Linux puts beside each. */
	MAX_PAGES = VIRTQ_MAX - 4,
	/* Of a reply's body at most, whatever room there is: drivers are told MAX_PAGES. */
	REPLY_BYTES = MAX_PAGES * PAGE_SIZE,
	OLDEST_MINOR = 31,       /* the first that had virtio-fs */
	GUEST_O_DIRECT = 0x4000, /* of a RISC-V or x86 guest */
	MAY_WRITE = 2,           /* in ACCESS */
};
/* Longer than any run, and not so long that a driver's arithmetic would have to clamp it. */
#define FOR_EVER (1ull << 30)

enum counter { LOOKUPS, ATTRIBUTES, OPENS, READS, LISTINGS, OTHERS, COUNTERS };
static const char *const counter_name[COUNTERS] = {
	"lookups", "attributes", "opens", "reads", "listings", "others"};

struct config {
	char tag[36]; /* zero-padded, not zero-terminated */
	uint32_t num_request_queues;
};

struct virtio_fs {
	struct virtio v;
	struct tree *tree; /* the cluster's */
	bool share;
	struct config config;
	bool up; /* INIT has been; DESTROY ends it */
	uint32_t flags;
	uint64_t count[COUNTERS], refused;
	uint64_t bytes_read, pages_mapped, pages_filled, bytes_copied;
};

/* A request; all the driver gave was read once, the arguments excepted, which get_args() reads. */
struct request {
	struct virtio_fs *f;
	const struct virtio_chain *c;
	struct fuse_in_header in;
	const struct tree_node *node; /* of in.nodeid; NULL if that is none */
	uint32_t args;                /* bytes after the header */
	uint32_t room;                /* for the reply, after its header */
};

/* ---- arguments and replies ---------------------------------------------------------------- */

static int get_args(struct request *r, void *buf, uint32_t bytes)
{
	if (r->args < bytes)
		return -EINVAL;
	return virtio_copy_from(&r->f->v, r->c, IN_HEADER, buf, bytes) ? 0 : -EIO;
}

/* Part of the reply's body; the number of bytes, or an error for the driver. */
static int put(struct request *r, uint32_t offset, const void *data, uint32_t bytes)
{
	if (offset > r->room || bytes > r->room - offset)
		return -EINVAL;
	return virtio_copy_to(&r->f->v, r->c, OUT_HEADER + offset, data, bytes) ? (int)bytes : -EIO;
}

static void fill_attr(struct fuse_attr *a, uint64_t id, const struct tree_node *n)
{
	*a = (struct fuse_attr){
		.ino = id,
		.size = n->bytes,
		.blocks = n->blocks,
		.atime = (uint64_t)n->mtime_s,
		.mtime = (uint64_t)n->mtime_s,
		.ctime = (uint64_t)n->mtime_s,
		.atimensec = n->mtime_ns,
		.mtimensec = n->mtime_ns,
		.ctimensec = n->mtime_ns,
		.mode = n->mode,
		.nlink = S_ISDIR(n->mode) ? 2 + n->n_dirs : 1,
		.blksize = PAGE_SIZE,
	};
}

static void fill_entry(struct fuse_entry_out *e, uint64_t id, const struct tree_node *n)
{
	*e = (struct fuse_entry_out){.nodeid = id, .entry_valid = FOR_EVER, .attr_valid = FOR_EVER};
	fill_attr(&e->attr, id, n);
}

/* ---- requests: the length of the reply's body, or a negative errno for the driver --------- */

static int do_init(struct request *r)
{
	const uint32_t wanted = FUSE_ASYNC_READ | FUSE_EXPORT_SUPPORT | FUSE_DO_READDIRPLUS |
				FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |
				FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = PAGE_SIZE, /* the least there is */
		.time_gran = 1,
		.max_pages = MAX_PAGES,
	};
	uint32_t in[4]; /* what every version has: major, minor, max_readahead, flags */
	int err = get_args(r, in, sizeof(in));

	if (err)
		return err;
	if (in[0] < FUSE_KERNEL_VERSION)
		return -EPROTO;
	if (in[0] > FUSE_KERNEL_VERSION) /* the driver asks again, in our version */
		return put(r, 0, &out, FUSE_COMPAT_INIT_OUT_SIZE);
	if (in[1] < OLDEST_MINOR)
		return -EPROTO;
	out.minor = MIN(in[1], (uint32_t)FUSE_KERNEL_MINOR_VERSION);
	out.max_readahead = in[2];
	out.flags = in[3] & wanted;
	r->f->flags = out.flags;
	r->f->up = true;
	return put(r, 0, &out, sizeof(out));
}

static int do_destroy(struct request *r)
{
	r->f->up = false;
	return 0;
}

static int do_nothing(struct request *r)
{
	(void)r;
	return 0;
}

static int do_lookup(struct request *r)
{
	struct fuse_entry_out out = {.entry_valid = FOR_EVER}; /* nodeid 0: cache that it is not */
	char name[TREE_MAX_NAME + 1];
	const struct tree_node *child;
	uint64_t id;
	int err;

	if (!S_ISDIR(r->node->mode))
		return -ENOTDIR;
	if (r->node->error)
		return -r->node->error;
	if (r->args > sizeof(name))
		return -ENAMETOOLONG;
	err = get_args(r, name, r->args);
	if (err)
		return err;
	/* One zero, at the end. */
	if (r->args < 2 || memchr(name, 0, r->args) != name + r->args - 1 || strchr(name, '/'))
		return -EINVAL;
	if (!strcmp(name, "."))
		id = r->in.nodeid;
	else if (!strcmp(name, ".."))
		id = r->node->parent;
	else
		id = tree_lookup(r->f->tree, (uint32_t)r->in.nodeid, name);
	if (!id)
		return put(r, 0, &out, sizeof(out));
	child = tree_node(r->f->tree, id);
	if (!child->mode)
		return -child->error;
	fill_entry(&out, id, child);
	return put(r, 0, &out, sizeof(out));
}

static int do_getattr(struct request *r)
{
	struct fuse_attr_out out = {.attr_valid = FOR_EVER};

	fill_attr(&out.attr, r->in.nodeid, r->node);
	return put(r, 0, &out, sizeof(out));
}

static int do_readlink(struct request *r)
{
	if (!S_ISLNK(r->node->mode))
		return -EINVAL;
	return put(r, 0, r->node->target, (uint32_t)r->node->bytes);
}

/* A driver that can do without OPEN learns that it need not ask again. */
static int do_open(struct request *r)
{
	bool dir = r->in.opcode == FUSE_OPENDIR;
	struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE | (dir ? FOPEN_CACHE_DIR : 0)};
	struct fuse_open_in in;
	int err = get_args(r, &in, sizeof(in));

	if (err)
		return err;
	if (dir && !S_ISDIR(r->node->mode))
		return -ENOTDIR;
	if (!dir && !S_ISREG(r->node->mode))
		return S_ISDIR(r->node->mode) ? -EISDIR : -ELOOP;
	if (in.flags & 3) /* O_WRONLY, O_RDWR */
		return -EROFS;
	if (r->node->error)
		return -r->node->error;
	if (r->f->flags & (dir ? FUSE_NO_OPENDIR_SUPPORT : FUSE_NO_OPEN_SUPPORT))
		return -ENOSYS;
	return put(r, 0, &out, sizeof(out));
}

static int do_access(struct request *r)
{
	struct fuse_access_in in;
	int err = get_args(r, &in, sizeof(in));

	return err ? err : in.mask & MAY_WRITE ? -EROFS : 0;
}

static int do_statfs(struct request *r)
{
	struct fuse_statfs_out out = {
		.st = {.blocks = image_bytes(tree_image(r->f->tree)) >> PAGE_SHIFT,
			.files = tree_nodes(r->f->tree),
			.bsize = PAGE_SIZE,
			.frsize = PAGE_SIZE,
			.namelen = TREE_MAX_NAME}};

	return put(r, 0, &out, sizeof(out));
}

/*
 * READDIR and READDIRPLUS. Entry number n of a directory is ".", "..", then its children; the
 * cookie behind an entry is the number of the next.
 */
static int do_readdir(struct request *r)
{
	union {
		struct fuse_direntplus plus;
		char bytes[FUSE_NAME_OFFSET_DIRENTPLUS + TREE_MAX_NAME + 8];
	} e;
	const struct tree *t = r->f->tree;
	const struct tree_node *dir = r->node;
	bool plus = r->in.opcode == FUSE_READDIRPLUS;
	uint32_t skip = plus ? 0 : offsetof(struct fuse_direntplus, dirent), used = 0, room;
	struct fuse_read_in in;
	int err = get_args(r, &in, sizeof(in));

	if (err)
		return err;
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (dir->error)
		return -dir->error;
	room = MIN(in.size, r->room);
	for (uint64_t n = in.offset; n < dir->n_children + 2ull; n++) {
		uint64_t id = n == 0   ? r->in.nodeid
			      : n == 1 ? dir->parent
				       : dir->first_child + n - 2;
		const struct tree_node *node = tree_node(t, id);
		const char *name = n == 0 ? "." : n == 1 ? ".." : node->name;
		uint32_t length = (uint32_t)strlen(name), bytes;

		if (!node->mode && node->error == ENOENT)
			continue; /* vanished */
		memset(&e, 0, sizeof(e));
		if (n >= 2 && node->mode) /* the others only list: no nodeid */
			fill_entry(&e.plus.entry_out, id, node);
		e.plus.dirent = (struct fuse_dirent){.ino = id,
			.off = n + 1,
			.namelen = length,
			.type = (node->mode & S_IFMT) >> 12};
		memcpy(e.bytes + FUSE_NAME_OFFSET_DIRENTPLUS, name, length);
		bytes = (uint32_t)FUSE_DIRENTPLUS_SIZE(&e.plus) - skip;
		if (bytes > room - used)
			return used ? (int)used : -EINVAL; /* nothing would mean the end */
		err = put(r, used, e.bytes + skip, bytes);
		if (err < 0)
			return err;
		used += bytes;
	}
	return (int)used;
}

/* ---- READ --------------------------------------------------------------------------------- */

/* The frame with page `index` of a file, and whether it was in memory before. */
static int file_frame(
	struct virtio_fs *f, uint32_t id, uint32_t index, uint32_t *mpn, bool *was_cached)
{
	struct vm *vm = f->v.dev.vm;
	struct memory *mem = vm->cluster->mem;
	int err = tree_block(f->tree, id, index, vm_home_node(vm), mpn, was_cached);

	if (!err && !*was_cached)
		memory_dma(mem, vm->id, frame_data(mem, *mpn), PAGE_SIZE, true);
	return err;
}

static int map_page(struct virtio_fs *f, uint32_t id, uint64_t at, uint64_t pa)
{
	struct vm *vm = f->v.dev.vm;
	uint32_t ppn = gm_ppn(vm, pa), mpn;
	bool was_cached;
	int err = file_frame(f, id, (uint32_t)(at >> PAGE_SHIFT), &mpn, &was_cached);

	if (err)
		return err;
	pmap_share_in(vm->pmap, ppn, mpn, FRAME_CACHE);
	vm->cluster->engine->page_written(vm, ppn);
	if (was_cached) {
		f->pages_mapped++;
		virtio_charge(&f->v, vm->cluster->machine->cost.page_share);
	} else {
		f->pages_filled++;
	}
	return 0;
}

/* Part of one page of the file into part of one page of the VM. */
static int copy_piece(struct virtio_fs *f, uint32_t id, uint64_t at, uint64_t pa, uint32_t bytes)
{
	struct vm *vm = f->v.dev.vm;
	uint32_t index = (uint32_t)(at >> PAGE_SHIFT), offset = at & (PAGE_SIZE - 1), mpn;
	struct memory *mem = vm->cluster->mem;
	uint8_t page[PAGE_SIZE], *from = page;
	bool was_cached;
	int err;

	/* Before the file's frame is known: taking one for the VM might cost the cache that one. */
	err = gm_touch(vm, pa, bytes, true);
	if (err)
		return err;
	if (f->share) {
		err = file_frame(f, id, index, &mpn, &was_cached);
		if (!err) {
			from = frame_data(mem, mpn);
			memory_dma(mem, vm->id, from + offset, bytes, false);
		}
	} else {
		err = tree_read(f->tree, id, index, page);
	}
	if (!err)
		err = gm_write(vm, pa, from + offset, bytes);
	if (!err) {
		f->bytes_copied += bytes;
		virtio_charge(&f->v, virtio_copy_cycles(&f->v, bytes));
	}
	return err;
}

static int transfer(struct request *r, uint64_t at, uint32_t bytes)
{
	struct virtio_span span = virtio_writable(r->c, OUT_HEADER, bytes);
	uint32_t id = (uint32_t)r->in.nodeid, n;
	struct virtio_segment s;

	while (virtio_span_next(&span, &s)) {
		for (; s.bytes; s.pa += n, s.bytes -= n, at += n) {
			uint32_t in_page = s.pa & (PAGE_SIZE - 1), in_block = at & (PAGE_SIZE - 1);
			int err;

			n = MIN(s.bytes, (uint32_t)PAGE_SIZE - MAX(in_page, in_block));
			if (n == PAGE_SIZE && r->f->share)
				err = map_page(r->f, id, at, s.pa);
			else
				err = copy_piece(r->f, id, at, s.pa, n);
			if (err)
				return err;
		}
	}
	return 0;
}

static int do_read(struct request *r)
{
	uint64_t end = r->node->bytes;
	struct fuse_read_in in;
	uint32_t bytes;
	int err = get_args(r, &in, sizeof(in));

	if (err)
		return err;
	if (!S_ISREG(r->node->mode))
		return S_ISDIR(r->node->mode) ? -EISDIR : -EINVAL;
	if (in.offset >= end)
		return 0;
	if (!(in.flags & GUEST_O_DIRECT))
		end = (end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	bytes = MIN(in.size, r->room);
	bytes = (uint32_t)MIN(end - in.offset, (uint64_t)bytes);
	err = transfer(r, in.offset, bytes);
	if (err == -ENOMEM)
		vm_fail(r->f->v.dev.vm, "virtio-fs: machine memory is exhausted");
	if (err)
		return err;
	r->f->bytes_read += bytes;
	return (int)bytes;
}

/* ---- dispatch ----------------------------------------------------------------------------- */

enum { ANY_NODE = 1, NO_REPLY = 2 }; /* the request is not about a node; nothing is sent back */

/* What is not here is -ENOSYS, which tells a driver not to ask again: attributes it has no use for,
 * or, as FLUSH and FSYNC, what then counts as done. */
static const struct operation {
	int (*serve)(struct request *r); /* NULL: would change something; -EROFS */
	enum counter counter;
	uint8_t flags;
	bool known;
} operation[] = {
#define OP(opcode, serve, counter, flags) [opcode] = {serve, counter, flags, true}
	OP(FUSE_INIT, do_init, OTHERS, ANY_NODE),
	OP(FUSE_DESTROY, do_destroy, OTHERS, ANY_NODE),
	OP(FUSE_FORGET, do_nothing, OTHERS, ANY_NODE | NO_REPLY),
	OP(FUSE_BATCH_FORGET, do_nothing, OTHERS, ANY_NODE | NO_REPLY),
	OP(FUSE_INTERRUPT, do_nothing, OTHERS, ANY_NODE | NO_REPLY),
	OP(FUSE_LOOKUP, do_lookup, LOOKUPS, 0),
	OP(FUSE_GETATTR, do_getattr, ATTRIBUTES, 0),
	OP(FUSE_READLINK, do_readlink, ATTRIBUTES, 0),
	OP(FUSE_ACCESS, do_access, ATTRIBUTES, 0),
	OP(FUSE_STATFS, do_statfs, ATTRIBUTES, 0),
	OP(FUSE_OPEN, do_open, OPENS, 0),
	OP(FUSE_OPENDIR, do_open, OPENS, 0),
	OP(FUSE_RELEASE, do_nothing, OTHERS, 0),
	OP(FUSE_RELEASEDIR, do_nothing, OTHERS, 0),
	OP(FUSE_READ, do_read, READS, 0),
	OP(FUSE_READDIR, do_readdir, LISTINGS, 0),
	OP(FUSE_READDIRPLUS, do_readdir, LISTINGS, 0),
	OP(FUSE_SETATTR, NULL, OTHERS, 0),
	OP(FUSE_SYMLINK, NULL, OTHERS, 0),
	OP(FUSE_MKNOD, NULL, OTHERS, 0),
	OP(FUSE_MKDIR, NULL, OTHERS, 0),
	OP(FUSE_UNLINK, NULL, OTHERS, 0),
	OP(FUSE_RMDIR, NULL, OTHERS, 0),
	OP(FUSE_RENAME, NULL, OTHERS, 0),
	OP(FUSE_RENAME2, NULL, OTHERS, 0),
	OP(FUSE_LINK, NULL, OTHERS, 0),
	OP(FUSE_WRITE, NULL, OTHERS, 0),
	OP(FUSE_SETXATTR, NULL, OTHERS, 0),
	OP(FUSE_REMOVEXATTR, NULL, OTHERS, 0),
	OP(FUSE_CREATE, NULL, OTHERS, 0),
	OP(FUSE_TMPFILE, NULL, OTHERS, 0),
	OP(FUSE_FALLOCATE, NULL, OTHERS, 0),
	OP(FUSE_COPY_FILE_RANGE, NULL, OTHERS, 0),
#undef OP
};

static const struct operation *find(uint32_t opcode)
{
	static const struct operation none = {.counter = OTHERS};

	return opcode < ARRAY_SIZE(operation) && operation[opcode].known ? &operation[opcode]
									 : &none;
}

static int answer(struct request *r, const struct operation *op)
{
	if (r->in.len < IN_HEADER || r->in.len > r->c->readable)
		return -EINVAL;
	if (!r->f->up && r->in.opcode != FUSE_INIT)
		return -EIO;
	if (!op->known)
		return -ENOSYS;
	if (!(op->flags & ANY_NODE) && (!r->node || !r->node->mode)) /* never named to a driver */
		return -ESTALE;
	return op->serve ? op->serve(r) : -EROFS;
}

/* The headers are the first bytes of either part, however the driver cut its buffers. One that
 * sends no header, or leaves no room for one where a reply is due, breaks the specification. */
static void serve(struct virtio *v, struct virtq *q, const struct virtio_chain *c)
{
	struct virtio_fs *f = (struct virtio_fs *)v;
	struct request r = {.f = f, .c = c};
	struct fuse_out_header out;
	const struct operation *op;
	int body;

	if (c->readable < IN_HEADER) {
		virtio_break(v);
		return;
	}
	if (!virtio_copy_from(v, c, 0, &r.in, IN_HEADER))
		return;
	op = find(r.in.opcode);
	f->count[op->counter]++;
	if (op->flags & NO_REPLY) {
		virtio_push(v, q, c->head, 0);
		return;
	}
	if (c->writable < OUT_HEADER) {
		virtio_break(v);
		return;
	}
	r.node = tree_node(f->tree, r.in.nodeid);
	r.args = r.in.len - IN_HEADER;
	r.room = MIN(c->writable - OUT_HEADER, (uint32_t)REPLY_BYTES);
	body = answer(&r, op);
	out.len = OUT_HEADER + (uint32_t)MAX(body, 0);
	out.error = MIN(body, 0);
	out.unique = r.in.unique;
	f->refused += body < 0;
	if (virtio_copy_to(v, c, 0, &out, OUT_HEADER))
		virtio_push(v, q, c->head, out.len);
}

static int fs_kick(struct virtio *v, struct virtq *q)
{
	return virtio_serve(v, q, VIRTIO_BOUNDARY_BYTES, serve);
}

static void fs_stats(struct device *d, struct json_t *object)
{
	struct virtio_fs *f = (struct virtio_fs *)d;
	const struct {
		const char *name;
		uint64_t value;
	} row[] = {
		{"refused", f->refused},
		{"bytes_read", f->bytes_read},
		{"pages_mapped", f->pages_mapped},
		{"pages_filled", f->pages_filled},
		{"bytes_copied", f->bytes_copied},
	};

	virtio_common_stats(&f->v, object);
	json_object_set_new(object, "tag",
		json_stringn(f->config.tag, strnlen(f->config.tag, sizeof(f->config.tag))));
	for (unsigned i = 0; i < COUNTERS; i++)
		json_object_set_new(object, counter_name[i], json_integer((json_int_t)f->count[i]));
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		json_object_set_new(object, row[i].name, json_integer((json_int_t)row[i].value));
}

static void fs_destroy(struct device *d)
{
	free(d);
}

static int fs_clone(struct device *d, const struct device *from)
{
	struct virtio_fs *f = (struct virtio_fs *)d;
	const struct virtio_fs *other = (const struct virtio_fs *)from;

	f->up = other->up;
	f->flags = other->flags;
	return virtio_clone(d, from);
}

static const struct virtio_ops fs_ops = {
	.dev = {.type = "virtio-fs",
		VIRTIO_DEVICE_OPS,
		.stats = fs_stats,
		.destroy = fs_destroy,
		.clone = fs_clone},
	.id = 26,
	.n_queues = 2,
	.at_boundary = true,
	.kick = fs_kick,
};

struct device *virtio_fs_create(
	struct vm *vm, unsigned slot, const char *tag, struct tree *tree, bool share)
{
	struct virtio_fs *f = xcalloc(1, sizeof(*f));

	f->tree = tree;
	f->share = share;
	memcpy(f->config.tag, tag, MIN(strlen(tag), sizeof(f->config.tag)));
	f->config.num_request_queues = 1;
	virtio_init(&f->v, vm, slot, &fs_ops, 0, &f->config, sizeof(f->config));
	return &f->v.dev;
}
