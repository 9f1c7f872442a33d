// SPDX-License-Identifier: MIT
/*
 * The body of the executor, included twice by exec.c: without the memory-system model (functional
 * fidelity: an instruction takes a cycle and memory is free) and with it (MODEL: every fetch, load
 * and store is shown to the caches of the CPU the hart runs on, and what it stalls is time that
 * passes). The two differ in TOUCH and in what entering a block does; nothing else.
 */

#if MODEL
/* A data access the soft TLB answered: find out what it stalls. */
#define TOUCH(pointer, is_write)                                                                   \
	do {                                                                                       \
		unsigned stall = memsys_data(                                                      \
			cpu->model, (uint64_t)((const uint8_t *)(pointer)-cpu->ram), is_write);    \
		if (unlikely(stall)) {                                                             \
			budget -= stall;                                                           \
			cpu->skew += stall;                                                        \
		}                                                                                  \
	} while (0)
/* Fetch the lines of a block, in the frame its page has on this node. Mostly that is one line, of
 * the page of the block before; the rest is done in one place. */
#define FETCH                                                                                      \
	do {                                                                                       \
		uint64_t off = b->va - cpu->fetch_page, ma = cpu->fetch_ma + off;                  \
		if (unlikely(off >= PAGE_SIZE))                                                    \
			goto fetch_page;                                                           \
		if (unlikely(!memsys_fetch_hit(cpu->model, ma, ma + b->span)))                     \
			goto fetch_lines;                                                          \
	} while (0)
#else
#define TOUCH(pointer, is_write) (void)(pointer)
#define FETCH                    (void)0
#endif

#define ENTER(block)                                                                               \
	do {                                                                                       \
		b = (block);                                                                       \
		if (unlikely(budget <= 0))                                                         \
			goto out_of_time;                                                          \
		FETCH;                                                                             \
		BEGIN;                                                                             \
	} while (0)
#define BEGIN                                                                                      \
	do {                                                                                       \
		budget -= b->n;                                                                    \
		op = b->op;                                                                        \
		goto * op->run;                                                                    \
	} while (0)

#define LOAD(T, assign)                                                                            \
	do {                                                                                       \
		uint64_t va = RS1 + IMM, slow;                                                     \
		const struct tlb_entry *e = TLB_ENTRY(va);                                         \
		if (likely(e->read_tag == TAG(va, sizeof(T)))) {                                   \
			const T *p = (const T *)(va + e->addend);                                  \
			T v = *p;                                                                  \
			TOUCH(p, false);                                                           \
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
			T *p = (T *)(va + e->addend);                                              \
			*p = (T)(value);                                                           \
			TOUCH(p, true);                                                            \
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
	if (likely(e->tag == TAG(va, sizeof(T)))) {                                                \
		TOUCH(host, write);                                                                \
	} else {                                                                                   \
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

/* cpu == NULL: only publish the labels. */
static void EXECUTE(struct sim_vcpu *cpu)
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
			exec_label[MODEL][i] = label[i];
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
		goto fault;
	ENTER(next);

resolve: /* find the block at cpu->pc and remember it in `link`, unless something was dropped
	    meanwhile */
	cpu->now = cpu->stop - budget;
	flushes = cpu->evm->flushes;
	if (!b->kept)
		goto dispatch;
	next = code_lookup(cpu);
	if (unlikely(!next))
		goto fault;
	if (likely(next->kept && flushes == cpu->evm->flushes)) {
		bool same_page = ((next->pa ^ b->pa) | (next->va ^ b->va)) < PAGE_SIZE;

		*link = (struct link){next, cpu->context, same_page ? 0 : UINT64_MAX};
	}
	ENTER(next);

after_op: /* the instruction is done, but something wants attention before the next one */
	cpu->pc = b->va + op[1].off * 2u;
	budget += UNEXECUTED - 1;
	goto dispatch;

#if MODEL
fetch_page: /* b, which was not begun, lies in another page than the last: find that */
	if (!code_page(cpu, b->va)) {
		cpu->pc = b->va;
		cpu->now = cpu->stop - budget;
		if (mem_fetch_model(cpu, b->va) == LEAVE)
			goto fault;
		ENTER(b);
	}
fetch_lines : {
	uint64_t ma = cpu->fetch_ma + (b->va - cpu->fetch_page), last = ma + b->span;
	unsigned shift = cpu->model->l1i.shift, stall = 0;

	for (uint64_t line = ma >> shift; line <= last >> shift; line++)
		stall += memsys_fetch(cpu->model, line << shift);
	budget -= stall;
	cpu->skew += stall;
	BEGIN;
}
#endif

left: /* the instruction was not done: it raises an exception, or has to be repeated later */
	budget += UNEXECUTED;
fault:
	trap_fault(cpu);
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
	cpu->now = cpu->stop - budget; /* the books change with it done */
	mode_event(cpu, EVENT_SRET);
	trap_sret(cpu);
	goto dispatch;
mret:
	if (cpu->priv != PRIV_M)
		goto illegal;
	cpu->now = cpu->stop - budget;
	mode_event(cpu, EVENT_MRET);
	trap_mret(cpu);
	goto dispatch;
wfi:
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TW)))
		goto illegal;
	cpu->pc = BLOCK_END;
	mode_event(cpu, EVENT_WFI);
	if (!trap_pending(cpu)) {
		cpu->vcpu->state = VCPU_IDLE;
		cpu->yield = true;
	}
	goto dispatch;
sfence_vma:
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TVM)))
		goto illegal;
	cpu->pc = BLOCK_END;
	mode_event(cpu, EVENT_SFENCE);
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

#undef TOUCH
#undef FETCH
#undef ENTER
#undef BEGIN
#undef LOAD
#undef STORE
#undef ATOMIC
#undef AMO
#undef EXECUTE
#undef MODEL
