// SPDX-License-Identifier: MIT
/*
 * Argument parsing common to all subcommands: argp with this program's manners. --help prints to
 * stdout and ends the program with 0; anything wrong is one line on stderr.
 */
#ifndef MONITOR_BASE_ARGS_H
#define MONITOR_BASE_ARGS_H

#include <argp.h>

/*
 * As argp_parse(); argv[0] is the subcommand's name. Parsers that have complained themselves return
 * ECANCELED. 0 or a negative errno. The last entry of argp->children must be `args_help`.
 */
int args_parse(const struct argp *argp, int argc, char **argv, void *input);
extern const struct argp args_help;

/* For parsers whose one argument is a statistics file: call it for all keys but the parser's own. */
error_t args_stats_file(int key, char *arg, const struct argp_state *state, const char **file);

#endif
