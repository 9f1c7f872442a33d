// SPDX-License-Identifier: MIT
/*
 * `disco stats`: prints what a statistics file says of the vCPUs' time, of what entered the
 * monitor, and of what the guests' kernels did for their programs.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "monitor/base/args.h"
#include "monitor/base/json.h"
#include "monitor/cli/command.h"
#include "monitor/plot/plot.h"
#include "monitor/report/stats.h"
#include "numa/util.h"

struct args {
	const char *stats;
	bool traps, time, services;
};

static const struct argp_option options[] = {
	{"time", 't', NULL, 0, "Where each VM's vCPUs spent their time", 0},
	{"traps", 'T', NULL, 0,
		"Sensitive instructions, traps, TLB misses and the monitor's work by kind: how "
		"often, how many of them entered the monitor because of the mode, what it charged",
		0},
	{"services", 'S', NULL, 0,
		"What the guests' kernels did for their programs (page faults, system calls), in "
		"the regions of interest if there were any: how often, how long each took, and "
		"what share of that was the kernel's and the monitor's",
		0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 't':
		a->time = true;
		return 0;
	case 'S':
		a->services = true;
		return 0;
	case 'T':
		a->traps = true;
		return 0;
	default:
		return args_stats_file(key, arg, state, &a->stats);
	}
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, "STATS.json",
	"Prints the statistics of a run; without options, all there is to print.", children, NULL,
	NULL};

int cmd_stats(int argc, char **argv)
{
	struct args a = {0};
	json_t *root, *vm;

	if (args_parse(&argp, argc, argv, &a))
		return STATUS_USAGE;
	root = load_json(a.stats);
	if (!root)
		return STATUS_USAGE;
	vm = json_array_get(json_object_get(root, "vms"), 0);
	if (!json_is_object(json_object_get(vm, "time"))) {
		complain(EINVAL, "%s: no statistics of a run, or of an older version", a.stats);
		json_decref(root);
		return STATUS_USAGE;
	}
	if (!a.time && !a.traps && !a.services)
		a.time = a.traps = a.services = true;
	if (a.time)
		stats_print_time(root, stdout);
	if (a.time && a.traps)
		putchar('\n');
	if (a.traps)
		stats_print_traps(root, stdout);
	if (a.services && (a.time || a.traps))
		putchar('\n');
	if (a.services)
		stats_print_services(root, stdout);
	json_decref(root);
	return STATUS_OK;
}
