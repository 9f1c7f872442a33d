// SPDX-License-Identifier: MIT
/*
 * What memory and the placement driver counted, put together; see moves.h.
 */
#include <jansson.h>
#include <string.h>

#include "monitor/base/json.h"
#include "monitor/vm/moves.h"
#include "numa/memory/move.h"
#include "numa/policy/placement.h"

bool moves_happen(const struct cluster *c)
{
	return c->placement && placement_policy(c->placement)->kind->moves;
}

struct move_counts moves_total(const struct cluster *c)
{
	const struct move_stats *m = memory_moves(c->mem);
	struct move_counts n = {.migrations = m->migrations,
		.replications = m->replications,
		.collapses = m->collapses,
		.given_back = m->given_back};

	if (c->placement) {
		const struct placement_stats *p = placement_stats(c->placement);

		n.refused = p->refused;
		n.cycles = p->cycles_signal + p->cycles_migrate + p->cycles_replicate +
			   p->cycles_interrupted;
	}
	return n;
}

struct move_counts moves_of_vm(const struct vm *vm)
{
	const struct pmap_stats *p = pmap_stats(vm->pmap);

	return (struct move_counts){.migrations = p->migrations,
		.replications = p->replications,
		.collapses = p->collapses,
		.cycles = vm->move_cycles};
}

struct move_counts moves_to_node(const struct cluster *c, unsigned node)
{
	const struct placement_stats *p;

	if (!c->placement)
		return (struct move_counts){0};
	p = placement_stats(c->placement);
	return (struct move_counts){.migrations = p->migrated_to[node],
		.replications = p->replicated_to[node],
		.cycles = p->cycles_node[node]};
}

static void add_copies(const struct cluster *c, uint32_t master, uint64_t *pages)
{
	uint64_t nodes = frame_nodes(c->mem, master) & ~(1ull << frame_node(c->mem, master));

	for (unsigned i = 0; i < c->machine->n_nodes; i++)
		pages[i] += nodes >> i & 1;
}

void moves_replica_pages(const struct cluster *c, uint64_t pages[MACHINE_MAX_NODES])
{
	memset(pages, 0, MACHINE_MAX_NODES * sizeof(pages[0]));
	if (!moves_happen(c))
		return;
	for (uint32_t mpn = 0; mpn < c->mem->n_frames; mpn++)
		if (frame_replicated(c->mem, mpn))
			add_copies(c, mpn, pages);
}

void moves_vm_replica_pages(const struct vm *vm, uint64_t pages[MACHINE_MAX_NODES])
{
	const struct cluster *c = vm->cluster;

	memset(pages, 0, MACHINE_MAX_NODES * sizeof(pages[0]));
	for (uint32_t ppn = 0; moves_happen(c) && ppn < pmap_pages(vm->pmap); ppn++) {
		uint32_t mpn = pmap_entry(vm->pmap, ppn)->mpn;

		if (mpn != MPN_NONE && frame_replicated(c->mem, mpn))
			add_copies(c, mpn, pages);
	}
}

bool moves_replicated(const struct cluster *c, uint32_t mpn)
{
	return frame_replicated(c->mem, mpn);
}

struct json_t *move_counts_json(const struct move_counts *n)
{
	json_t *o = json_object();

	set_count(o, "migrations", n->migrations);
	set_count(o, "replications", n->replications);
	set_count(o, "collapses", n->collapses);
	set_count(o, "cycles", n->cycles);
	return o;
}

struct json_t *moves_json(const struct cluster *c)
{
	const struct move_stats *m = memory_moves(c->mem);
	const struct placement_stats *p = placement_stats(c->placement);
	struct move_counts n = moves_total(c);
	json_t *o = json_object(), *why = json_object(), *refused = json_object();

	set_count(o, "migrations", n.migrations);
	set_count(o, "replications", n.replications);
	set_count(o, "collapses", n.collapses);
	set_count(o, "given_back", n.given_back);
	set_count(o, "shootdowns", m->shootdowns);
	set_count(o, "cycles", n.cycles);
	set_count(o, "cycles_signal", p->cycles_signal);
	set_count(o, "cycles_migrate", p->cycles_migrate);
	set_count(o, "cycles_replicate", p->cycles_replicate);
	set_count(o, "interrupted", p->interrupted);
	set_count(o, "cycles_interrupted", p->cycles_interrupted);
	set_count(o, "hot", p->hot);
	set_count(o, "stale", p->stale);
	set_count(o, "capped", p->capped);
	set_count(o, "intervals", p->intervals);
	for (int i = 0; i < POLICY_WHYS; i++)
		set_count(why, policy_why_name[i], p->why[i]);
	for (int i = 0; i < MOVE_REFUSALS; i++)
		set_count(refused, move_refusal_name[i], m->refused[i]);
	json_object_set_new(o, "decided", why);
	json_object_set_new(o, "refused", refused);
	return o;
}
