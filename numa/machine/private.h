// SPDX-License-Identifier: MIT
/*
 * Between the files of numa/machine, and for no other: numa/machine/load.c chooses between
 * machine_from_file() of machine.c and machine_host() of host.c, which both begin with
 * machine_defaults().
 */
#ifndef NUMA_MACHINE_PRIVATE_H
#define NUMA_MACHINE_PRIVATE_H

#include "numa/machine/machine.h"

/* Set all fields of *m but nodes, name and timeslice_cycles to those of the paper's machine.
 * m->n_nodes must be known: latencies are filled for that number of nodes. */
void machine_defaults(struct machine *m);

/* Read the machine file `path`. Result and errors are those of machine_load(). */
int machine_from_file(const char *path, struct machine **out);

/* This computer as hwloc sees it. Result and errors are those of machine_load(). */
int machine_host(struct machine **out);

#endif
