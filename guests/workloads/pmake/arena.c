// SPDX-License-Identifier: MIT
//
// An arena: the parser's and the tables' memory. Nothing here is freed alone, so a block needs no
// list of its pieces.

#include "arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16384 };

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *new_block(size_t room, struct arena_block *next)
{
	struct arena_block *block = calloc(1, sizeof(*block) + room);

	if (!block) {
		fputs("tally: out of memory\n", stderr);
		exit(1);
	}
	block->next = next;
	block->room = room;
	return block;
}

void *arena_get(struct arena *arena, size_t bytes)
{
	size_t step = alignof(max_align_t), rounded = (bytes + step - 1) / step * step;
	struct arena_block *block = arena->blocks;
	void *piece;

	if (rounded > BLOCK_BYTES) {
		// A big piece gets a block of its own behind the current one, which keeps its room.
		struct arena_block *own = new_block(rounded, block ? block->next : NULL);

		if (block)
			block->next = own;
		else
			arena->blocks = own;
		own->used = rounded;
		arena->given += bytes;
		return own->bytes;
	}
	if (!block || block->room - block->used < rounded)
		arena->blocks = block = new_block(BLOCK_BYTES, block);
	piece = block->bytes + block->used;
	block->used += rounded;
	arena->given += bytes;
	return piece;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_get(arena, length + 1);

	memcpy(copy, text, length);
	return copy;
}

void arena_drop(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	arena->given = 0;
}
