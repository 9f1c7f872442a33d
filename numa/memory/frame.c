// SPDX-License-Identifier: MIT
/*
 * Machine memory: see frame.h. One 16-byte record a frame, in an array that the host backs only
 * where it is touched. This file joins what lies below it: the pools of free frames
 * (numa/memory/pool.c), the users of frames (users.c) and the copies of pages (replica.c). An
 * allocation may end the life of a copy, and the last user of a frame frees it with its copies.
 *
 * Two services of files above it are reached through pointers that these files set: runs of
 * frames (superpage.c) and the reserves of VMs (reserve.c, by struct memory).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "numa/memory/memmap.h"

enum { RECLAIM_BATCH = 64 /* frames asked of the buffer cache at a time */ };

struct memory *memory_create_at(const struct machine *m, void *base, int give_back)
{
	struct memory *mem = xcalloc(1, sizeof(*mem));
	struct memory_private *p = mem->p = xcalloc(1, sizeof(*p));
	uint64_t total = 0;

	mem->n_nodes = m->n_nodes;
	mem->boundary = true;
	p->futile_dels = UINT64_MAX;
	memset(mem->zero, 0xff, sizeof(mem->zero));
	for (unsigned node = 0; node < m->n_nodes; node++) {
		struct pool *pool = &p->pool[node];

		pool->first = (uint32_t)total;
		pool->n = (uint32_t)(m->node[node].mem_bytes >> PAGE_SHIFT);
		pool->free = MPN_NONE;
		pool->kind[FRAME_FREE] = pool->n;
		total += m->node[node].mem_bytes >> PAGE_SHIFT;

		/* Insertion sort: by latency, then number; the node itself always first. */
		for (unsigned i = 0; i < m->n_nodes; i++) {
			unsigned at = i;
			uint32_t ns = i == node ? 0 : m->latency_ns[node][i];

			for (; at > 0; at--) {
				unsigned o = p->order[node][at - 1];

				if ((o == node ? 0 : m->latency_ns[node][o]) <= ns && i != node)
					break;
				p->order[node][at] = (uint8_t)o;
			}
			p->order[node][at] = (uint8_t)i;
		}
		for (unsigned i = 0; i < m->n_nodes; i++)
			for (unsigned j = 0; j < m->n_nodes && i != node; j++)
				p->rank[node][i] += j == node ||
						    m->latency_ns[node][j] < m->latency_ns[node][i];
	}
	if (total >= MPN_NONE)
		die("a machine of %llu frames is beyond 32-bit frame numbers",
			(unsigned long long)total);
	mem->n_frames = (uint32_t)total;
	mem->base_lent = base != NULL;
	mem->base = base ? base : lazy_alloc((size_t)total << PAGE_SHIFT);
	mem->give_back = give_back;
	p->frame = lazy_alloc(total * sizeof(struct frame));
	p->replicas = lazy_alloc(total * sizeof(p->replicas[0]));
	p->pins = lazy_alloc(total * sizeof(p->pins[0]));
	for (unsigned node = 0; node < m->n_nodes; node++)
		for (uint64_t i = 0; i < m->monitor_text >> PAGE_SHIFT; i++)
			frame_take_exact(mem, node, FRAME_MONITOR);
	return mem;
}

struct memory *memory_create(const struct machine *m)
{
	return memory_create_at(m, NULL, MADV_DONTNEED);
}

void memory_destroy(struct memory *mem)
{
	struct memory_private *p;

	if (!mem)
		return;
	p = mem->p;
	for (unsigned node = 0; node < mem->n_nodes; node++)
		for (uint32_t i = 0; i < p->pool[node].used; i++) {
			struct frame *f = &p->frame[p->pool[node].first + i];

			if (f->kind != FRAME_FREE && f->n_users > 1)
				free(f->many);
			if (f->flags & (FRAME_REPLICATED | FRAME_COLLAPSED))
				free(p->replicas[p->pool[node].first + i]);
		}
	if (p->superpages)
		p->superpages->destroy(mem);
	lazy_free(p->pins, mem->n_frames * sizeof(p->pins[0]));
	lazy_free(p->replicas, mem->n_frames * sizeof(p->replicas[0]));
	lazy_free(p->frame, mem->n_frames * sizeof(struct frame));
	if (!mem->base_lent)
		lazy_free(mem->base, (size_t)mem->n_frames << PAGE_SHIFT);
	free(p->owner);
	free(p);
	free(mem);
}

/* ---- placement --------------------------------------------------------------------------- */

void memory_set_placement(struct memory *mem, place_fn *place, const void *arg)
{
	mem->p->place = place;
	mem->p->place_arg = arg;
}

unsigned frame_place(const struct memory *mem, struct frame_user user, unsigned node, uint64_t *nth)
{
	const struct memory_private *p = mem->p;

	return p->place ? p->place(p->place_arg, user, node, (*nth)++) : node;
}

bool memory_spreads(const struct memory *mem)
{
	return mem->p->place != NULL;
}

/* ---- users ------------------------------------------------------------------------------- */

static void tell_copy_owned(void *arg, uint32_t copy)
{
	frame_tell_owned(arg, copy);
}

/* After a user came or went and left one or two. */
static void users_changed(struct memory *mem, uint32_t mpn)
{
	frame_tell_owned(mem, mpn);
	replicas_each(mem, mpn, tell_copy_owned, mem);
}

void frame_add_users(struct memory *mem, uint32_t mpn, const struct frame_user *user, uint32_t n)
{
	uint32_t had = users_add(mem, mpn, user, n);

	if (n && had < 2)
		users_changed(mem, mpn);
}

void frame_add_user(struct memory *mem, uint32_t mpn, struct frame_user user)
{
	frame_add_users(mem, mpn, &user, 1);
}

void frame_del_user(struct memory *mem, uint32_t mpn, struct frame_user user)
{
	uint32_t left = users_del(mem, mpn, user);

	if (left == 1)
		users_changed(mem, mpn);
	if (left)
		return;
	replicas_drop(mem, mpn);
	frame_free(mem, mpn);
}

/* ---- allocation -------------------------------------------------------------------------- */

static uint32_t nearest_pop(struct memory *mem, unsigned node, enum frame_kind kind)
{
	uint32_t mpn = MPN_NONE;

	for (unsigned i = 0; i < mem->n_nodes && mpn == MPN_NONE; i++) {
		unsigned near = mem->p->order[node][i];

		mpn = frame_take_exact(mem, near, kind);
		if (mpn == MPN_NONE && replicas_give_back(mem, near))
			mpn = frame_take_exact(mem, near, kind);
	}
	return mpn;
}

/* Have the buffer cache give something back; not asked again before a user has let go of a frame. */
static bool reclaim(struct memory *mem)
{
	struct memory_private *p = mem->p;
	uint32_t freed;

	if (!mem->reclaim || p->futile_dels == p->n_dels)
		return false;
	freed = mem->reclaim(mem->reclaim_arg, RECLAIM_BATCH);
	p->futile_dels = freed ? UINT64_MAX : p->n_dels;
	return freed > 0;
}

uint32_t frame_reserve(struct memory *mem, unsigned node, uint32_t owner)
{
	uint32_t mpn = nearest_pop(mem, node, FRAME_RESERVED);

	if (mpn == MPN_NONE && reclaim(mem))
		mpn = nearest_pop(mem, node, FRAME_RESERVED);
	if (mpn != MPN_NONE)
		frame_set_owned(mem, mpn, owner);
	return mpn;
}

uint32_t frame_alloc(struct memory *mem, unsigned node, enum frame_kind kind, bool zero)
{
	uint32_t mpn = nearest_pop(mem, node, kind);

	if (mpn == MPN_NONE && reclaim(mem))
		mpn = nearest_pop(mem, node, kind);
	if (mpn == MPN_NONE && mem->steal && mem->steal(mem))
		mpn = nearest_pop(mem, node, kind);
	if (mpn != MPN_NONE && zero && (mem->p->frame[mpn].flags & FRAME_DIRTY))
		memset(frame_data(mem, mpn), 0, PAGE_SIZE);
	return mpn;
}

/* ---- zeroes ------------------------------------------------------------------------------ */

void memory_share_zero(struct memory *mem)
{
	for (unsigned node = 0; node < mem->n_nodes; node++)
		if (mem->p->pool[node].n)
			mem->zero[node] = frame_take_exact(mem, node, FRAME_ZERO);
	for (unsigned node = 0; node < mem->n_nodes; node++)
		for (unsigned i = 1; mem->zero[node] == MPN_NONE && i < mem->n_nodes; i++)
			mem->zero[node] = mem->zero[memory_nearest(mem, node, i)];
}

bool frame_is_zero(const struct memory *mem, uint32_t mpn)
{
	const uint64_t *w = frame_data(mem, mpn);
	uint64_t any = 0;

	for (unsigned i = 0; i < PAGE_SIZE / 8 && !any; i += 8)
		any = w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] |
		      w[i + 7];
	return !any;
}

/* ---- reports ----------------------------------------------------------------------------- */

void memory_usage(const struct memory *mem, int node, struct memory_usage *u)
{
	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < mem->n_nodes; i++) {
		if (node >= 0 && i != (unsigned)node)
			continue;
		u->total += mem->p->pool[i].n;
		for (unsigned k = 0; k < FRAME_KINDS; k++)
			u->kind[k] += mem->p->pool[i].kind[k];
		u->ready += mem->p->pool[i].kind[FRAME_FREE] + mem->p->pool[i].in_runs;
	}
	u->free = u->kind[FRAME_FREE] + u->kind[FRAME_RESERVED];
}

uint64_t memory_overhead_bytes(const struct memory *mem)
{
	uint64_t bytes = sizeof(*mem) + sizeof(*mem->p) + mem->p->set_bytes;

	for (unsigned i = 0; i < mem->n_nodes; i++)
		bytes += (uint64_t)mem->p->pool[i].used * sizeof(struct frame);
	return bytes + mem->p->replica_bytes;
}

static void check_frame(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];

	if (f->kind >= FRAME_KINDS)
		die("memmap: frame %u is of kind %u", mpn, f->kind);
	if (frame_kind_info[f->kind].guest != (f->n_users > 0) && f->kind != FRAME_MONITOR)
		die("memmap: frame %u (%s) has %u users", mpn, frame_kind_info[f->kind].name,
			f->n_users);
	if (f->kind == FRAME_ZERO && !frame_is_zero(mem, mpn))
		die("memmap: frame %u is not zero any more", mpn);
}

void memory_check(const struct memory *mem)
{
	uint64_t sets = 0;

	for (unsigned node = 0; node < mem->n_nodes; node++) {
		const struct pool *pool = &mem->p->pool[node];
		uint32_t kinds[FRAME_KINDS] = {0}, listed = 0;

		if (pool->used > pool->n)
			die("memmap: node %u has used %u of %u frames", node, pool->used, pool->n);
		for (uint32_t i = 0; i < pool->used; i++) {
			uint32_t mpn = pool->first + i;

			check_frame(mem, mpn);
			sets += users_check(mem, mpn);
			replicas_check(mem, mpn);
			kinds[mem->p->frame[mpn].kind]++;
			if (frame_node(mem, mpn) != node)
				die("memmap: frame %u of node %u is taken for node %u's", mpn, node,
					frame_node(mem, mpn));
		}
		for (uint32_t mpn = pool->free; mpn != MPN_NONE; mpn = mem->p->frame[mpn].next)
			if (mem->p->frame[mpn].kind != FRAME_FREE || ++listed > kinds[FRAME_FREE])
				die("memmap: node %u's free list breaks at frame %u", node, mpn);
		if (listed != kinds[FRAME_FREE])
			die("memmap: node %u: %u frames are free, %u of them listed", node,
				kinds[FRAME_FREE], listed);
		kinds[FRAME_FREE] += pool->n - pool->used;
		for (unsigned k = 0; k < FRAME_KINDS; k++)
			if (kinds[k] != pool->kind[k])
				die("memmap: node %u: %u frames are %s, counted %u", node, kinds[k],
					frame_kind_info[k].name, pool->kind[k]);
	}
	if (mem->p->superpages)
		mem->p->superpages->check(mem);
	if (sets != mem->p->set_bytes)
		die("memmap: user sets take %llu bytes, counted %llu", (unsigned long long)sets,
			(unsigned long long)mem->p->set_bytes);
}

/* A page of an owner is one user of one frame. So when each is found in its frame, and there are as
 * many users as pages, no frame has a user that does not know of it. */
void memory_check_owners(const struct memory *mem)
{
	const struct memory_private *p = mem->p;
	uint64_t *uses = xcalloc(p->n_owners + 1, sizeof(uses[0]));
	const struct owner *o;

	for (unsigned node = 0; node < mem->n_nodes; node++)
		for (uint32_t n = 0; n < p->pool[node].used; n++) {
			uint32_t mpn = p->pool[node].first + n;

			for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
				struct frame_user u = frame_user(mem, mpn, i);

				o = memory_owner(mem, u.owner);
				if (!o)
					die("memmap: frame %u is used for page %u of %#x, an "
					    "unknown "
					    "owner",
						mpn, u.page, u.owner);
				uses[o - p->owner]++;
			}
		}
	for (unsigned i = 0; i < p->n_owners; i++) {
		uint64_t pages;

		o = &p->owner[i];
		pages = o->ops->check ? o->ops->check(o->arg) : uses[i];
		if (pages != uses[i])
			die("memmap: owner %#x has %llu pages, but frames are used for %llu of its",
				o->id, (unsigned long long)pages, (unsigned long long)uses[i]);
	}
	free(uses);
}
