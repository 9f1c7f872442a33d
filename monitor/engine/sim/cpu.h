// SPDX-License-Identifier: MIT
/*
 * The simulated RV64GC CPU: its state, and what the parts of the engine ask of each other. One
 * struct is one hart; all harts of a VM are executed by one host thread at a time, which alternates
 * between them in slices. That is why nothing here is atomic, and why LR/SC needs no bookkeeping: a
 * reservation cannot be broken within a slice, and is dropped at the start of the next one.
 *
 *   insn.def   one row an instruction: encoding, operands, meaning (decode.c, exec.c, disasm.c)
 *   code.c     decoded blocks, kept by (virtual, physical) address
 *   exec.c     runs them
 *   mmu.c      translation, PMP, soft TLB, slow loads and stores
 *   csr.c      control registers
 *   trap.c     exceptions, interrupts, returns
 *   sbi.c      the monitor's M-mode
 *   mode.c     ways of virtualizing, what they cost, where time goes
 *   service.c  what the guest's kernel does for its programs, and how long it takes
 *   sched.c    which vCPU runs on which CPU
 *   sim.c      quanta, host threads
 */
#ifndef MONITOR_ENGINE_SIM_CPU_H
#define MONITOR_ENGINE_SIM_CPU_H

#include "monitor/vm/engine.h"
#include "numa/memsys/memsys.h"

enum priv { PRIV_U = 0, PRIV_S = 1, PRIV_M = 3 };
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

/* Exception causes (privileged specification, table of mcause values). */
enum cause {
	CAUSE_FETCH_MISALIGNED = 0,
	CAUSE_FETCH_ACCESS = 1,
	CAUSE_ILLEGAL = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_LOAD_ACCESS = 5,
	CAUSE_STORE_MISALIGNED = 6,
	CAUSE_STORE_ACCESS = 7,
	CAUSE_ECALL_U = 8,
	CAUSE_ECALL_S = 9,
	CAUSE_ECALL_M = 11,
	CAUSE_FETCH_PAGE = 12,
	CAUSE_LOAD_PAGE = 13,
	CAUSE_STORE_PAGE = 15,
};

/* mstatus */
#define MSTATUS_SIE  (1ull << 1)
#define MSTATUS_MIE  (1ull << 3)
#define MSTATUS_SPIE (1ull << 5)
#define MSTATUS_MPIE (1ull << 7)
#define MSTATUS_SPP  (1ull << 8)
#define MSTATUS_MPP  (3ull << 11)
#define MSTATUS_FS   (3ull << 13)
#define MSTATUS_MPRV (1ull << 17)
#define MSTATUS_SUM  (1ull << 18)
#define MSTATUS_MXR  (1ull << 19)
#define MSTATUS_TVM  (1ull << 20)
#define MSTATUS_TW   (1ull << 21)
#define MSTATUS_TSR  (1ull << 22)
#define MSTATUS_UXL  (2ull << 32)
#define MSTATUS_SXL  (2ull << 34)
#define MSTATUS_SD   (1ull << 63)

#define ENVCFG_FIOM  (1ull << 0)
#define ENVCFG_ADUE  (1ull << 61)
#define ENVCFG_STCE  (1ull << 63)

#define MIP_SSIP     (1u << IRQ_S_SOFT)
#define MIP_MSIP     (1u << IRQ_M_SOFT)
#define MIP_STIP     (1u << IRQ_S_TIMER)
#define MIP_MTIP     (1u << IRQ_M_TIMER)
#define MIP_SEIP     (1u << IRQ_S_EXT)
#define MIP_MEIP     (1u << IRQ_M_EXT)

enum { PMP_COUNT = 16 };

/*
 * Soft TLB: guest virtual page -> host address, direct-mapped. A tag is the page address; comparing
 * it with (va & ~(0xfff & ~(size - 1))) finds the page and rejects a misaligned access in one step.
 * One table for each memory context, so that changing between them (trap, sret, SUM) flushes
 * nothing.
 */
enum { TLB_BITS = 9, TLB_ENTRIES = 1 << TLB_BITS };
enum tlb_context { TLB_U, TLB_S, TLB_S_SUM, TLB_M, TLB_CONTEXTS };
#define TLB_NONE UINT64_MAX

struct tlb_entry {
	uint64_t read_tag;
	uint64_t write_tag;
	uintptr_t addend; /* host address = va + addend */
	uint8_t *host;    /* of the page: what a shootdown looks for */
};

enum { JUMP_ENTRIES = 512, FETCH_ENTRIES = 64 };

struct fetch_entry { /* translation of a page of code */
	uint64_t page;
	uint64_t context;
	uint64_t pa;
};

struct code_entry { /* machine address of a page of code, for the memory-system model */
	uint64_t page;
	uint64_t context;
	uint64_t ma;
};

/*
 * A page table that lies on the way to leaves of 4 KiB (level 0) or 2 MiB (level 1), so that a walk
 * begins there: what the specification calls caching of non-leaf entries. Known by the part of the
 * address that leads to it; dropped by any sfence.vma that covers it, and by every shootdown.
 */
enum { TABLE_ENTRIES = 64 };

struct table_entry {
	uint64_t pa;
	const uint8_t *host;
	unsigned n_walked; /* page-table entries read on the way, and where they are */
	uint64_t walked_ma[4];
};

/* Where no code can be: canonical in no mode, and no RAM. */
#define FETCH_NONE (1ull << 62)

struct jump_entry { /* last block seen at this pc, in this address space */
	uint64_t pc;
	uint64_t context;
	struct block *block;
};

struct sim_vcpu {
	uint64_t x[33]; /* x[32] takes what is written to x0 */
	uint64_t pc;
	struct tlb_entry *tlb; /* that of the current memory context */
	uint64_t context; /* address-space generation << 2 | privilege: validity of block links */
	uint64_t f[32];

	/*
	 * Time. While blocks run, the CPU's time is stop - budget, and budget lives in a host
	 * register; `now` is exact whenever anything outside the executor looks. instret = now -
	 * skew: skew is the time that passed without an instruction (idle, stalls, monitor work).
	 */
	uint64_t now;
	uint64_t stop;
	uint64_t skew;
	uint64_t charge;   /* cost to add at the next opportunity */
	uint64_t timer_at; /* machine time at which stimecmp or mtimecmp fires next */
	bool attention;    /* leave the executor after this instruction: interrupts, context */
	bool yield;        /* pause, or stalled for a frame: nothing more in this slice */
	bool waiting;      /* stalled for a frame: wait for the boundary */
	uint8_t priv;
	uint8_t rm[8]; /* rounding mode by instruction field; [7] is frm; above 4: reserved */
	uint32_t fflags;
	unsigned stuck;       /* exceptions in a row at the trap handler's own first instruction */
	uint64_t reserved_va; /* LR's reservation; UINT64_MAX: none */

	uint64_t mstatus, mie, mip, medeleg, mideleg;
	uint64_t mtvec, mepc, mcause, mtval, mscratch, mcounteren, menvcfg, mcountinhibit;
	uint64_t stvec, sepc, scause, stval, sscratch, scounteren, senvcfg, satp;
	uint64_t stimecmp, mtimecmp;
	int64_t cycle_offset, instret_offset; /* mcycle and minstret are writable */
	uint32_t ext_lines;                   /* SEIP and MEIP as the PLIC drives them */
	uint8_t pmpcfg[PMP_COUNT];
	uint64_t pmpaddr[PMP_COUNT];
	unsigned pmp_active; /* entries that are not OFF */

	struct vcpu *vcpu;
	uint64_t fetch_page; /* of cpu->code, that whose code is executed, or FETCH_NONE */
	uint64_t fetch_ma;
	struct memsys_cpu *model; /* caches of the CPU it runs on; NULL in functional fidelity */
	uint8_t *ram;             /* host address of machine address 0 */
	struct vm *vm;
	struct sim_vm *evm;
	unsigned hart;
	unsigned node; /* of the CPU it runs on */
	bool picked;   /* the scheduler gave it a CPU for this quantum */
	bool queued;   /* waits in a CPU's queue */
	bool placed;   /* is the current one of its CPU */
	uint64_t queued_at;
	uint64_t traps; /* taken in all */
	uint64_t sbi_calls;

	/* The books (mode.c); `account` is right as of `since`, when also these were noted: */
	uint64_t since, monitor_since, retired_since;
	bool idled;           /* time that passes before it runs again is idle time */
	uint64_t exit_cycles; /* to enter and leave the monitor, where the mode says so */
	uint64_t enters;      /* bit per event: it enters the monitor, because of the mode */
	enum mode mode;
	struct l2tlb_entry *l2tlb; /* mode trap: the machine's l2tlb_entries; NULL: none */
	uint64_t l2tlb_generation; /* entries of earlier ones are gone */
	struct account account;

	/* The services of the guest's kernel (service.c). */
	uint64_t task;                    /* of the kernel, when it last ran */
	uint32_t serving;                 /* its open service; 0: none */
	uint64_t parts_at[SERVICE_PARTS]; /* running totals when time was last attributed */
	uint64_t user_half_refills;       /* cycles for TLB misses of the kernel in user memory */

	unsigned tlb_used;       /* bit per memory context with entries */
	uint64_t big_lo, big_hi; /* all superpages in the TLB lie in [lo, hi) */
	uint64_t exec_pages[64]; /* Bloom filter of code pages translated in this address space */
	struct fetch_entry fetch[FETCH_ENTRIES];
	struct code_entry code[FETCH_ENTRIES];
	uint64_t table_tag[TABLE_ENTRIES];
	struct table_entry table[TABLE_ENTRIES];
	struct tlb_entry tlbs[TLB_CONTEXTS][TLB_ENTRIES];
	struct jump_entry jump[JUMP_ENTRIES];
};

/* ---- mmu.c */

/* Result of a slow access: 0, or LEAVE when the instruction did not complete (a trap was taken, or
 * the VM must wait for a frame): the executor must not go on with this instruction. */
enum { DONE = 0, LEAVE = 1 };

int mem_load(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t *value);
int mem_store(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t value);
/* Host address for an atomic access of naturally aligned `size` bytes in RAM, writable when asked.
 */
int mem_atomic(struct sim_vcpu *cpu, uint64_t va, unsigned size, bool write, void **host);
/* Physical address of the instruction at va, or LEAVE after a fetch exception. */
int mem_fetch_pa(struct sim_vcpu *cpu, uint64_t va, uint64_t *pa);
/* Enter the page of code at va into cpu->code for the model, or LEAVE after a fetch exception. */
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

/* ---- trap.c */

/* Take an exception at cpu->pc. */
void trap_exception(struct sim_vcpu *cpu, enum cause cause, uint64_t tval);
/* Take the highest pending enabled interrupt, if any; true when one was taken. */
bool trap_interrupt(struct sim_vcpu *cpu);
/* Some interrupt is pending and enabled in mie (whatever the privilege): what ends WFI. */
bool trap_pending(const struct sim_vcpu *cpu);
void trap_mret(struct sim_vcpu *cpu);
void trap_sret(struct sim_vcpu *cpu);
/* Recompute timer pending bits at cpu->now and cpu->timer_at. */
void timer_update(struct sim_vcpu *cpu);

/* ---- csr.c */

enum csr_op { CSR_WRITE, CSR_SET, CSR_CLEAR };
/*
 * Execute a CSR instruction: *old gets the value before. do_read: rd is not x0 (or not CSRRW);
 * do_write: as the specification says for x0/zero immediates. false: illegal instruction.
 */
bool csr_access(struct sim_vcpu *cpu, unsigned csr, enum csr_op op, uint64_t operand, bool do_read,
	bool do_write, uint64_t *old);
const char *csr_name(unsigned csr); /* NULL if unknown */
void csr_reset(struct sim_vcpu *cpu);
uint64_t cpu_time(const struct sim_vcpu *cpu); /* the time CSR */

/* ---- sbi.c */

/* The guest's S-mode called its M-mode: us. pc is already past the ecall. */
void sbi_call(struct sim_vcpu *cpu);

/* ---- exec.c */

/* Run blocks until cpu->now reaches cpu->stop, or attention or yield is set. */
void exec_run(struct sim_vcpu *cpu);

/* ---- sched.c */

struct sched;
struct sched *sched_create(struct cluster *c);
void sched_destroy(struct sched *s);
/* Decide who runs in [now, now + quantum): sets picked, node and vcpu->cpu of every vCPU. Boundary.
 */
void sched_pick(struct sched *s);

/* Does this vCPU want a CPU before machine time `end`? */
bool cpu_wants(const struct sim_vcpu *cpu, uint64_t end);

/* ---- numa.c */

struct placement_ops;
extern const struct placement_ops numa_placement_ops;

/* The guest executed a marker: remember it for the boundary, and go no further in this quantum. */
void vm_mark(struct sim_vcpu *cpu, int value);
/* The vCPU came to another CPU, or the fidelity changed: it has that CPU's caches and an empty TLB.
 */
void cpu_attach_model(struct sim_vcpu *cpu);
/* At a boundary, in this order around a quantum: follow markers and the wanted fidelity; the CPUs
 * have been dealt out; the quantum is over (what was put off happens, hot pages move). */
void numa_follow(struct cluster *c);
void numa_quantum(struct cluster *c);
void numa_boundary(struct cluster *c, uint64_t elapsed);
/* The run is over: a region of interest still open ends here. */
void numa_end(struct cluster *c);

/* ---- mode.c: by the owner thread */

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
/* Tell the memory system, which exists, whose the tables are. Boundary. */
void mode_own_tables(const struct vm *vm);
uint64_t mode_overhead_bytes(const struct vm *vm);
/* engine->vcpu_account. */
void sim_vcpu_account(const struct vcpu *vcpu, struct account *out);

/* ---- service.c: by the owner thread */

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
/* A TLB miss at va took so long. */
void service_refill(struct sim_vcpu *cpu, uint64_t va, uint64_t cycles);

void service_init(struct sim_vm *evm);
void service_free(struct sim_vm *evm);
uint64_t service_overhead_bytes(const struct sim_vm *evm);

/* ---- check.c */

/* engine->check. */
void sim_check(const struct cluster *c);

/* ---- sim.c */

/* Wake an idle hart if an interrupt is pending for it. */
void cpu_wake(struct sim_vcpu *cpu);

#endif
