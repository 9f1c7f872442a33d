// SPDX-License-Identifier: MIT
/*
 * The virtio entropy device (Virtual I/O Device specification 1.2, section 5.4). Its entropy is a
 * generator seeded by the VM's seed: the same run gives the same "random" bytes.
 */
#include <jansson.h>
#include <stdlib.h>

#include "monitor/dev/virtio.h"
#include "numa/util.h"

enum { MOST_BYTES = 256 }; /* of one request; the driver asks again for more */

struct virtio_rng {
	struct virtio v;
	uint64_t state, bytes;
};

static void serve(struct virtio *v, struct virtq *q, const struct virtio_chain *c)
{
	struct virtio_rng *r = (struct virtio_rng *)v;
	uint64_t word[MOST_BYTES / 8];
	uint32_t n = MIN(c->writable, (uint32_t)sizeof(word));

	for (unsigned i = 0; i < (n + 7) / 8; i++)
		word[i] = splitmix64(&r->state);
	if (!virtio_copy_to(v, c, 0, word, n))
		return;
	r->bytes += n;
	virtio_push(v, q, c->head, n);
}

static int rng_kick(struct virtio *v, struct virtq *q)
{
	return virtio_serve(v, q, UINT64_MAX, serve);
}

static void rng_stats(struct device *d, struct json_t *object)
{
	struct virtio_rng *r = (struct virtio_rng *)d;

	virtio_common_stats(&r->v, object);
	json_object_set_new(object, "bytes", json_integer((json_int_t)r->bytes));
}

static void rng_destroy(struct device *d)
{
	free(d);
}

static const struct virtio_ops rng_ops = {
	.dev = {.type = "virtio-rng",
		VIRTIO_DEVICE_OPS,
		.stats = rng_stats,
		.destroy = rng_destroy,
		.clone = virtio_clone},
	.id = 4,
	.n_queues = 1,
	.kick = rng_kick,
};

struct device *virtio_rng_create(struct vm *vm, unsigned slot)
{
	struct virtio_rng *r = xcalloc(1, sizeof(*r));

	r->state = vm->seed ^ 0x76697274696f2d72; /* "virtio-r": not the stream of rng-seed */
	virtio_init(&r->v, vm, slot, &rng_ops, 0, NULL, 0);
	return &r->v.dev;
}
