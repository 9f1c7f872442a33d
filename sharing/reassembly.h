// SPDX-License-Identifier: MIT
/*
 * Fragments of IPv4 datagrams put together again (RFC 791, section 3.2), for a receiver that takes
 * only whole ones. Senders are hostile: a datagram whose fragments overlap or contradict each other
 * is dropped as a whole, and no more than REASSEMBLY_MAX are kept, in about 4 MB. A further one
 * takes the place of the one that has waited longest. All functions: boundary.
 */
#ifndef SHARING_REASSEMBLY_H
#define SHARING_REASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

enum { IPV4_HEADER = 20, IPV4_MAX = 65535, REASSEMBLY_MAX = 64 };

struct reassembly;

/* max_wait: how long a datagram may wait for its other fragments, in the unit of `now` below. */
struct reassembly *reassembly_create(uint64_t max_wait);
void reassembly_destroy(struct reassembly *r);

/* Is the packet part of a larger one? Reads the first IPV4_HEADER bytes. */
bool ipv4_is_fragment(const uint8_t *ip);

/* Take the mark that it may not be fragmented off a packet that is no fragment and has all of its
 * header. Its checksum stays right, or wrong. */
void ipv4_allow_fragments(uint8_t *ip);

/*
 * Take the fragment that the `bytes` bytes at `ip` begin with. The length of the datagram that it
 * completes, which is at *whole until the next call, its header that of the first fragment without
 * what makes it one; 0: some are missing yet; -EINVAL: the fragment is malformed, or contradicts
 * earlier ones.
 */
int reassembly_add(
	struct reassembly *r, const uint8_t *ip, uint32_t bytes, uint64_t now, uint8_t **whole);

#endif
