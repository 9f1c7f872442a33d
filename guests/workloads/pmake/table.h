// SPDX-License-Identifier: MIT
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdint.h>

struct arena;

struct table_entry {
	const char *key;
	uint64_t hash;
	int64_t value;
};

// Strings to integers, by open addressing. Keys are copied into the arena, which also holds the
// slots.
struct table {
	struct arena *arena;
	struct table_entry *slots; // a power of two of them, NULL while empty
	size_t slot_count, used;
};

// The value's place for key, made with value 0 when it is not there. Valid until the next call.
int64_t *table_at(struct table *table, const char *key, size_t length);

// The value's place, or NULL.
const int64_t *table_find(const struct table *table, const char *key, size_t length);

// All entries, sorted by key, in new arena memory; used says how many.
struct table_entry *table_sorted(const struct table *table);

#endif
