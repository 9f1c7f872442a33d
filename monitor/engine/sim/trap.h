// SPDX-License-Identifier: MIT
/*
 * Exceptions, interrupts, returns from them, and the timers that cause some. Owner thread.
 */
#ifndef MONITOR_ENGINE_SIM_TRAP_H
#define MONITOR_ENGINE_SIM_TRAP_H

#include "monitor/engine/sim/cpu.h"

/* Take an exception at cpu->pc. */
void trap_exception(struct sim_vcpu *cpu, enum cause cause, uint64_t tval);
/* Take the exception that an access left pending (mmu.h), if any: at cpu->pc, which is as of the
 * instruction that made it. */
void trap_fault(struct sim_vcpu *cpu);
/* Take the highest pending enabled interrupt, if any; true when one was taken. */
bool trap_interrupt(struct sim_vcpu *cpu);
/* Some interrupt is pending and enabled in mie (whatever the privilege): what ends WFI. */
bool trap_pending(const struct sim_vcpu *cpu);
void trap_mret(struct sim_vcpu *cpu);
void trap_sret(struct sim_vcpu *cpu);
/* Recompute timer pending bits at cpu->now and cpu->timer_at. */
void timer_update(struct sim_vcpu *cpu);

/* The time CSR. */
uint64_t cpu_time(const struct sim_vcpu *cpu);
/* Wake an idle hart if an interrupt is pending for it. */
void cpu_wake(struct sim_vcpu *cpu);

#endif
