// SPDX-License-Identifier: MIT
/*
 * What the tests of the search for identical pages run in: four VMs on four nodes with a disk each,
 * a kernel's pages to share, and CPUs whose TLBs are shot down. Pages are made so that a few
 * contents recur everywhere.
 */
#ifndef TESTS_CONTENT_WORLD_H
#define TESTS_CONTENT_WORLD_H

#include <string.h>
#include <unistd.h>

#include "numa/memory/move.h"
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
static inline void fill(uint64_t page[WORDS], uint64_t value)
{
	memset(page, 0, PAGE_SIZE);
	page[0] = page[100] = page[WORDS - 1] = value;
}

static inline void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	struct guest *g = engine;

	for (unsigned c = 0; c < CPUS; c++)
		if (g->tlb[c][ppn].mpn == old)
			g->tlb[c][ppn].mpn = MPN_NONE;
}

static const struct pmap_ops ops = {.shootdown = shoot};

static inline void owned(void *arg, uint32_t mpn, uint32_t owner)
{
	struct world *w = arg;

	MUST(w->mem->boundary);
	w->owned[mpn] = owner;
}

static inline void make_world(
	struct world *w, uint64_t seed, uint32_t frames, struct content_options o)
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
		MUST(!disk_open(w->cache, disk_file, DISK_SHARED, OWNER_DISK | v, &g->disk));
		memset(g->tlb, 0xff, sizeof(g->tlb));
		for (unsigned c = 0; c < CPUS; c++)
			g->node[c] = (v + c) % NODES;
	}
}

static inline void end_world(struct world *w)
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

static inline void put(struct world *w, unsigned v, uint32_t ppn, uint64_t value)
{
	bool writable;
	void *host;

	MUST(!pmap_fault(w->vm[v].pm, ppn, v, true, &host, &writable) && writable);
	fill(host, value);
}

static inline uint64_t get(struct world *w, unsigned v, uint32_t ppn)
{
	bool writable;
	uint64_t *host;

	MUST(!pmap_fault(w->vm[v].pm, ppn, v, false, (void **)&host, &writable));
	MUST(host[0] == host[100] && host[0] == host[WORDS - 1] && !host[1]);
	return host[0];
}

static inline uint32_t frame_at(struct world *w, unsigned v, uint32_t ppn)
{
	return pmap_entry(w->vm[v].pm, ppn)->mpn;
}

/* Time passes, in which every VM runs, and CPUs are idle for so long. */
static inline uint64_t pass_ms(struct world *w, uint64_t ms, uint64_t idle)
{
	w->now += ms * MS;
	for (unsigned v = 0; v < VMS; v++)
		content_ran(w->content, v, w->now * 100);
	return content_scan(w->content, w->now, idle);
}

static inline uint64_t frames_of(struct world *w, enum frame_kind kind)
{
	struct memory_usage u;

	memory_usage(w->mem, -1, &u);
	return u.kind[kind];
}

static inline uint64_t scans(struct world *w)
{
	uint64_t n = 0;

	for (unsigned v = 0; v < VMS; v++)
		n += content_vm_stats(w->content, v)->scans;
	return n;
}

static inline void check_all(struct world *w)
{
	memory_check(w->mem);
	content_check(w->content);
	for (unsigned v = 0; v < VMS; v++)
		pmap_check(w->vm[v].pm);
}

/* Before the first world; the caller unlinks disk_file. */
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

#endif
