// SPDX-License-Identifier: MIT
/*
 * Random interleavings of guests' loads and stores, DMA, disks, moves, copies, clones of pages and
 * drops, with the search for identical pages going on over several VMs: pages have so few different
 * contents that most of them are shared most of the time. The guests' CPUs trust a TLB until it is
 * shot down; a plain model says what every guest must see; the invariant checkers run after each
 * step of the boundary.
 */
#include <errno.h>
#include <pthread.h>

#include "tests/content-world.h"

/* ---- random walks: the run phase ---------------------------------------------------------- */

static unsigned pick_from(uint64_t *seed, unsigned n)
{
	return (unsigned)(splitmix64(seed) >> 33) % n;
}

static unsigned pick(struct world *w, unsigned n)
{
	return pick_from(&w->seed, n);
}

static void guest_access(struct guest *g)
{
	struct memory *mem = g->w->mem;
	uint32_t ppn = pick_from(&g->seed, VM_PAGES), mpn;
	unsigned c = pick_from(&g->seed, CPUS), at = pick_from(&g->seed, 2) * 100;
	uint64_t value = pick_from(&g->seed, 3), *word;
	bool write = pick_from(&g->seed, 3) == 0, writable;

	mpn = g->tlb[c][ppn].mpn;
	if (mpn == MPN_NONE || (write && !g->tlb[c][ppn].writable)) {
		mpn = pmap_view(mem, g->pm, ppn, g->node[c], &writable);
		if (mpn == MPN_NONE || (write && !writable)) {
			void *host;
			int err = pmap_fault(g->pm, ppn, g->node[c], write, &host, &writable);

			g->waited += err == -EAGAIN;
			g->exhausted += err == -ENOMEM;
			MUST(!err || err == -EAGAIN || err == -ENOMEM);
			if (err)
				return;
			mpn = frame_of(mem, host);
		}
		MUST(writable || !write);
		g->tlb[c][ppn].mpn = mpn;
		g->tlb[c][ppn].writable = writable;
		if (write)
			content_wrote(g->log, ppn);
	}
	/* Nothing that a VM touches is thought to be another's alone, and its stores only go to its
	 * own. */
	MUST(g->w->owned[mpn] == (uint32_t)(g - g->w->vm) ||
		(!write && g->w->owned[mpn] == OWNER_NONE));
	word = (uint64_t *)frame_data(mem, mpn) + at;
	MUST(*word == g->page[ppn][at]);
	if (write) {
		*word = g->page[ppn][at] = value;
		g->stores++;
	}
	g->trace = g->trace * 31 + mpn;
}

static void guest_run(struct guest *g)
{
	for (unsigned n = pick_from(&g->seed, 40); n > 0; n--)
		guest_access(g);
}

static void *even_guests(void *arg)
{
	struct world *w = arg;

	for (unsigned v = 0; v < VMS; v += 2)
		guest_run(&w->vm[v]);
	return NULL;
}

static void run_phase(struct world *w)
{
	pthread_t thread;

	w->mem->boundary = false;
	if (w->threads)
		MUST(!pthread_create(&thread, NULL, even_guests, w));
	else
		even_guests(w);
	for (unsigned v = 1; v < VMS; v += 2)
		guest_run(&w->vm[v]);
	if (w->threads)
		pthread_join(thread, NULL);
	w->mem->boundary = true;
}

/* ---- the boundary ------------------------------------------------------------------------- */

static void do_dma(struct world *w, struct guest *g)
{
	uint32_t ppn = pick(w, VM_PAGES);
	bool writable;
	void *host;

	if (pmap_fault(g->pm, ppn, pick(w, NODES), true, &host, &writable))
		return;
	fill(host, pick(w, 4));
	memcpy(g->page[ppn], host, PAGE_SIZE);
	if (pick(w, 2))
		content_hint(w->content, (unsigned)(g - w->vm), ppn);
}

static void do_disk(struct world *w, struct guest *g)
{
	uint32_t ppn = pick(w, VM_PAGES), block = pick(w, BLOCKS);
	struct disk_segment seg = {.pa_offset = (uint64_t)ppn << PAGE_SHIFT, .bytes = PAGE_SIZE};

	if (pick(w, 2)) {
		MUST(!disk_read(g->disk, g->pm, pick(w, NODES), block * 8, &seg, 1));
		memcpy(g->page[ppn], g->block[block], PAGE_SIZE);
		return;
	}
	/* Whole, or its first sector alone. */
	seg.bytes = pick(w, 2) ? PAGE_SIZE : SECTOR_SIZE;
	MUST(!disk_write(g->disk, g->pm, pick(w, NODES), block * 8, &seg, 1));
	memcpy(g->block[block], g->page[ppn], seg.bytes);
	if (pick(w, 2))
		content_hint(w->content, (unsigned)(g - w->vm), ppn);
}

static void do_share(struct world *w, struct guest *g)
{
	uint32_t ppn = pick(w, VM_PAGES), block = pick(w, BLOCKS), mpn;
	struct guest *from = &w->vm[pick(w, VMS)];

	if (pick(w, 2)) {
		MUST(!image_block(w->kernel, block, pick(w, NODES), &mpn, NULL));
		pmap_share_in(g->pm, ppn, mpn, FRAME_TEXT);
		memcpy(g->page[ppn], w->text[block], PAGE_SIZE);
	} else if (from != g) {
		/* As when a page is sent to another VM without a copy. */
		mpn = pmap_share_out(from->pm, block, pick(w, NODES));
		MUST(mpn != MPN_NONE);
		pmap_share_in(g->pm, ppn, mpn, FRAME_PRIVATE);
		memcpy(g->page[ppn], from->page[block], PAGE_SIZE);
		content_delivered(w->content, (unsigned)(g - w->vm), mpn);
	}
}

static void do_move(struct world *w)
{
	uint32_t mpn = pick(w, w->mem->n_frames), to;
	unsigned node = pick(w, NODES);

	if (pick(w, 4))
		mpn = frame_at(w, pick(w, VMS), pick(w, VM_PAGES));
	if (mpn == MPN_NONE)
		return;
	if (pick(w, 3))
		page_replicate(w->mem, mpn, node, &to);
	else
		page_migrate(w->mem, mpn, node, &to);
}

static void do_tick(struct world *w)
{
	w->now += pick(w, 5 * MS);
	for (unsigned v = 0; v < VMS; v++)
		content_ran(w->content, v, w->now * 10);
	content_scan(w->content, w->now, pick(w, 1000));
	for (unsigned v = 0; v < VMS; v++) {
		struct guest *g = &w->vm[v];

		for (uint32_t ppn = 0; g->log->fresh && ppn < VM_PAGES; ppn++)
			for (unsigned c = 0; c < CPUS; c++)
				g->tlb[c][ppn].writable = false;
		g->log->fresh = false;
	}
}

static void step(struct world *w)
{
	struct guest *g = &w->vm[pick(w, VMS)];
	uint32_t ppn = pick(w, VM_PAGES);

	switch (pick(w, 12)) {
	case 0:
	case 1:
		do_dma(w, g);
		break;
	case 2:
	case 3:
		do_disk(w, g);
		break;
	case 4:
	case 5:
		do_share(w, g);
		break;
	case 6:
	case 7:
		do_move(w);
		break;
	case 8:
		pmap_drop(g->pm, ppn);
		content_given(w->content, (unsigned)(g - w->vm), ppn);
		memset(g->page[ppn], 0, PAGE_SIZE);
		break;
	case 9:
		g->node[pick(w, CPUS)] = pick(w, NODES);
		break;
	default:
		do_tick(w);
	}
}

static void check_bytes(struct world *w)
{
	static const uint64_t zero[WORDS];

	for (unsigned v = 0; v < VMS; v++) {
		const struct guest *g = &w->vm[v];

		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
			const struct pmap_entry *e = pmap_entry(g->pm, ppn);
			bool absent = e->mpn == MPN_NONE;

			MUST(!memcmp(absent ? zero : frame_data(w->mem, e->mpn), g->page[ppn],
				PAGE_SIZE));
			for (unsigned n = 0; n < NODES && !absent; n++) {
				uint32_t owner = w->owned[frame_view(w->mem, e->mpn, n)];

				MUST(owner == (frame_users(w->mem, e->mpn) == 1 ? v : OWNER_NONE));
			}
			for (unsigned c = 0; c < CPUS; c++) {
				uint32_t mpn = g->tlb[c][ppn].mpn;

				if (mpn == MPN_NONE)
					continue;
				MUST(absent ? frame_kind(w->mem, mpn) == FRAME_ZERO &&
							!g->tlb[c][ppn].writable
					    : frame_master(w->mem, mpn) == e->mpn);
				MUST(!g->tlb[c][ppn].writable ||
					(!e->cow && !frame_replicated(w->mem, e->mpn)));
			}
		}
	}
}

/* ---- walks -------------------------------------------------------------------------------- */

struct outcome {
	uint64_t digest, merged, zeroed, false_matches, hinted, reused, broken, stores;
	struct move_stats moves;
};

static uint64_t poor_hash(const void *page, uint64_t seed)
{
	return (*(const uint64_t *)page & 1) + seed;
}

static struct outcome walk(uint64_t seed, bool zero, bool threads, unsigned quanta)
{
	static struct world w;
	struct outcome o = {0};

	make_world(&w, seed, 1000,
		(struct content_options){.zero = zero, .hash = seed & 1 ? poor_hash : NULL});
	w.threads = threads;
	for (unsigned q = 0; q < quanta; q++) {
		for (unsigned v = 0; v < VMS; v++)
			pmap_release_deferred(w.vm[v].pm);
		check_all(&w);
		for (unsigned n = pick(&w, 12); n > 0; n--) {
			step(&w);
			check_all(&w);
		}
		if (q % 4 == 0)
			check_bytes(&w);
		for (unsigned v = 0; v < VMS; v++)
			for (unsigned c = 0; c < CPUS; c++)
				pmap_refill(w.vm[v].pm, w.vm[v].node[c]);
		run_phase(&w);
		memory_check(w.mem);
	}
	o.moves = *memory_moves(w.mem);
	for (unsigned v = 0; v < VMS; v++) {
		const struct content_stats *s = content_vm_stats(w.content, v);

		pmap_release_deferred(w.vm[v].pm);
		ck_assert_uint_eq(w.vm[v].exhausted, 0);
		ck_assert_uint_eq(s->found_zero, pmap_stats(w.vm[v].pm)->zero_found);
		o.digest = o.digest * 31 + w.vm[v].trace + pmap_digest(w.vm[v].pm);
		o.merged += s->merged;
		o.zeroed += s->found_zero;
		o.hinted += s->merged_hinted;
		o.reused += s->merged_reused;
		o.false_matches += s->false_matches;
		o.broken += pmap_stats(w.vm[v].pm)->faults_cow[FRAME_SAME];
		o.stores += w.vm[v].stores;
	}
	check_bytes(&w);
	/* Left alone, all there is to find is found. */
	for (unsigned i = 0; seed % 2 == 0 && i < 40; i++)
		pass_ms(&w, 20, 0);
	if (seed % 2 == 0 && zero)
		for (unsigned v = 0; v < VMS; v++)
			for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
				uint32_t mpn = frame_at(&w, v, ppn);

				MUST(mpn == MPN_NONE || frame_kind(w.mem, mpn) != FRAME_PRIVATE ||
					!frame_is_zero(w.mem, mpn));
			}
	check_all(&w);
	check_bytes(&w);
	end_world(&w);
	return o;
}

START_TEST(no_byte_is_lost)
{
	bool zero = _i & 2, poor = _i & 1;
	struct outcome o = walk(10 + (uint64_t)_i, zero, true, 700);

	/* The walk must have been everywhere. */
	ck_assert_uint_gt(o.merged, 1000);
	ck_assert_uint_gt(o.hinted, 100);
	ck_assert_uint_gt(o.reused, 10);
	ck_assert_uint_gt(o.broken, 100);
	ck_assert_uint_gt(o.stores, 10000);
	ck_assert(zero == (o.zeroed > 100));
	ck_assert(!poor || o.false_matches > 1000);
	ck_assert_uint_gt(o.moves.migrations, 20);
	ck_assert_uint_gt(o.moves.replications, 100);
}
END_TEST

START_TEST(threads_change_nothing)
{
	struct outcome a = walk(50 + (uint64_t)_i, true, true, 150);
	struct outcome b = walk(50 + (uint64_t)_i, true, false, 150);

	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("content-walks");
	TCase *walks = tcase_create("walks");
	int status;

	make_disk();
	tcase_add_loop_test(walks, no_byte_is_lost, 0, 4);
	tcase_add_loop_test(walks, threads_change_nothing, 0, 2);
	suite_add_tcase(s, walks);
	status = run_suite(s);
	unlink(disk_file);
	return status;
}
