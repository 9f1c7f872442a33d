// SPDX-License-Identifier: MIT
/*
 * The directory of run sockets; see rundir.h. /tmp is open to all, so an existing directory is only
 * trusted when it is ours and closed to others.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/drive/rundir.h"
#include "numa/util.h"

enum { RUN_NAME_BYTES = 256 };

int rundir_open(char *path, size_t bytes)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (base && *base == '/')
		snprintf(path, bytes, "%s/disco", base);
	else
		snprintf(path, bytes, "/tmp/disco-%u", (unsigned)getuid());
	if (mkdir(path, 0700) && errno != EEXIST)
		return complain(errno, "%s: %s", path, strerror(errno));
	if (lstat(path, &st))
		return complain(errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || st.st_mode & 077)
		return complain(EACCES, "%s: not a directory that only this user may enter", path);
	return 0;
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
