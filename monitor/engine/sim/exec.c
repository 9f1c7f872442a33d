// SPDX-License-Identifier: MIT
/*
 * The block executor: threaded code. Each decoded operation names the label that executes it, each
 * label ends with a jump to the next one's, and blocks follow each other by links, so that in the
 * steady state nothing but guest work is done between two slow events. The meanings come from
 * insn.def; this file says what their words (RD, LOAD, FOLLOW ...) are.
 *
 * Time: on entering a block all its instructions are taken from `budget`; an exit in the middle
 * gives back those not executed. While blocks run, machine time is stop - budget.
 *
 * LOAD and STORE are the seam for a memory-system model: a second inclusion of insn.def with
 * other definitions of these two (and of the block entry, for instruction fetch) is a CPU with
 * caches.
 */
#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/csr.h"
#include "monitor/engine/sim/exec.h"
#include "monitor/engine/sim/fastfloat.h"
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/numa.h"
#include "monitor/engine/sim/sbi.h"
#include "monitor/engine/sim/trap.h"

static int64_t div64(int64_t a, int64_t b)
{
	if (!b)
		return -1;
	return a == INT64_MIN && b == -1 ? a : a / b;
}

static int64_t rem64(int64_t a, int64_t b)
{
	if (!b)
		return a;
	return a == INT64_MIN && b == -1 ? 0 : a % b;
}

static uint64_t rotate_right64(uint64_t v, uint64_t n)
{
	return v >> (n & 63) | v << (-n & 63);
}

static uint32_t rotate_right32(uint32_t v, uint64_t n)
{
	return v >> (n & 31) | v << (-n & 31);
}

static uint64_t or_combine_bytes(uint64_t v)
{
	v |= (v & 0xfefefefefefefefeull) >> 1 | (v & 0x7f7f7f7f7f7f7f7full) << 1;
	v |= (v & 0xfcfcfcfcfcfcfcfcull) >> 2 | (v & 0x3f3f3f3f3f3f3f3full) << 2;
	v |= (v & 0xf0f0f0f0f0f0f0f0ull) >> 4 | (v & 0x0f0f0f0f0f0f0f0full) << 4;
	return v;
}

/* The instruction word at this point of a block, for mtval: what the guest's memory holds now. */
static uint32_t insn_word(struct sim_vcpu *cpu, const struct block *b, const struct op *op)
{
	uint64_t pa = b->pa + op->off * 2ul, pa2 = pa + 2;
	uint16_t low = 0, high = 0;

	mem_code16(cpu, pa, &low);
	if ((low & 3) != 3)
		return low;
	if ((pa2 & (PAGE_SIZE - 1)) == 0 && mem_fetch_pa(cpu, b->va + op->off * 2ul + 2, &pa2)) {
		cpu->fault_cause =
			0; /* the instruction was fetched before: only its text is lost */
		return low;
	}
	mem_code16(cpu, pa2, &high);
	return low | (uint32_t)high << 16;
}

/* ---- the words of insn.def */

#define RD           cpu->x[op->rd]
#define RS1          cpu->x[op->rs1]
#define RS2          cpu->x[op->rs2]
#define IMM          ((int64_t)op->imm)
#define SEXT32(v)    ((uint64_t)(int64_t)(int32_t)(v))
#define PC           (b->va + op->off * 2u)
#define BLOCK_END    (b->va + b->bytes)

#define FRD          cpu->f[op->rd]
#define FRS1         cpu->f[op->rs1]
#define FRS2         cpu->f[op->rs2]
#define FRS3         cpu->f[op->imm >> 8]
#define FLAGS        (&cpu->fflags)
#define UNBOX(v)     ((v) >= 0xffffffff00000000ull ? (uint32_t)(v) : F32_CANONICAL_NAN)
#define S1           UNBOX(FRS1)
#define S2           UNBOX(FRS2)
#define S3           UNBOX(FRS3)
#define D1           FRS1
#define D2           FRS2
#define D3           FRS3
#define SET_S(value) FRD = 0xffffffff00000000ull | (uint32_t)(value)
#define SET_D(value) FRD = (value)
#define FP_DIRTY     cpu->mstatus |= MSTATUS_FS
#define FP_READ                                                                                    \
	if (unlikely(!(cpu->mstatus & MSTATUS_FS)))                                                \
	goto illegal
#define FP_ON                                                                                      \
	FP_READ;                                                                                   \
	FP_DIRTY
#define RM                                                                                         \
	int rm = cpu->rm[op->imm & 7];                                                             \
	if (unlikely(rm > 4))                                                                      \
	goto illegal

#define INDEX      (op - b->op)
#define UNEXECUTED (b->n - INDEX)
/* Before code outside the executor reads the CPU: pc and now become those of this instruction. */
#define SYNC                                                                                       \
	do {                                                                                       \
		cpu->pc = PC;                                                                      \
		cpu->now = cpu->stop - (budget + UNEXECUTED);                                      \
	} while (0)

#define NEXT                                                                                       \
	do {                                                                                       \
		op++;                                                                              \
		goto * op->run;                                                                    \
	} while (0)

#define FOLLOW(i, target)                                                                          \
	do {                                                                                       \
		struct link *l = &b->link[i];                                                      \
		if (likely(!((l->context ^ cpu->context) & l->mask)))                              \
			ENTER(l->to);                                                              \
		cpu->pc = (target);                                                                \
		link = l;                                                                          \
		goto resolve;                                                                      \
	} while (0)

#define BRANCH(condition)                                                                          \
	if (condition)                                                                             \
		FOLLOW(0, PC + IMM);                                                               \
	FOLLOW(1, BLOCK_END)

#define JUMP(target)                                                                               \
	do {                                                                                       \
		const struct jump_entry *j = &cpu->jump[(target) >> 1 & (JUMP_ENTRIES - 1)];       \
		if (likely(j->pc == (target) && j->context == cpu->context))                       \
			ENTER(j->block);                                                           \
		cpu->pc = (target);                                                                \
		goto dispatch;                                                                     \
	} while (0)

#define TRAP(c, value)                                                                             \
	do {                                                                                       \
		trap_cause = (c);                                                                  \
		trap_value = (value);                                                              \
		goto trap;                                                                         \
	} while (0)

#define TLB_ENTRY(va) (&cpu->tlb[(va) >> PAGE_SHIFT & (TLB_ENTRIES - 1)])
#define TAG(va, size) ((va) & ~(uint64_t)((PAGE_SIZE - 1) & ~((size)-1)))

#define LOAD_RESERVED(T)                                                                           \
	ATOMIC(T, read_tag, false);                                                                \
	cpu->reserved_va = va;                                                                     \
	RD = (uint64_t)(int64_t)*p

#define STORE_CONDITIONAL(T)                                                                       \
	bool holds = cpu->reserved_va == RS1;                                                      \
	cpu->reserved_va = UINT64_MAX;                                                             \
	if (holds) {                                                                               \
		ATOMIC(T, write_tag, true);                                                        \
		*p = (T)RS2;                                                                       \
	}                                                                                          \
	RD = !holds

#define CSR(operation, operand, reads, writes)                                                     \
	uint64_t old;                                                                              \
	SYNC;                                                                                      \
	if (!csr_access(cpu, op->imm, operation, operand, reads, writes, &old))                    \
		goto illegal;                                                                      \
	RD = old;                                                                                  \
	if (cpu->attention)                                                                        \
	goto after_op

#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wgnu-label-as-value"
#endif

#define MODEL   0
#define EXECUTE execute_functional
#include "monitor/engine/sim/exec-loop.h"

#define MODEL   1
#define EXECUTE execute_numa
#include "monitor/engine/sim/exec-loop.h"

#pragma GCC diagnostic pop

__attribute__((constructor)) static void publish_labels(void)
{
	execute_functional(NULL);
	execute_numa(NULL);
}

void exec_run(struct sim_vcpu *cpu)
{
	if (cpu->model)
		execute_numa(cpu);
	else
		execute_functional(cpu);
}
