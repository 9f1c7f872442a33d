// SPDX-License-Identifier: MIT
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena_block;

// Memory that is given out piece by piece and given back all at once. Zero-initialised is empty.
struct arena {
	struct arena_block *blocks;
	size_t given; // bytes handed out, before alignment
};

// Zeroed memory, aligned for anything. Never NULL: without memory the program ends.
void *arena_get(struct arena *arena, size_t bytes);

// A copy of length bytes at text, with a zero behind.
char *arena_copy(struct arena *arena, const char *text, size_t length);

void arena_drop(struct arena *arena);

#endif
