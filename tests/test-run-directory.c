// SPDX-License-Identifier: MIT
/*
 * Where runs are found: a directory that only its user may enter, a socket for each run whose name
 * must fit, and of the sockets there only those that answer.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/drive/rundir.h"
#include "tests/small-machine.h"

static char base[] = "/tmp/disco-test-XXXXXX";
static char dir[64], path[PATH_MAX];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(strcpy(base, "/tmp/disco-test-XXXXXX")));
	setenv("XDG_RUNTIME_DIR", base, 1);
	ck_assert_int_eq(rundir_open(dir, sizeof(dir)), 0);
}

static void teardown(void)
{
	rmdir(dir);
	rmdir(base);
}

/* A run of that name: its listening socket. */
static int run(const char *name)
{
	struct sockaddr_un sa;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(rundir_address(dir, name, &sa), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	return fd;
}

static const char *file(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s.sock", dir, name);
	return path;
}

START_TEST(the_directory_is_its_users_alone)
{
	struct stat st;
	char other[64];

	ck_assert_int_eq(strncmp(dir, base, strlen(base)), 0);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(rundir_open(other, sizeof(other)), 0); /* it is there already */
	ck_assert_str_eq(other, dir);
}
END_TEST

START_TEST(a_name_must_fit_into_an_address)
{
	struct sockaddr_un sa;
	char name[sizeof(sa.sun_path)];
	size_t room = sizeof(sa.sun_path) - 1 - strlen(dir) - strlen("/.sock");

	memset(name, 'n', sizeof(name));
	name[room] = '\0';
	ck_assert_int_eq(rundir_address(dir, name, &sa), 0);
	ck_assert_str_eq(sa.sun_path, file(name));
	name[room] = 'n';
	name[room + 1] = '\0';
	ck_assert_int_eq(rundir_address(dir, name, &sa), -ENAMETOOLONG);
	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(rundir_address(name, "n", &sa), -ENAMETOOLONG);
}
END_TEST

START_TEST(the_only_run_needs_no_name)
{
	char name[64];
	int a, b, fd;

	ck_assert_int_eq(rundir_connect(dir, NULL, name, sizeof(name)), -ENOENT);
	a = run("first");
	fd = rundir_connect(dir, NULL, name, sizeof(name));
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "first");
	close(fd);
	b = run("second");
	ck_assert_int_eq(rundir_connect(dir, NULL, name, sizeof(name)), -EINVAL);
	fd = rundir_connect(dir, "second", name, sizeof(name));
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "second");
	close(fd);
	ck_assert_int_eq(rundir_connect(dir, "third", name, sizeof(name)), -ENOENT);
	close(a);
	close(b);
	unlink(file("first"));
	unlink(file("second"));
}
END_TEST

START_TEST(sockets_that_do_not_answer_are_removed)
{
	int left = run("left"), live = run("live");
	char name[64];
	FILE *other;
	int fd;

	close(left); /* as of a run that was killed */
	snprintf(path, sizeof(path), "%s/note", dir);
	other = fopen(path, "w");
	ck_assert_ptr_nonnull(other);
	fclose(other);
	fd = rundir_connect(dir, NULL, name, sizeof(name));
	ck_assert_int_ge(fd, 0);
	ck_assert_str_eq(name, "live");
	ck_assert_int_eq(access(file("left"), F_OK), -1);
	ck_assert_int_eq(access(file("live"), F_OK), 0);
	snprintf(path, sizeof(path), "%s/note", dir);
	ck_assert_int_eq(unlink(path), 0); /* was not touched */
	close(fd);
	close(live);
	unlink(file("live"));
}
END_TEST

/* Of root, who can make another user's directory. */
START_TEST(what_another_user_made_is_not_in_the_way)
{
	char other[PATH_MAX], again[PATH_MAX];
	struct stat st;

	if (geteuid())
		return;
	ck_assert_int_eq(chown(dir, 12345, 12345), 0);
	ck_assert_int_eq(rundir_open(other, sizeof(other)), 0);
	ck_assert_str_ne(other, dir);
	ck_assert_int_eq(lstat(other, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_uint_eq(st.st_uid, getuid());
	ck_assert_int_eq(rundir_open(again, sizeof(again)), 0); /* where the console looks */
	ck_assert_str_eq(other, again);
	rmdir(other);
}
END_TEST

START_TEST(a_path_too_long_for_sockets_is_not_cut)
{
	char other[PATH_MAX], name[PATH_MAX], longer[256];
	struct sockaddr_un sa;

	for (size_t n = 40; n < 120; n++) {
		memset(longer, 'd', sizeof(longer));
		memcpy(longer, base, strlen(base));
		longer[strlen(base)] = '/';
		longer[n] = '\0';
		ck_assert_int_eq(mkdir(longer, 0700), 0);
		setenv("XDG_RUNTIME_DIR", longer, 1);
		ck_assert_int_eq(rundir_open(other, sizeof(other)), 0);
		snprintf(name, sizeof(name), "%s/disco", longer);
		ck_assert(!strcmp(other, name) || strlen(name) > 80);
		ck_assert(!strcmp(other, name) || !strncmp(other, "/tmp/disco-", 11));
		ck_assert_int_eq(access(other, X_OK), 0);
		ck_assert_int_eq(rundir_address(other, "1234567890", &sa), 0);
		rmdir(other);
		ck_assert_int_eq(rmdir(longer), 0); /* nothing else was made in it */
	}
}
END_TEST

START_TEST(a_remover_removes_when_told_and_when_left)
{
	int at = open(dir, O_PATH | O_DIRECTORY), remover;

	for (int told = 0; told < 2; told++) {
		close(run("r"));
		remover = rundir_remover(at, "r.sock");
		ck_assert_int_ge(remover, 0);
		ck_assert_int_eq(access(file("r"), F_OK), 0);
		if (told)
			rundir_remove(remover);
		else
			close(remover);
		while (!told && !access(file("r"), F_OK))
			usleep(1000);
		ck_assert_int_eq(access(file("r"), F_OK), -1);
	}
	close(at);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("run-directory");
	TCase *t = tcase_create("rundir");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_directory_is_its_users_alone);
	tcase_add_test(t, a_name_must_fit_into_an_address);
	tcase_add_test(t, the_only_run_needs_no_name);
	tcase_add_test(t, sockets_that_do_not_answer_are_removed);
	tcase_add_test(t, what_another_user_made_is_not_in_the_way);
	tcase_add_test(t, a_path_too_long_for_sockets_is_not_cut);
	tcase_add_test(t, a_remover_removes_when_told_and_when_left);
	suite_add_tcase(s, t);
	return run_suite(s);
}
