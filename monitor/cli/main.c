// SPDX-License-Identifier: MIT
/*
 * The program: finds the subcommand in a table and runs it. To add one, write monitor/cli/NAME.c,
 * declare it in command.h and add a row here.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "monitor/base/version.h"
#include "monitor/base/output.h"
#include "monitor/cli/command.h"
#include "numa/util.h"

const struct command commands[] = {
	{"run", "boot a cluster of virtual machines, run a command in each, report", cmd_run},
	{"console", "attach this terminal to the console of a running VM", cmd_console},
	{"compare", "run the same job under several placement policies; one table, one picture",
		cmd_compare},
	{"reproduce", "run the experiments of a paper and check its claims", cmd_reproduce},
	{"fidelity", "switch a running cluster's memory-system model on or off", cmd_fidelity},
	{"topology", "print a machine: nodes, CPUs, memory, caches, latencies", cmd_topology},
	{"policies", "list the policies by which pages are placed and moved", cmd_policies},
	{"stats", "print a statistics file: where time went, what entered the monitor", cmd_stats},
	{"plot", "draw a statistics file: memory, misses, stalls, pages", cmd_plot},
	{"completion", "print what makes bash complete these commands", cmd_completion},
};
const unsigned n_commands = ARRAY_SIZE(commands);

static void help(FILE *out)
{
	fprintf(out, "Usage: disco COMMAND [OPTION...]\n\n"
		     "Disco runs a cluster of virtual machines on one CC-NUMA machine and shares\n"
		     "their memory. Commands:\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\n"
		     "  disco COMMAND --help   options of a command\n"
		     "  disco --version        version of this program\n\n"
		     "A first run: disco run --vms 8 --exec 'uname -a'\n");
}

/* Threads would else get what the user's limit of the first thread's stack is. */
static void size_stacks(void)
{
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 1 << 20);
	pthread_setattr_default_np(&a);
	pthread_attr_destroy(&a);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	output_begin();
	size_stacks();
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		help(stdout);
		return STATUS_OK;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("disco %s\n", disco_version);
		return STATUS_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (*name)
		complain(0, "unknown command '%s'; see 'disco --help'", name);
	else
		complain(0, "which command? See 'disco --help'");
	return STATUS_USAGE;
}
