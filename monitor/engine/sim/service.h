// SPDX-License-Identifier: MIT
/* What the guest's kernel does for its programs, and how long it takes. Owner thread. */
#ifndef MONITOR_ENGINE_SIM_SERVICE_H
#define MONITOR_ENGINE_SIM_SERVICE_H

#include "monitor/engine/sim/cpu.h"

/* A trap from user mode into the kernel, before anything is charged for it. */
void service_begin(struct sim_vcpu *cpu, uint64_t cause, uint64_t tval);
/* The kernel returns to user mode; what that takes has been charged. */
void service_end(struct sim_vcpu *cpu);
/* The kernel accesses a control register. */
void service_switch(struct sim_vcpu *cpu);
static inline void service_look(struct sim_vcpu *cpu, unsigned csr)
{
	if (cpu->priv == PRIV_S && unlikely(cpu->x[4] != cpu->task) && csr != 0x140)
		service_switch(cpu); /* not sscratch, around which tp is the program's */
}

void service_init(struct sim_vm *evm);
void service_free(struct sim_vm *evm);
uint64_t service_overhead_bytes(const struct sim_vm *evm);

#endif
