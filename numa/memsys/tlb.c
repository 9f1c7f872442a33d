// SPDX-License-Identifier: MIT
/*
 * The modelled TLBs. Entries stand in sets, each a ring whose oldest entry is replaced next; a
 * fully associative TLB is one set. So that a large set costs no search, entries are also chained
 * by a hash of what they map. A flushed entry leaves a hole, which its turn in the ring fills.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/memsys/private.h"

struct tlb_slot {
	uint64_t context;
	uint64_t vpn;   /* first page */
	uint64_t pages; /* 0: empty */
	uint32_t next;  /* in the chain: slot + 1, or 0 */
};

struct memsys_tlb {
	uint32_t entries, ways;
	bool used; /* something was entered since the last flush: guests flush often in vain */
	uint64_t set_mask;
	unsigned pair_order; /* 1 with page pairs */
	uint64_t orders;     /* bit per size of entries ever entered */
	uint32_t *turn;      /* by set: the way replaced next */
	uint32_t *chain;     /* by hash: slot + 1, or 0 */
	uint32_t hash_mask;
	struct tlb_slot slot[];
};

struct memsys_tlb *memsys_tlb_create(const struct machine *m)
{
	struct memsys_tlb *t = xcalloc(1, sizeof(*t) + m->tlb_entries * sizeof(t->slot[0]));
	uint32_t buckets = 1;

	while (buckets < 2 * m->tlb_entries)
		buckets *= 2;
	t->entries = m->tlb_entries;
	t->ways = m->tlb_ways ? m->tlb_ways : m->tlb_entries;
	t->set_mask = t->entries / t->ways - 1;
	t->pair_order = m->tlb_pages > 1;
	t->turn = xcalloc(t->set_mask + 1, sizeof(t->turn[0]));
	t->chain = xcalloc(buckets, sizeof(t->chain[0]));
	t->hash_mask = buckets - 1;
	return t;
}

void memsys_tlb_destroy(struct memsys_tlb *t)
{
	free(t->turn);
	free(t->chain);
	free(t);
}

static uint32_t *chain_of(const struct memsys_tlb *t, uint64_t context, uint64_t vpn)
{
	uint64_t h = (vpn ^ context * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;

	return &t->chain[h >> 32 & t->hash_mask];
}

static struct tlb_slot *find(struct memsys_tlb *t, uint64_t context, uint64_t vpn, uint64_t pages)
{
	for (uint32_t i = *chain_of(t, context, vpn); i; i = t->slot[i - 1].next) {
		struct tlb_slot *s = &t->slot[i - 1];

		if (s->vpn == vpn && s->context == context && s->pages == pages)
			return s;
	}
	return NULL;
}

static void empty(struct memsys_tlb *t, struct tlb_slot *s)
{
	uint32_t *link = chain_of(t, s->context, s->vpn), me = (uint32_t)(s - t->slot) + 1;

	while (*link != me)
		link = &t->slot[*link - 1].next;
	*link = s->next;
	s->pages = 0;
}

bool memsys_tlb_access(struct memsys_cpu *c, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted)
{
	struct memsys_tlb *t = c->tlb;
	unsigned shift = order + t->pair_order;
	uint64_t pages = 1ull << shift, set = vpn >> shift & t->set_mask;
	struct tlb_slot *s;
	uint32_t *link;

	evicted->pages = 0;
	vpn &= ~(pages - 1);
	if (find(t, context, vpn, pages))
		return true;

	s = &t->slot[set * t->ways + t->turn[set]];
	t->turn[set] = t->turn[set] + 1 == t->ways ? 0 : t->turn[set] + 1;
	if (s->pages) {
		*evicted = (struct memsys_tlb_victim){s->context, s->vpn, s->pages};
		empty(t, s);
	}
	link = chain_of(t, context, vpn);
	*s = (struct tlb_slot){context, vpn, pages, *link};
	*link = (uint32_t)(s - t->slot) + 1;
	t->orders |= pages;
	t->used = true;
	c->n.tlb_misses++;
	c->n.stall[STALL_TLB] += c->ms->tlb_refill;
	return false;
}

void memsys_tlb_flush(struct memsys_cpu *c)
{
	struct memsys_tlb *t = c->tlb;

	if (!t->used)
		return;
	t->used = false;
	for (uint32_t i = 0; i < t->entries; i++)
		t->slot[i].pages = 0;
	memset(t->turn, 0, (t->set_mask + 1) * sizeof(t->turn[0]));
	memset(t->chain, 0, ((size_t)t->hash_mask + 1) * sizeof(t->chain[0]));
	t->orders = 0;
}

void memsys_tlb_flush_context(struct memsys_cpu *c, uint64_t context)
{
	struct memsys_tlb *t = c->tlb;

	for (uint32_t i = 0; i < t->entries; i++)
		if (t->slot[i].pages && t->slot[i].context == context)
			empty(t, &t->slot[i]);
}

void memsys_tlb_flush_page(struct memsys_cpu *c, uint64_t context, uint64_t vpn)
{
	struct memsys_tlb *t = c->tlb;

	for (uint64_t left = t->orders; left; left &= left - 1) {
		uint64_t pages = left & -left;
		struct tlb_slot *s = find(t, context, vpn & ~(pages - 1), pages);

		if (s)
			empty(t, s);
	}
}
