// SPDX-License-Identifier: MIT
/*
 * What scripts of pictures are made of: numbers with three digits, labels in lines, and when
 * regions of interest were.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/plot/plot.h"
#include "monitor/vm/counts.h"
#include "monitor/vm/vm.h"

START_TEST(numbers_have_three_digits)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {{0, "0"}, {0.0004, "0"}, {-0.0001, "0"}, {0.0123, "0.012"}, {0.9949, "0.995"},
		{0.996, "1.00"}, {1.066, "1.07"}, {9.996, "10.0"}, {27.04, "27.0"}, {99.96, "100"},
		{142.4, "142"}, {6417.3, "6417"}, {-2.5, "-2.50"}};
	char text[PLOT_NUMBER];

	ck_assert_str_eq(plot_number(text, cases[_i].v), cases[_i].text);
}
END_TEST

static char *wrapped(const char *label, unsigned width)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	plot_wrapped(out, label, width);
	fclose(out);
	return text;
}

START_TEST(labels_break_at_spaces)
{
	static const struct {
		const char *label;
		unsigned width, lines;
		const char *text;
	} cases[] = {{"", 5, 1, "''"}, {"vm0", 1, 1, "'vm0'"}, {"two words", 9, 1, "'two words'"},
		{"two words", 8, 2, "'two'.\"\\n\".'words'"},
		{"a b c d", 3, 2, "'a b'.\"\\n\".'c d'"},
		{"it's `x` \"y\"", 4, 3, "'it''s'.\"\\n\".'`x`'.\"\\n\".'\"y\"'"},
		{"end ", 3, 2, "'end'.\"\\n\".''"}};
	char *text = wrapped(cases[_i].label, cases[_i].width);

	ck_assert_str_eq(text, cases[_i].text);
	ck_assert_uint_eq(plot_lines(cases[_i].label, cases[_i].width), cases[_i].lines);
	free(text);
}
END_TEST

START_TEST(the_longest_word_is_found)
{
	ck_assert_uint_eq(plot_longest_word(""), 0);
	ck_assert_uint_eq(plot_longest_word("zero fault Disco"), 5);
	ck_assert_uint_eq(plot_longest_word("a  Engineering"), 11);
}
END_TEST

/* Names are drawn for at most ten of any number of bars, and for all of a few. */
START_TEST(names_of_bars_have_room)
{
	for (size_t n = 1; n <= 1000; n++) {
		size_t every = plot_every(n);

		ck_assert_uint_ge(every, 1);
		ck_assert_uint_le((n + every - 1) / every, 10);
		ck_assert(n > 10 || every == 1);
	}
}
END_TEST

static unsigned regions(const char *text, struct plot_span *span)
{
	json_t *root = json_loads(text, 0, NULL);
	unsigned n;

	ck_assert_ptr_nonnull(root);
	n = plot_regions(root, span);
	json_decref(root);
	return n;
}

START_TEST(regions_of_several_vms_are_one)
{
	struct plot_span span[REGIONS_MAX];

	ck_assert_uint_eq(regions("{}", span), 0);
	/* They overlap, one is nested; then one begins and the run ends. */
	ck_assert_uint_eq(
		regions("{\"cycles\": 90, \"numa\": {\"vms\": ["
			"{\"marks\": [{\"value\": 3, \"cycles\": 10}, {\"value\": 3, \"cycles\": "
			"12},"
			" {\"value\": 4, \"cycles\": 14}, {\"value\": 4, \"cycles\": 20}]},"
			"{\"marks\": [{\"value\": 2, \"cycles\": 1}, {\"value\": 3, \"cycles\": "
			"15},"
			" {\"value\": 4, \"cycles\": 30}, {\"value\": 3, \"cycles\": 70}]}]}}",
			span),
		2);
	ck_assert(span[0].from == 10 && span[0].to == 30);
	ck_assert(span[1].from == 70 && span[1].to == 90);
	/* A VM that stops leaves its region. */
	ck_assert_uint_eq(
		regions("{\"cycles\": 90, \"vms\": [{\"stopped_cycles\": 50}], \"numa\": {\"vms\": "
			"[{\"marks\": [{\"value\": 3, \"cycles\": 10}]}]}}",
			span),
		1);
	ck_assert(span[0].from == 10 && span[0].to == 50);
}
END_TEST

START_TEST(regions_beyond_the_last_are_left_out)
{
	struct plot_span span[REGIONS_MAX + 1] = {[REGIONS_MAX] = {-1, -1}};
	json_t *marks = json_array(), *root;

	for (int i = 0; i < 2 * REGIONS_MAX + 10; i++)
		json_array_append_new(marks, json_pack("{s:i, s:i}", "value",
						     i % 2 ? MARK_END : MARK_BEGIN, "cycles", i));
	root = json_pack("{s:i, s:{s:[{s:o}]}}", "cycles", 999, "numa", "vms", "marks", marks);
	ck_assert_uint_eq(plot_regions(root, span), REGIONS_MAX);
	ck_assert(span[REGIONS_MAX - 1].to == 2 * REGIONS_MAX - 1);
	ck_assert(span[REGIONS_MAX].from == -1);
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plot");
	TCase *t = tcase_create("plot");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, numbers_have_three_digits, 0, 13);
	tcase_add_loop_test(t, labels_break_at_spaces, 0, 7);
	tcase_add_test(t, the_longest_word_is_found);
	tcase_add_test(t, names_of_bars_have_room);
	tcase_add_test(t, regions_of_several_vms_are_one);
	tcase_add_test(t, regions_beyond_the_last_are_left_out);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
