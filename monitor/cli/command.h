// SPDX-License-Identifier: MIT
/*
 * Subcommands of `disco`: each lives in monitor/cli/NAME.c and has one row in the table of main.c,
 * from which dispatch, `disco --help` and `disco NAME --help` follow. A command gets argv from its
 * own name on and returns the exit status.
 */
#ifndef MONITOR_CLI_COMMAND_H
#define MONITOR_CLI_COMMAND_H

#include <argp.h>
#include <jansson.h>

#define DISCO_VERSION "0.1.0"

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

int cmd_run(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_topology(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_fidelity(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_reproduce(int argc, char **argv);
int cmd_policies(int argc, char **argv);

/*
 * argp_parse() with this program's manners: --help prints to stdout and ends the program with 0;
 * anything wrong is one line on stderr. Parsers that have complained themselves return ECANCELED.
 * 0 or a negative errno. The last entry of argp->children must be `command_help`.
 */
int command_parse(const struct argp *argp, int argc, char **argv, void *input);
extern const struct argp command_help;

/* For parsers whose one argument is a statistics file: all that is not an option of their own. */
error_t command_stats_file(int key, char *arg, const struct argp_state *state, const char **file);

/* A JSON file: a new reference, or NULL after one line on stderr that says what is wrong where. */
json_t *command_load_json(const char *path);

#endif
