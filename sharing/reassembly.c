// SPDX-License-Identifier: MIT
/*
 * Reassembly of fragments: see reassembly.h. A datagram has a bit for every 8 bytes, the unit of
 * fragments' offsets, that says whether they have come. It is whole when it has its end and as many
 * bytes as that says, because no byte is taken twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/util.h"
#include "sharing/reassembly.h"

enum {
	HEADER_MAX = 60,
	UNIT = 8,
	DONT = 0x4000,
	MORE = 0x2000,
	OFFSET = 0x1fff,
	KEY = 11, /* identification, protocol, addresses */
};

struct datagram {
	uint8_t key[KEY];
	uint64_t since;
	uint32_t got, highest; /* bytes, and behind the last of them */
	uint32_t end;          /* UINT32_MAX: not known */
	uint32_t header_bytes; /* 0: the first fragment is missing */
	uint8_t header[HEADER_MAX];
	uint64_t have[(IPV4_MAX / UNIT + 1) / 64];
	uint8_t data[IPV4_MAX + 1];
};

struct reassembly {
	uint64_t max_wait;
	struct datagram *datagram[REASSEMBLY_MAX]; /* by age; NULL behind the last */
	unsigned n;
	uint8_t whole[IPV4_MAX];
};

/* A fragment as its header has it. */
struct piece {
	uint8_t key[KEY];
	uint32_t header_bytes, offset, bytes;
	bool last;
};

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8u | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t header_bytes(const uint8_t *ip)
{
	return (ip[0] & 15u) * 4;
}

/* 0 for a header whose checksum is right (RFC 1071). */
static unsigned header_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < header_bytes(ip); i += 2)
		sum += get16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

bool ipv4_is_fragment(const uint8_t *ip)
{
	return get16(ip + 6) & (MORE | OFFSET);
}

/* The header's checksum for a word of it that changes from `old` to `new_word` (RFC 1624). */
static void update_checksum(uint8_t *ip, unsigned old, unsigned new_word)
{
	uint32_t sum = (~get16(ip + 10) & 0xffff) + (~old & 0xffff) + new_word;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~sum & 0xffff);
}

static void set_word(uint8_t *ip, unsigned at, unsigned word)
{
	update_checksum(ip, get16(ip + at), word);
	put16(ip + at, word);
}

void ipv4_allow_fragments(uint8_t *ip)
{
	set_word(ip, 6, get16(ip + 6) & ~DONT);
}

static bool parse(const uint8_t *ip, uint32_t bytes, struct piece *p)
{
	uint32_t total;

	if (bytes < IPV4_HEADER)
		return false;
	p->header_bytes = header_bytes(ip);
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || p->header_bytes < IPV4_HEADER || total <= p->header_bytes ||
		total > bytes || header_checksum(ip))
		return false;
	p->offset = (get16(ip + 6) & OFFSET) * UNIT;
	p->bytes = total - p->header_bytes;
	p->last = !(get16(ip + 6) & MORE);
	memcpy(p->key, ip + 4, 2);
	p->key[2] = ip[9];
	memcpy(p->key + 3, ip + 12, 8);
	return (p->last || p->bytes % UNIT == 0) &&
	       p->header_bytes + p->offset + p->bytes <= IPV4_MAX;
}

static void forget(struct reassembly *r, unsigned i)
{
	free(r->datagram[i]);
	memmove(&r->datagram[i], &r->datagram[i + 1], (--r->n - i) * sizeof(r->datagram[0]));
}

/* The place of the datagram that the piece is of. */
static unsigned find(struct reassembly *r, const struct piece *p, uint64_t now)
{
	struct datagram *d;

	while (r->n && now - r->datagram[0]->since > r->max_wait)
		forget(r, 0);
	for (unsigned i = 0; i < r->n; i++)
		if (!memcmp(r->datagram[i]->key, p->key, KEY))
			return i;
	if (r->n == REASSEMBLY_MAX)
		forget(r, 0);
	d = xcalloc(1, sizeof(*d));
	memcpy(d->key, p->key, KEY);
	d->since = now;
	d->end = UINT32_MAX;
	r->datagram[r->n] = d;
	return r->n++;
}

/* How many of the piece's units are there already. */
static uint32_t units_there(const struct datagram *d, uint32_t first, uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t u = first; u < end; u++)
		n += d->have[u / 64] >> u % 64 & 1;
	return n;
}

/* false: it contradicts what is there. A piece that comes twice does not. */
static bool put_piece(struct datagram *d, const struct piece *p, const uint8_t *ip)
{
	uint32_t end = p->offset + p->bytes, first_unit = p->offset / UNIT,
		 end_unit = (end + UNIT - 1) / UNIT, there = units_there(d, first_unit, end_unit);

	if (end > d->end ||
		(p->last && (d->highest > end || (d->end != UINT32_MAX && d->end != end))))
		return false;
	if (there)
		return there == end_unit - first_unit &&
		       !memcmp(d->data + p->offset, ip + p->header_bytes, p->bytes);
	for (uint32_t u = first_unit; u < end_unit; u++)
		d->have[u / 64] |= 1ull << u % 64;
	memcpy(d->data + p->offset, ip + p->header_bytes, p->bytes);
	d->got += p->bytes;
	d->highest = MAX(d->highest, end);
	if (p->last)
		d->end = end;
	if (!p->offset) {
		d->header_bytes = p->header_bytes;
		memcpy(d->header, ip, p->header_bytes);
	}
	return true;
}

int reassembly_add(
	struct reassembly *r, const uint8_t *ip, uint32_t bytes, uint64_t now, uint8_t **whole)
{
	struct datagram *d;
	struct piece p;
	uint32_t total;
	unsigned i;

	if (!parse(ip, bytes, &p))
		return -EINVAL;
	i = find(r, &p, now);
	d = r->datagram[i];
	if (!put_piece(d, &p, ip)) {
		forget(r, i);
		return -EINVAL;
	}
	if (d->got != d->end)
		return 0;
	total = d->header_bytes + d->end;
	if (total <= IPV4_MAX) {
		memcpy(r->whole, d->header, d->header_bytes);
		memcpy(r->whole + d->header_bytes, d->data, d->end);
		set_word(r->whole, 2, total);
		set_word(r->whole, 6, 0);
		*whole = r->whole;
	}
	forget(r, i);
	return total <= IPV4_MAX ? (int)total : -EINVAL;
}

struct reassembly *reassembly_create(uint64_t max_wait)
{
	struct reassembly *r = xcalloc(1, sizeof(*r));

	r->max_wait = max_wait;
	return r;
}

void reassembly_destroy(struct reassembly *r)
{
	if (!r)
		return;
	while (r->n)
		forget(r, r->n - 1);
	free(r);
}
