// SPDX-License-Identifier: MIT
/*
 * `disco console`: connects this terminal to a VM of a run going on elsewhere, through the run's
 * socket (rundir.h). Detaching leaves the VM as it is.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/base/args.h"
#include "monitor/cli/command.h"
#include "monitor/drive/rundir.h"
#include "monitor/drive/terminal.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

struct args {
	char *name; /* NULL: the only run there is */
	unsigned vm;
	bool list;
};

static const struct argp_option options[] = {
	{"name", 'n', "RUN", 0, "Name of the run (default: the only one)", 0},
	{"list", 'l', NULL, 0, "List the runs", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	uint64_t n;

	switch (key) {
	case 'n':
		a->name = arg;
		return 0;
	case 'l':
		a->list = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0 || parse_size(!strncmp(arg, "vm", 2) ? arg + 2 : arg, &n) ||
			n >= CLUSTER_MAX_VMS) {
			complain(0, "'%s' is not the number of a VM", arg);
			return ECANCELED;
		}
		a->vm = (unsigned)n;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, "[VM]",
	"Attaches this terminal to the console of VM 0, or the one given, of a running cluster. "
	"Ctrl-A x detaches.",
	children, NULL, NULL};

/* Typed bytes to the socket. Returns false at Ctrl-A x or end of input. */
static bool forward(int fd, struct terminal_filter *filter)
{
	char bytes[512];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
	size_t at = 0;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	while (at < (size_t)n) {
		enum terminal_key key;
		size_t used, kept;

		kept = terminal_filter(filter, bytes + at, (size_t)n - at, &used, &key);
		if (kept && send(fd, bytes + at, kept, MSG_NOSIGNAL) < 0)
			return false;
		at += used;
		if (key == TERMINAL_QUIT)
			return false;
		if (key != TERMINAL_NONE)
			terminal_write(terminal_help, strlen(terminal_help));
	}
	return true;
}

static void talk(int fd)
{
	struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {fd, POLLIN, 0}};
	struct terminal_filter filter = {false};
	char bytes[4096];

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents) {
			ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

			if (n <= 0)
				return;
			terminal_write(bytes, (size_t)n);
		}
		if (fds[0].revents && !forward(fd, &filter))
			return;
	}
}

int cmd_console(int argc, char **argv)
{
	struct args a = {0};
	char dir[PATH_MAX], name[256] = "", hello[16];
	int fd;

	if (args_parse(&argp, argc, argv, &a) || rundir_open(dir, sizeof(dir)))
		return STATUS_USAGE;
	if (a.list) {
		rundir_list(dir);
		return STATUS_OK;
	}
	fd = rundir_connect(dir, a.name, name, sizeof(name));
	if (fd < 0)
		return STATUS_USAGE;
	fprintf(stderr, "disco: console of vm%u of run %s; Ctrl-A x detaches\n", a.vm, name);
	terminal_raw();
	snprintf(hello, sizeof(hello), "%u\n", a.vm);
	if (send(fd, hello, strlen(hello), MSG_NOSIGNAL) > 0)
		talk(fd);
	terminal_restore();
	close(fd);
	if (!terminal_lost())
		return STATUS_OK;
	complain(EIO, "standard output: some of the console is lost");
	return STATUS_FAILED;
}
