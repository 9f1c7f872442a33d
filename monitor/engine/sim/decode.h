// SPDX-License-Identifier: MIT
/*
 * Instructions as numbers and operands: what decode.c makes of the table insn.def, and the text
 * that disasm.c makes of it. Nothing here knows a CPU.
 */
#ifndef MONITOR_ENGINE_SIM_DECODE_H
#define MONITOR_ENGINE_SIM_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct op {              /* one decoded instruction */
	const void *run; /* where exec.c executes it */
	uint8_t rd, rs1, rs2;
	uint8_t off; /* from the start of the block, in 2-byte units */
	int32_t imm;
};

/* Instruction numbers, in table order. */
enum insn {
#define INSN(id, ...) I_##id,
#include "monitor/engine/sim/insn.def"
#undef INSN
	INSN_COUNT
};

/* How operands are encoded and printed; what each means is at decode_operands(). */
enum format {
	F_NONE,
	F_R,
	F_R2,
	F_I,
	F_SH,
	F_LOAD,
	F_STORE,
	F_B,
	F_U,
	F_AUIPC,
	F_J,
	F_JR,
	F_CSR,
	F_CSRI,
	F_FENCE,
	F_SFENCE,
	F_LR,
	F_AMO,
	F_FLOAD,
	F_FSTORE,
	F_FR,
	F_FRM,
	F_FR4,
	F_FCMP,
	F_FTOX,
	F_FTOXM,
	F_XTOF,
	F_XTOFM,
	F_FUN,
	F_END,
	F_SYS,
	F_MARK
};

struct insn_info {
	const char *name;
	uint32_t match, mask;
	enum format format;
};
extern const struct insn_info insn_info[INSN_COUNT];

/* Is this the last instruction of a block? */
bool insn_ends_block(enum insn i);
/* The instruction a 32-bit word encodes, I_ILLEGAL if none, with its operands in *op (run is not
 * set). */
enum insn decode32(uint32_t word, struct op *op);
/* The 32-bit equivalent of a compressed instruction, 0 if illegal. */
uint32_t decode_expand(uint16_t half);

/* "addi    a0,a0,1": text of the instruction at pc into buf. Returns its length in bytes (2 or 4).
 */
unsigned disasm(uint64_t pc, uint32_t word, char *buf, size_t size);

#endif
