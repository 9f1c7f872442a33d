// SPDX-License-Identifier: MIT
/*
 * The virtual subnet: see subnet.h. Each port has two queues: what its device sent since the last
 * boundary, and what is on its way to it, in order of arrival. subnet_run() empties the first of
 * all ports, in order of port, into the second, and then delivers from those. What a device sends
 * while it takes delivery waits for the next boundary, so that no boundary can have a loop of
 * packets.
 *
 * A receiver's link makes packets arrive one after the other, so its queue is in order of time by
 * itself. A packet that finds no room in the receiver waits, and so do those behind it: a guest
 * that posts buffers slowly must not lose a window of TCP sooner than a machine behind a real
 * switch would. Queues are bounded in bytes of the host's memory, and the wait in time.
 *
 * Addresses learned from traffic are kept in a table of fixed size, where a new address replaces an
 * older one. A guest that makes up addresses wastes its neighbours' bandwidth (their packets go to
 * all ports) but no memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/util.h"
#include "sharing/subnet.h"

enum {
	LEARNED = 1024,         /* entries, a power of two */
	QUEUE_BYTES = 16 << 20, /* of each queue of a port: packets beyond are lost */
	MALLOC_BYTES = 16,      /* the allocator's own, of each piece */
	WAITS_PER_SECOND = 100, /* a packet waits 1 / WAITS_PER_SECOND s for room */
};
/* Without a link only the wait for room needs a clock. */
#define DEFAULT_CLOCK_HZ 1000000000ull

struct flight {
	struct flight *next;
	struct packet *packet;
	uint64_t at; /* arrives; cycles */
};

struct queue {
	struct flight *head, **tail;
	uint64_t bytes;
};

struct subnet_port {
	struct subnet *net;
	uint8_t mac[6];
	const struct subnet_port_ops *ops;
	void *arg;
	struct queue sent;               /* not yet taken */
	struct queue arriving;           /* by time of arrival */
	uint64_t tx_free_at, rx_free_at; /* when its link is free again; cycles */
	struct subnet_stats stats;
};

struct subnet {
	struct packet_pool *packets;
	struct subnet_link link;
	uint64_t now, room_wait;   /* cycles; room_wait: how long a packet waits for room */
	struct subnet_port **port; /* in order of attachment */
	unsigned n_ports;
	struct {
		uint8_t mac[6];
		struct subnet_port *port;
	} learned[LEARNED];
};

/* ---- queues ------------------------------------------------------------------------------ */

static void queue_init(struct queue *q)
{
	*q = (struct queue){.tail = &q->head};
}

/* The most host memory that a packet in a queue takes. Of a small packet most is records. */
static uint64_t host_bytes(const struct packet *k)
{
	return sizeof(struct flight) + packet_host_bytes(k) + UINT64_C(2) * MALLOC_BYTES;
}

/* Takes over the caller's reference. */
static void queue_put(struct queue *q, struct packet *k, uint64_t at)
{
	struct flight *f = xcalloc(1, sizeof(*f));

	f->packet = k;
	f->at = at;
	*q->tail = f;
	q->tail = &f->next;
	q->bytes += host_bytes(k);
}

/* Returns the first packet and its reference, or NULL. */
static struct packet *queue_take(struct queue *q)
{
	struct flight *f = q->head;
	struct packet *k;

	if (!f)
		return NULL;
	k = f->packet;
	q->head = f->next;
	if (!q->head)
		q->tail = &q->head;
	q->bytes -= host_bytes(k);
	free(f);
	return k;
}

static void queue_drop(struct packet_pool *pool, struct queue *q)
{
	for (struct packet *k; (k = queue_take(q));)
		packet_put(pool, k);
}

/* ---- ports ------------------------------------------------------------------------------- */

struct subnet *subnet_create(struct memory *mem, const struct subnet_link *link)
{
	struct subnet *s = xcalloc(1, sizeof(*s));

	s->packets = packet_pool_create(mem);
	s->link = link ? *link
		       : (struct subnet_link){.clock_hz = DEFAULT_CLOCK_HZ, .mtu = SUBNET_MTU};
	s->room_wait = s->link.clock_hz / WAITS_PER_SECOND;
	return s;
}

void subnet_destroy(struct subnet *s)
{
	if (!s)
		return;
	while (s->n_ports)
		subnet_detach(s->port[s->n_ports - 1]);
	packet_pool_destroy(s->packets);
	free(s->port);
	free(s);
}

uint16_t subnet_mtu(const struct subnet *s)
{
	return s->link.mtu;
}

struct packet_pool *subnet_packets(struct subnet *s)
{
	return s->packets;
}

struct subnet_port *subnet_attach(
	struct subnet *s, const uint8_t mac[6], const struct subnet_port_ops *ops, void *arg)
{
	struct subnet_port *p = xcalloc(1, sizeof(*p));

	p->net = s;
	memcpy(p->mac, mac, 6);
	p->ops = ops;
	p->arg = arg;
	queue_init(&p->sent);
	queue_init(&p->arriving);
	s->port = xrealloc(s->port, (s->n_ports + 1) * sizeof(s->port[0]));
	s->port[s->n_ports++] = p;
	return p;
}

void subnet_detach(struct subnet_port *p)
{
	struct subnet *s;
	unsigned i;

	if (!p)
		return;
	s = p->net;
	for (i = 0; s->port[i] != p; i++)
		;
	memmove(&s->port[i], &s->port[i + 1], (--s->n_ports - i) * sizeof(s->port[0]));
	for (i = 0; i < LEARNED; i++)
		if (s->learned[i].port == p)
			s->learned[i].port = NULL;
	queue_drop(s->packets, &p->sent);
	queue_drop(s->packets, &p->arriving);
	free(p);
}

void subnet_send(struct subnet_port *p, const struct packet_span *span, unsigned n,
	const struct packet_offload *offload, unsigned node)
{
	struct packet *k = NULL;

	if (p->sent.bytes < QUEUE_BYTES)
		k = packet_create(p->net->packets, span, n, offload, node);
	if (!k) {
		p->stats.dropped++;
		return;
	}
	p->stats.frames_sent++;
	p->stats.bytes_sent += k->bytes;
	queue_put(&p->sent, k, 0);
}

/* ---- receivers --------------------------------------------------------------------------- */

static unsigned mac_slot(const uint8_t *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac, 6);
	return (unsigned)splitmix64(&key) & (LEARNED - 1);
}

static struct subnet_port *attached_as(struct subnet *s, const uint8_t *mac)
{
	for (unsigned i = 0; i < s->n_ports; i++)
		if (!memcmp(s->port[i]->mac, mac, 6))
			return s->port[i];
	return NULL;
}

static struct subnet_port *port_of(struct subnet *s, const uint8_t *mac)
{
	struct subnet_port *p = attached_as(s, mac);
	unsigned slot = mac_slot(mac);

	return p || memcmp(s->learned[slot].mac, mac, 6) ? p : s->learned[slot].port;
}

static void learn(struct subnet *s, struct subnet_port *from, const uint8_t *mac)
{
	unsigned slot = mac_slot(mac);

	/* A group address belongs to no port, and an attached one to its port alone. */
	if ((mac[0] & 1) || attached_as(s, mac))
		return;
	memcpy(s->learned[slot].mac, mac, 6);
	s->learned[slot].port = from;
}

/* ---- on its way -------------------------------------------------------------------------- */

/* Cycles for which a link is busy with `bytes` bytes. */
static uint64_t link_cycles(const struct subnet *s, uint32_t bytes)
{
	unsigned __int128 bits = (unsigned __int128)bytes * 8 * s->link.clock_hz;

	if (!s->link.bits_second)
		return 0;
	return (uint64_t)((bits + s->link.bits_second - 1) / s->link.bits_second);
}

struct leg {
	struct subnet_port *to;
	uint64_t head_at; /* when its head may begin to arrive */
};

/* One packet on the receiver's link. */
static void arrive(void *arg, struct packet *k)
{
	struct leg *leg = arg;
	struct subnet_port *to = leg->to;

	if (to->arriving.bytes >= QUEUE_BYTES) {
		to->stats.dropped++;
		packet_put(to->net->packets, k);
		return;
	}
	to->rx_free_at = MAX(leg->head_at, to->rx_free_at) + link_cycles(to->net, k->bytes);
	queue_put(&to->arriving, k, to->rx_free_at);
}

/* Give the packet to one receiver, in a form that it takes. */
static void pass(struct subnet *s, struct subnet_port *to, struct packet *k, uint64_t head_at)
{
	unsigned takes = to->ops->takes(to->arg);
	const struct packet_offload *o = &k->offload;
	struct leg leg = {to, head_at};

	if ((o->cut == CUT_TCP4 && !(takes & TAKES_TCP4)) ||
		(o->cut == CUT_TCP6 && !(takes & TAKES_TCP6))) {
		to->stats.cut++;
		packet_cut(s->packets, k, !(takes & TAKES_CHECKSUM), arrive, &leg);
	} else if (o->checksum && !(takes & TAKES_CHECKSUM)) {
		to->stats.summed++;
		arrive(&leg, packet_with_checksum(s->packets, k));
	} else {
		arrive(&leg, packet_get(k));
	}
}

static void forward(struct subnet *s, struct subnet_port *from, struct packet *k)
{
	uint8_t header[ETHER_HEADER];
	const uint8_t *destination = header, *source = header + 6;
	struct subnet_port *to = NULL;
	uint64_t latency =
		(uint64_t)((unsigned __int128)s->link.latency_ns * s->link.clock_hz / 1000000000);
	uint64_t head_at = MAX(s->now, from->tx_free_at) + latency;

	from->tx_free_at = MAX(s->now, from->tx_free_at) + link_cycles(s, k->bytes);
	packet_copy(s->packets, k, 0, header, sizeof(header));
	learn(s, from, source);
	if (!(destination[0] & 1))
		to = port_of(s, destination);
	if (to) {
		if (to != from) /* else both ends are on this port, and a switch drops it */
			pass(s, to, k, head_at);
		return;
	}
	for (unsigned i = 0; i < s->n_ports; i++)
		if (s->port[i] != from)
			pass(s, s->port[i], k, head_at);
	if (from->ops->spread && s->n_ports > 2)
		from->ops->spread(from->arg, s->n_ports - 1);
}

static void deliver(struct subnet *s, struct subnet_port *p)
{
	while (p->arriving.head && p->arriving.head->at <= s->now) {
		struct flight *f = p->arriving.head;
		uint32_t bytes = f->packet->bytes;
		int err = p->ops->deliver(p->arg, f->packet);

		if (err == -EAGAIN && s->now - f->at < s->room_wait)
			return;
		if (err) {
			p->stats.dropped++;
		} else {
			p->stats.frames_received++;
			p->stats.bytes_received += bytes;
		}
		packet_put(s->packets, queue_take(&p->arriving));
	}
}

void subnet_run(struct subnet *s, uint64_t now)
{
	s->now = now;
	for (unsigned i = 0; i < s->n_ports; i++)
		if (s->port[i]->ops->run)
			s->port[i]->ops->run(s->port[i]->arg, now);
	for (unsigned i = 0; i < s->n_ports; i++) {
		for (struct packet *k; (k = queue_take(&s->port[i]->sent));) {
			forward(s, s->port[i], k);
			packet_put(s->packets, k);
		}
	}
	for (unsigned i = 0; i < s->n_ports; i++)
		deliver(s, s->port[i]);
}

uint64_t subnet_next(const struct subnet *s)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < s->n_ports; i++) {
		const struct flight *f = s->port[i]->arriving.head;

		if (f && f->at > s->now)
			next = MIN(next, f->at);
		if (s->port[i]->ops->next)
			next = MIN(next, s->port[i]->ops->next(s->port[i]->arg));
	}
	return next;
}

/* ---- statistics -------------------------------------------------------------------------- */

struct subnet_stats *subnet_port_stats(struct subnet_port *p)
{
	return &p->stats;
}

void subnet_total(const struct subnet *s, struct subnet_stats *sum)
{
	const unsigned words = sizeof(*sum) / sizeof(uint64_t);

	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < s->n_ports; i++)
		for (unsigned w = 0; w < words; w++)
			((uint64_t *)sum)[w] += ((const uint64_t *)&s->port[i]->stats)[w];
}
