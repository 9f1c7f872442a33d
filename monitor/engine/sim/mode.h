// SPDX-License-Identifier: MIT
/*
 * Ways of virtualizing, what they cost, and the books of a vCPU's time. Owner thread unless said.
 */
#ifndef MONITOR_ENGINE_SIM_MODE_H
#define MONITOR_ENGINE_SIM_MODE_H

#include "monitor/engine/sim/cpu.h"

/* The monitor works for (or on) the vCPU: its time, by event. */
static inline void monitor_charge(struct sim_vcpu *cpu, enum account_event e, uint64_t cycles)
{
	cpu->charge += cycles;
	cpu->account.cycles[e] += cycles;
	cpu->account.monitor += cycles;
}

static inline void monitor_event(struct sim_vcpu *cpu, enum account_event e, uint64_t cycles)
{
	cpu->account.count[e]++;
	monitor_charge(cpu, e, cycles);
}

/* An event enters the monitor: see mode_event(). */
void mode_enter(struct sim_vcpu *cpu, enum account_event e);

/* The guest executed a sensitive instruction, or takes a trap. True: that enters the monitor, which
 * has been charged. */
static inline bool mode_event(struct sim_vcpu *cpu, enum account_event e)
{
	cpu->account.count[e]++;
	if (likely(!(cpu->enters >> e & 1)))
		return false;
	mode_enter(cpu, e);
	return true;
}

/* Time up to cpu->now, and what is to be charged then, belongs to the present privilege. */
void account_now(struct sim_vcpu *cpu);
/* Time from here on has not been accounted for. */
void account_begin(struct sim_vcpu *cpu);

/* The modelled TLB missed the page of va, at machine address ma, physical pa, to which a walk of n
 * entries at walked_ma led: charge what a refill takes. */
void mode_tlb_miss(struct sim_vcpu *cpu, uint64_t va, uint64_t pa, uint64_t ma,
	const uint64_t *walked_ma, unsigned n);
/* sfence.vma: the guest's translation of va, if the L2TLB has it. */
void l2tlb_forget(struct sim_vcpu *cpu, uint64_t va);

/* After the vCPUs have been made, before they are freed; boundary. */
void mode_init(struct vm *vm);
void mode_free(struct vm *vm);
/* Tell the memory system, which exists, the owners of the tables. Boundary. */
void mode_own_tables(const struct vm *vm);
uint64_t mode_overhead_bytes(const struct vm *vm);
/* engine->vcpu_account. */
void sim_vcpu_account(const struct vcpu *vcpu, struct account *out);

#endif
