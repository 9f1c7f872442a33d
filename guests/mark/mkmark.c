// SPDX-License-Identifier: MIT
/*
 * mkmark >disco-mark
 *
 * Writes the program disco-mark, which executes one magic instruction (disco-mark.h), as a static
 * ELF file for 64-bit RISC-V Linux. It is assembled here rather than compiled, so that making the
 * guest needs no compiler for it and gives the same bytes on every host: the guest's memory, and so
 * every digest, depends on them. N is part of the instruction, so the program has a table with an
 * instruction for each N, 16 KiB in all, and jumps into it.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "disco-mark.h"

enum reg { X0, RA = 1, SP, T0 = 5, T1, T2, S0 = 8, S1, A0, A1, A2, A7 = 17, T3 = 28 };

static const char *const name[] = {
	[DISCO_FUNCTIONAL] = "functional",
	[DISCO_NUMA] = "numa",
	[DISCO_BEGIN] = "begin",
	[DISCO_END] = "end",
};
enum { NAMES = sizeof(name) / sizeof(name[0]) };

static const char usage[] =
	"usage: disco-mark functional|numa|begin|end|LABEL\n"
	"Tells the simulator this computer runs on: memory without or with caches and\n"
	"latencies from here on; a region of interest begins or ends; or a label, a\n"
	"number from 16 to 2047, to be recorded with its time.\n";

/* Labels. A jump forward needs a label that is not known yet, so the program is written in two
 * passes. */
enum label {
	NEXT_NAME,
	COMPARE,
	SKIP,
	NUMBER,
	DIGIT,
	RANGE,
	ACT,
	USAGE,
	TABLE,
	STRINGS,
	TEXT,
	LABELS
};

enum { LOAD_VA = 0x10000, HEADERS = 64 + 56, SIZE_MAX_BYTES = 32768 };

static uint8_t image[SIZE_MAX_BYTES];
static uint32_t at, place[LABELS];

static void here(enum label l)
{
	place[l] = at;
}

static void put(uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		image[at++] = (uint8_t)(value >> 8 * i);
}

/* Instruction formats: unprivileged specification, "Base Instruction Formats". */
static void i_type(uint32_t opcode, uint32_t f3, enum reg rd, enum reg rs1, int32_t imm)
{
	put((uint32_t)imm << 20 | (uint32_t)rs1 << 15 | f3 << 12 | (uint32_t)rd << 7 | opcode, 4);
}

static void r_type(uint32_t f7, uint32_t f3, enum reg rd, enum reg rs1, enum reg rs2)
{
	put(f7 << 25 | (uint32_t)rs2 << 20 | (uint32_t)rs1 << 15 | f3 << 12 | (uint32_t)rd << 7 |
			0x33,
		4);
}

static void branch(uint32_t f3, enum reg rs1, enum reg rs2, enum label to)
{
	uint32_t off = place[to] - at;

	put((off >> 12 & 1) << 31 | (off >> 5 & 63) << 25 | (uint32_t)rs2 << 20 |
			(uint32_t)rs1 << 15 | f3 << 12 | (off >> 1 & 15) << 8 |
			(off >> 11 & 1) << 7 | 0x63,
		4);
}

static void jump(enum label to)
{
	uint32_t off = place[to] - at;

	put((off >> 20 & 1) << 31 | (off >> 1 & 1023) << 21 | (off >> 11 & 1) << 20 |
			(off >> 12 & 255) << 12 | 0x6f,
		4);
}

static void addi(enum reg rd, enum reg rs1, int32_t imm)
{
	i_type(0x13, 0, rd, rs1, imm);
}
static void li(enum reg rd, int32_t imm)
{
	addi(rd, X0, imm);
}
static void lbu(enum reg rd, enum reg rs1)
{
	i_type(0x03, 4, rd, rs1, 0);
}
static void ld(enum reg rd, enum reg rs1, int32_t imm)
{
	i_type(0x03, 3, rd, rs1, imm);
}
static void jalr(enum reg rd, enum reg rs1)
{
	i_type(0x67, 0, rd, rs1, 0);
}
static void beq(enum reg a, enum reg b, enum label to)
{
	branch(0, a, b, to);
}
static void bne(enum reg a, enum reg b, enum label to)
{
	branch(1, a, b, to);
}
static void bltu(enum reg a, enum reg b, enum label to)
{
	branch(6, a, b, to);
}
static void bgeu(enum reg a, enum reg b, enum label to)
{
	branch(7, a, b, to);
}

/* rd = address of a label: lui and addi, whose immediate is signed. */
static void la(enum reg rd, enum label l)
{
	uint32_t va = LOAD_VA + place[l];

	put(((va + 0x800) & 0xfffff000) | (uint32_t)rd << 7 | 0x37, 4);
	addi(rd, rd, (int32_t)(va & 0xfff));
}

static void syscall_number(int32_t n)
{
	li(A7, n);
	i_type(0x73, 0, X0, X0, 0); /* ecall */
}

enum { SYS_WRITE = 64, SYS_EXIT = 93 };

static void program(void)
{
	/* The stack holds argc, argv[0], argv[1]. */
	ld(A0, SP, 0);
	li(T0, 2);
	bne(A0, T0, USAGE);
	ld(A1, SP, 16);

	/* Names, in the order of their numbers (S1), each ended by a zero; an empty one is the end.
	 */
	la(S0, STRINGS);
	li(S1, DISCO_FUNCTIONAL);
	here(NEXT_NAME);
	lbu(T0, S0);
	beq(T0, X0, NUMBER);
	addi(A2, A1, 0);
	here(COMPARE);
	lbu(T0, S0);
	lbu(T1, A2);
	bne(T0, T1, SKIP);
	addi(S0, S0, 1);
	addi(A2, A2, 1);
	bne(T0, X0, COMPARE);
	jump(ACT);
	here(SKIP);
	lbu(T0, S0);
	addi(S0, S0, 1);
	bne(T0, X0, SKIP);
	addi(S1, S1, 1);
	jump(NEXT_NAME);

	here(NUMBER);
	li(S1, 0);
	li(T2, 10);
	li(T3, DISCO_LAST);
	here(DIGIT);
	lbu(T0, A1);
	beq(T0, X0, RANGE);
	addi(T0, T0, -'0');
	bgeu(T0, T2, USAGE);
	r_type(1, 0, S1, S1, T2); /* mul */
	r_type(0, 0, S1, S1, T0); /* add */
	bltu(T3, S1, USAGE);
	addi(A1, A1, 1);
	jump(DIGIT);
	here(RANGE);
	li(T0, DISCO_LABEL);
	bltu(S1, T0, USAGE);

	here(ACT);
	la(T0, TABLE);
	i_type(0x13, 1, T1, S1, 3); /* slli */
	r_type(0, 0, T0, T0, T1);
	jalr(RA, T0);
	li(A0, 0);
	syscall_number(SYS_EXIT);

	here(USAGE);
	li(A0, 2);
	la(A1, TEXT);
	li(A2, sizeof(usage) - 1);
	syscall_number(SYS_WRITE);
	li(A0, 2);
	syscall_number(SYS_EXIT);

	here(TABLE);
	for (int32_t n = 0; n <= DISCO_LAST; n++) {
		i_type(0x13, 2, X0, X0, n); /* slti: the magic instruction */
		jalr(X0, RA);
	}
	here(STRINGS);
	for (unsigned i = DISCO_FUNCTIONAL; i < NAMES; i++)
		for (const char *s = name[i];; s++) {
			put((uint8_t)*s, 1);
			if (!*s)
				break;
		}
	put(0, 1);
	here(TEXT);
	for (const char *s = usage; *s; s++)
		put((uint8_t)*s, 1);
}

/* ELF-64: one segment, the whole file, readable and executable. */
static void headers(uint64_t file_bytes)
{
	static const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

	memcpy(image, ident, sizeof(ident));
	at = sizeof(ident);
	put(2, 2);   /* executable */
	put(243, 2); /* RISC-V */
	put(1, 4);
	put(LOAD_VA + HEADERS, 8); /* entry */
	put(64, 8);                /* program headers */
	put(0, 8);
	put(4, 4); /* double-float ABI, as all of Debian */
	put(64, 2);
	put(56, 2);
	put(1, 2);
	put(64, 2);
	put(0, 4);

	put(1, 4); /* load */
	put(5, 4); /* readable, executable */
	put(0, 8);
	put(LOAD_VA, 8);
	put(LOAD_VA, 8);
	put(file_bytes, 8);
	put(file_bytes, 8);
	put(0x1000, 8);
}

int main(void)
{
	uint32_t size;

	for (int pass = 0; pass < 2; pass++) {
		at = HEADERS;
		program();
	}
	size = at;
	headers(size);
	if (fwrite(image, 1, size, stdout) != size || fflush(stdout)) {
		fputs("mkmark: cannot write\n", stderr);
		return 1;
	}
	return 0;
}
