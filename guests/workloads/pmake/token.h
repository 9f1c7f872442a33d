// SPDX-License-Identifier: MIT
#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>
#include <stdint.h>

// Operators of two characters have kinds of their own; those of one are their character.
enum token_kind {
	TOKEN_END = 0,
	TOKEN_BAD = 128,
	TOKEN_NUMBER,
	TOKEN_NAME,
	TOKEN_WHILE,
	TOKEN_IF,
	TOKEN_ELSE,
	TOKEN_PRINT,
	TOKEN_EQUAL,
	TOKEN_UNEQUAL,
	TOKEN_AT_MOST,
	TOKEN_AT_LEAST,
	TOKEN_AND,
	TOKEN_OR,
};

struct token {
	int kind;
	const char *start; // in the source
	size_t length;
	int64_t number; // of a TOKEN_NUMBER
	unsigned line;
};

struct tokenizer {
	const char *at;
	unsigned line;
};

struct token token_next(struct tokenizer *tokenizer);

#endif
