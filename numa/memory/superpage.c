// SPDX-License-Identifier: MIT
/*
 * Runs: for an engine that maps frames with the host's page tables, neighbours should be neighbours
 * there, too. One record of the host (a VMA) then serves many pages, and where frames of a huge
 * page lie side by side, one entry of a page table does. So the first page of a 2 MiB stretch of a
 * VM's memory that comes to a node, by a touch, a move or as a copy, sets a 2 MiB stretch of the
 * node's frames aside, and each of the others has its place there. A place that a page leaves
 * stays its own: pages that move away and come back, or all move to one node, end side by side.
 *
 * That costs other VMs nothing: the rest of a run is as good as free. When a node's pool is empty
 * its runs are broken up, the lowest first, and pages get single frames again, as they do where a
 * policy spreads them. So do pages that several VMs use. Single frames come from what lies between
 * runs and what was freed; so they break no run as long as there is any.
 *
 * While a run is whole, each of its frames is in use or reserved, none on the list of free ones.
 * Boundary. Engines that take frames in the run phase have reserves instead (reserve.c).
 */
#include <stdlib.h>

#include "numa/memory/memmap.h"
#include "numa/memory/pmap-private.h"

enum { NO_RUN = 0, BROKEN = 1 }; /* else: the first frame + 2 */

/* What a stretch of frames is set aside for. */
struct superpage_run {
	struct pmap *pm; /* NULL: nothing */
	uint32_t slot;   /* of pm's memory */
	uint32_t left;   /* frames that are reserved */
};

static uint32_t n_slots(const struct pmap *pm)
{
	return pm->n_pages >> LEAF_SHIFT; /* the last one, if smaller, has no run */
}

static size_t table_bytes(const struct pmap *pm)
{
	return (size_t)n_slots(pm) * pm->mem->n_nodes * sizeof(pm->run[0]);
}

size_t runs_overhead_bytes(const struct pmap *pm)
{
	return pm->run ? table_bytes(pm) : 0;
}

/* Nodes need not begin at multiples of a run. */
static struct superpage_run *run_of(const struct memory *mem, uint32_t mpn)
{
	unsigned node = frame_node(mem, mpn);
	uint32_t first = mem->p->pool[node].first;

	return &mem->p->superpages->run[first / LEAF_PAGES + node + (mpn - first) / LEAF_PAGES];
}

static size_t runs_bytes(const struct memory *mem)
{
	return (mem->n_frames / LEAF_PAGES + mem->n_nodes + 1) * sizeof(struct superpage_run);
}

static void destroy(struct memory *mem)
{
	lazy_free(mem->p->superpages->run, runs_bytes(mem));
	free(mem->p->superpages);
}

/* A page's place on a node, if it is to be had. */
static uint32_t place(struct pmap *pm, uint32_t ppn, unsigned node)
{
	struct memory *mem = pm->mem;
	uint32_t slot = ppn >> LEAF_SHIFT, *run, first, mpn;

	if (!mem->p->superpages || memory_spreads(mem) || slot >= n_slots(pm))
		return MPN_NONE;
	if (!pm->run)
		pm->run = lazy_alloc(table_bytes(pm));
	run = &pm->run[slot * mem->n_nodes + node];
	if (*run == NO_RUN) {
		first = frame_reserve_run(mem, node, LEAF_PAGES, pm->id);
		*run = first == MPN_NONE ? BROKEN : first + 2;
		if (first != MPN_NONE)
			*run_of(mem, first) = (struct superpage_run){pm, slot, LEAF_PAGES};
	}
	if (*run == BROKEN)
		return MPN_NONE;
	mpn = *run - 2 + (ppn & (LEAF_PAGES - 1));
	return frame_kind(mem, mpn) == FRAME_RESERVED ? mpn : MPN_NONE;
}

static void taken(struct memory *mem, uint32_t mpn)
{
	struct pool *pool = &mem->p->pool[frame_node(mem, mpn)];

	run_of(mem, mpn)->left--;
	pool->in_runs--;
	if ((mem->p->frame[mpn].flags & FRAME_DIRTY) && pool->n_dirty)
		pool->n_dirty--;
}

bool run_take(struct pmap *pm, uint32_t ppn, unsigned node, struct frame_user user, bool zero,
	uint32_t *mpn)
{
	uint32_t at = place(pm, ppn, node);

	if (at == MPN_NONE)
		return false;
	taken(pm->mem, at);
	frame_take_reserved(pm->mem, at, user, zero);
	*mpn = at;
	return true;
}

static uint32_t take_for(struct memory *mem, uint32_t mpn, unsigned node, enum frame_kind kind)
{
	struct frame_user user;
	struct pmap *pm = NULL;
	uint32_t at;

	if (frame_users(mem, mpn) != 1)
		return MPN_NONE;
	user = frame_user(mem, mpn, 0);
	for (pm = mem->p->pmaps; pm && pm->id != user.owner; pm = pm->next)
		;
	at = pm ? place(pm, user.page, node) : MPN_NONE;
	if (at != MPN_NONE) {
		taken(mem, at);
		frame_set_kind(mem, at, kind);
	}
	return at;
}

static bool keep(struct memory *mem, uint32_t mpn)
{
	struct superpage_run *run = run_of(mem, mpn);

	if (!run->pm)
		return false;
	run->left++;
	mem->p->pool[frame_node(mem, mpn)].in_runs++;
	return true;
}

/* Give what is left of a run back. */
static void break_up(struct memory *mem, uint32_t first)
{
	struct superpage_run *run = run_of(mem, first);
	unsigned node = frame_node(mem, first);
	struct pool *pool = &mem->p->pool[node];

	run->pm->run[run->slot * mem->n_nodes + node] = BROKEN;
	pool->in_runs -= run->left;
	*run = (struct superpage_run){NULL, 0, 0};
	/* The lowest is taken first again. */
	for (uint32_t i = LEAF_PAGES; i-- > 0;)
		if (frame_kind(mem, first + i) == FRAME_RESERVED) {
			if (mem->p->frame[first + i].flags & FRAME_DIRTY && pool->n_dirty)
				pool->n_dirty--; /* counted again on the list */
			frame_unreserve(mem, first + i);
		}
}

static bool give_back(struct memory *mem, unsigned node)
{
	const struct pool *pool = &mem->p->pool[node];

	if (!pool->in_runs)
		return false;
	for (uint32_t i = 0; i + LEAF_PAGES <= pool->used; i += LEAF_PAGES)
		if (run_of(mem, pool->first + i)->left) {
			break_up(mem, pool->first + i);
			return true;
		}
	return false;
}

void runs_end(struct pmap *pm)
{
	if (!pm->run)
		return;
	for (uint32_t i = 0; i < n_slots(pm) * pm->mem->n_nodes; i++)
		if (pm->run[i] > BROKEN)
			break_up(pm->mem, pm->run[i] - 2);
	lazy_free(pm->run, table_bytes(pm));
}

static void check(const struct memory *mem)
{
	for (unsigned node = 0; node < mem->n_nodes; node++) {
		const struct pool *pool = &mem->p->pool[node];
		uint32_t all = 0;

		for (uint32_t i = 0; i + LEAF_PAGES <= pool->n; i += LEAF_PAGES) {
			uint32_t first = pool->first + i, left = 0;
			const struct superpage_run *run = run_of(mem, first);

			if (!run->pm)
				continue;
			if (run->pm->run[run->slot * mem->n_nodes + node] != first + 2)
				die("memmap: frame %u begins a run that its VM does not know of",
					first);
			for (uint32_t k = 0; k < LEAF_PAGES; k++) {
				left += frame_kind(mem, first + k) == FRAME_RESERVED;
				if (frame_kind(mem, first + k) == FRAME_FREE)
					die("memmap: frame %u is free, within a run", first + k);
			}
			if (left != run->left)
				die("memmap: %u frames are left of the run at frame %u, counted %u",
					left, first, run->left);
			all += left;
		}
		if (all != pool->in_runs)
			die("memmap: node %u: %u frames are left of runs, counted %u", node, all,
				pool->in_runs);
	}
}

void memory_take_runs(struct memory *mem)
{
	struct superpages *s = mem->p->superpages = xcalloc(1, sizeof(*s));

	*s = (struct superpages){
		.keep = keep,
		.give_back = give_back,
		.take_for = take_for,
		.destroy = destroy,
		.check = check,
		.run = lazy_alloc(runs_bytes(mem)),
	};
}
