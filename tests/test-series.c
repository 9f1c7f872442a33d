// SPDX-License-Identifier: MIT
/*
 * The time series of a run: it thins itself evenly when it is full, its end is there whatever the
 * interval, and the columns of its JSON are equally long.
 */
#include <jansson.h>

#include "monitor/report/series.h"
#include "monitor/report/stats.h"
#include "tests/sim-vm.h"

static void boundaries(struct series *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		series_boundary(s, &sim);
		sim.now += 100;
	}
}

START_TEST(all_samples_stay_while_there_is_room)
{
	struct series *s = xcalloc(1, sizeof(*s));

	sim_create(2);
	series_init(s);
	boundaries(s, SERIES_MAX);
	ck_assert_uint_eq(s->interval, 1);
	ck_assert_uint_eq(s->n, SERIES_MAX);
	for (unsigned i = 0; i < s->n; i++)
		ck_assert_uint_eq(s->sample[i].cycles, i * 100);
	sim_destroy();
	free(s);
}
END_TEST

START_TEST(a_full_series_thins_evenly)
{
	static const uint64_t lengths[] = {SERIES_MAX + 1, 2 * SERIES_MAX - 1, 2 * SERIES_MAX,
		2 * SERIES_MAX + 1, 5 * SERIES_MAX + 3, 40 * SERIES_MAX + 17};
	struct series *s = xcalloc(1, sizeof(*s));
	uint64_t due;

	sim_create(2);
	series_init(s);
	boundaries(s, lengths[_i]);
	due = (lengths[_i] + s->interval - 1) / s->interval;
	ck_assert_uint_eq(s->n, due);
	ck_assert_uint_le(s->n, SERIES_MAX);
	ck_assert_uint_ge(s->n, SERIES_MAX / 2);
	for (unsigned i = 0; i < s->n; i++)
		ck_assert_uint_eq(s->sample[i].cycles, i * s->interval * 100);
	/* The end is there whatever the interval, once. */
	series_end(s, &sim);
	ck_assert_uint_eq(s->n, due + 1);
	ck_assert_uint_eq(s->sample[due].cycles, lengths[_i] * 100);
	series_end(s, &sim);
	ck_assert_uint_eq(s->n, due + 1);
	sim_destroy();
	free(s);
}
END_TEST

START_TEST(columns_in_json_are_equally_long)
{
	struct series *s = xcalloc(1, sizeof(*s));
	json_t *o, *column;
	const char *key;

	sim_create(2);
	series_init(s);
	boundaries(s, 10);
	s->sample[3].remote = 77;
	s->sample[4].stall[STALL_TLB] = 78;
	o = series_json(s, 2);
	ck_assert_uint_eq(json_integer_value(json_object_get(o, "interval")), 1);
	json_object_foreach(o, key, column)
	{
		if (strcmp(key, "interval") && strcmp(key, "stall") && strcmp(key, "free_pages"))
			ck_assert_msg(json_array_size(column) == 10, "%s", key);
	}
	column = json_object_get(o, "remote");
	ck_assert_int_eq(json_integer_value(json_array_get(column, 3)), 77);
	column = json_object_get(json_object_get(o, "stall"), "tlb");
	ck_assert_int_eq(json_integer_value(json_array_get(column, 4)), 78);
	column = json_object_get(o, "free_pages");
	ck_assert_uint_eq(json_array_size(column), 2);
	ck_assert_int_eq(json_integer_value(json_array_get(json_array_get(column, 1), 9)),
		SIM_NODE_BYTES >> PAGE_SHIFT);
	json_decref(o);
	sim_destroy();
	free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("series");
	TCase *t = tcase_create("series");

	tcase_add_test(t, all_samples_stay_while_there_is_room);
	tcase_add_loop_test(t, a_full_series_thins_evenly, 0, 6);
	tcase_add_test(t, columns_in_json_are_equally_long);
	suite_add_tcase(s, t);
	return run_suite(s);
}
