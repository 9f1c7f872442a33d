// SPDX-License-Identifier: MIT
// The instructions under test, from the tables of the RISC-V specification ("RV32/64G Instruction
// Set Listings", "B" extension, privileged chapter), and operand values worth trying. Written
// independently of the monitor's own table, so that one checks the other.
#ifndef TESTS_DIFF_ISA_H
#define TESTS_DIFF_ISA_H

#include <stdbool.h>
#include <stdint.h>

enum insn_class { ALU, FP, LOAD, STORE, AMO, LR, SC, BRANCH, JUMP, CSR, FENCE, SYSTEM };

// One encoding. `args` spells rd, rs1, rs2, rs3 as x (integer), s or d (FP register holding a
// single or a double) or - (field fixed by match), then what else there is: i 12-bit immediate,
// 6 or 5 shift amount of that width, u upper immediate, m rounding mode.
struct insn {
	const char *name;
	uint32_t match, mask;
	enum insn_class class;
	const char *args;
};
extern const struct insn insns[];
extern const unsigned n_insns;

const struct insn *insn_find(uint32_t word); // 0 if no 32-bit instruction of the ISA
const struct insn *insn_pick(enum insn_class class);
const struct insn *insn_named(const char *name); // ends the program if there is none

uint64_t int_corner(void);
uint64_t single_corner(void); // NaN-boxed, now and then not
uint64_t double_corner(void);

#endif
