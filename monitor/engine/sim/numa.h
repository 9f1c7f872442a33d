// SPDX-License-Identifier: MIT
/*
 * What ties the memory-system model and page placement to the simulated CPUs. Boundary, but for
 * vm_mark().
 */
#ifndef MONITOR_ENGINE_SIM_NUMA_H
#define MONITOR_ENGINE_SIM_NUMA_H

#include "monitor/engine/sim/cpu.h"

struct placement_ops;
extern const struct placement_ops numa_placement_ops;

/* The guest executed the magic instruction with this value: record it for the boundary, and stop
 * the VM's vCPUs until then. */
void vm_mark(struct sim_vcpu *cpu, int value);
/* The vCPU came to another CPU, or the fidelity changed: it has that CPU's caches and an empty TLB.
 */
void cpu_attach_model(struct sim_vcpu *cpu);
/* At a boundary, in this order around a quantum. numa_follow: act on magic instructions and on the
 * wanted fidelity. numa_quantum: vCPUs have their CPUs. numa_boundary: a quantum of `elapsed`
 * cycles is over; apply the model's deferred operations and move hot pages. */
void numa_follow(struct cluster *c);
void numa_quantum(struct cluster *c);
void numa_boundary(struct cluster *c, uint64_t elapsed);
/* The run is over: a region of interest still open ends here. */
void numa_end(struct cluster *c);

#endif
