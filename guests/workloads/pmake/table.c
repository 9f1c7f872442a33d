// SPDX-License-Identifier: MIT
//
// The hash table: FNV-1a and linear probing, at most three quarters full. Iteration goes by sorted
// key, so that what is printed does not depend on the hash.

#include "table.h"

#include "arena.h"
#include "sort.h"

#include <stdbool.h>
#include <string.h>

static uint64_t hash_of(const char *key, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3u;
	return hash;
}

static bool same(const struct table_entry *entry, uint64_t hash, const char *key, size_t length)
{
	return entry->hash == hash && !strncmp(entry->key, key, length) && !entry->key[length];
}

static struct table_entry *slot_for(
	const struct table *table, uint64_t hash, const char *key, size_t length)
{
	size_t at = hash & (table->slot_count - 1);

	while (table->slots[at].key && !same(&table->slots[at], hash, key, length))
		at = (at + 1) & (table->slot_count - 1);
	return &table->slots[at];
}

static void grow(struct table *table)
{
	struct table old = *table;

	table->slot_count = old.slot_count ? old.slot_count * 2 : 16;
	table->slots = arena_get(table->arena, table->slot_count * sizeof(*table->slots));
	for (size_t i = 0; i < old.slot_count; i++) {
		const struct table_entry *entry = &old.slots[i];

		if (entry->key)
			*slot_for(table, entry->hash, entry->key, strlen(entry->key)) = *entry;
	}
}

int64_t *table_at(struct table *table, const char *key, size_t length)
{
	uint64_t hash = hash_of(key, length);
	struct table_entry *slot;

	if (4 * (table->used + 1) > 3 * table->slot_count)
		grow(table);
	slot = slot_for(table, hash, key, length);
	if (!slot->key) {
		slot->key = arena_copy(table->arena, key, length);
		slot->hash = hash;
		table->used++;
	}
	return &slot->value;
}

const int64_t *table_find(const struct table *table, const char *key, size_t length)
{
	const struct table_entry *slot;

	if (!table->used)
		return NULL;
	slot = slot_for(table, hash_of(key, length), key, length);
	return slot->key ? &slot->value : NULL;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct table_entry *)a)->key, ((const struct table_entry *)b)->key);
}

struct table_entry *table_sorted(const struct table *table)
{
	struct table_entry *all = arena_get(table->arena, (table->used + 1) * sizeof(*all));
	size_t count = 0;

	for (size_t i = 0; i < table->slot_count; i++)
		if (table->slots[i].key)
			all[count++] = table->slots[i];
	sort_stable(all, count, sizeof(*all), by_key);
	return all;
}
