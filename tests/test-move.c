// SPDX-License-Identifier: MIT
/*
 * Pages that move while all VMs use them: random interleavings of guests' loads and stores,
 * DMA, disks, sharing, migrations, replications, collapses, frees and cloning, over several VMs and
 * nodes.
 * The guests' CPUs are played as an engine plays them: each has a TLB that it trusts until shot
 * down, so a missed shootdown shows as a wrong byte. Beside it runs a plain model of every guest's
 * memory and disk; the invariant checkers run after each step of the boundary.
 *
 * In the run phase VMs are executed by two threads or by one, and must end the same.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "numa/memory/move.h"
#include "sharing/disk.h"
#include "tests/small-machine.h"

enum {
	NODES = 4,
	VMS = 3,
	CPUS = 3, /* of each VM */
	VM_PAGES = 200,
	BLOCKS = 40,
	WORDS = PAGE_SIZE / 4,
	SECTORS = BLOCKS * PAGE_SIZE / SECTOR_SIZE,
	ACCESSES = 60, /* of a VM in a run phase, at most */
};

struct guest {
	struct world *w;
	uint64_t seed; /* of its run phases: its own, so that threads do not matter */
	struct pmap *pm;
	struct disk *disk;
	unsigned node[CPUS];
	struct {
		uint32_t mpn;
		bool writable;
	} tlb[CPUS][VM_PAGES];
	uint32_t (*page)[WORDS]; /* what the guest must see */
	uint8_t *sectors;        /* what its disk must hold */
	uint64_t trace;          /* of every frame used */
	unsigned n_accesses, hits, stores, waited, exhausted;
};

struct world {
	uint64_t seed;
	bool threads;
	struct memory *mem;
	struct image_cache *cache;
	struct image *kernel;
	uint32_t (*text)[WORDS];
	uint32_t *owned; /* by frame: the VM it was last said to be of */
	struct guest vm[VMS];
	unsigned n_led; /* migrations of pages with copies */
	unsigned n_migrated, n_replicated, n_refused, n_dma, n_collapsed, n_cloned;
};

static char disk_file[] = "/tmp/disco-test-move-XXXXXX";

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			die("%s:%d: not so: %s", __FILE__, __LINE__, #what);                       \
	} while (0)

static unsigned pick_from(uint64_t *seed, unsigned n)
{
	return (unsigned)(splitmix64(seed) >> 33) % n;
}

static unsigned pick(struct world *w, unsigned n)
{
	return pick_from(&w->seed, n);
}

/* Often the same few pages, so that operations meet. */
static uint32_t pick_page(uint64_t *seed)
{
	return pick_from(seed, 3) ? pick_from(seed, 24) : pick_from(seed, VM_PAGES);
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

/* ---- the run phase ----------------------------------------------------------------------- */

static void guest_access(struct guest *g)
{
	struct memory *mem = g->w->mem;
	uint32_t ppn = pick_page(&g->seed), at = pick_from(&g->seed, WORDS), *word, mpn;
	unsigned c = pick_from(&g->seed, CPUS);
	bool write = pick_from(&g->seed, 4) == 0, writable;
	uint32_t value = (uint32_t)splitmix64(&g->seed) | 1;

	g->n_accesses++;
	if (g->tlb[c][ppn].mpn != MPN_NONE && (g->tlb[c][ppn].writable || !write)) {
		g->hits++;
	} else {
		mpn = pmap_view(mem, g->pm, ppn, g->node[c], &writable);
		if (mpn == MPN_NONE || (write && !writable) || pick_from(&g->seed, 4) == 0) {
			void *host;
			int err = pmap_fault(g->pm, ppn, g->node[c], write, &host, &writable);

			g->waited += err == -EAGAIN;
			g->exhausted += err == -ENOMEM;
			MUST(!err || err == -EAGAIN || err == -ENOMEM);
			if (err)
				return;
			MUST(writable || !write);
			mpn = frame_of(mem, host);
		}
		g->tlb[c][ppn].mpn = mpn;
		g->tlb[c][ppn].writable = writable;
	}
	mpn = g->tlb[c][ppn].mpn;
	/* Nothing that a VM touches is thought to be another's alone, and its stores only go to its
	 * own. */
	MUST(g->w->owned[mpn] == (uint32_t)(g - g->w->vm) ||
		(!write && g->w->owned[mpn] == OWNER_NONE));
	word = (uint32_t *)frame_data(mem, mpn) + at;
	MUST(*word == g->page[ppn][at]);
	if (write) {
		*word = g->page[ppn][at] = value;
		g->stores++;
	}
	g->trace = g->trace * 31 + mpn;
}

static void guest_run(struct guest *g)
{
	for (unsigned n = pick_from(&g->seed, ACCESSES); n > 0; n--)
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
	if (w->threads) {
		ck_assert_int_eq(pthread_create(&thread, NULL, even_guests, w), 0);
		guest_run(&w->vm[1]);
		pthread_join(thread, NULL);
	} else {
		for (unsigned v = 0; v < VMS; v++)
			guest_run(&w->vm[v]);
	}
	w->mem->boundary = true;
}

/* ---- the boundary ------------------------------------------------------------------------ */

/* A device that gathers addresses first and transfers afterwards. */
static void do_dma(struct world *w, struct guest *g)
{
	uint32_t ppn[8], *host[8];
	bool write = pick(w, 2);
	unsigned n = 1 + pick(w, 8), node = pick(w, NODES), i;

	for (i = 0; i < n; i++) {
		bool writable;
		void *p;

		ppn[i] = pick_page(&w->seed);
		if (pmap_fault(g->pm, ppn[i], node, write, &p, &writable))
			break;
		MUST(writable || !write);
		host[i] = p;
	}
	w->n_dma++;
	while (i-- > 0) {
		uint32_t *word = host[i] + pick(w, WORDS);

		if (write)
			*word = g->page[ppn[i]][word - host[i]] = (uint32_t)splitmix64(&w->seed);
		else
			MUST(!memcmp(host[i], g->page[ppn[i]], PAGE_SIZE));
	}
}

static void do_disk(struct world *w, struct guest *g)
{
	bool write = pick(w, 2), whole = pick(w, 2);
	uint32_t per = PAGE_SIZE / SECTOR_SIZE, ppn = pick_page(&w->seed);
	uint32_t count = whole ? per : 1 + pick(w, 6);
	uint64_t sector = whole ? pick(w, BLOCKS) * per : pick(w, SECTORS - count);
	struct disk_segment seg = {.bytes = count * SECTOR_SIZE};
	uint8_t *memory, *disk = g->sectors + sector * SECTOR_SIZE;
	int err;

	seg.pa_offset = (uint64_t)ppn << PAGE_SHIFT;
	if (!whole)
		seg.pa_offset += pick(w, 2) * SECTOR_SIZE;
	memory = (uint8_t *)g->page + seg.pa_offset;
	if (write)
		err = disk_write(g->disk, g->pm, pick(w, NODES), sector, &seg, 1);
	else
		err = disk_read(g->disk, g->pm, pick(w, NODES), sector, &seg, 1);
	if (err) {
		/* Short of memory; up to there it may have been done, in pieces. */
		MUST(err == -ENOMEM);
		g->exhausted++;
		for (uint32_t at = 0; at < seg.bytes; at += SECTOR_SIZE) {
			struct disk_segment one = {seg.pa_offset + at, SECTOR_SIZE};
			uint32_t p = (uint32_t)(one.pa_offset >> PAGE_SHIFT);
			const struct pmap_entry *e = pmap_entry(g->pm, p);

			/* A failed write's disk is not compared: give up the disk's model. */
			if (!write && e->mpn != MPN_NONE)
				memcpy(g->page[p], frame_data(w->mem, e->mpn), PAGE_SIZE);
		}
		if (write) {
			disk_close(g->disk);
			g->disk = NULL;
		}
		return;
	}
	if (write)
		memcpy(disk, memory, seg.bytes);
	else
		memcpy(memory, disk, seg.bytes);
}

static void do_share_in(struct world *w, struct guest *g)
{
	uint32_t ppn = pick_page(&w->seed), block = pick(w, BLOCKS), mpn;

	if (image_block(w->kernel, block, pick(w, NODES), &mpn, NULL))
		return;
	pmap_share_in(g->pm, ppn, mpn, FRAME_TEXT);
	memcpy(g->page[ppn], w->text[block], PAGE_SIZE);
}

/* A frame to move: mostly one in use, now and then any. */
static uint32_t some_frame(struct world *w)
{
	uint32_t mpn = pmap_entry(w->vm[pick(w, VMS)].pm, pick_page(&w->seed))->mpn;

	if (mpn == MPN_NONE || pick(w, 20) == 0)
		mpn = pick(w, w->mem->n_frames);
	else if (pick(w, 4) == 0)
		mpn = frame_view(w->mem, mpn, pick(w, NODES));
	return mpn;
}

static void do_migrate(struct world *w)
{
	uint32_t mpn = some_frame(w), to;
	unsigned node = pick(w, NODES), moves = frame_moves(w->mem, mpn);
	uint32_t master = frame_master(w->mem, mpn), copy = frame_on(w->mem, mpn, node);
	uint64_t nodes = frame_nodes(w->mem, mpn);

	if (page_migrate(w->mem, mpn, node, &to)) {
		w->n_refused++;
		return;
	}
	w->n_migrated++;
	w->n_led += (nodes & (nodes - 1)) != 0;
	MUST(to == copy || (copy == MPN_NONE && to != master));
	MUST(frame_nodes(w->mem, to) ==
		((nodes & ~(1ull << frame_node(w->mem, master))) | 1ull << node));
	MUST(frame_node(w->mem, to) == node);
	MUST(frame_moves(w->mem, to) == MIN(moves + 1, 255u));
}

static void do_replicate(struct world *w)
{
	uint32_t mpn = some_frame(w), master = frame_master(w->mem, mpn), to;
	unsigned node = pick(w, NODES);

	if (page_replicate(w->mem, mpn, node, &to)) {
		w->n_refused++;
		return;
	}
	w->n_replicated++;
	MUST(frame_view(w->mem, master, node) == to && frame_node(w->mem, to) == node);
}

static void do_collapse(struct world *w)
{
	uint32_t mpn = frame_master(w->mem, some_frame(w));

	w->n_collapsed += frame_replicated(w->mem, mpn);
	page_collapse(w->mem, mpn);
	MUST(!frame_replicated(w->mem, mpn));
}

static void do_drop(struct world *w, struct guest *g)
{
	uint32_t ppn = pick_page(&w->seed);

	pmap_drop(g->pm, ppn);
	memset(g->page[ppn], 0, PAGE_SIZE);
}

/* Every other guest ends and begins anew as what this one is. */
static void do_clone(struct world *w, struct guest *from)
{
	struct pmap *new[VMS];
	unsigned n = 0;

	if (!from->disk)
		return;
	for (unsigned v = 0; v < VMS; v++) {
		struct guest *g = &w->vm[v];

		if (g == from)
			continue;
		pmap_destroy(g->pm);
		disk_close(g->disk);
		memset(g->tlb, 0xff, sizeof(g->tlb));
		g->pm = new[n++] = pmap_create(w->mem, v, VM_PAGES, &ops, g);
		MUST(!disk_open(w->cache, disk_file, DISK_SHARED, OWNER_DISK | v, &g->disk));
		disk_clone(g->disk, from->disk);
		memcpy(g->page, from->page, VM_PAGES * PAGE_SIZE);
		memcpy(g->sectors, from->sectors, BLOCKS * PAGE_SIZE);
	}
	pmap_clone(from->pm, new, n);
	for (unsigned v = 0; v < VMS; v++)
		MUST(pmap_own_pages(w->vm[v].pm) == 0);
	w->n_cloned++;
}

static void step(struct world *w)
{
	unsigned what = pick(w, 32);
	struct guest *g = &w->vm[pick(w, VMS)];

	if (what < 4)
		do_dma(w, g);
	else if (what < 9 && g->disk)
		do_disk(w, g);
	else if (what < 12)
		do_share_in(w, g);
	else if (what < 18)
		do_migrate(w);
	else if (what < 27)
		do_replicate(w);
	else if (what < 28)
		do_collapse(w);
	else if (what < 30)
		do_drop(w, g);
	else if (what < 31)
		g->node[pick(w, CPUS)] = pick(w, NODES);
	else if (pick(w, 8) == 0)
		do_clone(w, g);
	else
		pmap_drain(g->pm);
}

/* ---- checks ------------------------------------------------------------------------------ */

static void check_counts(struct world *w)
{
	memory_check(w->mem);
	for (unsigned v = 0; v < VMS; v++)
		pmap_check(w->vm[v].pm);
}

static void check_bytes(struct world *w)
{
	static const uint32_t zero[WORDS];

	for (unsigned v = 0; v < VMS; v++) {
		const struct guest *g = &w->vm[v];

		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
			const struct pmap_entry *e = pmap_entry(g->pm, ppn);
			bool absent = e->mpn == MPN_NONE;

			MUST(!memcmp(absent ? zero : frame_data(w->mem, e->mpn), g->page[ppn],
				PAGE_SIZE));
			for (unsigned n = 0; n < NODES && !absent; n++) {
				uint32_t owner = w->owned[frame_view(w->mem, e->mpn, n)];
				bool alone = frame_users(w->mem, e->mpn) == 1;

				MUST(owner == (alone ? v : OWNER_NONE));
			}
			for (unsigned c = 0; c < CPUS; c++) {
				if (g->tlb[c][ppn].mpn == MPN_NONE)
					continue;
				MUST(frame_master(w->mem, g->tlb[c][ppn].mpn) == e->mpn);
				MUST(!g->tlb[c][ppn].writable ||
					(!e->cow && !frame_replicated(w->mem, e->mpn)));
			}
		}
	}
}

/* ---- a walk ------------------------------------------------------------------------------ */

static void make_world(struct world *w, uint64_t seed, uint32_t frames, bool threads)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->threads = threads;
	w->mem = SMALL_MEMORY(frames, frames, frames / 2, frames);
	w->owned = xcalloc(w->mem->n_frames, sizeof(w->owned[0]));
	memset(w->owned, 0xff, w->mem->n_frames * sizeof(w->owned[0]));
	w->mem->owned = owned;
	w->mem->model_arg = w;
	w->cache = image_cache_create(w->mem);
	w->text = xcalloc(BLOCKS, PAGE_SIZE);
	for (unsigned b = 0; b < BLOCKS; b++)
		for (unsigned at = 0; at < WORDS; at++)
			w->text[b][at] = b << 16 | at;
	w->kernel = image_from_bytes(w->cache, "kernel", w->text, BLOCKS * PAGE_SIZE, FRAME_TEXT);
	for (unsigned v = 0; v < VMS; v++) {
		struct guest *g = &w->vm[v];

		*g = (struct guest){.w = w, .seed = seed * VMS + v};
		g->pm = pmap_create(w->mem, v, VM_PAGES, &ops, g);
		g->page = xcalloc(VM_PAGES + 1, PAGE_SIZE);
		g->sectors = xcalloc(BLOCKS, PAGE_SIZE);
		for (unsigned at = 0; at < BLOCKS * PAGE_SIZE; at++)
			g->sectors[at] = (uint8_t)(at >> 9 | 1);
		ck_assert_int_eq(
			disk_open(w->cache, disk_file, DISK_SHARED, OWNER_DISK | v, &g->disk), 0);
		for (unsigned c = 0; c < CPUS; c++) {
			g->node[c] = (v + c) % NODES;
			memset(g->tlb[c], 0xff, sizeof(g->tlb[c]));
		}
	}
}

static void end_world(struct world *w)
{
	struct memory_usage u;

	for (unsigned v = 0; v < VMS; v++) {
		pmap_destroy(w->vm[v].pm);
		disk_close(w->vm[v].disk);
		free(w->vm[v].page);
		free(w->vm[v].sectors);
	}
	image_close(w->kernel);
	image_cache_destroy(w->cache);
	memory_check(w->mem);
	memory_usage(w->mem, -1, &u);
	ck_assert_uint_eq(u.kind[FRAME_FREE], u.total);
	for (uint32_t mpn = 0; mpn < w->mem->n_frames; mpn++)
		ck_assert_uint_eq(w->owned[mpn], OWNER_NONE);
	memory_destroy(w->mem);
	free(w->owned);
	free(w->text);
}

static unsigned spread(const void *arg, struct frame_user user, unsigned node, uint64_t nth)
{
	(void)arg;
	return (unsigned)(user.page * 7 + node + nth) % NODES;
}

struct outcome {
	uint64_t digest;
	struct move_stats moves;
	unsigned hits, stores, waited, exhausted, cloned, led;
};

static struct outcome walk(uint64_t seed, uint32_t frames, bool threads, unsigned quanta)
{
	static struct world w;
	struct outcome o = {0};
	struct memory_usage u;

	make_world(&w, seed, frames, threads);
	if (seed & 1)
		memory_set_placement(w.mem, spread, NULL);
	for (unsigned q = 0; q < quanta; q++) {
		for (unsigned v = 0; v < VMS; v++)
			pmap_release_deferred(w.vm[v].pm);
		check_counts(&w);
		for (unsigned n = pick(&w, 16); n > 0; n--) {
			step(&w);
			check_counts(&w);
		}
		if (q % 4 == 0)
			check_bytes(&w);
		if (q % 50 == 49)
			memory_new_interval(w.mem);
		for (unsigned v = 0; v < VMS; v++)
			for (unsigned c = 0; c < CPUS; c++)
				pmap_refill(w.vm[v].pm, w.vm[v].node[c]);
		run_phase(&w);
		check_counts(&w);
	}
	o.moves = *memory_moves(w.mem);
	ck_assert_uint_eq(o.moves.migrations, w.n_migrated);
	ck_assert_uint_eq(o.moves.replications, w.n_replicated);
	ck_assert_uint_ge(o.moves.collapses, w.n_collapsed);
	memory_usage(w.mem, -1, &u);
	o.digest = u.kind[FRAME_REPLICA];
	for (unsigned v = 0; v < VMS; v++) {
		o.digest = o.digest * 31 + w.vm[v].trace + pmap_digest(w.vm[v].pm);
		o.hits += w.vm[v].hits;
		o.stores += w.vm[v].stores;
		o.waited += w.vm[v].waited;
		o.exhausted += w.vm[v].exhausted;
	}
	o.cloned = w.n_cloned;
	o.led = w.n_led;
	end_world(&w);
	return o;
}

START_TEST(no_byte_is_lost_with_memory_to_spare)
{
	struct outcome o = walk(10 + (uint64_t)_i, 400, true, 2000);

	/* The walk must have been everywhere. */
	ck_assert_uint_gt(o.hits, 1000);
	ck_assert_uint_gt(o.stores, 1000);
	ck_assert_uint_gt(o.moves.migrations, 150);
	ck_assert_uint_gt(o.moves.replications, 150);
	ck_assert_uint_gt(o.moves.collapses, 50);
	ck_assert_uint_gt(o.cloned, 30);
	ck_assert_uint_gt(o.moves.refused[MOVE_PRESENT], 20);
	ck_assert_uint_gt(o.led, 20);
	ck_assert_uint_gt(o.moves.refused[MOVE_GONE], 20);
	ck_assert_uint_eq(o.exhausted, 0);
}
END_TEST

START_TEST(no_byte_is_lost_when_nodes_run_short)
{
	struct outcome o = walk(30 + (uint64_t)_i, 110, true, 1500);

	ck_assert_uint_gt(o.moves.given_back, 100);
	ck_assert_uint_gt(o.moves.migrations, 50);
	ck_assert_uint_gt(o.moves.replications, 100);
	ck_assert_uint_gt(o.moves.refused[MOVE_NO_MEMORY], 100);
	ck_assert_uint_gt(o.exhausted + o.waited, 100);
}
END_TEST

START_TEST(threads_change_nothing)
{
	struct outcome a = walk(50 + (uint64_t)_i, 150, true, 200);
	struct outcome b = walk(50 + (uint64_t)_i, 150, false, 200);

	ck_assert_uint_eq(a.digest, b.digest);
	ck_assert_mem_eq(&a.moves, &b.moves, sizeof(a.moves));
	ck_assert_uint_ne(a.digest, walk(60, 150, false, 200).digest);
}
END_TEST

int main(void)
{
	const int walks = INSTRUMENTED ? 2 : 6; /* slow */
	Suite *s = suite_create("move");
	TCase *tc = tcase_create("move");
	int fd = mkstemp(disk_file), status;

	for (unsigned at = 0; at < SECTORS; at++) {
		uint8_t sector[SECTOR_SIZE];

		memset(sector, (uint8_t)(at | 1), sizeof(sector));
		if (fd < 0 || write(fd, sector, sizeof(sector)) != sizeof(sector))
			die("cannot write %s", disk_file);
	}
	tcase_add_loop_test(tc, no_byte_is_lost_with_memory_to_spare, 0, walks);
	tcase_add_loop_test(tc, no_byte_is_lost_when_nodes_run_short, 0, walks);
	tcase_add_loop_test(tc, threads_change_nothing, 0, 2);
	suite_add_tcase(s, tc);
	status = run_suite(s);
	close(fd);
	unlink(disk_file);
	return status;
}
