// SPDX-License-Identifier: MIT
/*
 * The state of the simulated RV64GC CPU; what each part of the engine does with it stands in the
 * part's own header. One struct is one hart; all harts of a VM are executed by one host thread at a
 * time, which alternates between them in slices. That is why nothing here is atomic, and why LR/SC
 * needs no bookkeeping: a reservation cannot be broken within a slice, and is dropped at the start
 * of the next one.
 *
 * From the ground up; a file calls only those above it in this list:
 *
 *   insn.def   one row an instruction: encoding, operands, meaning (decode.c, exec.c, disasm.c)
 *   mode.c     ways of virtualizing, what they cost, where time goes
 *   mmu.c      translation, PMP, soft TLB, slow loads and stores
 *   code.c     decoded blocks, kept by (virtual, physical) address
 *   service.c  what the guest's kernel does for its programs, and how long it takes
 *   trap.c     exceptions, interrupts, returns, timers
 *   csr.c      control registers
 *   sbi.c      the monitor's M-mode
 *   numa.c     the memory-system model and page placement
 *   exec.c     runs blocks, and raises the exceptions that memory left pending
 *   sched.c    which vCPU runs on which CPU
 *   virt.c     the board
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
	bool suspended;    /* idle by the SBI's hart_suspend, not by wfi */
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
	unsigned pmp_active; /* entries of PMP that are not OFF */
	uint64_t pmpaddr[PMP_COUNT];
	/* The exception that a failed access left (mmu.h), until it is raised. */
	uint64_t fault_tval;

	struct vcpu *vcpu;
	uint64_t fetch_page; /* of cpu->code, that whose code is executed, or FETCH_NONE */
	uint64_t fetch_ma;
	struct memsys_cpu *model; /* caches of the CPU it runs on; NULL in functional fidelity */
	uint8_t *ram;             /* host address of machine address 0 */
	struct vm *vm;
	struct sim_vm *evm;
	unsigned hart;
	unsigned node;       /* of the CPU it runs on */
	bool picked;         /* the scheduler gave it a CPU for this quantum */
	bool queued;         /* waits in a CPU's queue */
	bool placed;         /* is the current one of its CPU */
	uint8_t fault_cause; /* 0: none pending. (No access leaves CAUSE_FETCH_MISALIGNED.) */
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

enum { CODE_PRESENT = 1, CODE_DIRTY = 2 };

struct sim_vm {
	uint8_t *arena;
	size_t arena_used;
	struct block **hash;
	uint32_t *page_blocks; /* by ppn: the first block decoded from this page, as arena offset +
				  1 */
	uint8_t *page_code;    /* by ppn: CODE_* */
	uint32_t dirty[256];
	unsigned n_dirty;        /* > 256: too many to list */
	struct sim_vcpu *acting; /* the hart that is being executed; NULL at the boundary */
	bool model;          /* blocks are decoded for the executor with the memory-system model */
	uint64_t generation; /* the last given to any hart of this VM */
	uint64_t flushes;    /* of the whole arena */
	uint64_t decoded;    /* instructions */
	uint32_t *table;     /* frames of the monitor's tables (mode.c), vm->n_tables of them; */
	uint32_t level[3];   /* mode nested: where those of each level begin */
	struct service_trace *trace; /* of service.c */
};

#endif
