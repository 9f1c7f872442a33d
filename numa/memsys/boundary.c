// SPDX-License-Identifier: MIT
/*
 * Where quanta meet: what CPUs could not do to the directory and to each other's caches is done
 * here, CPU by CPU. By now a cache may no longer hold what its log speaks of (it replaced the line,
 * or a CPU before it in order took it), so each operation ends by telling the directory what the
 * CPU's cache really has; a later entry of the same log may change that again. Then the load of
 * the homes is counted, from which waiting times follow, and the whole can be checked.
 */
#include "numa/memsys/private.h"

/* Set the directory entry of a line that only c may have to what c's cache says. */
static void record(const struct memsys_cpu *c, uint64_t *d, uint64_t line)
{
	const uint64_t *e = cache_find(&c->l2, line);

	dir_del(d, c->id);
	if (!e)
		return;
	dir_add(d, c->id);
	if ((*e & STATE_MASK) != LINE_SHARED && dir_next(c->ms, d, 0, c->id) < 0)
		d[0] |= DIR_OWNED;
}

static void apply(struct memsys_cpu *c, const struct deferred *op)
{
	struct memsys *ms = c->ms;
	uint64_t *d = dir_entry(ms, op->line);

	switch ((enum deferred_op)op->op) {
	case DEFERRED_READ:
		memsys_share(c, d, op->line, c->id);
		record(c, d, op->line);
		break;
	case DEFERRED_WRITE:
	case DEFERRED_UPGRADE:
		memsys_take_all(c, d, op->line, c->id);
		record(c, d, op->line);
		break;
	case DEFERRED_DROP:
		dir_del(d, op->cpu);
		return;
	case DEFERRED_DMA_READ:
		memsys_share(c, d, op->line, NO_CPU);
		return;
	case DEFERRED_DMA_WRITE:
		memsys_take_all(c, d, op->line, NO_CPU);
		return;
	case DEFERRED_INVALIDATE:
		memsys_take(ms->cpu[op->cpu], op->line);
		return;
	case DEFERRED_DOWNGRADE:
		memsys_downgrade(ms->cpu[op->cpu], op->line);
		return;
	}
	if (op->counted)
		memsys_count_frame(
			c, op->line, op->op != DEFERRED_UPGRADE, op->op != DEFERRED_READ);
}

/* ---- contention */

static uint64_t root(uint64_t v)
{
	uint64_t r = 0;

	for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
		if ((r | bit) * (r | bit) <= v)
			r |= bit;
	return r;
}

uint64_t memsys_queue_cycles(
	uint64_t customers, uint64_t requests, uint64_t elapsed, uint64_t service, uint64_t wait)
{
	const uint64_t limit = 1u << 30; /* no square below overflows */
	uint64_t z, others, b, square, wait_cycles;

	if (customers < 2 || !requests)
		return 0;
	z = MIN(customers * elapsed / requests, limit);
	z = z > wait ? z - wait : 0;
	others = MIN((customers - 1) * service, limit);
	b = z > others ? z - others : others - z; /* |B| */
	square = b * b + 2 * MIN(others * service, 1ull << 60);
	wait_cycles = (z > others ? root(square) - b : root(square) + b) / 2;
	return MIN(wait_cycles, others);
}

/* Sum up the quantum's requests by home, and compute how long a request waits in the next. */
static void settle_homes(struct memsys *ms, uint64_t elapsed)
{
	for (unsigned h = 0; h < ms->n_nodes; h++) {
		struct memsys_home *home = &ms->home[h];
		uint64_t n = 0, remote = 0;
		unsigned users = 0, remote_users = 0;

		for (unsigned i = 0; i < ms->n_cpus; i++) {
			struct memsys_log *log = ms->cpu[i]->log;

			n += log->requests[h];
			remote += log->remote_requests[h];
			users += log->requests[h] != 0;
			remote_users += log->remote_requests[h] != 0;
			log->requests[h] = log->remote_requests[h] = 0;
		}
		home->requests += n;
		home->remote_requests += remote;
		if (!ms->contention)
			continue;
		home->controller_wait = memsys_queue_cycles(
			users, n, elapsed, ms->controller, home->controller_wait);
		home->link_wait = memsys_queue_cycles(
			remote_users, remote, elapsed, ms->link, home->link_wait);
		for (unsigned r = 0; r < ms->n_nodes; r++)
			ms->wait[r][h] =
				(unsigned)(home->controller_wait + (r == h ? 0 : home->link_wait));
	}
}

/* ---- phases */

void memsys_boundary(struct memsys *ms, uint64_t elapsed_cycles)
{
	ms->boundary = true;
	for (unsigned i = 0; i < ms->n_cpus; i++) {
		struct memsys_log *log = ms->cpu[i]->log;

		for (size_t k = 0; k < log->n; k++)
			apply(ms->cpu[i], &log->op[k]);
		log->n = 0;
	}
	settle_homes(ms, elapsed_cycles);
}

void memsys_quantum(struct memsys *ms, const uint16_t *task_of_cpu)
{
	for (unsigned i = 0; i < ms->n_cpus; i++)
		ms->cpu_task[i] = ms->cpu[i]->task = task_of_cpu[i];
	ms->boundary = false;
}

/* ---- queries */

const struct memsys_counts *memsys_counts(const struct memsys *ms, unsigned cpu)
{
	return &ms->cpu[cpu]->n;
}

struct memsys_home memsys_home(const struct memsys *ms, unsigned node)
{
	return ms->home[node];
}

enum memsys_state memsys_state(const struct memsys *ms, unsigned cpu, uint64_t ma)
{
	const uint64_t *e = cache_find(&ms->cpu[cpu]->l2, ma);

	return e ? *e & STATE_MASK : LINE_INVALID;
}

bool memsys_sharers(const struct memsys *ms, uint64_t ma, uint64_t set[2])
{
	const uint64_t *d = dir_entry(ms, ma);

	set[0] = set[1] = 0;
	FOR_EACH_SHARER(o, ms, d, NO_CPU)
	set[o / 64] |= 1ull << o % 64;
	return d[0] & DIR_OWNED;
}

/* ---- checking */

static void check_l1(const struct memsys_cpu *c, const struct memsys_cache *l1, const char *name)
{
	for (uint64_t i = 0; i < (l1->set_mask + 1) * l1->ways; i++) {
		uint64_t e = i <= l1->set_mask ? l1->first[i] : l1->rest[i - l1->set_mask - 1];
		const uint64_t *in_l2;

		if (e == LINE_NONE)
			continue;
		in_l2 = cache_find(&c->l2, e);
		if (!in_l2)
			die("CPU %u: %s has line %#llx and the L2 does not", c->id, name,
				(unsigned long long)e);
		if (e & MEMSYS_L1_WRITABLE && (*in_l2 & STATE_MASK) != LINE_MODIFIED)
			die("CPU %u: %s may write line %#llx, which the L2 has not modified", c->id,
				name, (unsigned long long)e);
	}
}

static void check_directory(const struct memsys *ms, uint64_t line, const uint64_t *d)
{
	unsigned n = 0;

	FOR_EACH_SHARER(o, ms, d, NO_CPU)
	{
		enum memsys_state state = memsys_state(ms, (unsigned)o, line);

		n++;
		if (state == LINE_INVALID || (state == LINE_SHARED) == !!(d[0] & DIR_OWNED))
			die("line %#llx: CPU %d has it in state %d; the directory says %s",
				(unsigned long long)line, o, state,
				d[0] & DIR_OWNED ? "owned" : "shared");
	}
	if (d[0] & DIR_OWNED && n != 1)
		die("line %#llx: owned, and %u CPUs have it", (unsigned long long)line, n);
}

void memsys_check(const struct memsys *ms)
{
	enum {
		WALK_LINES = 1 << 22
	}; /* in a larger memory only lines that caches have are checked */

	for (unsigned i = 0; i < ms->n_cpus; i++) {
		const struct memsys_cpu *c = ms->cpu[i];
		const struct memsys_cache *l2 = &c->l2;

		check_l1(c, &c->l1d, "the L1D");
		check_l1(c, &c->l1i, "the L1I");
		for (uint64_t k = 0; k < (l2->set_mask + 1) * l2->ways; k++) {
			uint64_t e =
				k <= l2->set_mask ? l2->first[k] : l2->rest[k - l2->set_mask - 1];
			uint64_t set[2];

			if (e == LINE_NONE)
				continue;
			memsys_sharers(ms, e, set);
			if (!(set[i / 64] >> i % 64 & 1))
				die("CPU %u has line %#llx, and the directory does not say so", i,
					(unsigned long long)e);
			check_directory(ms, e & ~(l2->line_bytes - 1), dir_entry(ms, e));
		}
	}
	for (uint64_t k = 0; k < ms->n_lines && ms->n_lines <= WALK_LINES; k++)
		check_directory(ms, k << ms->line_shift, ms->dir + k * ms->dir_words);
}
