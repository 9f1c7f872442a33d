// SPDX-License-Identifier: MIT
/*
 * The pools: which frames of a node are free, and of which kind the others are.
 *
 * Each pool hands out freed frames first, the last freed first, and then frames never used, the
 * lowest first. So memory stays dense, and which frame is next depends only on the order of calls.
 * A frame never used is zero because the host made it so. A freed one is marked dirty, and zeroed
 * when a caller asks for zeroes. When many dirty frames lie idle the host gets their memory back,
 * so that the size of the process follows the frames in use.
 */
#include <string.h>
#include <sys/mman.h>

#include "numa/memory/memmap.h"

enum {
	TRIM_FRAMES = 4096, /* dirty free frames (16 MiB) after which the host gets them back */
	TRIM_RUN = 8        /* shorter runs of dirty frames are not worth a system call */
};

const struct frame_kind_info frame_kind_info[FRAME_KINDS] = {
	[FRAME_FREE] = {.name = "free"},
	[FRAME_RESERVED] = {.name = "reserved"},
	[FRAME_PRIVATE] = {.name = "private", .guest = true},
	[FRAME_TEXT] = {.name = "text", .guest = true, .constant = true, .of_file = true},
	[FRAME_CACHE] = {.name = "cache", .guest = true, .constant = true, .of_file = true},
	[FRAME_DISK] = {.name = "disk", .guest = true},
	[FRAME_CLONED] = {.name = "cloned", .guest = true, .constant = true},
	[FRAME_MONITOR] = {.name = "monitor"},
	[FRAME_REPLICA] = {.name = "replica"},
	[FRAME_SAME] = {.name = "same", .guest = true, .constant = true},
	[FRAME_ZERO] = {.name = "zero", .constant = true},
};

/* ---- one frame --------------------------------------------------------------------------- */

unsigned frame_node(const struct memory *mem, uint32_t mpn)
{
	const struct pool *pool = mem->p->pool;
	unsigned lo = 0, hi = mem->n_nodes - 1;

	/* The last node that starts at or before mpn; a node without memory starts where the next
	 * one does. */
	while (lo < hi) {
		unsigned mid = (lo + hi + 1) / 2;

		if (pool[mid].first <= mpn)
			lo = mid;
		else
			hi = mid - 1;
	}
	while (!pool[lo].n || mpn >= pool[lo].first + pool[lo].n)
		lo--;
	return lo;
}

enum frame_kind frame_kind(const struct memory *mem, uint32_t mpn)
{
	return (enum frame_kind)mem->p->frame[mpn].kind;
}

unsigned memory_nearest(const struct memory *mem, unsigned node, unsigned i)
{
	return mem->p->order[node][i];
}

uint32_t frame_master(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];

	return f->kind == FRAME_REPLICA ? f->master : mpn;
}

/* ---- owners ------------------------------------------------------------------------------ */

void frame_set_owned(struct memory *mem, uint32_t mpn, uint32_t owner)
{
	if (mem->owned)
		mem->owned(mem->model_arg, mpn, owner);
}

void frame_tell_owned(struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[frame_master(mem, mpn)];
	bool alone = f->n_users == 1 && owner_is_vm(f->one.owner);

	frame_set_owned(mem, mpn, alone ? f->one.owner : OWNER_NONE);
}

/* ---- pools ------------------------------------------------------------------------------- */

static void count(uint32_t *counter, uint32_t change)
{
	__atomic_fetch_add(counter, change, __ATOMIC_RELAXED);
}

void frame_set_kind(struct memory *mem, uint32_t mpn, enum frame_kind kind)
{
	struct pool *pool = &mem->p->pool[frame_node(mem, mpn)];
	struct frame *f = &mem->p->frame[mpn];

	count(&pool->kind[f->kind], -1u);
	count(&pool->kind[kind], 1);
	f->kind = (uint8_t)kind;
}

void frame_swap_kind(struct memory *mem, uint32_t a, uint32_t b)
{
	enum frame_kind of_a = frame_kind(mem, a);

	frame_set_kind(mem, a, frame_kind(mem, b));
	frame_set_kind(mem, b, of_a);
}

/* A frame without user, whose bytes are not needed: free, or left of a run of frames. Frames in the
 * reserves of VMs do not count: they are few. */
static bool idle_and_dirty(const struct memory *mem, const struct frame *f)
{
	return (f->flags & FRAME_DIRTY) &&
	       (f->kind == FRAME_FREE || (f->kind == FRAME_RESERVED && mem->p->superpages));
}

/* Give the host the memory of idle dirty frames back, which makes them zero. */
static void pool_trim(struct memory *mem, struct pool *pool)
{
	struct frame *f = mem->p->frame + pool->first;

	for (uint32_t i = 0, n; i < pool->used; i += n + 1) {
		for (n = 0; i + n < pool->used && idle_and_dirty(mem, &f[i + n]); n++)
			;
		if (n < TRIM_RUN || madvise(frame_data(mem, pool->first + i),
					    (size_t)n << PAGE_SHIFT, mem->give_back))
			continue;
		for (uint32_t k = 0; k < n; k++)
			f[i + k].flags = 0;
	}
	/* What is left in short runs is counted anew only when more is freed. */
	pool->n_dirty = 0;
}

/* The frame has no user from now on. */
static void dirty(struct memory *mem, struct pool *pool, uint32_t mpn)
{
	pool->n_dirty += (mem->p->frame[mpn].flags & FRAME_DIRTY) != 0;
	if (pool->n_dirty >= TRIM_FRAMES)
		pool_trim(mem, pool);
}

static void pool_push(struct memory *mem, struct pool *pool, uint32_t mpn)
{
	struct frame *f = &mem->p->frame[mpn];

	f->next = pool->free;
	pool->free = mpn;
	dirty(mem, pool, mpn);
}

void frame_free(struct memory *mem, uint32_t mpn)
{
	struct pool *pool = &mem->p->pool[frame_node(mem, mpn)];
	struct frame *f = &mem->p->frame[mpn];
	bool keep = mem->p->superpages && mem->p->superpages->keep(mem, mpn);

	if (f->flags & FRAME_PINNED)
		die("memmap: frame %u is freed while pinned", mpn);
	frame_set_kind(mem, mpn, keep ? FRAME_RESERVED : FRAME_FREE);
	f->flags = FRAME_DIRTY;
	f->moves = f->recent = 0;
	frame_set_owned(mem, mpn, OWNER_NONE);
	if (mem->freed)
		mem->freed(mem->freed_arg, mpn);
	if (keep)
		dirty(mem, pool, mpn);
	else
		pool_push(mem, pool, mpn);
}

static uint32_t pool_pop(struct memory *mem, struct pool *pool)
{
	uint32_t mpn = pool->free;

	if (mpn != MPN_NONE) {
		struct frame *f = &mem->p->frame[mpn];

		pool->free = f->next;
		if ((f->flags & FRAME_DIRTY) && pool->n_dirty)
			pool->n_dirty--;
		return mpn;
	}
	return pool->used < pool->n ? pool->first + pool->used++ : MPN_NONE;
}

uint32_t frame_take_exact(struct memory *mem, unsigned node, enum frame_kind kind)
{
	uint32_t mpn = pool_pop(mem, &mem->p->pool[node]);

	if (mpn == MPN_NONE && mem->p->superpages && mem->p->superpages->give_back(mem, node))
		mpn = pool_pop(mem, &mem->p->pool[node]);
	if (mpn != MPN_NONE)
		frame_set_kind(mem, mpn, kind);
	return mpn;
}

uint32_t frame_reserve_run(struct memory *mem, unsigned node, uint32_t n, uint32_t owner)
{
	struct pool *pool = &mem->p->pool[node];
	uint32_t used = pool->used, skipped = (n - used % n) % n;

	if (pool->n - used < skipped + n)
		return MPN_NONE;
	pool->used += skipped + n;
	/* What lies before is for single pages, the lowest first, as ever. */
	for (uint32_t i = skipped; i > 0; i--)
		pool_push(mem, pool, pool->first + used + i - 1);
	used += skipped;
	for (uint32_t i = 0; i < n; i++) {
		frame_set_kind(mem, pool->first + used + i, FRAME_RESERVED);
		frame_set_owned(mem, pool->first + used + i, owner);
	}
	pool->in_runs += n;
	return pool->first + used;
}

void frame_unreserve(struct memory *mem, uint32_t mpn)
{
	frame_set_kind(mem, mpn, FRAME_FREE);
	frame_set_owned(mem, mpn, OWNER_NONE);
	pool_push(mem, &mem->p->pool[frame_node(mem, mpn)], mpn);
}

void frame_take_reserved(struct memory *mem, uint32_t mpn, struct frame_user user, bool zero)
{
	struct frame *f = &mem->p->frame[mpn];

	frame_set_kind(mem, mpn, FRAME_PRIVATE);
	f->one = user;
	f->n_users = 1;
	if (zero && (f->flags & FRAME_DIRTY))
		memset(frame_data(mem, mpn), 0, PAGE_SIZE);
}
