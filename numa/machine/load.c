// SPDX-License-Identifier: MIT
/*
 * Loading a machine by name: a preset of the machines directory, a file, or this computer. It
 * stands above the two makers of machines, numa/machine/machine.c (from a description) and
 * numa/machine/host.c (from hwloc), so that neither needs to know of the other.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "numa/machine/data.h"
#include "numa/machine/private.h"
#include "numa/util.h"

/* Where the presets are. */
#define MACHINES "numa/machine/machines"

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && !strcmp(s + n - k, suffix);
}

static int only_conf(const struct dirent *d)
{
	return has_suffix(d->d_name, ".conf");
}

/* Complain that no machine is called `name`, and list those there are. */
static int unknown(const char *dir, const char *name)
{
	char *names = xstrdup("host");
	struct dirent **list;
	int n = scandir(dir, &list, only_conf, alphasort), err;

	for (int i = 0; i < n; i++) {
		char *longer = xasprintf(
			"%s, %.*s", names, (int)strlen(list[i]->d_name) - 5, list[i]->d_name);

		free(names);
		names = longer;
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	err = complain(
		ENOENT, "no machine '%s' in %s; give a file or one of: %s", name, dir, names);
	free(names);
	return err;
}

int machine_load(const char *name, struct machine **out)
{
	char *dir, *path;
	int err;

	if (!strcmp(name, "host"))
		return machine_host(out);
	if (strchr(name, '/') || has_suffix(name, ".conf"))
		return machine_from_file(name, out);
	dir = data_path(MACHINES);
	if (!dir)
		return -ENOENT;
	path = xasprintf("%s/%s.conf", dir, name);
	err = !*name || access(path, F_OK) ? unknown(dir, name) : machine_from_file(path, out);
	free(path);
	free(dir);
	return err;
}

void machine_free(struct machine *m)
{
	free(m);
}

int machine_list(FILE *out)
{
	char *dir = data_path(MACHINES);
	struct dirent **list;
	int n;

	if (!dir)
		return -ENOENT;
	n = scandir(dir, &list, only_conf, alphasort);
	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, list[i]->d_name);
		struct machine *m;

		if (!machine_from_file(path, &m)) {
			fprintf(out, "%-17s %s\n", m->name, m->description);
			machine_free(m);
		}
		free(path);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	fprintf(out, "%-17s %s\n", "host", "this computer, as hwloc sees it");
	free(dir);
	return 0;
}
