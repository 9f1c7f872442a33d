// SPDX-License-Identifier: MIT
// The families of tests. An item is the smallest piece of a program that makes sense by itself: one
// instruction with the loading of its operands, or one probe of an address. Each function emits
// one item at the end of the program, taking all its choices from rng(); it may clobber any
// register but must leave mscratch alone and return to the mode it was
// entered in.
#ifndef TESTS_DIFF_ITEMS_H
#define TESTS_DIFF_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

void base_pools(void);         // constants of this seed; before the first block
void base_setup(void);         // page tables for the following; a block of its own
void base_enter(uint32_t how); // goes on in M, S or U and some translation, as `how` says
void base_leave(void);         // back to M-mode
void base_item(void);          // unprivileged instructions
void compressed_item(void);    // one 16-bit instruction with its operands
void priv_item(void);          // CSRs, modes, privileged instructions
void paging_setup(void);       // contents of the target pages; a block of its own
void paging_item(void);        // Sv39 and Sv48
void pmp_item(void);           // physical memory protection
void irq_item(void);           // interrupts: priority, delegation, vectors

// What base.c lends the others.
void load_int(int rd); // rd gets a corner value; nothing for x0
void load_fp(int fd, bool is_double);
int any_reg(void);         // x0..x31
int some_reg(void);        // x1..x31
uint32_t random_alu(void); // a whole ALU or FP instruction, registers as they are

// One instruction in another mode, used by the privileged families: mret to it, execute it, come
// back by the trap it takes or by the ecall behind it. Either is in the trap log.
struct probe {
	int mode;         // where the access is executed: 0 U, 1 S, 3 M
	int mpp;          // with mode 3: MPRV's effective mode, or -1 for no MPRV
	uint64_t mstatus; // SUM, MXR and such, set before
	uint64_t satp;
	uint64_t medeleg;
	uint64_t va;
	uint64_t value;       // operand of a store
	uint64_t code_offset; // from the code to its alias for U-mode in the page table
	uint32_t insn;        // with rs1 = a0, rs2 = a1, rd = a2; 0 = jump to va
	bool keep_tlb;        // no sfence.vma: the tables are as they were
	bool set_sepc;        // sepc = behind the instruction, for sret
};
void emit_probe(const struct probe *p); // clobbers t0, t1, a0..a2
uint32_t random_access(bool store); // a memory instruction for a probe; without, no store or AMO

// Physical pages that probes aim at, filled by paging_setup: four of data, four of code. Code is at
// every 64th byte but the first, and an ecall straddles the end of each page.
#define DATA_PAGE(n) (TARGET_BASE + 0x1000 * (uint64_t)(n))
#define CODE_PAGE(n) (TARGET_BASE + 0x4000 + 0x1000 * (uint64_t)(n))
uint64_t code_offset(void);      // in a code page
#define USER_ALIAS 0x40000000ull // U-mode sees physical addresses this much higher
uint64_t identity_satp(void);    // S-mode sees physical addresses, U-mode the alias

#endif
