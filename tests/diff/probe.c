// SPDX-License-Identifier: MIT
// Executing one instruction in a chosen mode under chosen translation and status bits. The way
// back is always a trap: the one the instruction takes, or that of the ecall behind it; a delegated
// trap comes back through the S-mode handler's ecall. So medeleg must not delegate that ecall.
#include "items.h"
#include "asm.h"
#include "isa.h"
#include "runtime.h"

#define MSTATUS_VARIED 0x7e19aaull // TSR TW TVM MXR SUM MPRV, MPP, SPP, xPIE, xIE

void emit_probe(const struct probe *p)
{
	uint64_t mstatus = p->mstatus, resume, stub;

	resume = resume_at();
	li(T0, p->medeleg & ~(1ull << 9));
	csrw(CSR_MEDELEG, T0);
	li(T0, p->satp);
	csrw(CSR_SATP, T0);
	if (!p->keep_tlb)
		emit32(OP_SFENCE);
	li(T0, MSTATUS_VARIED);
	csrc(CSR_MSTATUS, T0);
	li(A0, p->va);
	li(A1, p->value);
	li(A2, 0);
	if (p->mode == 3) {
		if (p->mpp >= 0)
			mstatus |= 1ull << 17 | (uint64_t)p->mpp << 11;
		li(T0, mstatus);
		csrs(CSR_MSTATUS, T0);
	} else {
		li(T0, mstatus | (uint64_t)p->mode << 11);
		csrs(CSR_MSTATUS, T0);
		stub = forward_la(T0);
		if (p->code_offset) {
			li(T1, p->code_offset);
			emit32(enc_r(0x33, T0, T0, T1));
		}
		csrw(CSR_MEPC, T0);
		addi(T0, T0, 4);
		if (p->set_sepc)
			csrw(CSR_SEPC, T0);
		emit32(OP_MRET);
		land_la(stub);
	}
	emit32(p->insn ? p->insn : enc_i(0x67, X0, A0, 0));
	emit32(OP_ECALL);
	land_la(resume);
}

uint32_t random_access(bool store)
{
	const struct insn *in = insn_pick(!store || chance(40) ? LOAD : chance(70) ? STORE : AMO);

	if (chance(8))
		in = insn_pick(LR);
	if (in->class == STORE)
		return enc_s(in->match, A0, A1, 0);
	if (in->class == AMO)
		return enc_r(in->match, A2, A0, A1);
	return enc_i(in->match, A2, A0, 0);
}
