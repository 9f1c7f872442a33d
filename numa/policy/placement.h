// SPDX-License-Identifier: MIT
/*
 * Placement: from the signal that a page is hot to its move. For each signal, at the boundary, the
 * driver collects what a policy may see, asks it, does what it says, and has the cost charged. At
 * the end of each interval it resets the counters.
 *
 * It knows the miss counters and CPUs only as functions: on the simulated machine they are its
 * directory's, under KVM those of a sampler. All is for the boundary.
 */
#ifndef NUMA_POLICY_PLACEMENT_H
#define NUMA_POLICY_PLACEMENT_H

#include "numa/memory/frame.h"
#include "numa/policy/policy.h"

struct placement;

/* Of the whole machine, since it was asked for last. */
struct placement_load {
	uint64_t requests[MACHINE_MAX_NODES]; /* served by each node's memory controller */
	uint64_t misses, local, writes; /* all of them; those on the initiator's node; stores */
};

struct placement_ops {
	/* Add this frame's misses since the last reset to misses[node], and the stores among them
	 * to *writes. A frame that a page moves into starts at zero, as the home's counters do:
	 * what was counted elsewhere says how far the page was, not who uses it from here on. What
	 * keeps a page from being moved to and fro is the count of its moves, which it takes along.
	 */
	void (*counts)(void *arg, uint32_t mpn, uint32_t *misses, uint32_t *writes);
	void (*load)(void *arg, struct placement_load *load);
	/* Bit set: nodes on which no user of this frame's page would use a copy. NULL: none. */
	uint64_t (*unseen)(void *arg, uint32_t mpn);
	/* All frames' counts to zero. */
	void (*reset)(void *arg);
	/* A CPU of `node` copies a page, as part of a move: cycles. NULL: the machine's
	 * cost.page_copy. */
	uint64_t (*copy)(void *arg, unsigned node, uint32_t from, uint32_t to);
	/* The monitor worked for so long on a CPU of `node`. */
	void (*charge)(void *arg, unsigned node, uint64_t cycles);
	/* CPUs that moves made forget a mapping so far; each was charged for it. */
	uint64_t (*interrupted)(void *arg);
	/* False: a policy that shuffles is not to move any more now. NULL: it may. */
	bool (*may_shuffle)(void *arg);
};

struct placement_stats {
	uint64_t hot;    /* signals */
	uint64_t stale;  /* of these: for a frame that is no guest's page any more */
	uint64_t capped; /* without a decision: enough moves in this interval */
	uint64_t why[POLICY_WHYS];
	uint64_t refused;   /* moves the policy wanted and memory refused: see memory_moves() */
	uint64_t intervals; /* that ended */
	/* Charged: for signals, and for each kind of move. */
	uint64_t cycles_signal, cycles_migrate, cycles_replicate;
	uint64_t cycles_node[MACHINE_MAX_NODES];
	uint64_t interrupted;        /* CPUs, by migrations and replications ... */
	uint64_t cycles_interrupted; /* ... and what it cost them, beside the above */
	uint64_t migrated_to[MACHINE_MAX_NODES], replicated_to[MACHINE_MAX_NODES];
};

/*
 * Also makes the policy place mem's new pages: create it before anything is allocated. m, and what
 * ops and arg point to, must outlive it; the policy is copied.
 */
struct placement *placement_create(struct memory *mem, const struct machine *m,
	const struct policy *policy, const struct placement_ops *ops, void *arg);
void placement_destroy(struct placement *pl);

/* The page of this frame is hot for `node`. Signals are handled in the order of these calls. */
void placement_hot(struct placement *pl, uint32_t mpn, unsigned node);

/* The time is `now`: call it at every boundary, after its signals. */
void placement_tick(struct placement *pl, uint64_t now);

/* Misses of one node to a page after which to signal; 0: this policy wants no signals. */
uint64_t placement_trigger(const struct placement *pl);

const struct policy *placement_policy(const struct placement *pl);
const struct placement_stats *placement_stats(const struct placement *pl);

#endif
