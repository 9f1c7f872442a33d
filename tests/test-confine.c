// SPDX-License-Identifier: MIT
/*
 * After confine(): no program can be run and no name space left, by any thread; files, memory and
 * threads are as before.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/confine.h"
#include "tests/small-machine.h"

static void *try_to_leave(void *arg)
{
	char *argv[] = {(char *)"true", NULL};
	int *failed = arg;

	*failed = execv("/bin/true", argv) == -1 && errno == EPERM;
	*failed += unshare(CLONE_FS) == -1 && errno == EPERM;
	*failed += setuid(getuid()) == -1 && errno == EPERM;
	return NULL;
}

START_TEST(nothing_is_left_to_break_out_with)
{
	int here = 0, there = 0;
	pthread_t thread;
	FILE *f;

	ck_assert_int_eq(confine(), 0);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	try_to_leave(&here);
	ck_assert_int_eq(here, 3);
	ck_assert_int_eq(pthread_create(&thread, NULL, try_to_leave, &there), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(there, 3);
	f = tmpfile();
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs("a result", f), 0);
	ck_assert_int_eq(fclose(f), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("confine");
	TCase *tc = tcase_create("confine");

	tcase_add_test(tc, nothing_is_left_to_break_out_with);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
