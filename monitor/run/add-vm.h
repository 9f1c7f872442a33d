// SPDX-License-Identifier: MIT
/*
 * One VM more in the cluster of a run.
 */
#ifndef MONITOR_RUN_ADD_VM_H
#define MONITOR_RUN_ADD_VM_H

#include "monitor/run/run.h"

/* Add VM number `id`, the next one, with its devices and nothing in its memory. Boundary, or before
 * the run. 0, or a negative errno after one line on stderr. */
int run_add_vm(struct run *r, unsigned id);

/* The file of a disk of VM `id`: %d in a private one's name is that number. The caller frees it. */
char *disk_path_for(const struct disk_option *d, unsigned id);

#endif
