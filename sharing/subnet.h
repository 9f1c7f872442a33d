// SPDX-License-Identifier: MIT
/*
 * The virtual subnet (paper, section 4.2.2): a switch between the network ports of VMs. The switch
 * takes packets at the boundary in order of port and of sending, delays them by the links' times,
 * and delivers them at a boundary in order of port, so a run is the same on any number of host
 * threads. Packets are sequences of pages (sharing/packet.h): the switch moves no bytes.
 *
 * A packet goes to the port attached with its destination address; else to the port on which the
 * address was last seen as a source; else, and for group addresses, to all ports but the sender's.
 * A port cannot take over an address with which another port was attached.
 *
 * All functions: boundary.
 */
#ifndef SHARING_SUBNET_H
#define SHARING_SUBNET_H

#include "sharing/packet.h"

struct subnet;
struct subnet_port;

/*
 * The links between ports and switch. A packet occupies its sender's link, then its receiver's, for
 * as long as its bytes take; the head is at the receiver's link `latency` after it left.
 */
struct subnet_link {
	uint64_t clock_hz;    /* cycles a second */
	uint64_t latency_ns;  /* from sender to receiver; 0: the boundary at which it was sent */
	uint64_t bits_second; /* of each link, each way; 0: without limit */
	uint16_t mtu;         /* what network cards announce */
};

/*
 * The MTU announced by default. TCP then puts 15 whole pages into a packet, after 20
 * bytes of IPv4 and 32 of TCP header with timestamps: a stream that begins on a page goes on in
 * pages.
 */
enum { SUBNET_MTU = 15 * PAGE_SIZE + 52, SUBNET_MTU_MIN = 1280, SUBNET_MTU_MAX = PACKET_MTU };

/* What a port's owner does itself; the switch does the rest before it delivers. */
enum subnet_takes { TAKES_CHECKSUM = 1, TAKES_TCP4 = 2, TAKES_TCP6 = 4 };

struct subnet_port_ops {
	/*
	 * Take a packet; it is the switch's again when this returns. 0; -EAGAIN: no room now, offer
	 * it again at the next boundary (for 10 ms of machine time); any other error: it is
	 * dropped.
	 */
	int (*deliver)(void *arg, const struct packet *k);
	unsigned (*takes)(void *arg); /* enum subnet_takes, at this moment */
	/* NULL, or: a packet that this port sent goes to `receivers` ports, more than one. */
	void (*spread)(void *arg, unsigned receivers);
	/* For a gateway's port; else NULL. subnet_run() calls run() first, before it takes what
	 * ports have sent. next() returns when run() is due next, for subnet_next(). */
	void (*run)(void *arg, uint64_t now);
	uint64_t (*next)(void *arg);
};

/* link: NULL for no latency, no limit and the usual MTU. */
struct subnet *subnet_create(struct memory *mem, const struct subnet_link *link);
/* Detaches the ports that are still attached. */
void subnet_destroy(struct subnet *s);
uint16_t subnet_mtu(const struct subnet *s);
struct packet_pool *subnet_packets(struct subnet *s);

struct subnet_port *subnet_attach(
	struct subnet *s, const uint8_t mac[6], const struct subnet_port_ops *ops, void *arg);
/* What the port sent goes on to its receivers if it has left the port's queue. */
void subnet_detach(struct subnet_port *p);

/* Queue one packet: see packet_create(). A packet that this refuses is dropped and counted. */
void subnet_send(struct subnet_port *p, const struct packet_span *span, unsigned n,
	const struct packet_offload *offload, unsigned node);

/* Take all that was sent and deliver all that has arrived by `now`, in cycles. */
void subnet_run(struct subnet *s, uint64_t now);
/* When the next packet arrives, or a port wants to be called; UINT64_MAX if none. Not packets
 * that wait for room. */
uint64_t subnet_next(const struct subnet *s);

struct subnet_stats {
	uint64_t frames_sent, bytes_sent;
	uint64_t frames_received, bytes_received;
	uint64_t dropped; /* malformed, or too many under way, or no room in time */
	uint64_t cut;     /* packets cut into segments for this port */
	uint64_t summed;  /* checksums computed for this port */
	/* Kept by the port's owner: where the bytes received went. */
	uint64_t pages_mapped; /* whole pages, mapped */
	uint64_t copied_small; /* bytes copied: of packets below a page */
	uint64_t copied_part;  /* ... headers, and what its sender did not have as whole pages */
	uint64_t copied_unaligned; /* ... whole pages that met no whole page of a buffer */
	uint64_t copied_off;       /* ... because nothing is to be mapped */
};
struct subnet_stats *subnet_port_stats(struct subnet_port *p);
/* The sum over all ports. */
void subnet_total(const struct subnet *s, struct subnet_stats *sum);

#endif
