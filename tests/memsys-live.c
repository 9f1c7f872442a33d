// SPDX-License-Identifier: MIT
/*
 * disco with both memory-system models: whatever a run asks of the fast one (numa/memsys/memsys.h) is
 * asked of the slow one too (memsys-reference.h), and the answers must be the same; at each
 * quantum's end all counters, and now and then all caches and the directory. So the traces that are
 * compared are those of real programs, from their first access to their last. The slow model knows
 * one thread: --threads 1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/memsys-live.h"
#include "tests/memsys-reference.h"

#undef memsys_data
#undef memsys_fetch
#undef memsys_fetch_hit

enum { STATE_EVERY = 2000 }; /* quanta */

static struct ref *ref;
static struct machine machine;
static uint64_t accesses, quanta;
static bool inside; /* the fast model calls itself */

/* The function's real name, and what may be declared before its definition here. */
#define WRAP(result, name, ...)                                                                    \
	result __real_memsys_##name(__VA_ARGS__);                                                  \
	result __wrap_memsys_##name(__VA_ARGS__);                                                  \
	result __wrap_memsys_##name(__VA_ARGS__)

#define BOTH(what, fast, slow)                                                                     \
	({                                                                                         \
		__typeof__(fast) fast_;                                                            \
		bool outer_ = inside;                                                              \
		inside = true;                                                                     \
		fast_ = (fast);                                                                    \
		inside = outer_;                                                                   \
		if (!outer_) {                                                                     \
			accesses++;                                                                \
			ref_same(fast_, (slow), what);                                             \
		}                                                                                  \
		fast_;                                                                             \
	})

/* The same for what answers nothing. */
#define TELL(fast, slow) ((void)BOTH("", ((fast), 0u), ((slow), 0u)))

unsigned live_data(struct memsys_cpu *c, uint64_t ma, bool write)
{
	return BOTH("stall of a load or store", memsys_data(c, ma, write),
		ref_data(ref, c->id, ma, write));
}

unsigned live_fetch(struct memsys_cpu *c, uint64_t ma)
{
	return BOTH("stall of a fetch", memsys_fetch(c, ma), ref_fetch(ref, c->id, ma));
}

/* What is not a hit does nothing, and the engine goes on with live_fetch(). */
bool live_fetch_hit(struct memsys_cpu *c, uint64_t first, uint64_t last)
{
	if (!memsys_fetch_hit(c, first, last))
		return false;
	accesses++;
	ref_same(0, ref_fetch(ref, c->id, first), "stall of a fetch within the line before");
	if ((first ^ last) / machine.l1i.line_bytes)
		die("a fetch of %u lines was taken for a hit",
			(unsigned)(last / machine.l1i.line_bytes - first / machine.l1i.line_bytes) +
				1);
	return true;
}

WRAP(unsigned, walk, struct memsys_cpu *c, uint64_t ma)
{
	return BOTH("stall of a walk", __real_memsys_walk(c, ma), ref_walk(ref, c->id, ma));
}

WRAP(uint64_t, copy_page, struct memsys_cpu *c, uint32_t to, uint32_t from)
{
	return BOTH("stall of a copy", __real_memsys_copy_page(c, to, from),
		ref_copy_page(ref, c->id, to, from));
}

WRAP(uint64_t, zero_page, struct memsys_cpu *c, uint32_t mpn)
{
	return BOTH("stall of zeroing", __real_memsys_zero_page(c, mpn),
		ref_zero_page(ref, c->id, mpn));
}

WRAP(uint64_t, read_page, struct memsys_cpu *c, uint32_t mpn)
{
	return BOTH("stall of reading", __real_memsys_read_page(c, mpn),
		ref_read_page(ref, c->id, mpn));
}

WRAP(uint64_t, dma, struct memsys_cpu *c, unsigned node, uint64_t ma, uint64_t bytes, bool to)
{
	return BOTH("DMA", __real_memsys_dma(c, node, ma, bytes, to),
		ref_dma(ref, c->id, node, ma, bytes, to));
}

WRAP(bool, tlb_access, struct memsys_cpu *c, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted)
{
	struct memsys_tlb_victim slow;
	bool hit = BOTH("TLB", __real_memsys_tlb_access(c, context, vpn, order, evicted),
		ref_tlb_access(ref, c->id, context, vpn, order, &slow));

	if (hit)
		return true;
	ref_same(evicted->pages, slow.pages, "victim's pages");
	if (slow.pages) {
		ref_same(evicted->vpn, slow.vpn, "victim's vpn");
		ref_same(evicted->context, slow.context, "victim's context");
	}
	return false;
}

WRAP(void, tlb_flush, struct memsys_cpu *c)
{
	TELL(__real_memsys_tlb_flush(c), ref_tlb_flush(ref, c->id));
}

WRAP(void, tlb_flush_context, struct memsys_cpu *c, uint64_t context)
{
	TELL(__real_memsys_tlb_flush_context(c, context),
		ref_tlb_flush_context(ref, c->id, context));
}

WRAP(void, tlb_flush_page, struct memsys_cpu *c, uint64_t context, uint64_t vpn)
{
	TELL(__real_memsys_tlb_flush_page(c, context, vpn),
		ref_tlb_flush_page(ref, c->id, context, vpn));
}

WRAP(void, quantum, struct memsys *ms, const uint16_t *task_of_cpu)
{
	TELL(__real_memsys_quantum(ms, task_of_cpu), ref_quantum(ref, task_of_cpu));
}

WRAP(void, own, struct memsys *ms, uint32_t mpn, uint16_t task)
{
	TELL(__real_memsys_own(ms, mpn, task), ref_own(ref, mpn, task));
}

WRAP(void, frame_moved, struct memsys *ms, uint32_t mpn)
{
	TELL(__real_memsys_frame_moved(ms, mpn), ref_frame_moved(ref, mpn));
}

WRAP(void, flush, struct memsys *ms)
{
	TELL(__real_memsys_flush(ms), ref_flush(ref));
}

WRAP(void, frame_reset, struct memsys *ms, uint32_t mpn)
{
	TELL(__real_memsys_frame_reset(ms, mpn), ref_frame_reset(ref, mpn));
}

WRAP(void, frames_reset, struct memsys *ms)
{
	TELL(__real_memsys_frames_reset(ms), ref_frames_reset(ref));
}

WRAP(void, hot_clear, struct memsys *ms)
{
	TELL(__real_memsys_hot_clear(ms), ref_hot_clear(ref));
}

WRAP(void, boundary, struct memsys *ms, uint64_t elapsed)
{
	TELL(__real_memsys_boundary(ms, elapsed), ref_boundary(ref, elapsed));
	if (++quanta % STATE_EVERY)
		ref_same_counts(ms, ref, &machine);
	else
		ref_same_state(ms, ref, &machine);
}

WRAP(struct memsys *, create, const struct machine *m, const struct memsys_options *o)
{
	machine = *m;
	ref = ref_create(m, o);
	return __real_memsys_create(m, o);
}

WRAP(void, destroy, struct memsys *ms)
{
	ref_same_state(ms, ref, &machine);
	fprintf(stderr, "both models agree on %" PRIu64 " requests in %" PRIu64 " quanta\n",
		accesses, quanta);
	ref_destroy(ref);
	__real_memsys_destroy(ms);
}
