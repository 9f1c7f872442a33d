// SPDX-License-Identifier: MIT
/*
 * After confine(): no program can be run, no file be written, removed or read that the caller did
 * not name, no signal be sent to another process, and no privilege is left, to any thread; open
 * files, memory and threads are as before.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <limits.h>
#include <linux/landlock.h>
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/drive/confine.h"
#include "tests/small-machine.h"

static char secret[] = "/tmp/disco-secret-XXXXXX";
static const struct confinement inside = {.dir = -1}, outside = {.dir = -1, .outside = true};

/* Counts in *arg the ways out that are open. */
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
	*open_ways += unlink("/tmp/disco-confined") != -1 || errno != ENOSYS;
	*open_ways += unlinkat(AT_FDCWD, "/tmp/disco-confined", 0) != -1 || errno != ENOSYS;
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
	if (confine(&inside))
		return -1;
	try_to_leave(&here);
	if (pthread_create(&thread, NULL, try_to_leave, &there))
		return -1;
	pthread_join(thread, NULL);
	return here + there;
}

/*
 * Whatever fcntl() could make the kernel send a signal to another process with; `victim` ignores
 * none. Counts the commands that work, and in the hundreds those of a run that do not.
 */
static int send_signals(int victim)
{
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = victim};
	int fd[2], wrong = 0;

	if (pipe(fd) || confine(&inside))
		return -1;
	wrong += fcntl(fd[0], F_SETOWN, victim) != -1 || errno != ENOSYS;
	wrong += fcntl(fd[0], F_SETOWN_EX, &owner) != -1 || errno != ENOSYS;
	wrong += fcntl(fd[0], F_SETSIG, SIGKILL) != -1 || errno != ENOSYS;
	wrong += fcntl(fd[0], F_SETFL, O_ASYNC) != -1 || errno != ENOSYS;
	wrong += fcntl(fd[0], F_SETLEASE, F_RDLCK) != -1 || errno != ENOSYS;
	wrong += fcntl(fd[0], F_NOTIFY, DN_MODIFY) != -1 || errno != ENOSYS;
	wrong += ioctl(fd[0], FIOASYNC, &wrong) != -1 || errno != ENOSYS;
	if (write(fd[1], "x", 1) != 1)
		return -1;
	wrong += 100 * (fcntl(fd[0], F_SETFL, O_NONBLOCK) != 0);
	wrong += 100 * (fcntl(fd[0], F_GETFL) != O_NONBLOCK);
	wrong += 100 * (fcntl(fd[0], F_SETFD, FD_CLOEXEC) != 0);
	wrong += 100 * (fcntl(fd[0], F_GETFD) != FD_CLOEXEC);
	wrong += 100 * (fcntl(fd[0], F_DUPFD_CLOEXEC, 100) < 100);
	return MIN(wrong, 254);
}

/* Does the kernel have Landlock? Else paths are not limited, as the manual page says. */
static bool paths_are_limited(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* A directory with `mine` and `tree/exported` in it, and beside it the file `other`. */
static char scratch[] = "/tmp/disco-confine-XXXXXX";

static void make_file(const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0666), 0);
	close(fd);
}

static void make_dir(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, 0777), 0); /* root becomes another user */
}

/* Counts the files that can be removed but must not, and in the hundreds those that must but cannot.
 */
static int remove_files(int limited)
{
	char path[PATH_MAX];
	int dir, other, wrong = 0;

	snprintf(path, sizeof(path), "%s/dir", scratch);
	dir = open(path, O_PATH | O_DIRECTORY);
	other = open(scratch, O_PATH | O_DIRECTORY);
	if (dir < 0 || other < 0 || confine(&(struct confinement){.dir = dir}))
		return -1;
	snprintf(path, sizeof(path), "%s/other", scratch);
	wrong += unlink(path) != -1 || errno != ENOSYS;
	wrong += unlinkat(other, "other", 0) != -1 || errno != ENOSYS;
	wrong += unlinkat(dir, "sub", AT_REMOVEDIR) != -1 || errno != ENOSYS;
	if (limited) {
		wrong += unlinkat(dir, path, 0) != -1 || errno != EACCES;
		wrong += unlinkat(dir, "../other", 0) != -1 || errno != EACCES;
	}
	wrong += 100 * (unlinkat(dir, "mine", 0) != 0);
	return MIN(wrong, 254);
}

static int read_files(int limited)
{
	char tree[PATH_MAX], path[PATH_MAX];
	const char *const read[] = {tree, "/proc/stat", "/no/such/file", NULL};
	int fd, wrong = 0;

	snprintf(tree, sizeof(tree), "%s/dir", scratch);
	fd = open(tree, O_PATH | O_DIRECTORY);
	if (fd < 0 || confine(&(struct confinement){.read = read, .dir = -1}))
		return -1;
	if (limited) {
		snprintf(path, sizeof(path), "%s/other", scratch);
		wrong += open(path, O_RDONLY) != -1 || errno != EACCES;
		wrong += openat(fd, "../other", O_RDONLY) != -1 || errno != EACCES;
		wrong += open("/etc/passwd", O_RDONLY) != -1 || errno != EACCES;
		wrong += open("/proc/self/root/etc/passwd", O_RDONLY) != -1 || errno != EACCES;
	}
	wrong += 100 * (openat(fd, "sub/exported", O_RDONLY) < 0);
	wrong += 100 * (openat(fd, "sub", O_RDONLY | O_DIRECTORY) < 0);
	wrong += 100 * (open("/proc/stat", O_RDONLY) < 0);
	wrong += 100 * (open("/proc/self/maps", O_RDONLY) < 0);
	return MIN(wrong, 254);
}

/* With a way out: counts what cannot go there but must, and the ways that are open beside it. */
static int go_out(int arg)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd, wrong = 0, one = 1;

	(void)arg;
	if (confine(&outside))
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

static int make_process(int arg)
{
	(void)arg;
	if (confine(&inside))
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

/* The sanitizers' search for leaks, which ends a process that it cannot look at; else NULL. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* Counts what a run needs but has not. */
static int work(int arg)
{
	enum { BYTES = 64 << 20 };
	char *bytes, text[16] = "";
	FILE *f = tmpfile();
	int missing = 0;

	(void)arg;
	if (!f || confine(&inside))
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
	missing += __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check();
	return missing;
}

/* Counts what is left of root when user `sudo` called sudo; 0: root did not come by sudo. */
static int be_less(int sudo)
{
	char text[16];
	int left = 0;

	snprintf(text, sizeof(text), "%d", sudo);
	if (sudo)
		setenv("SUDO_UID", text, 1);
	else
		unsetenv("SUDO_UID");
	if (confine(&inside))
		return -1;
	left += getuid() != (sudo ? (uid_t)sudo : 65534);
	left += status_line("CapPrm:") != 0;
	left += status_line("CapEff:") != 0;
	left += open(secret, O_RDONLY) != -1 || errno != EACCES;
	return left;
}

static int keep_reading(int arg)
{
	const char *const read[] = {secret, NULL};
	struct confinement c = {.read = read, .dir = -1, .read_all = true};

	(void)arg;
	if (confine(&c))
		return -1;
	return (getuid() == 0) + (open(secret, O_RDONLY) < 0) +
	       (status_line("CapPrm:") != 1 << 2); /* CAP_DAC_READ_SEARCH */
}

/* As root of a container may be, without the capability that is to be kept. */
static int keep_nothing(int arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	const char *const read[] = {secret, NULL};
	struct confinement c = {.read = read, .dir = -1, .read_all = true};

	(void)arg;
	data[0].effective = data[0].permitted = 1u << CAP_SETUID | 1u << CAP_SETGID;
	if (syscall(SYS_capset, &header, data) || confine(&c))
		return -1;
	return (getuid() == 0) + (open(secret, O_RDONLY) >= 0) + (status_line("CapPrm:") != 0);
}

static void remove_tree(void)
{
	static const char *const names[] = {
		"dir/sub/exported", "dir/sub", "dir/mine", "dir", "other", ""};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch, names[i]);
		remove(path);
	}
}

/* In a process of its own: libcheck itself makes calls that are not allowed any more. */
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
	ck_assert_int_eq(in_process(make_process, 0), 0);
}
END_TEST

START_TEST(no_signal_reaches_another_process)
{
	pid_t victim = fork();
	int status;

	if (!victim)
		for (;;)
			pause();
	ck_assert_int_gt(victim, 0);
	ck_assert_int_eq(in_process(send_signals, victim), 0);
	ck_assert_int_eq(waitpid(victim, &status, WNOHANG), 0);
	kill(victim, SIGKILL);
	waitpid(victim, &status, 0);
}
END_TEST

START_TEST(files_not_named_are_neither_removed_nor_read)
{
	bool limited = paths_are_limited();

	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chmod(scratch, 0777), 0);
	make_dir("dir");
	make_dir("dir/sub");
	make_file("dir/sub/exported");
	make_file("dir/mine");
	make_file("other");
	ck_assert_int_eq(in_process(read_files, limited), 0);
	ck_assert_int_eq(in_process(remove_files, limited), 0);
	remove_tree();
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
	ck_assert_int_eq(in_process(keep_nothing, 0), 0);
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
	tcase_add_test(tc, no_signal_reaches_another_process);
	tcase_add_test(tc, files_not_named_are_neither_removed_nor_read);
	tcase_add_test(tc, what_a_run_needs_is_left);
	tcase_add_test(tc, a_way_out_is_for_connections_alone);
	tcase_add_test(tc, root_becomes_who_called_sudo_or_nobody);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
