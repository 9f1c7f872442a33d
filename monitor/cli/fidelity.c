// SPDX-License-Identifier: MIT
/*
 * `disco fidelity`: tells a run going on elsewhere, through its socket (rundir.h), to model the
 * memory system from its next boundary on, or to stop doing so. When that is depends on when it was
 * typed, and so then does the run; magic instructions in the guest (vm.h) do the same reproducibly.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/base/args.h"
#include "monitor/cli/command.h"
#include "monitor/drive/rundir.h"
#include "numa/util.h"

struct args {
	const char *name; /* NULL: the only run there is */
	const char *fidelity;
};

static const struct argp_option options[] = {
	{"name", 'n', "RUN", 0, "Name of the run (default: the only one)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'n':
		a->name = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0 || (strcmp(arg, "numa") && strcmp(arg, "functional"))) {
			complain(0, "'%s' is neither functional nor numa", arg);
			return ECANCELED;
		}
		a->fidelity = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->fidelity)
			return 0;
		complain(0, "which fidelity? See 'disco fidelity --help'");
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, "numa|functional",
	"Switches a running cluster to caches, directory and latencies (numa) or to an instruction "
	"a "
	"cycle (functional). The run then depends on when this was typed; a magic instruction in "
	"the guest does not have that effect.",
	children, NULL, NULL};

/* The run's answer, or what went wrong. The run may come to a boundary late: there is no limit. */
static int ask(int fd, const char *fidelity)
{
	char line[64], reply[64];
	ssize_t n;

	snprintf(line, sizeof(line), "fidelity %s\n", fidelity);
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return complain(errno, "the run does not listen: %s", strerror(errno));
	do
		n = recv(fd, reply, sizeof(reply) - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return complain(ECONNRESET, "the run ended before it could switch");
	reply[n] = '\0';
	if (strcmp(reply, "ok\n"))
		return complain(
			EPROTO, "the run refuses: %.*s", (int)strcspn(reply, "\r\n"), reply);
	return 0;
}

int cmd_fidelity(int argc, char **argv)
{
	struct args a = {0};
	char dir[PATH_MAX], name[256];
	int fd, err;

	if (args_parse(&argp, argc, argv, &a) || rundir_open(dir, sizeof(dir)))
		return STATUS_USAGE;
	fd = rundir_connect(dir, a.name, name, sizeof(name));
	if (fd < 0)
		return STATUS_USAGE;
	err = ask(fd, a.fidelity);
	close(fd);
	return err ? STATUS_FAILED : STATUS_OK;
}
