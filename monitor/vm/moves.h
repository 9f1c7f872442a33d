// SPDX-License-Identifier: MIT
/*
 * The figures about page placement for statistics, tables and time series, which ask nowhere else:
 * whether the policy moves pages, how many it moved and at what cost, and which have copies.
 * Boundary.
 */
#ifndef MONITOR_VM_MOVES_H
#define MONITOR_VM_MOVES_H

#include "monitor/vm/vm.h"

struct json_t;

/* Does the policy move pages? If not, everything below is zero. */
bool moves_happen(const struct cluster *c);
struct move_counts moves_total(const struct cluster *c);
/* Of one VM's pages: migrations, replications, collapses; and the CPU time it paid for moves, its
 * own and others'. */
struct move_counts moves_of_vm(const struct vm *vm);
/* To a node: migrations and replications; and what its CPUs paid. */
struct move_counts moves_to_node(const struct cluster *c, unsigned node);
/* Frames of each node that hold copies of pages, beyond the first. A walk over all frames. */
void moves_replica_pages(const struct cluster *c, uint64_t pages[MACHINE_MAX_NODES]);
/* The same of one VM's pages; copies of a page it shares count for each VM. A walk over its pages.
 */
void moves_vm_replica_pages(const struct vm *vm, uint64_t pages[MACHINE_MAX_NODES]);
/* Is there more than one copy of the page of this frame? */
bool moves_replicated(const struct cluster *c, uint32_t mpn);
/* All there is to say, as a new JSON object; the schema is in STATS.md. */
struct json_t *moves_json(const struct cluster *c);
/* The counts that regions, VMs and nodes have. */
struct json_t *move_counts_json(const struct move_counts *n);

#endif
