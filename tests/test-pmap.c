// SPDX-License-Identifier: MIT
/*
 * Pmaps: first touch, copy-on-write in both phases, reserves, exhaustion; and a random walk over
 * three VMs, two images and a crowd of other owners, in which every guest's bytes, every
 * translation an engine could still hold and every frame shared out are compared with a model.
 */
#include <errno.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/pmap.h"
#include "sharing/image.h"
#include "tests/small-machine.h"

enum { VM_PAGES = 700 }; /* more than one leaf of the table, and not a whole number of them */

/* What a CPU may have cached: valid until shot down. */
struct tlb {
	uint32_t mpn[VM_PAGES];
	bool writable[VM_PAGES];
	unsigned shootdowns;
};

static void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	struct tlb *tlb = engine;

	ck_assert(tlb->mpn[ppn] == MPN_NONE || tlb->mpn[ppn] == old);
	tlb->mpn[ppn] = MPN_NONE;
	tlb->shootdowns++;
}

static const struct pmap_ops ops = {.shootdown = shoot};

static struct pmap *vm(struct memory *mem, uint32_t id, struct tlb *tlb)
{
	for (unsigned i = 0; i < VM_PAGES; i++)
		tlb->mpn[i] = MPN_NONE;
	tlb->shootdowns = 0;
	return pmap_create(mem, id, VM_PAGES, &ops, tlb);
}

static int touch(struct pmap *pm, uint32_t ppn, unsigned node, bool write, uint8_t **host)
{
	bool writable = false;
	void *p = NULL;
	int err = pmap_fault(pm, ppn, node, write, &p, &writable);

	if (!err)
		ck_assert(writable || !write);
	*host = p;
	return err;
}

static uint8_t *must_touch(struct pmap *pm, uint32_t ppn, bool write)
{
	uint8_t *host;

	ck_assert_int_eq(touch(pm, ppn, 0, write, &host), 0);
	return host;
}

/* A cached page of somebody else's that holds `fill`. */
static uint32_t cached(struct memory *mem, uint8_t fill)
{
	uint32_t mpn = frame_alloc(mem, 0, FRAME_CACHE, true);

	frame_add_user(mem, mpn, (struct frame_user){0x80000000, fill});
	memset(frame_data(mem, mpn), fill, PAGE_SIZE);
	return mpn;
}

START_TEST(first_touch_takes_a_zero_frame_of_the_node)
{
	struct memory *mem = SMALL_MEMORY(100, 100);
	struct tlb tlb;
	struct pmap *pm = vm(mem, 0, &tlb);
	uint8_t *host;
	static const uint8_t zero[PAGE_SIZE];

	ck_assert_uint_eq(pmap_entry(pm, 699)->mpn, MPN_NONE);
	ck_assert_int_eq(touch(pm, 700, 0, false, &host), -EFAULT);
	ck_assert_int_eq(touch(pm, UINT32_MAX, 0, false, &host), -EFAULT);
	ck_assert_int_eq(touch(pm, 699, 1, false, &host), 0);
	ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, 699)->mpn), 1);
	ck_assert_mem_eq(host, zero, PAGE_SIZE);
	ck_assert_uint_eq(frame_of(mem, host + 4095), pmap_entry(pm, 699)->mpn);

	mem->boundary = false;
	ck_assert_int_eq(touch(pm, 3, 1, true, &host), -EAGAIN);
	mem->boundary = true;
	pmap_refill(pm, 1);
	mem->boundary = false;
	ck_assert_int_eq(touch(pm, 3, 0, true, &host), -EAGAIN); /* node 0 was not refilled */
	ck_assert_int_eq(touch(pm, 3, 1, true, &host), 0);
	ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, 3)->mpn), 1);
	mem->boundary = true;
	ck_assert_uint_eq(pmap_stats(pm)->faults_zero, 2);
	ck_assert_uint_eq(pmap_stats(pm)->mapped[FRAME_PRIVATE], 2);
	pmap_check(pm);
	pmap_destroy(pm);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(first_touches_go_home_from_any_node)
{
	struct memory *mem = SMALL_MEMORY(100, 100, 100);
	struct tlb tlb;
	struct pmap *pm = vm(mem, 0, &tlb);
	uint8_t *host;

	pmap_home(pm, 0, 2);
	pmap_home(pm, 300, 1);
	ck_assert_int_eq(touch(pm, 299, 0, true, &host), 0);
	ck_assert_int_eq(touch(pm, 300, 0, true, &host), 0);
	pmap_refill(pm, 0);
	mem->boundary = false;
	ck_assert_int_eq(touch(pm, 0, 0, true, &host), 0);
	ck_assert_int_eq(touch(pm, 699, 2, true, &host), 0);
	mem->boundary = true;
	ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, 299)->mpn), 2);
	ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, 300)->mpn), 1);
	ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, 0)->mpn), 2);
	ck_assert_uint_eq(frame_node(mem, pmap_entry(pm, 699)->mpn), 1);
	pmap_destroy(pm);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_store_in_the_run_phase_copies_and_settles_later)
{
	struct memory *mem = SMALL_MEMORY(200);
	struct tlb tlb;
	struct pmap *pm = vm(mem, 0, &tlb);
	uint32_t shared = cached(mem, 0x11);
	uint8_t *host;

	pmap_share_in(pm, 5, shared, FRAME_CACHE);
	ck_assert_uint_eq(pmap_entry(pm, 5)->cow, 1);
	ck_assert_uint_eq(pmap_stats(pm)->mapped[FRAME_CACHE], 1);
	pmap_refill(pm, 0);
	tlb.mpn[5] = shared;
	mem->boundary = false;
	ck_assert_ptr_eq(must_touch(pm, 5, false), frame_data(mem, shared));
	host = must_touch(pm, 5, true);
	host[0] = 0x22;
	ck_assert_uint_eq(host[4095], 0x11);
	ck_assert_uint_eq(tlb.shootdowns, 1);
	ck_assert_uint_eq(frame_users(mem, shared), 2);
	mem->boundary = true;
	pmap_check(pm);
	pmap_release_deferred(pm);
	ck_assert_uint_eq(frame_users(mem, shared), 1);
	ck_assert_uint_eq(*(uint8_t *)frame_data(mem, shared), 0x11);
	ck_assert_uint_eq(pmap_stats(pm)->faults_cow[FRAME_CACHE], 1);
	ck_assert_uint_eq(pmap_stats(pm)->mapped[FRAME_CACHE], 0);
	ck_assert_uint_eq(pmap_stats(pm)->shared_in, 1);
	pmap_check(pm);
	memory_check(mem);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(the_last_user_keeps_the_frame_at_the_boundary)
{
	struct memory *mem = SMALL_MEMORY(200);
	struct tlb tlb;
	struct pmap *pm = vm(mem, 0, &tlb);
	uint32_t shared = cached(mem, 0x33);

	pmap_share_in(pm, 5, shared, FRAME_TEXT);
	frame_del_user(mem, shared, (struct frame_user){0x80000000, 0x33});
	ck_assert_ptr_eq(must_touch(pm, 5, true), frame_data(mem, shared));
	ck_assert_int_eq(frame_kind(mem, shared), FRAME_PRIVATE);
	ck_assert_uint_eq(pmap_stats(pm)->faults_cow[FRAME_TEXT], 0);
	pmap_check(pm);

	/* But not in the run phase, when the count of users is not the VM's to read. */
	shared = cached(mem, 0x34);
	pmap_share_in(pm, 4, shared, FRAME_CACHE);
	frame_del_user(mem, shared, (struct frame_user){0x80000000, 0x34});
	pmap_refill(pm, 0);
	mem->boundary = false;
	ck_assert_ptr_ne(must_touch(pm, 4, true), frame_data(mem, shared));
	mem->boundary = true;
	pmap_release_deferred(pm);
	ck_assert_int_eq(frame_kind(mem, shared), FRAME_FREE);

	/* Mapped onto it once more before the deferred deletion: still one user, one frame. */
	shared = cached(mem, 0x44);
	pmap_share_in(pm, 6, shared, FRAME_CACHE);
	pmap_refill(pm, 0);
	mem->boundary = false;
	must_touch(pm, 6, true);
	mem->boundary = true;
	pmap_share_in(pm, 6, shared, FRAME_CACHE);
	ck_assert_uint_eq(frame_users(mem, shared), 2);
	pmap_release_deferred(pm);
	ck_assert_uint_eq(frame_users(mem, shared), 2);
	pmap_check(pm);
	memory_check(mem);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_page_shared_out_is_copied_by_the_next_store)
{
	struct memory *mem = SMALL_MEMORY(200);
	struct tlb tlb;
	struct pmap *pm = vm(mem, 0, &tlb);
	uint32_t kept;

	must_touch(pm, 9, true)[100] = 7;
	kept = tlb.mpn[9] = pmap_entry(pm, 9)->mpn;
	ck_assert_uint_eq(pmap_share_out(pm, 9, 0), kept);
	ck_assert_uint_eq(tlb.shootdowns, 1);
	ck_assert_uint_eq(pmap_share_out(pm, 9, 0), kept);
	ck_assert_uint_eq(tlb.shootdowns, 1);
	frame_add_user(mem, kept, (struct frame_user){OWNER_DISK, 1});
	must_touch(pm, 9, true)[100] = 8;
	ck_assert_uint_ne(pmap_entry(pm, 9)->mpn, kept);
	ck_assert_uint_eq(((uint8_t *)frame_data(mem, kept))[100], 7);
	ck_assert_uint_eq(frame_users(mem, kept), 1);
	/* Absent pages can be shared out too: zeroes. */
	kept = pmap_share_out(pm, 10, 0);
	ck_assert_uint_eq(((uint8_t *)frame_data(mem, kept))[0], 0);
	pmap_drop(pm, 9);
	pmap_drop(pm, 11);
	ck_assert_uint_eq(pmap_entry(pm, 9)->mpn, MPN_NONE);
	ck_assert_uint_eq(must_touch(pm, 9, false)[100], 0);
	pmap_check(pm);
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(what_a_vm_gets_does_not_depend_on_who_runs_first)
{
	uint32_t got[2][2][40];

	for (unsigned order = 0; order < 2; order++) {
		struct memory *mem = SMALL_MEMORY(150, 150);
		struct tlb tlb[2];
		struct pmap *pm[2] = {vm(mem, 0, &tlb[0]), vm(mem, 1, &tlb[1])};
		uint32_t shared = cached(mem, 1);

		for (unsigned round = 0; round < 4; round++) {
			for (unsigned v = 0; v < 2; v++) {
				pmap_release_deferred(pm[v]);
				pmap_refill(pm[v], v);
				pmap_share_in(pm[v], 100 + round, shared, FRAME_CACHE);
			}
			mem->boundary = false;
			for (unsigned i = 0; i < 2; i++) {
				unsigned v = i ^ order;

				for (uint32_t p = 0; p < 10; p++) {
					uint32_t ppn = p == 4 ? 100 + round : round * 10 + p;
					uint8_t *host;

					ck_assert_int_eq(touch(pm[v], ppn, v, true, &host), 0);
					got[order][v][round * 10 + p] = pmap_entry(pm[v], ppn)->mpn;
				}
			}
			mem->boundary = true;
		}
		pmap_destroy(pm[0]);
		pmap_destroy(pm[1]);
		memory_destroy(mem);
	}
	ck_assert_mem_eq(got[0], got[1], sizeof(got[0]));
}
END_TEST

START_TEST(exhaustion_is_an_error_and_no_frame_is_lost_to_a_reserve)
{
	struct memory *mem = SMALL_MEMORY(100);
	struct tlb tlb[2];
	struct pmap *a = vm(mem, 0, &tlb[0]), *b = vm(mem, 1, &tlb[1]);
	uint32_t touched = 0;
	uint8_t *host;
	int err = 0;

	pmap_refill(a, 0);
	pmap_refill(b, 0);
	/* B alone runs; A's reserve must not stand in its way. */
	for (unsigned rounds = 0; rounds < 100 && err != -ENOMEM; rounds++) {
		pmap_release_deferred(a);
		pmap_refill(a, 0);
		pmap_release_deferred(b);
		pmap_refill(b, 0);
		mem->boundary = false;
		while (!(err = touch(b, touched, 0, true, &host)))
			touched++;
		mem->boundary = true;
	}
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_uint_ge(touched, 99); /* all but the one frame A may keep */
	memory_check(mem);
	/* At the boundary that one can be had too. */
	for (; touched < 100; touched++)
		ck_assert_int_eq(touch(b, touched, 0, true, &host), 0);
	ck_assert_int_eq(touch(b, 100, 0, true, &host), -ENOMEM);
	ck_assert_uint_eq(pmap_share_out(b, 100, 0), MPN_NONE);

	/* Memory given back ends the shortage. */
	pmap_drop(b, 0);
	pmap_drop(b, 1);
	pmap_refill(a, 0);
	mem->boundary = false;
	ck_assert_int_eq(touch(a, 0, 0, true, &host), 0);
	mem->boundary = true;
	pmap_check(a);
	pmap_check(b);
	memory_check(mem);
	pmap_destroy(a);
	pmap_destroy(b);
	memory_destroy(mem);
}
END_TEST

START_TEST(two_starving_vms_both_get_on)
{
	struct memory *mem = SMALL_MEMORY(65);
	struct tlb tlb[2];
	struct pmap *pm[2] = {vm(mem, 0, &tlb[0]), vm(mem, 1, &tlb[1])};
	uint8_t *host;

	/* The first reserve takes nearly all; the second VM must get half of it, and both go on
	 * without taking it from each other again. */
	for (uint32_t round = 0; round < 20; round++) {
		for (unsigned v = 0; v < 2; v++)
			pmap_refill(pm[v], 0);
		mem->boundary = false;
		for (unsigned v = 0; v < 2; v++)
			ck_assert_int_eq(touch(pm[v], round, 0, true, &host), 0);
		mem->boundary = true;
	}
	pmap_destroy(pm[0]);
	pmap_drain(pm[1]);
	pmap_destroy(pm[1]);
	memory_check(mem);
	memory_destroy(mem);
}
END_TEST

START_TEST(starving_vms_do_not_take_the_last_frame_in_turn)
{
	struct memory *mem = SMALL_MEMORY(1);
	struct tlb tlb[2];
	struct pmap *a = vm(mem, 0, &tlb[0]), *b = vm(mem, 1, &tlb[1]);
	uint8_t *host;

	pmap_refill(a, 0);
	pmap_refill(b, 0);
	mem->boundary = false;
	ck_assert_int_eq(touch(b, 0, 0, true, &host), -ENOMEM);
	ck_assert_int_eq(touch(a, 0, 0, true, &host), 0);
	mem->boundary = true;
	pmap_destroy(a);
	pmap_destroy(b);
	memory_destroy(mem);
}
END_TEST

START_TEST(a_node_without_memory_uses_what_the_vm_has_for_others)
{
	struct memory *mem = SMALL_MEMORY(4, 3);
	struct tlb tlb;
	struct pmap *pm = vm(mem, 0, &tlb);
	uint8_t *host;

	/* In either order of refilling: node 0's reserve takes all there is. */
	pmap_refill(pm, 0);
	pmap_refill(pm, 1);
	pmap_refill(pm, 0);
	mem->boundary = false;
	for (uint32_t ppn = 0; ppn < 7; ppn++)
		ck_assert_int_eq(touch(pm, ppn, 1, true, &host), 0);
	ck_assert_int_eq(touch(pm, 7, 1, true, &host), -ENOMEM);
	mem->boundary = true;
	pmap_destroy(pm);
	memory_destroy(mem);
}
END_TEST

START_TEST(the_digest_is_of_what_the_guest_sees)
{
	struct memory *mem = SMALL_MEMORY(300);
	struct tlb tlb[2];
	struct pmap *a = vm(mem, 0, &tlb[0]), *b = vm(mem, 1, &tlb[1]);
	uint64_t empty = pmap_digest(a);

	must_touch(a, 600, false);
	ck_assert_uint_eq(pmap_digest(a), empty);
	must_touch(a, 7, true)[4095] = 1;
	ck_assert_uint_ne(pmap_digest(a), empty);
	ck_assert_uint_ne(pmap_digest(a), pmap_digest(b));
	must_touch(b, 1, true);
	must_touch(b, 7, true)[4095] = 1;
	ck_assert_uint_eq(pmap_digest(a), pmap_digest(b));
	must_touch(a, 8, true)[0] = 1;
	must_touch(b, 9, true)[0] = 1;
	ck_assert_uint_ne(pmap_digest(a), pmap_digest(b));
	pmap_destroy(a);
	pmap_destroy(b);
	memory_destroy(mem);
}
END_TEST

/* ---- the random walk --------------------------------------------------------------------- */

enum { VMS = 3, IMAGES = 2, BLOCKS = 60, HELD = 50, WORDS = PAGE_SIZE / 4 };

struct world {
	uint64_t seed;
	struct memory *mem;
	struct image_cache *cache;
	struct image *image[IMAGES];
	uint32_t (*block)[BLOCKS][WORDS]; /* what the images hold */
	struct pmap *pm[VMS];
	struct tlb tlb[VMS];
	uint32_t (*page)[VM_PAGES][WORDS]; /* what each guest must see */
	struct {
		uint32_t mpn; /* shared out of a VM, or MPN_NONE */
		uint32_t word[WORDS];
	} held[HELD];
	uint64_t trace; /* of every frame number seen */
	unsigned done[8], exhausted, waited;
};

static unsigned pick(struct world *w, unsigned n)
{
	return (unsigned)(splitmix64(&w->seed) >> 33) % n;
}

/* Pages near each other most of the time, so that operations meet. */
static uint32_t pick_page(struct world *w)
{
	return pick(w, 10) ? pick(w, 150) : pick(w, VM_PAGES);
}

static void walk_access(struct world *w, unsigned v, bool write)
{
	uint32_t ppn = pick_page(w), at = pick(w, WORDS);
	unsigned node = pick(w, 2);
	uint32_t *host;
	int err = touch(w->pm[v], ppn, node, write, (uint8_t **)&host);

	if (err == -EAGAIN && !w->mem->boundary) {
		w->waited++;
		return;
	}
	if (err) {
		ck_assert_int_eq(err, -ENOMEM);
		w->exhausted++;
		return;
	}
	ck_assert_uint_eq(host[at], w->page[v][ppn][at]);
	if (write)
		host[at] = w->page[v][ppn][at] = (uint32_t)splitmix64(&w->seed) | 1;
	w->tlb[v].mpn[ppn] = pmap_entry(w->pm[v], ppn)->mpn;
	w->tlb[v].writable[ppn] = !pmap_entry(w->pm[v], ppn)->cow;
	w->trace = w->trace * 31 + pmap_entry(w->pm[v], ppn)->mpn;
	w->done[write]++;
}

static void walk_share_in(struct world *w, unsigned v)
{
	uint32_t ppn = pick_page(w), block = pick(w, BLOCKS), mpn;
	unsigned i = pick(w, IMAGES);
	int err = image_block(w->image[i], block, pick(w, 2), &mpn, NULL);

	if (err) {
		ck_assert_int_eq(err, -ENOMEM);
		w->exhausted++;
		return;
	}
	pmap_share_in(w->pm[v], ppn, mpn, frame_kind(w->mem, mpn));
	memcpy(w->page[v][ppn], w->block[i][block], PAGE_SIZE);
	w->done[2]++;
}

static void walk_share_out(struct world *w, unsigned v)
{
	uint32_t h = pick(w, HELD), ppn = pick_page(w), mpn;
	struct frame_user owner = {OWNER_DISK, h};

	if (w->held[h].mpn != MPN_NONE) {
		frame_del_user(w->mem, w->held[h].mpn, owner);
		w->held[h].mpn = MPN_NONE;
		return;
	}
	mpn = pmap_share_out(w->pm[v], ppn, pick(w, 2));
	if (mpn == MPN_NONE) {
		w->exhausted++;
		return;
	}
	frame_add_user(w->mem, mpn, owner);
	w->held[h].mpn = mpn;
	memcpy(w->held[h].word, w->page[v][ppn], PAGE_SIZE);
	w->done[3]++;
}

static void walk_boundary(struct world *w)
{
	unsigned v = pick(w, VMS), what = pick(w, 20);
	uint32_t ppn = pick_page(w);

	if (what < 5) {
		walk_share_in(w, v);
	} else if (what < 8) {
		walk_share_out(w, v);
	} else if (what < 13) {
		pmap_drop(w->pm[v], ppn);
		memset(w->page[v][ppn], 0, PAGE_SIZE);
		w->done[4]++;
	} else if (what < 19) {
		walk_access(w, v, what & 1);
	} else {
		pmap_drain(w->pm[v]);
		w->done[5]++;
	}
}

static void walk_compare(struct world *w)
{
	memory_check(w->mem);
	for (unsigned v = 0; v < VMS; v++) {
		pmap_check(w->pm[v]);
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
			const struct pmap_entry *e = pmap_entry(w->pm[v], ppn);
			const struct tlb *tlb = &w->tlb[v];
			static const uint32_t zero[WORDS];

			ck_assert(tlb->mpn[ppn] == MPN_NONE ||
				  (tlb->mpn[ppn] == e->mpn && !(tlb->writable[ppn] && e->cow)));
			ck_assert_mem_eq(e->mpn == MPN_NONE ? zero : frame_data(w->mem, e->mpn),
				w->page[v][ppn], PAGE_SIZE);
		}
	}
	for (unsigned h = 0; h < HELD; h++)
		if (w->held[h].mpn != MPN_NONE)
			ck_assert_mem_eq(
				frame_data(w->mem, w->held[h].mpn), w->held[h].word, PAGE_SIZE);
}

static uint64_t walk(uint64_t seed, struct world *w)
{
	struct memory_usage u;
	uint64_t digest = 0;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->mem = SMALL_MEMORY(170, 130);
	w->cache = image_cache_create(w->mem);
	w->block = xcalloc(IMAGES, sizeof(w->block[0]));
	w->page = xcalloc(VMS, sizeof(w->page[0]));
	for (unsigned i = 0; i < IMAGES; i++) {
		for (unsigned b = 0; b < BLOCKS; b++)
			for (unsigned at = 0; at < WORDS; at++)
				w->block[i][b][at] = i << 24 | b << 16 | at;
		w->image[i] = image_from_bytes(w->cache, "image", w->block[i], sizeof(w->block[i]),
			i ? FRAME_CACHE : FRAME_TEXT);
	}
	for (unsigned v = 0; v < VMS; v++)
		w->pm[v] = vm(w->mem, v, &w->tlb[v]);
	for (unsigned h = 0; h < HELD; h++)
		w->held[h].mpn = MPN_NONE;

	for (unsigned quantum = 0; quantum < 1200; quantum++) {
		for (unsigned v = 0; v < VMS; v++) {
			pmap_release_deferred(w->pm[v]);
			pmap_refill(w->pm[v], v & 1);
		}
		w->mem->boundary = false;
		for (unsigned n = pick(w, 40); n > 0; n--)
			walk_access(w, pick(w, VMS), pick(w, 2));
		w->mem->boundary = true;
		for (unsigned n = pick(w, 40); n > 0; n--)
			walk_boundary(w);
		/* Now and then a guest lets go of much, so that shortage ends as well as begins. */
		if (quantum % 50 == 49)
			for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
				pmap_drop(w->pm[quantum % VMS], ppn);
				memset(w->page[quantum % VMS][ppn], 0, PAGE_SIZE);
			}
		if (quantum % 10 == 0)
			walk_compare(w);
	}
	walk_compare(w);
	for (unsigned v = 0; v < VMS; v++) {
		digest = digest * 31 + pmap_digest(w->pm[v]);
		pmap_destroy(w->pm[v]);
	}
	for (unsigned h = 0; h < HELD; h++)
		if (w->held[h].mpn != MPN_NONE)
			frame_del_user(w->mem, w->held[h].mpn, (struct frame_user){OWNER_DISK, h});
	for (unsigned i = 0; i < IMAGES; i++)
		image_close(w->image[i]);
	image_cache_destroy(w->cache);
	memory_check(w->mem);
	memory_usage(w->mem, -1, &u);
	ck_assert_uint_eq(u.free, u.total);
	ck_assert_uint_eq(u.kind[FRAME_FREE], u.total);
	memory_destroy(w->mem);
	free(w->block);
	free(w->page);
	return digest * 31 + w->trace;
}

START_TEST(a_random_walk_agrees_with_the_model)
{
	static struct world w;

	walk(100 + (uint64_t)_i, &w);
	/* The walk must have been everywhere. */
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_gt(w.done[i], 100);
	ck_assert_uint_gt(w.exhausted, 100);
	ck_assert_uint_gt(w.waited, 100);
}
END_TEST

START_TEST(the_same_walk_ends_the_same)
{
	static struct world w;

	ck_assert_uint_eq(walk(7, &w), walk(7, &w));
	ck_assert_uint_ne(walk(7, &w), walk(8, &w));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pmap");
	TCase *tc = tcase_create("pmap");

	tcase_add_test(tc, first_touch_takes_a_zero_frame_of_the_node);
	tcase_add_test(tc, first_touches_go_home_from_any_node);
	tcase_add_test(tc, a_store_in_the_run_phase_copies_and_settles_later);
	tcase_add_test(tc, the_last_user_keeps_the_frame_at_the_boundary);
	tcase_add_test(tc, a_page_shared_out_is_copied_by_the_next_store);
	tcase_add_test(tc, what_a_vm_gets_does_not_depend_on_who_runs_first);
	tcase_add_test(tc, exhaustion_is_an_error_and_no_frame_is_lost_to_a_reserve);
	tcase_add_test(tc, two_starving_vms_both_get_on);
	tcase_add_test(tc, starving_vms_do_not_take_the_last_frame_in_turn);
	tcase_add_test(tc, a_node_without_memory_uses_what_the_vm_has_for_others);
	tcase_add_test(tc, the_digest_is_of_what_the_guest_sees);
	tcase_add_loop_test(tc, a_random_walk_agrees_with_the_model, 0, INSTRUMENTED ? 1 : 4);
	tcase_add_test(tc, the_same_walk_ends_the_same);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
