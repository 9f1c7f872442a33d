// SPDX-License-Identifier: MIT
/*
 * The tables of the slow memory-system model: a set-associative cache with LRU, which says what
 * line is where, and a TLB with FIFO sets. They know nothing of CPUs, of the directory or of costs:
 * that is memsys-reference.c. No other file uses it.
 */
#ifndef TESTS_MEMSYS_REFERENCE_TABLES_H
#define TESTS_MEMSYS_REFERENCE_TABLES_H

#include "numa/memsys/memsys.h"

struct ref_way {
	bool valid;
	uint64_t line; /* line number: machine address / line size */
	uint64_t used; /* when last */
};

struct ref_cache {
	struct machine_cache shape;
	uint64_t sets;
	struct ref_way *way; /* [set][way] */
};

void ref_cache_create(struct ref_cache *k, const struct machine_cache *shape);
void ref_cache_free(struct ref_cache *k);
/* The way that has the line of ma, or NULL. */
struct ref_way *ref_cache_find(const struct ref_cache *k, uint64_t ma);
/* The way to fill with it: a free one, else the least recently used. */
struct ref_way *ref_cache_victim(const struct ref_cache *k, uint64_t ma);
void ref_cache_fill(struct ref_cache *k, uint64_t ma, uint64_t now);
/* Drop all lines that have a byte of these. */
void ref_cache_lose(struct ref_cache *k, uint64_t begin, uint64_t bytes);

struct ref_tlb_entry {
	bool alive;
	uint64_t context, vpn, pages;
};

struct ref_tlb {
	unsigned sets, ways, pages;  /* pages: of an entry, for leaves of one page */
	struct ref_tlb_entry *entry; /* [set][age], oldest first */
	unsigned *n;                 /* by set: entries in it, dead ones too */
};

void ref_tlb_create(struct ref_tlb *t, const struct machine *m);
void ref_tlb_free(struct ref_tlb *t);
/* True: it is there. Else it is now, and *evicted what had to go. */
bool ref_tlb_enter(struct ref_tlb *t, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted);
void ref_tlb_empty(struct ref_tlb *t);
void ref_tlb_lose_context(struct ref_tlb *t, uint64_t context);
void ref_tlb_lose_page(struct ref_tlb *t, uint64_t context, uint64_t vpn);

#endif
