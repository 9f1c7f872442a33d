// SPDX-License-Identifier: MIT
/*
 * The inside of a pmap, for the files that share it: numa/memory/pmap.c (entries),
 * numa/memory/reserve.c (the frames set aside for the VM's next first touches) and
 * numa/memory/superpage.c (neighbouring ones). No other file may include this.
 */
#ifndef NUMA_MEMORY_PMAP_PRIVATE_H
#define NUMA_MEMORY_PMAP_PRIVATE_H

#include "numa/memory/pmap.h"

enum {
	LEAF_SHIFT = 9,
	LEAF_PAGES = 1 << LEAF_SHIFT, /* a leaf is 4 KiB and maps 2 MiB */
	/* Frames set aside for each node a VM runs on: a quantum of 50000 cycles zeroes or touches
	 * fewer new pages than this, so a vCPU is stopped by an empty reserve only when several
	 * start at once. */
	RESERVE_FRAMES = 64,
	/* Where pages are spread over nodes, all the reserves of a VM together hold this, but each
	 * at least the minimum: pages touched in a row fall to nodes in turn. */
	SPREAD_FRAMES = 128,
	SPREAD_MIN = 8
};

struct leaf {
	struct pmap_entry entry[LEAF_PAGES];
};

struct reserve {
	uint32_t head, n; /* frame[head .. n - 1] are left, handed out from head */
	bool starved;     /* the last refill found machine memory exhausted and left this empty */
	uint32_t frame[RESERVE_FRAMES];
};

struct pending {
	uint32_t mpn;
	uint32_t ppn;  /* whose use of mpn ends ... */
	bool collapse; /* ... or it goes on, and stale copies of mpn are to be freed */
};

struct pmap {
	struct memory *mem;
	struct pmap *next; /* of this memory, in order of creation */
	uint32_t id;
	uint32_t n_pages;
	const struct pmap_ops *ops;
	void *engine;
	struct leaf **leaf;      /* NULL: 512 absent pages */
	uint32_t n_leaves;       /* that exist */
	struct reserve *reserve; /* one for each node */
	uint32_t n_reserved;     /* in all of them */
	uint32_t *run;           /* by leaf and node: numa/memory/superpage.c; NULL: none yet */
	uint32_t watermark;      /* frames of the machine that refills do not take */
	uint64_t n_placed;       /* pages whose node frame_place() chose */
	struct {
		uint32_t ppn; /* the first page */
		unsigned node;
	} home[MACHINE_MAX_NODES]; /* of pmap_home() */
	unsigned n_homes;
	struct pending *pending; /* for the boundary */
	uint32_t n_pending, cap_pending;
	struct pmap_stats stats;
};

/* Run phase: the next frame of the reserve for `node`; when there is no more memory to refill it
 * from, of whichever node's is nearest. 0, -EAGAIN or -ENOMEM as pmap_fault(). */
int reserve_take(struct pmap *pm, unsigned node, uint32_t *mpn);

/* Take frames of the reserves of VMs back, for struct memory's `steal`. Boundary. */
uint32_t reserve_steal(struct memory *mem);

/* A frame for ppn in its place in a run on `node`, with its first user. False: it has none. */
bool run_take(struct pmap *pm, uint32_t ppn, unsigned node, struct frame_user user, bool zero,
	uint32_t *mpn);
/* Give back what is left of all of a VM's runs, for good. */
void runs_end(struct pmap *pm);
/* What its table of runs takes. */
size_t runs_overhead_bytes(const struct pmap *pm);

#endif
