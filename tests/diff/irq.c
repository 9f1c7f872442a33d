// SPDX-License-Identifier: MIT
// Items of interrupts. Sources are made pending while nothing is enabled, so when they are taken
// does not depend on timing: what is compared is which are taken, in what order, where to, with
// which mepc, through which vector. Whatever comes through a device or a comparator is waited for.
#include "items.h"
#include "asm.h"
#include "runtime.h"

#define MSIP_AT     0x02000000ull
#define MTIMECMP_AT 0x02004000ull
#define MTIME_AT    0x0200bff8ull

enum { SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11 };

static void wait_mip(int bit, bool set)
{
	uint64_t loop = here();

	csrr(T0, CSR_MIP);
	emit32(enc_i(0x7013, T0, T0, 1 << bit)); // andi: bits up to 10 only
	emit32(enc_b(set ? OP_BEQ : OP_BNE, T0, X0, (int32_t)(loop - here())));
}

static void store_device(uint64_t at, uint64_t value, bool dword)
{
	li(T0, at);
	li(T1, value);
	emit32(enc_s(dword ? 0x3023 : 0x2023, T0, T1, 0));
}

static void raise_sources(uint32_t pending, bool by_stimecmp)
{
	if (pending & 1 << MSI) {
		store_device(MSIP_AT, 1, false);
		wait_mip(MSI, true);
	}
	if (pending & 1 << MTI) {
		store_device(MTIMECMP_AT, 0, true);
		wait_mip(MTI, true);
	}
	if (by_stimecmp) {
		li(T0, 1ull << 63); // menvcfg.STCE
		csrw(CSR_MENVCFG, T0);
		if (pending & 1 << STI) {
			csrw(CSR_STIMECMP, X0);
			wait_mip(STI, true);
		}
	}
	li(T0, pending & (1 << SSI | 1 << SEI | (by_stimecmp ? 0 : 1 << STI)));
	csrw(CSR_MIP, T0);
}

static void drop_sources(void)
{
	store_device(MSIP_AT, 0, false);
	store_device(MTIMECMP_AT, ~0ull, true);
	li(T0, ~0ull);
	csrw(CSR_STIMECMP, T0);
	wait_mip(MSI, false);
	wait_mip(MTI, false);
	csrr(T0, CSR_MENVCFG);
	uint64_t no_stce = forward_branch(OP_BGE, T0, X0);
	wait_mip(STI, false);
	land_branch(no_stce);
	csrw(CSR_MENVCFG, X0);
	csrw(CSR_MIP, X0);
	csrw(CSR_MIE, X0);
	csrw(CSR_MIDELEG, X0);
}

static void keep_mip(uint32_t csr)
{
	csrr(T1, csr);
	li(T0, 0xaaa);
	emit32(enc_r(0x7033, T1, T1, T0));
	record(T1, T0);
}

// Pending interrupts, then a way into a mode that lets some of them through.
static void taken_item(void)
{
	uint32_t pending = (uint32_t)rng() & 0x2aa, enabled = (uint32_t)rng() & 0xaaa;
	uint64_t resume, code;
	int mode = (int[]){0, 1, 1, 3}[pick(4)];

	emit32(OP_MIE_OFF);
	if (chance(40))
		enabled = 0xaaa;
	raise_sources(pending, chance(40));
	li(T0, rng() & 0x222);
	csrw(CSR_MIDELEG, T0);
	li(T0, enabled);
	csrw(CSR_MIE, T0);
	keep_mip(CSR_MIP);
	keep_mip(CSR_SIP);
	keep_mip(CSR_SIE);
	la(T0, chance(50) ? rt.m_direct : rt.m_vectored + 1);
	csrw(CSR_MTVEC, T0);
	la(T0, chance(50) ? rt.s_direct : rt.s_vectored + 1);
	csrw(CSR_STVEC, T0);
	li(T0, 0x19a2);
	csrc(CSR_MSTATUS, T0);
	li(T0, (uint64_t)pick(2) << 7 | (uint64_t)pick(2) << 1);
	csrs(CSR_MSTATUS, T0);
	if (mode == 3) {
		emit32(0x30046073); // csrsi mstatus, 8
		addi(A2, A2, 1);
		if (chance(50)) { // let something more through
			li(T0, 0xaaa);
			csrs(CSR_MIE, T0);
			addi(A2, A2, 1);
			csrw(CSR_MIDELEG, X0);
			addi(A2, A2, 1);
		}
		emit32(OP_MIE_OFF);
	} else {
		resume = resume_at();
		li(T0, (uint64_t)mode << 11);
		csrs(CSR_MSTATUS, T0);
		code = forward_la(T0);
		csrw(CSR_MEPC, T0);
		emit32(OP_MRET);
		land_la(code);
		addi(A2, A2, 1);
		if (mode == 1 && chance(50)) {
			emit32(0x10016073); // csrsi sstatus, 2
			addi(A2, A2, 1);
			csrs(CSR_SIP, A3); // A3: as the last item left it
			addi(A2, A2, 1);
			if (chance(50)) {
				emit32(enc_i(0x2073, X0, A2, CSR_SIE));
				addi(A2, A2, 1);
			}
		}
		emit32(OP_ECALL);
		land_la(resume);
	}
	drop_sources();
	la(T0, rt.m_direct);
	csrw(CSR_MTVEC, T0);
	la(T0, rt.s_direct);
	csrw(CSR_STVEC, T0);
	li(A3, rng());
}

// A timer a little ahead ends wfi, with the interrupt globally disabled.
static void wfi_item(void)
{
	emit32(OP_MIE_OFF);
	li(T0, 1 << MTI);
	csrw(CSR_MIE, T0);
	li(T0, MTIME_AT);
	ld(T1, T0, 0);
	addi(T1, T1, 100 + (int)pick(1000));
	li(T0, MTIMECMP_AT);
	sd(T1, T0, 0);
	emit32(OP_WFI);
	wait_mip(MTI, true);
	addi(A2, X0, 77);
	addi(T1, X0, 0);
	drop_sources();
}

void irq_item(void)
{
	if (chance(95))
		taken_item();
	else
		wfi_item();
}
