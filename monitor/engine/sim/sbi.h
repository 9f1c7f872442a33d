// SPDX-License-Identifier: MIT
/* The monitor in M-mode's place. Owner thread. */
#ifndef MONITOR_ENGINE_SIM_SBI_H
#define MONITOR_ENGINE_SIM_SBI_H

#include "monitor/engine/sim/cpu.h"

/* The guest's S-mode called its M-mode: us. pc is already past the ecall. */
void sbi_call(struct sim_vcpu *cpu);

#endif
