// SPDX-License-Identifier: MIT
/* Which vCPU runs on which CPU. Boundary. */
#ifndef MONITOR_ENGINE_SIM_SCHED_H
#define MONITOR_ENGINE_SIM_SCHED_H

#include "monitor/engine/sim/cpu.h"

struct sched;
struct sched *sched_create(struct cluster *c);
void sched_destroy(struct sched *s);
/* Decide who runs in [now, now + quantum): sets picked, node and vcpu->cpu of every vCPU. Boundary.
 */
void sched_pick(struct sched *s);

/* Does this vCPU want a CPU before machine time `end`? */
bool cpu_wants(const struct sim_vcpu *cpu, uint64_t end);

#endif
