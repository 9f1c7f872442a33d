// SPDX-License-Identifier: MIT
/*
 * The subnet's gateway: two of its ports, the router 10.0.0.1 and a DNS server, behind which
 * libslirp is a router in user mode. It terminates VMs' TCP, UDP and pings, and continues them over
 * the monitor's own sockets, so VMs reach what this computer's user reaches; no host outside can
 * open a connection to a VM. Datagrams may be larger than the MTU: VMs send and get them in
 * fragments. The host's own loopback addresses are out of reach unless asked for.
 *
 * The time of answers from outside is not reproducible, so a run with a gateway is no function of
 * its inputs, as with typing on a console. Sockets are polled at the boundary alone, and libslirp's
 * clock is machine time. All functions: boundary.
 */
#ifndef SHARING_GATEWAY_H
#define SHARING_GATEWAY_H

#include "sharing/subnet.h"

enum { GATEWAY_ADDRESS = 0x0a000001, GATEWAY_NET = 0x0a000000 };

struct gateway;

struct gateway_options {
	uint64_t clock_hz;
	unsigned prefix; /* bits of the net's mask */
	bool loopback;   /* connections to the gateway are to this computer's loopback address */
};

/* Call before the first subnet_run(). The process ignores SIGPIPE afterwards. NULL if libslirp
 * fails. */
struct gateway *gateway_create(struct subnet *s, const struct gateway_options *o);
void gateway_destroy(struct gateway *g); /* before the subnet */

/* The DNS server's address in a /prefix subnet: the last host address. */
uint32_t gateway_nameserver(unsigned prefix);

/* Does a VM have a socket open, so that an answer may come at any time? */
bool gateway_busy(const struct gateway *g);

struct gateway_stats {
	uint64_t frames_out, bytes_out; /* from VMs */
	uint64_t frames_in, bytes_in;   /* to VMs */
	uint64_t refused; /* frames from VMs that libslirp must not get: see gateway.c */
	uint64_t sockets; /* the most that were open at a time */
};
struct gateway_stats gateway_stats(const struct gateway *g);

#endif
