// SPDX-License-Identifier: MIT
/*
 * Packets as sequences of pages: see packet.h. Frames are found from back-maps by number: each span
 * that is in a frame has a place in the pool's table, and that place is the page under which the
 * packet uses the frame. So a page may migrate or be replicated while it is in flight.
 *
 * Headers are never changed in place, because they may lie in a frame: a packet with other headers
 * is a new packet, whose payload is in the same frames.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/util.h"
#include "sharing/packet.h"

enum { TCP_CHECKSUM = 16, TCP_SEQUENCE = 4, TCP_FLAGS = 13, FIN = 1, PSH = 8, CWR = 128 };

struct place {
	struct packet *packet; /* NULL: free */
	uint32_t span;         /* or the next free place */
};

struct packet_pool {
	struct memory *mem;
	struct place *place;
	uint32_t n_places, free, in_use; /* free: n_places when none is */
};

/* ---- frames ------------------------------------------------------------------------------ */

static void page_moved(void *arg, uint32_t page, uint32_t from, uint32_t to)
{
	struct packet_pool *pool = arg;
	const struct place *p = &pool->place[page];
	struct packet_span *s = p->packet ? &p->packet->span[p->span] : NULL;

	if (!s || s->mpn != from)
		die("packet: place %u does not hold frame %u, which moves", page, from);
	s->mpn = to;
}

static bool frame_used_by(const struct memory *mem, uint32_t mpn, uint32_t place)
{
	for (uint32_t i = 0; mpn < mem->n_frames && i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);

		if (u.owner == OWNER_PACKET && u.page == place)
			return true;
	}
	return false;
}

/* Check that each place is free or agrees with its packet's span. Returns the number in use. */
static uint64_t check_places(const void *arg)
{
	const struct packet_pool *pool = arg;
	uint64_t n = 0;

	for (uint32_t at = 0; at < pool->n_places; at++) {
		const struct place *p = &pool->place[at];
		const struct packet_span *s;

		if (!p->packet)
			continue;
		s = &p->packet->span[p->span];
		if (p->span >= p->packet->n_spans || s->place != at ||
			!frame_used_by(pool->mem, s->mpn, at))
			die("packet: place %u and the span there do not agree", at);
		n++;
	}
	if (n != pool->in_use)
		die("packet: %llu places in use, counted %u", (unsigned long long)n, pool->in_use);
	return n;
}

static const struct frame_owner_ops owner_ops = {.moved = page_moved, .check = check_places};

static void hold(struct packet_pool *pool, struct packet *k, unsigned i)
{
	uint32_t at = pool->free;

	if (at == pool->n_places) {
		pool->n_places = MAX(64u, 2 * pool->n_places);
		pool->place = xrealloc(pool->place, pool->n_places * sizeof(pool->place[0]));
		for (uint32_t p = at; p < pool->n_places; p++)
			pool->place[p] = (struct place){NULL, p + 1};
	}
	pool->free = pool->place[at].span;
	pool->place[at] = (struct place){k, i};
	pool->in_use++;
	k->span[i].place = at;
	frame_add_user(pool->mem, k->span[i].mpn, (struct frame_user){OWNER_PACKET, at});
}

static void release(struct packet_pool *pool, const struct packet_span *s)
{
	frame_del_user(pool->mem, s->mpn, (struct frame_user){OWNER_PACKET, s->place});
	pool->place[s->place] = (struct place){NULL, pool->free};
	pool->free = s->place;
	pool->in_use--;
}

struct packet_pool *packet_pool_create(struct memory *mem)
{
	struct packet_pool *pool = xcalloc(1, sizeof(*pool));

	pool->mem = mem;
	memory_add_owner(mem, OWNER_PACKET, &owner_ops, pool);
	return pool;
}

void packet_pool_destroy(struct packet_pool *pool)
{
	if (pool->in_use)
		die("%u frames are still held by packets", pool->in_use);
	memory_del_owner(pool->mem, OWNER_PACKET);
	free(pool->place);
	free(pool);
}

uint32_t packet_pool_frames(const struct packet_pool *pool)
{
	return pool->in_use;
}

/* ---- packets ----------------------------------------------------------------------------- */

const uint8_t *packet_span_data(const struct packet_pool *pool, const struct packet_span *s)
{
	if (s->mpn == MPN_NONE)
		return s->data;
	return (const uint8_t *)frame_data(pool->mem, s->mpn) + s->offset;
}

static struct packet *make(struct packet_pool *pool, const struct packet_span *span, unsigned n)
{
	uint32_t own = 0, bytes = 0;
	struct packet *k;
	uint8_t *data;

	for (unsigned i = 0; i < n; i++) {
		bytes += span[i].bytes;
		own += span[i].mpn == MPN_NONE ? span[i].bytes : 0;
	}
	k = xcalloc(1, sizeof(*k) + n * sizeof(k->span[0]) + own);
	k->refs = 1;
	k->bytes = bytes;
	k->n_spans = n;
	memcpy(k->span, span, n * sizeof(k->span[0]));
	data = (uint8_t *)&k->span[n];
	for (unsigned i = 0; i < n; i++) {
		if (span[i].mpn != MPN_NONE) {
			hold(pool, k, i);
			continue;
		}
		memcpy(data, span[i].data, span[i].bytes);
		k->span[i].data = data;
		data += span[i].bytes;
	}
	return k;
}

void packet_put(struct packet_pool *pool, struct packet *k)
{
	if (--k->refs)
		return;
	for (unsigned i = 0; i < k->n_spans; i++)
		if (k->span[i].mpn != MPN_NONE)
			release(pool, &k->span[i]);
	free(k);
}

void packet_copy(const struct packet_pool *pool, const struct packet *k, uint32_t offset, void *buf,
	uint32_t bytes)
{
	uint8_t *to = buf;

	for (const struct packet_span *s = k->span; bytes; s++) {
		uint32_t n;

		if (offset >= s->bytes) {
			offset -= s->bytes;
			continue;
		}
		n = MIN(bytes, s->bytes - offset);
		memcpy(to, packet_span_data(pool, s) + offset, n);
		to += n;
		bytes -= n;
		offset = 0;
	}
}

/* The packet that begins with n bytes of `header` and goes on with bytes [from, from + bytes) of k.
 */
static struct packet *remake(struct packet_pool *pool, const struct packet *k,
	const uint8_t *header, uint32_t n, uint32_t from, uint32_t bytes)
{
	struct packet_span *span = xcalloc(k->n_spans + 1, sizeof(*span));
	unsigned used = 0;
	struct packet *made;

	span[used++] = (struct packet_span){.mpn = MPN_NONE, .data = header, .bytes = n};
	for (unsigned i = 0; i < k->n_spans && bytes; i++) {
		struct packet_span s = k->span[i];

		if (from >= s.bytes) {
			from -= s.bytes;
			continue;
		}
		s.offset += from;
		if (s.mpn == MPN_NONE)
			s.data += from;
		s.bytes = MIN(bytes, s.bytes - from);
		bytes -= s.bytes;
		from = 0;
		span[used++] = s;
	}
	made = make(pool, span, used);
	made->node = k->node;
	free(span);
	return made;
}

/* ---- offloads: checksums, segmentation --------------------------------------------------- */

static uint16_t be16(const uint8_t *p)
{
	/* The caller has read them. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Returns the offset of the network layer's header, and its protocol number in *type. */
static uint32_t network_header(const uint8_t *h, uint16_t *type)
{
	*type = be16(h + 12);
	if (*type != 0x8100)
		return ETHER_HEADER;
	*type = be16(h + 16);
	return ETHER_HEADER + 4;
}

/* Is this a TCP packet, its TCP header where the checksum begins? Finds the end of that header. */
static bool check_cut(const struct packet_pool *pool, struct packet *k)
{
	struct packet_offload *o = &k->offload;
	uint8_t h[PACKET_HEADERS_MAX] = {0};
	uint32_t n = MIN(k->bytes, (uint32_t)sizeof(h)), l3, end, payload;
	uint16_t type;

	packet_copy(pool, k, 0, h, n);
	l3 = network_header(h, &type);
	if (!o->checksum || o->csum_offset != TCP_CHECKSUM || !o->segment_bytes ||
		o->csum_start + 20u > n)
		return false;
	end = o->csum_start + 4u * (h[o->csum_start + 12] >> 4);
	if (end < o->csum_start + 20u || end > n)
		return false;
	if (o->cut == CUT_TCP4 &&
		(type != 0x0800 || h[l3] >> 4 != 4 || (h[l3] & 15) < 5 || h[l3 + 9] != 6 ||
			l3 + 4u * (h[l3] & 15) != o->csum_start))
		return false;
	if (o->cut == CUT_TCP6 && (type != 0x86dd || h[l3] >> 4 != 6 || l3 + 40 > o->csum_start))
		return false;
	o->header_bytes = (uint16_t)end;
	payload = k->bytes - end;
	if (payload <= o->segment_bytes)
		o->cut = CUT_NONE;
	return (payload - 1) / o->segment_bytes < PACKET_MAX_SEGMENTS || o->cut == CUT_NONE;
}

struct packet *packet_create(struct packet_pool *pool, const struct packet_span *span, unsigned n,
	const struct packet_offload *offload, unsigned node)
{
	uint64_t bytes = 0;
	struct packet *k;

	for (unsigned i = 0; i < n; i++)
		bytes += span[i].bytes;
	if (bytes < ETHER_HEADER || bytes > PACKET_MAX)
		return NULL;
	if (offload && offload->checksum &&
		(offload->csum_start < ETHER_HEADER ||
			offload->csum_start + offload->csum_offset + 2u > bytes))
		return NULL;
	k = make(pool, span, n);
	k->node = node;
	if (offload)
		k->offload = *offload;
	if (k->offload.cut == CUT_NONE || check_cut(pool, k))
		return k;
	packet_put(pool, k);
	return NULL;
}

/* One's-complement sum (RFC 1071) of the packet from `offset`, starting with `sum`. */
static uint16_t sum_from(
	const struct packet_pool *pool, const struct packet *k, uint32_t offset, uint64_t sum)
{
	bool odd = false;

	for (unsigned i = 0; i < k->n_spans; i++) {
		const struct packet_span *s = &k->span[i];
		const uint8_t *p = packet_span_data(pool, s);

		if (offset >= s->bytes) {
			offset -= s->bytes;
			continue;
		}
		for (uint32_t at = offset; at < s->bytes; at++, odd = !odd)
			sum += odd ? p[at] : (uint32_t)p[at] << 8;
		offset = 0;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

struct packet *packet_with_checksum(struct packet_pool *pool, const struct packet *k)
{
	uint32_t at = k->offload.csum_start + k->offload.csum_offset, n = at + 2;
	uint8_t *header = xcalloc(1, n);
	uint16_t sum = (uint16_t)~sum_from(pool, k, k->offload.csum_start, 0);
	struct packet *made;

	packet_copy(pool, k, 0, header, n);
	put_be16(header + at, sum ? sum : 0xffff); /* in UDP, 0 means: none */
	made = remake(pool, k, header, n, n, k->bytes - n);
	free(header);
	return made;
}

/* Headers of the segment that begins `done` bytes into the payload and has `bytes` of it. */
static void segment_headers(
	const struct packet *k, uint8_t *h, uint32_t index, uint32_t done, uint32_t bytes)
{
	const struct packet_offload *o = &k->offload;
	uint8_t *tcp = h + o->csum_start;
	uint32_t total = o->header_bytes + bytes, l3, sequence, sum;
	uint16_t type;

	l3 = network_header(h, &type);
	if (o->cut == CUT_TCP4) {
		put_be16(h + l3 + 2, total - l3);
		put_be16(h + l3 + 4, be16(h + l3 + 4) + index);
		put_be16(h + l3 + 10, 0);
		sum = 0;
		for (uint32_t at = l3; at < o->csum_start; at += 2)
			sum += be16(h + at);
		sum = (sum & 0xffff) + (sum >> 16);
		put_be16(h + l3 + 10, ~(sum + (sum >> 16)));
	} else {
		put_be16(h + l3 + 4, total - l3 - 40);
	}
	memcpy(&sequence, tcp + TCP_SEQUENCE, 4);
	sequence = __builtin_bswap32(__builtin_bswap32(sequence) + done);
	memcpy(tcp + TCP_SEQUENCE, &sequence, 4);
	if (o->header_bytes + done + bytes < k->bytes)
		tcp[TCP_FLAGS] &= (uint8_t) ~(FIN | PSH);
	if (index)
		tcp[TCP_FLAGS] &= (uint8_t)~CWR;
	/* The pseudo-header includes the length (RFC 9293, section 3.1): replace it in the sum. */
	sum = be16(tcp + TCP_CHECKSUM) + (uint16_t) ~(k->bytes - o->csum_start) +
	      (total - o->csum_start);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(tcp + TCP_CHECKSUM, sum + (sum >> 16));
}

void packet_cut(struct packet_pool *pool, const struct packet *k, bool checksum,
	void (*fn)(void *arg, struct packet *segment), void *arg)
{
	const struct packet_offload *o = &k->offload;
	uint32_t payload = k->bytes - o->header_bytes, bytes, index = 0;

	for (uint32_t done = 0; done < payload; done += bytes, index++) {
		uint8_t h[PACKET_HEADERS_MAX];
		struct packet *segment, *summed;

		bytes = MIN(payload - done, (uint32_t)o->segment_bytes);
		packet_copy(pool, k, 0, h, o->header_bytes);
		segment_headers(k, h, index, done, bytes);
		segment = remake(pool, k, h, o->header_bytes, o->header_bytes + done, bytes);
		segment->offload = (struct packet_offload){.checksum = true,
			.csum_start = o->csum_start,
			.csum_offset = o->csum_offset};
		if (checksum) {
			summed = packet_with_checksum(pool, segment);
			packet_put(pool, segment);
			segment = summed;
		}
		fn(arg, segment);
	}
}
