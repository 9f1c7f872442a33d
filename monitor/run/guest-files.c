// SPDX-License-Identifier: MIT
/*
 * A guest's files; see guest-files.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/run/guest-files.h"
#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "numa/machine/data.h"
#include "numa/util.h"

int guest_fetch(const char *guest, const char *arch, char dir[PATH_MAX])
{
	int name_length = (int)strcspn(guest, "/");
	const char *variant = guest[name_length] ? guest + name_length + 1 : NULL;
	char *guests = data_path("guests");
	char *program = xasprintf("%s/%.*s/fetch", guests ? guests : "", name_length, guest);
	bool other = strcmp(arch, board_virt.arch);
	const char *argv[5] = {program};
	int out[2], status, err = 0;
	pid_t child;
	FILE *f;

	if (!guests) {
		free(program);
		return -ENOENT;
	}
	free(guests);
	if (access(program, X_OK)) {
		err = complain(ENOENT, "--guest: there is no guest '%s' (no %s)", guest, program);
		free(program);
		return err;
	}
	if (pipe(out))
		die("pipe: %s", strerror(errno));
	if (variant)
		argv[1] = variant;
	if (other) {
		argv[variant ? 2 : 1] = "--arch";
		argv[variant ? 3 : 2] = arch;
	}
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (!child) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	dir[0] = '\0';
	while (f && fgets(dir, PATH_MAX, f))
		dir[strcspn(dir, "\n")] = '\0';
	if (f)
		fclose(f);
	if (waitpid(child, &status, 0) < 0 || status || !dir[0])
		err = complain(
			EIO, "the guest '%s' could not be fetched: %s failed", guest, program);
	free(program);
	return err;
}

void guest_hash(const char *dir, char hash[GUEST_HASH_BYTES])
{
	char *path = xasprintf("%s/hash", dir);
	FILE *f = fopen(path, "re");

	if (!f || !fgets(hash, GUEST_HASH_BYTES, f))
		*hash = '\0';
	hash[strspn(hash, "0123456789abcdef")] = '\0';
	if (f)
		fclose(f);
	free(path);
}

/* dir/name, or NULL if the guest has no such file. */
static char *guest_file(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	if (!access(path, F_OK))
		return path;
	free(path);
	return NULL;
}

/* Whether a disk given may be the guest's root; with scratch disks alone, it has its own. */
static bool names_disk(const struct run_options *o)
{
	for (unsigned i = 0; i < o->n_disks; i++)
		if (o->disk[i].mode != DISK_SCRATCH)
			return true;
	return false;
}

int find_guest(struct run *r)
{
	const struct run_options *o = r->options;
	char dir[PATH_MAX];
	int err;

	if (!o->guest)
		return 0;
	err = guest_fetch(o->guest, r->cluster.engine->board->arch, dir);
	if (err)
		return err;
	guest_hash(dir, r->guest_hash);
	if (!o->kernel)
		r->guest_kernel = xasprintf("%s/kernel", dir);
	if (!o->initrd)
		r->guest_initrd = guest_file(dir, "initrd");
	if (!o->no_disk && !names_disk(o))
		r->guest_disk = guest_file(dir, "root.img");
	if (r->guest_disk && o->n_disks == OPTIONS_MAX_DISKS)
		return complain(ERANGE, "--disk: more than %d disks, with the guest's own",
			OPTIONS_MAX_DISKS);
	if (o->exec && !o->initrd && !r->guest_initrd)
		return complain(EINVAL,
			"--exec: the guest '%s' has no initrd that runs commands; --append "
			"gives it arguments",
			o->guest);
	return 0;
}
