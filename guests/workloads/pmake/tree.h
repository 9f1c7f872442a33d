// SPDX-License-Identifier: MIT
#ifndef TREE_H
#define TREE_H

#include <stdint.h>

struct arena;
struct table;

enum tree_kind {
	TREE_NUMBER,
	TREE_VARIABLE,
	TREE_ELEMENT,
	TREE_UNARY,
	TREE_BINARY,
	TREE_ASSIGN,
	TREE_PRINT,
	TREE_IF,
	TREE_WHILE,
	TREE_BLOCK
};

// One node. What the fields mean depends on the kind:
//   NUMBER number; VARIABLE slot; ELEMENT a = index in the one array `at`; UNARY op a; BINARY op a
//   b; ASSIGN a (variable or element) = b; PRINT a; IF a then b else c; WHILE a do b; BLOCK a, then
//   its next siblings.
struct tree {
	enum tree_kind kind;
	int op; // a token kind
	int64_t number;
	unsigned slot;
	struct tree *a, *b, *c, *next;
};

// The tree of a whole program, in the arena; variables get slots from 0 up. NULL when it is wrong,
// and then *wrong_line says where.
struct tree *tree_parse(
	const char *source, struct arena *arena, struct table *variables, unsigned *wrong_line);

// Computes what is known beforehand, in place; returns how many nodes went.
unsigned tree_fold(struct tree *tree);

// What an operator does, the same for folding and running. Division by zero gives zero, everything
// wraps.
int64_t tree_unary(int op, int64_t a);
int64_t tree_binary(int op, int64_t a, int64_t b);

#endif
