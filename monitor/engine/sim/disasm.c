// SPDX-License-Identifier: MIT
/*
 * Text of an instruction, from the same table that executes it. The notation is that of the RISC-V
 * assembly programmer's manual, without pseudo-instructions: what is printed is what is encoded. A
 * compressed instruction is shown as the one it abbreviates, with "c." before it.
 */
#include <stdio.h>

#include "monitor/engine/sim/csr.h"
#include "monitor/engine/sim/decode.h"

static const char *const xreg[] = {"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
	"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8",
	"s9", "s10", "s11", "t3", "t4", "t5", "t6", "zero"};
static const char *const freg[] = {"ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0",
	"fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5",
	"fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11"};
static const char *const rounding[] = {"rne", "rtz", "rdn", "rup", "rmm", "rm5", "rm6", "dyn"};

static void print_csr(unsigned csr, char *buf, size_t size)
{
	const char *name = csr_name(csr);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "0x%x", csr);
}

static void operands(enum insn i, const struct op *o, uint64_t pc, char *buf, size_t size)
{
	const char *d = xreg[o->rd], *s1 = xreg[o->rs1], *s2 = xreg[o->rs2];
	const char *fd = freg[o->rd & 31], *f1 = freg[o->rs1], *f2 = freg[o->rs2];
	const char *rm = rounding[o->imm & 7];
	unsigned long long target = pc + o->imm;
	char csr[32];

	buf[0] = 0;
	switch (insn_info[i].format) {
	case F_R:
		snprintf(buf, size, "%s,%s,%s", d, s1, s2);
		break;
	case F_R2:
		snprintf(buf, size, "%s,%s", d, s1);
		break;
	case F_I:
	case F_SH:
		snprintf(buf, size, "%s,%s,%d", d, s1, o->imm);
		break;
	case F_LOAD:
	case F_JR:
		snprintf(buf, size, "%s,%d(%s)", d, o->imm, s1);
		break;
	case F_STORE:
		snprintf(buf, size, "%s,%d(%s)", s2, o->imm, s1);
		break;
	case F_B:
		snprintf(buf, size, "%s,%s,0x%llx", s1, s2, target);
		break;
	case F_U:
	case F_AUIPC:
		snprintf(buf, size, "%s,0x%x", d, (uint32_t)o->imm >> 12);
		break;
	case F_J:
		snprintf(buf, size, "%s,0x%llx", d, target);
		break;
	case F_CSR:
		print_csr(o->imm, csr, sizeof(csr));
		snprintf(buf, size, "%s,%s,%s", d, csr, s1);
		break;
	case F_CSRI:
		print_csr(o->imm, csr, sizeof(csr));
		snprintf(buf, size, "%s,%s,%u", d, csr, o->rs1);
		break;
	case F_MARK:
		snprintf(buf, size, "%d", o->imm);
		break;
	case F_SFENCE:
		snprintf(buf, size, "%s,%s", s1, s2);
		break;
	case F_LR:
		snprintf(buf, size, "%s,(%s)", d, s1);
		break;
	case F_AMO:
		snprintf(buf, size, "%s,%s,(%s)", d, s2, s1);
		break;
	case F_FLOAD:
		snprintf(buf, size, "%s,%d(%s)", fd, o->imm, s1);
		break;
	case F_FSTORE:
		snprintf(buf, size, "%s,%d(%s)", f2, o->imm, s1);
		break;
	case F_FR:
		snprintf(buf, size, "%s,%s,%s", fd, f1, f2);
		break;
	case F_FRM:
		snprintf(buf, size, "%s,%s,%s,%s", fd, f1, f2, rm);
		break;
	case F_FR4:
		snprintf(buf, size, "%s,%s,%s,%s,%s", fd, f1, f2, freg[o->imm >> 8], rm);
		break;
	case F_FUN:
		snprintf(buf, size, "%s,%s,%s", fd, f1, rm);
		break;
	case F_FCMP:
		snprintf(buf, size, "%s,%s,%s", d, f1, f2);
		break;
	case F_FTOX:
		snprintf(buf, size, "%s,%s", d, f1);
		break;
	case F_FTOXM:
		snprintf(buf, size, "%s,%s,%s", d, f1, rm);
		break;
	case F_XTOF:
		snprintf(buf, size, "%s,%s", fd, s1);
		break;
	case F_XTOFM:
		snprintf(buf, size, "%s,%s,%s", fd, s1, rm);
		break;
	default:
		break;
	}
}

unsigned disasm(uint64_t pc, uint32_t word, char *buf, size_t size)
{
	bool compressed = (word & 3) != 3;
	uint32_t full = compressed ? decode_expand((uint16_t)word) : word;
	char args[80];
	struct op op;
	enum insn i = decode32(full, &op);

	if (i == I_ILLEGAL) {
		snprintf(buf, size, compressed ? ".half   0x%04x" : ".word   0x%08x",
			word & (compressed ? 0xffff : UINT32_MAX));
		return compressed ? 2 : 4;
	}
	operands(i, &op, pc, args, sizeof(args));
	snprintf(buf, size, "%s%-*s %s", compressed ? "c." : "", compressed ? 5 : 7,
		insn_info[i].name, args);
	return compressed ? 2 : 4;
}
