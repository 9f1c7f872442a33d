// SPDX-License-Identifier: MIT
#ifndef CODE_H
#define CODE_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct text;
struct tree;

enum code_op {
	CODE_PUSH,
	CODE_LOAD,
	CODE_STORE,
	CODE_LOAD_AT,
	CODE_STORE_AT,
	CODE_UNARY,
	CODE_BINARY,
	CODE_JUMP,
	CODE_JUMP_IF_ZERO,
	CODE_PRINT,
	CODE_HALT
};

struct code_step {
	enum code_op op;
	int64_t operand; // number, slot, token kind or target
};

struct code {
	struct arena *arena;
	struct code_step *steps;
	size_t count, room;
	unsigned deepest; // stack entries needed
};

void code_compile(struct code *code, const struct tree *program);

// Runs it with so many variables and elements of `at`, all zero at first; what it prints is added
// to out, a line a number. Returns the instructions executed, or -1 when an index was outside.
int64_t code_run(const struct code *code, size_t variables, size_t elements, struct text *out);

#endif
