// SPDX-License-Identifier: MIT
/*
 * Where the program's data is; see data.h. The directory of machines marks it: the lowest room that
 * needs data needs that one.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/machine/data.h"
#include "numa/util.h"

enum { FOLDERS_ABOVE = 4 };

/* dir/more as a path without links or dots, if data is there, else NULL. */
static char *at(const char *dir, const char *more)
{
	char *path = xasprintf("%s%s", dir, more), *mark, *real = NULL;

	mark = xasprintf("%s/numa/machine/machines", path);
	if (!access(mark, R_OK | X_OK))
		real = realpath(path, NULL);
	free(mark);
	free(path);
	return real;
}

/* Folders above, of /tmp/x/disco for instance, may belong to any user. */
static bool is_trusted(const char *dir, uid_t owner)
{
	struct stat st;

	return !stat(dir, &st) && (!st.st_uid || st.st_uid == owner || st.st_uid == getuid());
}

char *data_dir_of(const char *program, uid_t owner, const char *set)
{
	char up[] = "/../../../..", *dir, *found;
	const char *slash = strrchr(program, '/');

	if (set && *set)
		return at(set, "");
	dir = xasprintf("%.*s", slash ? (int)(slash - program) : 0, program);
	found = at(dir, "");
	for (size_t above = 1; above <= FOLDERS_ABOVE && !found; above++) {
		up[3 * above] = '\0';
		found = at(dir, up);
		up[3 * above] = '/';
		if (found && !is_trusted(found, owner)) {
			free(found);
			found = NULL;
		}
		if (!found && above == 1)
			found = at(dir, "/../share/disco");
	}
	free(dir);
	return found;
}

char *data_dir(void)
{
	const char *set = getenv("DISCO_DATA");
	char program[PATH_MAX] = "", *dir;
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	struct stat st;

	program[MAX(n, 0)] = '\0';
	dir = data_dir_of(program, stat("/proc/self/exe", &st) ? 0 : st.st_uid, set);
	if (!dir && set && *set)
		complain(ENOENT, "DISCO_DATA: there is no numa/machine/machines in '%s'", set);
	else if (!dir)
		complain(ENOENT,
			"no data (numa/machine/machines) in %.*s, above it or in ../share/disco: "
			"set DISCO_DATA",
			(int)(strrchr(program, '/') ? strrchr(program, '/') - program : 0),
			program);
	return dir;
}

char *data_path(const char *what)
{
	char *dir = data_dir(), *path = dir ? xasprintf("%s/%s", dir, what) : NULL;

	free(dir);
	return path;
}
