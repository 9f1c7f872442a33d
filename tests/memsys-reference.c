// SPDX-License-Identifier: MIT
/*
 * The slow memory-system model: see memsys-reference.h. Where the fast one keeps order, this keeps
 * times; where that one keeps bits, this keeps arrays and walks all of them. Here is the protocol:
 * who has which line, what a request costs and does to others. Caches and TLBs as mere tables are
 * in memsys-reference-tables.c.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/memsys-reference-tables.h"
#include "tests/memsys-reference.h"

enum { PAGE = 4096 };

/* A line in the directory. */
struct ref_line {
	bool has[MACHINE_MAX_CPUS];
	bool owned;
};

enum ref_put_off_kind { READ, WRITE, UPGRADE, DROP, DMA_READ, DMA_WRITE, INVALIDATE, DOWNGRADE };

struct ref_put_off {
	enum ref_put_off_kind kind;
	uint64_t line;
	unsigned whom;
	bool counted;
};

struct ref_cpu {
	struct ref_cache l1i, l1d, l2;
	uint8_t *state; /* enum memsys_state of every line of memory */
	struct memsys_counts n;
	struct ref_put_off *put_off;
	unsigned n_put_off;
	struct memsys_hot hot[MEMSYS_HOT_MAX];
	unsigned n_hot;
	uint64_t events; /* that could have been sampled */
	uint64_t requests[MACHINE_MAX_NODES], remote_requests[MACHINE_MAX_NODES];
	struct ref_tlb tlb;
};

struct ref {
	struct machine m;
	struct memsys_options o;
	bool boundary;
	uint64_t now; /* counts accesses to caches */
	uint16_t task[MACHINE_MAX_CPUS];
	uint64_t n_frames, n_lines;
	uint16_t *owner;
	uint16_t *misses; /* [frame][node] */
	uint16_t *writes; /* [frame] */
	struct ref_line *dir;
	struct memsys_home home[MACHINE_MAX_NODES];
	struct ref_cpu cpu[MACHINE_MAX_CPUS];
};

/* ---- prices, as in the header */

static uint64_t half_ns_to_cycles(const struct ref *r, uint64_t half_ns)
{
	return (half_ns * r->m.clock_hz + 1000000000) / 2000000000; /* small numbers in tests */
}

static uint64_t way_half_ns(const struct ref *r, unsigned a, unsigned b)
{
	int64_t d = (int64_t)r->m.latency_ns[a][b] - (int64_t)r->m.latency_ns[b][b];

	return d > 0 ? (uint64_t)d : 0;
}

static unsigned home(const struct ref *r, uint64_t ma)
{
	unsigned node = 0;
	uint64_t end = r->m.node[0].mem_bytes;

	while (ma >= end)
		end += r->m.node[++node].mem_bytes;
	return node;
}

static uint64_t price_clean(const struct ref *r, unsigned node, unsigned h)
{
	return half_ns_to_cycles(r, 2ull * r->m.latency_ns[node][h]);
}

static uint64_t price_owned(const struct ref *r, unsigned node, unsigned h, unsigned w)
{
	return half_ns_to_cycles(r, way_half_ns(r, node, h) + way_half_ns(r, h, w) +
					    way_half_ns(r, w, node) + 2ull * r->m.latency_ns[h][h] +
					    2ull * r->m.dirty_extra_ns);
}

static uint64_t price_store(const struct ref *r, unsigned cpu, unsigned h, const struct ref_line *d)
{
	uint64_t farthest = 0;

	for (unsigned o = 0; o < r->m.n_cpus; o++)
		if (d->has[o] && o != cpu) {
			uint64_t there =
				half_ns_to_cycles(r, 2 * way_half_ns(r, h, r->m.cpu_node[o]));

			farthest = there > farthest ? there : farthest;
		}
	return price_clean(r, r->m.cpu_node[cpu], h) + farthest;
}

/* ---- one CPU */

static uint64_t line_bytes(const struct ref *r)
{
	return r->m.l2.line_bytes;
}

static void lose_line(struct ref *r, unsigned cpu, uint64_t line)
{
	struct ref_cpu *c = &r->cpu[cpu];
	uint64_t bytes = line_bytes(r);

	ref_cache_lose(&c->l2, line * bytes, 1);
	ref_cache_lose(&c->l1i, line * bytes, bytes);
	ref_cache_lose(&c->l1d, line * bytes, bytes);
	c->state[line] = LINE_INVALID;
}

static void request(struct ref *r, unsigned cpu, uint64_t line)
{
	unsigned h = home(r, line * line_bytes(r));

	r->cpu[cpu].requests[h]++;
	if (h != r->m.cpu_node[cpu])
		r->cpu[cpu].remote_requests[h]++;
}

static void write_back(struct ref *r, unsigned cpu, uint64_t line)
{
	r->cpu[cpu].n.write_backs++;
	request(r, cpu, line);
}

static void put_off(struct ref *r, unsigned cpu, enum ref_put_off_kind kind, uint64_t line,
	unsigned whom, bool counted)
{
	struct ref_cpu *c = &r->cpu[cpu];

	c->put_off = xrealloc(c->put_off, (c->n_put_off + 1) * sizeof(c->put_off[0]));
	c->put_off[c->n_put_off++] = (struct ref_put_off){kind, line, whom, counted};
}

static bool own_frame(const struct ref *r, unsigned cpu, uint64_t line)
{
	uint16_t owner = r->owner[line * line_bytes(r) / PAGE];

	return r->boundary || (owner != MEMSYS_NO_TASK && owner == r->task[cpu]);
}

static bool own_cpu(const struct ref *r, unsigned cpu, unsigned o)
{
	return r->boundary || r->task[cpu] == r->task[o];
}

/* ---- what requests do to others */

static void invalidate(struct ref *r, unsigned o, uint64_t line)
{
	if (r->cpu[o].state[line] == LINE_INVALID)
		return;
	lose_line(r, o, line);
	r->cpu[o].n.invalidations++;
}

static void downgrade(struct ref *r, unsigned o, uint64_t line)
{
	uint8_t *state = &r->cpu[o].state[line];

	if (*state == LINE_MODIFIED)
		write_back(r, o, line);
	if (*state != LINE_INVALID)
		*state = LINE_SHARED;
}

static void take_from_others(struct ref *r, unsigned cpu, uint64_t line, bool from_me_too)
{
	struct ref_line *d = &r->dir[line];

	for (unsigned o = 0; o < r->m.n_cpus; o++) {
		if (!d->has[o] || (o == cpu && !from_me_too))
			continue;
		d->has[o] = false;
		d->owned = false;
		if (own_cpu(r, cpu, o))
			invalidate(r, o, line);
		else
			put_off(r, cpu, INVALIDATE, line, o, false);
	}
}

static void share_with_others(struct ref *r, unsigned cpu, uint64_t line, bool me_too)
{
	struct ref_line *d = &r->dir[line];

	for (unsigned o = 0; o < r->m.n_cpus; o++) {
		if (!d->has[o] || !d->owned || (o == cpu && !me_too))
			continue;
		d->owned = false;
		if (own_cpu(r, cpu, o))
			downgrade(r, o, line);
		else
			put_off(r, cpu, DOWNGRADE, line, o, false);
	}
}

static void leave_directory(struct ref *r, unsigned cpu, uint64_t line)
{
	if (r->dir[line].has[cpu])
		r->dir[line].owned = false;
	r->dir[line].has[cpu] = false;
}

/* ---- miss counters */

static bool sample(struct ref *r, unsigned cpu)
{
	return ++r->cpu[cpu].events % (r->o.sample ? r->o.sample : 1) == 0;
}

static void count_frame(struct ref *r, unsigned cpu, uint64_t line, bool miss, bool write)
{
	struct ref_cpu *c = &r->cpu[cpu];
	uint64_t mpn = line * line_bytes(r) / PAGE;
	unsigned node = r->m.cpu_node[cpu];
	uint16_t *n = &r->misses[mpn * r->m.n_nodes + node];

	if (write && r->writes[mpn] < 65535)
		r->writes[mpn]++;
	if (miss && *n < 65535) {
		bool signal = false;

		++*n;
		for (uint64_t at = r->o.hot_trigger; at && at <= 65535; at *= 2)
			signal |= *n == at;
		if (signal && home(r, line * line_bytes(r)) != node) {
			if (c->n_hot == MEMSYS_HOT_MAX)
				c->n.hot_dropped++;
			else
				c->hot[c->n_hot++] = (struct memsys_hot){(uint32_t)mpn, node};
		}
	}
}

/* ---- an access */

static uint64_t queue(struct ref *r, unsigned cpu, uint64_t line)
{
	unsigned h = home(r, line * line_bytes(r));
	uint64_t wait = r->home[h].controller_wait;

	if (h != r->m.cpu_node[cpu])
		wait += r->home[h].link_wait;
	request(r, cpu, line);
	r->cpu[cpu].n.stall[STALL_QUEUE] += wait;
	return wait;
}

static uint64_t upgrade(struct ref *r, unsigned cpu, uint64_t line)
{
	struct ref_cpu *c = &r->cpu[cpu];
	struct ref_line *d = &r->dir[line];
	uint64_t stall = price_store(r, cpu, home(r, line * line_bytes(r)), d);
	bool counted = sample(r, cpu);

	c->n.upgrades++;
	c->n.stall[STALL_UPGRADE] += stall;
	if (own_frame(r, cpu, line)) {
		take_from_others(r, cpu, line, false);
		d->owned = true;
		if (counted)
			count_frame(r, cpu, line, false, true);
	} else {
		put_off(r, cpu, UPGRADE, line, cpu, counted);
	}
	c->state[line] = LINE_MODIFIED;
	return stall + queue(r, cpu, line);
}

static void make_room(struct ref *r, unsigned cpu, uint64_t line)
{
	struct ref_cpu *c = &r->cpu[cpu];
	struct ref_way *w = ref_cache_victim(&c->l2, line * line_bytes(r));
	uint64_t victim = w->line;

	if (!w->valid)
		return;
	if (c->state[victim] == LINE_MODIFIED)
		write_back(r, cpu, victim);
	lose_line(r, cpu, victim);
	if (own_frame(r, cpu, victim))
		leave_directory(r, cpu, victim);
	else
		put_off(r, cpu, DROP, victim, cpu, false);
}

static uint64_t miss(struct ref *r, unsigned cpu, uint64_t line, bool write)
{
	struct ref_cpu *c = &r->cpu[cpu];
	struct ref_line *d = &r->dir[line];
	unsigned node = r->m.cpu_node[cpu], h = home(r, line * line_bytes(r));
	int owner = -1;
	bool others = false, counted = sample(r, cpu);
	uint64_t stall;

	for (unsigned o = 0; o < r->m.n_cpus; o++)
		if (d->has[o] && o != cpu) {
			others = true;
			if (d->owned)
				owner = (int)o;
		}
	if (owner >= 0)
		stall = price_owned(r, node, h, r->m.cpu_node[owner]);
	else if (write)
		stall = price_store(r, cpu, h, d);
	else
		stall = price_clean(r, node, h);
	if (owner >= 0 && h == node)
		c->n.local_dirty++;
	else if (owner >= 0)
		c->n.remote_dirty++;
	else if (h == node)
		c->n.local++;
	else
		c->n.remote++;
	c->n.stall[h == node ? STALL_LOCAL : STALL_REMOTE] += stall;

	make_room(r, cpu, line);
	if (own_frame(r, cpu, line)) {
		if (write)
			take_from_others(r, cpu, line, false);
		else
			share_with_others(r, cpu, line, false);
		d->has[cpu] = true;
		d->owned = write || !others;
		c->state[line] = write ? LINE_MODIFIED : others ? LINE_SHARED : LINE_EXCLUSIVE;
		if (counted)
			count_frame(r, cpu, line, true, write);
	} else {
		put_off(r, cpu, write ? WRITE : READ, line, cpu, counted);
		c->state[line] = write ? LINE_MODIFIED : LINE_SHARED;
	}
	ref_cache_fill(&c->l2, line * line_bytes(r), ++r->now);
	return stall + queue(r, cpu, line);
}

static unsigned access(struct ref *r, unsigned cpu, struct ref_cache *l1, uint64_t *l1_misses,
	uint64_t ma, bool write)
{
	struct ref_cpu *c = &r->cpu[cpu];
	uint64_t line = ma / line_bytes(r), stall = 0;
	struct ref_way *in_l1 = ref_cache_find(l1, ma), *in_l2;
	uint8_t *state = &c->state[line];

	if (in_l1)
		in_l1->used = ++r->now;
	if (in_l1 && (!write || *state == LINE_MODIFIED))
		return 0;
	if (!in_l1)
		++*l1_misses;
	in_l2 = ref_cache_find(&c->l2, ma);
	if (in_l2)
		in_l2->used = ++r->now;
	if (!in_l2)
		stall = miss(r, cpu, line, write);
	else if (write && *state == LINE_SHARED)
		stall = upgrade(r, cpu, line);
	else if (!in_l1)
		c->n.stall[STALL_L2] += stall = half_ns_to_cycles(r, 2ull * r->m.l2_hit_ns);
	if (write)
		*state = LINE_MODIFIED;
	if (!in_l1)
		ref_cache_fill(l1, ma, ++r->now);
	return (unsigned)stall;
}

unsigned ref_data(struct ref *r, unsigned cpu, uint64_t ma, bool write)
{
	struct ref_cpu *c = &r->cpu[cpu];

	++*(write ? &c->n.writes : &c->n.reads);
	return access(r, cpu, &c->l1d, &c->n.l1d_misses, ma, write);
}

unsigned ref_fetch(struct ref *r, unsigned cpu, uint64_t ma)
{
	struct ref_cpu *c = &r->cpu[cpu];

	c->n.fetches++;
	return access(r, cpu, &c->l1i, &c->n.l1i_misses, ma, false);
}

unsigned ref_walk(struct ref *r, unsigned cpu, uint64_t ma)
{
	struct ref_cpu *c = &r->cpu[cpu];
	struct memsys_counts before = c->n;
	unsigned stall = access(r, cpu, &c->l1d, &c->n.l1d_misses, ma, false);

	memcpy(c->n.stall, before.stall, sizeof(before.stall));
	c->n.stall[STALL_TLB] += stall;
	c->n.walks++;
	return stall;
}

/* ---- bulk */

uint64_t ref_copy_page(struct ref *r, unsigned cpu, uint32_t to_mpn, uint32_t from_mpn)
{
	uint64_t stall = 0;

	for (unsigned at = 0; at < PAGE; at += r->m.l1d.line_bytes) {
		stall += ref_data(r, cpu, (uint64_t)from_mpn * PAGE + at, false);
		stall += ref_data(r, cpu, (uint64_t)to_mpn * PAGE + at, true);
	}
	return stall;
}

uint64_t ref_zero_page(struct ref *r, unsigned cpu, uint32_t mpn)
{
	uint64_t stall = 0;

	for (unsigned at = 0; at < PAGE; at += r->m.l1d.line_bytes)
		stall += ref_data(r, cpu, (uint64_t)mpn * PAGE + at, true);
	return stall;
}

uint64_t ref_read_page(struct ref *r, unsigned cpu, uint32_t mpn)
{
	uint64_t stall = 0;

	for (unsigned at = 0; at < PAGE; at += r->m.l1d.line_bytes)
		stall += ref_data(r, cpu, (uint64_t)mpn * PAGE + at, false);
	return stall;
}

uint64_t ref_dma(
	struct ref *r, unsigned cpu, unsigned node, uint64_t ma, uint64_t bytes, bool to_memory)
{
	struct ref_cpu *c = &r->cpu[cpu];
	uint64_t first = ma / line_bytes(r), last = (ma + bytes - 1) / line_bytes(r), cycles = 0;

	for (uint64_t line = first; line <= last; line++) {
		unsigned h = home(r, line * line_bytes(r));

		*(to_memory ? &c->n.dma_writes : &c->n.dma_reads) += 1;
		c->requests[h]++;
		if (h != node)
			c->remote_requests[h]++;
		if (line == first)
			cycles += price_clean(r, node, h);
		else
			cycles += half_ns_to_cycles(r, 2ull * r->m.controller_ns);
		if (!own_frame(r, cpu, line))
			put_off(r, cpu, to_memory ? DMA_WRITE : DMA_READ, line, cpu, false);
		else if (to_memory)
			take_from_others(r, cpu, line, true);
		else
			share_with_others(r, cpu, line, true);
	}
	return cycles;
}

/* ---- TLB */

bool ref_tlb_access(struct ref *r, unsigned cpu, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted)
{
	struct ref_cpu *c = &r->cpu[cpu];

	if (ref_tlb_enter(&c->tlb, context, vpn, order, evicted))
		return true;
	c->n.tlb_misses++;
	c->n.stall[STALL_TLB] += r->m.cost.tlb_refill;
	return false;
}

void ref_tlb_flush(struct ref *r, unsigned cpu)
{
	ref_tlb_empty(&r->cpu[cpu].tlb);
}

void ref_tlb_flush_context(struct ref *r, unsigned cpu, uint64_t context)
{
	ref_tlb_lose_context(&r->cpu[cpu].tlb, context);
}

void ref_tlb_flush_page(struct ref *r, unsigned cpu, uint64_t context, uint64_t vpn)
{
	ref_tlb_lose_page(&r->cpu[cpu].tlb, context, vpn);
}

/* ---- the boundary */

static void catch_up(struct ref *r, unsigned cpu, const struct ref_put_off *p)
{
	struct ref_line *d = &r->dir[p->line];
	enum memsys_state mine = r->cpu[cpu].state[p->line];
	bool alone = true;

	switch (p->kind) {
	case DROP:
		leave_directory(r, cpu, p->line);
		return;
	case INVALIDATE:
		invalidate(r, p->whom, p->line);
		return;
	case DOWNGRADE:
		downgrade(r, p->whom, p->line);
		return;
	case DMA_READ:
		share_with_others(r, cpu, p->line, true);
		return;
	case DMA_WRITE:
		take_from_others(r, cpu, p->line, true);
		return;
	case READ:
		share_with_others(r, cpu, p->line, false);
		break;
	case WRITE:
	case UPGRADE:
		take_from_others(r, cpu, p->line, false);
		break;
	}
	leave_directory(r, cpu, p->line);
	for (unsigned o = 0; o < r->m.n_cpus; o++)
		alone = alone && !d->has[o];
	if (mine != LINE_INVALID) {
		d->has[cpu] = true;
		if (mine != LINE_SHARED && alone)
			d->owned = true;
	}
	if (p->counted)
		count_frame(r, cpu, p->line, p->kind != UPGRADE, p->kind != READ);
}

static uint64_t wait_cycles(
	uint64_t customers, uint64_t requests, uint64_t elapsed, uint64_t service, uint64_t wait)
{
	__int128 z, b, square, root = 0;

	if (customers < 2 || requests == 0)
		return 0;
	z = (__int128)(customers * elapsed / requests) - (__int128)wait;
	if (z < 0)
		z = 0;
	b = z - (__int128)((customers - 1) * service);
	square = b * b + 2 * (__int128)(customers - 1) * service * service;
	while ((root + 1) * (root + 1) <= square)
		root++;
	root = (root - b) / 2;
	if (root > (__int128)((customers - 1) * service))
		root = (customers - 1) * service;
	return (uint64_t)root;
}

void ref_boundary(struct ref *r, uint64_t elapsed_cycles)
{
	r->boundary = true;
	for (unsigned cpu = 0; cpu < r->m.n_cpus; cpu++) {
		for (unsigned i = 0; i < r->cpu[cpu].n_put_off; i++) {
			struct ref_put_off p = r->cpu[cpu].put_off[i];

			catch_up(r, cpu, &p);
		}
		r->cpu[cpu].n_put_off = 0;
	}
	for (unsigned h = 0; h < r->m.n_nodes; h++) {
		struct memsys_home *to = &r->home[h];
		uint64_t n = 0, remote = 0, users = 0, remote_users = 0;

		for (unsigned cpu = 0; cpu < r->m.n_cpus; cpu++) {
			struct ref_cpu *c = &r->cpu[cpu];

			n += c->requests[h];
			users += c->requests[h] > 0;
			remote += c->remote_requests[h];
			remote_users += c->remote_requests[h] > 0;
			c->requests[h] = c->remote_requests[h] = 0;
		}
		to->requests += n;
		to->remote_requests += remote;
		if (r->o.contention) {
			to->controller_wait = wait_cycles(users, n, elapsed_cycles,
				half_ns_to_cycles(r, 2ull * r->m.controller_ns),
				to->controller_wait);
			to->link_wait = wait_cycles(remote_users, remote, elapsed_cycles,
				half_ns_to_cycles(r, 2ull * r->m.link_ns), to->link_wait);
		}
	}
}

void ref_quantum(struct ref *r, const uint16_t *task_of_cpu)
{
	r->boundary = false;
	memcpy(r->task, task_of_cpu, r->m.n_cpus * sizeof(task_of_cpu[0]));
}

void ref_own(struct ref *r, uint32_t mpn, uint16_t task)
{
	r->owner[mpn] = task;
}

void ref_frame_moved(struct ref *r, uint32_t mpn)
{
	for (uint64_t at = 0; at < PAGE; at += line_bytes(r))
		take_from_others(r, 0, ((uint64_t)mpn * PAGE + at) / line_bytes(r), true);
	ref_frame_reset(r, mpn);
}

void ref_flush(struct ref *r)
{
	for (unsigned cpu = 0; cpu < r->m.n_cpus; cpu++) {
		for (uint64_t line = 0; line < r->n_lines; line++)
			if (r->cpu[cpu].state[line] != LINE_INVALID)
				lose_line(r, cpu, line);
		ref_tlb_flush(r, cpu);
	}
	memset(r->dir, 0, r->n_lines * sizeof(r->dir[0]));
}

void ref_frame_reset(struct ref *r, uint32_t mpn)
{
	for (unsigned node = 0; node < r->m.n_nodes; node++)
		r->misses[mpn * r->m.n_nodes + node] = 0;
	r->writes[mpn] = 0;
}

void ref_frames_reset(struct ref *r)
{
	for (uint32_t mpn = 0; mpn < r->n_frames; mpn++)
		ref_frame_reset(r, mpn);
}

void ref_hot_clear(struct ref *r)
{
	for (unsigned cpu = 0; cpu < r->m.n_cpus; cpu++)
		r->cpu[cpu].n_hot = 0;
}

/* ---- making and looking */

struct ref *ref_create(const struct machine *m, const struct memsys_options *o)
{
	struct ref *r = xcalloc(1, sizeof(*r));
	uint64_t bytes = 0;

	r->m = *m;
	r->o = *o;
	r->boundary = true;
	for (unsigned node = 0; node < m->n_nodes; node++)
		bytes += m->node[node].mem_bytes;
	r->n_frames = bytes / PAGE;
	r->n_lines = bytes / line_bytes(r);
	r->owner = xcalloc(r->n_frames, sizeof(r->owner[0]));
	memset(r->owner, 0xff, r->n_frames * sizeof(r->owner[0]));
	memset(r->task, 0xff, sizeof(r->task));
	r->misses = xcalloc(r->n_frames * m->n_nodes, sizeof(r->misses[0]));
	r->writes = xcalloc(r->n_frames, sizeof(r->writes[0]));
	r->dir = xcalloc(r->n_lines, sizeof(r->dir[0]));
	for (unsigned cpu = 0; cpu < m->n_cpus; cpu++) {
		struct ref_cpu *c = &r->cpu[cpu];

		ref_cache_create(&c->l1i, &m->l1i);
		ref_cache_create(&c->l1d, &m->l1d);
		ref_cache_create(&c->l2, &m->l2);
		c->state = xcalloc(r->n_lines, 1);
		ref_tlb_create(&c->tlb, m);
	}
	return r;
}

void ref_destroy(struct ref *r)
{
	for (unsigned cpu = 0; cpu < r->m.n_cpus; cpu++) {
		struct ref_cpu *c = &r->cpu[cpu];

		ref_cache_free(&c->l1i);
		ref_cache_free(&c->l1d);
		ref_cache_free(&c->l2);
		free(c->state);
		free(c->put_off);
		ref_tlb_free(&c->tlb);
	}
	free(r->owner);
	free(r->misses);
	free(r->writes);
	free(r->dir);
	free(r);
}

const struct memsys_counts *ref_counts(const struct ref *r, unsigned cpu)
{
	return &r->cpu[cpu].n;
}

struct memsys_home ref_home(const struct ref *r, unsigned node)
{
	return r->home[node];
}

enum memsys_state ref_state(const struct ref *r, unsigned cpu, uint64_t ma)
{
	return r->cpu[cpu].state[ma / line_bytes(r)];
}

bool ref_sharers(const struct ref *r, uint64_t ma, uint64_t set[2])
{
	const struct ref_line *d = &r->dir[ma / line_bytes(r)];

	set[0] = set[1] = 0;
	for (unsigned o = 0; o < r->m.n_cpus; o++)
		if (d->has[o])
			set[o / 64] |= 1ull << o % 64;
	return d->owned;
}

unsigned ref_frame_misses(const struct ref *r, uint32_t mpn, unsigned node)
{
	return r->misses[mpn * r->m.n_nodes + node];
}

unsigned ref_frame_writes(const struct ref *r, uint32_t mpn)
{
	return r->writes[mpn];
}

const struct memsys_hot *ref_hot(const struct ref *r, unsigned cpu, unsigned *n)
{
	*n = r->cpu[cpu].n_hot;
	return r->cpu[cpu].hot;
}
