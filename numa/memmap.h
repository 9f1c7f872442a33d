// SPDX-License-Identifier: MIT
/*
 * The inside of numa/frame.c that numa/pmap.c needs: how frames are set aside for a VM, and the few
 * operations on such a frame that are allowed in the run phase, where a VM's thread may touch only
 * what no other VM can reach. Nobody else includes this.
 */
#ifndef NUMA_MEMMAP_H
#define NUMA_MEMMAP_H

#include "numa/frame.h"

struct pmap;

/*
 * Set a frame of `node`, or of the nearest node that has one, aside as FRAME_RESERVED; reclaims but
 * does not take from the reserves of VMs. Its bytes need not be zero yet. MPN_NONE: none left.
 * Boundary.
 */
uint32_t frame_reserve(struct memory *mem, unsigned node);
/* Give a reserved frame back to its pool. Boundary. */
void frame_unreserve(struct memory *mem, uint32_t mpn);
/* Turn a reserved frame into a private one with its first user. Run phase, by the reserve's VM. */
void frame_take_reserved(struct memory *mem, uint32_t mpn, struct frame_user user, bool zero);

/* The i-th nearest node to `node` (the 0th is `node` itself). Run phase. */
unsigned memory_nearest(const struct memory *mem, unsigned node, unsigned i);

bool frame_has_user(const struct memory *mem, uint32_t mpn, struct frame_user user);
/* How many pages `owner` uses over the whole machine: a walk, for pmap_check(). */
uint64_t memory_count_owner(const struct memory *mem, uint32_t owner);

/*
 * The VMs of this memory, in order of creation, and what gives frames of their reserves back when
 * the pools are empty; both belong to numa/pmap.c.
 */
struct pmap **memory_pmaps(struct memory *mem);
void memory_set_steal(struct memory *mem, uint32_t (*steal)(struct memory *mem));

#endif
