// SPDX-License-Identifier: MIT
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stddef.h>
#include <stdint.h>

struct text;

struct script {
	const char *name, *source;
	size_t elements; // of the array `at`
};

struct script_result {
	unsigned wrong_line; // 0: the source was right
	unsigned folded;     // nodes computed beforehand
	int64_t executed;    // instructions, -1: an index was outside
};

extern const struct script scripts[];
extern const size_t script_count;

struct script_result script_run(const struct script *script, struct text *out);

#endif
