/* SPDX-License-Identifier: MIT */
/*
 * What each engine's loop does at a boundary, whatever the engine: sim at the end of every quantum,
 * kvm at every tick. Boundary only (numa/memory/frame.h).
 */
#ifndef MONITOR_VM_BOUNDARY_H
#define MONITOR_VM_BOUNDARY_H

#include "monitor/vm/vm.h"

/* Apply what the run phase deferred: releases of frames, devices' work, packets. First of all. When
 * the run is interrupted, leave the rest of devices' work and packets as it is, and set c->stop. */
void boundary_release_deferred(struct cluster *c);

/*
 * Scan for zero and identical pages; nothing without c->content. With `idle`, a scan may go beyond
 * the rate that the user asked for, in time that CPUs were idle since the last scan. Returns the
 * cycles that idle CPUs did not take over, which the engine charges to busy ones.
 */
uint64_t boundary_scan(struct cluster *c, bool idle);

#endif
