// SPDX-License-Identifier: MIT
/*
 * What statistics, tables and time series want to know of page placement, and the only place where
 * they ask: whether the policy moves pages, how many it moved and at what cost, and which have
 * copies. Boundary.
 */
#ifndef MONITOR_MOVES_H
#define MONITOR_MOVES_H

#include "monitor/vm.h"

struct json_t;

struct move_counts {
	uint64_t migrations, replications, collapses;
	uint64_t given_back; /* copies dropped because their node ran short */
	uint64_t refused;    /* moves that memory did not allow */
	uint64_t cycles;     /* CPU time they took */
};

/* Does the policy move pages? If not, everything below is zero. */
bool moves_happen(const struct cluster *c);
struct move_counts moves_total(const struct cluster *c);
/* Of one VM's pages: migrations, replications, collapses. */
struct move_counts moves_of_vm(const struct vm *vm);
/* Frames of each node that hold copies of pages, beyond the first. A walk over all frames. */
void moves_replica_pages(const struct cluster *c, uint64_t pages[MACHINE_MAX_NODES]);
/* Is there more than one copy of the page of this frame? */
bool moves_replicated(const struct cluster *c, uint32_t mpn);
/* All there is to say, as a new JSON object; the schema is in STATS.md. */
struct json_t *moves_json(const struct cluster *c);

#endif
