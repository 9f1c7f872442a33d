// SPDX-License-Identifier: MIT
/*
 * The virtio network device (Virtual I/O Device specification 1.2, section 5.1) on the virtual
 * subnet: one queue pair, merged receive buffers, no offloads. Frames move at the boundary only.
 * There is no backlog: a frame that finds too few receive buffers is dropped and counted, as on a
 * wire.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/dev/virtio.h"
#include "numa/util.h"

enum { RX, TX };
enum { STATUS_DRIVER = 2 }; /* a driver has taken the device */
enum { F_MTU = 1 << 3, F_MAC = 1 << 5, F_MRG_RXBUF = 1 << 15, HEADER_BYTES = 12 };

struct config {
	uint8_t mac[6];
	uint16_t status, max_queue_pairs, mtu;
};

struct virtio_net {
	struct virtio v;
	struct subnet_port *port;
	struct config config;
	uint64_t rx_frames, tx_frames, rx_dropped, tx_dropped;
	uint8_t buf[HEADER_BYTES + SUBNET_FRAME_MAX]; /* one frame on its way in or out */
};

static int transmit(struct virtio_net *n, struct virtq *q)
{
	struct virtio *v = &n->v;
	struct virtio_chain c;
	int popped;

	while ((popped = virtio_pop(v, q, &c)) > 0) {
		/* The header asks for offloads, of which none was offered: passed over. */
		if (c.readable <= HEADER_BYTES || c.readable > sizeof(n->buf)) {
			n->tx_dropped++;
		} else {
			if (!virtio_copy_from(
				    v, &c, HEADER_BYTES, n->buf, c.readable - HEADER_BYTES))
				return 0;
			subnet_send(n->port, n->buf, c.readable - HEADER_BYTES);
			n->tx_frames++;
		}
		virtio_push(v, q, c.head, 0);
	}
	virtio_notify(v, q);
	return popped;
}

static int net_kick(struct virtio *v, struct virtq *q)
{
	/* New receive buffers wait for the next frame. */
	return q == &v->queue[TX] ? transmit((struct virtio_net *)v, q) : 0;
}

/* The frame, with its header, over as many buffers as it takes (section 5.1.6.4). */
static bool deliver(void *arg, const uint8_t *frame, uint32_t bytes)
{
	struct virtio_net *n = arg;
	struct virtio *v = &n->v;
	struct virtq *q = &v->queue[RX];
	unsigned most = v->features & F_MRG_RXBUF ? VIRTQ_MAX : 1, used = 0;
	uint32_t total = HEADER_BYTES + bytes, done = 0, len[VIRTQ_MAX];
	uint16_t head[VIRTQ_MAX], num_buffers;
	struct virtio_chain c, first;

	if (bytes > SUBNET_FRAME_MAX)
		return false;
	memset(n->buf, 0, HEADER_BYTES);
	memcpy(n->buf + HEADER_BYTES, frame, bytes);
	for (; done < total; used++) {
		if (used == most || virtio_pop(v, q, &c) <= 0)
			goto drop;
		if (!used)
			first = c;
		/* A buffer that could not even hold the header breaks the specification. */
		if (c.writable < HEADER_BYTES) {
			virtio_break(v);
			goto drop;
		}
		head[used] = c.head;
		len[used] = MIN(c.writable, total - done);
		if (!virtio_copy_to(v, &c, 0, n->buf + done, len[used]))
			goto drop;
		done += len[used];
	}
	num_buffers = (uint16_t)used;
	if (!virtio_copy_to(v, &first, HEADER_BYTES - 2, &num_buffers, 2))
		goto drop;
	for (unsigned i = 0; i < used; i++)
		virtio_push(v, q, head[i], len[i]);
	n->rx_frames++;
	virtio_notify(v, q);
	return true;
drop:
	/* Scribbled over, perhaps, but still the device's. */
	virtio_unpop(q, used);
	n->rx_dropped++;
	return false;
}

static void net_stats(struct device *d, struct json_t *object)
{
	struct virtio_net *n = (struct virtio_net *)d;

	virtio_common_stats(&n->v, object);
	json_object_set_new(object, "rx_frames", json_integer((json_int_t)n->rx_frames));
	json_object_set_new(object, "tx_frames", json_integer((json_int_t)n->tx_frames));
	json_object_set_new(object, "rx_dropped", json_integer((json_int_t)n->rx_dropped));
	json_object_set_new(object, "tx_dropped", json_integer((json_int_t)n->tx_dropped));
}

static void net_destroy(struct device *d)
{
	subnet_detach(((struct virtio_net *)d)->port);
	free(d);
}

/* A driver reads the card's address once, so all clones of one that is up would have the same. */
static int net_clone(struct device *d, const struct device *from)
{
	if (((const struct virtio_net *)from)->v.status & STATUS_DRIVER) {
		vm_fail(d->vm, "cannot be cloned: the network driver was loaded before");
		return -EBUSY;
	}
	return virtio_clone(d, from);
}

static const struct virtio_ops net_ops = {
	.dev = {.type = "virtio-net",
		VIRTIO_DEVICE_OPS,
		.stats = net_stats,
		.destroy = net_destroy,
		.clone = net_clone},
	.id = 1,
	.n_queues = 2,
	.at_boundary = true,
	.kick = net_kick,
};

struct device *virtio_net_create(
	struct vm *vm, unsigned slot, struct subnet *net, const uint8_t mac[6])
{
	struct virtio_net *n = xcalloc(1, sizeof(*n));

	memcpy(n->config.mac, mac, 6);
	n->config.mtu = SUBNET_MTU;
	n->port = subnet_attach(net, mac, deliver, n);
	virtio_init(&n->v, vm, slot, &net_ops, F_MTU | F_MAC | F_MRG_RXBUF, &n->config,
		sizeof(n->config));
	return &n->v.dev;
}
