// SPDX-License-Identifier: MIT
/*
 * Accesses that the L1's most recent lines do not answer: the rest of the L1, the L2, the
 * directory. The one decision that keeps host threads apart is acts_at_once(): what an access may
 * not change now goes to the CPU's log. Everything else is the protocol of memsys.h, in its order:
 * the price is read off the directory first, then the directory changes, then the L2 makes room,
 * then the L1.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/memsys/private.h"

const char *const memsys_stall_name[MEMSYS_STALLS] = {
	"l2", "local", "remote", "upgrade", "tlb", "queue"};

/* ---- the log */

void memsys_defer(
	struct memsys_cpu *c, enum deferred_op op, uint64_t line, unsigned cpu, bool counted)
{
	struct memsys_log *log = c->log;

	if (log->n == log->cap) {
		log->cap = log->cap ? log->cap * 2 : 256;
		log->op = xrealloc(log->op, log->cap * sizeof(log->op[0]));
	}
	log->op[log->n++] = (struct deferred){line, (uint8_t)op, (uint8_t)cpu, counted};
}

/* ---- one CPU's caches */

static void l1_remove(struct memsys_cache *l1, uint64_t line, uint64_t bytes)
{
	for (uint64_t ma = line; ma < line + bytes; ma += l1->line_bytes)
		cache_remove(l1, ma);
}

static void l1_protect(struct memsys_cache *l1, uint64_t line, uint64_t bytes)
{
	for (uint64_t ma = line; ma < line + bytes; ma += l1->line_bytes) {
		uint64_t *e = cache_find(l1, ma);

		if (e)
			*e &= ~MEMSYS_L1_WRITABLE;
	}
}

static void write_back(struct memsys_cpu *c, uint64_t line)
{
	c->n.write_backs++;
	count_request(c, home_of(c->ms, line));
}

void memsys_take(struct memsys_cpu *o, uint64_t line)
{
	uint64_t *e = cache_find(&o->l2, line);

	if (!e)
		return;
	*e = LINE_NONE;
	l1_remove(&o->l1d, line, o->l2.line_bytes);
	l1_remove(&o->l1i, line, o->l2.line_bytes);
	o->n.invalidations++;
}

void memsys_downgrade(struct memsys_cpu *o, uint64_t line)
{
	uint64_t *e = cache_find(&o->l2, line);

	if (!e)
		return;
	if ((*e & STATE_MASK) == LINE_MODIFIED) {
		write_back(o, line);
		l1_protect(&o->l1d, line, o->l2.line_bytes);
	}
	*e = line | LINE_SHARED;
}

static void l2_insert(struct memsys_cpu *c, uint64_t line, enum memsys_state state)
{
	uint64_t victim = cache_insert(&c->l2, line | state), bytes = c->l2.line_bytes;

	if (victim == LINE_NONE)
		return;
	line = victim & ~(bytes - 1);
	l1_remove(&c->l1d, line, bytes);
	l1_remove(&c->l1i, line, bytes);
	if ((victim & STATE_MASK) == LINE_MODIFIED)
		write_back(c, line);
	if (acts_at_once(c, line))
		dir_del(dir_entry(c->ms, line), c->id);
	else
		memsys_defer(c, DEFERRED_DROP, line, c->id, false);
}

/* ---- other CPUs' caches */

/* May c touch o's cache now? */
static bool reaches(const struct memsys_cpu *c, unsigned o)
{
	return c->ms->boundary || c->ms->cpu_task[o] == c->task;
}

void memsys_take_all(struct memsys_cpu *c, uint64_t *d, uint64_t line, unsigned but)
{
	struct memsys *ms = c->ms;

	FOR_EACH_SHARER(o, ms, d, but)
	{
		dir_del(d, (unsigned)o);
		if (reaches(c, (unsigned)o))
			memsys_take(ms->cpu[o], line);
		else
			memsys_defer(c, DEFERRED_INVALIDATE, line, (unsigned)o, false);
	}
}

void memsys_share(struct memsys_cpu *c, uint64_t *d, uint64_t line, unsigned but)
{
	int o = d[0] & DIR_OWNED ? dir_next(c->ms, d, 0, but) : -1;

	if (o < 0)
		return;
	d[0] &= ~DIR_OWNED;
	if (reaches(c, (unsigned)o))
		memsys_downgrade(c->ms->cpu[o], line);
	else
		memsys_defer(c, DEFERRED_DOWNGRADE, line, (unsigned)o, false);
}

/* ---- requests to the home */

static bool sampled(struct memsys_cpu *c)
{
	if (--c->until_sample)
		return false;
	c->until_sample = c->ms->sample;
	return true;
}

/* The price of a store that has to invalidate the other sharers. */
static unsigned invalidation(const struct memsys_cpu *c, const uint64_t *d, unsigned home)
{
	const struct memsys *ms = c->ms;
	unsigned farthest = 0;

	FOR_EACH_SHARER(o, ms, d, c->id)
	farthest = MAX(farthest, ms->fanout[home][ms->cpu_node[o]]);
	return ms->clean[c->node][home] + farthest;
}

static unsigned wait_for(struct memsys_cpu *c, unsigned home)
{
	unsigned wait = c->ms->wait[c->node][home];

	count_request(c, home);
	c->n.stall[STALL_QUEUE] += wait;
	return wait;
}

void memsys_defer_request(struct memsys_cpu *c, enum deferred_op op, uint64_t line, bool counted)
{
	if (c->ms->owner[line >> PAGE_SHIFT])
		die("CPU %u of task %u accesses machine page %llu of task %u", c->id, c->task,
			(unsigned long long)(line >> PAGE_SHIFT),
			c->ms->owner[line >> PAGE_SHIFT] - 1u);
	memsys_defer(c, op, line, c->id, counted);
}

static unsigned upgrade(struct memsys_cpu *c, uint64_t line, uint64_t *entry)
{
	uint64_t *d = dir_entry(c->ms, line);
	unsigned home = home_of(c->ms, line), stall = invalidation(c, d, home);
	bool counted = sampled(c);

	c->n.upgrades++;
	c->n.stall[STALL_UPGRADE] += stall;
	if (acts_at_once(c, line)) {
		memsys_take_all(c, d, line, c->id);
		d[0] |= DIR_OWNED;
		if (counted)
			memsys_count_frame(c, line, false, true);
	} else {
		memsys_defer_request(c, DEFERRED_UPGRADE, line, counted);
	}
	*entry = line | LINE_MODIFIED;
	return stall + wait_for(c, home);
}

static unsigned miss(struct memsys_cpu *c, uint64_t line, bool write)
{
	struct memsys *ms = c->ms;
	uint64_t *d = dir_entry(ms, line);
	unsigned home = home_of(ms, line), stall;
	bool local = home == c->node, counted = sampled(c);
	int other = dir_next(ms, d, 0, c->id);
	enum memsys_state state = write ? LINE_MODIFIED : LINE_SHARED;

	if (other >= 0 && d[0] & DIR_OWNED) {
		stall = ms->owned[(c->node * ms->n_nodes + home) * ms->n_nodes +
				  ms->cpu_node[other]];
		(*(local ? &c->n.local_dirty : &c->n.remote_dirty))++;
	} else {
		stall = write ? invalidation(c, d, home) : ms->clean[c->node][home];
		(*(local ? &c->n.local : &c->n.remote))++;
	}
	c->n.stall[local ? STALL_LOCAL : STALL_REMOTE] += stall;

	if (acts_at_once(c, line)) {
		if (write)
			memsys_take_all(c, d, line, c->id);
		else if (other >= 0)
			memsys_share(c, d, line, c->id);
		else
			state = LINE_EXCLUSIVE;
		dir_add(d, c->id);
		if (state != LINE_SHARED)
			d[0] |= DIR_OWNED;
		if (counted)
			memsys_count_frame(c, line, true, write);
	} else {
		memsys_defer_request(c, write ? DEFERRED_WRITE : DEFERRED_READ, line, counted);
	}
	l2_insert(c, line, state);
	return stall + wait_for(c, home);
}

/* An access the L1 could not answer. *state is the line's state after it. */
static unsigned l2_access(
	struct memsys_cpu *c, uint64_t ma, bool write, bool in_l1, enum memsys_state *state)
{
	uint64_t line = ma & ~(c->l2.line_bytes - 1), *e = cache_touch(&c->l2, ma);
	unsigned stall = 0;

	if (!e)
		stall = miss(c, line, write);
	else if (write && (*e & STATE_MASK) == LINE_SHARED)
		stall = upgrade(c, line, e);
	else if (!in_l1)
		c->n.stall[STALL_L2] += stall = c->ms->l2_hit;
	e = &c->l2.first[cache_set(&c->l2, ma)];
	if (write)
		*e = line | LINE_MODIFIED;
	*state = *e & STATE_MASK;
	return stall;
}

static unsigned data_slow(struct memsys_cpu *c, uint64_t ma, bool write)
{
	struct memsys_cache *l1 = &c->l1d;
	uint64_t *e = cache_touch(l1, ma), line = ma & ~(l1->line_bytes - 1);
	enum memsys_state state;
	unsigned stall;

	if (e) {
		if (!write || *e & MEMSYS_L1_WRITABLE)
			return 0;
		/* The line may be Modified by a store to its other part: an L1 hit all the same. */
		if ((*cache_find(&c->l2, ma) & STATE_MASK) == LINE_MODIFIED)
			stall = 0;
		else
			stall = l2_access(c, ma, write, true, &state);
		*e |= MEMSYS_L1_WRITABLE;
		return stall;
	}
	c->n.l1d_misses++;
	stall = l2_access(c, ma, write, false, &state);
	cache_insert(l1, line | (state == LINE_MODIFIED ? MEMSYS_L1_WRITABLE : 0));
	return stall;
}

unsigned memsys_data_slow(struct memsys_cpu *c, uint64_t ma, bool write)
{
	return data_slow(c, ma, write);
}

unsigned memsys_fetch_slow(struct memsys_cpu *c, uint64_t ma)
{
	enum memsys_state state;
	unsigned stall;

	if (cache_touch(&c->l1i, ma))
		return 0;
	c->n.l1i_misses++;
	stall = l2_access(c, ma, false, false, &state);
	cache_insert(&c->l1i, ma & ~(c->l1i.line_bytes - 1));
	return stall;
}

unsigned memsys_walk(struct memsys_cpu *c, uint64_t ma)
{
	uint64_t before[MEMSYS_STALLS];
	unsigned stall;

	c->n.walks++;
	memcpy(before, c->n.stall, sizeof(before));
	stall = data_slow(c, ma, false);
	memcpy(c->n.stall, before, sizeof(before));
	c->n.stall[STALL_TLB] += stall;
	return stall;
}

/* ---- making and unmaking */

static unsigned log2_of(uint64_t v)
{
	return 63 - (unsigned)__builtin_clzll(v);
}

static void cache_init(struct memsys_cache *k, const struct machine_cache *m)
{
	uint64_t sets = m->size_bytes / ((uint64_t)m->line_bytes * m->ways);

	*k = (struct memsys_cache){
		.first = xcalloc(sets, sizeof(uint64_t)),
		.rest = xcalloc(sets * m->ways, sizeof(uint64_t)),
		.set_mask = sets - 1,
		.line_bytes = m->line_bytes,
		.shift = log2_of(m->line_bytes),
		.ways = m->ways,
	};
	memset(k->first, 0xff, sets * sizeof(uint64_t));
	memset(k->rest, 0xff, sets * (m->ways - 1) * sizeof(uint64_t));
}

static unsigned to_cycles(const struct machine *m, uint64_t half_ns)
{
	return (unsigned)(((unsigned __int128)half_ns * m->clock_hz + 1000000000) / 2000000000);
}

static void init_prices(struct memsys *ms, const struct machine *m)
{
	unsigned n = m->n_nodes;
	/* One way, in half ns. */
	uint64_t(*way)[MACHINE_MAX_NODES] = xcalloc(n, sizeof(*way));

	for (unsigned a = 0; a < n; a++)
		for (unsigned b = 0; b < n; b++) {
			uint64_t there = m->latency_ns[a][b], at_home = m->latency_ns[b][b];

			way[a][b] = there > at_home ? there - at_home : 0;
			ms->clean[a][b] = to_cycles(m, 2 * there);
			ms->fanout[a][b] = to_cycles(m, 2 * way[a][b]);
		}
	ms->owned = xcalloc((size_t)n * n * n, sizeof(ms->owned[0]));
	for (unsigned r = 0; r < n; r++)
		for (unsigned h = 0; h < n; h++)
			for (unsigned w = 0; w < n; w++)
				ms->owned[(r * n + h) * n + w] =
					to_cycles(m, way[r][h] + way[h][w] + way[w][r] +
							     2 * (uint64_t)m->latency_ns[h][h] +
							     2 * (uint64_t)m->dirty_extra_ns);
	free(way);
	ms->l2_hit = to_cycles(m, 2 * (uint64_t)m->l2_hit_ns);
	ms->tlb_refill = (unsigned)m->cost.tlb_refill;
	ms->controller = to_cycles(m, 2 * (uint64_t)m->controller_ns);
	ms->link = to_cycles(m, 2 * (uint64_t)m->link_ns);
}

static void init_homes(struct memsys *ms, const struct machine *m)
{
	uint64_t total = 0;

	for (unsigned node = 0; node < m->n_nodes; node++) {
		ms->node_first[node] = (uint32_t)total;
		total += m->node[node].mem_bytes >> PAGE_SHIFT;
	}
	ms->node_first[m->n_nodes] = (uint32_t)total;
	ms->n_frames = total;
	while (total >> ms->guess_shift >= HOME_GUESSES)
		ms->guess_shift++;
	for (unsigned i = 0, node = 0; (uint64_t)i << ms->guess_shift < total; i++) {
		while ((uint64_t)i << ms->guess_shift >= ms->node_first[node + 1])
			node++;
		ms->home_guess[i] = (uint8_t)node;
	}
}

static struct memsys_cpu *cpu_create(struct memsys *ms, const struct machine *m, unsigned id)
{
	struct memsys_cpu *c;
	size_t bytes = (sizeof(*c) + 127) & ~(size_t)127;

	c = aligned_alloc(128, bytes); /* no host cache line in common with another thread's CPU */
	if (!c)
		die("out of host memory");
	memset(c, 0, bytes);
	cache_init(&c->l1d, &m->l1d);
	cache_init(&c->l1i, &m->l1i);
	cache_init(&c->l2, &m->l2);
	c->ms = ms;
	c->id = id;
	c->node = m->cpu_node[id];
	c->task = MEMSYS_NO_TASK;
	c->until_sample = ms->sample;
	c->tlb = memsys_tlb_create(m);
	c->log = xcalloc(1, sizeof(*c->log));
	c->log->hot = xcalloc(MEMSYS_HOT_MAX, sizeof(c->log->hot[0]));
	return c;
}

struct memsys *memsys_create(const struct machine *m, const struct memsys_options *o)
{
	struct memsys *ms = xcalloc(1, sizeof(*ms));

	ms->n_cpus = m->n_cpus;
	ms->n_nodes = m->n_nodes;
	ms->boundary = true;
	ms->contention = o->contention;
	ms->sample = o->sample ? o->sample : 1;
	ms->hot_trigger = o->hot_trigger;
	memcpy(ms->cpu_node, m->cpu_node, sizeof(ms->cpu_node));
	memset(ms->cpu_task, 0xff, sizeof(ms->cpu_task));
	init_prices(ms, m);
	init_homes(ms, m);

	ms->line_shift = log2_of(m->l2.line_bytes);
	ms->dir_words = m->n_cpus / 64 + 1;
	ms->n_lines = ms->n_frames << PAGE_SHIFT >> ms->line_shift;
	ms->dir = lazy_alloc(ms->n_lines * ms->dir_words * sizeof(uint64_t));
	ms->owner = lazy_alloc(ms->n_frames * sizeof(uint16_t));
	ms->misses = lazy_alloc(ms->n_frames * (ms->n_nodes + 1) * sizeof(uint16_t));
	ms->cpu = xcalloc(ms->n_cpus, sizeof(ms->cpu[0]));
	for (unsigned i = 0; i < ms->n_cpus; i++)
		ms->cpu[i] = cpu_create(ms, m, i);
	return ms;
}

static void cache_free(struct memsys_cache *k)
{
	free(k->first);
	free(k->rest);
}

void memsys_destroy(struct memsys *ms)
{
	if (!ms)
		return;
	for (unsigned i = 0; i < ms->n_cpus; i++) {
		struct memsys_cpu *c = ms->cpu[i];

		cache_free(&c->l1d);
		cache_free(&c->l1i);
		cache_free(&c->l2);
		memsys_tlb_destroy(c->tlb);
		free(c->log->op);
		free(c->log->hot);
		free(c->log);
		free(c);
	}
	lazy_free(ms->dir, ms->n_lines * ms->dir_words * sizeof(uint64_t));
	lazy_free(ms->owner, ms->n_frames * sizeof(uint16_t));
	lazy_free(ms->misses, ms->n_frames * (ms->n_nodes + 1) * sizeof(uint16_t));
	free(ms->owned);
	free(ms->cpu);
	free(ms);
}

struct memsys_cpu *memsys_cpu(struct memsys *ms, unsigned cpu)
{
	return ms->cpu[cpu];
}
