// SPDX-License-Identifier: MIT
/*
 * Subcommands of `disco`: each lives in monitor/cli/NAME.c and has one row in the table of main.c,
 * from which dispatch, `disco --help` and `disco NAME --help` follow. A command gets argv from its
 * own name on and returns the exit status.
 */
#ifndef MONITOR_CLI_COMMAND_H
#define MONITOR_CLI_COMMAND_H

enum {
	STATUS_OK,
	STATUS_FAILED = 1, /* it ran, and something in it failed */
	STATUS_USAGE = 2,  /* it could not start: arguments, files, configuration */
	STATUS_INTERRUPTED = 130,
};

struct command {
	const char *name;
	const char *help; /* one line */
	int (*run)(int argc, char **argv);
};

extern const struct command commands[];
extern const unsigned n_commands;

int cmd_run(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_topology(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_fidelity(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_reproduce(int argc, char **argv);
int cmd_policies(int argc, char **argv);
int cmd_completion(int argc, char **argv);

#endif
