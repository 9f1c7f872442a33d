// SPDX-License-Identifier: MIT
//
// The parser: recursive descent for statements, precedence climbing for expressions. The first
// error ends it.

#include "arena.h"
#include "table.h"
#include "token.h"
#include "tree.h"

#include <stddef.h>

struct parser {
	struct tokenizer tokenizer;
	struct token token; // the next one
	struct arena *arena;
	struct table *variables;
	unsigned wrong_line; // 0 while all is well
};

static struct tree *statement(struct parser *p);
static struct tree *expression(struct parser *p, int lowest);

static void step(struct parser *p)
{
	p->token = token_next(&p->tokenizer);
}

static void expect(struct parser *p, int kind)
{
	if (p->token.kind == kind)
		step(p);
	else if (!p->wrong_line)
		p->wrong_line = p->token.line;
}

static struct tree *node(struct parser *p, enum tree_kind kind, struct tree *a, struct tree *b)
{
	struct tree *tree = arena_get(p->arena, sizeof(*tree));

	tree->kind = kind;
	tree->a = a;
	tree->b = b;
	return tree;
}

static int precedence(int op)
{
	switch (op) {
	case TOKEN_OR:
		return 1;
	case TOKEN_AND:
		return 2;
	case TOKEN_EQUAL:
	case TOKEN_UNEQUAL:
		return 3;
	case '<':
	case '>':
	case TOKEN_AT_MOST:
	case TOKEN_AT_LEAST:
		return 4;
	case '|':
	case '^':
		return 5;
	case '&':
		return 6;
	case '+':
	case '-':
		return 7;
	case '*':
	case '/':
	case '%':
		return 8;
	default:
		return 0;
	}
}

static struct tree *operand(struct parser *p)
{
	struct token token = p->token;
	struct tree *tree;

	step(p);
	switch (token.kind) {
	case TOKEN_NUMBER:
		tree = node(p, TREE_NUMBER, NULL, NULL);
		tree->number = token.number;
		return tree;
	case TOKEN_NAME:
		if (p->token.kind == '[') {
			step(p);
			tree = node(p, TREE_ELEMENT, expression(p, 1), NULL);
			expect(p, ']');
			return tree;
		}
		tree = node(p, TREE_VARIABLE, NULL, NULL);
		if (!table_find(p->variables, token.start, token.length)) {
			int64_t slot = (int64_t)p->variables->used;

			*table_at(p->variables, token.start, token.length) = slot;
		}
		tree->slot = (unsigned)*table_find(p->variables, token.start, token.length);
		return tree;
	case '(':
		tree = expression(p, 1);
		expect(p, ')');
		return tree;
	case '-':
	case '!':
		tree = node(p, TREE_UNARY, operand(p), NULL);
		tree->op = token.kind;
		return tree;
	default:
		if (!p->wrong_line)
			p->wrong_line = token.line;
		return node(p, TREE_NUMBER, NULL, NULL);
	}
}

static struct tree *expression(struct parser *p, int lowest)
{
	struct tree *left = operand(p);

	while (precedence(p->token.kind) >= lowest && !p->wrong_line) {
		int op = p->token.kind;

		step(p);
		left = node(p, TREE_BINARY, left, expression(p, precedence(op) + 1));
		left->op = op;
	}
	return left;
}

static struct tree *block(struct parser *p, int end)
{
	struct tree *tree = node(p, TREE_BLOCK, NULL, NULL), **last = &tree->a;

	while (p->token.kind != end && !p->wrong_line) {
		*last = statement(p);
		last = &(*last)->next;
	}
	expect(p, end);
	return tree;
}

static struct tree *statement(struct parser *p)
{
	int kind = p->token.kind;
	struct tree *tree;

	if (kind == TOKEN_IF || kind == TOKEN_WHILE) {
		step(p);
		tree = node(p, kind == TOKEN_IF ? TREE_IF : TREE_WHILE, expression(p, 1), NULL);
		expect(p, '{');
		tree->b = block(p, '}');
		if (kind == TOKEN_IF && p->token.kind == TOKEN_ELSE) {
			step(p);
			expect(p, '{');
			tree->c = block(p, '}');
		}
		return tree;
	}
	if (kind == TOKEN_PRINT) {
		step(p);
		tree = node(p, TREE_PRINT, expression(p, 1), NULL);
	} else {
		tree = node(p, TREE_ASSIGN, operand(p), NULL);
		if (tree->a->kind != TREE_VARIABLE && tree->a->kind != TREE_ELEMENT &&
			!p->wrong_line)
			p->wrong_line = p->token.line;
		expect(p, '=');
		tree->b = expression(p, 1);
	}
	expect(p, ';');
	return tree;
}

struct tree *tree_parse(
	const char *source, struct arena *arena, struct table *variables, unsigned *wrong_line)
{
	struct parser p = {
		.tokenizer = {.at = source, .line = 1}, .arena = arena, .variables = variables};
	struct tree *tree;

	step(&p);
	tree = block(&p, TOKEN_END);
	*wrong_line = p.wrong_line;
	return p.wrong_line ? NULL : tree;
}
