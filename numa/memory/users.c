// SPDX-License-Identifier: MIT
/*
 * The users of a frame, and their owners: the back-maps of the memmap and the table of owners.
 * Most frames have one user (a VM's own page), which is kept in the record. A shared frame has a
 * set of users on the heap, with a hash index once it is large, because a guest may map one disk
 * block a million times and must not make all others wait for a linear search.
 *
 * These functions change records only. What follows from a change (the frame is freed, its copies
 * get another owner) is done by numa/memory/frame.c.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/memory/memmap.h"

enum {
	SET_MIN = 4,    /* smallest set of users on the heap */
	SET_LINEAR = 64 /* sets up to this large are searched without an index */
};

struct user_set {
	uint32_t cap; /* a power of two */
	struct frame_user user[];
	/* cap > SET_LINEAR: uint32_t slot[2 * cap] follows, position + 1 or 0, linear probing */
};

/* ---- owners ------------------------------------------------------------------------------ */

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

/* ---- sets of users ----------------------------------------------------------------------- */

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

uint32_t users_add(struct memory *mem, uint32_t mpn, const struct frame_user *user, uint32_t n)
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
	return had;
}

uint32_t users_del(struct memory *mem, uint32_t mpn, struct frame_user user)
{
	struct memory_private *p = mem->p;
	struct frame *f = &p->frame[mpn];
	uint32_t at = f->n_users > 1 ? set_find(f->many, f->n_users, user) : 0;

	if (at == f->n_users || (f->n_users == 1 && !same_user(f->one, user)))
		die("memmap: page %u of owner %#x does not use frame %u", user.page, user.owner,
			mpn);
	p->n_dels++;
	if (f->n_users > 1)
		set_remove(f->many, f->n_users, at);
	f->n_users--;
	if (f->n_users == 1) {
		struct user_set *s = f->many;

		f->one = s->user[0];
		p->set_bytes -= set_bytes(s->cap);
		free(s);
	} else if (f->n_users > 1 && f->many->cap > SET_MIN && f->n_users <= f->many->cap / 4) {
		f->many = set_resize(p, f->many, f->n_users, f->many->cap / 2);
	}
	return f->n_users;
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

uint64_t users_check(const struct memory *mem, uint32_t mpn)
{
	const struct frame *f = &mem->p->frame[mpn];

	if (f->n_users < 2)
		return 0;
	if (f->many->cap < f->n_users || (f->many->cap & (f->many->cap - 1)))
		die("memmap: frame %u has %u users in a set of %u", mpn, f->n_users, f->many->cap);
	/* Each must be found where it is: this also finds duplicates and a broken index. */
	for (uint32_t i = 0; i < f->n_users; i++)
		if (set_find(f->many, f->n_users, f->many->user[i]) != i)
			die("memmap: frame %u: user %u (owner %#x page %u) is lost or double", mpn,
				i, f->many->user[i].owner, f->many->user[i].page);
	return set_bytes(f->many->cap);
}
