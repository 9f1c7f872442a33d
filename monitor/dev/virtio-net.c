// SPDX-License-Identifier: MIT
/*
 * The virtio network device (Virtual I/O Device specification 1.2, section 5.1) on the virtual
 * subnet: one queue pair, merged receive buffers, checksums and TCP segmentation left to the
 * receiver. Frames move at the boundary only.
 *
 * Whole pages of what the guest sends are not copied but handed to the switch, copy-on-write. To
 * map them into the receiver, each must meet a whole page of a receive buffer. Linux posts such
 * buffers, a page each, once packets are long on average, but a packet put into them as it comes is
 * askew by its headers. So the device places it: headers and odd ends go into buffers of their own,
 * of which it uses less than there is, and each page into a page. That a buffer which is not the
 * packet's last is not filled up departs from section 5.1.6.4.1; drivers take each buffer's length
 * from the used ring, as they must for the last one, so they do not notice. It is done only where
 * it saves a page from being copied; with sharing off (--share) every buffer is filled.
 *
 * Used buffers may be returned in any order (section 2.7.8), so the device looks a little ahead in
 * the ring and takes what suits: whole pages for pages, others for the rest.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/dev/virtio.h"
#include "monitor/vm/engine.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/share.h"

enum { RX, TX };
enum { STATUS_DRIVER = 2 }; /* a driver has taken the device */
enum {
	F_CSUM = 1 << 0,
	F_GUEST_CSUM = 1 << 1,
	F_MTU = 1 << 3,
	F_MAC = 1 << 5,
	F_GUEST_TSO4 = 1 << 7,
	F_GUEST_TSO6 = 1 << 8,
	F_HOST_TSO4 = 1 << 11,
	F_HOST_TSO6 = 1 << 12,
	F_MRG_RXBUF = 1 << 15,

	HDR_NEEDS_CSUM = 1,
	GSO_NONE = 0,
	GSO_TCPV4 = 1,
	GSO_TCPV6 = 4,
};
/*
 * Linux fills the ring with buffers of 1.5 KiB at first, which are used up before there are any of
 * a page: the fewer the better. But it posts new ones only when more than 32 are used up, and the
 * others must hold a packet of 64 KiB, or both sides would wait: of 64 they could not.
 */
enum { QUEUE_MAX = 128 };
/* Receive buffers to choose from: a page of Linux's ring in use is left for others by 16 packets.
 */
enum { LOOKAHEAD = 16 };
/* A packet's spans at most: as many whole pages as fit, and what is between them. */
enum { SPANS_MAX = 2 * (PACKET_MAX / PAGE_SIZE + 1) + 1 };

struct header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
	uint16_t num_buffers;
};
enum { HEADER_BYTES = sizeof(struct header) };
_Static_assert(sizeof(struct header) == 12, "as the specification has it");

struct config {
	uint8_t mac[6];
	uint16_t status, max_queue_pairs, mtu;
};

/* A receive buffer taken from the ring and not yet used. */
struct rx_buffer {
	uint64_t pa; /* of one in one piece; 0: it is read again from the ring when used */
	uint32_t bytes;
	uint16_t head;
	bool placed; /* the packet being placed goes here */
};

struct virtio_net {
	struct virtio v;
	struct packet_pool *packets;
	struct subnet_port *port;
	struct config config;
	bool sharing;
	uint64_t tx_malformed;
	uint64_t charged_at; /* 1 + machine time for which an interrupt was charged; see charge() */

	struct rx_buffer buffer[QUEUE_MAX]; /* in the order of the ring */
	unsigned n_buffers;
	uint32_t generation; /* of the rings that these are of */

	uint8_t buf[PACKET_MAX]; /* bytes on their way out */
};

static bool has(const struct virtio_net *n, uint64_t feature)
{
	return n->v.features & feature;
}

/*
 * What the monitor does for a guest takes time of the guest's, of the vCPU that notified the card
 * last: the memmap's records of pages it shares, and one interrupt of its other vCPUs at a
 * boundary, for all pages that change hands at it.
 */
static void charge_pages(struct virtio_net *n, uint32_t pages)
{
	struct vm *vm = n->v.dev.vm;
	const struct cluster *c = vm->cluster;
	uint64_t cycles = pages * c->machine->cost.page_share;

	if (!pages)
		return;
	if (n->charged_at != c->now + 1)
		cycles += c->machine->cost.shootdown;
	n->charged_at = c->now + 1;
	virtio_charge(&n->v, cycles);
}

/*
 * And bytes it copies from the memory of `node`, once, at the receiver: that they rest in the
 * monitor on their way is not the machine's doing. cost.page_copy is of pages near by; in numa
 * fidelity each line that is not takes longer by what the machine's latencies say.
 */
static void charge_copy(struct virtio_net *n, uint32_t bytes, unsigned node)
{
	struct vm *vm = n->v.dev.vm;
	const struct cluster *c = vm->cluster;
	const struct machine *m = c->machine;
	unsigned here = vm_home_node(vm);
	uint64_t cycles = virtio_copy_cycles(&n->v, bytes);

	if (c->numa && m->latency_ns[here][node] > m->latency_ns[here][here])
		cycles += (uint64_t)(bytes / m->l2.line_bytes) *
			  (m->latency_ns[here][node] - m->latency_ns[here][here]) *
			  (m->clock_hz / 1000000) / 1000;
	virtio_charge(&n->v, cycles);
}

/* A packet of this card's goes to `receivers` ports: each but the first is one more record. */
static void net_spread(void *arg, unsigned receivers)
{
	struct virtio_net *n = arg;

	virtio_charge(&n->v, (receivers - 1) * n->v.dev.vm->cluster->machine->cost.page_share);
	virtio_pay(&n->v);
}

/* ---- sending ----------------------------------------------------------------------------- */

/* What the header asks for (section 5.1.6.2); false: what the driver may not ask for. Whether the
 * packet is such that it can be done is for the subnet to see. */
static bool wanted(const struct virtio_net *n, const struct header *h, struct packet_offload *o)
{
	memset(o, 0, sizeof(*o));
	if (h->flags & HDR_NEEDS_CSUM) {
		if (!has(n, F_CSUM))
			return false;
		o->checksum = true;
		o->csum_start = h->csum_start;
		o->csum_offset = h->csum_offset;
	}
	if (h->gso_type == GSO_NONE)
		return true;
	if (h->gso_type == GSO_TCPV4 && has(n, F_HOST_TSO4))
		o->cut = CUT_TCP4;
	else if (h->gso_type == GSO_TCPV6 && has(n, F_HOST_TSO6))
		o->cut = CUT_TCP6;
	else
		return false;
	o->segment_bytes = h->gso_size; /* hdr_len is a hint that may lie: not used */
	return true;
}

/* The frame of a whole page, or MPN_NONE: it is to be copied. */
static uint32_t whole_page(struct virtio_net *n, uint64_t pa, uint32_t bytes)
{
	struct vm *vm = n->v.dev.vm;

	if (bytes != PAGE_SIZE || !n->sharing)
		return MPN_NONE;
	return pmap_share_out(vm->pmap, gm_ppn(vm, pa), vm_home_node(vm));
}

/* The chain's packet as spans; how many, or 0: memory failed. */
static unsigned gather(
	struct virtio_net *n, const struct virtio_chain *c, struct packet_span span[SPANS_MAX])
{
	uint32_t at = HEADER_BYTES, bytes, copied = 0, shared = 0;
	unsigned used = 0;
	struct virtio_span rest = virtio_readable(c, at, c->readable - at);
	struct virtio_segment s;

	while (virtio_span_next(&rest, &s)) {
		for (; s.bytes; s.bytes -= bytes, s.pa += bytes, at += bytes) {
			uint32_t mpn;

			bytes = MIN(s.bytes, PAGE_SIZE - (uint32_t)(s.pa & (PAGE_SIZE - 1)));
			mpn = whole_page(n, s.pa, bytes);
			if (mpn != MPN_NONE) {
				span[used++] = (struct packet_span){.mpn = mpn, .bytes = bytes};
				shared++;
				continue;
			}
			if (!virtio_copy_from(&n->v, c, at, n->buf + copied, bytes))
				return 0;
			if (!used || span[used - 1].mpn != MPN_NONE)
				span[used++] = (struct packet_span){
					.mpn = MPN_NONE, .data = n->buf + copied};
			span[used - 1].bytes += bytes;
			copied += bytes;
		}
	}
	charge_pages(n, shared);
	return used;
}

static int transmit(struct virtio_net *n, struct virtq *q)
{
	struct virtio *v = &n->v;
	struct virtio_chain c;
	int popped;

	while ((popped = virtio_pop(v, q, &c)) > 0) {
		struct packet_span span[SPANS_MAX];
		struct packet_offload offload;
		struct header h;
		unsigned used;

		if (c.readable <= HEADER_BYTES || c.readable > HEADER_BYTES + PACKET_MAX) {
			n->tx_malformed++;
		} else {
			if (!virtio_copy_from(v, &c, 0, &h, sizeof(h)))
				return 0;
			if (wanted(n, &h, &offload)) {
				used = gather(n, &c, span);
				if (!used)
					return 0;
				subnet_send(n->port, span, used, &offload, vm_home_node(v->dev.vm));
			} else {
				n->tx_malformed++;
			}
		}
		virtio_push(v, q, c.head, 0);
	}
	virtio_notify(v, q);
	return popped;
}

static int net_kick(struct virtio *v, struct virtq *q)
{
	/* New receive buffers wait for the next packet, or it for them. */
	return q == &v->queue[TX] ? transmit((struct virtio_net *)v, q) : 0;
}

/* ---- receive buffers --------------------------------------------------------------------- */

static bool is_page(const struct rx_buffer *b)
{
	return b->pa && !(b->pa & (PAGE_SIZE - 1)) && b->bytes >= PAGE_SIZE;
}

/* Is its first page copy-on-write? Writing there would copy it first. */
static bool is_shared(const struct virtio_net *n, const struct rx_buffer *b)
{
	return b->pa && pmap_entry(n->v.dev.vm->pmap, gm_ppn(n->v.dev.vm, b->pa))->cow;
}

/* Have some buffers to choose from that are not placed yet, if the ring has them. */
static void look_ahead(struct virtio_net *n)
{
	struct virtq *q = &n->v.queue[RX];
	struct virtio_chain c;
	unsigned spare = 0;

	for (unsigned i = 0; i < n->n_buffers; i++)
		spare += !n->buffer[i].placed;
	for (; spare < LOOKAHEAD && n->n_buffers < QUEUE_MAX; spare++) {
		if (virtio_pop(&n->v, q, &c) <= 0)
			return;
		/* A buffer that could not even hold the header breaks the specification. */
		if (c.writable < HEADER_BYTES) {
			virtio_break(&n->v);
			return;
		}
		n->buffer[n->n_buffers++] = (struct rx_buffer){
			.pa = c.n_readable + c.n_writable == 1 ? c.seg[0].pa : 0,
			.bytes = c.writable,
			.head = c.head,
		};
	}
}

/* The best buffer for a page, or for bytes to be copied; NULL: there is none. */
static struct rx_buffer *choose(struct virtio_net *n, bool for_page)
{
	struct rx_buffer *best = NULL;
	unsigned best_rank = UINT32_MAX;

	look_ahead(n);
	for (struct rx_buffer *b = n->buffer; b < n->buffer + n->n_buffers; b++) {
		unsigned rank;

		if (b->placed || (for_page && !is_page(b)))
			continue;
		if (!n->sharing) /* nothing to choose by: the first */
			rank = 0;
		else if (for_page)
			rank = !is_shared(n, b);
		else
			rank = 2 * is_shared(n, b) + is_page(b);
		if (rank < best_rank) {
			best = b;
			best_rank = rank;
		}
	}
	if (best)
		best->placed = true;
	return best;
}

struct place {
	struct rx_buffer *buffer;
	uint32_t bytes;
};

/* Where a packet goes, piece by piece. */
struct placing {
	unsigned n;
	struct place place[QUEUE_MAX];
};

/* Place bytes that are to be copied. */
static bool cover(struct virtio_net *n, struct placing *p, uint32_t bytes)
{
	while (bytes) {
		struct rx_buffer *b = choose(n, false);

		if (!b)
			return false;
		p->place[p->n++] = (struct place){b, MIN(bytes, b->bytes)};
		bytes -= p->place[p->n - 1].bytes;
	}
	return true;
}

static bool is_whole(const struct packet_span *s)
{
	return s->mpn != MPN_NONE && s->bytes == PAGE_SIZE;
}

/* Place the header and the packet. False: there are too few buffers. */
static bool arrange(struct virtio_net *n, struct placing *p, const struct packet *k)
{
	uint32_t at = HEADER_BYTES, from = 0; /* this span, what is not placed yet */

	p->n = 0;
	for (unsigned i = 0; i < k->n_spans; at += k->span[i++].bytes) {
		struct rx_buffer *b;

		/* The first buffer must hold an Ethernet header. */
		if (!n->sharing || !is_whole(&k->span[i]) || at < HEADER_BYTES + ETHER_HEADER)
			continue;
		b = choose(n, true);
		if (!b)
			continue;
		if (!cover(n, p, at - from))
			return false;
		p->place[p->n++] = (struct place){b, PAGE_SIZE};
		from = at + PAGE_SIZE;
	}
	return cover(n, p, HEADER_BYTES + k->bytes - from);
}

/* Placed buffers leave, or do not. */
static void conclude(struct virtio_net *n, bool used)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n->n_buffers; i++) {
		if (n->buffer[i].placed && used)
			continue;
		n->buffer[left] = n->buffer[i];
		n->buffer[left++].placed = false;
	}
	n->n_buffers = left;
}

/* ---- receiving --------------------------------------------------------------------------- */

/* The bytes of a packet behind its header, as they are put into buffers. */
struct source {
	const struct packet *k;
	struct header h;
	uint32_t at;                    /* bytes taken, of the header and of the packet */
	const struct packet_span *span; /* where the next is */
	uint32_t in_span;
	uint32_t copied, mapped; /* bytes, pages */
};

static void count_copied(struct virtio_net *n, struct source *from, uint32_t bytes)
{
	struct subnet_stats *s = subnet_port_stats(n->port);

	from->copied += bytes;
	if (from->k->bytes < PAGE_SIZE)
		s->copied_small += bytes;
	else if (!n->sharing)
		s->copied_off += bytes;
	else if (is_whole(from->span))
		s->copied_unaligned += bytes;
	else
		s->copied_part += bytes;
}

static void map_page(struct virtio_net *n, uint64_t pa, uint32_t mpn)
{
	struct vm *vm = n->v.dev.vm;
	uint32_t ppn = gm_ppn(vm, pa);

	pmap_share_in(vm->pmap, ppn, mpn, frame_kind(vm->cluster->mem, mpn));
	vm->cluster->engine->page_written(vm, ppn);
	subnet_port_stats(n->port)->pages_mapped++;
}

/* Fill the first `bytes` of a chain. False: memory failed. */
static bool fill(
	struct virtio_net *n, const struct virtio_chain *c, uint32_t bytes, struct source *from)
{
	const struct memory *mem = n->v.dev.vm->cluster->mem;
	struct content *content = n->v.dev.vm->cluster->content;
	struct virtio_span room = virtio_writable(c, 0, bytes);
	uint32_t done = 0, some;
	struct virtio_segment s;

	while (virtio_span_next(&room, &s)) {
		for (; s.bytes; s.bytes -= some, s.pa += some, done += some, from->at += some) {
			const uint8_t *data;

			if (from->at < HEADER_BYTES) {
				some = MIN(s.bytes, HEADER_BYTES - from->at);
				data = (const uint8_t *)&from->h + from->at;
				if (!virtio_copy_to(&n->v, c, done, data, some))
					return false;
				continue;
			}
			if (from->in_span == from->span->bytes) {
				from->span++;
				from->in_span = 0;
			}
			some = MIN(s.bytes, from->span->bytes - from->in_span);
			if (!from->in_span && is_whole(from->span) && content)
				content_delivered(content, n->v.dev.vm->id, from->span->mpn);
			if (n->sharing && is_whole(from->span) && some == PAGE_SIZE &&
				!(s.pa & (PAGE_SIZE - 1))) {
				map_page(n, s.pa, from->span->mpn);
				from->mapped++;
			} else {
				data = packet_span_data(n->packets, from->span) + from->in_span;
				if (from->span->mpn != MPN_NONE)
					memory_dma(mem, n->v.dev.vm->id, data, some, false);
				if (!virtio_copy_to(&n->v, c, done, data, some))
					return false;
				count_copied(n, from, some);
			}
			from->in_span += some;
		}
	}
	return true;
}

/* Over as many buffers as it takes (section 5.1.6.4). */
static int deliver_merged(struct virtio_net *n, struct source *from)
{
	struct virtq *q = &n->v.queue[RX];
	struct virtio_chain c;
	struct placing p;
	bool ok;

	ok = arrange(n, &p, from->k);
	if (!virtio_live(&n->v, q))
		return -EIO; /* a bad descriptor */
	if (!ok) {
		conclude(n, false);
		return n->n_buffers == q->size ? -EMSGSIZE : -EAGAIN;
	}
	from->h.num_buffers = (uint16_t)p.n;
	for (unsigned i = 0; i < p.n; i++) {
		const struct rx_buffer *b = p.place[i].buffer;

		if (b->pa) {
			c.n_readable = 0;
			c.n_writable = 1;
			c.seg[0] = (struct virtio_segment){b->pa, b->bytes};
		} else if (virtio_pop_again(&n->v, q, b->head, &c) <= 0) {
			return -EIO;
		}
		if (!b->pa && c.writable < p.place[i].bytes) {
			virtio_break(&n->v); /* changed while it was the device's */
			return -EIO;
		}
		if (!fill(n, &c, p.place[i].bytes, from))
			return -EIO;
	}
	for (unsigned i = 0; i < p.n; i++)
		virtio_push(&n->v, q, p.place[i].buffer->head, p.place[i].bytes);
	conclude(n, true);
	return 0;
}

static int deliver_single(struct virtio_net *n, struct source *from)
{
	struct virtq *q = &n->v.queue[RX];
	uint32_t total = HEADER_BYTES + from->k->bytes;
	struct virtio_chain c;

	if (virtio_pop(&n->v, q, &c) <= 0)
		return virtio_live(&n->v, q) ? -EAGAIN : -EIO;
	if (c.writable < HEADER_BYTES) {
		virtio_break(&n->v);
		return -EIO;
	}
	if (c.writable < total) {
		virtio_unpop(q, 1);
		return -EMSGSIZE;
	}
	from->h.num_buffers = 1;
	if (!fill(n, &c, total, from))
		return -EIO;
	virtio_push(&n->v, q, c.head, total);
	return 0;
}

static unsigned net_takes(void *arg)
{
	const struct virtio_net *n = arg;
	unsigned takes = has(n, F_GUEST_CSUM) ? TAKES_CHECKSUM : 0;

	/* Segments come with checksums to compute: section 5.1.3.1 demands one with the other. */
	if (takes && has(n, F_GUEST_TSO4))
		takes |= TAKES_TCP4;
	if (takes && has(n, F_GUEST_TSO6))
		takes |= TAKES_TCP6;
	return takes;
}

/* May this driver be given such a packet? It may have changed since the switch asked. */
static bool takes_packet(struct virtio_net *n, const struct packet *k)
{
	const struct packet_offload *o = &k->offload;
	unsigned takes = net_takes(n);

	if (o->cut != CUT_NONE)
		return takes & (o->cut == CUT_TCP4 ? TAKES_TCP4 : TAKES_TCP6);
	/* Section 5.1.4.1; a VLAN tag does not count. */
	if (has(n, F_MTU) && k->bytes > n->config.mtu + ETHER_HEADER + 4u)
		return false;
	return !o->checksum || takes & TAKES_CHECKSUM;
}

/* The guest will copy these pages to where they belong. */
static void look_out_for_copies(struct vm *vm, const struct packet *k)
{
	for (unsigned i = 0; i < k->n_spans && vm->log; i++)
		if (is_whole(&k->span[i]))
			content_delivered(vm->cluster->content, vm->id, k->span[i].mpn);
}

static int net_deliver(void *arg, const struct packet *k)
{
	struct virtio_net *n = arg;
	struct virtio *v = &n->v;
	const struct packet_offload *o = &k->offload;
	struct source from = {.k = k, .span = k->span};
	int err;

	if (v->dev.vm->state != VM_RUNNING || !virtio_live(v, &v->queue[RX]))
		return -ENODEV;
	if (!takes_packet(n, k))
		return -EPROTO;
	if (n->generation != v->generation) {
		n->n_buffers = 0;
		n->generation = v->generation;
	}
	if (o->checksum) {
		from.h.flags = HDR_NEEDS_CSUM;
		from.h.csum_start = o->csum_start;
		from.h.csum_offset = o->csum_offset;
	}
	if (o->cut != CUT_NONE) {
		from.h.gso_type = o->cut == CUT_TCP4 ? GSO_TCPV4 : GSO_TCPV6;
		from.h.gso_size = o->segment_bytes;
		from.h.hdr_len = o->header_bytes;
	}
	err = has(n, F_MRG_RXBUF) ? deliver_merged(n, &from) : deliver_single(n, &from);
	if (!err) {
		charge_pages(n, from.mapped);
		charge_copy(n, from.copied, k->node);
		look_out_for_copies(v->dev.vm, k);
		virtio_notify(v, &v->queue[RX]);
	}
	return err;
}

static const struct subnet_port_ops port_ops = {
	.deliver = net_deliver, .takes = net_takes, .spread = net_spread};

/* ---- the device -------------------------------------------------------------------------- */

static void net_stats(struct device *d, struct json_t *object)
{
	struct virtio_net *n = (struct virtio_net *)d;
	const struct subnet_stats *s = subnet_port_stats(n->port);
	const struct {
		const char *name;
		uint64_t value;
	} row[] = {
		{"tx_frames", s->frames_sent},
		{"tx_bytes", s->bytes_sent},
		{"tx_malformed", n->tx_malformed},
		{"rx_frames", s->frames_received},
		{"rx_bytes", s->bytes_received},
		{"dropped", s->dropped},
		{"rx_pages_mapped", s->pages_mapped},
		{"rx_copied_small", s->copied_small},
		{"rx_copied_part", s->copied_part},
		{"rx_copied_unaligned", s->copied_unaligned},
		{"rx_copied_off", s->copied_off},
		{"rx_cut", s->cut},
		{"rx_checksums", s->summed},
	};

	virtio_common_stats(&n->v, object);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		json_object_set_new(object, row[i].name, json_integer((json_int_t)row[i].value));
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
	.queue_max = QUEUE_MAX,
	.at_boundary = true,
	.own_copies = true,
	.needs_version_1 = true,
	.kick = net_kick,
};

struct device *virtio_net_create(
	struct vm *vm, unsigned slot, struct subnet *net, const uint8_t mac[6])
{
	struct virtio_net *n = xcalloc(1, sizeof(*n));

	memcpy(n->config.mac, mac, 6);
	n->config.mtu = subnet_mtu(net);
	n->packets = subnet_packets(net);
	n->sharing = vm->cluster->share & SHARE_NET;
	n->port = subnet_attach(net, mac, &port_ops, n);
	virtio_init(&n->v, vm, slot, &net_ops,
		F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_GUEST_TSO4 | F_GUEST_TSO6 | F_HOST_TSO4 |
			F_HOST_TSO6 | F_MRG_RXBUF,
		&n->config, sizeof(n->config));
	return &n->v.dev;
}
