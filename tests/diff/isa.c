// SPDX-License-Identifier: MIT
// Instruction table and operand values of the differential test.
#include "isa.h"
#include "asm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Which bits of a word an instruction fixes, by shape.
#define M_U   0x0000007fu // opcode
#define M_I   0x0000707fu // and funct3
#define M_R   0xfe00707fu // and funct7
#define M_SH  0xfc00707fu // 6-bit shift
#define M_UN  0xfff0707fu // and rs2
#define M_AMO 0xf800707fu
#define M_LR  0xf9f0707fu
#define M_FR  0xfe00007fu // rounding mode in funct3
#define M_FU  0xfff0007fu
#define M_R4  0x0600007fu
#define M_ALL 0xffffffffu

// clang-format off
const struct insn insns[] = {
	{"lui",       0x00000037, M_U,  ALU, "x---u"},
	{"auipc",     0x00000017, M_U,  ALU, "x---u"},
	{"addi",      0x00000013, M_I,  ALU, "xx--i"},
	{"slti",      0x00002013, M_I,  ALU, "xx--i"},
	{"sltiu",     0x00003013, M_I,  ALU, "xx--i"},
	{"xori",      0x00004013, M_I,  ALU, "xx--i"},
	{"ori",       0x00006013, M_I,  ALU, "xx--i"},
	{"andi",      0x00007013, M_I,  ALU, "xx--i"},
	{"slli",      0x00001013, M_SH, ALU, "xx--6"},
	{"srli",      0x00005013, M_SH, ALU, "xx--6"},
	{"srai",      0x40005013, M_SH, ALU, "xx--6"},
	{"addiw",     0x0000001b, M_I,  ALU, "xx--i"},
	{"slliw",     0x0000101b, M_R,  ALU, "xx--5"},
	{"srliw",     0x0000501b, M_R,  ALU, "xx--5"},
	{"sraiw",     0x4000501b, M_R,  ALU, "xx--5"},
	{"add",       0x00000033, M_R,  ALU, "xxx-"},
	{"sub",       0x40000033, M_R,  ALU, "xxx-"},
	{"sll",       0x00001033, M_R,  ALU, "xxx-"},
	{"slt",       0x00002033, M_R,  ALU, "xxx-"},
	{"sltu",      0x00003033, M_R,  ALU, "xxx-"},
	{"xor",       0x00004033, M_R,  ALU, "xxx-"},
	{"srl",       0x00005033, M_R,  ALU, "xxx-"},
	{"sra",       0x40005033, M_R,  ALU, "xxx-"},
	{"or",        0x00006033, M_R,  ALU, "xxx-"},
	{"and",       0x00007033, M_R,  ALU, "xxx-"},
	{"addw",      0x0000003b, M_R,  ALU, "xxx-"},
	{"subw",      0x4000003b, M_R,  ALU, "xxx-"},
	{"sllw",      0x0000103b, M_R,  ALU, "xxx-"},
	{"srlw",      0x0000503b, M_R,  ALU, "xxx-"},
	{"sraw",      0x4000503b, M_R,  ALU, "xxx-"},
	// M
	{"mul",       0x02000033, M_R,  ALU, "xxx-"},
	{"mulh",      0x02001033, M_R,  ALU, "xxx-"},
	{"mulhsu",    0x02002033, M_R,  ALU, "xxx-"},
	{"mulhu",     0x02003033, M_R,  ALU, "xxx-"},
	{"div",       0x02004033, M_R,  ALU, "xxx-"},
	{"divu",      0x02005033, M_R,  ALU, "xxx-"},
	{"rem",       0x02006033, M_R,  ALU, "xxx-"},
	{"remu",      0x02007033, M_R,  ALU, "xxx-"},
	{"mulw",      0x0200003b, M_R,  ALU, "xxx-"},
	{"divw",      0x0200403b, M_R,  ALU, "xxx-"},
	{"divuw",     0x0200503b, M_R,  ALU, "xxx-"},
	{"remw",      0x0200603b, M_R,  ALU, "xxx-"},
	{"remuw",     0x0200703b, M_R,  ALU, "xxx-"},
	// Zba
	{"sh1add",    0x20002033, M_R,  ALU, "xxx-"},
	{"sh2add",    0x20004033, M_R,  ALU, "xxx-"},
	{"sh3add",    0x20006033, M_R,  ALU, "xxx-"},
	{"add.uw",    0x0800003b, M_R,  ALU, "xxx-"},
	{"sh1add.uw", 0x2000203b, M_R,  ALU, "xxx-"},
	{"sh2add.uw", 0x2000403b, M_R,  ALU, "xxx-"},
	{"sh3add.uw", 0x2000603b, M_R,  ALU, "xxx-"},
	{"slli.uw",   0x0800101b, M_SH, ALU, "xx--6"},
	// Zbb
	{"andn",      0x40007033, M_R,  ALU, "xxx-"},
	{"orn",       0x40006033, M_R,  ALU, "xxx-"},
	{"xnor",      0x40004033, M_R,  ALU, "xxx-"},
	{"clz",       0x60001013, M_UN, ALU, "xx--"},
	{"ctz",       0x60101013, M_UN, ALU, "xx--"},
	{"cpop",      0x60201013, M_UN, ALU, "xx--"},
	{"clzw",      0x6000101b, M_UN, ALU, "xx--"},
	{"ctzw",      0x6010101b, M_UN, ALU, "xx--"},
	{"cpopw",     0x6020101b, M_UN, ALU, "xx--"},
	{"max",       0x0a006033, M_R,  ALU, "xxx-"},
	{"maxu",      0x0a007033, M_R,  ALU, "xxx-"},
	{"min",       0x0a004033, M_R,  ALU, "xxx-"},
	{"minu",      0x0a005033, M_R,  ALU, "xxx-"},
	{"sext.b",    0x60401013, M_UN, ALU, "xx--"},
	{"sext.h",    0x60501013, M_UN, ALU, "xx--"},
	{"zext.h",    0x0800403b, M_UN, ALU, "xx--"},
	{"rol",       0x60001033, M_R,  ALU, "xxx-"},
	{"ror",       0x60005033, M_R,  ALU, "xxx-"},
	{"rori",      0x60005013, M_SH, ALU, "xx--6"},
	{"rolw",      0x6000103b, M_R,  ALU, "xxx-"},
	{"rorw",      0x6000503b, M_R,  ALU, "xxx-"},
	{"roriw",     0x6000501b, M_R,  ALU, "xx--5"},
	{"orc.b",     0x28705013, M_UN, ALU, "xx--"},
	{"rev8",      0x6b805013, M_UN, ALU, "xx--"},
	// Zbs
	{"bclr",      0x48001033, M_R,  ALU, "xxx-"},
	{"bclri",     0x48001013, M_SH, ALU, "xx--6"},
	{"bext",      0x48005033, M_R,  ALU, "xxx-"},
	{"bexti",     0x48005013, M_SH, ALU, "xx--6"},
	{"binv",      0x68001033, M_R,  ALU, "xxx-"},
	{"binvi",     0x68001013, M_SH, ALU, "xx--6"},
	{"bset",      0x28001033, M_R,  ALU, "xxx-"},
	{"bseti",     0x28001013, M_SH, ALU, "xx--6"},
	// loads, stores
	{"lb",        0x00000003, M_I,  LOAD, "xx--i"},
	{"lh",        0x00001003, M_I,  LOAD, "xx--i"},
	{"lw",        0x00002003, M_I,  LOAD, "xx--i"},
	{"ld",        0x00003003, M_I,  LOAD, "xx--i"},
	{"lbu",       0x00004003, M_I,  LOAD, "xx--i"},
	{"lhu",       0x00005003, M_I,  LOAD, "xx--i"},
	{"lwu",       0x00006003, M_I,  LOAD, "xx--i"},
	{"flw",       0x00002007, M_I,  LOAD, "sx--i"},
	{"fld",       0x00003007, M_I,  LOAD, "dx--i"},
	{"sb",        0x00000023, M_I,  STORE, "-xx-i"},
	{"sh",        0x00001023, M_I,  STORE, "-xx-i"},
	{"sw",        0x00002023, M_I,  STORE, "-xx-i"},
	{"sd",        0x00003023, M_I,  STORE, "-xx-i"},
	{"fsw",       0x00002027, M_I,  STORE, "-xs-i"},
	{"fsd",       0x00003027, M_I,  STORE, "-xd-i"},
	// A
	{"lr.w",      0x1000202f, M_LR,  LR,  "xx--"},
	{"sc.w",      0x1800202f, M_AMO, SC,  "xxx-"},
	{"lr.d",      0x1000302f, M_LR,  LR,  "xx--"},
	{"sc.d",      0x1800302f, M_AMO, SC,  "xxx-"},
	{"amoswap.w", 0x0800202f, M_AMO, AMO, "xxx-"},
	{"amoadd.w",  0x0000202f, M_AMO, AMO, "xxx-"},
	{"amoxor.w",  0x2000202f, M_AMO, AMO, "xxx-"},
	{"amoand.w",  0x6000202f, M_AMO, AMO, "xxx-"},
	{"amoor.w",   0x4000202f, M_AMO, AMO, "xxx-"},
	{"amomin.w",  0x8000202f, M_AMO, AMO, "xxx-"},
	{"amomax.w",  0xa000202f, M_AMO, AMO, "xxx-"},
	{"amominu.w", 0xc000202f, M_AMO, AMO, "xxx-"},
	{"amomaxu.w", 0xe000202f, M_AMO, AMO, "xxx-"},
	{"amoswap.d", 0x0800302f, M_AMO, AMO, "xxx-"},
	{"amoadd.d",  0x0000302f, M_AMO, AMO, "xxx-"},
	{"amoxor.d",  0x2000302f, M_AMO, AMO, "xxx-"},
	{"amoand.d",  0x6000302f, M_AMO, AMO, "xxx-"},
	{"amoor.d",   0x4000302f, M_AMO, AMO, "xxx-"},
	{"amomin.d",  0x8000302f, M_AMO, AMO, "xxx-"},
	{"amomax.d",  0xa000302f, M_AMO, AMO, "xxx-"},
	{"amominu.d", 0xc000302f, M_AMO, AMO, "xxx-"},
	{"amomaxu.d", 0xe000302f, M_AMO, AMO, "xxx-"},
	// F
	{"fmadd.s",   0x00000043, M_R4, FP, "ssssm"},
	{"fmsub.s",   0x00000047, M_R4, FP, "ssssm"},
	{"fnmsub.s",  0x0000004b, M_R4, FP, "ssssm"},
	{"fnmadd.s",  0x0000004f, M_R4, FP, "ssssm"},
	{"fadd.s",    0x00000053, M_FR, FP, "sss-m"},
	{"fsub.s",    0x08000053, M_FR, FP, "sss-m"},
	{"fmul.s",    0x10000053, M_FR, FP, "sss-m"},
	{"fdiv.s",    0x18000053, M_FR, FP, "sss-m"},
	{"fsqrt.s",   0x58000053, M_FU, FP, "ss--m"},
	{"fsgnj.s",   0x20000053, M_R,  FP, "sss-"},
	{"fsgnjn.s",  0x20001053, M_R,  FP, "sss-"},
	{"fsgnjx.s",  0x20002053, M_R,  FP, "sss-"},
	{"fmin.s",    0x28000053, M_R,  FP, "sss-"},
	{"fmax.s",    0x28001053, M_R,  FP, "sss-"},
	{"fcvt.w.s",  0xc0000053, M_FU, FP, "xs--m"},
	{"fcvt.wu.s", 0xc0100053, M_FU, FP, "xs--m"},
	{"fcvt.l.s",  0xc0200053, M_FU, FP, "xs--m"},
	{"fcvt.lu.s", 0xc0300053, M_FU, FP, "xs--m"},
	{"fmv.x.w",   0xe0000053, M_UN, FP, "xs--"},
	{"fclass.s",  0xe0001053, M_UN, FP, "xs--"},
	{"feq.s",     0xa0002053, M_R,  FP, "xss-"},
	{"flt.s",     0xa0001053, M_R,  FP, "xss-"},
	{"fle.s",     0xa0000053, M_R,  FP, "xss-"},
	{"fcvt.s.w",  0xd0000053, M_FU, FP, "sx--m"},
	{"fcvt.s.wu", 0xd0100053, M_FU, FP, "sx--m"},
	{"fcvt.s.l",  0xd0200053, M_FU, FP, "sx--m"},
	{"fcvt.s.lu", 0xd0300053, M_FU, FP, "sx--m"},
	{"fmv.w.x",   0xf0000053, M_UN, FP, "sx--"},
	// D
	{"fmadd.d",   0x02000043, M_R4, FP, "ddddm"},
	{"fmsub.d",   0x02000047, M_R4, FP, "ddddm"},
	{"fnmsub.d",  0x0200004b, M_R4, FP, "ddddm"},
	{"fnmadd.d",  0x0200004f, M_R4, FP, "ddddm"},
	{"fadd.d",    0x02000053, M_FR, FP, "ddd-m"},
	{"fsub.d",    0x0a000053, M_FR, FP, "ddd-m"},
	{"fmul.d",    0x12000053, M_FR, FP, "ddd-m"},
	{"fdiv.d",    0x1a000053, M_FR, FP, "ddd-m"},
	{"fsqrt.d",   0x5a000053, M_FU, FP, "dd--m"},
	{"fsgnj.d",   0x22000053, M_R,  FP, "ddd-"},
	{"fsgnjn.d",  0x22001053, M_R,  FP, "ddd-"},
	{"fsgnjx.d",  0x22002053, M_R,  FP, "ddd-"},
	{"fmin.d",    0x2a000053, M_R,  FP, "ddd-"},
	{"fmax.d",    0x2a001053, M_R,  FP, "ddd-"},
	{"fcvt.s.d",  0x40100053, M_FU, FP, "sd--m"},
	{"fcvt.d.s",  0x42000053, M_FU, FP, "ds--m"},
	{"feq.d",     0xa2002053, M_R,  FP, "xdd-"},
	{"flt.d",     0xa2001053, M_R,  FP, "xdd-"},
	{"fle.d",     0xa2000053, M_R,  FP, "xdd-"},
	{"fclass.d",  0xe2001053, M_UN, FP, "xd--"},
	{"fcvt.w.d",  0xc2000053, M_FU, FP, "xd--m"},
	{"fcvt.wu.d", 0xc2100053, M_FU, FP, "xd--m"},
	{"fcvt.l.d",  0xc2200053, M_FU, FP, "xd--m"},
	{"fcvt.lu.d", 0xc2300053, M_FU, FP, "xd--m"},
	{"fmv.x.d",   0xe2000053, M_UN, FP, "xd--"},
	{"fcvt.d.w",  0xd2000053, M_FU, FP, "dx--m"},
	{"fcvt.d.wu", 0xd2100053, M_FU, FP, "dx--m"},
	{"fcvt.d.l",  0xd2200053, M_FU, FP, "dx--m"},
	{"fcvt.d.lu", 0xd2300053, M_FU, FP, "dx--m"},
	{"fmv.d.x",   0xf2000053, M_UN, FP, "dx--"},
	// control transfer: generated by hand, listed so that random words avoid them
	{"beq",       0x00000063, M_I,  BRANCH, "-xx-"},
	{"bne",       0x00001063, M_I,  BRANCH, "-xx-"},
	{"blt",       0x00004063, M_I,  BRANCH, "-xx-"},
	{"bge",       0x00005063, M_I,  BRANCH, "-xx-"},
	{"bltu",      0x00006063, M_I,  BRANCH, "-xx-"},
	{"bgeu",      0x00007063, M_I,  BRANCH, "-xx-"},
	{"jal",       0x0000006f, M_U,  JUMP, "x---"},
	{"jalr",      0x00000067, M_I,  JUMP, "xx--i"},
	{"csrrw",     0x00001073, M_I,  CSR, "xx--"},
	{"csrrs",     0x00002073, M_I,  CSR, "xx--"},
	{"csrrc",     0x00003073, M_I,  CSR, "xx--"},
	{"csrrwi",    0x00005073, M_I,  CSR, "x---"},
	{"csrrsi",    0x00006073, M_I,  CSR, "x---"},
	{"csrrci",    0x00007073, M_I,  CSR, "x---"},
	{"fence",     0x0000000f, M_I,  FENCE, "----"},
	{"fence.i",   0x0000100f, M_I,  FENCE, "----"},
	{"ecall",     0x00000073, M_ALL, SYSTEM, "----"},
	{"ebreak",    0x00100073, M_ALL, SYSTEM, "----"},
	{"sret",      0x10200073, M_ALL, SYSTEM, "----"},
	{"mret",      0x30200073, M_ALL, SYSTEM, "----"},
	{"wfi",       0x10500073, M_ALL, SYSTEM, "----"},
	{"sfence.vma", 0x12000073, 0xfe007fff, SYSTEM, "-xx-"},
};
// clang-format on
const unsigned n_insns = sizeof insns / sizeof insns[0];

const struct insn *insn_find(uint32_t word)
{
	for (unsigned i = 0; i < n_insns; i++)
		if ((word & insns[i].mask) == insns[i].match)
			return &insns[i];
	return 0;
}

const struct insn *insn_pick(enum insn_class class)
{
	for (;;) {
		const struct insn *in = &insns[pick(n_insns)];

		if (in->class == class)
			return in;
	}
}

const struct insn *insn_named(const char *name)
{
	for (unsigned i = 0; i < n_insns; i++)
		if (!strcmp(insns[i].name, name))
			return &insns[i];
	fprintf(stderr, "generate: no instruction '%s'\n", name);
	exit(2);
}

uint64_t int_corner(void)
{
	static const uint64_t fixed[] = {0, 1, 2, ~0ull, ~1ull, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, 0xffffffff7fffffff, 0xffffffff80000000, 0x7fffffffffffffff,
		0x8000000000000000, 0x8000000000000001, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa,
		0x00ff00ff00ff00ff, 0x8080808080808080, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x123456789abcdef0, 3, 7, 10, 31, 32, 33, 63, 64, 65};
	uint64_t r = rng();

	switch (pick(5)) {
	case 0:
	case 1:
		return fixed[pick(sizeof fixed / sizeof fixed[0])];
	case 2: // a power of two and its neighbours, and their negatives
		r = (1ull << pick(64)) + (uint64_t)pick(3) - 1;
		return chance(50) ? r : -r;
	case 3: // of random length
		return r >> pick(64);
	default:
		return r;
	}
}

// Values of a format with `m` fraction bits and `e` exponent bits, from its interesting places.
static uint64_t fp_corner(unsigned m, unsigned e)
{
	uint64_t frac_mask = (1ull << m) - 1, emax = (1ull << e) - 1, bias = emax >> 1;
	uint64_t sign = (uint64_t)pick(2) << (m + e), frac = rng() & frac_mask, exp;

	switch (pick(12)) {
	case 0: // zero
		return sign;
	case 1: // subnormal: smallest, largest, any
		frac = (uint64_t[]){1, frac_mask, frac, frac >> pick(m)}[pick(4)];
		return sign | frac;
	case 2: // smallest normal and its neighbours
		return sign | ((1ull << m) + (uint64_t)pick(3) - 1);
	case 3: // largest finite, infinity, signalling NaN
		return sign | ((emax << m) + (uint64_t)pick(3) - 1);
	case 4: // NaNs, quiet and signalling, with payload
		frac = chance(50) ? frac | 1 : 1ull << (m - 1);
		return sign | emax << m | frac;
	case 5: // powers of two and their neighbours
		return sign | (((bias + pick(70) - 35) << m) + (uint64_t)pick(3) - 1);
	case 6: // small integers and halves: ties
		exp = bias + pick(8);
		return sign | exp << m | (frac & ~(frac_mask >> 5));
	case 7: // near the ends of the integer formats
		exp = bias + (uint64_t[]){30, 31, 32, 62, 63, 64}[pick(6)];
		frac = chance(50) ? (chance(50) ? frac_mask : 0) : frac;
		return sign | exp << m | frac;
	case 8: // near the exponents where products and narrowing over- and underflow
		exp = (uint64_t[]){1, bias / 2, bias - 126, bias + 126, bias - 149, emax - 1,
			      bias * 3 / 2, m}[pick(8)] +
		      pick(3);
		return sign | (exp % emax) << m | frac;
	case 9: // few fraction bits: exact results
		return sign | (bias + pick(24) - 12) << m | (frac & ~(frac_mask >> (1 + pick(10))));
	default:
		return sign | (rng() % (emax + 1)) << m | frac;
	}
}

uint64_t single_corner(void)
{
	uint64_t v = fp_corner(23, 8);

	if (chance(4)) // not properly boxed: reads as the canonical NaN
		return v | rng() << 32;
	return v | 0xffffffffull << 32;
}

uint64_t double_corner(void)
{
	if (chance(15)) { // a single's value, perhaps with one bit more: narrowing is exact or a
			  // tie
		float f;
		double d;
		uint32_t s = (uint32_t)fp_corner(23, 8);
		uint64_t v;

		memcpy(&f, &s, 4);
		d = f;
		memcpy(&v, &d, 8);
		return v | (uint64_t[]){0, 1ull << 28, 1, 3ull << 27}[pick(4)];
	}
	return fp_corner(52, 11);
}
