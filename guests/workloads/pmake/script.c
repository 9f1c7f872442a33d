// SPDX-License-Identifier: MIT
//
// Programs in the little language, and the way through tokenizer, parser, folding, compiler and
// machine.

#include "script.h"

#include "arena.h"
#include "code.h"
#include "table.h"
#include "text.h"
#include "tree.h"

const struct script scripts[] = {
	{"gcd",
		"a = 1071 * 4 + 0; b = 2 * 3 * 77; # folded\n"
		"while b != 0 { t = b; b = a % b; a = t; }\n"
		"print a;\n",
		0},
	{"collatz",
		"best = 0; n = 1;\n"
		"while n < 3000 {\n"
		"  x = n; steps = 0;\n"
		"  while x != 1 { if x % 2 == 0 { x = x / 2; } else { x = 3 * x + 1; } steps = "
		"steps + 1; }\n"
		"  if steps > best { best = steps; at_n = n; }\n"
		"  n = n + 1;\n"
		"}\n"
		"print at_n; print best;\n",
		0},
	{"queens",
		"# at[row] is the queen's column; counts all solutions on a board of 6\n"
		"size = 6; row = 0; at[0] = -1; found = 0;\n"
		"while row >= 0 {\n"
		"  at[row] = at[row] + 1;\n"
		"  if at[row] >= size { row = row - 1; } else {\n"
		"    free = 1; other = 0;\n"
		"    while other < row && free {\n"
		"      d = at[row] - at[other];\n"
		"      if d == 0 || d == row - other || d == other - row { free = 0; }\n"
		"      other = other + 1;\n"
		"    }\n"
		"    if free { if row == size - 1 { found = found + 1; } else { row = row + 1; "
		"at[row] = -1; } }\n"
		"  }\n"
		"}\n"
		"print found;\n",
		8},
	{"bubble",
		"n = 100; i = 0; x = 0x2a;\n"
		"while i < n { x = (x * 1103515245 + 12345) & 0x7fffffff; at[i] = x % 1000; i = i "
		"+ 1; }\n"
		"swapped = 1;\n"
		"while swapped {\n"
		"  swapped = 0; i = 0;\n"
		"  while i + 1 < n {\n"
		"    if at[i] > at[i + 1] { t = at[i]; at[i] = at[i + 1]; at[i + 1] = t; swapped = "
		"1; }\n"
		"    i = i + 1;\n"
		"  }\n"
		"}\n"
		"print at[0]; print at[n / 2]; print at[n - 1];\n",
		100},
	{"outside", "at[3] = 1;\n", 3},
	{"mistake", "a = 1;\nb = a + ;\n", 0},
};
const size_t script_count = sizeof(scripts) / sizeof(scripts[0]);

struct script_result script_run(const struct script *script, struct text *out)
{
	struct arena arena = {0};
	struct table variables = {.arena = &arena};
	struct code code = {.arena = &arena};
	struct script_result result = {0};
	struct tree *tree = tree_parse(script->source, &arena, &variables, &result.wrong_line);

	if (tree) {
		result.folded = tree_fold(tree);
		code_compile(&code, tree);
		result.executed = code_run(&code, variables.used, script->elements, out);
	}
	arena_drop(&arena);
	return result;
}
