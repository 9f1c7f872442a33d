// SPDX-License-Identifier: MIT
/*
 * Machine memory: see frame.h. One 16-byte record a frame, in an array that the host backs only
 * where it is touched. Most frames have one user (a VM's own page), which is kept in the record; a
 * shared frame has a set of users on the heap, with a hash index once it is large, because a guest
 * may map one disk block a million times and must not make everyone else wait for a linear search.
 *
 * Each node's pool hands out freed frames first, the last freed first, and then frames never used,
 * the lowest first. So memory stays dense, and which frame is next depends only on the order of
 * calls. A frame never used is zero because the host made it so; a freed one is marked dirty and
 * zeroed when someone needs zeroes. When many dirty frames lie idle the host gets their memory
 * back, so that the process's size follows the frames in use.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "numa/memory/memmap.h"

const char *const frame_kind_name[FRAME_KINDS] = {"free", "reserved", "private", "text", "cache",
	"disk", "cloned", "monitor", "replica", "same", "zero"};

enum {
	SET_MIN = 4,        /* smallest set of users on the heap */
	SET_LINEAR = 64,    /* sets up to this large are searched without an index */
	RECLAIM_BATCH = 64, /* frames asked of the buffer cache at a time */
	TRIM_FRAMES = 4096, /* dirty free frames (16 MiB) after which the host gets them back */
	TRIM_RUN = 8        /* shorter runs of dirty frames are not worth a system call */
};

struct user_set {
	uint32_t cap; /* a power of two */
	struct frame_user user[];
	/* cap > SET_LINEAR: uint32_t slot[2 * cap] follows, position + 1 or 0, linear probing */
};

struct memory *memory_create_at(const struct machine *m, void *base, int give_back)
{
	struct memory *mem = xcalloc(1, sizeof(*mem));
	struct memory_private *p = mem->p = xcalloc(1, sizeof(*p));
	uint64_t total = 0;

	mem->n_nodes = m->n_nodes;
	mem->boundary = true;
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
	runs_destroy(mem);
	lazy_free(p->pins, mem->n_frames * sizeof(p->pins[0]));
	lazy_free(p->replicas, mem->n_frames * sizeof(p->replicas[0]));
	lazy_free(p->frame, mem->n_frames * sizeof(struct frame));
	if (!mem->base_lent)
		lazy_free(mem->base, (size_t)mem->n_frames << PAGE_SHIFT);
	free(p->owner);
	free(p);
	free(mem);
}

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

/* ---- owners and placement ---------------------------------------------------------------- */

/* Where owner `id` is in the table, or where it would go. */
static unsigned owner_slot(const struct memory_private *p, uint32_t id)
{
	unsigned lo = 0, hi = p->n_owners;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (p->owner[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct owner *memory_owner(const struct memory *mem, uint32_t id)
{
	unsigned i = owner_slot(mem->p, id);

	return i < mem->p->n_owners && mem->p->owner[i].id == id ? &mem->p->owner[i] : NULL;
}

void memory_add_owner(struct memory *mem, uint32_t id, const struct frame_owner_ops *ops, void *arg)
{
	struct memory_private *p = mem->p;
	unsigned i = owner_slot(p, id);

	if (i < p->n_owners && p->owner[i].id == id)
		die("memmap: two owners are called %#x", id);
	p->owner = xrealloc(p->owner, (p->n_owners + 1) * sizeof(p->owner[0]));
	memmove(&p->owner[i + 1], &p->owner[i], (p->n_owners++ - i) * sizeof(p->owner[0]));
	p->owner[i] = (struct owner){.id = id, .ops = ops, .arg = arg};
}

void memory_del_owner(struct memory *mem, uint32_t id)
{
	struct memory_private *p = mem->p;
	unsigned i = owner_slot(p, id);

	if (i == p->n_owners || p->owner[i].id != id)
		die("memmap: no owner is called %#x", id);
	memmove(&p->owner[i], &p->owner[i + 1], (--p->n_owners - i) * sizeof(p->owner[0]));
}

void memory_set_placement(struct memory *mem, place_fn *place, const void *arg)
{
	mem->p->place = place;
	mem->p->place_arg = arg;
}

unsigned frame_place(const struct memory *mem, uint32_t page, unsigned node, uint64_t *nth)
{
	const struct memory_private *p = mem->p;

	return p->place ? p->place(p->place_arg, page, node, (*nth)++) % mem->n_nodes : node;
}

bool memory_spreads(const struct memory *mem)
{
	return mem->p->place != NULL;
}

/* ---- users ------------------------------------------------------------------------------- */

static bool same_user(struct frame_user a, struct frame_user b)
{
	return a.owner == b.owner && a.page == b.page;
}

static uint32_t *set_slots(struct user_set *s)
{
	return (uint32_t *)&s->user[s->cap];
}

static size_t set_bytes(uint32_t cap)
{
	return sizeof(struct user_set) + cap * sizeof(struct frame_user) +
	       (cap > SET_LINEAR ? 2ull * cap * sizeof(uint32_t) : 0);
}

static uint32_t user_hash(struct frame_user u)
{
	uint64_t key = (uint64_t)u.owner << 32 | u.page;

	return (uint32_t)(splitmix64(&key) >> 32);
}

/* Where the index says `position` (of user u) is, or where it would go. */
static uint32_t slot_of(struct user_set *s, struct frame_user u)
{
	uint32_t *slot = set_slots(s), mask = 2 * s->cap - 1, h = user_hash(u) & mask;

	while (slot[h] && !same_user(s->user[slot[h] - 1], u))
		h = (h + 1) & mask;
	return h;
}

/* Position of u among n users, or n. */
static uint32_t set_find(struct user_set *s, uint32_t n, struct frame_user u)
{
	uint32_t i;

	if (s->cap > SET_LINEAR) {
		i = set_slots(s)[slot_of(s, u)];
		return i ? i - 1 : n;
	}
	for (i = 0; i < n && !same_user(s->user[i], u); i++)
		;
	return i;
}

static struct user_set *set_resize(
	struct memory_private *p, struct user_set *old, uint32_t n, uint32_t cap)
{
	struct user_set *s = xcalloc(1, set_bytes(cap));

	s->cap = cap;
	p->set_bytes += set_bytes(cap);
	if (old) {
		memcpy(s->user, old->user, n * sizeof(s->user[0]));
		p->set_bytes -= set_bytes(old->cap);
		free(old);
	}
	if (cap > SET_LINEAR)
		for (uint32_t i = 0; i < n; i++)
			set_slots(s)[slot_of(s, s->user[i])] = i + 1;
	return s;
}

/* User number n, not yet in the set, which has room. */
static void set_append(struct user_set *s, uint32_t n, struct frame_user u)
{
	s->user[n] = u;
	if (s->cap > SET_LINEAR)
		set_slots(s)[slot_of(s, u)] = n + 1;
}

/* Empty slot h, moving up those behind it that would no longer be found (Knuth 6.4, algorithm R).
 */
static void slot_clear(struct user_set *s, uint32_t h)
{
	uint32_t *slot = set_slots(s), mask = 2 * s->cap - 1;

	for (uint32_t i = (h + 1) & mask; slot[i]; i = (i + 1) & mask) {
		uint32_t home = user_hash(s->user[slot[i] - 1]) & mask;

		if (((i - home) & mask) >= ((i - h) & mask)) {
			slot[h] = slot[i];
			h = i;
		}
	}
	slot[h] = 0;
}

static void set_remove(struct user_set *s, uint32_t n, uint32_t at)
{
	if (s->cap > SET_LINEAR) {
		slot_clear(s, slot_of(s, s->user[at]));
		if (at != n - 1)
			set_slots(s)[slot_of(s, s->user[n - 1])] = at + 1;
	}
	s->user[at] = s->user[n - 1];
}

bool frame_has_user(const struct memory *mem, uint32_t mpn, struct frame_user user)
{
	const struct frame *f = &mem->p->frame[mpn];

	if (f->kind == FRAME_FREE)
		return false;
	if (f->n_users > 1)
		return set_find(f->many, f->n_users, user) < f->n_users;
	return f->n_users == 1 && same_user(f->one, user);
}

static void tell_owned(struct memory *mem, uint32_t mpn, uint32_t owner)
{
	if (mem->owned)
		mem->owned(mem->model_arg, mpn, owner);
}

void frame_tell_owned(struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[frame_master(mem, mpn)];
	bool alone = f->n_users == 1 && !(f->one.owner >> 31);

	tell_owned(mem, mpn, alone ? f->one.owner : OWNER_NONE);
}

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
	struct memory_private *p = mem->p;
	struct frame *f = &p->frame[mpn];
	uint32_t had = f->n_users, all = had + n, cap = had > 1 ? f->many->cap : SET_MIN;
	struct user_set *s;

	if (all == 1 && n) {
		f->one = *user;
	} else if (all > 1) {
		while (cap < all)
			cap *= 2;
		if (had < 2) {
			s = set_resize(p, NULL, 0, cap);
			if (had)
				set_append(s, 0, f->one);
			f->many = s;
		} else if (cap > f->many->cap) {
			f->many = set_resize(p, f->many, had, cap);
		}
		for (uint32_t i = 0; i < n; i++)
			set_append(f->many, had + i, user[i]);
	}
	f->n_users = all;
	if (n && had < 2)
		users_changed(mem, mpn);
}

void frame_add_user(struct memory *mem, uint32_t mpn, struct frame_user user)
{
	frame_add_users(mem, mpn, &user, 1);
}

void frame_del_user(struct memory *mem, uint32_t mpn, struct frame_user user)
{
	struct memory_private *p = mem->p;
	struct frame *f = &p->frame[mpn];
	uint32_t at = f->n_users > 1 ? set_find(f->many, f->n_users, user) : 0;

	if (at == f->n_users || (f->n_users == 1 && !same_user(f->one, user)))
		die("memmap: page %u of owner %#x does not use frame %u", user.page, user.owner,
			mpn);
	p->n_dels++;
	if (f->n_users == 1) {
		f->n_users = 0;
		replicas_drop(mem, mpn);
		frame_free(mem, mpn);
		return;
	}
	set_remove(f->many, f->n_users, at);
	f->n_users--;
	if (f->n_users == 1) {
		struct user_set *s = f->many;

		f->one = s->user[0];
		p->set_bytes -= set_bytes(s->cap);
		free(s);
		users_changed(mem, mpn);
	} else if (f->many->cap > SET_MIN && f->n_users <= f->many->cap / 4) {
		f->many = set_resize(p, f->many, f->n_users, f->many->cap / 2);
	}
}

uint32_t frame_users(const struct memory *mem, uint32_t mpn)
{
	return mem->p->frame[mpn].n_users;
}

struct frame_user frame_user(const struct memory *mem, uint32_t mpn, uint32_t index)
{
	const struct frame *f = &mem->p->frame[mpn];

	return f->n_users > 1 ? f->many->user[index] : f->one;
}

uint64_t memory_count_owner(const struct memory *mem, uint32_t owner)
{
	uint64_t n = 0;

	for (unsigned node = 0; node < mem->n_nodes; node++) {
		const struct pool *pool = &mem->p->pool[node];

		for (uint32_t mpn = pool->first; mpn < pool->first + pool->used; mpn++)
			for (uint32_t i = 0; i < frame_users(mem, mpn); i++)
				n += frame_user(mem, mpn, i).owner == owner;
	}
	return n;
}

/* ---- pools ------------------------------------------------------------------------------- */

static void count(uint32_t *counter, uint32_t change)
{
	__atomic_fetch_add(counter, change, __ATOMIC_RELAXED);
}

/* The kind of a frame in use or reserved; run phase for a frame only this thread can reach. */
static void set_kind(struct memory *mem, uint32_t mpn, enum frame_kind kind)
{
	struct pool *pool = &mem->p->pool[frame_node(mem, mpn)];
	struct frame *f = &mem->p->frame[mpn];

	count(&pool->kind[f->kind], -1u);
	count(&pool->kind[kind], 1);
	f->kind = (uint8_t)kind;
}

void frame_set_kind(struct memory *mem, uint32_t mpn, enum frame_kind kind)
{
	set_kind(mem, mpn, kind);
}

void frame_swap_kind(struct memory *mem, uint32_t a, uint32_t b)
{
	enum frame_kind of_a = frame_kind(mem, a);

	set_kind(mem, a, frame_kind(mem, b));
	set_kind(mem, b, of_a);
}

/* Nobody's, with bytes that nobody needs: free, or left of a run. Reserves of VMs are small. */
static bool idle_and_dirty(const struct memory *mem, const struct frame *f)
{
	return (f->flags & FRAME_DIRTY) &&
	       (f->kind == FRAME_FREE || (f->kind == FRAME_RESERVED && mem->p->runs));
}

/* Give the host back the memory of dirty frames that are nobody's, which makes them zero. */
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

/* A frame is nobody's now. */
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
	bool keep = run_keep(mem, mpn);

	if (f->flags & FRAME_PINNED)
		die("memmap: frame %u is freed while pinned", mpn);
	set_kind(mem, mpn, keep ? FRAME_RESERVED : FRAME_FREE);
	f->flags = FRAME_DIRTY;
	f->moves = f->recent = 0;
	tell_owned(mem, mpn, OWNER_NONE);
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

	if (mpn == MPN_NONE && runs_give_back(mem, node))
		mpn = pool_pop(mem, &mem->p->pool[node]);
	if (mpn != MPN_NONE)
		set_kind(mem, mpn, kind);
	return mpn;
}

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

/* Have the buffer cache give something back; not asked twice while nobody let go of a frame. */
static bool reclaim(struct memory *mem)
{
	struct memory_private *p = mem->p;

	if (!mem->reclaim || (p->futile && p->futile_dels == p->n_dels))
		return false;
	p->futile = !mem->reclaim(mem->reclaim_arg, RECLAIM_BATCH);
	p->futile_dels = p->n_dels;
	return !p->futile;
}

uint32_t frame_reserve(struct memory *mem, unsigned node, uint32_t owner)
{
	uint32_t mpn = nearest_pop(mem, node, FRAME_RESERVED);

	if (mpn == MPN_NONE && reclaim(mem))
		mpn = nearest_pop(mem, node, FRAME_RESERVED);
	if (mpn != MPN_NONE)
		tell_owned(mem, mpn, owner);
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
		set_kind(mem, pool->first + used + i, FRAME_RESERVED);
		tell_owned(mem, pool->first + used + i, owner);
	}
	pool->in_runs += n;
	return pool->first + used;
}

void frame_unreserve(struct memory *mem, uint32_t mpn)
{
	set_kind(mem, mpn, FRAME_FREE);
	tell_owned(mem, mpn, OWNER_NONE);
	pool_push(mem, &mem->p->pool[frame_node(mem, mpn)], mpn);
}

void frame_take_reserved(struct memory *mem, uint32_t mpn, struct frame_user user, bool zero)
{
	struct frame *f = &mem->p->frame[mpn];

	set_kind(mem, mpn, FRAME_PRIVATE);
	f->one = user;
	f->n_users = 1;
	if (zero && (f->flags & FRAME_DIRTY))
		memset(frame_data(mem, mpn), 0, PAGE_SIZE);
}

uint32_t frame_alloc(struct memory *mem, unsigned node, enum frame_kind kind, bool zero)
{
	uint32_t mpn = nearest_pop(mem, node, kind);

	if (mpn == MPN_NONE && reclaim(mem))
		mpn = nearest_pop(mem, node, kind);
	if (mpn == MPN_NONE && pmap_steal(mem))
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

static void check_users(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];
	bool unused = f->kind == FRAME_FREE || f->kind == FRAME_RESERVED ||
		      f->kind == FRAME_REPLICA || f->kind == FRAME_ZERO;

	if (f->kind >= FRAME_KINDS)
		die("memmap: frame %u is of kind %u", mpn, f->kind);
	if (unused != (f->n_users == 0) && f->kind != FRAME_MONITOR)
		die("memmap: frame %u (%s) has %u users", mpn, frame_kind_name[f->kind],
			f->n_users);
	if (f->kind == FRAME_ZERO && !frame_is_zero(mem, mpn))
		die("memmap: frame %u is not zero any more", mpn);
	if (f->n_users < 2)
		return;
	if (f->many->cap < f->n_users || (f->many->cap & (f->many->cap - 1)))
		die("memmap: frame %u has %u users in a set of %u", mpn, f->n_users, f->many->cap);
	/* Each must be found where it is: this also finds duplicates and a broken index. */
	for (uint32_t i = 0; i < f->n_users; i++)
		if (set_find(f->many, f->n_users, f->many->user[i]) != i)
			die("memmap: frame %u: user %u (owner %#x page %u) is lost or double", mpn,
				i, f->many->user[i].owner, f->many->user[i].page);
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

			check_users(mem, mpn);
			replicas_check(mem, mpn);
			kinds[mem->p->frame[mpn].kind]++;
			if (mem->p->frame[mpn].n_users > 1)
				sets += set_bytes(mem->p->frame[mpn].many->cap);
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
					frame_kind_name[k], pool->kind[k]);
	}
	runs_check(mem);
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

	for (unsigned node = 0; node < mem->n_nodes; node++)
		for (uint32_t n = 0; n < p->pool[node].used; n++) {
			uint32_t mpn = p->pool[node].first + n;

			for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
				struct frame_user u = frame_user(mem, mpn, i);

				if (!memory_owner(mem, u.owner))
					die("memmap: frame %u is used for page %u of %#x, who is "
					    "unknown",
						mpn, u.page, u.owner);
				uses[owner_slot(p, u.owner)]++;
			}
		}
	for (unsigned i = 0; i < p->n_owners; i++) {
		const struct owner *o = &p->owner[i];
		uint64_t pages = o->ops->check ? o->ops->check(o->arg) : uses[i];

		if (pages != uses[i])
			die("memmap: owner %#x has %llu pages, but frames are used for %llu of its",
				o->id, (unsigned long long)pages, (unsigned long long)uses[i]);
	}
	free(uses);
}
