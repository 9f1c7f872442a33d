// SPDX-License-Identifier: MIT
/*
 * The virtio block device (Virtual I/O Device specification 1.2, section 5.2) over a virtual disk.
 * Requests are served at the boundary; the guest's buffers go to the disk as they are, so that
 * whole, aligned pages can be mapped instead of copied. Physical blocks are announced as 4 KiB to
 * make guests align to them. A private disk offers FLUSH, as does a scratch disk, for which it
 * means nothing, so that both cost the same; a driver that declines it gets write-through, as
 * section 5.2.5.2 demands.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "monitor/dev/virtio.h"
#include "monitor/vm/guestmem.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"
#include "sharing/content.h"

enum {
	F_SEG_MAX = 1 << 2,
	F_RO = 1 << 5,
	F_BLK_SIZE = 1 << 6,
	F_FLUSH = 1 << 9,
	F_TOPOLOGY = 1 << 10,

	T_IN = 0,
	T_OUT = 1,
	T_FLUSH = 4,
	T_GET_ID = 8,

	S_OK = 0,
	S_IOERR = 1,
	S_UNSUPP = 2,

	ID_BYTES = 20,
	MOST_BYTES = VIRTIO_BOUNDARY_BYTES, /* of one request; larger ones are errors */
	/* At one boundary, for each may wait for the host's disk. Linux has one under way. */
	MOST_FLUSHES = 2,
};

struct header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

struct config {
	uint64_t capacity; /* sectors */
	uint32_t size_max, seg_max;
	uint32_t geometry;
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_blocks;
	uint32_t opt_io_blocks;
};

struct virtio_blk {
	struct virtio v;
	struct disk *disk;
	struct config config;
	unsigned slot;
	uint64_t flushes; /* of the disk's, at which this boundary's work ends */
	uint64_t errors;
};

static void hint(struct vm *vm, const struct disk_segment *seg, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t end = seg[i].pa_offset + seg[i].bytes;

		for (uint64_t at = seg[i].pa_offset; at < end; at = (at | (PAGE_SIZE - 1)) + 1)
			content_hint(vm->cluster->content, vm->id, (uint32_t)(at >> PAGE_SHIFT));
	}
}

/* Tell the engine of the runs of pages that a read fills. */
static void replaced(struct vm *vm, const struct disk_segment *seg, unsigned n, bool done)
{
	const struct engine *engine = vm->cluster->engine;

	for (unsigned i = 0; engine->pages_replaced && i < n; i++) {
		uint32_t first = (uint32_t)(seg[i].pa_offset >> PAGE_SHIFT);
		uint32_t end = (uint32_t)((seg[i].pa_offset + seg[i].bytes - 1) >> PAGE_SHIFT) + 1;

		if (end - first > 1)
			engine->pages_replaced(vm, first, end - first, done);
	}
}

/* What the disk did takes the monitor's time: bytes it copied, records of pages it mapped. */
static void charge(struct virtio_blk *b, const struct disk_stats *before)
{
	const struct disk_stats *now = disk_stats(b->disk);
	uint64_t price = b->v.dev.vm->cluster->machine->cost.page_share;

	virtio_charge(&b->v, virtio_copy_cycles(&b->v, now->bytes_copied - before->bytes_copied) +
				     price * (now->pages_mapped - before->pages_mapped));
}

/* Move `bytes` between the disk and the part of the chain that `span` covers. */
static uint8_t transfer(struct virtio_blk *b, uint64_t sector, struct virtio_span span, bool write)
{
	const struct disk_stats before = *disk_stats(b->disk);
	struct vm *vm = b->v.dev.vm;
	struct disk_segment seg[VIRTQ_MAX];
	struct virtio_segment s;
	unsigned n = 0, node = vm_home_node(vm);
	int err;

	if (span.left > MOST_BYTES)
		return S_IOERR;
	for (; virtio_span_next(&span, &s); n++) {
		if (s.bytes % SECTOR_SIZE)
			return S_IOERR;
		seg[n] = (struct disk_segment){gm_offset(vm, s.pa), s.bytes};
	}
	if (!n)
		return S_OK;
	if (write) {
		err = disk_write(b->disk, vm->pmap, node, sector, seg, n);
		if (!err && disk_mode(b->disk) == DISK_PRIVATE && !(b->v.features & F_FLUSH))
			err = disk_flush(b->disk);
	} else {
		replaced(vm, seg, n, false);
		err = disk_read(b->disk, vm->pmap, node, sector, seg, n);
		replaced(vm, seg, n, true);
		/* Even a failed read may have changed some of the pages. */
		for (unsigned i = 0; i < n; i++) {
			uint64_t last = seg[i].pa_offset + seg[i].bytes - 1;

			for (uint64_t ppn = seg[i].pa_offset >> PAGE_SHIFT;
				ppn <= last >> PAGE_SHIFT; ppn++)
				vm->cluster->engine->page_written(vm, (uint32_t)ppn);
		}
	}
	charge(b, &before);
	/* What was written may be on another VM's disk as well; what was read by copying, anywhere.
	 */
	if (!err && vm->log && (write || disk_mode(b->disk) == DISK_PRIVATE))
		hint(vm, seg, n);
	if (err == -ENOMEM)
		vm_fail(vm, "virtio-blk: machine memory is exhausted");
	return err ? S_IOERR : S_OK;
}

static uint8_t get_id(struct virtio_blk *b, const struct virtio_chain *c, uint32_t room)
{
	char id[ID_BYTES + 1] = {0};

	snprintf(id, sizeof(id), "disco-disk-%u", b->slot);
	return virtio_copy_to(&b->v, c, 0, id, MIN(room, (uint32_t)ID_BYTES)) ? S_OK : S_IOERR;
}

/* The header is the first 16 readable bytes and the status the last writable one, however the
 * driver cut its buffers (section 2.7.4.1). */
static void serve(struct virtio *v, struct virtq *q, const struct virtio_chain *c)
{
	struct virtio_blk *b = (struct virtio_blk *)v;
	struct header h;
	uint32_t room = c->writable - 1;
	uint8_t status;

	if (c->readable < sizeof(h) || !c->writable) {
		virtio_break(v);
		return;
	}
	if (!virtio_copy_from(v, c, 0, &h, sizeof(h)))
		return;
	switch (h.type) {
	case T_IN:
		status = transfer(b, h.sector, virtio_writable(c, 0, room), false);
		break;
	case T_OUT:
		status = transfer(b, h.sector,
			virtio_readable(c, sizeof(h), c->readable - (uint32_t)sizeof(h)), true);
		break;
	case T_FLUSH:
		status = disk_flush(b->disk) ? S_IOERR : S_OK;
		break;
	case T_GET_ID:
		status = get_id(b, c, room);
		break;
	default:
		status = S_UNSUPP;
	}
	b->errors += status != S_OK;
	if (disk_stats(b->disk)->flushes >= b->flushes)
		virtio_stop(q);
	if (virtio_copy_to(v, c, room, &status, 1))
		virtio_push(v, q, c->head, c->writable);
}

static int blk_kick(struct virtio *v, struct virtq *q)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	b->flushes = disk_stats(b->disk)->flushes + MOST_FLUSHES;
	return virtio_serve(v, q, VIRTIO_BOUNDARY_BYTES, serve);
}

static void blk_stats(struct device *d, struct json_t *object)
{
	struct virtio_blk *b = (struct virtio_blk *)d;
	const struct disk_stats *s = disk_stats(b->disk);
	const struct {
		const char *name;
		uint64_t value;
	} row[] = {
		{"reads", s->reads},
		{"writes", s->writes},
		{"flushes", s->flushes},
		{"bytes_read", s->bytes_read},
		{"bytes_written", s->bytes_written},
		{"pages_mapped", s->pages_mapped},
		{"pages_filled", s->pages_filled},
		{"bytes_copied", s->bytes_copied},
		{"pages_private", s->pages_private},
		{"pages_held", s->pages_held},
		{"errors", b->errors},
	};

	virtio_common_stats(&b->v, object);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		json_object_set_new(object, row[i].name, json_integer((json_int_t)row[i].value));
}

static void blk_destroy(struct device *d)
{
	disk_close(((struct virtio_blk *)d)->disk);
	free(d);
}

static int blk_clone(struct device *d, const struct device *from)
{
	struct virtio_blk *b = (struct virtio_blk *)d;

	if (disk_has_one_user(disk_mode(b->disk))) {
		vm_fail(d->vm, "cannot be cloned: disk %s has one user", disk_path(b->disk));
		return -EBUSY;
	}
	disk_clone(b->disk, ((const struct virtio_blk *)from)->disk);
	return virtio_clone(d, from);
}

static const struct virtio_ops blk_ops = {
	.dev = {.type = "virtio-blk",
		VIRTIO_DEVICE_OPS,
		.stats = blk_stats,
		.destroy = blk_destroy,
		.clone = blk_clone},
	.id = 2,
	.n_queues = 1,
	.at_boundary = true,
	.kick = blk_kick,
};

uint64_t virtio_blk_held(const struct device *d)
{
	return d->ops == &blk_ops.dev ? disk_stats(((const struct virtio_blk *)d)->disk)->pages_held
				      : 0;
}

struct device *virtio_blk_create(struct vm *vm, unsigned slot, struct disk *disk)
{
	struct virtio_blk *b = xcalloc(1, sizeof(*b));
	uint64_t features = F_SEG_MAX | F_BLK_SIZE | F_TOPOLOGY;

	if (disk_mode(disk) == DISK_RO)
		features |= F_RO;
	if (disk_has_one_user(disk_mode(disk)))
		features |= F_FLUSH;
	b->disk = disk;
	b->slot = slot;
	b->config = (struct config){
		.capacity = disk_sectors(disk),
		.seg_max = VIRTQ_MAX - 2, /* header and status take one each */
		.blk_size = SECTOR_SIZE,
		.physical_block_exp = PAGE_SHIFT - 9,
		.min_io_blocks = PAGE_SIZE / SECTOR_SIZE,
	};
	virtio_init(&b->v, vm, slot, &blk_ops, features, &b->config, sizeof(b->config));
	return &b->v.dev;
}
