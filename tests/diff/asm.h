// SPDX-License-Identifier: MIT
// A program under construction: machine code for a bare RV64 machine, emitted word by word, and the
// few encoders the generator needs for its own scaffolding. No assembler or cross compiler is
// involved, so the differential test runs wherever the host compiler does. Encodings are from the
// RISC-V unprivileged specification, chapters "RV32I" and "RV64I".
#ifndef TESTS_DIFF_ASM_H
#define TESTS_DIFF_ASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Addresses on the board. Code starts at the RAM base; everything below lies outside the loaded
// segment and starts out as zeroes.
#define CODE_BASE   0x80000000ull
#define CODE_MAX    0x00600000ull
#define STATE_BASE  0x80600000ull // saved registers, see runtime.c
#define LOG_BASE    0x80601000ull // one page of trap records
#define DATA_BASE   0x80602e00ull // window that is part of every block's result ...
#define DATA_BYTES  0x400ull      // ... and straddles a page boundary
#define SMC_BASE    0x80604000ull // code the program writes itself
#define TABLE_BASE  0x80610000ull // page tables
#define TARGET_BASE 0x80620000ull // pages that paging and PMP probes aim at
#define UART_BASE   0x10000000ull
#define EXIT_BASE   0x00100000ull
#define NOWHERE     0x18000000ull // nothing answers there on this board

enum {
	X0,
	RA,
	SP,
	GP,
	TP,
	T0,
	T1,
	T2,
	S0,
	S1,
	A0,
	A1,
	A2,
	A3,
	A4,
	A5,
	A6,
	A7,
	S2,
	S3,
	S4,
	T6 = 31
};

// The program; one for the life of the process, filled from the front.
struct program {
	uint8_t *bytes;
	size_t len;
};
extern struct program prog;

// Deterministic random numbers (splitmix64); state is set from family and seed.
void rng_seed(uint64_t seed);
uint64_t rng(void);
uint32_t pick(uint32_t n); // uniform in [0, n)
bool chance(uint32_t percent);

uint64_t here(void); // address of the next instruction
void emit32(uint32_t word);
void emit16(uint16_t half);
void emit64(uint64_t value);
void emit_align(unsigned bytes); // fills with c.nop
void patch32(uint64_t at, uint32_t word);

uint32_t enc_r(uint32_t match, int rd, int rs1, int rs2);
uint32_t enc_i(uint32_t match, int rd, int rs1, int32_t imm);
uint32_t enc_s(uint32_t match, int rs1, int rs2, int32_t imm);
uint32_t enc_b(uint32_t match, int rs1, int rs2, int32_t off);
uint32_t enc_u(uint32_t match, int rd, int32_t imm20);
uint32_t enc_j(uint32_t match, int rd, int32_t off);

// Scaffolding instructions by name.
void addi(int rd, int rs1, int32_t imm);
void ld(int rd, int rs1, int32_t imm);
void sd(int rs2, int rs1, int32_t imm);
void csrr(int rd, uint32_t csr);
void csrw(uint32_t csr, int rs1);
void csrs(uint32_t csr, int rs1);
void csrc(uint32_t csr, int rs1);
void csrrw(int rd, uint32_t csr, int rs1);
void li(int rd, uint64_t value);
void la(int rd, uint64_t address);      // pc-relative; rd != x0
void load_const(int rd, uint64_t slot); // ld rd from an address near the code; rd != x0
void jump_to(uint64_t target);
void store_const(uint64_t address, uint64_t value);        // clobbers t0, t1
uint64_t forward_branch(uint32_t match, int rs1, int rs2); // returns the place to patch
void land_branch(uint64_t at);                             // the branch comes here
uint64_t forward_jump(void);
void land_jump(uint64_t at);
uint64_t forward_la(int rd); // two words, patched by land_la
void land_la(uint64_t at);

#define OP_BEQ     0x00000063u
#define OP_BNE     0x00001063u
#define OP_BLT     0x00004063u
#define OP_BGE     0x00005063u
#define OP_ECALL   0x00000073u
#define OP_MRET    0x30200073u
#define OP_SRET    0x10200073u
#define OP_WFI     0x10500073u
#define OP_FENCEI  0x0000100fu
#define OP_SFENCE  0x12000073u
#define OP_MIE_OFF 0x30047073u // csrci mstatus, 8

// CSR numbers used by name (privileged specification, chapter "CSR Listing").
enum {
	CSR_FFLAGS = 0x001,
	CSR_FRM = 0x002,
	CSR_FCSR = 0x003,
	CSR_SSTATUS = 0x100,
	CSR_SIE = 0x104,
	CSR_STVEC = 0x105,
	CSR_SCOUNTEREN = 0x106,
	CSR_SENVCFG = 0x10a,
	CSR_SSCRATCH = 0x140,
	CSR_SEPC = 0x141,
	CSR_SCAUSE = 0x142,
	CSR_STVAL = 0x143,
	CSR_SIP = 0x144,
	CSR_STIMECMP = 0x14d,
	CSR_SATP = 0x180,
	CSR_MSTATUS = 0x300,
	CSR_MISA = 0x301,
	CSR_MEDELEG = 0x302,
	CSR_MIDELEG = 0x303,
	CSR_MIE = 0x304,
	CSR_MTVEC = 0x305,
	CSR_MCOUNTEREN = 0x306,
	CSR_MENVCFG = 0x30a,
	CSR_MCOUNTINHIBIT = 0x320,
	CSR_MSCRATCH = 0x340,
	CSR_MEPC = 0x341,
	CSR_MCAUSE = 0x342,
	CSR_MTVAL = 0x343,
	CSR_MIP = 0x344,
	CSR_PMPCFG0 = 0x3a0,
	CSR_PMPCFG2 = 0x3a2,
	CSR_PMPADDR0 = 0x3b0,
	CSR_CYCLE = 0xc00,
	CSR_TIME = 0xc01,
	CSR_INSTRET = 0xc02,
};

// Writes the program as a static ELF64 executable with one loadable segment and a .text section
// for disassemblers. Ends the process with a message when the file cannot be written.
void write_elf(const char *path);

#endif
