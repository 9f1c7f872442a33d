// SPDX-License-Identifier: MIT
// Items of the privileged architecture without translation: CSR reads and writes in each mode,
// counters and their enables, mret, sret, wfi, sfence.vma under TSR, TW and TVM, the FP unit's
// state. Where the specification lets implementations choose (WARL fields, see the table) the
// operand or the result is masked to what is settled.
#include "items.h"
#include "asm.h"
#include "isa.h"
#include "runtime.h"

#define ALL (~0ull)

// operand: bits a write may try to change; compare: bits of the result that are settled.
static const struct csr {
	uint32_t number;
	uint64_t operand, compare;
} csrs_rw[] = {
	// MPP = 2 is reserved; XLEN fields, XS and VS stay as they are
	{CSR_MSTATUS, 0x7e79aaull | 3ull << 36 | 0x40, ALL},
	{CSR_SSTATUS, 0x0c6122ull | 0x40, ALL},
	{CSR_MISA, ALL, 3ull << 62 | 0x14112d},
	{CSR_MEDELEG, ALL, 0xb3ff},
	{CSR_MIDELEG, ALL, 0x222},
	{CSR_MIE, ALL, 0xaaa},
	{CSR_SIE, ALL, 0x222},
	{CSR_MIP, ALL, 0xaaa},
	{CSR_SIP, ALL, 0x222},
	{CSR_MTVEC, 0x7ffffffd, ALL}, // modes 0 and 1
	{CSR_STVEC, 0x7ffffffd, ALL},
	{CSR_MCOUNTEREN, ALL, 7},
	{CSR_SCOUNTEREN, ALL, 7},
	{CSR_MCOUNTINHIBIT, ALL, 0},
	{CSR_MENVCFG, ALL, 1ull << 63 | 1},
	{CSR_SENVCFG, ALL, 1},
	{CSR_SSCRATCH, ALL, ALL},
	{CSR_MEPC, ~1ull, ALL}, // QEMU 7.2 keeps bit 0
	{CSR_SEPC, ~1ull, ALL},
	{CSR_MCAUSE, 1ull << 63 | 15, ALL}, // WLRL: codes that exist
	{CSR_SCAUSE, 1ull << 63 | 15, ALL},
	{CSR_MTVAL, ALL, ALL},
	{CSR_STVAL, ALL, ALL},
	{CSR_STIMECMP, ALL, ALL},
	{CSR_FFLAGS, ALL, ALL},
	{CSR_FRM, ALL, ALL},
	{CSR_FCSR, ALL, ALL},
};

static void masked_record(int reg, uint64_t mask)
{
	if (mask != ALL) {
		li(T0, mask);
		emit32(enc_r(0x7033, reg, reg, T0));
	}
	record(reg, T0);
}

// Write one CSR somehow, read it back, restore it.
static void csr_write_item(void)
{
	static const uint32_t ops[] = {0x1073, 0x2073, 0x3073, 0x5073, 0x6073, 0x7073};
	const struct csr *c = &csrs_rw[pick(sizeof csrs_rw / sizeof csrs_rw[0])];
	uint32_t op = ops[pick(6)];
	uint64_t v = (chance(50) ? int_corner() : rng()) & c->operand;

	if (op & 0x4000 && ((c->operand & 31) != 31))
		op &= ~0x4000u;
	if (c->number == CSR_MSTATUS && (v >> 11 & 3) == 2)
		v |= 0x1800;
	csrr(S0, c->number);
	li(S1, v);
	if ((op & 0x7000) == 0x1000 && c->operand != ALL) { // keep the other bits
		li(T0, ~c->operand);
		emit32(enc_r(0x7033, T0, T0, S0));
		emit32(enc_r(0x6033, S1, S1, T0));
	}
	if (c->number == CSR_MSTATUS && (op & 0x7000) != 0x1000) {
		// setting or clearing one bit of MPP could make the reserved value
		li(T0, ~0x1800ull);
		emit32(enc_r(0x7033, S1, S1, T0));
	}
	emit32(enc_i(op, S2, op & 0x4000 ? (int)pick(32) : S1, (int32_t)c->number));
	csrr(S3, c->number);
	csrw(c->number, S0);
	masked_record(S2, c->compare);
	masked_record(S3, c->compare);
	addi(S0, X0, 0);
}

static void satp_item(void)
{
	static const uint64_t modes[] = {0, 8, 9, 8, 9, 1, 5, 7, 11, 15};
	uint64_t mode = modes[pick(10)];

	li(S1, mode ? mode << 60 | (rng() & 0x0fffffffffffull) : 0);
	csrrw(S2, CSR_SATP, S1);
	csrr(S3, CSR_SATP);
	if (chance(50))
		csrw(CSR_SATP, X0);
	masked_record(S2, ALL);
	masked_record(S3, ALL);
}

// Whether a CSR exists and may be accessed, for any number, in M-mode. What it holds is not
// compared.
static void csr_exists_item(void)
{
	uint32_t number = pick(4096);

	if (chance(40)) // where most CSRs are
		number = (uint32_t[]){0x100, 0x140, 0x180, 0x300, 0x320, 0x340, 0x3a0, 0x3b0, 0x3c0,
				 0xb00, 0xb80, 0xc00, 0xc80, 0xf00, 0x5a0, 0x740, 0x7a0,
				 0x7b0}[pick(18)] +
			 pick(0x20);
	if ((number >= 0x3a4 && number < 0x3b0) || (number >= 0x3c0 && number < 0x3f0))
		number = CSR_PMPADDR0; // the PMP may have 16 or 64 entries
	if (number == 0x24d) // vstimecmp: QEMU 7.2 has it without the hypervisor extension
		number = CSR_STIMECMP;
	switch (pick(3)) {
	case 0:
		emit32(enc_i(0x2073, S2, X0, (int32_t)number)); // read
		break;
	case 1:
		emit32(enc_i(0x6073, S2, X0, (int32_t)number)); // csrrsi 0: read
		break;
	default: // write where that must fail
		emit32(enc_i(0x1073, S2, S3, (int32_t)(number | 0xc00)));
	}
	addi(S2, X0, 0);
}

// CSR access from S and U, with counters enabled at random.
static void csr_mode_item(void)
{
	static const uint16_t likely[] = {CSR_CYCLE, CSR_TIME, CSR_INSTRET, CSR_STIMECMP, CSR_SATP,
		CSR_SSTATUS, CSR_SIE, CSR_SIP, CSR_SSCRATCH, CSR_SEPC, CSR_STVAL, CSR_SCOUNTEREN,
		CSR_SENVCFG, CSR_MSTATUS, CSR_MISA, CSR_FCSR, CSR_STVEC, 0xf14, 0xb00, 0xb02};
	static const uint16_t writable[] = {CSR_SSCRATCH, CSR_SEPC, CSR_STVAL, CSR_SIE, CSR_SIP,
		CSR_SCOUNTEREN, CSR_SENVCFG, CSR_FCSR, CSR_FRM, CSR_FFLAGS, CSR_STVEC};
	uint32_t number = chance(75) ? likely[pick(20)] : pick(4096);
	struct probe p = {.mode = (int)pick(2),
		.medeleg = rng() & 0xb1ff,
		.mstatus = chance(40) ? 1ull << 20 : 0};

	li(T0, chance(30) ? 7 : pick(8));
	csrw(CSR_MCOUNTEREN, T0);
	li(T0, chance(30) ? 7 : pick(8));
	csrw(CSR_SCOUNTEREN, T0);
	li(T0, chance(50) ? 1ull << 63 : 0);
	csrw(CSR_MENVCFG, T0);
	if (chance(70)) {
		p.insn = enc_i(0x2073, A2, X0, (int32_t)number);
	} else {
		number = writable[pick(11)];
		p.value = number == CSR_STVEC ? rt.s_direct : rng();
		if (number == CSR_SEPC)
			p.value &= ~1ull;
		p.insn = enc_i(0x1073 + (pick(3) << 12), A2, A1, (int32_t)number);
		if (number == CSR_STVEC)
			p.insn = enc_i(0x1073, A2, A1, CSR_STVEC);
	}
	emit_probe(&p);
	csrw(CSR_MCOUNTEREN, X0);
	csrw(CSR_SCOUNTEREN, X0);
	csrw(CSR_MENVCFG, X0);
	// contents of the settled S-mode CSRs are compared; counters and unknown ones are not
	for (unsigned i = 0; i < sizeof csrs_rw / sizeof csrs_rw[0]; i++)
		if (csrs_rw[i].number == number && number < 0x200)
			masked_record(A2, csrs_rw[i].compare);
	addi(A2, X0, 0);
	csrw(CSR_SIE, X0);
	csrw(CSR_SIP, X0);
	csrw(CSR_FCSR, X0);
}

static void mode_item(void)
{
	static const uint32_t words[] = {OP_SRET, OP_SRET, OP_MRET, OP_WFI, OP_SFENCE, 0x12058073,
		0x12b50073, OP_FENCEI, OP_ECALL, 0x00100073, 0x18002673, 0x16000073, 0x0b000073,
		0x00200073, 0x7b200073, 0x22000073, 0x62000073};
	// TSR, TW, TVM
	struct probe p = {.mode = (int)pick(2),
		.medeleg = rng() & 0xb1ff,
		.mstatus =
			(uint64_t)pick(8) << 20 | (uint64_t)pick(2) << 8 | (uint64_t)pick(2) << 5,
		.set_sepc = true};

	p.insn = chance(15) ? random_alu() : words[pick(sizeof words / sizeof words[0])];
	if (p.insn == OP_WFI) { // something pending that S-mode has disabled, so that wfi ends
		emit32(OP_MIE_OFF);
		addi(T0, X0, 2);
		csrw(CSR_MIDELEG, T0);
		csrw(CSR_MIE, T0);
		csrs(CSR_MIP, T0);
		p.mode = 1;
		p.mstatus &= ~2ull;
	}
	emit_probe(&p);
	csrw(CSR_MIE, X0);
	csrw(CSR_MIDELEG, X0);
	csrw(CSR_MIP, X0);
}

// The same in M-mode, where little is forbidden.
static void m_mode_item(void)
{
	uint64_t at;

	switch (pick(5)) {
	case 4: { // counters do not run backwards
		uint32_t counter = CSR_CYCLE + pick(3);

		csrr(T0, counter);
		csrr(T1, counter);
		emit32(enc_r(0x3033, A2, T1, T0)); // sltu
		li(T0, 0);
		li(T1, 0);
		break;
	}
	case 0: // mret to M, with MPIE and MPRV either way
		li(T0, 0x1880 | 1ull << 17);
		csrc(CSR_MSTATUS, T0);
		li(T0, 0x1800 | (uint64_t)pick(2) << 7);
		csrs(CSR_MSTATUS, T0);
		at = forward_la(T0);
		csrw(CSR_MEPC, T0);
		emit32(OP_MRET);
		emit32(random_alu());
		land_la(at);
		csrr(S4, CSR_MSTATUS);
		break;
	case 1: // sret in M goes to S or U; back by ecall
		csrw(CSR_SATP, X0);
		csrw(CSR_MEDELEG, X0);
		li(T0, 0x100 | 1ull << 22);
		csrc(CSR_MSTATUS, T0);
		at = resume_at();
		li(T0, chance(50) ? 0x122 : 0);
		csrs(CSR_MSTATUS, T0);
		uint64_t to = forward_la(T0);
		csrw(CSR_SEPC, T0);
		emit32(OP_SRET);
		land_la(to);
		emit32(random_alu());
		emit32(OP_ECALL);
		land_la(at);
		break;
	case 2: // wfi with a disabled interrupt pending
		emit32(OP_MIE_OFF);
		addi(T0, X0, 2);
		csrs(CSR_MIE, T0);
		csrs(CSR_MIP, T0);
		emit32(OP_WFI);
		csrw(CSR_MIP, X0);
		csrw(CSR_MIE, X0);
		break;
	default: // TVM and TW mean nothing to M
		li(T0, 7ull << 20);
		csrs(CSR_MSTATUS, T0);
		emit32(enc_r(OP_SFENCE, X0, (int)pick(32), (int)pick(32)));
		csrr(S4, CSR_SATP);
		csrc(CSR_MSTATUS, T0);
	}
}

// FP instructions while FS says off, and what they make of FS initial or clean.
static void fs_item(void)
{
	const struct insn *in = insn_pick(FP);
	uint32_t fs = pick(3);

	load_fp(A0, in->args[1] == 'd');
	load_fp(A1, in->args[1] == 'd');
	load_int(A0);
	li(T0, 0x6000);
	csrc(CSR_MSTATUS, T0);
	li(T0, (uint64_t)fs << 13);
	csrs(CSR_MSTATUS, T0);
	if (fs == 0 && chance(30)) {
		emit32(enc_i(0x2073, A2, X0, CSR_FFLAGS + (int)pick(3)));
	} else if (fs == 0 && chance(40)) {
		in = insn_named((const char *[]){"flw", "fld", "fsw", "fsd"}[pick(4)]);
		la(A0, DATA_BASE);
		emit32(in->args[0] != '-' ? enc_i(in->match, A2, A0, 0)
					  : enc_s(in->match, A0, A1, 0));
	} else {
		uint32_t w = in->match | A0 << 15;

		if (in->args[2] != '-')
			w |= A1 << 20;
		if (in->args[3] != '-')
			w |= (uint32_t)A1 << 27;
		emit32(w | A2 << 7);
	}
	csrr(S4, CSR_MSTATUS);
	// An instruction that writes no FP register may leave FS alone if it raises no flag.
	if (fs && in->args[0] == 'x')
		addi(S4, X0, 0);
	li(T0, 0x6000);
	csrs(CSR_MSTATUS, T0);
	csrw(CSR_FCSR, X0);
}

void priv_item(void)
{
	unsigned n = pick(100);

	if (n < 30)
		csr_write_item();
	else if (n < 36)
		satp_item();
	else if (n < 50)
		csr_exists_item();
	else if (n < 65)
		csr_mode_item();
	else if (n < 83)
		mode_item();
	else if (n < 92)
		m_mode_item();
	else
		fs_item();
}
