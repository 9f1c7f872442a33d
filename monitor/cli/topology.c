// SPDX-License-Identifier: MIT
/*
 * `disco topology`: prints a machine as the monitor sees it, or the list of presets.
 */
#include <errno.h>
#include <stdio.h>

#include "monitor/base/args.h"
#include "monitor/cli/command.h"
#include "numa/machine/machine.h"
#include "numa/util.h"

struct args {
	const char *machine;
	bool list;
};

static const struct argp_option options[] = {
	{"machine", 'm', "NAME|FILE", 0, "Machine: a preset, a file, or 'host' (default: flash8)",
		0},
	{"list", 'l', NULL, 0, "List the presets", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'm':
		a->machine = arg;
		return 0;
	case 'l':
		a->list = true;
		return 0;
	case ARGP_KEY_ARG:
		complain(0, "unexpected argument '%s'; the machine is given by --machine", arg);
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, NULL,
	"Prints a machine: nodes, CPUs, memory, caches, latency matrix and costs.", children, NULL,
	NULL};

int cmd_topology(int argc, char **argv)
{
	struct args a = {.machine = "flash8"};
	struct machine *m;

	if (args_parse(&argp, argc, argv, &a))
		return STATUS_USAGE;
	if (a.list)
		return machine_list(stdout) ? STATUS_USAGE : STATUS_OK;
	if (machine_load(a.machine, &m))
		return STATUS_USAGE;
	machine_print(m, stdout);
	machine_free(m);
	return STATUS_OK;
}
