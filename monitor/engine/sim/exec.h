// SPDX-License-Identifier: MIT
/* The executor of decoded blocks. Owner thread. */
#ifndef MONITOR_ENGINE_SIM_EXEC_H
#define MONITOR_ENGINE_SIM_EXEC_H

#include "monitor/engine/sim/cpu.h"

/* Run blocks until cpu->now reaches cpu->stop, or attention or yield is set. */
void exec_run(struct sim_vcpu *cpu);

#endif
