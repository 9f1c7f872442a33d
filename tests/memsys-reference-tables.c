// SPDX-License-Identifier: MIT
/*
 * The slow model's caches and TLBs: see memsys-reference-tables.h. What the fast model keeps in
 * order of use is here an array with times, looked through from end to end.
 */
#include <stdlib.h>

#include "tests/memsys-reference-tables.h"

/* ---- a set-associative cache with LRU */

void ref_cache_create(struct ref_cache *k, const struct machine_cache *shape)
{
	k->shape = *shape;
	k->sets = shape->size_bytes / shape->line_bytes / shape->ways;
	k->way = xcalloc(k->sets * shape->ways, sizeof(k->way[0]));
}

void ref_cache_free(struct ref_cache *k)
{
	free(k->way);
}

struct ref_way *ref_cache_find(const struct ref_cache *k, uint64_t ma)
{
	uint64_t line = ma / k->shape.line_bytes;
	struct ref_way *set = &k->way[line % k->sets * k->shape.ways];

	for (unsigned i = 0; i < k->shape.ways; i++)
		if (set[i].valid && set[i].line == line)
			return &set[i];
	return NULL;
}

struct ref_way *ref_cache_victim(const struct ref_cache *k, uint64_t ma)
{
	struct ref_way *set = &k->way[ma / k->shape.line_bytes % k->sets * k->shape.ways];
	struct ref_way *best = &set[0];

	for (unsigned i = 0; i < k->shape.ways; i++) {
		if (!set[i].valid)
			return &set[i];
		if (set[i].used < best->used)
			best = &set[i];
	}
	return best;
}

void ref_cache_fill(struct ref_cache *k, uint64_t ma, uint64_t now)
{
	*ref_cache_victim(k, ma) = (struct ref_way){true, ma / k->shape.line_bytes, now};
}

void ref_cache_lose(struct ref_cache *k, uint64_t begin, uint64_t bytes)
{
	for (uint64_t ma = begin; ma < begin + bytes; ma++) {
		struct ref_way *w = ref_cache_find(k, ma);

		if (w)
			w->valid = false;
	}
}

/* ---- a TLB, each set first in, first out */

void ref_tlb_create(struct ref_tlb *t, const struct machine *m)
{
	t->ways = m->tlb_ways ? m->tlb_ways : m->tlb_entries;
	t->sets = m->tlb_entries / t->ways;
	t->pages = m->tlb_pages;
	t->entry = xcalloc(m->tlb_entries, sizeof(t->entry[0]));
	t->n = xcalloc(t->sets, sizeof(t->n[0]));
}

void ref_tlb_free(struct ref_tlb *t)
{
	free(t->entry);
	free(t->n);
}

bool ref_tlb_enter(struct ref_tlb *t, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted)
{
	uint64_t pages = (1ull << order) * t->pages, set = vpn / pages % t->sets;
	struct ref_tlb_entry *e = &t->entry[set * t->ways];
	unsigned *n = &t->n[set];

	evicted->pages = 0;
	vpn -= vpn % pages;
	for (unsigned i = 0; i < *n; i++)
		if (e[i].alive && e[i].context == context && e[i].vpn == vpn && e[i].pages == pages)
			return true;
	if (*n == t->ways) {
		if (e[0].alive)
			*evicted = (struct memsys_tlb_victim){e[0].context, e[0].vpn, e[0].pages};
		for (unsigned i = 1; i < t->ways; i++)
			e[i - 1] = e[i];
		--*n;
	}
	e[(*n)++] = (struct ref_tlb_entry){true, context, vpn, pages};
	return false;
}

void ref_tlb_empty(struct ref_tlb *t)
{
	for (unsigned set = 0; set < t->sets; set++)
		t->n[set] = 0;
}

void ref_tlb_lose_context(struct ref_tlb *t, uint64_t context)
{
	for (unsigned i = 0; i < t->sets * t->ways; i++)
		if (t->entry[i].context == context)
			t->entry[i].alive = false;
}

void ref_tlb_lose_page(struct ref_tlb *t, uint64_t context, uint64_t vpn)
{
	for (unsigned i = 0; i < t->sets * t->ways; i++) {
		struct ref_tlb_entry *e = &t->entry[i];

		if (e->context == context && vpn >= e->vpn && vpn < e->vpn + e->pages)
			e->alive = false;
	}
}
