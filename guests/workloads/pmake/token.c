// SPDX-License-Identifier: MIT
//
// The tokenizer of the little language: decimal and hexadecimal numbers, names, operators, and
// comments from # to the line's end.

#include "token.h"

#include <ctype.h>
#include <string.h>

static const struct {
	const char *spelling;
	int kind;
} words[] = {{"while", TOKEN_WHILE}, {"if", TOKEN_IF}, {"else", TOKEN_ELSE},
	{"print", TOKEN_PRINT}},
  pairs[] = {{"==", TOKEN_EQUAL}, {"!=", TOKEN_UNEQUAL}, {"<=", TOKEN_AT_MOST},
	  {">=", TOKEN_AT_LEAST}, {"&&", TOKEN_AND}, {"||", TOKEN_OR}};

static void skip_blank(struct tokenizer *t)
{
	for (;; t->at++) {
		if (*t->at == '#')
			t->at += strcspn(t->at, "\n");
		if (*t->at == '\n')
			t->line++;
		else if (*t->at != ' ' && *t->at != '\t')
			return;
	}
}

static void read_number(struct token *token)
{
	const char *at = token->start;
	uint64_t value = 0, base = 10;

	token->kind = TOKEN_NUMBER;
	if (at[0] == '0' && at[1] == 'x') {
		base = 16;
		at += 2;
	}
	for (; isxdigit((unsigned char)*at); at++) {
		unsigned digit = isdigit((unsigned char)*at)
					 ? (unsigned)(*at - '0')
					 : (unsigned)(tolower((unsigned char)*at) - 'a' + 10);

		if (digit >= base)
			break;
		value = value * base + digit;
	}
	token->number = (int64_t)value;
	token->length = (size_t)(at - token->start);
}

static void read_name(struct token *token)
{
	const char *at = token->start;

	while (isalnum((unsigned char)*at) || *at == '_')
		at++;
	token->kind = TOKEN_NAME;
	token->length = (size_t)(at - token->start);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].spelling) == token->length &&
			!memcmp(words[i].spelling, token->start, token->length))
			token->kind = words[i].kind;
}

struct token token_next(struct tokenizer *t)
{
	struct token token;

	skip_blank(t);
	token = (struct token){.start = t->at, .length = 1, .line = t->line};
	if (!*t->at) {
		token.kind = TOKEN_END;
		token.length = 0;
		return token;
	}
	if (isdigit((unsigned char)*t->at)) {
		read_number(&token);
	} else if (isalpha((unsigned char)*t->at) || *t->at == '_') {
		read_name(&token);
	} else {
		token.kind = strchr("+-*/%<>=!()[]{};,&|^", *t->at) ? *t->at : TOKEN_BAD;
		for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
			if (!strncmp(t->at, pairs[i].spelling, 2)) {
				token.kind = pairs[i].kind;
				token.length = 2;
			}
	}
	t->at += token.length;
	return token;
}
