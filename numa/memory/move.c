// SPDX-License-Identifier: MIT
/*
 * Moves of pages: see move.h. The tables of copies that these functions change are in
 * numa/memory/replica.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"

const char *const move_refusal_name[MOVE_REFUSALS] = {
	"gone", "monitor", "pinned", "present", "no_memory", "owner"};

static const int refusal_errno[MOVE_REFUSALS] = {ENOENT, EPERM, EBUSY, EEXIST, ENOSPC, ENOTSUP};

/* Apply what the run phase deferred: the tables of users must be those of now. */
static void release_deferred(struct memory *mem)
{
	if (mem->release_deferred)
		mem->release_deferred(mem);
}

/* ---- collapse ---------------------------------------------------------------------------- */

struct forget_copy {
	struct memory *mem;
	uint32_t master;
};

static void forget_copy(void *arg, uint32_t copy)
{
	struct forget_copy *f = arg;

	replicas_forget(f->mem, f->master, copy);
}

void page_collapse(struct memory *mem, uint32_t mpn)
{
	struct forget_copy f = {mem, mpn};

	release_deferred(mem);
	if (!frame_replicated(mem, mpn))
		return;
	replicas_each(mem, mpn, forget_copy, &f);
	replicas_drop(mem, mpn);
	frame_count_move(&mem->p->frame[mpn]);
	mem->p->moves.collapses++;
}

/* ---- moves ------------------------------------------------------------------------------- */

static int refuse(struct memory *mem, enum move_refusal why)
{
	mem->p->moves.refused[why]++;
	return -refusal_errno[why];
}

/* Why the page of this master cannot move; MOVE_REFUSALS if it can. */
static enum move_refusal obstacle(const struct memory *mem, uint32_t mpn)
{
	enum frame_kind kind = frame_kind(mem, mpn);

	if (kind == FRAME_MONITOR)
		return MOVE_MONITOR;
	if (kind == FRAME_ZERO)
		return MOVE_PRESENT;
	if (!frame_kind_info[kind].guest)
		return MOVE_GONE;
	if (!frame_users(mem, mpn))
		return MOVE_GONE;
	return mem->p->frame[mpn].flags & FRAME_PINNED ? MOVE_PINNED : MOVE_REFUSALS;
}

static bool owners_known(const struct memory *mem, uint32_t mpn)
{
	for (uint32_t i = 0; i < frame_users(mem, mpn); i++)
		if (!memory_owner(mem, frame_user(mem, mpn, i).owner))
			return false;
	return true;
}

void frame_write_block(struct memory *mem, uint32_t mpn)
{
	for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);
		const struct owner *o = memory_owner(mem, u.owner);

		if (o && o->ops->write_block)
			o->ops->write_block(o->arg, u.page, mpn);
	}
}

static void copy_page(struct memory *mem, uint32_t from, uint32_t to)
{
	frame_write_block(mem, from);
	memcpy(frame_data(mem, to), frame_data(mem, from), PAGE_SIZE);
	if (mem->copied)
		mem->copied(mem->copied_arg, from, to);
}

/* A frame for the page in frame mpn, or a copy of it. */
static uint32_t take(struct memory *mem, uint32_t mpn, unsigned node, enum frame_kind kind)
{
	const struct superpages *runs = mem->p->superpages;
	uint32_t to = runs ? runs->take_for(mem, mpn, node, kind) : MPN_NONE;

	return to != MPN_NONE ? to : frame_take_exact(mem, node, kind);
}

int page_migrate(struct memory *mem, uint32_t mpn, unsigned node, uint32_t *to)
{
	struct memory_private *p = mem->p;
	enum move_refusal why;
	struct frame *old, *moved;
	struct replicas *r;
	uint32_t target, n;

	release_deferred(mem);
	mpn = frame_master(mem, mpn);
	why = obstacle(mem, mpn);
	if (why == MOVE_REFUSALS && frame_node(mem, mpn) == node)
		why = MOVE_PRESENT;
	if (why == MOVE_REFUSALS && !owners_known(mem, mpn))
		why = MOVE_OWNER;
	if (why != MOVE_REFUSALS)
		return refuse(mem, why);
	r = frame_replicated(mem, mpn) ? p->replicas[mpn] : NULL;
	target = frame_on(mem, mpn, node);
	if (target != MPN_NONE) {
		frame_swap_kind(mem, mpn, target);
		/* Without a replica, no other node has a frame of it. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		r->n--;
	} else {
		target = take(mem, mpn, node, frame_kind(mem, mpn));
		if (target == MPN_NONE)
			return refuse(mem, MOVE_NO_MEMORY);
		copy_page(mem, mpn, target);
	}
	old = &p->frame[mpn];
	moved = &p->frame[target];
	moved->flags = old->flags & FRAME_REPLICATED;
	old->flags = 0;
	moved->moves = old->moves;
	moved->recent = old->recent;
	frame_count_move(moved);
	/* The set of users changes hands as it is. */
	n = moved->n_users = old->n_users;
	if (n == 1)
		moved->one = old->one;
	else
		moved->many = old->many;
	old->n_users = 0;
	if (r)
		replicas_change_master(mem, r, mpn, target);
	for (uint32_t i = 0; i < n; i++) {
		struct frame_user u = frame_user(mem, target, i);
		const struct owner *o = memory_owner(mem, u.owner);

		o->ops->moved(o->arg, u.page, mpn, target);
		p->moves.shootdowns += o->ops->forget != NULL;
	}
	/* Nodes to which the new place is nearer than the copy that they used. */
	if (r)
		replicas_update_views(mem, target);
	if (r && !r->n)
		replicas_free(mem, target);
	frame_tell_owned(mem, target);
	frame_free(mem, mpn);
	p->moves.migrations++;
	if (to)
		*to = target;
	return 0;
}

int page_replicate(struct memory *mem, uint32_t mpn, unsigned node, uint32_t *to)
{
	struct memory_private *p = mem->p;
	enum move_refusal why;
	struct replicas *r;
	uint32_t copy;

	release_deferred(mem);
	mpn = frame_master(mem, mpn);
	why = obstacle(mem, mpn);
	if (why == MOVE_REFUSALS && frame_on(mem, mpn, node) != MPN_NONE)
		why = MOVE_PRESENT;
	if (why != MOVE_REFUSALS)
		return refuse(mem, why);
	copy = take(mem, mpn, node, FRAME_REPLICA);
	if (copy == MPN_NONE)
		return refuse(mem, MOVE_NO_MEMORY);
	r = frame_replicated(mem, mpn) ? p->replicas[mpn] : replicas_new(mem, mpn);
	p->frame[copy].master = mpn;
	p->frame[copy].flags = 0;
	r->node[node].copy = copy;
	r->n++;
	frame_tell_owned(mem, copy);
	copy_page(mem, mpn, copy);
	/* The first copy also takes from everyone the right to store to the master: it was the view
	 * of `node` too, so it is among those to forget. */
	replicas_update_views(mem, mpn);
	for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);
		const struct owner *o = memory_owner(mem, u.owner);

		if (o && o->ops->replicated)
			o->ops->replicated(o->arg, u.page);
	}
	p->moves.replications++;
	if (to)
		*to = copy;
	return 0;
}

static bool mergeable(const struct memory *mem, uint32_t mpn)
{
	return frame_kind_info[frame_kind(mem, mpn)].guest && frame_users(mem, mpn) > 0;
}

int page_merge(struct memory *mem, uint32_t from, uint32_t to)
{
	struct forget_copy forget_from = {mem, from};

	release_deferred(mem);
	if (from == to || !mergeable(mem, from) || !mergeable(mem, to))
		return -EINVAL;
	if ((mem->p->frame[from].flags | mem->p->frame[to].flags) & FRAME_PINNED)
		return -EBUSY;
	if (!owners_known(mem, from))
		return -ENOTSUP;
	replicas_each(mem, from, forget_copy, &forget_from);
	replicas_drop(mem, from);
	for (uint32_t i = 0; i < frame_users(mem, to); i++) {
		struct frame_user u = frame_user(mem, to, i);
		const struct owner *o = memory_owner(mem, u.owner);

		if (o && o->ops->merged)
			o->ops->merged(o->arg, u.page, to, to);
	}
	if (frame_kind(mem, to) == FRAME_PRIVATE || frame_kind(mem, to) == FRAME_CLONED)
		frame_set_kind(mem, to, FRAME_SAME);
	for (uint32_t n = frame_users(mem, from); n > 0; n--) {
		struct frame_user u = frame_user(mem, from, 0);
		const struct owner *o = memory_owner(mem, u.owner);

		frame_add_user(mem, to, u);
		if (o->ops->merged)
			o->ops->merged(o->arg, u.page, from, to);
		else
			o->ops->moved(o->arg, u.page, from, to);
		frame_del_user(mem, from, u);
	}
	return 0;
}

void page_pin(struct memory *mem, uint32_t mpn)
{
	struct frame *f = &mem->p->frame[mpn];

	if (!(f->flags & FRAME_PINNED))
		mem->p->pins[mpn] = 0;
	if (++mem->p->pins[mpn] == 0)
		die("memmap: frame %u is pinned 65536 times", mpn);
	f->flags |= FRAME_PINNED;
}

void page_unpin(struct memory *mem, uint32_t mpn)
{
	struct frame *f = &mem->p->frame[mpn];

	if (!(f->flags & FRAME_PINNED))
		die("memmap: frame %u is not pinned", mpn);
	if (--mem->p->pins[mpn] == 0)
		f->flags &= (uint8_t)~FRAME_PINNED;
}

bool frame_pinned(const struct memory *mem, uint32_t mpn)
{
	return mem->p->frame[mpn].flags & FRAME_PINNED;
}

/* ---- reports ----------------------------------------------------------------------------- */

unsigned frame_moves(const struct memory *mem, uint32_t mpn)
{
	return mem->p->frame[frame_master(mem, mpn)].moves;
}

unsigned frame_recent_moves(const struct memory *mem, uint32_t mpn)
{
	return mem->p->frame[frame_master(mem, mpn)].recent;
}

void memory_new_interval(struct memory *mem)
{
	for (unsigned node = 0; node < mem->n_nodes; node++) {
		const struct pool *pool = &mem->p->pool[node];

		for (uint32_t i = 0; i < pool->used; i++)
			mem->p->frame[pool->first + i].recent = 0;
	}
}

const struct move_stats *memory_moves(const struct memory *mem)
{
	return &mem->p->moves;
}
