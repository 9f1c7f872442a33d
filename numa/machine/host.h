// SPDX-License-Identifier: MIT
/*
 * Between the two files that make machines: numa/machine/machine.c (from a description) and
 * numa/machine/host.c (from hwloc).
 */
#ifndef NUMA_MACHINE_HOST_H
#define NUMA_MACHINE_HOST_H

#include "numa/machine/machine.h"

/* Everything but nodes, name and timeslice_cycles: the paper's machine. Latencies are filled for
 * m->n_nodes nodes. */
void machine_defaults(struct machine *m);

/* machine_load("host"). */
int machine_host(struct machine **out);

#endif
