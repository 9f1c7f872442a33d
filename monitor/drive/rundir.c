// SPDX-License-Identifier: MIT
/*
 * The directory of run sockets; see rundir.h. /tmp is open to all, so an existing directory is only
 * trusted when it is the user's and closed to others.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/drive/rundir.h"
#include "numa/util.h"

enum {
	RUN_NAME_BYTES = 256,
	USUAL_NAME = 24, /* "/NAME.sock", where NAME is a process's number or a word */
};

/* Is path, made if need be, a directory of this user alone, where a socket with a name of usual length
 * has room? NULL, or what is wrong. */
static const char *unfit(const char *path)
{
	struct stat st;

	if (strlen(path) + USUAL_NAME >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "too long for a socket's address";
	if ((mkdir(path, 0700) && errno != EEXIST) || lstat(path, &st))
		return strerror(errno);
	if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || st.st_mode & 077)
		return "not a directory that only this user may enter";
	return NULL;
}

/* Directories /tmp/disco-UID.XXXXXX: the first of this user's, else a new one. Nothing that another
 * user makes there can be in the way. */
static int open_other(char *path, size_t bytes)
{
	char prefix[32];
	struct dirent *entry;
	DIR *d = opendir("/tmp");
	bool found = false;

	snprintf(prefix, sizeof(prefix), "disco-%u.", (unsigned)getuid());
	while (d && !found && (entry = readdir(d))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, bytes, "/tmp/%s", entry->d_name);
		found = !unfit(path);
	}
	if (d)
		closedir(d);
	if (found)
		return 0;
	snprintf(path, bytes, "/tmp/%sXXXXXX", prefix);
	return mkdtemp(path) ? 0 : -errno;
}

int rundir_open(char *path, size_t bytes)
{
	const char *base = getenv("XDG_RUNTIME_DIR"), *wrong;
	char *wanted = base && *base == '/' ? xasprintf("%s/disco", base)
					    : xasprintf("/tmp/disco-%u", (unsigned)getuid());
	int err = 0;

	wrong = unfit(wanted);
	if (!wrong) {
		snprintf(path, bytes, "%s", wanted);
	} else {
		char *why = xstrdup(wrong);

		err = open_other(path, bytes);
		if (err)
			complain(0, "%s: %s; /tmp: %s", wanted, why, strerror(-err));
		else
			complain(0, "%s: %s; sockets of runs are in %s", wanted, why, path);
		free(why);
	}
	free(wanted);
	return err;
}

int rundir_remover(int dir, const char *file)
{
	int end[2];
	sigset_t all;
	char byte;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end))
		return -errno;
	child = fork();
	if (child) {
		close(end[1]);
		if (child > 0)
			return end[0];
		close(end[0]);
		return -EAGAIN;
	}
	/* It holds nothing of the run's open, and lives until the other end is closed. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	dup2(end[1], 0);
	dup2(dir, 1);
	close_range(2, ~0u, 0);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	unlinkat(1, file, 0);
	_exit(0);
}

void rundir_remove(int remover)
{
	char byte = 0;

	if (write(remover, &byte, 1) == 1)
		while (read(remover, &byte, 1) < 0 && errno == EINTR)
			; /* its end is closed when it has done it */
	close(remover);
}

int rundir_address(const char *dir, const char *name, struct sockaddr_un *sa)
{
	int n;

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s.sock", dir, name);
	if (n < 0 || (size_t)n >= sizeof(sa->sun_path))
		return complain(
			ENAMETOOLONG, "the name '%s' is too long for a socket in %s", name, dir);
	return 0;
}

static int connect_to(const char *dir, const char *name, int *fd)
{
	struct sockaddr_un sa;
	int err = rundir_address(dir, name, &sa);

	if (err)
		return err;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return complain(errno, "socket: %s", strerror(errno));
	if (!connect(*fd, (struct sockaddr *)&sa, sizeof(sa)))
		return 0;
	err = -errno;
	close(*fd);
	return err;
}

/* Calls each() with the name of every run that answers; returns how many there are. Sockets of
 * those that do not are removed. */
static unsigned for_each_run(const char *dir, void (*each)(const char *name, void *arg), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;
	int fd, err;

	while (d && (entry = readdir(d))) {
		char name[sizeof(entry->d_name)];
		size_t length = strlen(entry->d_name);

		if (length <= 5 || strcmp(entry->d_name + length - 5, ".sock"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(length - 5), entry->d_name);
		err = connect_to(dir, name, &fd);
		if (err == -ECONNREFUSED)
			unlinkat(dirfd(d), entry->d_name, 0); /* left by a run that was killed */
		if (err)
			continue;
		close(fd);
		each(name, arg);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

static void print_name(const char *name, void *arg)
{
	(void)arg;
	puts(name);
}

static void copy_name(const char *name, void *arg)
{
	snprintf(arg, RUN_NAME_BYTES, "%s", name);
}

void rundir_list(const char *dir)
{
	for_each_run(dir, print_name, NULL);
}

int rundir_connect(const char *dir, const char *wanted, char *name, size_t bytes)
{
	char only[RUN_NAME_BYTES] = "";
	unsigned runs;
	int fd;

	if (!wanted) {
		runs = for_each_run(dir, copy_name, only);
		if (runs != 1)
			return complain(runs ? EINVAL : ENOENT,
				runs ? "more than one run is going on: choose by --name from "
				       "'disco console --list'"
				     : "no run is going on");
	}
	snprintf(name, bytes, "%s", wanted ? wanted : only);
	if (connect_to(dir, name, &fd))
		return complain(ENOENT, "no run named '%s' is going on", name);
	return fd;
}
