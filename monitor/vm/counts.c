// SPDX-License-Identifier: MIT
/*
 * Sums of counts; see counts.h.
 */
#include "monitor/vm/counts.h"

#define FIELD(f)                                                                                   \
	{                                                                                          \
#f, offsetof(struct memsys_counts, f)                                              \
	}

const struct count_field count_field[COUNT_FIELDS] = {
	FIELD(fetches),
	FIELD(reads),
	FIELD(writes),
	FIELD(walks),
	FIELD(l1i_misses),
	FIELD(l1d_misses),
	FIELD(local),
	FIELD(remote),
	FIELD(local_dirty),
	FIELD(remote_dirty),
	FIELD(upgrades),
	FIELD(invalidations),
	FIELD(write_backs),
	FIELD(tlb_misses),
	FIELD(dma_reads),
	FIELD(dma_writes),
	FIELD(hot_dropped),
};
_Static_assert(sizeof(struct memsys_counts) == (COUNT_FIELDS + MEMSYS_STALLS) * sizeof(uint64_t),
	"every count is a uint64_t and in the table");

void counts_add(struct memsys_counts *sum, const struct memsys_counts *now,
	const struct memsys_counts *then)
{
	const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)then;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += a[i] - (b ? b[i] : 0);
}

void tally_add(struct tally *sum, const struct tally *t)
{
	sum->cpu_cycles += t->cpu_cycles;
	counts_add(&sum->n, &t->n, NULL);
}

static struct move_counts moves_between(
	const struct move_counts *then, const struct move_counts *now)
{
	return (struct move_counts){
		.migrations = now->migrations - then->migrations,
		.replications = now->replications - then->replications,
		.collapses = now->collapses - then->collapses,
		.given_back = now->given_back - then->given_back,
		.refused = now->refused - then->refused,
		.cycles = now->cycles - then->cycles,
	};
}

struct region region_between(const struct region *then, const struct region *now)
{
	struct region r = {.cycles = now->cycles - then->cycles,
		.t.cpu_cycles = now->t.cpu_cycles - then->t.cpu_cycles,
		.account = account_between(&then->account, &now->account),
		.moves = moves_between(&then->moves, &now->moves)};

	counts_add(&r.t.n, &now->t.n, &then->t.n);
	return r;
}

void region_add(struct region *sum, const struct region *r)
{
	sum->cycles += r->cycles;
	tally_add(&sum->t, &r->t);
	account_add(&sum->account, &r->account);
	sum->moves.migrations += r->moves.migrations;
	sum->moves.replications += r->moves.replications;
	sum->moves.collapses += r->moves.collapses;
	sum->moves.given_back += r->moves.given_back;
	sum->moves.refused += r->moves.refused;
	sum->moves.cycles += r->moves.cycles;
}

uint64_t counts_stall(const struct memsys_counts *n)
{
	uint64_t sum = 0;

	for (int k = 0; k < MEMSYS_STALLS; k++)
		sum += n->stall[k];
	return sum;
}
