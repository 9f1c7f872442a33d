// SPDX-License-Identifier: MIT
/*
 * What is refused before a run; see preflight.h. A file that cannot be read is for those to report
 * who open it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/run/add-vm.h"
#include "monitor/run/preflight.h"
#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "numa/machine/data.h"
#include "numa/util.h"
#include "sharing/format.h"

bool expects_root(const struct run *r)
{
	return r->guest_disk || r->options->n_disks;
}

/* The first disk is a root: compressed, it would hold no file system. */
static int check_disk(const struct disk_option *d, bool is_root)
{
	const struct disk_format *f;
	char head[FORMAT_HEAD_BYTES];
	char *path = disk_path_for(d, 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : 0;

	f = disk_format(head, n > 0 ? (size_t)n : 0);
	if (f && (is_root || !f->packed))
		err = complain(EINVAL, "--disk %s: %s, not a raw disk; make one: %s", path, f->name,
			f->remedy);
	if (fd >= 0)
		close(fd);
	free(path);
	return err;
}

/* The bytes of memory that the guest needs; 0: it does not say. */
static uint64_t floor_of(const char *guest, const char *arch)
{
	char *what = xasprintf("guests/%.*s/needs", (int)strcspn(guest, "/"), guest);
	char *path = data_path(what);
	char *key = xasprintf("memory.%s", arch);
	const char *text;
	uint64_t bytes = 0;
	config_t config;

	config_init(&config);
	if (path && !access(path, R_OK)) {
		if (!config_read_file(&config, path))
			die("%s:%d: %s", path, config_error_line(&config),
				config_error_text(&config));
		if (config_lookup_string(&config, key, &text) && parse_size(text, &bytes))
			die("%s: %s is no size: '%s'", path, key, text);
	}
	config_destroy(&config);
	free(key);
	free(path);
	free(what);
	return bytes;
}

int preflight(const struct run *r)
{
	const struct run_options *o = r->options;
	const struct board *board = r->cluster.engine->board;
	uint64_t floor = o->guest && !o->kernel ? floor_of(o->guest, board->arch) : 0;
	int err = 0;

	if (o->memory < floor)
		return complain(EINVAL,
			"--memory: %llu MB, but the guest '%s' needs at least %llu MB to start",
			(unsigned long long)(o->memory >> 20), o->guest,
			(unsigned long long)(floor >> 20));
	for (unsigned i = 0; !err && i < o->n_disks; i++)
		if (o->disk[i].mode != DISK_SCRATCH)
			err = check_disk(&o->disk[i], i == 0 && o->guest && !r->guest_disk);
	return err;
}
