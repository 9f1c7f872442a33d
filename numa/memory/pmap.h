// SPDX-License-Identifier: MIT
/*
 * One VM's physical memory: ppn -> frame. An absent page costs nothing; the first touch takes a
 * zeroed frame on the initiator's node; a page mapped onto a shared frame is read-only until the
 * first store copies it. To make a change take effect, the pmap calls the functions its engine
 * registered.
 *
 * Run phase: the VM's host thread calls pmap_fault(), and nothing here touches another VM. Frames
 * come from a small per-node reserve filled at the boundary; users that a copy-on-write break
 * leaves behind on a shared frame are dropped at the next boundary, from a list, in order of VM. So
 * what each VM gets does not depend on which host thread was faster.
 *
 * A page known to be zero needs no frame, if memory_share_zero() was called: an absent page that is
 * read becomes of kind FRAME_ZERO and is read from the node's frame of zeroes, which has no users
 * to count. A store then takes a frame, as it does for any absent page.
 *
 * Entries name masters. A page with copies on other nodes (numa/memory/move.h) is mapped read-only
 * for every CPU, each to its node's view, until a store: of a copy-on-write page, the VM gets its
 * own copy, and the others' copies stay; of a page the VM has for itself, replication ends. Then
 * what the writer's node saw becomes the page: it costs nothing more, and the writer's memory is
 * local. At the boundary the master stays instead, because devices hold its address.
 */
#ifndef NUMA_MEMORY_PMAP_H
#define NUMA_MEMORY_PMAP_H

#include "numa/memory/frame.h"

struct pmap;

struct pmap_ops {
	/*
	 * The translation of ppn changed or lost the right to write: no CPU of the VM may use the
	 * old one when this returns. `old` is a frame that CPUs may have used for it; called once
	 * for each such frame, by the thread that made the change, before the frame can be reused.
	 * pmap_view() tells already what to use instead; only a copy that goes because the page is
	 * to be in one frame may be named there yet, when its master has the same bytes.
	 */
	void (*shootdown)(void *engine, uint32_t ppn, uint32_t old);
	/*
	 * Block stores to ppn, which is in frame `mpn`, until the current monitor operation
	 * completes; loads may continue. NULL: no CPU of this engine runs at the boundary.
	 */
	void (*write_block)(void *engine, uint32_t ppn, uint32_t mpn);
};

struct pmap_entry {
	uint32_t mpn; /* the master; MPN_NONE: absent, and zero */
	uint8_t cow;  /* mapped read-only: a store must copy first (or upgrade, when it is the last
			 user) */
	uint8_t kind; /* enum frame_kind of what the guest sees here, for the virtual side of the
			 report; of an absent page FRAME_FREE, or FRAME_ZERO if it was touched */
	/* FRAME_ZERO: 1 + the node whose frame of zeroes CPUs may have for it, ZERO_ANY, or 0 */
	uint16_t zero_node;
};
#define ZERO_ANY UINT16_MAX

struct pmap_stats {
	uint64_t faults_zero; /* stores to absent pages, and reads that took a frame */
	uint64_t zero_reads;  /* absent pages that a read found, and that became of FRAME_ZERO */
	uint64_t zero_breaks; /* of faults_zero, those of pages that were of FRAME_ZERO */
	uint64_t zero_found;  /* pages found to be all zero, which gave their frame back */
	uint64_t merged;      /* pages that gave up their frame for an identical one */
	uint64_t faults_cow[FRAME_KINDS]; /* copies made by a store, by kind of the frame that was
					     shared */
	uint64_t mapped[FRAME_KINDS];     /* present pages, by kind (virtual memory in use) */
	uint64_t shared_in; /* pages mapped onto a frame already in memory (no copy) */
	/* What happened to frames while they were this VM's pages; a frame that several VMs map
	 * counts for each. */
	uint64_t migrations, replications, collapses;
};

/* id: the owner in back-maps. n_pages: size of the VM's memory. */
struct pmap *pmap_create(struct memory *mem, uint32_t id, uint32_t n_pages,
	const struct pmap_ops *ops, void *engine);
/* Drops every page and the reserve. Boundary. */
void pmap_destroy(struct pmap *pm);

/* The first touch of a page from ppn on takes a frame of `node`, whichever CPU touches it, up to
 * the ppn of the next call, if the policy is to leave pages where they are first touched. At most
 * one call a node, ppn from 0 on and rising. Before the VM runs. */
void pmap_home(struct pmap *pm, uint32_t ppn, unsigned node);

uint32_t pmap_id(const struct pmap *pm);
uint32_t pmap_pages(const struct pmap *pm);
const struct pmap_entry *pmap_entry(
	const struct pmap *pm, uint32_t ppn); /* run phase; ppn < pmap_pages */
const struct pmap_stats *pmap_stats(const struct pmap *pm);

/*
 * The frame that a CPU of `node` reads ppn from (MPN_NONE: ask pmap_fault()), and whether it may
 * store there. An engine fills its TLBs from this, and calls pmap_fault() when it does not suffice.
 * Run phase.
 */
uint32_t pmap_view(const struct memory *mem, const struct pmap *pm, uint32_t ppn, unsigned node,
	bool *writable);

/*
 * Make ppn usable for an access from a CPU on `node`. On 0, *host is the page's bytes and *writable
 * says whether stores may go there directly (always true after write = true). In the run phase
 * *host is the view of `node`. At the boundary it is always the master, whose address stays good
 * while more frames are taken, as a copy's does not. Run phase (by the VM's own thread) and
 * boundary. Errors:
 *
 *   -EFAULT  there is no such page
 *
 *   -EAGAIN  run phase only: the reserve is empty; end the vCPU's turn and call again after the
 *            boundary
 *
 *   -ENOMEM  machine memory is exhausted
 */
int pmap_fault(
	struct pmap *pm, uint32_t ppn, unsigned node, bool write, void **host, bool *writable);

/*
 * Map ppn read-only, copy-on-write, onto a frame in use elsewhere; drops what was there. `kind` is
 * what the guest sees. Adds the user. Boundary.
 */
void pmap_share_in(struct pmap *pm, uint32_t ppn, uint32_t mpn, enum frame_kind kind);

/*
 * Make ppn's frame copy-on-write so that another owner may use it too (a disk overlay that keeps
 * the page just written). Returns its mpn (allocating when absent), or MPN_NONE without memory; the
 * caller adds itself as a user. Boundary.
 */
uint32_t pmap_share_out(struct pmap *pm, uint32_t ppn, unsigned node);

/*
 * Give n VMs, as large as src and without a page so far, all of src's pages: none is copied, each
 * is copy-on-write for all of them from now on, src included, and is where it was. How many pages
 * that were. Boundary.
 */
uint32_t pmap_clone(struct pmap *src, struct pmap *const *dst, unsigned n);

/* Forget ppn: it reads as zero when touched next. Boundary. */
void pmap_drop(struct pmap *pm, uint32_t ppn);

/* The first page at or after ppn that has a frame, or pmap_pages(). Run phase. */
uint32_t pmap_next(const struct pmap *pm, uint32_t ppn);

/* ppn is in a frame that was shared, and whose last user it now is: it may be stored to again.
 * Boundary. */
void pmap_own(struct pmap *pm, uint32_t ppn);

/* ppn is present and all its bytes are zero: it needs no frame. After memory_share_zero().
 * Boundary. */
void pmap_zero(struct pmap *pm, uint32_t ppn);

/*
 * At each boundary, in order of VM. pmap_release_deferred(): drop the users and the stale copies
 * that the run phase left to the boundary. pmap_refill(): fill the reserve of `node`; call it once
 * for each node on which a vCPU of this VM may run next. Where pages are spread it fills the
 * reserves of all nodes.
 */
void pmap_release_deferred(struct pmap *pm);
void pmap_refill(struct pmap *pm, unsigned node);
/* From now on refills leave `frames` frames of the machine free; 0 at first. Boundary. */
void pmap_set_watermark(struct pmap *pm, uint32_t frames);
/* Give the reserve back (end of a run, or another VM starves). */
void pmap_drain(struct pmap *pm);

/* The number of frames that only this VM uses, found by a walk. Boundary. */
uint32_t pmap_own_pages(const struct pmap *pm);

/* XXH64 over the guest's memory: (ppn, bytes) of every page that is not all zero, in order of ppn,
 * so that absent and zero are the same and mpn does not matter. */
uint64_t pmap_digest(const struct pmap *pm);

/* Bytes of host memory this pmap's own structures take. */
uint64_t pmap_overhead_bytes(const struct pmap *pm);

/* Every entry agrees with the memmap, or die(). Boundary. */
void pmap_check(const struct pmap *pm);

#endif
