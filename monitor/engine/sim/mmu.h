// SPDX-License-Identifier: MIT
/*
 * Memory as a hart sees it: translation, physical memory protection, the soft TLB, and every access
 * that the TLB does not answer. Nothing here takes a trap: an access that fails leaves its
 * exception pending in cpu->fault_cause and cpu->fault_tval, and the caller raises it with
 * trap_fault(). Owner thread.
 */
#ifndef MONITOR_ENGINE_SIM_MMU_H
#define MONITOR_ENGINE_SIM_MMU_H

#include "monitor/engine/sim/cpu.h"

/* Result of a slow access: DONE, or LEAVE when it did not complete: an exception is pending, or the
 * VM must wait for a frame. The executor must not go on with this instruction. */
enum { DONE = 0, LEAVE = 1 };

int mem_load(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t *value);
int mem_store(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t value);
/* Host address for an atomic access of naturally aligned `size` bytes in RAM, writable when asked.
 */
int mem_atomic(struct sim_vcpu *cpu, uint64_t va, unsigned size, bool write, void **host);
/* Physical address of the instruction at va, or LEAVE. */
int mem_fetch_pa(struct sim_vcpu *cpu, uint64_t va, uint64_t *pa);
/* Enter the page of code at va into cpu->code for the model, or LEAVE. */
int mem_fetch_model(struct sim_vcpu *cpu, uint64_t va);
/* The page of va, if cpu->code has it, becomes the one that is executed. */
static inline bool code_page(struct sim_vcpu *cpu, uint64_t va)
{
	const struct code_entry *f = &cpu->code[va >> PAGE_SHIFT & (FETCH_ENTRIES - 1)];

	if (f->page != (va & ~(uint64_t)(PAGE_SIZE - 1)) || f->context != cpu->context)
		return false;
	cpu->fetch_page = f->page;
	cpu->fetch_ma = f->ma;
	return true;
}
/* No PMP boundary lies within the page of pa. */
bool pmp_uniform(const struct sim_vcpu *cpu, uint64_t pa);
/* Two bytes of code at a physical address in RAM (absent memory reads as zero); false: no RAM
 * there. */
bool mem_code16(const struct sim_vcpu *cpu, uint64_t pa, uint16_t *half);

/* An access failed: this is the exception that its instruction raises. */
static inline int mem_fault(struct sim_vcpu *cpu, enum cause cause, uint64_t tval)
{
	cpu->fault_cause = (uint8_t)cause;
	cpu->fault_tval = tval;
	return LEAVE;
}

/* A store or DMA is about to reach ppn: if code was decoded from it, it is stale at the next
 * fence.i. */
void mem_code_written(struct sim_vm *evm, uint32_t ppn);

/* As the guest demands: */
void tlb_flush(struct sim_vcpu *cpu);
void tlb_flush_page(struct sim_vcpu *cpu, uint64_t va);
/* What the hardware knows: the monitor's own TLB in software, if it has one, stays. */
void tlb_flush_hardware(struct sim_vcpu *cpu);
/* Forget every mapping (or only the right to write) of one frame. */
void tlb_forget_host(struct sim_vcpu *cpu, const uint8_t *host, bool only_write);
/* Forget every right to write: the next store to each page takes the slow path. */
void tlb_forget_writes(struct sim_vcpu *cpu);
/* Choose cpu->tlb and cpu->context anew after a change of privilege, SUM, MPRV. */
void mmu_update_context(struct sim_vcpu *cpu);
void pmp_update(struct sim_vcpu *cpu);

/* What the guest's page tables say of va now: the leaf, with the page of va as its frame; 0: none.
 * And whether that page is all zeroes. Neither changes anything. */
uint64_t mmu_peek(const struct sim_vcpu *cpu, uint64_t va);
bool mmu_peek_zero(const struct sim_vcpu *cpu, uint64_t pte);

#endif
