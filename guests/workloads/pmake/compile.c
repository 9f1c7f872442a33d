// SPDX-License-Identifier: MIT
//
// From the tree to instructions of a stack machine, in one walk; jumps forward are patched when
// their target is known.

#include "arena.h"
#include "code.h"
#include "token.h"
#include "tree.h"

#include <string.h>

static size_t emit(struct code *code, enum code_op op, int64_t operand)
{
	if (code->count == code->room) {
		size_t room = code->room ? code->room * 2 : 64;
		struct code_step *steps = arena_get(code->arena, room * sizeof(*steps));

		if (code->count)
			memcpy(steps, code->steps, code->count * sizeof(*steps));
		code->steps = steps;
		code->room = room;
	}
	code->steps[code->count] = (struct code_step){op, operand};
	return code->count++;
}

static void value(struct code *code, const struct tree *tree, unsigned depth)
{
	size_t patch;

	if (depth + 1 > code->deepest)
		code->deepest = depth + 1;
	switch (tree->kind) {
	case TREE_NUMBER:
		emit(code, CODE_PUSH, tree->number);
		break;
	case TREE_VARIABLE:
		emit(code, CODE_LOAD, tree->slot);
		break;
	case TREE_ELEMENT:
		value(code, tree->a, depth);
		emit(code, CODE_LOAD_AT, 0);
		break;
	case TREE_UNARY:
		value(code, tree->a, depth);
		emit(code, CODE_UNARY, tree->op);
		break;
	case TREE_BINARY:
		value(code, tree->a, depth);
		if (tree->op == TOKEN_AND) {
			// A false left side is the result; the right one, which may index with it,
			// is not looked at.
			patch = emit(code, CODE_JUMP_IF_ZERO, 0);
			value(code, tree->b, depth);
			emit(code, CODE_PUSH, 0);
			emit(code, CODE_BINARY, TOKEN_UNEQUAL);
			emit(code, CODE_JUMP, (int64_t)code->count + 2);
			code->steps[patch].operand = (int64_t)emit(code, CODE_PUSH, 0);
			if (depth + 2 > code->deepest)
				code->deepest = depth + 2;
			break;
		}
		value(code, tree->b, depth + 1);
		emit(code, CODE_BINARY, tree->op);
		break;
	default:
		break;
	}
}

static void run(struct code *code, const struct tree *tree)
{
	size_t start, patch, end;

	switch (tree->kind) {
	case TREE_BLOCK:
		for (const struct tree *one = tree->a; one; one = one->next)
			run(code, one);
		break;
	case TREE_ASSIGN:
		value(code, tree->b, 0);
		if (tree->a->kind == TREE_ELEMENT) {
			value(code, tree->a->a, 1);
			emit(code, CODE_STORE_AT, 0);
		} else {
			emit(code, CODE_STORE, tree->a->slot);
		}
		break;
	case TREE_PRINT:
		value(code, tree->a, 0);
		emit(code, CODE_PRINT, 0);
		break;
	case TREE_WHILE:
		start = code->count;
		value(code, tree->a, 0);
		patch = emit(code, CODE_JUMP_IF_ZERO, 0);
		run(code, tree->b);
		emit(code, CODE_JUMP, (int64_t)start);
		code->steps[patch].operand = (int64_t)code->count;
		break;
	case TREE_IF:
		value(code, tree->a, 0);
		patch = emit(code, CODE_JUMP_IF_ZERO, 0);
		run(code, tree->b);
		if (tree->c) {
			end = emit(code, CODE_JUMP, 0);
			code->steps[patch].operand = (int64_t)code->count;
			run(code, tree->c);
			patch = end;
		}
		code->steps[patch].operand = (int64_t)code->count;
		break;
	default:
		break;
	}
}

void code_compile(struct code *code, const struct tree *program)
{
	run(code, program);
	emit(code, CODE_HALT, 0);
}
