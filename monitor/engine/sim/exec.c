// SPDX-License-Identifier: MIT
/*
 * The block executor: threaded code. Each decoded operation names the label that executes it, each
 * label ends with a jump to the next one's, and blocks follow each other by links, so that in the
 * steady state nothing but guest work is done between two slow events. The meanings come from
 * insn.def; this file says what their words (RD, LOAD, FOLLOW ...) are.
 *
 * Time: on entering a block all its instructions are taken from `budget`; whoever leaves in the
 * middle gives back what was not executed. While blocks run, machine time is stop - budget.
 *
 * LOAD and STORE are the seam for a memory-system model: a second inclusion of insn.def with
 * other definitions of these two (and of the block entry, for instruction fetch) is a CPU with
 * caches.
 */
#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/fastfloat.h"

const void *exec_label[INSN_COUNT];

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
static uint32_t insn_word(struct engine_vcpu *cpu, const struct block *b, const struct op *op)
{
	uint64_t pa = b->pa + op->off * 2u, pa2 = pa + 2;
	uint16_t low = 0, high = 0;

	mem_code16(cpu, pa, &low);
	if ((low & 3) != 3)
		return low;
	if ((pa2 & (PAGE_SIZE - 1)) == 0 && mem_fetch_pa(cpu, b->va + op->off * 2u + 2, &pa2))
		return low;
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
/* Before anything that looks at the CPU from outside: pc and now as of this instruction. */
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

#define ENTER(block)                                                                               \
	do {                                                                                       \
		b = (block);                                                                       \
		if (unlikely(budget <= 0))                                                         \
			goto out_of_time;                                                          \
		budget -= b->n;                                                                    \
		op = b->op;                                                                        \
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

#define LOAD(T, assign)                                                                            \
	do {                                                                                       \
		uint64_t va = RS1 + IMM, slow;                                                     \
		const struct tlb_entry *e = TLB_ENTRY(va);                                         \
		if (likely(e->read_tag == TAG(va, sizeof(T)))) {                                   \
			T v = *(const T *)(va + e->addend);                                        \
			assign;                                                                    \
			NEXT;                                                                      \
		}                                                                                  \
		SYNC;                                                                              \
		if (mem_load(cpu, va, sizeof(T), &slow))                                           \
			goto left;                                                                 \
		T v = (T)slow;                                                                     \
		assign;                                                                            \
		if (cpu->attention)                                                                \
			goto after_op;                                                             \
	} while (0)

#define STORE(T, value)                                                                            \
	do {                                                                                       \
		uint64_t va = RS1 + IMM;                                                           \
		const struct tlb_entry *e = TLB_ENTRY(va);                                         \
		if (likely(e->write_tag == TAG(va, sizeof(T)))) {                                  \
			*(T *)(va + e->addend) = (T)(value);                                       \
			NEXT;                                                                      \
		}                                                                                  \
		SYNC;                                                                              \
		if (mem_store(cpu, va, sizeof(T), (value)))                                        \
			goto left;                                                                 \
		if (cpu->attention)                                                                \
			goto after_op;                                                             \
	} while (0)

#define ATOMIC(T, tag, write)                                                                      \
	uint64_t va = RS1;                                                                         \
	const struct tlb_entry *e = TLB_ENTRY(va);                                                 \
	void *host = (void *)(va + e->addend);                                                     \
	if (unlikely(e->tag != TAG(va, sizeof(T)))) {                                              \
		SYNC;                                                                              \
		if (mem_atomic(cpu, va, sizeof(T), write, &host))                                  \
			goto left;                                                                 \
	}                                                                                          \
	T *p = host

#define AMO(T, result)                                                                             \
	ATOMIC(T, write_tag, true);                                                                \
	T src = (T)RS2, old = *p;                                                                  \
	*p = (T)(result);                                                                          \
	RD = (uint64_t)(int64_t)old

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

/* cpu == NULL: only publish the labels. */
static void execute(struct engine_vcpu *cpu)
{
	static const void *const label[INSN_COUNT] = {
#define INSN(id, ...) [I_##id] = &&op_##id,
#include "monitor/engine/sim/insn.def"
#undef INSN
	};
	struct block *b, *next;
	struct op *op;
	struct link *link;
	int64_t budget;
	enum cause trap_cause;
	uint64_t trap_value, flushes;

	if (!cpu) {
		for (unsigned i = 0; i < INSN_COUNT; i++)
			exec_label[i] = label[i];
		return;
	}
	budget = (int64_t)(cpu->stop - cpu->now);

dispatch: /* go on at cpu->pc, if we may */
	budget -= cpu->charge;
	cpu->skew += cpu->charge;
	cpu->charge = 0;
	if (unlikely(cpu->attention || cpu->yield || budget <= 0))
		goto leave;
	cpu->now = cpu->stop - budget;
	next = code_lookup(cpu);
	if (unlikely(!next))
		goto dispatch;
	ENTER(next);

resolve: /* find the block at cpu->pc and remember it in `link`, unless something was dropped
	    meanwhile */
	cpu->now = cpu->stop - budget;
	flushes = cpu->evm->flushes;
	if (!b->kept)
		goto dispatch;
	next = code_lookup(cpu);
	if (unlikely(!next))
		goto dispatch;
	if (likely(next->kept && flushes == cpu->evm->flushes)) {
		bool same_page = ((next->pa ^ b->pa) | (next->va ^ b->va)) < PAGE_SIZE;

		*link = (struct link){next, cpu->context, same_page ? 0 : UINT64_MAX};
	}
	ENTER(next);

after_op: /* the instruction is done, but something wants attention before the next one */
	cpu->pc = b->va + op[1].off * 2u;
	budget += UNEXECUTED - 1;
	goto dispatch;

left: /* the instruction was not done: a trap was taken, or it has to be repeated later */
	budget += UNEXECUTED;
	goto dispatch;

illegal:
	trap_cause = CAUSE_ILLEGAL;
	trap_value = insn_word(cpu, b, op);
trap:
	SYNC;
	budget += UNEXECUTED;
	trap_exception(cpu, trap_cause, trap_value);
	goto dispatch;

out_of_time: /* b was not begun */
	cpu->pc = b->va;
leave:
	cpu->now = cpu->stop - budget;
	return;

	/* System instructions: the last of their block. */
ecall:
	if (cpu->priv != PRIV_S || cpu->vm->bios)
		TRAP(CAUSE_ECALL_U + cpu->priv, 0);
	SYNC;
	cpu->pc = BLOCK_END;
	sbi_call(cpu);
	goto dispatch;
sret:
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TSR)))
		goto illegal;
	trap_sret(cpu);
	goto dispatch;
mret:
	if (cpu->priv != PRIV_M)
		goto illegal;
	trap_mret(cpu);
	goto dispatch;
wfi:
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TW)))
		goto illegal;
	cpu->pc = BLOCK_END;
	if (!trap_pending(cpu)) {
		cpu->vcpu->state = VCPU_IDLE;
		cpu->yield = true;
	}
	goto dispatch;
sfence_vma:
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TVM)))
		goto illegal;
	cpu->pc = BLOCK_END;
	if (op->rs1)
		tlb_flush_page(cpu, RS1);
	else
		tlb_flush(cpu);
	goto dispatch;
fence_i:
	cpu->pc = BLOCK_END;
	code_fence(cpu->evm, cpu->vm);
	goto dispatch;

#define INSN(id, text, m, k, fmt, ...)                                                             \
	op_##id:                                                                                   \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
		NEXT;                                                                              \
	}
#include "monitor/engine/sim/insn.def"
#undef INSN
}

#pragma GCC diagnostic pop

__attribute__((constructor)) static void publish_labels(void)
{
	execute(NULL);
}

void exec_run(struct engine_vcpu *cpu)
{
	execute(cpu);
}
