// SPDX-License-Identifier: MIT
/*
 * One VM's ppn -> frame table: see pmap.h. The table is in two levels, so that memory a guest never
 * touches costs nothing; a whole missing leaf is answered by one constant entry.
 *
 * In the run phase the VM's thread may read the contents of any frame it maps and change nothing
 * but frames of its own. So it never asks how many users a copy-on-write frame has (another VM's
 * count is in the same record): it copies into a frame of its reserve and leaves the old frame's
 * user in `pending` for the boundary. At the boundary the last user of a frame keeps it without a
 * copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"
#include "numa/memory/pmap-private.h"

static const struct pmap_entry absent = {.mpn = MPN_NONE};

static uint32_t n_slots(const struct pmap *pm)
{
	return (pm->n_pages + LEAF_PAGES - 1) >> LEAF_SHIFT;
}

/* ---- entries ----------------------------------------------------------------------------- */

uint32_t pmap_id(const struct pmap *pm)
{
	return pm->id;
}

uint32_t pmap_pages(const struct pmap *pm)
{
	return pm->n_pages;
}

const struct pmap_stats *pmap_stats(const struct pmap *pm)
{
	return &pm->stats;
}

const struct pmap_entry *pmap_entry(const struct pmap *pm, uint32_t ppn)
{
	const struct leaf *leaf = pm->leaf[ppn >> LEAF_SHIFT];

	return leaf ? &leaf->entry[ppn & (LEAF_PAGES - 1)] : &absent;
}

uint32_t pmap_view(const struct memory *mem, const struct pmap *pm, uint32_t ppn, unsigned node,
	bool *writable)
{
	const struct pmap_entry *e = pmap_entry(pm, ppn);

	*writable = false;
	if (unlikely(e->mpn == MPN_NONE))
		return e->zero_node == node + 1 || e->zero_node == ZERO_ANY ? mem->zero[node]
									    : MPN_NONE;
	if (unlikely(mem->p->frame[e->mpn].flags & FRAME_REPLICATED))
		return frame_view(mem, e->mpn, node);
	*writable = !e->cow;
	return e->mpn;
}

uint32_t pmap_next(const struct pmap *pm, uint32_t ppn)
{
	while (ppn < pm->n_pages) {
		const struct leaf *leaf = pm->leaf[ppn >> LEAF_SHIFT];

		if (!leaf)
			ppn = (ppn | (LEAF_PAGES - 1)) + 1;
		else if (leaf->entry[ppn & (LEAF_PAGES - 1)].mpn == MPN_NONE)
			ppn++;
		else
			return ppn;
	}
	return pm->n_pages;
}

static struct pmap_entry *entry_get(struct pmap *pm, uint32_t ppn)
{
	struct leaf **leaf = &pm->leaf[ppn >> LEAF_SHIFT];

	if (unlikely(!*leaf)) {
		*leaf = xcalloc(1, sizeof(**leaf));
		pm->n_leaves++;
		for (unsigned i = 0; i < LEAF_PAGES; i++)
			(*leaf)->entry[i] = absent;
	}
	return &(*leaf)->entry[ppn & (LEAF_PAGES - 1)];
}

static struct frame_user me(const struct pmap *pm, uint32_t ppn)
{
	return (struct frame_user){.owner = pm->id, .page = ppn};
}

/* Map ppn to mpn; the caller has seen to users on both sides. */
static void entry_set(
	struct pmap *pm, struct pmap_entry *e, uint32_t mpn, bool cow, enum frame_kind kind)
{
	if (e->kind != FRAME_FREE)
		pm->stats.mapped[e->kind]--;
	if (kind != FRAME_FREE)
		pm->stats.mapped[kind]++;
	*e = (struct pmap_entry){.mpn = mpn, .cow = cow, .kind = (uint8_t)kind};
}

void pmap_release_deferred(struct pmap *pm)
{
	for (uint32_t i = 0; i < pm->n_pending; i++) {
		const struct pending *p = &pm->pending[i];

		if (p->collapse)
			replicas_release(pm->mem, p->mpn);
		else
			frame_del_user(pm->mem, p->mpn, me(pm, p->ppn));
	}
	pm->n_pending = 0;
}

static void release_all(struct memory *mem)
{
	for (struct pmap *pm = mem->p->pmaps; pm; pm = pm->next)
		pmap_release_deferred(pm);
}

static void defer_release(struct pmap *pm, struct pending what)
{
	if (pm->n_pending == pm->cap_pending) {
		pm->cap_pending = MAX(64u, 2 * pm->cap_pending);
		pm->pending = xrealloc(pm->pending, pm->cap_pending * sizeof(pm->pending[0]));
	}
	pm->pending[pm->n_pending++] = what;
}

void pmap_home(struct pmap *pm, uint32_t ppn, unsigned node)
{
	pm->home[pm->n_homes].ppn = ppn;
	pm->home[pm->n_homes++].node = node;
}

static unsigned home_of(const struct pmap *pm, uint32_t ppn, unsigned initiator)
{
	for (unsigned i = pm->n_homes; i-- > 0;)
		if (ppn >= pm->home[i].ppn)
			return pm->home[i].node;
	return initiator;
}

/* A frame for ppn with this VM as its user. */
static int new_frame(struct pmap *pm, uint32_t ppn, unsigned node, bool zero, uint32_t *mpn)
{
	struct memory *mem = pm->mem;
	uint64_t nth = pm->n_placed;
	int err = 0;

	node = frame_place(mem, me(pm, ppn), home_of(pm, ppn, node), &nth);
	if (mem->boundary && run_take(pm, ppn, node, me(pm, ppn), zero, mpn)) {
		/* its place beside its neighbours */
	} else if (mem->boundary) {
		*mpn = frame_alloc(mem, node, FRAME_PRIVATE, zero);
		if (*mpn == MPN_NONE)
			return -ENOMEM;
		frame_add_user(mem, *mpn, me(pm, ppn));
	} else {
		err = reserve_take(pm, node, mpn);
		if (err)
			return err;
		frame_take_reserved(mem, *mpn, me(pm, ppn), zero);
	}
	pm->n_placed = nth;
	return 0;
}

/* A memory model hears of every page, also of one that is zero already: a real machine would have
 * had to write it. */
static void filled(const struct pmap *pm, uint32_t from, uint32_t to)
{
	if (unlikely(pm->mem->filled != NULL))
		pm->mem->filled(pm->mem->model_arg, pm->id, from, to);
}

struct page {
	struct pmap *pm;
	uint32_t ppn;
};

static void shoot(void *arg, uint32_t mpn)
{
	struct page *p = arg;

	p->pm->ops->shootdown(p->pm->engine, p->ppn, mpn);
}

/* No CPU may use `mpn` or a copy of it for ppn. */
static void shoot_views(struct pmap *pm, uint32_t ppn, uint32_t mpn)
{
	struct page page = {pm, ppn};

	shoot(&page, mpn);
	replicas_each(pm->mem, mpn, shoot, &page);
}

/* The VM no longer uses `mpn` for ppn: at once at the boundary, else when it comes. */
static void old_frame(struct pmap *pm, uint32_t ppn, uint32_t mpn)
{
	shoot_views(pm, ppn, mpn);
	if (pm->mem->boundary)
		frame_del_user(pm->mem, mpn, me(pm, ppn));
	else
		defer_release(pm, (struct pending){.mpn = mpn, .ppn = ppn});
}

/* ---- zeroes ------------------------------------------------------------------------------ */

/* A CPU of `node` is about to read an absent page. */
static void zero_read(struct pmap *pm, struct pmap_entry *e, unsigned node)
{
	uint16_t seen = e->zero_node;

	if (e->kind != FRAME_ZERO) {
		entry_set(pm, e, MPN_NONE, false, FRAME_ZERO);
		pm->stats.zero_reads++;
	}
	e->zero_node = seen == 0 || seen == node + 1 ? (uint16_t)(node + 1) : ZERO_ANY;
}

/* An absent page is about to get a frame, or to be forgotten: no CPU may read zeroes for it. */
static void zero_forget(struct pmap *pm, uint32_t ppn, const struct pmap_entry *e)
{
	const uint32_t *zero = pm->mem->zero;

	if (e->zero_node == 0)
		return;
	if (e->zero_node != ZERO_ANY) {
		pm->ops->shootdown(pm->engine, ppn, zero[e->zero_node - 1]);
		return;
	}
	for (unsigned node = 0; node < pm->mem->n_nodes; node++)
		if (frame_node(pm->mem, zero[node]) == node)
			pm->ops->shootdown(pm->engine, ppn, zero[node]);
}

void pmap_zero(struct pmap *pm, uint32_t ppn)
{
	struct pmap_entry *e = entry_get(pm, ppn);
	uint32_t old = e->mpn;

	pmap_release_deferred(pm);
	entry_set(pm, e, MPN_NONE, false, FRAME_ZERO);
	pm->stats.zero_found++;
	old_frame(pm, ppn, old);
}

void pmap_own(struct pmap *pm, uint32_t ppn)
{
	struct pmap_entry *e = entry_get(pm, ppn);

	frame_set_kind(pm->mem, e->mpn, FRAME_PRIVATE);
	entry_set(pm, e, e->mpn, false, FRAME_PRIVATE);
}

/* ---- moves ------------------------------------------------------------------------------- */

static void page_moved(void *arg, uint32_t ppn, uint32_t from, uint32_t to)
{
	struct pmap *pm = arg;
	struct pmap_entry *e = entry_get(pm, ppn);

	if (e->mpn != from)
		die("pmap %u: page %u is in frame %u, not in %u, which moves", pm->id, ppn, e->mpn,
			from);
	e->mpn = to;
	pm->ops->shootdown(pm->engine, ppn, from);
	pm->stats.migrations++;
}

static void page_forget(void *arg, uint32_t ppn, uint32_t old)
{
	struct pmap *pm = arg;

	pm->ops->shootdown(pm->engine, ppn, old);
}

static void page_write_block(void *arg, uint32_t ppn, uint32_t mpn)
{
	struct pmap *pm = arg;

	if (pm->ops->write_block)
		pm->ops->write_block(pm->engine, ppn, mpn);
}

static void page_merged(void *arg, uint32_t ppn, uint32_t from, uint32_t to)
{
	struct pmap *pm = arg;
	struct pmap_entry *e = entry_get(pm, ppn);

	if (e->mpn != from)
		die("pmap %u: page %u is in frame %u, not in %u, which is merged", pm->id, ppn,
			e->mpn, from);
	if (from == to && e->cow)
		return;
	entry_set(pm, e, to, true, FRAME_SAME);
	pm->stats.merged += from != to;
	pm->ops->shootdown(pm->engine, ppn, from);
}

static void page_replicated(void *arg, uint32_t ppn)
{
	struct pmap *pm = arg;

	(void)ppn;
	pm->stats.replications++;
}

/* Every entry agrees with the memmap; how many pages frames must know of, those yet to be dropped
 * among them. */
static uint64_t check_pages(const void *arg)
{
	const struct pmap *pm = arg;
	const struct memory *mem = pm->mem;
	uint64_t mapped[FRAME_KINDS] = {0}, present = 0;
	uint32_t reserved = 0, leaving = 0;

	for (uint32_t ppn = 0; ppn < pm->n_pages; ppn++) {
		const struct pmap_entry *e = pmap_entry(pm, ppn);

		if (e->mpn == MPN_NONE) {
			if ((e->kind != FRAME_FREE && e->kind != FRAME_ZERO) || e->cow ||
				(e->zero_node && e->kind != FRAME_ZERO))
				die("pmap %u: page %u is absent, and of kind %u", pm->id, ppn,
					e->kind);
			mapped[e->kind] += e->kind == FRAME_ZERO;
			continue;
		}
		if (e->zero_node)
			die("pmap %u: page %u is in frame %u and read from zeroes", pm->id, ppn,
				e->mpn);
		if (e->mpn >= mem->n_frames || e->kind >= FRAME_KINDS || e->cow > 1)
			die("pmap %u: page %u: frame %u, kind %u", pm->id, ppn, e->mpn, e->kind);
		if (!frame_has_user(mem, e->mpn, me(pm, ppn)))
			die("pmap %u: page %u maps frame %u, which does not know it", pm->id, ppn,
				e->mpn);
		if (!e->cow &&
			(frame_users(mem, e->mpn) != 1 || frame_kind(mem, e->mpn) != FRAME_PRIVATE))
			die("pmap %u: page %u may write to frame %u (%s, %u users)", pm->id, ppn,
				e->mpn, frame_kind_info[frame_kind(mem, e->mpn)].name,
				frame_users(mem, e->mpn));
		present++;
		mapped[e->kind]++;
	}
	for (unsigned k = 0; k < FRAME_KINDS; k++)
		if (mapped[k] != pm->stats.mapped[k])
			die("pmap %u: %llu pages are %s, counted %llu", pm->id,
				(unsigned long long)mapped[k], frame_kind_info[k].name,
				(unsigned long long)pm->stats.mapped[k]);
	for (uint32_t i = 0; i < pm->n_pending; i++)
		leaving += !pm->pending[i].collapse;
	for (unsigned node = 0; node < mem->n_nodes; node++)
		for (uint32_t i = pm->reserve[node].head; i < pm->reserve[node].n; i++, reserved++)
			if (frame_kind(mem, pm->reserve[node].frame[i]) != FRAME_RESERVED)
				die("pmap %u: frame %u in the reserve is %s", pm->id,
					pm->reserve[node].frame[i],
					frame_kind_info[frame_kind(mem, pm->reserve[node].frame[i])]
						.name);
	if (reserved != pm->n_reserved)
		die("pmap %u: %u frames in reserve, counted %u", pm->id, reserved, pm->n_reserved);
	return present + leaving;
}

static const struct frame_owner_ops owner_ops = {
	.moved = page_moved,
	.forget = page_forget,
	.replicated = page_replicated,
	.merged = page_merged,
	.write_block = page_write_block,
	.check = check_pages,
};

/* A page of this VM alone is to be written to: it must be in one frame. */
static void collapse(struct pmap *pm, uint32_t ppn, struct pmap_entry *e, unsigned node)
{
	uint32_t keep;
	struct page page = {pm, ppn};

	pm->stats.collapses++;
	if (pm->mem->boundary) {
		page_collapse(pm->mem, e->mpn);
		return;
	}
	keep = replicas_collapse(pm->mem, e->mpn, node);
	e->mpn = keep;
	replicas_each(pm->mem, keep, shoot, &page);
	defer_release(pm, (struct pending){.mpn = keep, .ppn = ppn, .collapse = true});
}

static int break_cow(struct pmap *pm, uint32_t ppn, struct pmap_entry *e, unsigned node)
{
	struct memory *mem = pm->mem;
	uint32_t old = e->mpn, mpn, from;
	int err;

	if (mem->boundary && frame_users(mem, old) == 1) {
		if (frame_replicated(mem, old))
			collapse(pm, ppn, e, node);
		frame_set_kind(mem, old, FRAME_PRIVATE);
		entry_set(pm, e, old, false, FRAME_PRIVATE);
		return 0;
	}
	err = new_frame(pm, ppn, node, false, &mpn);
	if (err)
		return err;
	from = frame_view(mem, old, node);
	memcpy(frame_data(mem, mpn), frame_data(mem, from), PAGE_SIZE);
	filled(pm, from, mpn);
	pm->stats.faults_cow[e->kind]++;
	entry_set(pm, e, mpn, false, FRAME_PRIVATE);
	old_frame(pm, ppn, old);
	return 0;
}

int pmap_fault(
	struct pmap *pm, uint32_t ppn, unsigned node, bool write, void **host, bool *writable)
{
	struct memory *mem = pm->mem;
	struct pmap_entry *e;
	uint32_t mpn;
	int err;

	if (ppn >= pm->n_pages)
		return -EFAULT;
	e = entry_get(pm, ppn);
	if (e->mpn == MPN_NONE) {
		if (!write && mem->zero[node] != MPN_NONE) {
			zero_read(pm, e, node);
			*host = frame_data(mem, mem->zero[node]);
			*writable = false;
			return 0;
		}
		err = new_frame(pm, ppn, node, true, &mpn);
		if (err)
			return err;
		filled(pm, MPN_NONE, mpn);
		zero_forget(pm, ppn, e);
		pm->stats.faults_zero++;
		pm->stats.zero_breaks += e->kind == FRAME_ZERO;
		entry_set(pm, e, mpn, false, FRAME_PRIVATE);
	} else if (write && e->cow) {
		err = break_cow(pm, ppn, e, node);
		if (err)
			return err;
	} else if (write && frame_replicated(mem, e->mpn)) {
		collapse(pm, ppn, e, node);
	}
	*host = frame_data(mem, mem->boundary ? e->mpn : frame_view(mem, e->mpn, node));
	*writable = !e->cow && !frame_replicated(mem, e->mpn);
	return 0;
}

void pmap_share_in(struct pmap *pm, uint32_t ppn, uint32_t mpn, enum frame_kind kind)
{
	struct pmap_entry *e = entry_get(pm, ppn);
	uint32_t old = e->mpn;

	pmap_release_deferred(pm);
	zero_forget(pm, ppn, e);
	entry_set(pm, e, mpn, true, kind);
	pm->stats.shared_in++;
	if (old == mpn) /* used elsewhere too, so it was copy-on-write already */
		return;
	frame_add_user(pm->mem, mpn, me(pm, ppn));
	if (old != MPN_NONE)
		old_frame(pm, ppn, old);
}

uint32_t pmap_share_out(struct pmap *pm, uint32_t ppn, unsigned node)
{
	struct pmap_entry *e = entry_get(pm, ppn);
	bool writable;
	void *host;

	if (pmap_fault(pm, ppn, node, e->mpn == MPN_NONE, &host, &writable))
		return MPN_NONE;
	if (!e->cow) {
		e->cow = 1;
		/* No CPU had the right to write to a copy. */
		pm->ops->shootdown(pm->engine, ppn, e->mpn);
	}
	return e->mpn;
}

/* One page of pmap_clone(). user: one for each of the n. */
static void clone_page(
	struct pmap *src, uint32_t ppn, struct pmap_entry *e, struct frame_user *user, unsigned n)
{
	bool writable = !e->cow;

	if (frame_kind(src->mem, e->mpn) == FRAME_PRIVATE)
		frame_set_kind(src->mem, e->mpn, FRAME_CLONED);
	entry_set(src, e, e->mpn, true, e->kind == FRAME_PRIVATE ? FRAME_CLONED : e->kind);
	/* No CPU had the right to write to a copy. */
	if (writable)
		src->ops->shootdown(src->engine, ppn, e->mpn);
	for (unsigned i = 0; i < n; i++)
		user[i].page = ppn;
	frame_add_users(src->mem, e->mpn, user, n);
}

uint32_t pmap_clone(struct pmap *src, struct pmap *const *dst, unsigned n)
{
	struct frame_user *user = xcalloc(n, sizeof(user[0]));
	uint32_t pages = 0;

	if (!n)
		goto out;
	pmap_release_deferred(src);
	for (unsigned i = 0; i < n; i++)
		user[i].owner = dst[i]->id;
	for (uint32_t slot = 0; slot < n_slots(src); slot++) {
		struct leaf *leaf = src->leaf[slot];

		if (!leaf)
			continue;
		for (uint32_t i = 0; i < LEAF_PAGES; i++) {
			if (leaf->entry[i].mpn == MPN_NONE)
				continue;
			clone_page(src, slot << LEAF_SHIFT | i, &leaf->entry[i], user, n);
			pages++;
		}
		for (unsigned i = 0; i < n; i++) {
			dst[i]->leaf[slot] = xcalloc(1, sizeof(*leaf));
			*dst[i]->leaf[slot] = *leaf;
			dst[i]->n_leaves++;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		memcpy(dst[i]->stats.mapped, src->stats.mapped, sizeof(src->stats.mapped));
		dst[i]->stats.shared_in += pages;
	}
out:
	free(user);
	return pages;
}

/* Is this page the first user of its frame, and are the others this VM's too? */
static bool owns(const struct pmap *pm, uint32_t ppn, uint32_t mpn)
{
	struct frame_user first = frame_user(pm->mem, mpn, 0);

	if (first.owner != pm->id || first.page != ppn)
		return false;
	for (uint32_t i = 1; i < frame_users(pm->mem, mpn); i++)
		if (frame_user(pm->mem, mpn, i).owner != pm->id)
			return false;
	return true;
}

uint32_t pmap_own_pages(const struct pmap *pm)
{
	uint32_t own = 0;

	for (uint32_t slot = 0; slot < n_slots(pm); slot++)
		for (uint32_t i = 0; pm->leaf[slot] && i < LEAF_PAGES; i++) {
			uint32_t mpn = pm->leaf[slot]->entry[i].mpn;

			own += mpn != MPN_NONE && owns(pm, slot << LEAF_SHIFT | i, mpn);
		}
	return own;
}

void pmap_drop(struct pmap *pm, uint32_t ppn)
{
	struct pmap_entry *e;
	uint32_t old = pmap_entry(pm, ppn)->mpn;

	pmap_release_deferred(pm);
	if (pmap_entry(pm, ppn)->kind == FRAME_FREE)
		return;
	e = entry_get(pm, ppn);
	zero_forget(pm, ppn, e);
	entry_set(pm, e, MPN_NONE, false, FRAME_FREE);
	if (old != MPN_NONE)
		old_frame(pm, ppn, old);
}

struct pmap *pmap_create(
	struct memory *mem, uint32_t id, uint32_t n_pages, const struct pmap_ops *ops, void *engine)
{
	struct pmap *pm = xcalloc(1, sizeof(*pm)), **tail;

	pm->mem = mem;
	pm->id = id;
	pm->n_pages = n_pages;
	pm->ops = ops;
	pm->engine = engine;
	pm->leaf = xcalloc(n_slots(pm), sizeof(pm->leaf[0]));
	pm->reserve = xcalloc(mem->n_nodes, sizeof(pm->reserve[0]));
	for (tail = &mem->p->pmaps; *tail; tail = &(*tail)->next)
		;
	*tail = pm;
	mem->release_deferred = release_all;
	mem->steal = reserve_steal;
	memory_add_owner(mem, id, &owner_ops, pm);
	return pm;
}

void pmap_destroy(struct pmap *pm)
{
	struct pmap **link;

	if (!pm)
		return;
	pmap_release_deferred(pm);
	pmap_drain(pm);
	runs_end(pm);
	/* No shootdowns: the VM's CPUs are gone. */
	for (uint32_t s = 0; s < n_slots(pm); s++) {
		for (uint32_t i = 0; pm->leaf[s] && i < LEAF_PAGES; i++)
			if (pm->leaf[s]->entry[i].mpn != MPN_NONE)
				frame_del_user(pm->mem, pm->leaf[s]->entry[i].mpn,
					me(pm, s << LEAF_SHIFT | i));
		free(pm->leaf[s]);
	}
	memory_del_owner(pm->mem, pm->id);
	for (link = &pm->mem->p->pmaps; *link != pm; link = &(*link)->next)
		;
	*link = pm->next;
	free(pm->leaf);
	free(pm->reserve);
	free(pm->pending);
	free(pm);
}

/* ---- reports ----------------------------------------------------------------------------- */

uint64_t pmap_digest(const struct pmap *pm)
{
	XXH64_state_t *state = XXH64_createState();
	uint64_t digest;

	if (!state)
		die("out of host memory");
	XXH64_reset(state, 0);
	for (uint32_t ppn = 0; ppn < pm->n_pages; ppn++) {
		uint32_t mpn = pmap_entry(pm, ppn)->mpn;

		if (mpn == MPN_NONE || frame_is_zero(pm->mem, mpn))
			continue;
		XXH64_update(state, &ppn, sizeof(ppn));
		XXH64_update(state, frame_data(pm->mem, mpn), PAGE_SIZE);
	}
	digest = XXH64_digest(state);
	XXH64_freeState(state);
	return digest;
}

uint64_t pmap_overhead_bytes(const struct pmap *pm)
{
	return sizeof(*pm) + n_slots(pm) * sizeof(pm->leaf[0]) +
	       (uint64_t)pm->n_leaves * sizeof(struct leaf) +
	       pm->mem->n_nodes * sizeof(pm->reserve[0]) +
	       pm->cap_pending * sizeof(pm->pending[0]) + runs_overhead_bytes(pm);
}

void pmap_check(const struct pmap *pm)
{
	uint64_t pages = check_pages(pm), uses = memory_count_owner(pm->mem, pm->id);

	if (pages != uses)
		die("pmap %u: %llu pages present or to release, but the memmap has %llu", pm->id,
			(unsigned long long)pages, (unsigned long long)uses);
}
