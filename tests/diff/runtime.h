// SPDX-License-Identifier: MIT
// What every generated program contains besides the tests: the code that loads registers before a
// block and saves, hashes and prints them after it, and the trap handlers. See runtime.c for the
// layout of the state page and the format of the output.
#ifndef TESTS_DIFF_RUNTIME_H
#define TESTS_DIFF_RUNTIME_H

#include <stdint.h>

// Offsets in the state page. x1..x31 are at 8 * n.
enum {
	ST_RESUME = 0, // where the next trap continues in M-mode; 0 = after the instruction
	ST_F = 256,    // f0..f31
	ST_FCSR = 512,
	ST_MSTATUS = 520,
	ST_END = 528, // what is above is the block's result
	ST_LOG = 528, // next free trap record
	ST_HASH = 536,
	ST_T = 544,      // three registers of the handler
	ST_HEADER = 576, // flags of the running block
	ST_LEAVE = 584,  // address of the ecall that ends a block's lower mode, or 0
};

#define LOG_RECORD 64 // mcause mepc mtval mstatus scause sepc stval vector

enum { BLOCK_DUMP = 1, BLOCK_END = 2 };

// Where S-mode handlers and vector tables are, for the privileged families.
struct runtime {
	uint64_t m_direct, m_vectored;
	uint64_t s_direct, s_vectored;
	uint64_t reset_csrs;  // the routine the block end calls
	uint64_t first_block; // where the first block's address is to be patched in
};
extern struct runtime rt;

// Emits the runtime at the start of the program; the first block must follow directly after
// pools and such have been emitted and runtime_start_blocks() has been called.
void runtime_emit(void);
void runtime_start_blocks(void);

void block_begin(unsigned flags);
void block_end(void);

// Code of a test may keep a value: the register goes to the next slot of the block's data window.
// Clobbers `tmp`; both registers must not be x0.
void record(int reg, int tmp);
void record_reset(void);

// The next trap continues at the place where land_la() is called for the result. Clobbers t0, t1.
uint64_t resume_at(void);

#endif
