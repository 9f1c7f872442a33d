// SPDX-License-Identifier: MIT
/*
 * Packets as sequences of pages (paper, section 4.2.2): an Ethernet frame is a list of spans, each
 * either bytes of the packet's own or part of a machine frame that it uses and never writes to.
 * While a packet is under way it is a user of its frames like any other owner, so the VMs that
 * map them have them copy-on-write, and the packet keeps the bytes it was sent with.
 *
 * Here too is the work that a sender may leave to its network card: the checksum, and cutting a
 * large TCP segment into small ones. A receiver that takes such packets as they are spares this
 * work; the switch does it for a port that does not. All functions: boundary.
 */
#ifndef SHARING_PACKET_H
#define SHARING_PACKET_H

#include "numa/memory/frame.h"

enum {
	ETHER_HEADER = 14,
	PACKET_MTU = 65535,
	PACKET_MAX = PACKET_MTU + 18, /* Ethernet header and one VLAN tag */
	PACKET_HEADERS_MAX = 256,     /* of a TCP packet to be cut: Ethernet to TCP, with options */
	PACKET_MAX_SEGMENTS = 1400,   /* 64 KiB in segments of 48 bytes, the least Linux makes */
};

struct packet_span {
	uint32_t mpn;        /* the frame that has the bytes, or MPN_NONE */
	uint32_t offset;     /* of the bytes in that frame */
	const uint8_t *data; /* the bytes, if mpn is MPN_NONE */
	uint32_t bytes;      /* not 0; not beyond the frame */
	uint32_t place;      /* the pool's */
};

enum packet_cut { CUT_NONE, CUT_TCP4, CUT_TCP6 };

struct packet_offload {
	bool checksum; /* to be computed from csum_start to the packet's end, and stored
			  csum_offset bytes after csum_start, which has the pseudo-header's sum */
	uint8_t cut;   /* enum packet_cut: cut into segments of segment_bytes of payload */
	uint16_t csum_start, csum_offset;
	uint16_t segment_bytes;
	uint16_t header_bytes; /* Ethernet to TCP, when to be cut; packet_create() finds it */
};

struct packet {
	uint32_t refs;
	uint32_t bytes;
	unsigned node; /* that its own bytes were read from */
	struct packet_offload offload;
	unsigned n_spans;
	struct packet_span span[];
};

struct packet_pool; /* of one subnet: the packets' owner in back-maps */

struct packet_pool *packet_pool_create(struct memory *mem);
/* After the last packet is gone. */
void packet_pool_destroy(struct packet_pool *pool);
/* Frames in use by packets. */
uint32_t packet_pool_frames(const struct packet_pool *pool);

/*
 * A packet with one reference: own bytes are copied, frames gain a user. NULL: shorter than an
 * Ethernet header, longer than PACKET_MAX, or what it wants done cannot be (`offload`, NULL:
 * nothing, points beyond the packet, or it is no TCP packet that could be cut so). A packet too
 * short to need cutting is not to be cut.
 */
struct packet *packet_create(struct packet_pool *pool, const struct packet_span *span, unsigned n,
	const struct packet_offload *offload, unsigned node);
/* The host's memory it takes, frames and the allocator's own apart. */
static inline uint64_t packet_host_bytes(const struct packet *k)
{
	return sizeof(*k) + k->n_spans * sizeof(k->span[0]) + k->bytes;
}
static inline struct packet *packet_get(struct packet *k)
{
	k->refs++;
	return k;
}
/* Drop a reference, and with the last one the packet. */
void packet_put(struct packet_pool *pool, struct packet *k);

/* Copy bytes out; the range must lie in the packet. */
void packet_copy(const struct packet_pool *pool, const struct packet *k, uint32_t offset, void *buf,
	uint32_t bytes);
/* Where a span's bytes are. Good until the next boundary. */
const uint8_t *packet_span_data(const struct packet_pool *pool, const struct packet_span *s);

/* The same packet with its checksum computed. A new reference. */
struct packet *packet_with_checksum(struct packet_pool *pool, const struct packet *k);
/* Cut k as it wants to be: fn() gets each segment, in order, and a reference to it. `checksum`:
 * with checksums computed; else that is left to do for each. */
void packet_cut(struct packet_pool *pool, const struct packet *k, bool checksum,
	void (*fn)(void *arg, struct packet *segment), void *arg);

#endif
