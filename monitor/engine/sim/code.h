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

enum { BLOCK_MAX = 48 };

struct op {              /* one decoded instruction */
	const void *run; /* where exec.c executes it */
	uint8_t rd, rs1, rs2;
	uint8_t off; /* from the start of the block, in 2-byte units */
	int32_t imm;
};

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

struct sim_vm {
	uint8_t *arena;
	size_t arena_used;
	struct block **hash;
	uint32_t *page_blocks; /* by ppn: the first block decoded from this page, as arena offset +
				  1 */
	uint8_t *page_code;    /* by ppn: CODE_* */
	uint32_t dirty[256];
	unsigned n_dirty;        /* > 256: too many to list */
	struct sim_vcpu *acting; /* the hart that is being executed; NULL at the boundary */
	bool model;          /* blocks are decoded for the executor with the memory-system model */
	uint64_t generation; /* the last given to any hart of this VM */
	uint64_t flushes;    /* of the whole arena */
	uint64_t decoded;    /* instructions */
	uint32_t *table;     /* frames of the monitor's tables (mode.c), vm->n_tables of them; */
	uint32_t level[3];   /* mode nested: where those of each level begin */
	struct service_trace *trace; /* of service.c */
};

enum { CODE_PRESENT = 1, CODE_DIRTY = 2 };
/* Sized so that all the monitor keeps for a VM of 192 MB stays under 3 MiB. */
enum { ARENA_BYTES = 1664 * 1024, HASH_BUCKETS = 8192 };

void code_init(struct vm *vm);
void code_free(struct vm *vm);
/* The block at cpu->pc in the current context; NULL after a fetch exception was taken. */
struct block *code_lookup(struct sim_vcpu *cpu);
/* Drop every block of the VM: physical memory protection changed. */
void code_drop_all(struct vm *vm);
/* fence.i */
void code_fence(struct sim_vm *evm, struct vm *vm);
/* A store or DMA is about to reach ppn. */
void code_page_written(struct sim_vm *evm, uint32_t ppn);

/* ---- decode.c */

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

/* Where exec.c executes each instruction: [0] functional, [1] with the memory-system model. */
extern const void *exec_label[2][INSN_COUNT];

/* ---- disasm.c */

/* "addi    a0,a0,1": text of the instruction at pc into buf. Returns its length in bytes (2 or 4).
 */
unsigned disasm(uint64_t pc, uint32_t word, char *buf, size_t size);

#endif
