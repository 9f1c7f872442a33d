// SPDX-License-Identifier: MIT
/*
 * Standard output and whole files; see output.h. stdio remembers that a write failed but not why,
 * so the reason is given only when the last flush is what failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/base/output.h"
#include "numa/util.h"

int output_close_stream(FILE *f, bool sync)
{
	int err = ferror(f) ? -EIO : 0;

	if (fflush(f) || (sync && fsync(fileno(f)) && errno != EINVAL && errno != EROFS))
		err = -errno;
	if (fclose(f) && !err)
		err = -errno;
	return err;
}

static const char *reason(int err)
{
	return err == -EIO ? "a write failed; is there room?" : strerror(-err);
}

static void close_stdout(int status, void *unused)
{
	int err = output_close_stream(stdout, false);

	(void)unused;
	if (!err)
		return;
	complain(-err, "standard output: some of it is lost: %s", reason(err));
	if (!status)
		_exit(EXIT_FAILURE);
}

void output_begin(void)
{
	/* Of standard output the wrong way: /dev/null would take what then seems to be kept. */
	static const int mode[] = {O_RDONLY, O_RDONLY, O_WRONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) != fd)
			_exit(EXIT_FAILURE);
	signal(SIGXFSZ, SIG_IGN);
	on_exit(close_stdout, NULL);
}

int output_open(struct output *o, const char *name)
{
	o->name = xstrdup(name);
	o->temporary = xasprintf("%s.%ld.tmp", name, (long)getpid());
	o->file = fopen(o->temporary, "we");
	if (o->file)
		return 0;
	int err = complain(errno, "%s: cannot be written: %s", name, strerror(errno));

	free(o->name);
	free(o->temporary);
	return err;
}

int output_close(struct output *o, bool keep)
{
	int err = output_close_stream(o->file, keep);

	if (keep && !err && rename(o->temporary, o->name))
		err = -errno;
	if (keep && err)
		complain(-err, "%s: cannot be written: %s", o->name, reason(err));
	if (!keep || err)
		unlink(o->temporary);
	free(o->name);
	free(o->temporary);
	return keep ? err : 0;
}
