// SPDX-License-Identifier: MIT
/*
 * The virtio memory balloon (Virtual I/O Device specification 1.2, section 5.5): how memory that a
 * guest can do without comes back. A page the guest puts into its balloon, or reports as free, is
 * forgotten by its pmap: it costs no frame, and reads as zero when the guest uses it again, which
 * the guest need not say first (VIRTIO_BALLOON_F_MUST_TELL_HOST is not offered). Page poisoning is
 * not offered either, so a guest that poisons free pages does not report them.
 *
 * Queues that belong to features not offered do not exist, and those behind them move up, as Linux
 * and QEMU have it. What a guest says of its memory is believed only to divide among VMs what has
 * to be taken back; lying costs the liar.
 */
#include <endian.h>
#include <jansson.h>
#include <stdlib.h>

#include "monitor/dev/balloon.h"
#include "monitor/dev/virtio.h"
#include "monitor/vm/guestmem.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"
#include "sharing/content.h"

enum { INFLATE, DEFLATE, STATS, REPORT };
enum { BATCH = 256 }; /* page numbers read at once */
/* Of one boundary; what a guest names beyond that waits for the next, within a request too. */
enum { MOST_PAGES = VIRTIO_BOUNDARY_BYTES / PAGE_SIZE };
#define F_STATS_VQ       (1ull << 1)
#define F_DEFLATE_ON_OOM (1ull << 2)
#define F_REPORTING      (1ull << 5)

struct stat_entry {
	uint16_t tag;
	uint64_t value;
} __attribute__((packed));
enum { TAG_AVAILABLE = 6, MOST_STATS = 64 };

struct config {
	uint32_t num_pages; /* target */
	uint32_t actual;    /* the driver's */
};

struct balloon {
	struct virtio v;
	struct config config;
	uint64_t taken, given, reported;
	uint32_t available;
	bool has_buffer; /* the driver's buffer for statistics is with us */
	uint16_t buffer;
};

static void forget(struct balloon *b, uint64_t ppn)
{
	struct vm *vm = b->v.dev.vm;

	virtio_charge(&b->v, vm->cluster->machine->cost.page_share);
	pmap_drop(vm->pmap, (uint32_t)ppn);
	vm->cluster->engine->page_written(vm, (uint32_t)ppn);
	if (vm->cluster->content)
		content_given(vm->cluster->content, vm->id, (uint32_t)ppn);
}

/*
 * Bytes [from, end) of an array of 32-bit page frame numbers; those outside the guest's memory are
 * ignored.
 */
static bool inflate(struct balloon *b, const struct virtio_chain *c, uint32_t from, uint32_t end)
{
	const struct vm *vm = b->v.dev.vm;
	uint32_t pfn[BATCH];

	for (uint32_t at = from; at < end;) {
		uint32_t n = MIN((end - at) / 4, (uint32_t)BATCH);

		if (!virtio_copy_from(&b->v, c, at, pfn, 4 * n))
			return false;
		at += 4 * n;
		for (uint32_t i = 0; i < n; i++) {
			uint64_t pa = (uint64_t)le32toh(pfn[i]) << PAGE_SHIFT;

			if (!gm_valid(vm, pa, PAGE_SIZE))
				continue;
			forget(b, gm_ppn(vm, pa));
			b->taken++;
		}
	}
	return true;
}

/* Whole pages in bytes [from, to) of the buffers, which the guest promises not to need. */
static void report(struct balloon *b, const struct virtio_chain *c, uint32_t from, uint32_t to)
{
	struct vm *vm = b->v.dev.vm;
	const struct engine *engine = vm->cluster->engine;
	struct virtio_span span = virtio_writable(c, from, to - from);
	struct virtio_segment s;

	while (virtio_span_next(&span, &s)) {
		uint64_t offset = gm_offset(vm, s.pa);
		uint64_t first = (offset + PAGE_SIZE - 1) >> PAGE_SHIFT;
		uint64_t end = (offset + s.bytes) >> PAGE_SHIFT;

		if (engine->pages_replaced && end > first)
			engine->pages_replaced(vm, (uint32_t)first, (uint32_t)(end - first), false);
		for (uint64_t ppn = first; ppn < end; ppn++) {
			forget(b, ppn);
			b->reported++;
		}
	}
}

/* Entries of tag and value, in any order. */
static bool read_stats(struct balloon *b, const struct virtio_chain *c)
{
	uint64_t most = pmap_pages(b->v.dev.vm->pmap);
	struct stat_entry e[MOST_STATS];
	uint32_t n = MIN(c->readable / (uint32_t)sizeof(e[0]), (uint32_t)MOST_STATS);

	if (!virtio_copy_from(&b->v, c, 0, e, n * (uint32_t)sizeof(e[0])))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (le16toh(e[i].tag) == TAG_AVAILABLE)
			b->available = (uint32_t)MIN(le64toh(e[i].value) >> PAGE_SHIFT, most);
	return true;
}

/* How far into a request of `bytes` to go now, of which `done` are served; at most `most` more. */
static uint32_t share_of(uint32_t done, uint32_t bytes, uint32_t most)
{
	return done < bytes ? done + MIN(bytes - done, most) : done;
}

static void serve(struct virtio *v, struct virtq *q, const struct virtio_chain *c)
{
	struct balloon *b = (struct balloon *)v;
	uint32_t numbers = c->readable & ~3u, end;

	switch (q - v->queue) {
	case INFLATE:
		end = share_of(c->done, numbers, 4 * MOST_PAGES);
		if (!inflate(b, c, c->done, end))
			return;
		if (end < numbers) {
			virtio_rest(q, end);
			return;
		}
		break;
	case DEFLATE:
		b->given += numbers / 4;
		break;
	case STATS:
		if (!read_stats(b, c))
			return;
		/* The buffer for statistics is kept, to be given back when they are wanted anew. A
		 * second one at the same time is not what section 5.5.6.3 allows. */
		if (!b->has_buffer) {
			b->has_buffer = true;
			b->buffer = c->head;
			return;
		}
		break;
	default:
		end = share_of(c->done, c->writable, VIRTIO_BOUNDARY_BYTES);
		report(b, c, c->done, end);
		if (end < c->writable) {
			virtio_rest(q, end);
			return;
		}
	}
	virtio_push(v, q, c->head, 0);
}

static int balloon_kick(struct virtio *v, struct virtq *q)
{
	/* Of the queue for inflation, a byte is a quarter of a page. */
	uint64_t most = q == &v->queue[INFLATE] ? 4 * MOST_PAGES : VIRTIO_BOUNDARY_BYTES;

	return virtio_serve(v, q, most, serve);
}

static void balloon_config_write(struct virtio *v, uint64_t offset, unsigned size, uint64_t value)
{
	struct balloon *b = (struct balloon *)v;

	if (offset == offsetof(struct config, actual) && size == 4)
		b->config.actual = (uint32_t)value; /* little-endian on both sides */
}

static void balloon_reset(struct virtio *v)
{
	struct balloon *b = (struct balloon *)v;

	b->config.actual = 0;
	b->has_buffer = false;
	b->available = UINT32_MAX;
}

struct balloon_state balloon_state(const struct device *d)
{
	const struct balloon *b = (const struct balloon *)d;

	return (struct balloon_state){
		.live = virtio_live(&b->v, &b->v.queue[INFLATE]),
		.target = b->config.num_pages,
		.held = b->config.actual,
		.taken = b->taken,
		.reported = b->reported,
		.available = b->available,
	};
}

void balloon_set_target(struct device *d, uint32_t pages)
{
	struct balloon *b = (struct balloon *)d;

	if (pages == b->config.num_pages)
		return;
	b->config.num_pages = pages;
	virtio_config_changed(&b->v);
}

void balloon_ask(struct device *d)
{
	struct balloon *b = (struct balloon *)d;
	struct virtq *q = &b->v.queue[STATS];

	if (!b->has_buffer || !virtio_live(&b->v, q))
		return;
	b->has_buffer = false;
	virtio_push(&b->v, q, b->buffer, 0);
	virtio_notify(&b->v, q);
}

static void balloon_stats(struct device *d, struct json_t *object)
{
	struct balloon *b = (struct balloon *)d;

	virtio_common_stats(&b->v, object);
	json_object_set_new(object, "target_pages", json_integer(b->config.num_pages));
	json_object_set_new(object, "held_pages", json_integer(b->config.actual));
	json_object_set_new(object, "pages_taken", json_integer((json_int_t)b->taken));
	json_object_set_new(object, "pages_given", json_integer((json_int_t)b->given));
	json_object_set_new(object, "pages_reported", json_integer((json_int_t)b->reported));
}

static int balloon_clone(struct device *d, const struct device *from)
{
	struct balloon *b = (struct balloon *)d;
	const struct balloon *original = (const struct balloon *)from;

	b->config = original->config;
	b->available = original->available;
	b->has_buffer = original->has_buffer;
	b->buffer = original->buffer;
	return virtio_clone(d, from);
}

static void balloon_destroy(struct device *d)
{
	free(d);
}

static const struct virtio_ops balloon_ops = {
	.dev = {.type = "virtio-balloon",
		VIRTIO_DEVICE_OPS,
		.stats = balloon_stats,
		.destroy = balloon_destroy,
		.clone = balloon_clone},
	.id = 5,
	.n_queues = 4,
	.at_boundary = true,
	.kick = balloon_kick,
	.config_write = balloon_config_write,
	.reset = balloon_reset,
};

struct device *virtio_balloon_create(struct vm *vm, unsigned slot, bool reporting)
{
	struct balloon *b = xcalloc(1, sizeof(*b));

	b->available = UINT32_MAX;
	virtio_init(&b->v, vm, slot, &balloon_ops,
		F_STATS_VQ | F_DEFLATE_ON_OOM | (reporting ? F_REPORTING : 0), &b->config,
		sizeof(b->config));
	return &b->v.dev;
}
