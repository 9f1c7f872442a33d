// SPDX-License-Identifier: MIT
/*
 * Argument parsing; see args.h. argp prints two lines for a bad option and cannot be
 * told otherwise without losing --help too (ARGP_NO_ERRS silences both), so help is an option of
 * ours and the one line about a bad option is made here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/args.h"
#include "numa/util.h"

enum { KEY_HELP = 'h', KEY_COMPLETE = 0x10000 };

static char command_name[64];
static const char *bad_argument;

/* The options with their arguments, a line each, for a shell. */
static void print_options(const struct argp_option *o)
{
	for (; o && (o->name || o->key || o->doc); o++)
		if (o->name && !(o->flags & OPTION_HIDDEN))
			printf("--%s %s\n", o->name, o->arg ? o->arg : "");
}

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case KEY_HELP:
		/* Room for most options beside their text; argp can be told by this alone. */
		setenv("ARGP_HELP_FMT", "opt-doc-col=33", 0);
		argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK,
			command_name);
		exit(EXIT_SUCCESS);
	case KEY_COMPLETE:
		for (const struct argp_child *c = state->root_argp->children; c && c->argp; c++)
			print_options(c->argp->options);
		print_options(state->root_argp->options);
		exit(EXIT_SUCCESS);
	case ARGP_KEY_ERROR:
		bad_argument = state->next > 0 ? state->argv[state->next - 1] : "";
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option help_options[] = {
	{"help", KEY_HELP, NULL, 0, "Give this help", -1},
	{"complete", KEY_COMPLETE, NULL, OPTION_HIDDEN, "The options, for a shell", -1},
	{0},
};

const struct argp args_help = {.options = help_options, .parser = parse_help};

static const struct argp_option *find_option(const struct argp *argp, const char *name, size_t n)
{
	for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
		if (o->name && strlen(o->name) == n && !memcmp(o->name, name, n))
			return o;
	return NULL;
}

static int complain_bad(const struct argp *argp, const char *word)
{
	const struct argp_option *o = NULL;

	if (!strncmp(word, "--", 2))
		o = find_option(argp, word + 2, strcspn(word + 2, "="));
	if (o && o->arg)
		return complain(EINVAL, "option '--%s' needs a value", o->name);
	if (o)
		return complain(EINVAL, "option '--%s' takes no value", o->name);
	return complain(EINVAL, "unknown option '%s'; see '%s --help'", word, command_name);
}

error_t args_stats_file(int key, char *arg, const struct argp_state *state, const char **file)
{
	if (key == ARGP_KEY_ARG && !state->arg_num) {
		*file = arg;
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		complain(0, "more than one statistics file");
	else if (key != ARGP_KEY_END)
		return ARGP_ERR_UNKNOWN;
	else if (*file)
		return 0;
	else
		complain(0, "which statistics file? See '%s --help'", command_name);
	return ECANCELED;
}

int args_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	error_t err;

	snprintf(command_name, sizeof(command_name), "disco %s", argv[0]);
	bad_argument = "";
	err = argp_parse(argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, input);
	if (err == ECANCELED)
		return -EINVAL;
	if (err)
		return complain_bad(argp, bad_argument);
	return 0;
}
