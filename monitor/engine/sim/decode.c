// SPDX-License-Identifier: MIT
/*
 * From instruction words to operations, driven by insn.def. The rows are sorted once into buckets
 * by major opcode and funct3, so that a look-up compares a handful of them; compressed instructions
 * are first rewritten as the 32-bit instruction they abbreviate (unprivileged specification,
 * chapter "C"), so that nothing after this file knows of them but their length.
 */
#include <string.h>

#include "monitor/engine/sim/decode.h"
#include "numa/util.h"

const struct insn_info insn_info[INSN_COUNT] = {
#define INSN(id, text, m, k, fmt, ...) [I_##id] = {text, m, k, fmt},
#include "monitor/engine/sim/insn.def"
#undef INSN
};

enum { BUCKETS = 32 * 8, BUCKET_MAX = 64 };
static uint16_t bucket[BUCKETS][BUCKET_MAX];
static uint8_t bucket_n[BUCKETS];

/* Before main: the table is constant afterwards, whatever thread decodes first. */
__attribute__((constructor)) static void sort_rows(void)
{
	for (unsigned i = 0; i < I_END; i++) {
		const struct insn_info *info = &insn_info[i];

		for (unsigned f3 = 0; f3 < 8; f3++) {
			unsigned b = (info->match >> 2 & 31) * 8 + f3;

			if (((f3 << 12) ^ info->match) & info->mask & 0x7000)
				continue;
			if (bucket_n[b] == BUCKET_MAX)
				die("insn.def: too many instructions in one bucket");
			bucket[b][bucket_n[b]++] = i;
		}
	}
}

static int32_t imm_i(uint32_t w)
{
	return (int32_t)w >> 20;
}

static int32_t imm_s(uint32_t w)
{
	return ((int32_t)w >> 25) * 32 + (int32_t)(w >> 7 & 31);
}

static int32_t imm_b(uint32_t w)
{
	return ((int32_t)w >> 31) * 4096 +
	       (int32_t)((w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1);
}

static int32_t imm_j(uint32_t w)
{
	return ((int32_t)w >> 31) * (1 << 20) +
	       (int32_t)((w >> 12 & 255) << 12 | (w >> 20 & 1) << 11 | (w >> 21 & 1023) << 1);
}

/* What each format makes of the word. Destination x0 becomes register 32, which no instruction
 * reads. */
static void decode_operands(enum format format, uint32_t w, struct op *op)
{
	unsigned rd = w >> 7 & 31;
	unsigned rs1 = w >> 15 & 31;
	unsigned rs2 = w >> 20 & 31;

	op->rd = rd ? rd : 32;
	op->rs1 = rs1;
	op->rs2 = rs2;
	op->imm = 0;
	switch (format) {
	case F_I:
	case F_MARK:
	case F_LOAD:
	case F_JR:
		op->imm = imm_i(w);
		break;
	case F_SH:
		op->imm = w >> 20 & 63;
		break;
	case F_STORE:
	case F_FSTORE:
		op->imm = imm_s(w);
		break;
	case F_B:
		op->imm = imm_b(w);
		break;
	case F_U:
	case F_AUIPC:
		op->imm = (int32_t)(w & 0xfffff000);
		break;
	case F_J:
		op->imm = imm_j(w);
		break;
	case F_CSR:
	case F_CSRI:
		op->imm = w >> 20;
		break;
	case F_FLOAD:
		op->rd = rd;
		op->imm = imm_i(w);
		break;
	case F_FR:
	case F_XTOF:
		op->rd = rd;
		break;
	case F_FRM:
	case F_FUN:
	case F_XTOFM:
		op->rd = rd;
		op->imm = w >> 12 & 7;
		break;
	case F_FTOXM:
		op->imm = w >> 12 & 7;
		break;
	case F_FR4:
		op->rd = rd;
		op->imm = (w >> 12 & 7) | (w >> 27) << 8;
		break;
	default:
		break;
	}
}

enum insn decode32(uint32_t word, struct op *op)
{
	unsigned b = (word >> 2 & 31) * 8 + (word >> 12 & 7);

	memset(op, 0, sizeof(*op));
	if ((word & 3) != 3)
		return I_ILLEGAL;
	for (unsigned i = 0; i < bucket_n[b]; i++) {
		const struct insn_info *info = &insn_info[bucket[b][i]];

		if ((word & info->mask) == info->match) {
			decode_operands(info->format, word, op);
			return bucket[b][i];
		}
	}
	return I_ILLEGAL;
}

bool insn_ends_block(enum insn i)
{
	switch (insn_info[i].format) {
	case F_B:
	case F_J:
	case F_JR:
	case F_SYS:
	case F_SFENCE:
	case F_END:
		return true;
	default:
		return i == I_FENCE_I;
	}
}

/* ---- compressed */

static uint32_t enc_r(uint32_t base, unsigned rd, unsigned rs1, unsigned rs2)
{
	return base | rd << 7 | rs1 << 15 | rs2 << 20;
}

static uint32_t enc_i(uint32_t base, unsigned rd, unsigned rs1, int32_t imm)
{
	return base | rd << 7 | rs1 << 15 | (uint32_t)imm << 20;
}

static uint32_t enc_s(uint32_t base, unsigned rs1, unsigned rs2, uint32_t imm)
{
	return base | (imm & 31) << 7 | rs1 << 15 | rs2 << 20 | (imm >> 5 & 127) << 25;
}

static uint32_t enc_b(uint32_t base, unsigned rs1, uint32_t imm)
{
	return base | rs1 << 15 | (imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 |
	       (imm >> 1 & 15) << 8 | (imm >> 11 & 1) << 7;
}

static uint32_t enc_j(unsigned rd, uint32_t imm)
{
	return insn_info[I_JAL].match | rd << 7 | (imm >> 20 & 1) << 31 | (imm >> 1 & 1023) << 21 |
	       (imm >> 11 & 1) << 20 | (imm >> 12 & 255) << 12;
}

/* bits hi..lo of h, placed so that the lowest lands on bit `to` */
static uint32_t field(uint16_t h, unsigned hi, unsigned lo, unsigned to)
{
	return (uint32_t)(h >> lo & ((1u << (hi - lo + 1)) - 1)) << to;
}

static int32_t sign(uint32_t v, unsigned bits)
{
	return (int32_t)(v << (32 - bits)) >> (32 - bits);
}

#define M(id) insn_info[I_##id].match

static uint32_t expand_quadrant0(uint16_t h)
{
	unsigned rd = 8 + (h >> 2 & 7), rs1 = 8 + (h >> 7 & 7);
	uint32_t word_offset = field(h, 12, 10, 3) | field(h, 6, 6, 2) | field(h, 5, 5, 6);
	uint32_t double_offset = field(h, 12, 10, 3) | field(h, 6, 5, 6);
	uint32_t imm;

	switch (h >> 13) {
	case 0: /* c.addi4spn */
		imm = field(h, 12, 11, 4) | field(h, 10, 7, 6) | field(h, 6, 6, 2) |
		      field(h, 5, 5, 3);
		return imm ? enc_i(M(ADDI), rd, 2, imm) : 0;
	case 1:
		return enc_i(M(FLD), rd, rs1, double_offset);
	case 2:
		return enc_i(M(LW), rd, rs1, word_offset);
	case 3:
		return enc_i(M(LD), rd, rs1, double_offset);
	case 5:
		return enc_s(M(FSD), rs1, rd, double_offset);
	case 6:
		return enc_s(M(SW), rs1, rd, word_offset);
	case 7:
		return enc_s(M(SD), rs1, rd, double_offset);
	default:
		return 0;
	}
}

static uint32_t expand_arithmetic(uint16_t h, int32_t imm6)
{
	static const int row[8] = {I_SUB, I_XOR, I_OR, I_AND, I_SUBW, I_ADDW, -1, -1};
	unsigned rd = 8 + (h >> 7 & 7), rs2 = 8 + (h >> 2 & 7);
	int i;

	switch (h >> 10 & 3) {
	case 0:
		return enc_i(M(SRLI), rd, rd, imm6 & 63);
	case 1:
		return enc_i(M(SRAI), rd, rd, imm6 & 63);
	case 2:
		return enc_i(M(ANDI), rd, rd, imm6);
	default:
		i = row[(h >> 12 & 1) << 2 | (h >> 5 & 3)];
		return i < 0 ? 0 : enc_r(insn_info[i].match, rd, rd, rs2);
	}
}

static uint32_t expand_quadrant1(uint16_t h)
{
	unsigned rd = h >> 7 & 31;
	int32_t imm6 = sign(field(h, 12, 12, 5) | field(h, 6, 2, 0), 6);
	uint32_t jump = field(h, 12, 12, 11) | field(h, 11, 11, 4) | field(h, 10, 9, 8) |
			field(h, 8, 8, 10) | field(h, 7, 7, 6) | field(h, 6, 6, 7) |
			field(h, 5, 3, 1) | field(h, 2, 2, 5);
	uint32_t branch = field(h, 12, 12, 8) | field(h, 11, 10, 3) | field(h, 6, 5, 6) |
			  field(h, 4, 3, 1) | field(h, 2, 2, 5);
	uint32_t imm;

	switch (h >> 13) {
	case 0:
		return enc_i(M(ADDI), rd, rd, imm6);
	case 1:
		return rd ? enc_i(M(ADDIW), rd, rd, imm6) : 0;
	case 2:
		return enc_i(M(ADDI), rd, 0, imm6);
	case 3:
		if (rd == 2) {
			imm = field(h, 12, 12, 9) | field(h, 6, 6, 4) | field(h, 5, 5, 6) |
			      field(h, 4, 3, 7) | field(h, 2, 2, 5);
			return imm ? enc_i(M(ADDI), 2, 2, sign(imm, 10)) : 0;
		}
		return imm6 ? M(LUI) | rd << 7 | (uint32_t)imm6 << 12 : 0;
	case 4:
		return expand_arithmetic(h, imm6);
	case 5:
		return enc_j(0, sign(jump, 12));
	case 6:
		return enc_b(M(BEQ), 8 + (h >> 7 & 7), sign(branch, 9));
	default:
		return enc_b(M(BNE), 8 + (h >> 7 & 7), sign(branch, 9));
	}
}

static uint32_t expand_quadrant2(uint16_t h)
{
	unsigned rd = h >> 7 & 31, rs2 = h >> 2 & 31;
	uint32_t load_w = field(h, 12, 12, 5) | field(h, 6, 4, 2) | field(h, 3, 2, 6);
	uint32_t load_d = field(h, 12, 12, 5) | field(h, 6, 5, 3) | field(h, 4, 2, 6);
	uint32_t store_w = field(h, 12, 9, 2) | field(h, 8, 7, 6);
	uint32_t store_d = field(h, 12, 10, 3) | field(h, 9, 7, 6);

	switch (h >> 13) {
	case 0:
		return enc_i(M(SLLI), rd, rd, field(h, 12, 12, 5) | field(h, 6, 2, 0));
	case 1:
		return enc_i(M(FLD), rd, 2, load_d);
	case 2:
		return rd ? enc_i(M(LW), rd, 2, load_w) : 0;
	case 3:
		return rd ? enc_i(M(LD), rd, 2, load_d) : 0;
	case 4:
		if (!(h >> 12 & 1)) {
			if (rs2)
				return enc_r(M(ADD), rd, 0, rs2);
			return rd ? enc_i(M(JALR), 0, rd, 0) : 0;
		}
		if (rs2)
			return enc_r(M(ADD), rd, rd, rs2);
		return rd ? enc_i(M(JALR), 1, rd, 0) : M(EBREAK);
	case 5:
		return enc_s(M(FSD), 2, rs2, store_d);
	case 6:
		return enc_s(M(SW), 2, rs2, store_w);
	default:
		return enc_s(M(SD), 2, rs2, store_d);
	}
}

uint32_t decode_expand(uint16_t half)
{
	switch (half & 3) {
	case 0:
		return expand_quadrant0(half);
	case 1:
		return expand_quadrant1(half);
	case 2:
		return expand_quadrant2(half);
	default:
		return 0;
	}
}
