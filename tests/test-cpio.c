// SPDX-License-Identifier: MIT
/*
 * Archives that Linux unpacks: every header and every file's data begins at a multiple of four
 * bytes, whatever the lengths of names and data, and equal input gives equal bytes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/boot/cpio.h"
#include "tests/small-machine.h"

enum { HEAD_BYTES = 110, MODE = 1, FILESIZE = 6, NAMESIZE = 11 };

/* Field number n of a header, after the magic. */
static unsigned long field(const uint8_t *head, unsigned n)
{
	char hex[9] = "";

	memcpy(hex, head + 6 + 8 * n, 8);
	ck_assert_uint_eq(strspn(hex, "0123456789abcdef"), 8);
	return strtoul(hex, NULL, 16);
}

static size_t aligned(size_t n)
{
	return (n + 3) / 4 * 4;
}

/* Read the entry at *at and go on to the next. */
static void expect(const struct cpio *c, size_t *at, const char *name, unsigned long mode,
	const void *data, size_t bytes)
{
	const uint8_t *head = c->bytes + *at;
	size_t body = aligned(*at + HEAD_BYTES + strlen(name) + 1);

	ck_assert_uint_eq(*at % 4, 0);
	ck_assert_uint_le(aligned(body + bytes), c->n);
	ck_assert_mem_eq(head, "070701", 6);
	ck_assert_uint_eq(field(head, MODE), mode);
	ck_assert_uint_eq(field(head, FILESIZE), bytes);
	ck_assert_uint_eq(field(head, NAMESIZE), strlen(name) + 1);
	ck_assert_str_eq((const char *)head + HEAD_BYTES, name);
	for (size_t i = *at + HEAD_BYTES + strlen(name); i < body; i++)
		ck_assert_uint_eq(c->bytes[i], 0);
	if (bytes)
		ck_assert_mem_eq(c->bytes + body, data, bytes);
	for (size_t i = body + bytes; i < aligned(body + bytes); i++)
		ck_assert_uint_eq(c->bytes[i], 0);
	*at = aligned(body + bytes);
}

/* Names and data of every length modulo four. */
START_TEST(entries_are_aligned_for_any_length)
{
	static const char name[] = "disco/abcdefgh", data[] = "0123456789";
	struct cpio c = {0};
	size_t at = 0;
	char path[20];

	cpio_directory(&c, "disco");
	for (size_t n = 7; n < 12; n++)
		for (size_t bytes = 0; bytes < 6; bytes++) {
			snprintf(path, sizeof(path), "%.*s", (int)n, name);
			cpio_file(&c, path, data, bytes);
		}
	cpio_end(&c);
	expect(&c, &at, "disco", 040755, NULL, 0);
	for (size_t n = 7; n < 12; n++)
		for (size_t bytes = 0; bytes < 6; bytes++) {
			snprintf(path, sizeof(path), "%.*s", (int)n, name);
			expect(&c, &at, path, 0100644, data, bytes);
		}
	expect(&c, &at, "TRAILER!!!", 0, NULL, 0);
	ck_assert_uint_eq(at, c.n);
	free(c.bytes);
}
END_TEST

START_TEST(long_names_and_bytes_of_any_value_are_kept)
{
	uint8_t data[70000];
	char path[1000];
	struct cpio c = {0};
	size_t at = 0;

	memset(path, 'n', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 3);
	cpio_file(&c, path, data, sizeof(data));
	cpio_end(&c);
	expect(&c, &at, path, 0100644, data, sizeof(data));
	expect(&c, &at, "TRAILER!!!", 0, NULL, 0);
	ck_assert_uint_eq(at, c.n);
	free(c.bytes);
}
END_TEST

static struct cpio archive(void)
{
	struct cpio c = {0};

	cpio_directory(&c, "d");
	cpio_file(&c, "d/f", "text", 4);
	cpio_end(&c);
	return c;
}

START_TEST(equal_input_gives_equal_bytes)
{
	struct cpio a = archive(), b = archive();

	ck_assert_uint_eq(a.n, b.n);
	ck_assert_mem_eq(a.bytes, b.bytes, a.n);
	free(a.bytes);
	free(b.bytes);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpio");
	TCase *t = tcase_create("cpio");

	tcase_add_test(t, entries_are_aligned_for_any_length);
	tcase_add_test(t, long_names_and_bytes_of_any_value_are_kept);
	tcase_add_test(t, equal_input_gives_equal_bytes);
	suite_add_tcase(s, t);
	return run_suite(s);
}
