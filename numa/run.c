// SPDX-License-Identifier: MIT
/*
 * Runs: for an engine that maps frames with the host's page tables, neighbours should be neighbours
 * there, too. One record of the host (a VMA) then serves many pages, and where frames of a huge
 * page lie side by side, one entry of a page table does. So the first page a VM touches of a 2 MiB
 * stretch of its memory sets a 2 MiB stretch of the node's frames aside, and each of the others has
 * its place there.
 *
 * That costs nobody anything: what is left of a run is as good as free. When a node's pool is empty
 * runs are broken up, those of the oldest VM first, and pages get single frames again, as they do
 * where a policy spreads them, on other nodes than the run's, and when a page comes back whose
 * frame has gone to another. Single frames, for copies and moved pages, come from what lies between
 * runs and what was freed; so they break no run as long as there is any.
 *
 * Boundary. Engines that take frames in the run phase have reserves instead (reserve.c).
 */
#include <stdlib.h>

#include "numa/memmap.h"
#include "numa/pmap-private.h"

enum { NO_RUN = 0, BROKEN = 1 }; /* else: the first frame + 2 */

static uint32_t first_frame(const struct pmap *pm, uint32_t slot)
{
	return pm->run && pm->run[slot] > BROKEN ? pm->run[slot] - 2 : MPN_NONE;
}

static uint32_t n_slots(const struct pmap *pm)
{
	return pm->n_pages >> LEAF_SHIFT; /* the last one, if smaller, has no run */
}

void memory_take_runs(struct memory *mem)
{
	mem->p->runs = true;
}

bool run_take(struct pmap *pm, uint32_t ppn, unsigned node, struct frame_user user, bool zero,
	uint32_t *mpn)
{
	struct memory *mem = pm->mem;
	uint32_t slot = ppn >> LEAF_SHIFT, first, at;

	if (!mem->p->runs || memory_spreads(mem) || slot >= n_slots(pm))
		return false;
	if (!pm->run)
		pm->run = xcalloc(n_slots(pm), sizeof(pm->run[0]));
	if (pm->run[slot] == NO_RUN) {
		first = frame_reserve_run(mem, node, LEAF_PAGES, pm->id);
		pm->run[slot] = first == MPN_NONE ? BROKEN : first + 2;
	}
	first = first_frame(pm, slot);
	at = first + (ppn & (LEAF_PAGES - 1));
	if (first == MPN_NONE || frame_node(mem, at) != node ||
		frame_kind(mem, at) != FRAME_RESERVED)
		return false;
	frame_take_reserved(mem, at, user, zero);
	mem->p->pool[node].in_runs--;
	*mpn = at;
	return true;
}

/* Give what is left of a run back; how many frames that were. */
static uint32_t break_up(struct pmap *pm, uint32_t slot)
{
	uint32_t first = first_frame(pm, slot), given = 0;

	if (first == MPN_NONE)
		return 0;
	/* The lowest is taken first again. */
	for (uint32_t i = LEAF_PAGES; i-- > 0;)
		if (frame_kind(pm->mem, first + i) == FRAME_RESERVED) {
			frame_unreserve(pm->mem, first + i);
			given++;
		}
	pm->mem->p->pool[frame_node(pm->mem, first)].in_runs -= given;
	pm->run[slot] = BROKEN;
	return given;
}

bool runs_give_back(struct memory *mem, unsigned node)
{
	if (!mem->p->pool[node].in_runs)
		return false;
	for (struct pmap *pm = mem->p->pmaps; pm; pm = pm->next)
		for (uint32_t slot = 0; slot < n_slots(pm); slot++) {
			uint32_t first = first_frame(pm, slot);

			if (first != MPN_NONE && frame_node(mem, first) == node &&
				break_up(pm, slot))
				return true;
		}
	return false;
}

void runs_end(struct pmap *pm)
{
	for (uint32_t slot = 0; pm->run && slot < n_slots(pm); slot++)
		break_up(pm, slot);
	free(pm->run);
}

void runs_check(const struct memory *mem)
{
	uint32_t left[MACHINE_MAX_NODES] = {0};

	for (const struct pmap *pm = mem->p->pmaps; pm; pm = pm->next)
		for (uint32_t slot = 0; slot < n_slots(pm); slot++) {
			uint32_t first = first_frame(pm, slot);

			for (uint32_t i = 0; first != MPN_NONE && i < LEAF_PAGES; i++)
				left[frame_node(mem, first)] +=
					frame_kind(mem, first + i) == FRAME_RESERVED;
		}
	for (unsigned node = 0; node < mem->n_nodes; node++)
		if (left[node] != mem->p->pool[node].in_runs)
			die("memmap: node %u: %u frames are left of runs, counted %u", node,
				left[node], mem->p->pool[node].in_runs);
}
