// SPDX-License-Identifier: MIT
/*
 * The virtual subnet: see subnet.h. Each port queues what its device sends; at the boundary the
 * queues are emptied in order of port, so the order does not depend on which host thread was
 * faster. What a device sends while it takes delivery waits for the next boundary: no frame goes
 * round for ever in one.
 *
 * Addresses learned from traffic are kept in a table of fixed size where a newcomer takes an older
 * one's place: a guest that makes up addresses wastes its neighbours' bandwidth (their frames go to
 * all ports) but no memory. Nobody can learn away the address a port was attached with.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/util.h"
#include "sharing/subnet.h"

enum {
	LEARNED = 1024,         /* entries, a power of two */
	QUEUE_BYTES = 16 << 20, /* a port that sends more between two boundaries loses it */
	ETHER_HEADER = 14
};

struct packet {
	struct packet *next;
	uint32_t bytes;
	uint8_t data[];
};

struct subnet_port {
	struct subnet *net;
	uint8_t mac[6];
	bool (*deliver)(void *arg, const uint8_t *frame, uint32_t bytes);
	void *arg;
	struct packet *head, **tail; /* sent, not yet delivered */
	uint64_t queued_bytes;
	struct subnet_stats stats;
};

struct subnet {
	struct subnet_port **port; /* in order of attachment */
	unsigned n_ports;
	struct {
		uint8_t mac[6];
		struct subnet_port *port;
	} learned[LEARNED];
};

static unsigned mac_slot(const uint8_t *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac, 6);
	return (unsigned)splitmix64(&key) & (LEARNED - 1);
}

struct subnet *subnet_create(void)
{
	return xcalloc(1, sizeof(struct subnet));
}

void subnet_destroy(struct subnet *s)
{
	if (!s)
		return;
	while (s->n_ports)
		subnet_detach(s->port[s->n_ports - 1]);
	free(s->port);
	free(s);
}

struct subnet_port *subnet_attach(struct subnet *s, const uint8_t mac[6],
	bool (*deliver)(void *arg, const uint8_t *frame, uint32_t bytes), void *arg)
{
	struct subnet_port *p = xcalloc(1, sizeof(*p));

	p->net = s;
	memcpy(p->mac, mac, 6);
	p->deliver = deliver;
	p->arg = arg;
	p->tail = &p->head;
	s->port = xrealloc(s->port, (s->n_ports + 1) * sizeof(s->port[0]));
	s->port[s->n_ports++] = p;
	return p;
}

static struct packet *take_queue(struct subnet_port *p)
{
	struct packet *list = p->head;

	p->head = NULL;
	p->tail = &p->head;
	p->queued_bytes = 0;
	return list;
}

static void free_packets(struct packet *k)
{
	while (k) {
		struct packet *next = k->next;

		free(k);
		k = next;
	}
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
	free_packets(take_queue(p));
	free(p);
}

void subnet_send(struct subnet_port *p, const uint8_t *frame, uint32_t bytes)
{
	struct packet *k;

	if (bytes < ETHER_HEADER || bytes > SUBNET_FRAME_MAX ||
		p->queued_bytes + bytes > QUEUE_BYTES) {
		p->stats.dropped++;
		return;
	}
	k = xcalloc(1, sizeof(*k) + bytes);
	k->bytes = bytes;
	memcpy(k->data, frame, bytes);
	*p->tail = k;
	p->tail = &k->next;
	p->queued_bytes += bytes;
	p->stats.frames_sent++;
	p->stats.bytes_sent += bytes;
}

static void deliver(struct subnet_port *to, const struct packet *k)
{
	if (!to->deliver(to->arg, k->data, k->bytes)) {
		to->stats.dropped++;
		return;
	}
	to->stats.frames_received++;
	to->stats.bytes_received += k->bytes;
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

	/* A group address is nobody's. */
	if (!memcmp(from->mac, mac, 6) || (mac[0] & 1))
		return;
	memcpy(s->learned[slot].mac, mac, 6);
	s->learned[slot].port = from;
}

static void forward(struct subnet *s, struct subnet_port *from, const struct packet *k)
{
	const uint8_t *destination = k->data, *source = k->data + 6;
	struct subnet_port *to = NULL;

	learn(s, from, source);
	if (!(destination[0] & 1))
		to = port_of(s, destination);
	if (to) {
		if (to != from) /* else both ends are on this port: a switch keeps silent */
			deliver(to, k);
		return;
	}
	for (unsigned i = 0; i < s->n_ports; i++)
		if (s->port[i] != from)
			deliver(s->port[i], k);
}

void subnet_run(struct subnet *s)
{
	struct packet **batch;
	bool any = false;

	for (unsigned i = 0; i < s->n_ports; i++)
		any |= s->port[i]->head != NULL;
	if (!any)
		return;
	/* All queues are taken before the first delivery; ports do not come or go during it. */
	batch = xcalloc(s->n_ports, sizeof(batch[0]));
	for (unsigned i = 0; i < s->n_ports; i++)
		batch[i] = take_queue(s->port[i]);
	for (unsigned i = 0; i < s->n_ports; i++) {
		for (const struct packet *k = batch[i]; k; k = k->next)
			forward(s, s->port[i], k);
		free_packets(batch[i]);
	}
	free(batch);
}

const struct subnet_stats *subnet_port_stats(const struct subnet_port *p)
{
	return &p->stats;
}
