// SPDX-License-Identifier: MIT
/*
 * Exceptions, interrupts and returns from them (privileged specification, "Machine Trap Delegation
 * Registers" and following). In a VM without firmware of its own there is no M-mode: everything is
 * delegated to the guest's kernel but its calls to the SBI, which sbi.c answers.
 */
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/service.h"
#include "monitor/engine/sim/trap.h"

#define CAUSE_INTERRUPT (1ull << 63)

static void set_priv(struct sim_vcpu *cpu, enum priv priv)
{
	if (cpu->priv != priv)
		account_now(cpu);
	cpu->priv = priv;
	mmu_update_context(cpu);
}

static void enter_s(struct sim_vcpu *cpu, uint64_t cause, uint64_t tval)
{
	uint64_t s = cpu->mstatus & ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE);

	if (cpu->priv == PRIV_S)
		s |= MSTATUS_SPP;
	if (cpu->mstatus & MSTATUS_SIE)
		s |= MSTATUS_SPIE;
	cpu->mstatus = s;
	cpu->sepc = cpu->pc;
	cpu->scause = cause;
	cpu->stval = tval;
	cpu->pc = cpu->stvec & ~3ull;
	if ((cpu->stvec & 1) && (cause & CAUSE_INTERRUPT))
		cpu->pc += 4 * (cause & 63);
	set_priv(cpu, PRIV_S);
}

static void enter_m(struct sim_vcpu *cpu, uint64_t cause, uint64_t tval)
{
	uint64_t s = cpu->mstatus & ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE);

	s |= (uint64_t)cpu->priv << 11;
	if (cpu->mstatus & MSTATUS_MIE)
		s |= MSTATUS_MPIE;
	cpu->mstatus = s;
	cpu->mepc = cpu->pc;
	cpu->mcause = cause;
	cpu->mtval = tval;
	cpu->pc = cpu->mtvec & ~3ull;
	if ((cpu->mtvec & 1) && (cause & CAUSE_INTERRUPT))
		cpu->pc += 4 * (cause & 63);
	set_priv(cpu, PRIV_M);
}

/* A trap handler whose first instruction traps to itself this many times will never stop. */
enum { STUCK_MAX = 1000 };

static enum account_event exception_event(enum cause cause)
{
	switch (cause) {
	case CAUSE_ECALL_U:
	case CAUSE_ECALL_S:
	case CAUSE_ECALL_M:
		return EVENT_SYSCALL;
	case CAUSE_FETCH_PAGE:
	case CAUSE_LOAD_PAGE:
	case CAUSE_STORE_PAGE:
		return EVENT_PAGE_FAULT;
	default:
		return EVENT_EXCEPTION;
	}
}

void trap_exception(struct sim_vcpu *cpu, enum cause cause, uint64_t tval)
{
	uint64_t pc = cpu->pc;
	enum priv from = cpu->priv;

	bool to_s = cpu->priv != PRIV_M && (cpu->medeleg >> cause & 1);

	cpu->traps++;
	if (to_s && from == PRIV_U)
		service_begin(cpu, cause, tval);
	mode_event(cpu, exception_event(cause));
	cpu->charge++; /* so that a guest trapping on its own trap vector still uses up its time */
	if (to_s)
		enter_s(cpu, cause, tval);
	else
		enter_m(cpu, cause, tval);
	if (cpu->pc != pc || cpu->priv != from) {
		cpu->stuck = 0;
	} else if (++cpu->stuck == STUCK_MAX) {
		vm_fail(cpu->vm,
			"hart %u traps without end on its own trap handler at 0x%llx (cause %d)",
			cpu->hart, (unsigned long long)pc, cause);
		cpu->attention = cpu->yield = true;
	}
}

void trap_fault(struct sim_vcpu *cpu)
{
	enum cause cause = cpu->fault_cause;

	cpu->fault_cause = 0;
	if (cause)
		trap_exception(cpu, cause, cpu->fault_tval);
}

bool trap_pending(const struct sim_vcpu *cpu)
{
	return (cpu->mip | cpu->ext_lines) & cpu->mie;
}

void cpu_wake(struct sim_vcpu *cpu)
{
	if (cpu->vcpu->state != VCPU_IDLE || !trap_pending(cpu))
		return;
	cpu->vcpu->state = VCPU_RUNNABLE;
	cpu->suspended = false;
}

bool trap_interrupt(struct sim_vcpu *cpu)
{
	static const uint8_t by_priority[] = {
		IRQ_M_EXT, IRQ_M_SOFT, IRQ_M_TIMER, IRQ_S_EXT, IRQ_S_SOFT, IRQ_S_TIMER};
	static const uint8_t irq_event[] = {
		[IRQ_M_EXT] = EVENT_EXTERNAL,
		[IRQ_M_SOFT] = EVENT_IPI,
		[IRQ_M_TIMER] = EVENT_TIMER,
		[IRQ_S_EXT] = EVENT_EXTERNAL,
		[IRQ_S_SOFT] = EVENT_IPI,
		[IRQ_S_TIMER] = EVENT_TIMER,
	};
	uint64_t pending = (cpu->mip | cpu->ext_lines) & cpu->mie;
	uint64_t take;

	if (!pending)
		return false;
	take = 0;
	if (cpu->priv != PRIV_M || (cpu->mstatus & MSTATUS_MIE))
		take = pending & ~cpu->mideleg;
	if (!take && (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_SIE))))
		take = pending & cpu->mideleg;
	for (unsigned i = 0; i < ARRAY_SIZE(by_priority); i++) {
		unsigned irq = by_priority[i];

		if (!(take >> irq & 1))
			continue;
		cpu->traps++;
		if ((cpu->mideleg >> irq & 1) && cpu->priv == PRIV_U)
			service_begin(cpu, CAUSE_INTERRUPT | irq, 0);
		mode_event(cpu, irq_event[irq]);
		if (cpu->mideleg >> irq & 1)
			enter_s(cpu, CAUSE_INTERRUPT | irq, 0);
		else
			enter_m(cpu, CAUSE_INTERRUPT | irq, 0);
		return true;
	}
	return false;
}

void trap_mret(struct sim_vcpu *cpu)
{
	enum priv to = (cpu->mstatus & MSTATUS_MPP) >> 11;
	uint64_t s = cpu->mstatus & ~(MSTATUS_MIE | MSTATUS_MPP);

	if (cpu->mstatus & MSTATUS_MPIE)
		s |= MSTATUS_MIE;
	if (to != PRIV_M)
		s &= ~MSTATUS_MPRV;
	cpu->mstatus = s | MSTATUS_MPIE;
	cpu->pc = cpu->mepc;
	set_priv(cpu, to);
	cpu->attention = true;
}

void trap_sret(struct sim_vcpu *cpu)
{
	enum priv to = cpu->mstatus & MSTATUS_SPP ? PRIV_S : PRIV_U;
	uint64_t s = cpu->mstatus & ~(MSTATUS_SIE | MSTATUS_SPP | MSTATUS_MPRV);

	if (cpu->mstatus & MSTATUS_SPIE)
		s |= MSTATUS_SIE;
	cpu->mstatus = s | MSTATUS_SPIE;
	cpu->pc = cpu->sepc;
	if (cpu->priv == PRIV_S && to == PRIV_U)
		service_end(cpu);
	set_priv(cpu, to);
	if (trap_pending(cpu))
		cpu->attention = true;
}

uint64_t cpu_time(const struct sim_vcpu *cpu)
{
	const struct machine *m = cpu->vm->cluster->machine;

	if (m->clock_hz % m->timebase_hz == 0)
		return cpu->now / (m->clock_hz / m->timebase_hz);
	return (unsigned __int128)cpu->now * m->timebase_hz / m->clock_hz;
}

/* First machine time at which the time CSR is at least `ticks`. */
static uint64_t cycles_at(const struct sim_vcpu *cpu, uint64_t ticks)
{
	const struct machine *m = cpu->vm->cluster->machine;
	unsigned __int128 c =
		((unsigned __int128)ticks * m->clock_hz + m->timebase_hz - 1) / m->timebase_hz;

	return c > UINT64_MAX ? UINT64_MAX : c;
}

void timer_update(struct sim_vcpu *cpu)
{
	uint64_t time = cpu_time(cpu);

	cpu->timer_at = UINT64_MAX;
	if (cpu->menvcfg & ENVCFG_STCE) {
		if (time >= cpu->stimecmp) {
			cpu->mip |= MIP_STIP;
		} else {
			cpu->mip &= ~(uint64_t)MIP_STIP;
			cpu->timer_at = cycles_at(cpu, cpu->stimecmp);
		}
	}
	if (time >= cpu->mtimecmp) {
		cpu->mip |= MIP_MTIP;
	} else {
		cpu->mip &= ~(uint64_t)MIP_MTIP;
		cpu->timer_at = MIN(cpu->timer_at, cycles_at(cpu, cpu->mtimecmp));
	}
	cpu->attention = true;
}
