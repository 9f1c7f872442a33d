// SPDX-License-Identifier: MIT
/*
 * The inside of the memory-system model, shared by the files of numa/memsys/: sets of lines, the
 * directory's words, and the operations that are deferred to the boundary. memsys.c answers
 * accesses, boundary.c applies deferred operations, frame.c keeps the frames' counters and handles
 * whole pages, tlb.c has the TLBs.
 *
 * A line is a 64-bit word: its address, and flags in the low three bits. A set is kept in order of
 * use, its most recent line apart in `first`, so that the common hit reads one word and changes
 * nothing. A directory entry is n_cpus / 64 + 1 words: bit 0 says that the line is owned, bit n + 1
 * that CPU n has it.
 */
#ifndef NUMA_MEMSYS_PRIVATE_H
#define NUMA_MEMSYS_PRIVATE_H

#include "numa/memory/frame.h"
#include "numa/memsys/memsys.h"

#define LINE_NONE  UINT64_MAX
#define STATE_MASK 3ull
#define DIR_OWNED  1ull

enum { HOME_GUESSES = 4096 };

/* An operation that a CPU must not do itself in the run phase. `cpu` is the CPU that logs it; for
 * the last two, the CPU whose cache changes. */
enum deferred_op {
	DEFERRED_READ,    /* `cpu` has read the line */
	DEFERRED_WRITE,   /* `cpu` has written the line */
	DEFERRED_UPGRADE, /* `cpu` has written the line, and had it Shared */
	DEFERRED_DROP,    /* `cpu` has replaced the line */
	DEFERRED_DMA_READ,
	DEFERRED_DMA_WRITE,
	DEFERRED_INVALIDATE, /* its cache loses the line; the directory has changed already */
	DEFERRED_DOWNGRADE,  /* likewise, its cache keeps the line Shared */
};

struct deferred {
	uint64_t line;
	uint8_t op;
	uint8_t cpu;
	bool counted; /* part of the sample: the home counts it */
};

struct memsys_log {
	struct deferred *op;
	size_t n, cap;
	struct memsys_hot *hot; /* MEMSYS_HOT_MAX of them */
	unsigned n_hot;
	/* Since the last boundary, by home: */
	uint32_t requests[MACHINE_MAX_NODES], remote_requests[MACHINE_MAX_NODES];
};

struct memsys {
	struct memsys_cpu **cpu;
	unsigned n_cpus, n_nodes;
	bool boundary;
	bool contention;
	uint32_t sample, hot_trigger;
	uint8_t cpu_node[MACHINE_MAX_CPUS];
	uint16_t cpu_task[MACHINE_MAX_CPUS];

	unsigned line_shift; /* of the L2s */
	unsigned dir_words;
	uint64_t n_lines;
	uint64_t *dir;

	uint64_t n_frames;
	uint32_t node_first[MACHINE_MAX_NODES + 1]; /* first frame of each node, and the end */
	uint8_t home_guess[HOME_GUESSES];           /* home of the first frame of each stretch */
	unsigned guess_shift;
	uint16_t *owner;  /* by frame: task + 1, or 0 */
	uint16_t *misses; /* by frame: n_nodes counters of misses, one of writes */
	struct memsys_home home[MACHINE_MAX_NODES];

	unsigned l2_hit, tlb_refill;                          /* cycles */
	uint64_t controller, link;                            /* cycles of occupancy */
	unsigned clean[MACHINE_MAX_NODES][MACHINE_MAX_NODES]; /* [CPU's node][home] */
	unsigned *owned;                                      /* [CPU's node][home][owner's node] */
	unsigned fanout[MACHINE_MAX_NODES][MACHINE_MAX_NODES]; /* [home][sharer's node] */
	/* What contention adds to a request, from here to there. */
	unsigned wait[MACHINE_MAX_NODES][MACHINE_MAX_NODES];
};

/* ---- sets of lines */

static inline uint64_t cache_set(const struct memsys_cache *k, uint64_t ma)
{
	return ma >> k->shift & k->set_mask;
}

static inline bool same_line(const struct memsys_cache *k, uint64_t entry, uint64_t ma)
{
	return (entry ^ ma) < k->line_bytes;
}

/* The slot that has a line, or NULL. The order does not change. */
static inline uint64_t *cache_find(const struct memsys_cache *k, uint64_t ma)
{
	uint64_t set = cache_set(k, ma), *rest = k->rest + set * (k->ways - 1);

	if (same_line(k, k->first[set], ma))
		return &k->first[set];
	for (unsigned i = 0; i + 1 < k->ways; i++)
		if (same_line(k, rest[i], ma))
			return &rest[i];
	return NULL;
}

/* Make a line its set's most recent; NULL if it is not there. */
static inline uint64_t *cache_touch(struct memsys_cache *k, uint64_t ma)
{
	uint64_t set = cache_set(k, ma), *first = &k->first[set];
	uint64_t *rest = k->rest + set * (k->ways - 1);

	if (same_line(k, *first, ma))
		return first;
	for (unsigned i = 0; i + 1 < k->ways; i++)
		if (same_line(k, rest[i], ma)) {
			uint64_t e = rest[i];

			for (; i > 0; i--)
				rest[i] = rest[i - 1];
			rest[0] = *first;
			*first = e;
			return first;
		}
	return NULL;
}

/* Enter a line as the most recent, in place of a free way or else the least recent line, which is
 * returned (LINE_NONE: there was a free way). */
static inline uint64_t cache_insert(struct memsys_cache *k, uint64_t entry)
{
	uint64_t set = cache_set(k, entry), *rest = k->rest + set * (k->ways - 1);
	uint64_t carried = k->first[set];

	k->first[set] = entry;
	for (unsigned i = 0; i + 1 < k->ways && carried != LINE_NONE; i++) {
		uint64_t e = rest[i];

		rest[i] = carried;
		carried = e;
	}
	return carried;
}

static inline void cache_remove(struct memsys_cache *k, uint64_t ma)
{
	uint64_t *e = cache_find(k, ma);

	if (e)
		*e = LINE_NONE;
}

/* ---- directory */

static inline uint64_t *dir_entry(const struct memsys *ms, uint64_t line)
{
	return ms->dir + (line >> ms->line_shift) * ms->dir_words;
}

static inline void dir_add(uint64_t *d, unsigned cpu)
{
	d[(cpu + 1) / 64] |= 1ull << (cpu + 1) % 64;
}

static inline void dir_clear(const struct memsys *ms, uint64_t *d)
{
	for (unsigned i = 0; i < ms->dir_words; i++)
		d[i] = 0;
}

static inline void dir_del(uint64_t *d, unsigned cpu)
{
	uint64_t *w = &d[(cpu + 1) / 64], bit = 1ull << (cpu + 1) % 64;

	if (*w & bit) {
		*w &= ~bit;
		d[0] &= ~DIR_OWNED; /* an owner is alone, so either it leaves or there was none */
	}
}

/* The CPUs of a directory entry but for one: the next at or after `cpu`, or -1. */
static inline int dir_next(const struct memsys *ms, const uint64_t *d, unsigned cpu, unsigned but)
{
	unsigned bit = cpu + 1;

	for (unsigned i = bit / 64; i < ms->dir_words; i++, bit = 0) {
		uint64_t w = d[i] & ~0ull << bit % 64;

		if (i == 0)
			w &= ~DIR_OWNED;
		if (i == (but + 1) / 64)
			w &= ~(1ull << (but + 1) % 64);
		if (w)
			return (int)(i * 64 + (unsigned)__builtin_ctzll(w)) - 1;
	}
	return -1;
}

#define NO_CPU 0x3ffu /* excludes none */
#define FOR_EACH_SHARER(o, ms, d, but)                                                             \
	for (int o = dir_next(ms, d, 0, but); o >= 0; o = dir_next(ms, d, (unsigned)o + 1, but))

/* ---- homes */

static inline unsigned home_of(const struct memsys *ms, uint64_t ma)
{
	uint64_t mpn = ma >> PAGE_SHIFT;
	unsigned node = ms->home_guess[mpn >> ms->guess_shift];

	while (mpn >= ms->node_first[node + 1])
		node++;
	return node;
}

static inline bool acts_at_once(const struct memsys_cpu *c, uint64_t line)
{
	return c->ms->boundary || c->ms->owner[line >> PAGE_SHIFT] == c->task + 1u;
}

/* A request to a home, for its load and the statistics. */
static inline void count_request(struct memsys_cpu *c, unsigned home)
{
	c->log->requests[home]++;
	c->log->remote_requests[home] += home != c->node;
}

/* ---- memsys.c */

void memsys_defer(
	struct memsys_cpu *c, enum deferred_op op, uint64_t line, unsigned cpu, bool counted);
/* The same for an access of c, which must not be to another task's frame. */
void memsys_defer_request(struct memsys_cpu *c, enum deferred_op op, uint64_t line, bool counted);
/* A cache loses a line, or the right to write it. The caller updates the directory. */
void memsys_take(struct memsys_cpu *o, uint64_t line);
void memsys_downgrade(struct memsys_cpu *o, uint64_t line);
/* Every CPU in the directory entry d but `but` leaves it, and its cache loses the line: now, or at
 * the boundary if c must not touch that cache now. */
void memsys_take_all(struct memsys_cpu *c, uint64_t *d, uint64_t line, unsigned but);
/* An owner other than `but`, if there is one, keeps the line Shared; its cache as above. */
void memsys_share(struct memsys_cpu *c, uint64_t *d, uint64_t line, unsigned but);

/* ---- frame.c */

/* The home counts a miss (not an upgrade) of c, and whether it is a store. */
void memsys_count_frame(struct memsys_cpu *c, uint64_t line, bool miss, bool write);

/* ---- tlb.c */

struct memsys_tlb *memsys_tlb_create(const struct machine *m);
void memsys_tlb_destroy(struct memsys_tlb *t);

#endif
