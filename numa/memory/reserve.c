// SPDX-License-Identifier: MIT
/*
 * Frames set aside for a VM's next first touches, by node. In the run phase no VM may go to the
 * pools, whose state depends on what others do; so each takes from a small reserve of its own,
 * which the boundary fills, in order of VM. A reserve is of no use to other VMs, so when the
 * pools are empty, the largest is taken back.
 */
#include <errno.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/pmap-private.h"

static uint32_t reserve_left(const struct reserve *r)
{
	return r->n - r->head;
}

/* Give back up to `want` frames, the ones that would be used last first. */
static uint32_t reserve_give_back(struct pmap *pm, uint32_t want)
{
	uint32_t given = 0;

	for (unsigned node = pm->mem->n_nodes; node-- > 0 && given < want;)
		for (struct reserve *r = &pm->reserve[node]; reserve_left(r) && given < want;
			given++)
			frame_unreserve(pm->mem, r->frame[--r->n]);
	pm->n_reserved -= given;
	return given;
}

/*
 * Take half of the largest reserve of all VMs back into the pools. `last`: also when that is one
 * frame; a refill must not, or two starving VMs could take the last frame from each other in turn.
 */
static uint32_t steal(struct memory *mem, bool last)
{
	struct pmap *richest = NULL;

	for (struct pmap *pm = mem->p->pmaps; pm; pm = pm->next)
		if (!richest || pm->n_reserved > richest->n_reserved)
			richest = pm;
	return richest ? reserve_give_back(richest, (richest->n_reserved + last) / 2) : 0;
}

uint32_t reserve_steal(struct memory *mem)
{
	return steal(mem, true);
}

/* May first touches take another frame? */
static bool plenty(const struct pmap *pm)
{
	struct memory_usage u;

	if (!pm->watermark)
		return true;
	memory_usage(pm->mem, -1, &u);
	return u.free > pm->watermark;
}

static void refill_one(struct pmap *pm, unsigned node, uint32_t want)
{
	struct reserve *r = &pm->reserve[node];

	if (r->head) {
		memmove(r->frame, r->frame + r->head, reserve_left(r) * sizeof(r->frame[0]));
		r->n -= r->head;
		r->head = 0;
	}
	while (r->n < want && (r->n || plenty(pm))) {
		uint32_t mpn = frame_reserve(pm->mem, node, pm->id);

		/* A VM that has frames left does not take those of others. */
		if (mpn == MPN_NONE && !pm->n_reserved && steal(pm->mem, false))
			mpn = frame_reserve(pm->mem, node, pm->id);
		if (mpn == MPN_NONE)
			break;
		r->frame[r->n++] = mpn;
		pm->n_reserved++;
	}
	r->starved = r->n == 0;
}

void pmap_refill(struct pmap *pm, unsigned node)
{
	unsigned n = pm->mem->n_nodes;
	uint32_t each = MIN((uint32_t)RESERVE_FRAMES, MAX((uint32_t)SPREAD_MIN, SPREAD_FRAMES / n));

	if (memory_spreads(pm->mem))
		for (unsigned i = 0; i < n; i++)
			refill_one(pm, i, each);
	else if (pm->n_homes)
		for (unsigned i = 0; i < pm->n_homes; i++)
			refill_one(pm, pm->home[i].node, each);
	else
		refill_one(pm, node, RESERVE_FRAMES);
}

void pmap_set_watermark(struct pmap *pm, uint32_t frames)
{
	pm->watermark = frames;
}

void pmap_drain(struct pmap *pm)
{
	reserve_give_back(pm, UINT32_MAX);
}

int reserve_take(struct pmap *pm, unsigned node, uint32_t *mpn)
{
	unsigned n = pm->reserve[node].starved ? pm->mem->n_nodes : 1;

	for (unsigned i = 0; i < n; i++) {
		struct reserve *r = &pm->reserve[memory_nearest(pm->mem, node, i)];

		if (reserve_left(r)) {
			*mpn = r->frame[r->head++];
			pm->n_reserved--;
			return 0;
		}
	}
	return pm->reserve[node].starved ? -ENOMEM : -EAGAIN;
}
