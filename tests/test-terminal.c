// SPDX-License-Identifier: MIT
/*
 * The escape key: what is typed reaches the guest but for Ctrl-A and the key after it, wherever the
 * bytes are cut, and a command ends the scan right behind itself.
 */
#include <check.h>
#include <string.h>

#include "monitor/drive/terminal.h"
#include "tests/small-machine.h"

static struct terminal_filter filter;
static enum terminal_key key;
static size_t used, left;
static char bytes[64];

static void type(const char *text)
{
	left = strlen(text);
	memcpy(bytes, text, left);
	left = terminal_filter(&filter, bytes, left, &used, &key);
}

static void expect(const char *text, enum terminal_key wanted, size_t wanted_used)
{
	ck_assert_uint_eq(left, strlen(text));
	ck_assert_mem_eq(bytes, text, left);
	ck_assert_int_eq(key, wanted);
	ck_assert_uint_eq(used, wanted_used);
}

static void setup(void)
{
	filter.escaped = false;
}

START_TEST(plain_bytes_pass)
{
	type("");
	expect("", TERMINAL_NONE, 0);
	type("xcah\r\n\002\033[A\377");
	expect("xcah\r\n\002\033[A\377", TERMINAL_NONE, 11);
}
END_TEST

START_TEST(commands_stop_behind_themselves)
{
	type("ab\001xcd");
	expect("ab", TERMINAL_QUIT, 4);
	type("\001c12");
	expect("", TERMINAL_NEXT, 2);
	type("1\001h");
	expect("1", TERMINAL_HELP, 3);
	/* A key without a meaning shows the help. */
	type("\001?");
	expect("", TERMINAL_HELP, 2);
	type("x");
	expect("x", TERMINAL_NONE, 1);
}
END_TEST

START_TEST(the_escape_key_itself_can_be_sent)
{
	type("1\001a2\001\0013");
	expect("1\0012\0013", TERMINAL_NONE, 7);
}
END_TEST

START_TEST(a_sequence_may_be_cut_in_two)
{
	type("1\001");
	expect("1", TERMINAL_NONE, 2);
	type("x2");
	expect("", TERMINAL_QUIT, 1);
	type("\001");
	type("a");
	expect("\001", TERMINAL_NONE, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("terminal");
	TCase *t = tcase_create("terminal");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, plain_bytes_pass);
	tcase_add_test(t, commands_stop_behind_themselves);
	tcase_add_test(t, the_escape_key_itself_can_be_sent);
	tcase_add_test(t, a_sequence_may_be_cut_in_two);
	suite_add_tcase(s, t);
	return run_suite(s);
}
