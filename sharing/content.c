// SPDX-License-Identifier: MIT
/*
 * Zero and identical pages: see content.h. The table has at most one entry
 * a frame, found by frame number, in the list of its hash's bucket. An entry is removed when its
 * frame is freed. So the table is never larger than memory in use, and an entry is always of the
 * page that is in the frame: its hash also tells what the page held at the last scan.
 *
 * Frames of files (kernel, cached blocks) are in the table for private pages to be merged into, and
 * never merged themselves: later readers of the file need them.
 */
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "numa/memory/move.h"
#include "sharing/content.h"

enum {
	BUCKETS_MIN = 1024,
	CHAIN_MAX = 64, /* a longer list takes no more entries: a guest makes hashes collide */
	COMPARES = 4,   /* pages compared with one page in one scan of it, at most */
	QUEUE = 4096,   /* hints a VM may have waiting; a power of two */
	RECENT = 4096,  /* fingerprints of pages delivered to a VM ... */
	WAYS = 4,       /* ... in sets of this size */
	SAMPLE = 6,     /* a fingerprint takes 1/6 of a scan: 5 lines of a page's 32 */
	TRIES = 2,      /* samples of a page after a store: the copy may be under way */
	LISTEN_MS = 20, /* time after a delivery in which stores are logged */
	PASS_MS = 10,   /* least time between two scans of a page: sooner ones say nothing */
	PASSES = 2,     /* over a VM's memory; then none until it has run again */
	REUSED_MS = 10, /* from the first store or scan to the next scan: 1 to 2 times this */
	RAN = 8,        /* rescan a VM once it has run RAN times the duration of its last pass */
	CALL_SCANS = 65536, /* in one call, at most, however long the machine was idle */
	STEPS = 16          /* pages passed over for each scan */
};

struct hash_entry {
	uint64_t hash;
	uint32_t next; /* frame + 1, or 0 */
	uint32_t prev; /* frame + 1, or FIRST; 0: not in the table */
};
#define FIRST UINT32_MAX

struct hint {
	uint32_t ppn;
	uint16_t tries;
	bool written; /* by the VM, not by a device: scan it if it is like a recent page */
};

/* Why a page is scanned. */
enum why { PASS, HINT, REUSE };

struct watched {
	struct pmap *pm;
	struct content_stats stats;
	/* The pass over its memory. */
	uint64_t ran;       /* CPU time so far ... */
	uint64_t ran_begin; /* ... when it was last found to be worth a pass */
	uint64_t pass_from; /* machine time at which the next pass may begin */
	uint64_t pass_cost; /* cycles of the pass under way, or the last one */
	unsigned passes;    /* since ran_begin */
	/* Hints, oldest first: queue[first .. first + n - 1], modulo its size. */
	uint32_t first, n;
	struct hint queue[QUEUE];
	uint8_t *waiting; /* a bit a page: it is in the queue */
	/* What was delivered recently: fingerprints, in sets of WAYS, the latest first; NULL at
	 * first. */
	uint64_t *recent;
	uint64_t listen_until;
	/* Pages that were given back and are in use again, a bit each: since just now, since some
	 * ms ago, for long enough to be scanned; and scanned once. NULL until the VM gave one
	 * back. */
	uint64_t *fresh, *young, *ripe, *once;
	uint32_t n_unripe, n_ripe; /* bits set: in fresh and young, in ripe */
	uint32_t ripe_word;        /* where the search for the next one begins */
	struct content_log log;
};

struct content {
	struct memory *mem;
	const struct machine *m;
	struct content_options o;
	struct watched **vm;
	unsigned n_vms;
	struct hash_entry *entry; /* by frame; lazily backed */
	uint32_t *bucket;         /* frame + 1 of the first, or 0 */
	uint32_t n_buckets, n_entries;
	/* Where the pass is. */
	unsigned hand_vm;
	uint32_t hand_ppn;
	bool begun;            /* hand_vm's pass is under way */
	unsigned first_hinted; /* VM whose hints come first: another one each time */
	uint64_t now;
	uint64_t ripen_at; /* fresh pages become young, and young ones ripe */
	uint64_t credit;   /* scans due, times cycles in a millisecond */
	uint64_t cycles;   /* spent and not yet accounted for */
	struct content_cost cost;
};

static uint64_t xxh3(const void *page, uint64_t seed)
{
	return XXH3_64bits_withSeed(page, PAGE_SIZE, seed);
}

/* ---- table ------------------------------------------------------------------------------- */

static uint32_t *bucket_of(struct content *c, uint64_t hash)
{
	return &c->bucket[hash & (c->n_buckets - 1)];
}

static void entry_unlink(struct content *c, uint32_t mpn)
{
	struct hash_entry *n = &c->entry[mpn];

	if (!n->prev)
		return;
	if (n->prev == FIRST)
		*bucket_of(c, n->hash) = n->next;
	else
		c->entry[n->prev - 1].next = n->next;
	if (n->next)
		c->entry[n->next - 1].prev = n->prev;
	n->next = n->prev = 0;
	c->n_entries--;
}

static void entry_link(struct content *c, uint32_t mpn)
{
	struct hash_entry *n = &c->entry[mpn];
	uint32_t *first = bucket_of(c, n->hash);

	n->next = *first;
	n->prev = FIRST;
	if (*first)
		c->entry[*first - 1].prev = mpn + 1;
	*first = mpn + 1;
}

static void grow(struct content *c)
{
	uint32_t *old = c->bucket, n_old = c->n_buckets;

	c->n_buckets *= 2;
	c->bucket = xcalloc(c->n_buckets, sizeof(c->bucket[0]));
	for (uint32_t b = 0; b < n_old; b++)
		for (uint32_t at = old[b], next; at; at = next) {
			next = c->entry[at - 1].next;
			entry_link(c, at - 1);
		}
	free(old);
}

/* Enter a frame that is not in the table. */
static void entry_add(struct content *c, uint32_t mpn, uint64_t hash)
{
	unsigned length = 0;

	if (c->n_entries >= c->n_buckets)
		grow(c);
	for (uint32_t at = *bucket_of(c, hash); at; at = c->entry[at - 1].next)
		if (++length == CHAIN_MAX)
			return;
	c->entry[mpn].hash = hash;
	entry_link(c, mpn);
	c->n_entries++;
}

static void freed(void *arg, uint32_t mpn)
{
	entry_unlink(arg, mpn);
}

/* ---- one page ---------------------------------------------------------------------------- */

/* Hash a frame and update its entry. True: it had the same hash before. */
static bool entry_update(struct content *c, uint32_t mpn)
{
	uint64_t hash = c->o.hash(frame_data(c->mem, mpn), c->o.seed);

	if (c->entry[mpn].prev && c->entry[mpn].hash == hash)
		return true;
	entry_unlink(c, mpn);
	entry_add(c, mpn, hash);
	c->entry[mpn].hash = hash;
	return false;
}

/* Equal, and to stay so for the rest of this call. */
static bool same_blocked(struct memory *mem, uint32_t a, uint32_t b)
{
	if (memcmp(frame_data(mem, a), frame_data(mem, b), PAGE_SIZE))
		return false;
	frame_write_block(mem, a);
	frame_write_block(mem, b);
	return !memcmp(frame_data(mem, a), frame_data(mem, b), PAGE_SIZE);
}

/*
 * Find a frame with the bytes of mpn, and make them one. `sure`: the page is not being worked on,
 * so that another private page will do.
 */
static bool merge(struct content *c, struct watched *w, uint32_t mpn, bool sure)
{
	enum frame_kind kind = frame_kind(c->mem, mpn);
	uint64_t hash = c->entry[mpn].hash;
	unsigned compared = 0;

	for (uint32_t at = *bucket_of(c, hash); at; at = c->entry[at - 1].next) {
		uint32_t other = at - 1;
		enum frame_kind k = frame_kind(c->mem, other);
		bool private = k == FRAME_PRIVATE;

		if (c->entry[other].hash != hash || other == mpn || !frame_kind_info[k].guest ||
			(private && !sure) || frame_pinned(c->mem, other))
			continue;
		if (compared++ == COMPARES)
			break;
		c->cycles += c->m->cost.page_copy;
		if (!same_blocked(c->mem, mpn, other)) {
			w->stats.false_matches++;
			continue;
		}
		/* A block of a disk stays one: the private page is merged into it. */
		if (private && kind == FRAME_DISK ? page_merge(c->mem, other, mpn)
						  : page_merge(c->mem, mpn, other))
			continue;
		c->cycles += (1u + private) * c->m->cost.shootdown;
		w->stats.merged++;
		return true;
	}
	return false;
}

/* Zero, and to stay so for the rest of this call. */
static bool zero_blocked(struct memory *mem, uint32_t mpn)
{
	if (!frame_is_zero(mem, mpn))
		return false;
	frame_write_block(mem, mpn);
	return frame_is_zero(mem, mpn);
}

/* Scan a page. True: another scan soon would find no more. */
static bool scan_page(struct content *c, struct watched *w, uint32_t ppn, enum why why)
{
	uint32_t mpn = pmap_entry(w->pm, ppn)->mpn;
	enum frame_kind kind;
	bool stable, zero;

	if (mpn == MPN_NONE)
		return true;
	kind = frame_kind(c->mem, mpn);
	if (frame_pinned(c->mem, mpn))
		return false;
	if ((kind == FRAME_SAME || kind == FRAME_CLONED) && frame_users(c->mem, mpn) == 1) {
		pmap_own(w->pm, ppn);
		kind = FRAME_PRIVATE;
	}
	if (frame_kind_info[kind].constant && (c->entry[mpn].prev || !c->o.same))
		return true;
	w->stats.scans++;
	w->stats.hinted += why == HINT;
	w->stats.scans_reused += why == REUSE;
	c->cycles += c->m->cost.page_scan;
	zero = kind != FRAME_DISK && !frame_kind_info[kind].of_file && c->o.zero &&
	       frame_is_zero(c->mem, mpn);
	if (zero && why == REUSE) /* yet to be filled: it would want a frame again at once */
		return false;
	if (zero && zero_blocked(c->mem, mpn)) {
		pmap_zero(w->pm, ppn);
		c->cycles += c->m->cost.shootdown;
		w->stats.found_zero++;
		return true;
	}
	if (!c->o.same)
		return true;
	stable = entry_update(c, mpn);
	if (frame_kind_info[kind].of_file)
		return true;
	if (!merge(c, w, mpn, stable || why == HINT || frame_kind_info[kind].constant))
		return false;
	w->stats.merged_hinted += why == HINT;
	w->stats.merged_reused += why == REUSE;
	return true;
}

/* ---- hints ------------------------------------------------------------------------------- */

static void enqueue(struct watched *w, struct hint h)
{
	uint8_t *byte, bit = (uint8_t)(1u << (h.ppn & 7));

	if (h.ppn >= pmap_pages(w->pm))
		return;
	byte = &w->waiting[h.ppn >> 3];
	if (*byte & bit)
		return;
	if (w->n == QUEUE) {
		w->stats.hints_lost++;
		return;
	}
	*byte |= bit;
	w->queue[(w->first + w->n++) & (QUEUE - 1)] = h;
}

static struct hint dequeue(struct watched *w)
{
	struct hint h = w->queue[w->first];

	w->first = (w->first + 1) & (QUEUE - 1);
	w->n--;
	w->waiting[h.ppn >> 3] &= (uint8_t) ~(1u << (h.ppn & 7));
	return h;
}

void content_hint(struct content *c, unsigned vm, uint32_t ppn)
{
	enqueue(c->vm[vm], (struct hint){ppn, 1, false});
}

/* Five words of a page tell most pages apart, and the last of them whether a copy is done. 0: they
 * are all zero, which says nothing. */
static uint64_t fingerprint_of(const struct content *c, uint32_t mpn)
{
	const uint64_t *w = frame_data(c->mem, mpn);
	const size_t quarter = PAGE_SIZE / 8 / 4;
	const uint64_t some[] = {
		w[0], w[quarter], w[2 * quarter], w[3 * quarter], w[4 * quarter - 1]};

	if (!(some[0] | some[1] | some[2] | some[3] | some[4]))
		return 0;
	return XXH3_64bits_withSeed(some, sizeof(some), c->o.seed) | 1ull << 63;
}

static bool is_recent(const struct watched *w, uint64_t fingerprint)
{
	const uint64_t *set;

	if (!fingerprint || !w->recent)
		return false;
	set = &w->recent[fingerprint % (RECENT / WAYS) * WAYS];
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i] == fingerprint)
			return true;
	return false;
}

static void remember(struct watched *w, uint64_t fingerprint)
{
	uint64_t *set;

	if (!fingerprint || is_recent(w, fingerprint))
		return;
	if (!w->recent)
		w->recent = xcalloc(RECENT, sizeof(w->recent[0]));
	set = &w->recent[fingerprint % (RECENT / WAYS) * WAYS];
	memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
	*set = fingerprint;
}

void content_delivered(struct content *c, unsigned vm, uint32_t mpn)
{
	struct watched *w = c->vm[vm];
	enum frame_kind kind = frame_kind(c->mem, mpn);

	if (!c->o.same || !frame_kind_info[kind].guest)
		return;
	if (!frame_kind_info[kind].constant || !c->entry[mpn].prev) {
		c->cycles += c->m->cost.page_scan;
		entry_update(c, mpn);
	}
	remember(w, fingerprint_of(c, mpn));
	w->log.fresh = w->log.on = true;
	w->listen_until = c->now + c->m->clock_hz / 1000 * LISTEN_MS;
}

/* What the VM stored to becomes hints. */
static void read_log(struct content *c, struct watched *w)
{
	for (uint32_t i = 0; i < w->log.n; i++)
		enqueue(w, (struct hint){w->log.ppn[i], TRIES, true});
	w->log.n = 0;
	w->log.on = w->log.on && c->now < w->listen_until;
}

/* Sample a page the VM stored to, and scan it if it is like one that was delivered. */
static void sample(struct content *c, struct watched *w, struct hint h)
{
	uint32_t mpn = pmap_entry(w->pm, h.ppn)->mpn;

	if (mpn == MPN_NONE)
		return;
	c->cycles += c->m->cost.page_scan / SAMPLE;
	if (is_recent(w, fingerprint_of(c, mpn)) && scan_page(c, w, h.ppn, HINT))
		return;
	h.tries--;
	if (h.tries)
		enqueue(w, h);
}

/*
 * What is waiting, at most `max` scans; how many. Copies of what was delivered do not count: there
 * are no more of them than that, and each saves more than it takes.
 */
static uint64_t scan_hints(struct content *c, uint64_t max)
{
	uint64_t scans = 0;

	for (unsigned i = 0; i < c->n_vms; i++) {
		struct watched *w = c->vm[(c->first_hinted + i) % c->n_vms];

		for (uint32_t left = w->n; left > 0; left--) {
			struct hint h = dequeue(w);
			uint64_t before = w->stats.scans;

			if (h.written)
				sample(c, w, h);
			else if (scans == max)
				enqueue(w, h);
			else
				scan_page(c, w, h.ppn, HINT);
			if (!h.written)
				scans += w->stats.scans - before;
		}
	}
	if (c->n_vms)
		c->first_hinted = (c->first_hinted + 1) % c->n_vms;
	return scans;
}

/* ---- pages in use again ------------------------------------------------------------------ */

static uint32_t words_of(const struct watched *w)
{
	return pmap_pages(w->pm) / 64 + 1;
}

void content_given(struct content *c, unsigned vm, uint32_t ppn)
{
	struct watched *w = c->vm[vm];

	if (!c->o.same)
		return;
	if (!w->young) {
		w->fresh = xcalloc(words_of(w), sizeof(w->fresh[0]));
		w->young = xcalloc(words_of(w), sizeof(w->young[0]));
		w->ripe = xcalloc(words_of(w), sizeof(w->ripe[0]));
		w->once = xcalloc(words_of(w), sizeof(w->once[0]));
		w->log.given = xcalloc(words_of(w), sizeof(uint64_t));
	}
	w->log.given[ppn >> 3] |= (uint8_t)(1u << (ppn & 7));
}

static void scan_later(struct watched *w, uint32_t ppn)
{
	uint64_t bit = 1ull << (ppn & 63);

	w->n_unripe += !(w->fresh[ppn >> 6] & bit);
	w->fresh[ppn >> 6] |= bit;
}

/* Pages given back that the VM stored to. */
static void read_reused(struct watched *w)
{
	for (uint32_t i = 0; i < w->log.n_reused; i++) {
		w->once[w->log.reused[i] >> 6] &= ~(1ull << (w->log.reused[i] & 63));
		scan_later(w, w->log.reused[i]);
	}
	w->stats.reused += w->log.n_reused;
	w->log.n_reused = 0;
}

static void ripen(struct content *c)
{
	if (c->now < c->ripen_at)
		return;
	c->ripen_at = c->now + c->m->clock_hz / 1000 * REUSED_MS;
	for (unsigned v = 0; v < c->n_vms; v++) {
		struct watched *w = c->vm[v];

		for (uint32_t i = 0; w->n_unripe && i < words_of(w); i++) {
			uint64_t young = w->young[i];

			w->n_ripe += (uint32_t)__builtin_popcountll(young & ~w->ripe[i]);
			w->n_unripe -= (uint32_t)__builtin_popcountll(young);
			w->ripe[i] |= young;
			w->young[i] = w->fresh[i];
			w->fresh[i] = 0;
		}
	}
}

/* Take the next ripe page, in order of ppn and round again; there is one. */
static uint32_t next_ripe(struct watched *w)
{
	uint32_t bit;

	while (!w->ripe[w->ripe_word])
		w->ripe_word = (w->ripe_word + 1) % words_of(w);
	bit = (uint32_t)__builtin_ctzll(w->ripe[w->ripe_word]);
	w->ripe[w->ripe_word] &= ~(1ull << bit);
	w->n_ripe--;
	return w->ripe_word * 64 + bit;
}

/* What is ripe, at most `max` scans; how many. After scan_hints(), which makes another
 * VM is the first each time. */
static uint64_t scan_reused(struct content *c, uint64_t max)
{
	uint64_t scans = 0;

	for (unsigned i = 0; i < c->n_vms; i++) {
		struct watched *w = c->vm[(c->first_hinted + i) % c->n_vms];

		while (scans < max && w->n_ripe) {
			uint32_t ppn = next_ripe(w);
			uint64_t before = w->stats.scans, bit = 1ull << (ppn & 63);

			if (scan_page(c, w, ppn, REUSE) || w->once[ppn >> 6] & bit) {
				w->once[ppn >> 6] &= ~bit;
			} else {
				w->once[ppn >> 6] |= bit;
				scan_later(w, ppn);
			}
			scans += w->stats.scans - before;
		}
	}
	return scans;
}

/* ---- passes ------------------------------------------------------------------------------ */

/* Is this VM's memory worth a pass? */
static bool worth(const struct content *c, struct watched *w)
{
	if (c->now < w->pass_from)
		return false;
	if (w->ran - w->ran_begin > w->pass_cost * RAN) {
		w->ran_begin = w->ran;
		w->passes = 0;
	}
	return w->passes < PASSES;
}

/* On to the next VM that is worth it; false: none is. */
static bool next_vm(struct content *c)
{
	for (unsigned i = 0; i < c->n_vms; i++) {
		struct watched *w;

		c->hand_vm = (c->hand_vm + 1) % c->n_vms;
		w = c->vm[c->hand_vm];
		if (worth(c, w)) {
			c->hand_ppn = 0;
			w->pass_cost = 0;
			w->pass_from = c->now + c->m->clock_hz / 1000 * PASS_MS;
			return true;
		}
	}
	return false;
}

static void scan_pass(struct content *c, uint64_t max)
{
	uint64_t scans = 0, steps = max * STEPS;

	while (scans < max && steps-- > 0) {
		struct watched *w;
		uint64_t before, cycles = c->cycles;

		if (!c->begun && !next_vm(c))
			return;
		c->begun = true;
		w = c->vm[c->hand_vm];
		c->hand_ppn = pmap_next(w->pm, c->hand_ppn);
		if (c->hand_ppn == pmap_pages(w->pm)) {
			w->passes++;
			c->begun = false;
			continue;
		}
		before = w->stats.scans;
		scan_page(c, w, c->hand_ppn++, PASS);
		scans += w->stats.scans - before;
		w->pass_cost += c->cycles - cycles;
	}
}

void content_ran(struct content *c, unsigned vm, uint64_t cycles)
{
	c->vm[vm]->ran = cycles;
}

uint64_t content_scan(struct content *c, uint64_t now, uint64_t idle_cycles)
{
	uint64_t ms = MAX(c->m->clock_hz / 1000, (uint64_t)1), due, extra, first, charged;

	c->credit += MIN(now - c->now, ms * CALL_SCANS) * c->o.rate;
	c->now = now;
	for (unsigned i = 0; i < c->n_vms; i++) {
		read_log(c, c->vm[i]);
		read_reused(c->vm[i]);
	}
	ripen(c);
	due = c->credit / ms;
	c->credit %= ms;
	extra = MIN(due * (CONTENT_IDLE - 1), idle_cycles / MAX(c->m->cost.page_scan, (uint64_t)1));
	first = scan_hints(c, MIN(due * CONTENT_IDLE, (uint64_t)CALL_SCANS));
	due = MIN(due + extra, (uint64_t)CALL_SCANS);
	if (first < due)
		first += scan_reused(c, due - first);
	if (first < due)
		scan_pass(c, due - first);
	charged = c->cycles > idle_cycles ? c->cycles - idle_cycles : 0;
	c->cost.cycles += c->cycles;
	c->cost.charged += charged;
	c->cycles = 0;
	return charged;
}

/* ---- making and unmaking ----------------------------------------------------------------- */

struct content *content_create(
	struct memory *mem, const struct machine *m, const struct content_options *o)
{
	struct content *c = xcalloc(1, sizeof(*c));

	c->mem = mem;
	c->m = m;
	c->o = *o;
	if (!c->o.hash)
		c->o.hash = xxh3;
	c->entry = lazy_alloc(mem->n_frames * sizeof(c->entry[0]));
	c->n_buckets = BUCKETS_MIN;
	c->bucket = xcalloc(c->n_buckets, sizeof(c->bucket[0]));
	mem->freed = freed;
	mem->freed_arg = c;
	return c;
}

void content_destroy(struct content *c)
{
	if (!c)
		return;
	c->mem->freed = NULL;
	for (unsigned i = 0; i < c->n_vms; i++) {
		free(c->vm[i]->waiting);
		free(c->vm[i]->recent);
		free(c->vm[i]->fresh);
		free(c->vm[i]->young);
		free(c->vm[i]->ripe);
		free(c->vm[i]->once);
		free(c->vm[i]->log.given);
		free(c->vm[i]);
	}
	free(c->vm);
	lazy_free(c->entry, c->mem->n_frames * sizeof(c->entry[0]));
	free(c->bucket);
	free(c);
}

struct content_log *content_add(struct content *c, struct pmap *pm)
{
	struct watched *w = xcalloc(1, sizeof(*w));

	w->pm = pm;
	w->waiting = xcalloc(pmap_pages(pm) / 8 + 1, 1);
	c->vm = xrealloc(c->vm, (c->n_vms + 1) * sizeof(c->vm[0]));
	c->vm[c->n_vms++] = w;
	return &w->log;
}

/* ---- reports ----------------------------------------------------------------------------- */

const struct content_stats *content_vm_stats(const struct content *c, unsigned vm)
{
	return &c->vm[vm]->stats;
}

struct content_cost content_cost(const struct content *c)
{
	return c->cost;
}

uint64_t content_overhead_bytes(const struct content *c)
{
	uint64_t bytes = sizeof(*c) + c->n_vms * sizeof(struct watched);

	for (unsigned i = 0; i < c->n_vms; i++) {
		bytes += pmap_pages(c->vm[i]->pm) / 8 + 1;
		bytes += c->vm[i]->recent ? RECENT * sizeof(c->vm[i]->recent[0]) : 0;
		bytes += c->vm[i]->young ? 5 * sizeof(uint64_t) * words_of(c->vm[i]) : 0;
	}
	return bytes + c->n_buckets * sizeof(c->bucket[0]) +
	       c->n_entries * sizeof(struct hash_entry);
}

struct seen {
	XXH128_hash_t hash;
	bool constant; /* a page of a file: it stays */
};

static int by_hash(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = XXH128_cmp(&x->hash, &y->hash);

	return order ? order : y->constant - x->constant;
}

uint64_t content_census(const struct content *c)
{
	struct seen *seen = NULL;
	size_t n = 0, cap = 0;
	uint64_t free_frames = 0;

	for (uint32_t mpn = 0; mpn < c->mem->n_frames; mpn++) {
		enum frame_kind kind = frame_kind(c->mem, mpn);

		if (!frame_kind_info[kind].guest)
			continue;
		if (!frame_kind_info[kind].of_file && frame_is_zero(c->mem, mpn)) {
			free_frames++;
			continue;
		}
		if (n == cap) {
			cap = MAX((size_t)4096, 2 * cap);
			seen = xrealloc(seen, cap * sizeof(*seen));
		}
		seen[n++] = (struct seen){XXH3_128bits(frame_data(c->mem, mpn), PAGE_SIZE),
			frame_kind_info[kind].of_file};
	}
	if (n)
		qsort(seen, n, sizeof(*seen), by_hash);
	for (size_t i = 1; i < n; i++)
		free_frames += !seen[i].constant && XXH128_isEqual(seen[i].hash, seen[i - 1].hash);
	free(seen);
	return free_frames;
}

void content_check(const struct content *c)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < c->n_buckets; b++) {
		uint32_t prev = FIRST;

		for (uint32_t at = c->bucket[b]; at; at = c->entry[at - 1].next) {
			const struct hash_entry *entry = &c->entry[at - 1];

			if (entry->prev != prev || (entry->hash & (c->n_buckets - 1)) != b)
				die("content: the entry of frame %u is in a wrong list", at - 1);
			if (!frame_kind_info[frame_kind(c->mem, at - 1)].guest)
				die("content: frame %u has an entry, and is %s", at - 1,
					frame_kind_info[frame_kind(c->mem, at - 1)].name);
			if (++n > c->n_entries)
				die("content: more entries than the %u counted", c->n_entries);
			prev = at;
		}
	}
	if (n != c->n_entries)
		die("content: %u entries, counted %u", n, c->n_entries);
}
