// SPDX-License-Identifier: MIT
/*
 * Sums of what the memory system counts (numa/memsys/memsys.h), which counts for each CPU: over the time a
 * vCPU had a CPU, over a region of interest, over the CPUs of a node. Any thread.
 */
#ifndef MONITOR_VM_COUNTS_H
#define MONITOR_VM_COUNTS_H

#include "monitor/vm/account.h"
#include "numa/memsys/memsys.h"

/* Counts of one thing, and the CPU time in numa fidelity in which they arose. */
struct tally {
	uint64_t cpu_cycles;
	struct memsys_counts n;
};

/* Moves of pages by kind, and their price. */
struct move_counts {
	uint64_t migrations, replications, collapses;
	uint64_t given_back; /* copies dropped because their node ran short */
	uint64_t refused;    /* moves that memory did not allow */
	uint64_t cycles;     /* CPU time they took */
};

/* A region of interest: machine time, what CPUs counted in it, where vCPUs' time went, moves. */
struct region {
	uint64_t cycles;
	struct tally t;
	struct account account;
	struct move_counts moves;
};
enum { REGIONS_MAX = 64 }; /* told apart; later ones are in the sum */

/* *sum += *now - *then; then = NULL: nothing. */
void counts_add(struct memsys_counts *sum, const struct memsys_counts *now,
	const struct memsys_counts *then);
void tally_add(struct tally *sum, const struct tally *t);
/* What lies between two running totals. */
struct region region_between(const struct region *then, const struct region *now);
void region_add(struct region *sum, const struct region *r);

/* L2 misses by the home's place, wherever the line was. */
static inline uint64_t counts_local(const struct memsys_counts *n)
{
	return n->local + n->local_dirty;
}

static inline uint64_t counts_remote(const struct memsys_counts *n)
{
	return n->remote + n->remote_dirty;
}

uint64_t counts_stall(const struct memsys_counts *n); /* cycles, of all kinds */

/* Every count but the stalls, with its name in statistics. */
struct count_field {
	const char *name;
	size_t offset; /* of a uint64_t in struct memsys_counts */
};
enum { COUNT_FIELDS = 17 };
extern const struct count_field count_field[COUNT_FIELDS];

#endif
