// SPDX-License-Identifier: MIT
/*
 * The virtio console device with one port (Virtual I/O Device specification 1.2, section 5.3).
 * Output is done at the notification, since Linux's hvc driver waits for the buffer to come back
 * with interrupts off.
 */
#include <jansson.h>
#include <stdlib.h>

#include "monitor/dev/virtio.h"
#include "numa/util.h"

enum { RX, TX };
enum { MOST_BYTES = 1 << 20 }; /* of output at one kick; the rest waits for the next boundary */

struct virtio_console {
	struct virtio v;
	struct stream *stream;
	uint64_t rx_bytes, tx_bytes;
};

static int receive(struct virtio_console *con, struct virtq *q)
{
	struct virtio *v = &con->v;
	struct virtio_chain c;
	uint8_t buf[512];
	int popped = 0;

	while (stream_input_pending(con->stream) && (popped = virtio_pop(v, q, &c)) > 0) {
		uint32_t done = 0, n;

		while ((n = (uint32_t)stream_take_input(
				con->stream, buf, MIN(c.writable - done, (uint32_t)sizeof(buf))))) {
			if (!virtio_copy_to(v, &c, done, buf, n))
				break;
			done += n;
		}
		con->rx_bytes += done;
		virtio_push(v, q, c.head, done);
	}
	virtio_notify(v, q);
	return popped;
}

static void transmit(struct virtio *v, struct virtq *q, const struct virtio_chain *c)
{
	struct virtio_console *con = (struct virtio_console *)v;
	uint32_t from = MIN(c->done, c->readable);
	uint32_t end = MIN(c->readable - from, (uint32_t)MOST_BYTES) + from;
	uint8_t buf[4096];

	for (uint32_t at = from, n; at < end; at += n) {
		n = MIN(end - at, (uint32_t)sizeof(buf));
		if (!virtio_copy_from(v, c, at, buf, n))
			return;
		stream_output(con->stream, buf, n);
		con->tx_bytes += n;
	}
	if (end < c->readable)
		virtio_rest(q, end);
	else
		virtio_push(v, q, c->head, 0);
}

static int console_kick(struct virtio *v, struct virtq *q)
{
	struct virtio_console *con = (struct virtio_console *)v;

	return q == &v->queue[RX] ? receive(con, q) : virtio_serve(v, q, MOST_BYTES, transmit);
}

/* New input, at the boundary: pop never returns -EAGAIN here. */
static void console_wake(void *arg)
{
	struct virtio_console *con = arg;

	receive(con, &con->v.queue[RX]);
}

static void console_stats(struct device *d, struct json_t *object)
{
	struct virtio_console *con = (struct virtio_console *)d;

	virtio_common_stats(&con->v, object);
	json_object_set_new(object, "rx_bytes", json_integer((json_int_t)con->rx_bytes));
	json_object_set_new(object, "tx_bytes", json_integer((json_int_t)con->tx_bytes));
}

static void console_destroy(struct device *d)
{
	free(d);
}

static const struct virtio_ops console_ops = {
	.dev = {.type = "virtio-console",
		VIRTIO_DEVICE_OPS,
		.stats = console_stats,
		.destroy = console_destroy,
		.clone = virtio_clone},
	.id = 3,
	.n_queues = 2,
	.kick = console_kick,
};

struct device *virtio_console_create(struct vm *vm, unsigned slot, struct stream *s)
{
	struct virtio_console *con = xcalloc(1, sizeof(*con));

	con->stream = s;
	virtio_init(&con->v, vm, slot, &console_ops, 0, NULL, 0);
	stream_on_input(s, console_wake, con);
	return &con->v.dev;
}
