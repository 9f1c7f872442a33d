// SPDX-License-Identifier: MIT
/*
 * What guests print cannot drive a terminal, and is not touched on its way anywhere else.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/guest-text.h"
#include "tests/small-machine.h"

static char *written(int terminal, const char *text, size_t n, size_t *bytes)
{
	char *out = NULL;
	FILE *f = open_memstream(&out, bytes);

	guest_text_write(f, terminal, text, n);
	fclose(f);
	return out;
}

START_TEST(terminals_get_printable_text_alone)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{"plain\ttext\n", "plain\ttext\n"},
		{"\033]0;title\007\033[2J", "]0;title[2J"},
		{"a\rb\bc\177d", "abcd"},
		{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
			"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\x9b"
		 "31m",
			"31m"}, /* CSI of an 8-bit terminal */
		{"\xc2\x9b"
		 "31m",
			"31m"},                 /* and of one that knows UTF-8 */
		{"\xc2\xa0", "\xc2\xa0"},       /* the first that is printable */
		{"\xc0\x9b \xe0\x82\x9b", " "}, /* longer than they need be */
		{"\xe2\x82", ""},               /* cut off */
		{"\xff\xfe", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		size_t n;
		char *out = written(1, row[i].in, strlen(row[i].in), &n);

		ck_assert_msg(!strcmp(out, row[i].out), "row %zu gives '%s'", i, out);
		free(out);
	}
}
END_TEST

START_TEST(files_get_every_byte)
{
	char all[256];
	size_t n;
	char *out;

	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)i;
	out = written(0, all, sizeof(all), &n);
	ck_assert_uint_eq(n, sizeof(all));
	ck_assert_mem_eq(out, all, n);
	free(out);
	out = written(1, all, sizeof(all), &n);
	ck_assert_uint_eq(n, 0x7f - 0x20 + 2);
	free(out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest-text");
	TCase *t = tcase_create("guest-text");

	tcase_add_test(t, terminals_get_printable_text_alone);
	tcase_add_test(t, files_get_every_byte);
	suite_add_tcase(s, t);
	return run_suite(s);
}
