// SPDX-License-Identifier: MIT
/*
 * What the homes know about frames: their tasks, which nodes miss on them, which are hot; and the
 * bulk operations on frames. The counters of a frame lie together and are backed by host memory
 * only where something was counted.
 */
#include <string.h>
#include <sys/mman.h>

#include "numa/memsys/private.h"

/* ---- ownership */

void memsys_own(struct memsys *ms, uint32_t mpn, uint16_t task)
{
	if (!ms->boundary)
		die("machine page %u changes its owner within a quantum", mpn);
	ms->owner[mpn] = (uint16_t)(task + 1);
}

uint16_t memsys_owner(const struct memsys *ms, uint32_t mpn)
{
	return (uint16_t)(ms->owner[mpn] - 1);
}

/* ---- miss counters */

static uint16_t *counters(const struct memsys *ms, uint64_t mpn)
{
	return ms->misses + mpn * (ms->n_nodes + 1);
}

static void signal_hot(struct memsys_log *log, struct memsys_counts *n, struct memsys_hot hot)
{
	if (log->n_hot < MEMSYS_HOT_MAX)
		log->hot[log->n_hot++] = hot;
	else
		n->hot_dropped++;
}

/* The trigger, and then each doubling of it. */
static bool is_signal(uint32_t trigger, uint32_t misses)
{
	uint32_t times;

	if (!trigger || misses < trigger || misses % trigger)
		return false;
	times = misses / trigger;
	return !(times & (times - 1));
}

void memsys_count_frame(struct memsys_cpu *c, uint64_t line, bool miss, bool write)
{
	const struct memsys *ms = c->ms;
	uint64_t mpn = line >> PAGE_SHIFT;
	uint16_t *n = counters(ms, mpn), *mine = &n[c->node], *writes = &n[ms->n_nodes];

	if (write && *writes != UINT16_MAX)
		++*writes;
	if (!miss || *mine == UINT16_MAX)
		return;
	++*mine;
	if (home_of(ms, line) != c->node && is_signal(ms->hot_trigger, *mine))
		signal_hot(c->log, &c->n, (struct memsys_hot){(uint32_t)mpn, c->node});
}

unsigned memsys_frame_misses(const struct memsys *ms, uint32_t mpn, unsigned node)
{
	return counters(ms, mpn)[node];
}

unsigned memsys_frame_writes(const struct memsys *ms, uint32_t mpn)
{
	return counters(ms, mpn)[ms->n_nodes];
}

void memsys_frame_reset(struct memsys *ms, uint32_t mpn)
{
	uint16_t *n = counters(ms, mpn);

	for (unsigned i = 0; i <= ms->n_nodes; i++)
		if (n[i])
			n[i] = 0;
}

void memsys_frames_reset(struct memsys *ms)
{
	/* Private anonymous memory reads as zero again, and costs the host nothing. */
	if (madvise(ms->misses, ms->n_frames * (ms->n_nodes + 1) * sizeof(uint16_t), MADV_DONTNEED))
		die("the host does not take memory back");
}

const struct memsys_hot *memsys_hot(const struct memsys *ms, unsigned cpu, unsigned *n)
{
	*n = ms->cpu[cpu]->log->n_hot;
	return ms->cpu[cpu]->log->hot;
}

void memsys_hot_clear(struct memsys *ms)
{
	for (unsigned i = 0; i < ms->n_cpus; i++)
		ms->cpu[i]->log->n_hot = 0;
}

/* ---- bulk */

uint64_t memsys_copy_page(struct memsys_cpu *c, uint32_t to_mpn, uint32_t from_mpn)
{
	uint64_t to = (uint64_t)to_mpn << PAGE_SHIFT, from = (uint64_t)from_mpn << PAGE_SHIFT;
	uint64_t stall = 0;

	for (uint64_t at = 0; at < PAGE_SIZE; at += c->l1d.line_bytes) {
		stall += memsys_data(c, from + at, false);
		stall += memsys_data(c, to + at, true);
	}
	return stall;
}

static uint64_t each_line(struct memsys_cpu *c, uint32_t mpn, bool write)
{
	uint64_t ma = (uint64_t)mpn << PAGE_SHIFT, stall = 0;

	for (uint64_t at = 0; at < PAGE_SIZE; at += c->l1d.line_bytes)
		stall += memsys_data(c, ma + at, write);
	return stall;
}

uint64_t memsys_zero_page(struct memsys_cpu *c, uint32_t mpn)
{
	return each_line(c, mpn, true);
}

uint64_t memsys_read_page(struct memsys_cpu *c, uint32_t mpn)
{
	return each_line(c, mpn, false);
}

uint64_t memsys_dma(
	struct memsys_cpu *c, unsigned node, uint64_t ma, uint64_t bytes, bool to_memory)
{
	struct memsys *ms = c->ms;
	uint64_t size = c->l2.line_bytes, begin = ma & ~(size - 1), cycles = 0;

	for (uint64_t line = begin; line < ma + bytes; line += size) {
		uint64_t *d = dir_entry(ms, line);
		unsigned home = home_of(ms, line);

		cycles += line == begin ? ms->clean[node][home] : ms->controller;
		if (to_memory)
			c->n.dma_writes++;
		else
			c->n.dma_reads++;
		c->log->requests[home]++;
		c->log->remote_requests[home] += home != node;
		if (!acts_at_once(c, line))
			memsys_defer_request(
				c, to_memory ? DEFERRED_DMA_WRITE : DEFERRED_DMA_READ, line, false);
		else if (to_memory)
			memsys_take_all(c, d, line, NO_CPU);
		else
			memsys_share(c, d, line, NO_CPU);
	}
	return cycles;
}

void memsys_frame_moved(struct memsys *ms, uint32_t mpn)
{
	uint64_t begin = (uint64_t)mpn << PAGE_SHIFT;

	if (!ms->boundary)
		die("machine page %u moves within a quantum", mpn);
	for (uint64_t line = begin; line < begin + PAGE_SIZE; line += 1ull << ms->line_shift)
		memsys_take_all(ms->cpu[0], dir_entry(ms, line), line, NO_CPU);
	memsys_frame_reset(ms, mpn);
}

static void forget(struct memsys_cache *k)
{
	memset(k->first, 0xff, (k->set_mask + 1) * sizeof(uint64_t));
	memset(k->rest, 0xff, (k->set_mask + 1) * (k->ways - 1) * sizeof(uint64_t));
}

void memsys_flush(struct memsys *ms)
{
	if (!ms->boundary)
		die("caches are flushed within a quantum");
	for (unsigned i = 0; i < ms->n_cpus; i++) {
		struct memsys_cpu *c = ms->cpu[i];

		forget(&c->l1d);
		forget(&c->l1i);
		forget(&c->l2);
		memsys_tlb_flush(c);
	}
	if (madvise(ms->dir, ms->n_lines * ms->dir_words * sizeof(uint64_t), MADV_DONTNEED))
		die("the host does not take memory back");
}
