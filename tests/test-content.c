// SPDX-License-Identifier: MIT
/*
 * Zero and identical pages, each rule by itself: what is found, when, what it costs, what hints do,
 * and that a hash is never believed. tests/test-content-walks.c has all of them at once.
 */
#include "tests/content-world.h"

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
	/* A page that is shared already does not change: the first scan will do. */
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

START_TEST(scans_are_bounded_and_charged_to_idle_cpus_first)
{
	static struct world w;
	uint64_t before, charged;

	make_world(&w, 1, 200, (struct content_options){.rate = 5});
	for (unsigned v = 0; v < VMS; v++)
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
			put(&w, v, ppn, (v * VM_PAGES + ppn) * 3 + 1);
	charged = pass_ms(&w, 4, 0);
	ck_assert_uint_eq(scans(&w), 20);
	ck_assert_uint_eq(charged, 20 * 7);
	before = scans(&w);
	charged = pass_ms(&w, 4, 1000000);
	ck_assert_uint_eq(scans(&w) - before, 20 * CONTENT_IDLE);
	ck_assert_uint_eq(charged, 0);
	/* Idle time for three more scans, beside the five that are due anyway. */
	before = scans(&w);
	charged = pass_ms(&w, 1, 3 * 7);
	ck_assert_uint_eq(scans(&w) - before, 5 + 3);
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
		content_scan(w.content, w.now, 0);
	}
	ck_assert_uint_eq(scans(&w), 60);
	content_ran(w.content, 1, 8 * 30 * 7 + 1);
	for (unsigned i = 0; i < 20; i++) {
		w.now += 10 * MS;
		content_scan(w.content, w.now, 0);
	}
	ck_assert_uint_eq(scans(&w), 120);
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

/* The VM gives a page back. */
static void give(struct world *w, unsigned v, uint32_t ppn)
{
	pmap_drop(w->vm[v].pm, ppn);
	content_given(w->content, v, ppn);
}

static void fill_vms(struct world *w, unsigned n)
{
	for (unsigned v = 0; v < n; v++)
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
			put(w, v, ppn, (v * VM_PAGES + ppn) * 3 + 1);
}

/* A page as a kernel takes it into use: cleared first. */
static void take(struct world *w, unsigned v, uint32_t ppn)
{
	content_wrote(w->vm[v].log, ppn);
	put(w, v, ppn, 0);
}

START_TEST(pages_in_use_again_are_looked_at_when_they_are_filled)
{
	const struct content_stats *s;
	static struct world w;
	uint32_t mpn;

	make_world(&w, 1, 300, (struct content_options){.zero = true, .rate = 1});
	s = content_vm_stats(w.content, 1);
	fill_vms(&w, 2);
	MUST(!image_block(w.kernel, 6, 0, &mpn, NULL)); /* all 3 */
	pmap_share_in(w.vm[0].pm, 1, mpn, FRAME_TEXT);
	content_hint(w.content, 0, 1);
	content_hint(w.content, 0, 40);
	pass_ms(&w, 2, 0);
	for (uint32_t ppn = 100; ppn < 104; ppn++)
		give(&w, 1, ppn);
	/* A store that needs no translation is not heard of: once is enough. */
	for (uint32_t ppn = 100; ppn < 104; ppn++)
		take(&w, 1, ppn);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(s->reused, 4);
	ck_assert_uint_eq(s->scans_reused, 0);
	put(&w, 1, 100, 3);              /* a page of a file */
	put(&w, 1, 101, get(&w, 0, 40)); /* a page that another VM may be working on */
	put(&w, 1, 102, 5555);           /* no other VM's; and 103 stays as it was cleared */
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(s->scans_reused, 4);
	ck_assert_uint_eq(s->merged_reused, 1);
	ck_assert_uint_eq(frame_at(&w, 1, 100), mpn);
	ck_assert_uint_ne(frame_at(&w, 1, 101), frame_at(&w, 0, 40));
	pass_ms(&w, 10, 0);
	pass_ms(&w, 10, 0);
	ck_assert_uint_eq(s->scans_reused, 7);
	ck_assert_uint_eq(s->merged_reused, 2);
	ck_assert_uint_eq(frame_at(&w, 1, 101), frame_at(&w, 0, 40));
	ck_assert_uint_eq(s->found_zero, 0);
	pass_ms(&w, 100, 0);
	ck_assert_uint_eq(s->scans_reused, 7);
	ck_assert_uint_eq(s->found_zero, 1); /* by the pass */
	/* In use for long, it is a page like any other. */
	content_wrote(w.vm[1].log, 102);
	pass_ms(&w, 1, 0);
	ck_assert_uint_eq(s->reused, 4);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(pages_given_back_are_not_looked_at)
{
	static struct world w;
	uint64_t before;

	make_world(&w, 1, 300, (struct content_options){.rate = 100});
	fill_vms(&w, 2);
	for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++)
		take(&w, 0, ppn);
	for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
		content_hint(w.content, 0, ppn);
		give(&w, 0, ppn);
		take(&w, 0, ppn);
		give(&w, 0, ppn);
	}
	pass_ms(&w, 20, 0);
	pass_ms(&w, 20, 0);
	ck_assert_uint_eq(content_vm_stats(w.content, 0)->reused, VM_PAGES);
	ck_assert_uint_eq(content_vm_stats(w.content, 0)->scans, 0);
	before = content_vm_stats(w.content, 1)->scans;
	ck_assert_uint_ge(before, VM_PAGES);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(pages_in_use_again_take_no_scans_beyond_the_rate)
{
	const struct content_stats *s;
	static struct world w;
	uint64_t before;

	make_world(&w, 1, 300, (struct content_options){.rate = 2});
	s = content_vm_stats(w.content, 0);
	fill_vms(&w, 1);
	for (unsigned round = 0; round < 20; round++) {
		for (uint32_t ppn = 0; ppn < VM_PAGES; ppn++) {
			give(&w, 0, ppn);
			take(&w, 0, ppn);
			put(&w, 0, ppn, ppn * 3 + 1);
		}
		pass_ms(&w, 0, 0);
	}
	ck_assert_uint_eq(s->reused, 20 * VM_PAGES);
	before = s->scans;
	pass_ms(&w, 10, 0);
	pass_ms(&w, 10, 0);
	pass_ms(&w, 30, 0);
	ck_assert_uint_eq(s->scans - before, 2 * 50);
	ck_assert_uint_gt(s->scans_reused, 0);
	/* However often they were given, each is remembered but once a generation. */
	for (unsigned i = 0; i < 5; i++)
		pass_ms(&w, 1000, 0);
	ck_assert_uint_le(s->scans_reused, 4 * VM_PAGES);
	ck_assert_uint_eq(s->hints_lost, 0);
	check_all(&w);
	end_world(&w);
}
END_TEST

START_TEST(without_identical_pages_nothing_is_kept_of_pages_given_back)
{
	static struct world w;
	struct content *only_zero;
	struct content_log *log;

	make_world(&w, 1, 100, (struct content_options){0});
	content_destroy(w.content);
	only_zero = content_create(w.mem, &w.machine, &(struct content_options){.zero = true});
	log = content_add(only_zero, w.vm[0].pm);
	content_given(only_zero, 0, 7);
	ck_assert_ptr_null(log->given);
	w.content = only_zero;
	end_world(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("content");
	TCase *rules = tcase_create("rules");
	int status;

	make_disk();
	tcase_add_test(rules, identical_pages_come_to_share_a_frame_until_written);
	tcase_add_test(rules, a_page_being_worked_on_is_left_alone_unless_hinted);
	tcase_add_test(rules, zero_pages_give_their_frame_back);
	tcase_add_test(rules, a_page_of_zeroes_is_written_to_disk);
	tcase_add_test(rules, private_pages_join_those_of_files);
	tcase_add_test(rules, equal_hashes_of_unequal_pages_share_nothing);
	tcase_add_test(rules, scans_are_bounded_and_charged_to_idle_cpus_first);
	tcase_add_test(rules, vms_that_do_not_run_are_looked_at_twice);
	tcase_add_test(rules, copies_of_delivered_pages_are_found_at_once);
	tcase_add_test(rules, pages_in_use_again_are_looked_at_when_they_are_filled);
	tcase_add_test(rules, pages_given_back_are_not_looked_at);
	tcase_add_test(rules, pages_in_use_again_take_no_scans_beyond_the_rate);
	tcase_add_test(rules, without_identical_pages_nothing_is_kept_of_pages_given_back);
	suite_add_tcase(s, rules);
	status = run_suite(s);
	unlink(disk_file);
	return status;
}
