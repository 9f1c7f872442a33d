// SPDX-License-Identifier: MIT
// Items of the C extension: every 16-bit form, with hints (which must do nothing) and the operands
// that matter. Field layouts are from the specification's "RVC Instruction Set Listings"; the
// scrambled immediates are built by naming, for each bit of the instruction, the bit of the offset
// it holds.
#include "items.h"
#include "asm.h"
#include "isa.h"

// Places bit `from` of v at bit `to`.
static uint16_t bit(uint32_t v, int from, int to)
{
	return (uint16_t)((v >> from & 1) << to);
}

// Offset of c.ld, c.sd, c.fld, c.fsd: uimm[5:3] at 12:10, uimm[7:6] at 6:5.
static uint16_t off8(uint32_t v)
{
	return (uint16_t)((v >> 3 & 7) << 10 | (v >> 6 & 3) << 5);
}

// c.lw, c.sw: uimm[5:3] at 12:10, uimm[2] at 6, uimm[6] at 5.
static uint16_t off4(uint32_t v)
{
	return (uint16_t)((v >> 3 & 7) << 10 | bit(v, 2, 6) | bit(v, 6, 5));
}

static uint16_t imm6(uint32_t v)
{
	return (uint16_t)((v & 31) << 2 | bit(v, 5, 12));
}

static uint16_t jump_off(uint32_t v)
{
	return bit(v, 11, 12) | bit(v, 4, 11) | bit(v, 9, 10) | bit(v, 8, 9) | bit(v, 10, 8) |
	       bit(v, 6, 7) | bit(v, 7, 6) | bit(v, 3, 5) | bit(v, 2, 4) | bit(v, 1, 3) |
	       bit(v, 5, 2);
}

static uint16_t branch_off(uint32_t v)
{
	return bit(v, 8, 12) | bit(v, 4, 11) | bit(v, 3, 10) | bit(v, 7, 6) | bit(v, 6, 5) |
	       bit(v, 2, 4) | bit(v, 1, 3) | bit(v, 5, 2);
}

// Loads and stores relative to x8..x15 and to sp, with the base put where the access falls into
// the data window.
static void c_memory(void)
{
	static const uint16_t plain[] = {0x2000, 0x4000, 0x6000, 0xa000, 0xc000, 0xe000};
	static const uint16_t stack[] = {0x2002, 0x4002, 0x6002, 0xa002, 0xc002, 0xe002};
	unsigned which = pick(6);
	bool word = which % 3 == 1, store = which >= 3, fp = which % 3 == 0;
	uint64_t at = DATA_BASE + pick(DATA_BYTES - 8);
	uint32_t off, rest;

	if (chance(60))
		at &= ~7ull;
	if (chance(50)) {
		int base = 8 + (int)pick(8), reg = 8 + (int)pick(8);

		off = word ? 4 * pick(32) : 8 * pick(32);
		if (store)
			fp ? load_fp(reg, true) : load_int(reg);
		la(base, at - off);
		emit16((uint16_t)(plain[which] | (word ? off4(off) : off8(off)) | (base - 8) << 7 |
				  (reg - 8) << 2));
		return;
	}
	int reg = fp || store ? any_reg() : some_reg();

	off = word ? 4 * pick(64) : 8 * pick(64);
	if (store)
		fp ? load_fp(reg, true) : load_int(reg);
	la(SP, at - off);
	if (store) // uimm[5:2] at 12:9, [7:6] at 8:7; or [5:3] at 12:10, [8:6] at 9:7
		rest = word ? (off >> 2 & 15) << 9 | (off >> 6 & 3) << 7
			    : (off >> 3 & 7) << 10 | (off >> 6 & 7) << 7;
	else // uimm[5] at 12, [4:2] at 6:4, [7:6] at 3:2; or [4:3] at 6:5, [8:6] at 4:2
		rest = bit(off, 5, 12) | (word ? (off >> 2 & 7) << 4 | (off >> 6 & 3) << 2
					       : (off >> 3 & 3) << 5 | (off >> 6 & 7) << 2);
	emit16((uint16_t)(stack[which] | rest | reg << (store ? 2 : 7)));
}

static void c_jump(void)
{
	int rs = 8 + (int)pick(8), reg = some_reg();
	uint64_t at;

	switch (pick(5)) {
	case 0: // c.j over n halfwords
		at = 2 * (1 + pick(6));
		emit16((uint16_t)(0xa001 | jump_off((uint32_t)at)));
		for (uint64_t n = 1; n < at / 2; n++)
			emit16((uint16_t)(0x4001 | some_reg() << 7));
		break;
	case 1:
	case 2: // c.beqz, c.bnez
		if (chance(50))
			load_int(rs);
		else
			addi(rs, X0, 0);
		at = 2 * (1 + pick(6));
		emit16((uint16_t)((chance(50) ? 0xc001 : 0xe001) | (rs - 8) << 7 |
				  branch_off((uint32_t)at)));
		for (uint64_t n = 1; n < at / 2; n++)
			emit16((uint16_t)(0x4001 | some_reg() << 7));
		break;
	default: // c.jr, c.jalr
		at = forward_la(reg);
		if (chance(30))
			addi(reg, reg, 1);
		emit16((uint16_t)((chance(50) ? 0x8002 : 0x9002) | reg << 7));
		for (unsigned n = pick(3); n; n--)
			emit16((uint16_t)(0x4001 | some_reg() << 7));
		land_la(at);
	}
}

static void c_far_jump(void)
{
	// Backwards: to a landing pad that jumps on. Tests the signs of the offsets.
	int rs = 8 + (int)pick(8);
	uint64_t over = forward_jump(), pad = here();
	uint64_t on = forward_jump();

	for (unsigned n = pick(40); n; n--)
		emit32(random_alu());
	land_jump(over);
	if (chance(50)) {
		emit16((uint16_t)(0xa001 | jump_off((uint32_t)(pad - here()))));
	} else {
		addi(rs, X0, chance(50));
		emit16((uint16_t)((chance(50) ? 0xc001 : 0xe001) | (rs - 8) << 7 |
				  branch_off((uint32_t)(pad - here()))));
	}
	land_jump(on);
}

static void c_alu(void)
{
	int rd = any_reg(), rs = any_reg(), rd8 = 8 + (int)pick(8), rs8 = 8 + (int)pick(8);
	uint32_t imm = pick(64), off;

	switch (pick(12)) {
	case 0: // c.addi; with rd = 0 or imm = 0 a hint
		load_int(rd);
		emit16((uint16_t)(0x0001 | rd << 7 | imm6(imm)));
		break;
	case 1: // c.addiw
		rd = some_reg();
		load_int(rd);
		emit16((uint16_t)(0x2001 | rd << 7 | imm6(imm)));
		break;
	case 2: // c.li
		emit16((uint16_t)(0x4001 | rd << 7 | imm6(imm)));
		break;
	case 3: // c.lui
		if (rd == SP)
			rd = A0;
		emit16((uint16_t)(0x6001 | rd << 7 | imm6(imm ? imm : 1)));
		break;
	case 4: // c.addi16sp
		load_int(SP);
		off = (1 + pick(63)) << 4;
		emit16((uint16_t)(0x6101 | bit(off, 9, 12) | bit(off, 4, 6) | bit(off, 6, 5) |
				  bit(off, 7, 4) | bit(off, 8, 3) | bit(off, 5, 2)));
		break;
	case 5: // c.addi4spn
		load_int(SP);
		off = (1 + pick(255)) << 2;
		emit16((uint16_t)((off >> 4 & 3) << 11 | (off >> 6 & 15) << 7 | bit(off, 2, 6) |
				  bit(off, 3, 5) | (rd8 - 8) << 2));
		break;
	case 6: // c.srli, c.srai, c.andi
		load_int(rd8);
		emit16((uint16_t)(0x8001 | pick(3) << 10 | (rd8 - 8) << 7 | imm6(imm)));
		break;
	case 7: // c.slli
		load_int(rd);
		emit16((uint16_t)(0x0002 | rd << 7 | imm6(imm)));
		break;
	case 8: // c.sub xor or and
	case 9: // c.subw addw
		load_int(rd8);
		load_int(rs8);
		emit16((uint16_t)((chance(66) ? 0x8c01 | pick(4) << 5 : 0x9c01 | pick(2) << 5) |
				  (rd8 - 8) << 7 | (rs8 - 8) << 2));
		break;
	case 10: // c.mv, c.add
		rs = some_reg();
		load_int(rd);
		load_int(rs);
		emit16((uint16_t)((chance(50) ? 0x8002 : 0x9002) | rd << 7 | rs << 2));
		break;
	default:
		emit16(chance(80) ? 0x0001 : 0x9002); // c.nop, c.ebreak
	}
}

void compressed_item(void)
{
	unsigned n = pick(20);

	if (n < 11)
		c_alu();
	else if (n < 16)
		c_memory();
	else if (n < 19)
		c_jump();
	else
		c_far_jump();
}
