// SPDX-License-Identifier: MIT
/*
 * `disco policies`: prints the placement policies and their parameters, from the table in
 * numa/policy/policy.c.
 */
#include <errno.h>
#include <stdio.h>

#include "monitor/base/args.h"
#include "monitor/cli/command.h"
#include "numa/policy/policy.h"
#include "numa/util.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	complain(0, "unexpected argument '%s'; 'disco policies' lists all there are", arg);
	return ECANCELED;
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {NULL, parse, NULL,
	"Lists the policies by which pages are placed and moved between nodes, and their "
	"parameters.",
	children, NULL, NULL};

int cmd_policies(int argc, char **argv)
{
	if (args_parse(&argp, argc, argv, NULL))
		return STATUS_USAGE;
	policy_list(stdout);
	return STATUS_OK;
}
