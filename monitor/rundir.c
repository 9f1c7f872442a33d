// SPDX-License-Identifier: MIT
/*
 * The directory of run sockets; see rundir.h. /tmp is open to all, so an existing directory is only
 * trusted when it is ours and closed to others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/rundir.h"
#include "numa/util.h"

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
