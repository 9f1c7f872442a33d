// SPDX-License-Identifier: MIT
/*
 * Mistakes in what a guest is given that would show as a guest that hangs, or does its work
 * elsewhere than the user thinks: found before the run.
 */
#ifndef MONITOR_RUN_PREFLIGHT_H
#define MONITOR_RUN_PREFLIGHT_H

#include "monitor/run/run.h"

/*
 * Refuse disks that are no raw disks, and VMs with less memory than the guest says that
 * it needs (guests/NAME/needs, libconfig: `memory = { ARCHITECTURE = "SIZE"; }`; a guest without
 * one is not judged). After find_guest(). 0, or -EINVAL after one line on stderr.
 */
int preflight(const struct run *r);

/* The VMs have a disk, and the first is the guest's root: not with --disk none. */
bool expects_root(const struct run *r);

#endif
