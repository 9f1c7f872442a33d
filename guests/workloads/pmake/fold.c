// SPDX-License-Identifier: MIT
//
// Constant folding, and the meaning of the operators it shares with the virtual machine.

#include "token.h"
#include "tree.h"

#include <stdbool.h>
#include <stddef.h>

int64_t tree_unary(int op, int64_t a)
{
	return op == '-' ? (int64_t) - (uint64_t)a : !a;
}

int64_t tree_binary(int op, int64_t a, int64_t b)
{
	switch (op) {
	case '+':
		return (int64_t)((uint64_t)a + (uint64_t)b);
	case '-':
		return (int64_t)((uint64_t)a - (uint64_t)b);
	case '*':
		return (int64_t)((uint64_t)a * (uint64_t)b);
	case '/':
		return !b ? 0 : b == -1 ? tree_unary('-', a) : a / b;
	case '%':
		return !b || b == -1 ? 0 : a % b;
	case '&':
		return a & b;
	case '|':
		return a | b;
	case '^':
		return a ^ b;
	case '<':
		return a < b;
	case '>':
		return a > b;
	case TOKEN_AT_MOST:
		return a <= b;
	case TOKEN_AT_LEAST:
		return a >= b;
	case TOKEN_EQUAL:
		return a == b;
	case TOKEN_UNEQUAL:
		return a != b;
	case TOKEN_AND:
		return a && b;
	case TOKEN_OR:
		return a || b;
	default:
		return 0;
	}
}

static bool is_number(const struct tree *tree)
{
	return tree && tree->kind == TREE_NUMBER;
}

static void become(struct tree *tree, int64_t number)
{
	tree->kind = TREE_NUMBER;
	tree->number = number;
	tree->a = tree->b = NULL;
}

// x + 0, x - 0, x * 1, x / 1, and the first two turned around: the whole is the other operand.
static struct tree *neutral(const struct tree *tree)
{
	if (is_number(tree->b)) {
		if ((tree->op == '+' || tree->op == '-') && tree->b->number == 0)
			return tree->a;
		if ((tree->op == '*' || tree->op == '/') && tree->b->number == 1)
			return tree->a;
	}
	if (is_number(tree->a)) {
		if ((tree->op == '+' && tree->a->number == 0) ||
			(tree->op == '*' && tree->a->number == 1))
			return tree->b;
	}
	return NULL;
}

unsigned tree_fold(struct tree *tree)
{
	unsigned gone = 0;

	for (; tree; tree = tree->next) {
		struct tree *other;

		gone += tree_fold(tree->a) + tree_fold(tree->b) + tree_fold(tree->c);
		if (tree->kind == TREE_UNARY && is_number(tree->a)) {
			become(tree, tree_unary(tree->op, tree->a->number));
			gone++;
		} else if (tree->kind == TREE_BINARY && is_number(tree->a) && is_number(tree->b)) {
			become(tree, tree_binary(tree->op, tree->a->number, tree->b->number));
			gone += 2;
		} else if (tree->kind == TREE_BINARY && (other = neutral(tree))) {
			*tree = *other;
			gone += 2;
		}
	}
	return gone;
}
