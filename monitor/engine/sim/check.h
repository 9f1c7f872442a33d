// SPDX-License-Identifier: MIT
/* Comparing what the engine remembers of VMs' memory with their pmaps. */
#ifndef MONITOR_ENGINE_SIM_CHECK_H
#define MONITOR_ENGINE_SIM_CHECK_H

#include "monitor/engine/sim/cpu.h"

/* engine->check. */
void sim_check(const struct cluster *c);

#endif
