// SPDX-License-Identifier: MIT
/*
 * `disco completion bash`: prints what makes bash complete disco's arguments. Commands are those of
 * the table in main.c. Options are asked of the program at each completion, by the hidden option
 * --complete (base/args.c), so the tables of options are the only place that has them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monitor/base/args.h"
#include "monitor/cli/command.h"
#include "numa/util.h"

/* From the end of the list of commands on. */
/* clang-format off */
static const char script[] =
	"'\n"
	"\tlocal cur=$2 prev=$3 words= name value\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	"\t\twords=\"$commands --help --version\"\n"
	"\telif [ \"${COMP_WORDS[1]} $COMP_CWORD\" = 'completion 2' ]; then\n"
	"\t\twords=bash\n"
	"\telse\n"
	"\t\twhile read -r name value; do\n"
	"\t\t\tif [[ $cur == -* ]]; then\n"
	"\t\t\t\twords+=\" $name\"\n"
	"\t\t\telif [[ $name == \"$prev\" && $value =~ ^[a-z|]+$ ]]; then\n"
	"\t\t\t\twords=${value//|/ }\n"
	"\t\t\tfi\n"
	"\t\tdone < <(\"$1\" \"${COMP_WORDS[1]}\" --complete 2>/dev/null)\n"
	"\tfi\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	"}\n"
	"complete -o default -F _disco disco\n";
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG && !state->arg_num && !strcmp(arg, "bash"))
		return 0;
	if (key == ARGP_KEY_ARG)
		complain(0, "unexpected argument '%s'; the one shell there is, is bash", arg);
	else if (key == ARGP_KEY_NO_ARGS)
		complain(0, "which shell? See 'disco completion --help'");
	else
		return ARGP_ERR_UNKNOWN;
	return ECANCELED;
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {NULL, parse, "bash",
	"Prints the commands that make bash complete the names of disco's commands and options. "
	"'make install' puts them where bash looks; else: source <(disco completion bash).",
	children, NULL, NULL};

int cmd_completion(int argc, char **argv)
{
	if (args_parse(&argp, argc, argv, NULL))
		return STATUS_USAGE;
	fputs("# bash completion for disco, made by `disco completion bash`.\n"
	      "_disco()\n"
	      "{\n"
	      "\tlocal commands='",
		stdout);
	for (unsigned i = 0; i < n_commands; i++)
		printf("%s%s", i ? " " : "", commands[i].name);
	fputs(script, stdout);
	return STATUS_OK;
}
