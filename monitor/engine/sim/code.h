// SPDX-License-Identifier: MIT
/*
 * Decoded code. A block is a run of instructions within one page that ends at a jump, at a page's
 * end or after BLOCK_MAX instructions; it is known by virtual and physical address together, so
 * pc-relative results can be computed from it and an alias of the same page is another block.
 *
 * A block's two links lead to the blocks that follow it (taken, not taken). A link within the page
 * holds as long as the block does; a link to another page holds as long as the address space does,
 * which cpu->context names: every flush gives a new one.
 *
 * Code that the guest rewrites becomes visible at its next fence.i, as the ISA manual requires: a
 * page with decoded code loses the right to be written quickly, the first store marks it dirty,
 * fence.i drops the blocks of dirty pages. The arena never grows: when it is full everything is
 * dropped and decoded anew.
 *
 * A translator to host code would fill `ops` differently and replace exec.c; nothing else would
 * notice.
 */
#ifndef MONITOR_ENGINE_SIM_CODE_H
#define MONITOR_ENGINE_SIM_CODE_H

#include "monitor/engine/sim/cpu.h"
#include "monitor/engine/sim/decode.h"

enum { BLOCK_MAX = 48 };

struct link {
	struct block *to;
	uint64_t context;
	uint64_t mask; /* bits of context that must agree: 0 within the page */
};

struct block {
	uint64_t va, pa;
	struct link link[2]; /* [0] taken or jump, [1] falls through */
	struct block *hash_next;
	uint32_t page_next; /* as page_blocks */
	uint16_t n;         /* instructions */
	uint16_t bytes;     /* of code */
	uint16_t span;      /* from the first byte to the last one in the first byte's page */
	bool kept; /* false: gone when the next block is decoded, so nothing may link to or from it
		    */
	struct op op[];
};

/* Sized so that all the monitor keeps for a VM of 192 MB stays under 3 MiB. */
enum { ARENA_BYTES = 1664 * 1024, HASH_BUCKETS = 8192 };

void code_init(struct vm *vm);
void code_free(struct vm *vm);
/* The block at cpu->pc in the current context. NULL: there is none; the caller raises what is
 * pending (trap_fault()), if anything. */
struct block *code_lookup(struct sim_vcpu *cpu);
/* Drop every block of the VM: physical memory protection changed. */
void code_drop_all(struct vm *vm);
/* fence.i */
void code_fence(struct sim_vm *evm, struct vm *vm);

/* Where exec.c executes each instruction: [0] functional, [1] with the memory-system model. */
extern const void *exec_label[2][INSN_COUNT];

#endif
