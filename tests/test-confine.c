// SPDX-License-Identifier: MIT
/*
 * After confine(): no program can be run, nothing be written that was not open, and no privilege is
 * left, to any thread; open files, memory, threads and reading are as before.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/drive/confine.h"
#include "tests/small-machine.h"

static char secret[] = "/tmp/disco-secret-XXXXXX";

/* How many ways out are open. */
static void *try_to_leave(void *arg)
{
	char *argv[] = {(char *)"true", NULL};
	char key = 'x';
	int *open_ways = arg;
	void *code;

	*open_ways = execv("/bin/true", argv) != -1 || errno != ENOSYS;
	*open_ways += unshare(CLONE_FS) != -1;
	*open_ways += setuid(getuid()) != -1;
	*open_ways += socket(AF_INET, SOCK_STREAM, 0) != -1;
	*open_ways += open("/tmp/disco-confined", O_CREAT | O_WRONLY, 0600) != -1;
	*open_ways += open("/dev/null", O_RDONLY | O_TRUNC) != -1;
	*open_ways +=
		rename("/tmp/disco-confined", "/tmp/disco-confined-2") != -1 || errno != ENOSYS;
	*open_ways += kill(getppid(), 0) != -1;
	*open_ways += ioctl(STDIN_FILENO, TIOCSTI, &key) != -1 || errno != ENOSYS;
	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*open_ways += code != MAP_FAILED;
	return NULL;
}

static int leave(int arg)
{
	int here = 0, there = 0;
	pthread_t thread;

	(void)arg;
	if (confine(false, false))
		return -1;
	try_to_leave(&here);
	if (pthread_create(&thread, NULL, try_to_leave, &there))
		return -1;
	pthread_join(thread, NULL);
	return here + there;
}

/* With a way out: how much is missing of what goes there, and what is open beside it. */
static int go_out(int arg)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd, wrong = 0, one = 1;

	(void)arg;
	if (confine(false, true))
		return -1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	wrong += fd < 0;
	wrong += setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0;
	wrong += ioctl(fd, FIONREAD, &one) != 0 && errno == ENOSYS;
	to.sin_port = htons(9);
	wrong += connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno == ENOSYS;
	wrong += bind(fd, (struct sockaddr *)&to, sizeof(to)) != -1 || errno != ENOSYS;
	wrong += listen(fd, 1) != -1 || errno != ENOSYS;
	wrong += socket(AF_UNIX, SOCK_STREAM, 0) != -1 || errno != ENOSYS;
	wrong += socket(AF_INET6, SOCK_STREAM, 0) != -1 || errno != ENOSYS;
	wrong += socket(AF_NETLINK, SOCK_RAW, 0) != -1 || errno != ENOSYS;
	return wrong;
}

/* A leak's search, with sanitizers, does. */
static int make_process(int arg)
{
	(void)arg;
	if (confine(false, false))
		return -1;
	return fork() != -1;
}

static unsigned long status_line(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	unsigned long value = ULONG_MAX;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, 16);
	if (f)
		fclose(f);
	return value;
}

/* How much of what a run needs is missing. */
static int work(int arg)
{
	enum { BYTES = 64 << 20 };
	char *bytes, text[16] = "";
	FILE *f = tmpfile();
	int missing = 0;

	(void)arg;
	if (!f || confine(false, false))
		return -1;
	missing += fputs("a result", f) < 0;
	rewind(f);
	missing += !fgets(text, sizeof(text), f) || strcmp(text, "a result");
	missing += fclose(f) != 0;
	bytes = malloc(BYTES);
	missing += !bytes;
	if (bytes)
		memset(bytes, 1, BYTES);
	free(bytes);
	missing += status_line("NoNewPrivs:") != 1;
	return missing;
}

/* The rights of root that are left when user `sudo` called sudo, or with 0 no user did. */
static int be_less(int sudo)
{
	char text[16];
	int left = 0;

	snprintf(text, sizeof(text), "%d", sudo);
	if (sudo)
		setenv("SUDO_UID", text, 1);
	else
		unsetenv("SUDO_UID");
	if (confine(false, false))
		return -1;
	left += getuid() != (sudo ? (uid_t)sudo : 65534);
	left += status_line("CapPrm:") != 0;
	left += status_line("CapEff:") != 0;
	left += open(secret, O_RDONLY) != -1 || errno != EACCES;
	return left;
}

static int keep_reading(int arg)
{
	(void)arg;
	if (confine(true, false))
		return -1;
	return (getuid() == 0) + (open(secret, O_RDONLY) < 0) +
	       (status_line("CapPrm:") != 1 << 2); /* CAP_DAC_READ_SEARCH */
}

/* Check itself does in a test what is not allowed any more. */
static int in_process(int (*f)(int), int arg)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(f(arg));
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(nothing_is_left_to_break_out_with)
{
	ck_assert_int_eq(in_process(leave, 0), 0);
#ifndef __SANITIZE_ADDRESS__
	ck_assert_int_eq(in_process(make_process, 0), 0);
#else
	(void)make_process;
#endif
}
END_TEST

START_TEST(what_a_run_needs_is_left)
{
	ck_assert_int_eq(in_process(work, 0), 0);
}
END_TEST

START_TEST(root_becomes_who_called_sudo_or_nobody)
{
	int fd;

	if (geteuid())
		return; /* nothing to give up */
	fd = mkstemp(secret);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0600), 0);
	close(fd);
	ck_assert_int_eq(in_process(be_less, 0), 0);
	ck_assert_int_eq(in_process(be_less, 12345), 0);
	ck_assert_int_eq(in_process(keep_reading, 0), 0);
	unlink(secret);
}
END_TEST

START_TEST(a_way_out_is_for_connections_alone)
{
	ck_assert_int_eq(in_process(go_out, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("confine");
	TCase *tc = tcase_create("confine");

	tcase_add_test(tc, nothing_is_left_to_break_out_with);
	tcase_add_test(tc, what_a_run_needs_is_left);
	tcase_add_test(tc, a_way_out_is_for_connections_alone);
	tcase_add_test(tc, root_becomes_who_called_sudo_or_nobody);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
