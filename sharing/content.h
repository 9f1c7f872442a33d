// SPDX-License-Identifier: MIT
/*
 * Pages found to be alike: those of zeroes give their frame back, and identical ones come to share
 * one (C. Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI 2002, section 4).
 *
 * The monitor scans pages one after the other: it hashes a page and looks the hash up in a table of
 * frames seen before. A frame in the table is a hint and no more (ESX's hint frames): nothing keeps
 * its bytes as they were, so a match is compared byte by byte, at the boundary, before anything is
 * shared. Then the page's users move to the frame found, copy-on-write, by page_merge(). A page
 * that is being worked on would be copied again at once; so a page without a hint must have had the
 * same hash at the scan before (as in Linux's KSM), unless what it matches is shared already.
 *
 * Scans take time of the machine's CPUs, cost.page_scan each, and are therefore few: `rate` in a
 * millisecond when the CPUs are busy, and up to CONTENT_IDLE times as many on CPUs that have
 * nothing to do. A VM's memory is gone through twice, and again when the VM has run for 8 times as
 * long as that took: scanning takes at most a quarter of the time of the VMs scanned.
 *
 * Hints name pages to scan first; one scan of these is enough. Pages of disk transfers: up to
 * CONTENT_IDLE times `rate`, whether CPUs are idle or not. And copies of what came over the subnet,
 * which a kernel makes in its page cache without telling: what was delivered is in the table
 * already, and for some ms the monitor samples the pages that the VM stores to, five words of each.
 * A page with the fingerprint of one delivered recently is scanned.
 *
 * Memory that a guest gave back (balloon, free page reporting) is absent, and is not scanned, until
 * the guest takes it into use again. What it is used for then is new, and often a page that another
 * VM has, too; but at the first store it is not there yet, as kernels clear a page before they fill
 * it. So such pages are scanned some ms later and, if that found nothing, once more, so that one
 * that stays as it is may be merged; zeroes are left to the pass. These scans go before those of
 * the pass, and are of its number: they change the order, not the cost.
 *
 * Everything is for the boundary, but content_wrote(). Order and time depend on the machine's time
 * alone, so a run is the same on every host.
 */
#ifndef SHARING_CONTENT_H
#define SHARING_CONTENT_H

#include "numa/machine/machine.h"
#include "numa/memory/pmap.h"

enum { CONTENT_RATE = 8, CONTENT_IDLE = 4, CONTENT_LOG = 1024, CONTENT_REUSED = 512 };

struct content;

struct content_options {
	bool zero;     /* give back the frames of zeroes; memory_share_zero() was called */
	bool same;     /* share identical pages */
	uint64_t rate; /* scans in a millisecond of machine time */
	uint64_t seed; /* of the hash, so that no guest can prepare pages that collide */
	/* NULL: XXH3. For tests of collisions. */
	uint64_t (*hash)(const void *page, uint64_t seed);
};

/* The machine is kept and must outlive it. */
struct content *content_create(
	struct memory *mem, const struct machine *m, const struct content_options *o);
void content_destroy(struct content *c); /* before the pmaps */

/*
 * Pages that a VM stored to, gathered by its engine in the run phase while `on`. When `fresh` is
 * set, the engine takes away what its TLBs hold of rights to store, and clears it: stores that need
 * no translation would not be heard of. Every delivery sets it, for a page that is read ahead is
 * stored to twice: cleared when the request leaves, and filled when the answer has come.
 */
struct content_log {
	bool on, fresh;
	uint32_t n;
	uint32_t ppn[CONTENT_LOG];
	/* A bit a page: the guest gave it back and has not taken it into use since; NULL: none yet.
	 */
	uint8_t *given;
	uint32_t n_reused; /* pages with that bit that were stored to, which cleared it */
	uint32_t reused[CONTENT_REUSED];
};

/* Watch a VM's memory; VMs are numbered in order of this call. Its log is valid until the end. */
struct content_log *content_add(struct content *c, struct pmap *pm);

/*
 * The first store to ppn since its frame was taken; an engine need not say more than that of a page
 * for pages given back to be known when they are used again. As content_wrote().
 */
static inline void content_touched(struct content_log *l, uint32_t ppn)
{
	uint8_t bit = (uint8_t)(1u << (ppn & 7));

	if (l && l->given && l->given[ppn >> 3] & bit && l->n_reused < CONTENT_REUSED) {
		l->given[ppn >> 3] &= (uint8_t)~bit;
		l->reused[l->n_reused++] = ppn;
	}
}

/* A store is about to reach ppn. Run phase, by the VM's thread; l may be NULL. */
static inline void content_wrote(struct content_log *l, uint32_t ppn)
{
	if (unlikely(l && l->on) && l->n < CONTENT_LOG)
		l->ppn[l->n++] = ppn;
	content_touched(l, ppn);
}

/* Scan this page of a VM soon. */
void content_hint(struct content *c, unsigned vm, uint32_t ppn);
/* A VM gave this page back, and its pmap has dropped it. */
void content_given(struct content *c, unsigned vm, uint32_t ppn);
/* The page in frame mpn is being sent to a VM, which may copy it: remember its fingerprint. */
void content_delivered(struct content *c, unsigned vm, uint32_t mpn);
/* CPU time a VM has had in all, before content_scan(). */
void content_ran(struct content *c, unsigned vm, uint64_t cycles);

/*
 * Scan the pages that are due. Machine time is `now` cycles; since the last call CPUs had nothing
 * to do for `idle_cycles` in all. Returns the cycles that idle CPUs could not take over, which the
 * caller charges to busy ones.
 */
uint64_t content_scan(struct content *c, uint64_t now, uint64_t idle_cycles);

struct content_stats {
	uint64_t scans;         /* pages hashed, or seen to be zero */
	uint64_t hinted;        /* of these, because of a hint of a transfer or delivery */
	uint64_t reused;        /* pages that were given back and taken into use again: hints */
	uint64_t scans_reused;  /* of scans, because of these */
	uint64_t found_zero;    /* pages that gave their frame back */
	uint64_t merged;        /* pages that gave it up for an identical one ... */
	uint64_t merged_hinted; /* ... at a hinted scan */
	uint64_t merged_reused; /* ... at one because the page is in use again */
	uint64_t false_matches; /* equal hashes of unequal pages: a page had changed since */
	uint64_t hints_lost;    /* hints that found the queue full */
};
const struct content_stats *content_vm_stats(const struct content *c, unsigned vm);

/* CPU time that scanning took, and how much of it was charged to busy CPUs, in cycles. */
struct content_cost {
	uint64_t cycles, charged;
};
struct content_cost content_cost(const struct content *c);

/*
 * Of frames that hold guests' data, how many a perfect search would free now: those of zeroes, and
 * of identical ones all but one. By a walk over all frames in use, exact but for collisions of
 * 128-bit hashes.
 */
uint64_t content_census(const struct content *c);

/* Host bytes of table and queues. */
uint64_t content_overhead_bytes(const struct content *c);

/* The table is consistent, and every frame in it in use, or die(). */
void content_check(const struct content *c);

#endif
