// SPDX-License-Identifier: MIT
/*
 * Console streams: two byte queues, one in each direction. A queue is a ring that grows by doubling
 * up to its limit, so that an idle console costs nothing. Output beyond the limit pushes out the
 * oldest bytes, since what a person wants of an overflowing console is its end; input beyond the
 * limit is refused, since the sender can wait. The digest takes every byte of output before the
 * queue does.
 */
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "monitor/vm/console.h"
#include "numa/util.h"

enum { OUTPUT_LIMIT = 1 << 20, INPUT_LIMIT = 64 << 10, FIRST_BYTES = 512 };

struct ring {
	uint8_t *data;
	size_t size; /* power of two, or 0 */
	size_t head; /* index of the oldest byte */
	size_t n;    /* bytes held */
};

struct stream {
	struct ring out, in;
	uint64_t output_bytes;
	XXH64_state_t digest;
	void (*wake)(void *arg);
	void *wake_arg;
};

static size_t ring_get(struct ring *r, uint8_t *bytes, size_t n)
{
	n = MIN(n, r->n);
	for (size_t done = 0; done < n;) {
		size_t run = MIN(n - done, r->size - r->head);

		memcpy(bytes + done, r->data + r->head, run);
		r->head = (r->head + run) & (r->size - 1);
		done += run;
	}
	r->n -= n;
	return n;
}

/* Room for n more bytes, as far as the limit goes. */
static void ring_grow(struct ring *r, size_t n, size_t limit)
{
	size_t size = r->size ? r->size : FIRST_BYTES;
	uint8_t *data;

	while (size < r->n + n && size < limit)
		size *= 2;
	if (size == r->size)
		return;
	data = xcalloc(size, 1);
	r->n = ring_get(r, data, r->n);
	free(r->data);
	r->data = data;
	r->size = size;
	r->head = 0;
}

static void ring_put(struct ring *r, const uint8_t *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t tail = (r->head + r->n) & (r->size - 1);
		size_t run = MIN(n - done, r->size - tail);

		memcpy(r->data + tail, bytes + done, run);
		r->n += run;
		done += run;
	}
}

struct stream *stream_create(void)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	XXH64_reset(&s->digest, 0);
	return s;
}

void stream_destroy(struct stream *s)
{
	if (!s)
		return;
	free(s->out.data);
	free(s->in.data);
	free(s);
}

void stream_on_input(struct stream *s, void (*wake)(void *arg), void *arg)
{
	s->wake = wake;
	s->wake_arg = arg;
}

void stream_output(struct stream *s, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	struct ring *r = &s->out;

	XXH64_update(&s->digest, p, n);
	s->output_bytes += n;
	if (n > OUTPUT_LIMIT) {
		p += n - OUTPUT_LIMIT;
		n = OUTPUT_LIMIT;
	}
	ring_grow(r, n, OUTPUT_LIMIT);
	if (r->n + n > r->size) {
		size_t drop = r->n + n - r->size;

		r->head = (r->head + drop) & (r->size - 1);
		r->n -= drop;
	}
	ring_put(r, p, n);
}

size_t stream_input_pending(const struct stream *s)
{
	return s->in.n;
}

size_t stream_take_input(struct stream *s, void *bytes, size_t n)
{
	return ring_get(&s->in, bytes, n);
}

size_t stream_drain(struct stream *s, void *bytes, size_t n)
{
	return ring_get(&s->out, bytes, n);
}

size_t stream_input(struct stream *s, const void *bytes, size_t n)
{
	n = MIN(n, INPUT_LIMIT - s->in.n);
	if (!n)
		return 0;
	ring_grow(&s->in, n, INPUT_LIMIT);
	ring_put(&s->in, bytes, n);
	if (s->wake)
		s->wake(s->wake_arg);
	return n;
}

uint64_t stream_output_bytes(const struct stream *s)
{
	return s->output_bytes;
}

uint64_t stream_digest(const struct stream *s)
{
	return XXH64_digest(&s->digest);
}
