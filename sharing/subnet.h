// SPDX-License-Identifier: MIT
/*
 * The virtual subnet: a switch between the network ports of VMs. Frames are delivered at the
 * boundary, in order of sending port and sending time, so a run is the same on any number of host
 * threads.
 */
#ifndef SHARING_SUBNET_H
#define SHARING_SUBNET_H

#include <stdint.h>
#include <stdbool.h>

enum { SUBNET_MTU = 65535, SUBNET_FRAME_MAX = SUBNET_MTU + 18 };

struct subnet;
struct subnet_port;

struct subnet *subnet_create(void);
void subnet_destroy(struct subnet *s);

/* deliver: hand one Ethernet frame to the port's device; returns false when the device has no
 * buffer (the frame is dropped and counted). Called at the boundary from subnet_run(). */
struct subnet_port *subnet_attach(struct subnet *s, const uint8_t mac[6],
	bool (*deliver)(void *arg, const uint8_t *frame, uint32_t bytes), void *arg);
void subnet_detach(struct subnet_port *p);

/* Queue one frame (copied). Shorter than 14 or longer than SUBNET_FRAME_MAX bytes: dropped and
 * counted. Boundary. */
void subnet_send(struct subnet_port *p, const uint8_t *frame, uint32_t bytes);

/* Deliver all that is queued: to the port that owns the destination MAC (learned or attached), or
 * to all other ports for broadcast, multicast and unknown. Boundary. */
void subnet_run(struct subnet *s);

struct subnet_stats {
	uint64_t frames_sent, bytes_sent;
	uint64_t frames_received, bytes_received;
	uint64_t dropped;
};
const struct subnet_stats *subnet_port_stats(const struct subnet_port *p);

#endif
