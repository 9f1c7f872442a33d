// SPDX-License-Identifier: MIT
// The part of each program that is not under test: start, block change, trap handlers, printing.
//
// A block is entered by mret with all registers loaded from the state page, which mscratch points
// at, and ends in a call to `save`. So a block does not care what ran before it, and the same
// items may be cut into smaller blocks to find the one that goes wrong. After each block the state
// page, the trap records and the data window are folded into a running hash, printed as
//     =H 0123456789abcdef
// A block with the dump flag prints each of those words first, as "=address value". The last line
// of a complete run is "=E". Every line of the judge starts with '=', so that a firmware or
// monitor that prints something of its own does no harm.
//
// Handlers: M-mode logs the trap with the S-mode trap registers beside it and continues where the
// test asked to, or behind the instruction, or (failed fetch) at ra; an interrupt is logged and its
// enable bit cleared. S-mode handlers only call M-mode by ecall, which logs for them; mepc tells
// which vector was taken. If the ecall comes back it was an interrupt, which the M-mode handler has
// disabled meanwhile: sret.
#include "runtime.h"
#include "asm.h"

struct runtime rt;

static uint64_t save_routine, patch_first_jump, record_slot;

// Prints the low `n` hex digits of a0; uses a1..a4. Returns by t6.
static void emit_print_hex(void)
{
	li(A1, 60);
	uint64_t loop = here();
	emit32(enc_r(0x00005033, A2, A0, A1)); // srl a2, a0, a1
	emit32(enc_i(0x7013, A2, A2, 15));     // andi
	addi(A3, X0, 10);
	uint64_t digit = forward_branch(OP_BLT, A2, A3);
	addi(A2, A2, 'a' - '0' - 10);
	land_branch(digit);
	addi(A2, A2, '0');
	li(A4, UART_BASE);
	emit32(enc_s(0x0023, A4, A2, 0)); // sb
	addi(A1, A1, -4);
	emit32(enc_b(OP_BGE, A1, X0, (int32_t)(loop - here())));
	emit32(enc_i(0x67, X0, T6, 0));
}

static void emit_print_char(char c)
{
	li(A4, UART_BASE);
	li(A2, (uint64_t)c);
	emit32(enc_s(0x0023, A4, A2, 0));
}

static void call_t6(uint64_t routine)
{
	emit32(enc_j(0x6f, T6, (int32_t)(routine - here())));
}

// Folds the words [s0, s1) into s2 and prints them if a6 is not 0. Returns by a7.
static void emit_fold(uint64_t print_hex)
{
	uint64_t loop = here();
	uint64_t done = forward_branch(OP_BGE, S0, S1);
	ld(A5, S0, 0);
	uint64_t quiet = forward_branch(OP_BEQ, 16, X0);
	emit_print_char('=');
	addi(A0, S0, 0);
	call_t6(print_hex);
	emit_print_char(' ');
	addi(A0, A5, 0);
	call_t6(print_hex);
	emit_print_char('\n');
	land_branch(quiet);
	// hash = (hash ^ word) * odd, then its high bits into the low ones
	emit32(enc_r(0x00004033, 18, 18, A5));
	emit32(enc_r(0x02000033, 18, 18, T2));
	emit32(enc_i(0x5013, A0, 18, 29));
	emit32(enc_r(0x00004033, 18, 18, A0));
	addi(S0, S0, 8);
	jump_to(loop);
	land_branch(done);
	emit32(enc_i(0x67, X0, A7, 0));
}

// Everything a block may have left behind in CSRs is put back; uses t0. Returns by t6.
static void emit_reset_csrs(void)
{
	li(T0, 0x7800); // FS dirty, MPP = M
	csrw(CSR_MSTATUS, T0);
	csrw(CSR_SATP, X0);
	csrw(CSR_MIE, X0);
	csrw(CSR_MIDELEG, X0);
	csrw(CSR_MEDELEG, X0);
	csrw(CSR_MIP, X0);
	la(T0, rt.m_direct);
	csrw(CSR_MTVEC, T0);
	la(T0, rt.s_direct);
	csrw(CSR_STVEC, T0);
	csrw(CSR_SCAUSE, X0);
	csrw(CSR_SEPC, X0);
	csrw(CSR_STVAL, X0);
	emit32(OP_SFENCE);
	emit32(enc_i(0x67, X0, T6, 0));
}

// Common end of all M-mode entries: sp = state page, t0 saved, t0 = vector number.
static void emit_m_handler(void)
{
	static const uint32_t logged[] = {
		CSR_MCAUSE, CSR_MEPC, CSR_MTVAL, CSR_MSTATUS, CSR_SCAUSE, CSR_SEPC, CSR_STVAL};

	sd(T1, SP, ST_T + 8);
	sd(T2, SP, ST_T + 16);
	ld(T1, SP, ST_LOG);
	// A breakpoint may report 0 or its pc in xtval.
	csrr(T2, CSR_SCAUSE);
	addi(T2, T2, -3);
	uint64_t no_s_break = forward_branch(OP_BNE, T2, X0);
	csrw(CSR_STVAL, X0);
	land_branch(no_s_break);
	csrr(T2, CSR_MCAUSE);
	addi(T2, T2, -3);
	uint64_t no_m_break = forward_branch(OP_BNE, T2, X0);
	csrw(CSR_MTVAL, X0);
	land_branch(no_m_break);
	for (int i = 0; i < 7; i++) {
		csrr(T2, logged[i]);
		sd(T2, T1, 8 * i);
	}
	sd(T0, T1, 56);
	csrr(T2, CSR_MCAUSE);
	addi(T1, T1, LOG_RECORD);
	emit32(enc_i(0x1013, T0, T1, 52)); // the page is full: overwrite the last record
	uint64_t full = forward_branch(OP_BEQ, T0, X0);
	sd(T1, SP, ST_LOG);
	land_branch(full);

	// An interrupt: disable it and go on. One that S-mode passes on: likewise, past its ecall.
	uint64_t exception = forward_branch(OP_BGE, T2, X0);
	addi(T0, X0, 1);
	emit32(enc_r(0x00001033, T0, T0, T2)); // sll: the low six bits of mcause
	csrc(CSR_MIE, T0);
	uint64_t out1 = forward_jump();
	land_branch(exception);
	csrr(T1, CSR_MEPC);
	ld(T0, SP, ST_LEAVE);
	uint64_t no_leave = forward_branch(OP_BNE, T0, T1);
	sd(X0, SP, ST_LEAVE);
	addi(T1, T1, 4);
	csrw(CSR_MEPC, T1);
	li(T0, 0x1800);
	csrs(CSR_MSTATUS, T0); // on in M-mode
	uint64_t out5 = forward_jump();
	land_branch(no_leave);
	addi(T0, X0, 9);
	uint64_t no_ecall = forward_branch(OP_BNE, T2, T0);
	csrr(T0, CSR_SCAUSE);
	uint64_t no_sint = forward_branch(OP_BGE, T0, X0);
	csrw(CSR_SCAUSE, X0);
	addi(T1, X0, 1);
	emit32(enc_r(0x00001033, T1, T1, T0));
	csrc(CSR_MIE, T1);
	csrr(T1, CSR_MEPC);
	addi(T1, T1, 4);
	csrw(CSR_MEPC, T1);
	uint64_t out2 = forward_jump();
	land_branch(no_ecall);
	land_branch(no_sint);

	ld(T0, SP, ST_RESUME);
	uint64_t no_resume = forward_branch(OP_BEQ, T0, X0);
	sd(X0, SP, ST_RESUME);
	csrw(CSR_MEPC, T0);
	li(T0, 0x20000);
	csrc(CSR_MSTATUS, T0); // MPRV
	li(T0, 0x1800);
	csrs(CSR_MSTATUS, T0); // MPP = M
	uint64_t out3 = forward_jump();
	land_branch(no_resume);

	addi(T0, X0, 2);
	uint64_t fetch1 = forward_branch(OP_BLT, T2, T0);
	addi(T0, X0, 12);
	uint64_t fetch2 = forward_branch(OP_BEQ, T2, T0);
	csrr(T1, CSR_MEPC);
	emit32(enc_i(0x5003, T0, T1, 0)); // lhu
	emit32(enc_i(0x7013, T0, T0, 3));
	addi(T2, X0, 3);
	addi(T1, T1, 2);
	uint64_t shortinsn = forward_branch(OP_BNE, T0, T2);
	addi(T1, T1, 2);
	land_branch(shortinsn);
	csrw(CSR_MEPC, T1);
	uint64_t out4 = forward_jump();
	land_branch(fetch1);
	land_branch(fetch2);
	csrw(CSR_MEPC, RA);

	land_jump(out1);
	land_jump(out2);
	land_jump(out3);
	land_jump(out4);
	land_jump(out5);
	ld(T0, SP, ST_T);
	ld(T1, SP, ST_T + 8);
	ld(T2, SP, ST_T + 16);
	csrrw(SP, CSR_MSCRATCH, SP);
	emit32(OP_MRET);
}

static void emit_m_entries(void)
{
	uint64_t stub[17], common;

	// Stubs first, then the table that jumps to them; the last stub is the direct entry.
	common = here();
	emit_m_handler();
	for (int i = 0; i <= 16; i++) {
		emit_align(4);
		stub[i] = here();
		csrrw(SP, CSR_MSCRATCH, SP);
		sd(T0, SP, ST_T);
		addi(T0, X0, i == 16 ? -1 : i);
		jump_to(common);
	}
	rt.m_direct = stub[16];
	emit_align(256);
	rt.m_vectored = here();
	for (int i = 0; i < 16; i++)
		jump_to(stub[i]);
}

static void emit_s_entries(void)
{
	uint64_t stub[17];

	for (int i = 0; i <= 16; i++) {
		emit_align(4);
		stub[i] = here();
		emit32(OP_ECALL);
		emit32(OP_SRET);
	}
	rt.s_direct = stub[16];
	emit_align(256);
	rt.s_vectored = here();
	for (int i = 0; i < 16; i++)
		jump_to(stub[i]);
}

// Entered by `jal ra` with sp = state page, ra and sp of the block already put away (sp in
// mscratch). Continues with the block header at ra.
static void emit_save(uint64_t fold, uint64_t print_hex)
{
	save_routine = here();
	for (int i = 3; i < 32; i++)
		sd(i, SP, 8 * i);
	csrr(T0, CSR_MSCRATCH);
	sd(T0, SP, 16);
	csrw(CSR_MSCRATCH, SP);
	csrr(T0, CSR_MSTATUS);
	sd(T0, SP, ST_MSTATUS);
	li(T0, 0x6000);
	csrs(CSR_MSTATUS, T0);
	for (int i = 0; i < 32; i++)
		emit32(enc_s(0x3027, SP, i, ST_F + 8 * i)); // fsd
	csrr(T0, CSR_FCSR);
	sd(T0, SP, ST_FCSR);
	addi(19, RA, 0); // s3 = next block
	call_t6(rt.reset_csrs);

	ld(16, SP, ST_HEADER); // a6 = print?
	emit32(enc_i(0x7013, 16, 16, BLOCK_DUMP));
	ld(18, SP, ST_HASH);
	li(T2, 0x9e3779b97f4a7c15ull);
	addi(S0, SP, 8);
	addi(S1, SP, ST_END);
	emit32(enc_j(0x6f, A7, (int32_t)(fold - here())));
	la(S0, LOG_BASE);
	ld(S1, SP, ST_LOG);
	emit32(enc_j(0x6f, A7, (int32_t)(fold - here())));
	la(S0, DATA_BASE);
	addi(S1, S0, DATA_BYTES);
	emit32(enc_j(0x6f, A7, (int32_t)(fold - here())));
	sd(18, SP, ST_HASH);
	emit_print_char('=');
	emit_print_char('H');
	emit_print_char(' ');
	addi(A0, 18, 0);
	call_t6(print_hex);
	emit_print_char('\n');
	addi(RA, 19, 0);
	// fall through to the loader
}

static void emit_load(void)
{
	patch32(patch_first_jump, enc_j(0x6f, X0, (int32_t)(here() - patch_first_jump)));
	emit32(enc_i(0x5003, T0, RA, 0)); // lhu: the header
	sd(T0, SP, ST_HEADER);
	emit32(enc_i(0x7013, T1, T0, BLOCK_END));
	uint64_t go = forward_branch(OP_BEQ, T1, X0);
	emit_print_char('=');
	emit_print_char('E');
	emit_print_char('\n');
	li(T0, EXIT_BASE);
	li(T1, 0x5555);
	emit32(enc_s(0x2023, T0, T1, 0));
	jump_to(here());
	land_branch(go);
	la(T0, LOG_BASE);
	sd(T0, SP, ST_LOG);
	sd(X0, SP, ST_RESUME);
	sd(X0, SP, ST_LEAVE);
	addi(RA, RA, 2);
	csrw(CSR_MEPC, RA);
	for (int i = 0; i < 32; i++)
		emit32(enc_i(0x3007, i, SP, ST_F + 8 * i)); // fld
	ld(T0, SP, ST_FCSR);
	csrw(CSR_FCSR, T0);
	ld(RA, SP, 8);
	for (int i = 3; i < 32; i++)
		ld(i, SP, 8 * i);
	ld(SP, SP, 16);
	emit32(OP_MRET);
}

void runtime_emit(void)
{
	// Other harts: QEMU is given a second one, without which its AMOs are a load and a store
	// and fault as such.
	csrr(T0, 0xf14);
	uint64_t first = forward_branch(OP_BEQ, T0, X0);
	csrw(CSR_MIE, X0);
	emit32(OP_WFI);
	jump_to(here() - 4);
	land_branch(first);
	uint64_t start = forward_jump();
	emit_m_entries();
	emit_s_entries();
	uint64_t print_hex = here();
	emit_print_hex();
	uint64_t fold = here();
	emit_fold(print_hex);
	rt.reset_csrs = here();
	emit_reset_csrs();

	land_jump(start);
	la(SP, STATE_BASE);
	csrw(CSR_MSCRATCH, SP);
	la(T0, rt.m_direct); // without PMP or S-mode state a stray trap would spin: set this first
	csrw(CSR_MTVEC, T0);
	li(T0, 0x02004000); // mtimecmp and stimecmp: never, so that nothing pends by itself
	li(T1, ~0ull);
	sd(T1, T0, 0);
	csrw(CSR_STIMECMP, T1);
	li(T0, 0x1fffffffffffffull); // one PMP entry that lets S and U reach everything
	csrw(CSR_PMPADDR0 + 15, T0);
	li(T0, 0x1full << 56);
	csrw(CSR_PMPCFG2, T0);
	csrw(CSR_MCOUNTEREN, X0);
	csrw(CSR_SCOUNTEREN, X0);
	call_t6(rt.reset_csrs);
	uint64_t begin = forward_jump();
	patch_first_jump = forward_jump();
	emit_save(fold, print_hex);
	emit_load();
	// The first block's header follows whatever pools are emitted in between.
	land_jump(begin);
	uint64_t at = forward_la(RA);
	jump_to(patch_first_jump);
	rt.first_block = at;
}

void runtime_start_blocks(void)
{
	land_la(rt.first_block);
}

void block_begin(unsigned flags)
{
	emit16((uint16_t)flags);
}

void block_end(void)
{
	csrrw(SP, CSR_MSCRATCH, SP);
	sd(RA, SP, 8);
	uint64_t at = here(); // a call: the routine may be more than a jal away
	la(RA, save_routine);
	patch32(at + 4, enc_i(0x67, RA, RA, (int32_t)((uint32_t)(save_routine - at) << 20) >> 20));
}

void record(int reg, int tmp)
{
	la(tmp, DATA_BASE + 8 * (record_slot++ % (DATA_BYTES / 8)));
	sd(reg, tmp, 0);
}

void record_reset(void)
{
	record_slot = 0;
}

uint64_t resume_at(void)
{
	uint64_t at = forward_la(T0);

	la(T1, STATE_BASE + ST_RESUME);
	sd(T0, T1, 0);
	return at;
}
