// SPDX-License-Identifier: MIT
//
// The stack machine. The compiler says how deep the stack gets, so nothing is checked here but
// indices.

#include "arena.h"
#include "code.h"
#include "text.h"
#include "tree.h"

#include <inttypes.h>

int64_t code_run(const struct code *code, size_t variables, size_t elements, struct text *out)
{
	struct arena arena = {0};
	int64_t *variable = arena_get(&arena, (variables + 1) * sizeof(*variable));
	int64_t *element = arena_get(&arena, (elements + 1) * sizeof(*element));
	int64_t *top = arena_get(
		&arena, (code->deepest + 2) * sizeof(*top)); // points at the topmost entry
	const struct code_step *step = code->steps;
	int64_t executed = 0;

	for (;; step++) {
		executed++;
		switch (step->op) {
		case CODE_PUSH:
			*++top = step->operand;
			break;
		case CODE_LOAD:
			*++top = variable[step->operand];
			break;
		case CODE_STORE:
			variable[step->operand] = *top--;
			break;
		case CODE_LOAD_AT:
			if ((uint64_t)*top >= elements)
				goto outside;
			*top = element[*top];
			break;
		case CODE_STORE_AT:
			if ((uint64_t)*top >= elements)
				goto outside;
			element[top[0]] = top[-1];
			top -= 2;
			break;
		case CODE_UNARY:
			*top = tree_unary((int)step->operand, *top);
			break;
		case CODE_BINARY:
			top[-1] = tree_binary((int)step->operand, top[-1], top[0]);
			top--;
			break;
		case CODE_JUMP:
			step = code->steps + step->operand - 1;
			break;
		case CODE_JUMP_IF_ZERO:
			if (!*top--)
				step = code->steps + step->operand - 1;
			break;
		case CODE_PRINT:
			text_printf(out, "%" PRId64 "\n", *top--);
			break;
		case CODE_HALT:
			arena_drop(&arena);
			return executed;
		}
	}
outside:
	arena_drop(&arena);
	return -1;
}
