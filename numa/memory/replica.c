// SPDX-License-Identifier: MIT
/*
 * Copies of pages: see move.h. A master's record says that it has copies. Which they are, and the
 * resulting view of each node, is a small table on the heap, found through a lazily backed array.
 *
 * In the run phase all threads may read the tables, and no thread changes one, with one exception:
 * a store to a replicated page that only the storing VM maps. Then that VM's thread makes the frame
 * that its CPU saw the page's frame (replicas_collapse()), so that the writer goes on with local
 * memory. It leaves the other frames, which no other VM can name, for the boundary to free.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"

/* ---- what CPUs use ----------------------------------------------------------------------- */

uint32_t frame_view(const struct memory *mem, uint32_t mpn, unsigned node)
{
	if (likely(!(mem->p->frame[mpn].flags & FRAME_REPLICATED)))
		return mpn;
	return mem->p->replicas[mpn]->node[node].view;
}

bool frame_replicated(const struct memory *mem, uint32_t mpn)
{
	return mem->p->frame[mpn].flags & FRAME_REPLICATED;
}

uint32_t frame_on(const struct memory *mem, uint32_t mpn, unsigned node)
{
	uint32_t master = frame_master(mem, mpn);

	if (frame_node(mem, master) == node)
		return master;
	return frame_replicated(mem, master) ? mem->p->replicas[master]->node[node].copy : MPN_NONE;
}

uint64_t frame_nodes(const struct memory *mem, uint32_t mpn)
{
	uint64_t nodes = 0;

	for (unsigned node = 0; node < mem->n_nodes; node++)
		nodes |= (uint64_t)(frame_on(mem, mpn, node) != MPN_NONE) << node;
	return nodes;
}

/* ---- tables of copies -------------------------------------------------------------------- */

static size_t replicas_bytes(const struct memory *mem)
{
	return sizeof(struct replicas) + mem->n_nodes * sizeof(((struct replicas *)0)->node[0]);
}

/* The nearest frame of the page to `node`. Of several equally near the master, so that a new copy
 * changes what as few CPUs as possible use; then the lowest node's. */
static uint32_t nearest(
	const struct memory *mem, const struct replicas *r, uint32_t master, unsigned node)
{
	const uint8_t *rank = mem->p->rank[node];
	uint32_t best = master;
	unsigned best_rank = rank[frame_node(mem, master)];

	for (unsigned i = 0; i < mem->n_nodes; i++)
		if (r->node[i].copy != MPN_NONE && rank[i] < best_rank) {
			best = r->node[i].copy;
			best_rank = rank[i];
		}
	return best;
}

/* Tell every user's CPUs to forget `old`. */
void replicas_forget(struct memory *mem, uint32_t master, uint32_t old)
{
	uint32_t n = frame_users(mem, master);

	for (uint32_t i = 0; i < n; i++) {
		struct frame_user u = frame_user(mem, master, i);
		const struct owner *o = memory_owner(mem, u.owner);

		if (o && o->ops->forget) {
			o->ops->forget(o->arg, u.page, old);
			mem->p->moves.shootdowns++;
		}
	}
}

/* After copies came or went: every node's view, and away with what CPUs hold of another. */
void replicas_update_views(struct memory *mem, uint32_t master)
{
	struct replicas *r = mem->p->replicas[master];
	uint32_t stale[MACHINE_MAX_NODES];
	unsigned n = 0, i;

	for (unsigned node = 0; node < mem->n_nodes; node++) {
		uint32_t old = r->node[node].view, now = nearest(mem, r, master, node);

		r->node[node].view = now;
		for (i = 0; i < n && stale[i] != old; i++)
			;
		if (old != now && i == n)
			stale[n++] = old;
	}
	for (i = 0; i < n; i++)
		replicas_forget(mem, master, stale[i]);
}

void replicas_free(struct memory *mem, uint32_t master)
{
	struct memory_private *p = mem->p;

	free(p->replicas[master]);
	p->replicas[master] = NULL;
	p->replica_bytes -= replicas_bytes(mem);
	p->frame[master].flags &= (uint8_t) ~(FRAME_REPLICATED | FRAME_COLLAPSED);
}

void replicas_drop(struct memory *mem, uint32_t mpn)
{
	struct replicas *r;

	if (!(mem->p->frame[mpn].flags & (FRAME_REPLICATED | FRAME_COLLAPSED)))
		return;
	r = mem->p->replicas[mpn];
	for (unsigned node = 0; node < mem->n_nodes; node++)
		if (r->node[node].copy != MPN_NONE)
			frame_free(mem, r->node[node].copy);
	replicas_free(mem, mpn);
}

void replicas_each(
	const struct memory *mem, uint32_t mpn, void (*fn)(void *arg, uint32_t copy), void *arg)
{
	const struct replicas *r = mem->p->replicas[mpn];

	if (!(mem->p->frame[mpn].flags & (FRAME_REPLICATED | FRAME_COLLAPSED)))
		return;
	for (unsigned node = 0; node < mem->n_nodes; node++)
		if (r->node[node].copy != MPN_NONE)
			fn(arg, r->node[node].copy);
}

/* The next copy of the node's pool, from where the last one was found. */
static uint32_t next_copy(struct memory *mem, struct pool *pool)
{
	if (!pool->kind[FRAME_REPLICA])
		return MPN_NONE;
	for (;;) {
		if (pool->hand >= pool->used)
			pool->hand = 0;
		if (mem->p->frame[pool->first + pool->hand++].kind == FRAME_REPLICA)
			return pool->first + pool->hand - 1;
	}
}

bool replicas_give_back(struct memory *mem, unsigned node)
{
	struct memory_private *p = mem->p;
	uint32_t copy = next_copy(mem, &p->pool[node]), master;
	struct replicas *r;

	if (copy == MPN_NONE)
		return false;
	master = p->frame[copy].master;
	r = p->replicas[master];
	r->node[node].copy = MPN_NONE;
	if (p->frame[master].flags & FRAME_REPLICATED) {
		replicas_update_views(mem, master);
		p->moves.given_back++;
	}
	if (--r->n == 0)
		replicas_free(mem, master);
	frame_free(mem, copy);
	return true;
}

/* ---- collapse ---------------------------------------------------------------------------- */

void frame_count_move(struct frame *f)
{
	f->moves = (uint8_t)MIN(f->moves + 1, UINT8_MAX);
	f->recent = (uint8_t)MIN(f->recent + 1, UINT8_MAX);
}

/* The table of copies of `from` is that of `to`, which may have been one of them. */
static void change_master(struct memory *mem, uint32_t from, uint32_t to)
{
	struct memory_private *p = mem->p;
	struct replicas *r = p->replicas[from];

	for (unsigned node = 0; node < mem->n_nodes; node++) {
		if (r->node[node].copy == to)
			r->node[node].copy = MPN_NONE;
		else if (r->node[node].copy != MPN_NONE)
			p->frame[r->node[node].copy].master = to;
	}
	p->replicas[to] = r;
	p->replicas[from] = NULL;
}

uint32_t replicas_collapse(struct memory *mem, uint32_t mpn, unsigned node)
{
	struct memory_private *p = mem->p;
	struct replicas *r = p->replicas[mpn];
	struct frame *old = &p->frame[mpn], *kept;
	/* A transfer under way has the address of the frame it pinned. */
	uint32_t keep = old->flags & FRAME_PINNED ? mpn : r->node[node].view;

	if (keep != mpn) {
		kept = &p->frame[keep];
		frame_swap_kind(mem, mpn, keep);
		kept->one = old->one;
		kept->n_users = 1;
		kept->moves = old->moves;
		kept->recent = old->recent;
		old->n_users = 0;
		old->flags = 0;
		old->moves = old->recent = 0;
		old->master = keep;
		change_master(mem, mpn, keep);
		r->node[frame_node(mem, mpn)].copy = mpn;
	}
	kept = &p->frame[keep];
	kept->flags = (uint8_t)((kept->flags & ~FRAME_REPLICATED) | FRAME_COLLAPSED);
	frame_count_move(kept);
	return keep;
}

void replicas_release(struct memory *mem, uint32_t mpn)
{
	mem->p->moves.collapses++;
	if (mem->p->frame[mpn].flags & FRAME_COLLAPSED)
		replicas_drop(mem, mpn);
}

struct replicas *replicas_new(struct memory *mem, uint32_t master)
{
	struct replicas *r = xcalloc(1, replicas_bytes(mem));

	for (unsigned node = 0; node < mem->n_nodes; node++) {
		r->node[node].copy = MPN_NONE;
		r->node[node].view = master;
	}
	mem->p->replicas[master] = r;
	mem->p->replica_bytes += replicas_bytes(mem);
	mem->p->frame[master].flags |= FRAME_REPLICATED;
	return r;
}

/* The master is about to move, with its table of copies. Do this before the shootdown of the old
 * frame: an engine may call frame_view() in it. */
void replicas_change_master(struct memory *mem, struct replicas *r, uint32_t from, uint32_t master)
{
	change_master(mem, from, master);
	for (unsigned node = 0; node < mem->n_nodes; node++)
		if (r->node[node].view == from)
			r->node[node].view = nearest(mem, r, master, node);
}

/* ---- checks ------------------------------------------------------------------------------ */

static void check_copy(const struct memory *mem, uint32_t mpn)
{
	const struct memory_private *p = mem->p;
	uint32_t master = p->frame[mpn].master;

	if (master >= mem->n_frames ||
		!(p->frame[master].flags & (FRAME_REPLICATED | FRAME_COLLAPSED)) ||
		p->replicas[master]->node[frame_node(mem, mpn)].copy != mpn)
		die("memmap: frame %u is a copy of frame %u, which does not know it", mpn, master);
	if (p->frame[mpn].flags)
		die("memmap: frame %u is a copy with flags %#x", mpn, p->frame[mpn].flags);
}

static void check_master(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];
	const struct replicas *r = mem->p->replicas[mpn];
	uint32_t n = 0;

	if (!f->n_users || (f->flags & FRAME_REPLICATED && f->flags & FRAME_COLLAPSED))
		die("memmap: frame %u has copies, %u users and flags %#x", mpn, f->n_users,
			f->flags);
	for (unsigned node = 0; node < mem->n_nodes; node++) {
		uint32_t copy = r->node[node].copy;

		if ((f->flags & FRAME_REPLICATED) &&
			r->node[node].view != nearest(mem, r, mpn, node))
			die("memmap: node %u uses frame %u for frame %u, not the nearest", node,
				r->node[node].view, mpn);
		if (copy == MPN_NONE)
			continue;
		n++;
		if (copy >= mem->n_frames || frame_node(mem, copy) != node ||
			node == frame_node(mem, mpn) || frame_kind(mem, copy) != FRAME_REPLICA ||
			mem->p->frame[copy].master != mpn)
			die("memmap: frame %u is no copy of frame %u for node %u", copy, mpn, node);
		if ((f->flags & FRAME_REPLICATED) &&
			memcmp(frame_data(mem, copy), frame_data(mem, mpn), PAGE_SIZE))
			die("memmap: frame %u differs from frame %u, of which it is a copy", copy,
				mpn);
	}
	if (n != r->n || !n)
		die("memmap: frame %u has %u copies, counted %u", mpn, n, r->n);
}

void replicas_check(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];

	if (f->kind == FRAME_REPLICA)
		check_copy(mem, mpn);
	if (f->flags & (FRAME_REPLICATED | FRAME_COLLAPSED))
		check_master(mem, mpn);
	if ((f->flags & FRAME_PINNED) && (!f->n_users || !mem->p->pins[mpn]))
		die("memmap: frame %u is pinned %u times with %u users", mpn, mem->p->pins[mpn],
			f->n_users);
}
