// SPDX-License-Identifier: MIT
/*
 * Zero and identical pages. First each rule by itself: what is found, when, what it costs, what
 * hints do, and that a hash is never believed. Then random interleavings of guests' loads and
 * stores, DMA, disks, moves, copies, clones of pages and drops, with the search for identical pages
 * going on over several VMs: pages have so few different contents that most of them are shared most
 * of the time. The guests' CPUs trust a TLB until it is shot down; a plain model says what every
 * guest must see; the invariant checkers run after each step of the boundary.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "numa/move.h"
#include "sharing/content.h"
#include "sharing/disk.h"
#include "tests/small-machine.h"

enum {
	NODES = 4,
	VMS = 4,
	CPUS = 2, /* of each VM */
	VM_PAGES = 120,
	BLOCKS = 16,
	WORDS = PAGE_SIZE / 8,
	MS = 1000, /* cycles in a millisecond of the test's machine */
};

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			die("%s:%d: not so: %s", __FILE__, __LINE__, #what);                       \
	} while (0)

struct guest {
	struct world *w;
	uint64_t seed;
	struct pmap *pm;
	struct content_log *log;
	struct disk *disk;
	unsigned node[CPUS];
	struct {
		uint32_t mpn;
		bool writable;
	} tlb[CPUS][VM_PAGES];
	uint64_t (*page)[WORDS];  /* what the guest must see */
	uint64_t (*block)[WORDS]; /* what its disk must hold */
	uint64_t trace;           /* of every frame used */
	uint64_t stores, waited, exhausted;
};

struct world {
	uint64_t seed, now;
	bool threads;
	struct machine machine;
	struct memory *mem;
	struct image_cache *cache;
	struct image *kernel;
	uint64_t (*text)[WORDS];
	struct content *content;
	uint32_t *owned; /* by frame: the VM it was last said to be of */
	struct guest vm[VMS];
};

static char disk_file[] = "/tmp/disco-test-content-XXXXXX";

/* What pages are made of: a page is its first word, repeated in a few places. */
static void fill(uint64_t page[WORDS], uint64_t value)
{
	memset(page, 0, PAGE_SIZE);
	page[0] = page[100] = page[WORDS - 1] = value;
}

static void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	struct guest *g = engine;

	for (unsigned c = 0; c < CPUS; c++)
		if (g->tlb[c][ppn].mpn == old)
			g->tlb[c][ppn].mpn = MPN_NONE;
}

static const struct pmap_ops ops = {.shootdown = shoot};

static void owned(void *arg, uint32_t mpn, uint32_t owner)
{
	struct world *w = arg;

	MUST(w->mem->boundary);
	w->owned[mpn] = owner;
}

static void make_world(struct world *w, uint64_t seed, uint32_t frames, struct content_options o)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->machine.clock_hz = MS * 1000;
	w->machine.cost.page_scan = 7;
	w->machine.cost.page_copy = 100;
	w->machine.cost.shootdown = 10000;
	w->mem = SMALL_MEMORY(frames, frames, frames / 2, frames);
	if (o.zero)
		memory_share_zero(w->mem);
	w->owned = xcalloc(w->mem->n_frames, sizeof(w->owned[0]));
	memset(w->owned, 0xff, w->mem->n_frames * sizeof(w->owned[0]));
	w->mem->owned = owned;
	w->mem->model_arg = w;
	w->cache = image_cache_create(w->mem);
	w->text = xcalloc(BLOCKS, PAGE_SIZE);
	for (unsigned b = 0; b < BLOCKS; b++)
		fill(w->text[b], b / 2);
	w->kernel = image_from_bytes(w->cache, "kernel", w->text, BLOCKS * PAGE_SIZE, FRAME_TEXT);
	o.rate = o.rate ? o.rate : 20;
	o.same = true;
	w->content = content_create(w->mem, &w->machine, &o);
	for (unsigned v = 0; v < VMS; v++) {
		struct guest *g = &w->vm[v];

		*g = (struct guest){.w = w, .seed = seed * VMS + v};
		g->pm = pmap_create(w->mem, v, VM_PAGES, &ops, g);
		g->log = content_add(w->content, g->pm);
		g->page = xcalloc(VM_PAGES, PAGE_SIZE);
		g->block = xcalloc(BLOCKS, PAGE_SIZE);
		for (unsigned b = 0; b < BLOCKS; b++)
			fill(g->block[b], b / 2);
		MUST(!disk_open(w->cache, disk_file, DISK_SHARED, 0xc0000000 | v, &g->disk));
		memset(g->tlb, 0xff, sizeof(g->tlb));
		for (unsigned c = 0; c < CPUS; c++)
			g->node[c] = (v + c) % NODES;
	}
}

static void end_world(struct world *w)
{
	struct memory_usage u;

	content_destroy(w->content);
	for (unsigned v = 0; v < VMS; v++) {
		pmap_destroy(w->vm[v].pm);
		disk_close(w->vm[v].disk);
		free(w->vm[v].page);
		free(w->vm[v].block);
	}
	image_close(w->kernel);
	image_cache_destroy(w->cache);
	memory_check(w->mem);
	memory_usage(w->mem, -1, &u);
	ck_assert_uint_eq(u.kind[FRAME_FREE] + u.kind[FRAME_ZERO], u.total);
	memory_destroy(w->mem);
	free(w->owned);
	free(w->text);
}

/* ---- the rules --------------------------------------------------------------------------- */

static void put(struct world *w, unsigned v, uint32_t ppn, uint64_t value)
{
	bool writable;
	void *host;

	MUST(!pmap_fault(w->vm[v].pm, ppn, v, true, &host, &writable) && writable);
	fill(host, value);
}

static uint64_t get(struct world *w, unsigned v, uint32_t ppn)
{
	bool writable;
	uint64_t *host;

	MUST(!pmap_fault(w->vm[v].pm, ppn, v, false, (void **)&host, &writable));
	MUST(host[0] == host[100] && host[0] == host[WORDS - 1] && !host[1]);
	return host[0];
}

static uint32_t frame_at(struct world *w, unsigned v, uint32_t ppn)
{
	return pmap_entry(w->vm[v].pm, ppn)->mpn;
}

/* Time passes, in which every VM runs, and CPUs are idle for so long. */
static uint64_t pass_ms(struct world *w, uint64_t ms, uint64_t idle)
{
	w->now += ms * MS;
	for (unsigned v = 0; v < VMS; v++)
		content_ran(w->content, v, w->now * 100);
	return content_tick(w->content, w->now, idle);
}

static uint64_t frames_of(struct world *w, enum frame_kind kind)
{
	struct memory_usage u;

	memory_usage(w->mem, -1, &u);
	return u.kind[kind];
}

static uint64_t looks(struct world *w)
{
	uint64_t n = 0;

	for (unsigned v = 0; v < VMS; v++)
		n += content_vm_stats(w->content, v)->looks;
	return n;
}

static void check_all(struct world *w)
{
	memory_check(w->mem);
	content_check(w->content);
	for (unsigned v = 0; v < VMS; v++)
		pmap_check(w->vm[v].pm);
}

START_TEST(identical_pages_come_to_share_a_frame_until_written)
{
	static struct world w;

	make_world(&w, 1, 100, (struct content_options){0});
	for (unsigned v = 0; v < VMS; v++)
		put(&w, v, 3 + v, 77);
	put(&w, 0, 20, 77);
	ck_assert_uint_eq(content_census(w.content), VMS);
	pass_ms(&w, 10, 0);
	pass_ms(&w, 10, 0);
	check_all(&w);
	ck_assert_uint_eq(frames_of(&w, FRAME_SAME), 1);
	ck_assert_uint_eq(frames_of(&w, FRAME_PRIVATE), 0);
	ck_assert_uint_eq(content_census(w.content), 0);
	ck_assert_uint_eq(pmap_stats(w.vm[0].pm)->mapped[FRAME_SAME], 2);
	put(&w, 2, 5, 78);
	for (unsigned v = 0; v < VMS; v++)
		ck_assert_uint_eq(get(&w, v, 3 + v), v == 2 ? 78 : 77);
	ck_assert_uint_eq(pmap_stats(w.vm[2].pm)->faults_cow[FRAME_SAME], 1);
	/* The last user of a frame has it for itself again. */
	for (unsigned v = 0; v < VMS; v++)
		if (v != 2)
			pmap_drop(w.vm[v].pm, 3 + v);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(frames_of(&w, FRAME_SAME), 0);
	ck_assert_uint_eq(pmap_entry(w.vm[0].pm, 20)->cow, 0);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(a_page_being_worked_on_is_left_alone_unless_hinted)
{
	static struct world w;

	make_world(&w, 1, 100, (struct content_options){0});
	for (unsigned round = 0; round < 5; round++) {
		put(&w, 0, 3, 100 + round);
		put(&w, 1, 3, 100 + round);
		pass_ms(&w, 10, 0);
		ck_assert_uint_eq(frames_of(&w, FRAME_SAME), 0);
	}
	content_hint(w.content, 0, 3);
	content_hint(w.content, 1, 3);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(frames_of(&w, FRAME_SAME), 1);
	ck_assert_uint_eq(content_vm_stats(w.content, 0)->merged_hinted +
				  content_vm_stats(w.content, 1)->merged_hinted,
		1);
	/* What is shared already, nobody works on: the first look will do. */
	put(&w, 2, 9, 104);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(frame_at(&w, 2, 9), frame_at(&w, 1, 3));
	end_world(&w);
}
END_TEST

START_TEST(zero_pages_give_their_frame_back)
{
	static struct world w;

	make_world(&w, 1, 100, (struct content_options){.zero = true});
	ck_assert_uint_eq(frames_of(&w, FRAME_ZERO), NODES);
	ck_assert_uint_eq(get(&w, 1, 50), 0);
	ck_assert_uint_eq(frame_at(&w, 1, 50), MPN_NONE);
	put(&w, 0, 3, 0);
	put(&w, 1, 4, 0);
	put(&w, 1, 50, 9);
	ck_assert_uint_eq(frames_of(&w, FRAME_PRIVATE), 3);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(frames_of(&w, FRAME_PRIVATE), 1);
	ck_assert_uint_eq(pmap_stats(w.vm[0].pm)->zero_found, 1);
	ck_assert_uint_eq(pmap_stats(w.vm[1].pm)->mapped[FRAME_ZERO], 1);
	ck_assert_uint_eq(get(&w, 0, 3), 0);
	put(&w, 0, 3, 5);
	ck_assert_uint_eq(get(&w, 0, 3), 5);
	ck_assert_uint_eq(pmap_stats(w.vm[0].pm)->zero_breaks, 1);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(a_page_of_zeroes_is_written_to_disk)
{
	static struct world w;
	struct disk_segment seg = {.pa_offset = 7 << PAGE_SHIFT, .bytes = PAGE_SIZE};

	make_world(&w, 1, 100, (struct content_options){.zero = true});
	ck_assert_uint_eq(get(&w, 0, 7), 0);
	ck_assert_int_eq(disk_write(w.vm[0].disk, w.vm[0].pm, 0, 40, &seg, 1), 0);
	put(&w, 0, 7, 1);
	ck_assert_int_eq(disk_read(w.vm[0].disk, w.vm[0].pm, 0, 40, &seg, 1), 0);
	ck_assert_uint_eq(get(&w, 0, 7), 0);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(private_pages_join_those_of_files)
{
	static struct world w;
	uint32_t mpn;

	make_world(&w, 1, 100, (struct content_options){0});
	MUST(!image_block(w.kernel, 6, 0, &mpn, NULL)); /* all 3 */
	pmap_share_in(w.vm[0].pm, 1, mpn, FRAME_TEXT);
	put(&w, 1, 1, 3);
	pass_ms(&w, 10, 0);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(frame_at(&w, 1, 1), mpn);
	ck_assert_int_eq(frame_kind(w.mem, mpn), FRAME_TEXT);
	ck_assert_uint_eq(pmap_entry(w.vm[1].pm, 1)->kind, FRAME_SAME);
	end_world(&w);
}
END_TEST

static uint64_t always_equal(const void *page, uint64_t seed)
{
	(void)page, (void)seed;
	return 42;
}

START_TEST(equal_hashes_of_unequal_pages_share_nothing)
{
	static struct world w;

	make_world(&w, 1, 100, (struct content_options){.hash = always_equal});
	for (unsigned v = 0; v < VMS; v++)
		for (uint32_t ppn = 0; ppn < 10; ppn++)
			put(&w, v, ppn, 1000 * v + ppn + 1);
	for (unsigned i = 0; i < 10; i++)
		pass_ms(&w, 10, 0);
	ck_assert_uint_eq(frames_of(&w, FRAME_SAME), 0);
	ck_assert_uint_gt(content_vm_stats(w.content, 0)->false_matches, 10);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(looks_are_bounded_and_charged_to_idle_cpus_first)
{
	static struct world w;
	uint64_t before, charged;

	make_world(&w, 1, 200, (struct content_options){.rate = 5});
	for (unsigned v = 0; v < VMS; v++)
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
			put(&w, v, ppn, (v * VM_PAGES + ppn) * 3 + 1);
	charged = pass_ms(&w, 4, 0);
	ck_assert_uint_eq(looks(&w), 20);
	ck_assert_uint_eq(charged, 20 * 7);
	before = looks(&w);
	charged = pass_ms(&w, 4, 1000000);
	ck_assert_uint_eq(looks(&w) - before, 20 * CONTENT_IDLE);
	ck_assert_uint_eq(charged, 0);
	/* Idle time for three more looks, not for the five that are due anyway. */
	before = looks(&w);
	charged = pass_ms(&w, 1, 3 * 7);
	ck_assert_uint_eq(looks(&w) - before, 5 + 3);
	ck_assert_uint_eq(charged, 5 * 7);
	ck_assert_uint_eq(content_cost(w.content).charged, 25 * 7);
	end_world(&w);
}
END_TEST

START_TEST(vms_that_do_not_run_are_looked_at_twice)
{
	static struct world w;

	make_world(&w, 1, 200, (struct content_options){.rate = 50});
	for (uint32_t ppn = 0; ppn < 30; ppn++)
		put(&w, 1, ppn, ppn + 1);
	for (unsigned i = 0; i < 20; i++) {
		w.now += 10 * MS;
		content_tick(w.content, w.now, 0);
	}
	ck_assert_uint_eq(looks(&w), 60);
	content_ran(w.content, 1, 8 * 30 * 7 + 1);
	for (unsigned i = 0; i < 20; i++) {
		w.now += 10 * MS;
		content_tick(w.content, w.now, 0);
	}
	ck_assert_uint_eq(looks(&w), 120);
	end_world(&w);
}
END_TEST

START_TEST(copies_of_delivered_pages_are_found_at_once)
{
	static struct world w;

	make_world(&w, 1, 300, (struct content_options){.rate = 1});
	for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
		for (unsigned v = 0; v < 2; v++)
			put(&w, v, ppn, (v * VM_PAGES + ppn) * 3 + 1);
	/* VM 0 sends its pages 40 .. 43; VM 1's kernel copies them to pages it has. */
	for (uint32_t i = 0; i < 4; i++)
		content_delivered(w.content, 1, frame_at(&w, 0, 40 + i));
	pass_ms(&w, 1, 0);
	ck_assert(w.vm[1].log->on && w.vm[1].log->fresh && !w.vm[2].log->on);
	for (uint32_t i = 0; i < 4; i++) {
		content_wrote(w.vm[1].log, 100 + i);
		content_wrote(w.vm[2].log, 100 + i);
		put(&w, 1, 100 + i, get(&w, 0, 40 + i));
	}
	pass_ms(&w, 1, 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_uint_eq(frame_at(&w, 1, 100 + i), frame_at(&w, 0, 40 + i));
	ck_assert_uint_eq(content_vm_stats(w.content, 1)->merged_hinted, 4);
	ck_assert_uint_eq(content_vm_stats(w.content, 2)->hinted, 0);
	/* A page may have been stored to before the next delivery and be a copy after it. */
	w.vm[1].log->fresh = false;
	content_delivered(w.content, 1, frame_at(&w, 0, 44));
	ck_assert(w.vm[1].log->on && w.vm[1].log->fresh);
	pass_ms(&w, 100, 0);
	ck_assert(!w.vm[1].log->on);
	end_world(&w);
}
END_TEST

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
	content_tick(w->content, w->now, pick(w, 1000));
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
	uint64_t digest, merged, zeroed, false_matches, hinted, broken, stores;
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
			pmap_settle(w.vm[v].pm);
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

		pmap_settle(w.vm[v].pm);
		ck_assert_uint_eq(w.vm[v].exhausted, 0);
		ck_assert_uint_eq(s->found_zero, pmap_stats(w.vm[v].pm)->zero_found);
		o.digest = o.digest * 31 + w.vm[v].trace + pmap_digest(w.vm[v].pm);
		o.merged += s->merged;
		o.zeroed += s->found_zero;
		o.hinted += s->merged_hinted;
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

static void make_disk(void)
{
	uint64_t page[WORDS];
	int fd = mkstemp(disk_file);

	for (unsigned b = 0; b < BLOCKS; b++) {
		fill(page, b / 2);
		if (fd < 0 || write(fd, page, PAGE_SIZE) != PAGE_SIZE)
			die("cannot write %s", disk_file);
	}
	close(fd);
}

int main(void)
{
	Suite *s = suite_create("content");
	TCase *rules = tcase_create("rules"), *walks = tcase_create("walks");
	int status;

	make_disk();
	tcase_add_test(rules, identical_pages_come_to_share_a_frame_until_written);
	tcase_add_test(rules, a_page_being_worked_on_is_left_alone_unless_hinted);
	tcase_add_test(rules, zero_pages_give_their_frame_back);
	tcase_add_test(rules, a_page_of_zeroes_is_written_to_disk);
	tcase_add_test(rules, private_pages_join_those_of_files);
	tcase_add_test(rules, equal_hashes_of_unequal_pages_share_nothing);
	tcase_add_test(rules, looks_are_bounded_and_charged_to_idle_cpus_first);
	tcase_add_test(rules, vms_that_do_not_run_are_looked_at_twice);
	tcase_add_test(rules, copies_of_delivered_pages_are_found_at_once);
	tcase_set_timeout(walks, 300);
	tcase_add_loop_test(walks, no_byte_is_lost, 0, 4);
	tcase_add_loop_test(walks, threads_change_nothing, 0, 2);
	suite_add_tcase(s, rules);
	suite_add_tcase(s, walks);
	status = run_suite(s);
	unlink(disk_file);
	return status;
}
