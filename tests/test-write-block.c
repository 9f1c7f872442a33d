// SPDX-License-Identifier: MIT
/*
 * Under an engine whose CPUs run while the monitor works, a page may be stored to up to the moment
 * its stores are blocked, and not after. Here the engine's write_block() makes that last store itself: what is moved,
 * copied, taken for zero or for identical must be the page as it is then.
 */
#include <string.h>

#include "numa/memory/move.h"
#include "numa/memory/pmap.h"
#include "sharing/content.h"
#include "tests/small-machine.h"

enum { PAGES = 8, MS = 1000, ROUNDS = 2000 };

static struct {
	struct memory *mem;
	struct pmap *pm;
	unsigned blocks;
	unsigned stores; /* that are still to come */
	uint32_t to;     /* the page they go to */
} w;

static void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	(void)engine, (void)ppn, (void)old;
}

static void write_block(void *engine, uint32_t ppn, uint32_t mpn)
{
	uint64_t *page = frame_data(w.mem, mpn);

	(void)engine;
	w.blocks++;
	if (ppn == w.to && w.stores) {
		w.stores--;
		page[7]++;
	}
}

static const struct pmap_ops ops = {.shootdown = shoot, .write_block = write_block};

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	w.mem = SMALL_MEMORY(64, 64);
}

static uint64_t *page_of(uint32_t ppn)
{
	bool writable;
	void *host;

	ck_assert_int_eq(pmap_fault(w.pm, ppn, 0, true, &host, &writable), 0);
	return host;
}

static uint64_t word(uint32_t ppn)
{
	return pmap_entry(w.pm, ppn)->mpn == MPN_NONE
		       ? 0
		       : ((uint64_t *)frame_data(w.mem, pmap_entry(w.pm, ppn)->mpn))[7];
}

static void end(void)
{
	pmap_destroy(w.pm);
	memory_check(w.mem);
	memory_destroy(w.mem);
}

START_TEST(the_last_store_moves_along)
{
	uint32_t copy;

	begin();
	w.pm = pmap_create(w.mem, 0, PAGES, &ops, NULL);
	page_of(3)[7] = 41;
	w.to = 3;
	w.stores = 1;
	ck_assert_int_eq(page_migrate(w.mem, pmap_entry(w.pm, 3)->mpn, 1, NULL), 0);
	ck_assert_uint_eq(w.stores, 0);
	ck_assert_uint_eq(word(3), 42);
	w.stores = 1;
	ck_assert_int_eq(page_replicate(w.mem, pmap_entry(w.pm, 3)->mpn, 0, &copy), 0);
	ck_assert_uint_eq(((uint64_t *)frame_data(w.mem, copy))[7], 43);
	memory_check(w.mem); /* that copies are as their master */
	end();
}
END_TEST

static struct content *watch(struct machine *m)
{
	const struct content_options o = {.zero = true, .same = true, .rate = 20, .seed = 1};
	struct content *c;

	*m = (struct machine){.n_nodes = 2, .clock_hz = MS * 1000};
	memory_share_zero(w.mem);
	c = content_create(w.mem, m, &o);
	w.pm = pmap_create(w.mem, 0, PAGES, &ops, NULL);
	content_add(c, w.pm);
	return c;
}

static void look(struct content *c)
{
	static uint64_t now;

	for (unsigned i = 0; i < ROUNDS; i++) {
		content_ran(c, 0, now * MS); /* much, or its memory is not worth a look */
		content_scan(c, now += MS, MS);
	}
}

START_TEST(a_page_stored_to_at_last_is_not_zero)
{
	struct machine m;
	struct content *c;

	begin();
	c = watch(&m);
	page_of(2);
	w.to = 2;
	w.stores = 1;
	look(c);
	ck_assert_uint_eq(w.stores, 0);
	ck_assert_uint_eq(word(2), 1);
	content_destroy(c);
	end();
}
END_TEST

START_TEST(a_page_stored_to_at_last_is_not_identical)
{
	struct machine m;
	struct content *c;

	begin();
	c = watch(&m);
	page_of(1)[7] = page_of(5)[7] = 9;
	w.to = 5;
	w.stores = 1;
	look(c);
	ck_assert_uint_eq(w.stores, 0);
	ck_assert_uint_eq(word(1), 9);
	ck_assert_uint_eq(word(5), 10);
	/* And without a store they become one. */
	page_of(1)[7] = 10;
	look(c);
	ck_assert_uint_eq(pmap_entry(w.pm, 1)->mpn, pmap_entry(w.pm, 5)->mpn);
	content_destroy(c);
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("write block");
	TCase *tc = tcase_create("write block");

	tcase_add_test(tc, the_last_store_moves_along);
	tcase_add_test(tc, a_page_stored_to_at_last_is_not_zero);
	tcase_add_test(tc, a_page_stored_to_at_last_is_not_identical);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
