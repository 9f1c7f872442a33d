// SPDX-License-Identifier: MIT
/*
 * Where the program's data is found: by DISCO_DATA, beside the program, above it, or in ../share/disco,
 * in that order; and that a folder above which belongs to a stranger is not taken.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/machine/data.h"
#include "tests/small-machine.h"

static char top[] = "/tmp/disco-test-data-XXXXXX";

/* Make top/dir/numa/machine/machines, and the program's folder top/a/b/bin. */
static void put(const char *dir)
{
	char *command = xasprintf("mkdir -p %s/%s/numa/machine/machines %s/a/b/bin", top, dir, top);

	ck_assert_int_eq(system(command), 0);
	free(command);
}

static void clear(void)
{
	char *command = xasprintf("rm -rf %s/*", top);

	ck_assert_int_eq(system(command), 0);
	free(command);
}

/* For the program top/a/b/bin/disco of this owner: what is found, below top; "" for none. */
static const char *found(uid_t owner, const char *set)
{
	static char text[4096];
	char *program = xasprintf("%s/a/b/bin/disco", top), *dir = data_dir_of(program, owner, set);

	snprintf(text, sizeof(text), "%s", dir ? dir + strlen(top) : "");
	free(dir);
	free(program);
	return text;
}

START_TEST(the_nearest_is_taken)
{
	static const char *const order[] = {"a/b/bin", "a/b", "a/b/share/disco", "a", ""};

	for (size_t i = ARRAY_SIZE(order); i-- > 0;) {
		char *wanted = xasprintf("%s%s", *order[i] ? "/" : "", order[i]);

		put(order[i]);
		ck_assert_str_eq(found(getuid(), NULL), wanted);
		ck_assert_str_eq(found(getuid(), ""), wanted);
		free(wanted);
	}
}
END_TEST

START_TEST(what_the_user_sets_is_all_there_is)
{
	char *set = xasprintf("%s/c/../c", top);

	put("a/b");
	ck_assert_str_eq(found(getuid(), set), "");
	put("c");
	ck_assert_str_eq(found(getuid(), set), "/c");
	free(set);
}
END_TEST

START_TEST(nothing_is_nothing)
{
	put("elsewhere");
	ck_assert_str_eq(found(getuid(), NULL), "");
	put("a/b");
	ck_assert_str_eq(found(getuid(), NULL), "/a/b");
	free(data_dir_of("no-slash", 0, NULL));
}
END_TEST

/* Programs in there are run. */
START_TEST(a_folder_above_of_a_stranger_is_not_taken)
{
	char *dir = xasprintf("%s/a/b", top);

	if (getuid())
		return; /* cannot make a stranger's */
	put("a/b");
	put("a/b/share/disco");
	ck_assert_int_eq(chown(dir, 12345, 12345), 0);
	ck_assert_str_eq(found(0, NULL), "/a/b/share/disco");
	ck_assert_str_eq(found(12345, NULL), "/a/b");
	free(dir);
}
END_TEST

START_TEST(this_tests_own_data_is_found)
{
	char *path = data_path("guests/debian/fetch");

	ck_assert_ptr_nonnull(path);
	ck_assert_int_eq(access(path, X_OK), 0);
	free(path);
	setenv("DISCO_DATA", top, 1);
	ck_assert_ptr_null(data_path("guests"));
	unsetenv("DISCO_DATA");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("data");
	TCase *c = tcase_create("data");

	if (!mkdtemp(top))
		return 1;
	tcase_add_checked_fixture(c, NULL, clear);
	tcase_add_test(c, the_nearest_is_taken);
	tcase_add_test(c, what_the_user_sets_is_all_there_is);
	tcase_add_test(c, nothing_is_nothing);
	tcase_add_test(c, a_folder_above_of_a_stranger_is_not_taken);
	tcase_add_test(c, this_tests_own_data_is_found);
	suite_add_tcase(s, c);
	return run_suite(s) | rmdir(top);
}
