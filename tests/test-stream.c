// SPDX-License-Identifier: MIT
/*
 * Console streams: bytes come out in their order however they are taken, output keeps its end, input
 * stops at its limit, and the digest is of all output, drained or not.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/console.h"
#include "tests/small-machine.h"

enum { OUTPUT_LIMIT = 1 << 20, INPUT_LIMIT = 64 << 10 };

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void put(struct stream *s, size_t from, size_t n)
{
	uint8_t *bytes = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		bytes[i] = pattern(from + i);
	stream_output(s, bytes, n);
	free(bytes);
}

/* All that can be drained, `step` bytes at a time, is the pattern from `from` on: how much. */
static size_t drain(struct stream *s, size_t from, size_t step)
{
	uint8_t bytes[4096];
	size_t n, all = 0;

	while ((n = stream_drain(s, bytes, step))) {
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(bytes[i], pattern(from + all + i));
		all += n;
	}
	return all;
}

START_TEST(output_keeps_its_order_across_the_rings_end)
{
	struct stream *s = stream_create();
	size_t in = 0, out = 0;
	uint8_t byte;

	ck_assert_uint_eq(stream_drain(s, &byte, 1), 0);
	for (size_t n = 1; n < 400; n += 13) {
		put(s, in, n);
		in += n;
		ck_assert_uint_eq(stream_drain(s, &byte, 1), 1);
		ck_assert_uint_eq(byte, pattern(out++));
	}
	out += drain(s, out, 7);
	ck_assert_uint_eq(out, in);
	ck_assert_uint_eq(stream_output_bytes(s), in);
	stream_destroy(s);
}
END_TEST

START_TEST(too_much_output_loses_the_oldest)
{
	struct stream *s = stream_create();

	put(s, 0, OUTPUT_LIMIT - 10);
	put(s, OUTPUT_LIMIT - 10, 1000);
	ck_assert_uint_eq(drain(s, 990, 4096), OUTPUT_LIMIT);
	/* More than the limit at once. */
	put(s, 0, OUTPUT_LIMIT + 12345);
	ck_assert_uint_eq(drain(s, 12345, 4096), OUTPUT_LIMIT);
	ck_assert_uint_eq(stream_output_bytes(s), 2u * OUTPUT_LIMIT + 990 + 12345);
	stream_destroy(s);
}
END_TEST

START_TEST(the_digest_is_of_all_output)
{
	struct stream *a = stream_create(), *b = stream_create(), *c = stream_create();

	put(a, 0, OUTPUT_LIMIT + 5000);
	for (size_t at = 0; at < OUTPUT_LIMIT + 5000; at += 1000) {
		put(b, at, MIN((size_t)1000, OUTPUT_LIMIT + 5000 - at));
		drain(b, at, 512);
	}
	put(c, 1, OUTPUT_LIMIT + 5000);
	ck_assert_uint_eq(stream_digest(a), stream_digest(b));
	ck_assert_uint_ne(stream_digest(a), stream_digest(c));
	stream_destroy(a);
	stream_destroy(b);
	stream_destroy(c);
}
END_TEST

static void woken(void *arg)
{
	++*(unsigned *)arg;
}

START_TEST(input_beyond_its_limit_is_refused)
{
	static uint8_t bytes[INPUT_LIMIT + 100], back[INPUT_LIMIT];
	struct stream *s = stream_create();
	unsigned wakes = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(i);
	stream_on_input(s, woken, &wakes);
	ck_assert_uint_eq(stream_input(s, bytes, 0), 0);
	ck_assert_uint_eq(wakes, 0);
	ck_assert_uint_eq(stream_input(s, bytes, sizeof(bytes)), INPUT_LIMIT);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(stream_input(s, bytes, 1), 0);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(stream_take_input(s, back, 10), 10);
	ck_assert_uint_eq(stream_input(s, bytes + INPUT_LIMIT, 100), 10);
	ck_assert_uint_eq(stream_input_pending(s), INPUT_LIMIT);
	ck_assert_uint_eq(stream_take_input(s, back, INPUT_LIMIT), INPUT_LIMIT);
	ck_assert_mem_eq(back, bytes + 10, INPUT_LIMIT);
	stream_destroy(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream");
	TCase *t = tcase_create("stream");

	tcase_add_test(t, output_keeps_its_order_across_the_rings_end);
	tcase_add_test(t, too_much_output_loses_the_oldest);
	tcase_add_test(t, the_digest_is_of_all_output);
	tcase_add_test(t, input_beyond_its_limit_is_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
