// SPDX-License-Identifier: MIT
/*
 * Copies and moves of pages: see move.h. A master's record says that it has copies; which they are,
 * and the resulting view of every node, is a small table on the heap, found through a lazily backed
 * array. In the run phase the tables are read by all and changed by nobody, but for one case: a
 * store to a replicated page that one VM has for itself. Then that VM's thread makes the frame its
 * CPU saw the page's frame (replicas_collapse()), so that the writer goes on with local memory, and
 * leaves the others, which no other VM can name, for the boundary to free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"

const char *const move_refusal_name[MOVE_REFUSALS] = {
	"gone", "monitor", "pinned", "present", "no_memory", "owner"};

static const int refusal_errno[MOVE_REFUSALS] = {ENOENT, EPERM, EBUSY, EEXIST, ENOSPC, ENOTSUP};

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

uint32_t frame_master(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];

	return f->kind == FRAME_REPLICA ? f->master : mpn;
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
static void forget(struct memory *mem, uint32_t master, uint32_t old)
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
static void views_update(struct memory *mem, uint32_t master)
{
	struct replicas *r = mem->p->replicas[master];
	uint32_t stale[MACHINE_MAX_NODES];
	unsigned n = 0, i;

	for (unsigned node = 0; node < mem->n_nodes; node++) {
		uint32_t old = r->node[node].view, new = nearest(mem, r, master, node);

		r->node[node].view = new;
		for (i = 0; i < n && stale[i] != old; i++)
			;
		if (old != new &&i == n)
			stale[n++] = old;
	}
	for (i = 0; i < n; i++)
		forget(mem, master, stale[i]);
}

static void replicas_free(struct memory *mem, uint32_t master)
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
		views_update(mem, master);
		p->moves.given_back++;
	}
	if (--r->n == 0)
		replicas_free(mem, master);
	frame_free(mem, copy);
	return true;
}

/* ---- collapse ---------------------------------------------------------------------------- */

static void count_move(struct frame *f)
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
	struct frame *old = &p->frame[mpn], *new;
	/* A transfer under way has the address of the frame it pinned. */
	uint32_t keep = old->flags & FRAME_PINNED ? mpn : r->node[node].view;

	if (keep != mpn) {
		new = &p->frame[keep];
		frame_swap_kind(mem, mpn, keep);
		new->one = old->one;
		new->n_users = 1;
		new->moves = old->moves;
		new->recent = old->recent;
		old->n_users = 0;
		old->flags = 0;
		old->moves = old->recent = 0;
		old->master = keep;
		change_master(mem, mpn, keep);
		r->node[frame_node(mem, mpn)].copy = mpn;
	}
	new = &p->frame[keep];
	new->flags = (uint8_t)((new->flags & ~FRAME_REPLICATED) | FRAME_COLLAPSED);
	count_move(new);
	return keep;
}

void replicas_settle(struct memory *mem, uint32_t mpn)
{
	mem->p->moves.collapses++;
	if (mem->p->frame[mpn].flags & FRAME_COLLAPSED)
		replicas_drop(mem, mpn);
}

struct forget_copy {
	struct memory *mem;
	uint32_t master;
};

static void forget_copy(void *arg, uint32_t copy)
{
	struct forget_copy *f = arg;

	forget(f->mem, f->master, copy);
}

void page_collapse(struct memory *mem, uint32_t mpn)
{
	struct forget_copy f = {mem, mpn};

	pmap_settle_all(mem);
	if (!frame_replicated(mem, mpn))
		return;
	replicas_each(mem, mpn, forget_copy, &f);
	replicas_drop(mem, mpn);
	count_move(&mem->p->frame[mpn]);
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
	switch (frame_kind(mem, mpn)) {
	case FRAME_MONITOR:
		return MOVE_MONITOR;
	case FRAME_PRIVATE:
	case FRAME_TEXT:
	case FRAME_CACHE:
	case FRAME_DISK:
	case FRAME_SAME:
	case FRAME_CLONED:
		break;
	case FRAME_ZERO:
		return MOVE_PRESENT;
	default:
		return MOVE_GONE;
	}
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

void frame_hold(struct memory *mem, uint32_t mpn)
{
	for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);
		const struct owner *o = memory_owner(mem, u.owner);

		if (o && o->ops->hold)
			o->ops->hold(o->arg, u.page, mpn);
	}
}

static void copy_page(struct memory *mem, uint32_t from, uint32_t to)
{
	frame_hold(mem, from);
	memcpy(frame_data(mem, to), frame_data(mem, from), PAGE_SIZE);
	if (mem->copied)
		mem->copied(mem->copied_arg, from, to);
}

/* A frame for the page in frame mpn, or a copy of it. */
static uint32_t take(struct memory *mem, uint32_t mpn, unsigned node, enum frame_kind kind)
{
	uint32_t to = run_take_for(mem, mpn, node, kind);

	return to != MPN_NONE ? to : frame_take_exact(mem, node, kind);
}

/* The master is about to move, with its table of copies: what those will use that saw the page in
 * its old frame. An engine may look when it is told to forget that. */
static void master_leaves(struct memory *mem, struct replicas *r, uint32_t from, uint32_t master)
{
	change_master(mem, from, master);
	for (unsigned node = 0; node < mem->n_nodes; node++)
		if (r->node[node].view == from)
			r->node[node].view = nearest(mem, r, master, node);
}

int page_migrate(struct memory *mem, uint32_t mpn, unsigned node, uint32_t *to)
{
	struct memory_private *p = mem->p;
	enum move_refusal why;
	struct frame *old, *new;
	struct replicas *r;
	uint32_t target, n;

	pmap_settle_all(mem);
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
		r->n--;
	} else {
		target = take(mem, mpn, node, frame_kind(mem, mpn));
		if (target == MPN_NONE)
			return refuse(mem, MOVE_NO_MEMORY);
		copy_page(mem, mpn, target);
	}
	old = &p->frame[mpn];
	new = &p->frame[target];
	new->flags = old->flags &FRAME_REPLICATED;
	old->flags = 0;
	new->moves = old->moves;
	new->recent = old->recent;
	count_move(new);
	/* The set of users changes hands as it is. */
	n = new->n_users = old->n_users;
	if (n == 1)
		new->one = old->one;
	else
		new->many = old->many;
	old->n_users = 0;
	if (r)
		master_leaves(mem, r, mpn, target);
	for (uint32_t i = 0; i < n; i++) {
		struct frame_user u = frame_user(mem, target, i);
		const struct owner *o = memory_owner(mem, u.owner);

		o->ops->moved(o->arg, u.page, mpn, target);
		p->moves.shootdowns += o->ops->forget != NULL;
	}
	/* Those to whom the new place is nearer than the copy they used. */
	if (r)
		views_update(mem, target);
	if (r && !r->n)
		replicas_free(mem, target);
	frame_tell_owned(mem, target);
	frame_free(mem, mpn);
	p->moves.migrations++;
	if (to)
		*to = target;
	return 0;
}

static struct replicas *replicas_new(struct memory *mem, uint32_t master)
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

int page_replicate(struct memory *mem, uint32_t mpn, unsigned node, uint32_t *to)
{
	struct memory_private *p = mem->p;
	enum move_refusal why;
	struct replicas *r;
	uint32_t copy;

	pmap_settle_all(mem);
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
	views_update(mem, mpn);
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
	switch (frame_kind(mem, mpn)) {
	case FRAME_PRIVATE:
	case FRAME_TEXT:
	case FRAME_CACHE:
	case FRAME_DISK:
	case FRAME_CLONED:
	case FRAME_SAME:
		return frame_users(mem, mpn) > 0;
	default:
		return false;
	}
}

int page_merge(struct memory *mem, uint32_t from, uint32_t to)
{
	struct forget_copy forget_from = {mem, from};

	pmap_settle_all(mem);
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
