// SPDX-License-Identifier: MIT
/*
 * `disco compare`: one job several times, with different values of one option: the placement
 * policy, or any other. Each run is a child process that does what `disco run` does, so runs cannot
 * disturb each other, and its statistics file is all that is known of it afterwards; the table and
 * the picture are made from those files.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/base/args.h"
#include "monitor/base/json.h"
#include "monitor/cli/command.h"
#include "monitor/cli/comparison.h"
#include "monitor/cli/jobs.h"
#include "monitor/run/options.h"
#include "monitor/plot/plot.h"
#include "numa/policy/policy.h"
#include "numa/util.h"

enum { RUNS_MAX = 16, WORDS_MAX = 256 };

struct compared {
	const char *value; /* of the option that varies */
	char *stats, *log; /* files */
	char *word[WORDS_MAX + 8];
	int words;
	int status;
};

struct args {
	const char *output;
	const char *vary; /* name of the option */
	uint64_t jobs;
	struct compared run[RUNS_MAX];
	unsigned n;
	char *word[WORDS_MAX]; /* options of each run */
	int words;
};

static int add_run(struct args *a, char *value)
{
	if (a->n == RUNS_MAX)
		return complain(ERANGE, "more than %d runs", RUNS_MAX);
	for (unsigned i = 0; i < a->n; i++)
		if (!strcmp(a->run[i].value, value))
			return complain(EINVAL, "'%s' is there twice", value);
	a->run[a->n++].value = value;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	if (key >= OPTIONS_KEY && key < OPTIONS_KEY + OPTIONS_MAX) {
		if (a->words == WORDS_MAX) {
			complain(0, "more than %d options", WORDS_MAX);
			return ECANCELED;
		}
		a->word[a->words++] = options_word(key, arg);
		return 0;
	}
	switch (key) {
	case 'o':
		a->output = arg;
		return 0;
	case 'y':
		a->vary = arg;
		return 0;
	case 'j':
		if (!parse_size(arg, &a->jobs) && a->jobs >= 1 && a->jobs <= RUNS_MAX)
			return 0;
		complain(0, "--jobs: '%s' is not a number from 1 to %d", arg, RUNS_MAX);
		return ECANCELED;
	case ARGP_KEY_ARG:
		return add_run(a, arg) ? ECANCELED : 0;
	case ARGP_KEY_END:
		if (a->n)
			return 0;
		complain(0, "which values of --%s? See 'disco compare --help'", a->vary);
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int read_arguments(int argc, char **argv, struct args *a)
{
	struct argp_option option[OPTIONS_MAX + 5] = {0};
	const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
	const struct argp argp = {option, parse, "VALUE...",
		"Runs the same job once with each VALUE of an option, prints one table and draws "
		"one "
		"picture. The option is --policy, and the runs are in numa fidelity, unless --vary "
		"and --fidelity say otherwise. All other options of 'disco run' are passed on.\v"
		"Examples:\n"
		"  disco compare round-robin disco --config FILE\n"
		"  disco compare --vary share all all,-disk none --vms 4 --exec 'make'",
		children, NULL, NULL};
	unsigned n = 0;

	option[n++] = (struct argp_option){"output", 'o', "DIR", 0,
		"Where statistics, logs and the picture go (default: compare)", -2};
	option[n++] = (struct argp_option){"vary", 'y', "OPTION", 0,
		"The option of 'disco run' that VALUEs are of (default: policy)", -2};
	option[n++] = (struct argp_option){
		"jobs", 'j', "N", 0, "How many runs at the same time (default: 1)", -2};
	options_argp(option + n);
	return args_parse(&argp, argc, argv, a);
}

/* --- preparing --- */

/* A value as part of a file's name. */
static char *file_name(const struct args *a, unsigned i, const char *end)
{
	char *value = xstrdup(a->run[i].value), *name;

	for (char *c = value; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-=.", *c))
			*c = '_';
	name = xasprintf("%s/%u-%.60s.%s", a->output, i + 1, value, end);
	free(value);
	return name;
}

/* Things that are wrong are better known before the first run than after it. */
static int check_job(struct compared *j, bool *has_fidelity)
{
	struct run_options o;
	struct policy policy;
	int err = options_parse(j->words, j->word, &o);

	if (!err)
		err = policy_parse(o.policy, 1, &policy);
	*has_fidelity = o.fidelity != FIDELITY_DEFAULT;
	if (!err && o.guest && !o.exec)
		err = complain(EINVAL, "--exec: what is the job?");
	options_free(&o);
	return err;
}

/* Options that would make the runs overwrite each other's results. */
static int check_words(const struct args *a)
{
	const char *const ours[] = {"stats", "console-log", a->vary};

	for (int w = 0; w < a->words; w++)
		for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
			size_t n = strlen(ours[i]);

			if (!strncmp(a->word[w] + 2, ours[i], n) && a->word[w][2 + n] == '=')
				return complain(EINVAL, "--%s is chosen for each run", ours[i]);
		}
	return 0;
}

static int prepare(struct args *a, unsigned i)
{
	struct compared *j = &a->run[i];
	bool has_fidelity;
	int err;

	j->stats = file_name(a, i, "json");
	j->log = file_name(a, i, "log");
	j->word[j->words++] = xstrdup("run");
	for (int w = 0; w < a->words; w++)
		j->word[j->words++] = xstrdup(a->word[w]);
	j->word[j->words++] = xasprintf("--%s=%s", a->vary, j->value);
	j->word[j->words++] = xasprintf("--stats=%s", j->stats);
	err = check_job(j, &has_fidelity);
	if (!err && !has_fidelity && !strcmp(a->vary, "policy"))
		j->word[j->words++] = xstrdup("--fidelity=numa");
	return err;
}

/* --- running --- */

static int run_all(struct args *a)
{
	struct job job[RUNS_MAX] = {0};
	int err;

	for (unsigned i = 0; i < a->n; i++) {
		struct compared *c = &a->run[i];

		unlink(c->stats); /* of an earlier comparison */
		job[i] = (struct job){
			.name = c->value, .log = c->log, .word = c->word, .words = c->words};
	}
	err = jobs_run(job, a->n, (unsigned)a->jobs, 0);
	for (unsigned i = 0; i < a->n; i++)
		a->run[i].status = job[i].status;
	return err;
}

/* --- the results --- */

/* What the runs wrote, in order, each with what it is called; runs without a file are null. */
static json_t *collect(const struct args *a)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < a->n; i++) {
		json_t *root = access(a->run[i].stats, R_OK) ? NULL : load_json(a->run[i].stats);

		if (root)
			json_object_set_new(root, "compared_as", json_string(a->run[i].value));
		json_array_append_new(list, root ? root : json_null());
	}
	return list;
}

/* Rows may be equal because an option did nothing in them. */
static void print_no_effect(const struct args *a, const json_t *runs)
{
	const json_t *text;
	size_t k;

	for (unsigned i = 0; i < a->n; i++) {
		const json_t *list = json_object_get(json_array_get(runs, i), "without_effect");

		json_array_foreach(list, k, text)
		{
			complain(0, "%s: %s", a->run[i].value, json_string_value(text));
		}
	}
}

static int status_of(const struct args *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->run[i].status)
			return STATUS_FAILED;
	return STATUS_OK;
}

static int compare(struct args *a)
{
	const char *value[RUNS_MAX];
	char *picture = xasprintf("%s/compare.png", a->output);
	json_t *runs;
	int no_picture = plot_check(), err = run_all(a), status;

	if (err) {
		free(picture);
		return err == -EINTR ? STATUS_INTERRUPTED : STATUS_FAILED;
	}
	status = status_of(a);
	runs = collect(a);
	for (unsigned i = 0; i < a->n; i++)
		value[i] = a->run[i].value;
	compare_print(runs, a->vary, value, stdout);
	fflush(stdout);
	print_no_effect(a, runs);
	if (!no_picture && !plot_draw(strcmp(a->vary, "share") ? plot_compare : plot_compare_memory,
				   runs, a->output, picture))
		printf("\n%s\n", picture);
	else
		status = MAX(status, STATUS_FAILED);
	json_decref(runs);
	free(picture);
	return status;
}

int cmd_compare(int argc, char **argv)
{
	struct args *a = xcalloc(1, sizeof(*a)); /* too large for a small stack */
	int err, status = STATUS_USAGE;

	a->output = "compare";
	a->vary = "policy";
	a->jobs = 1;
	err = read_arguments(argc, argv, a);
	if (!err)
		err = check_words(a);
	for (unsigned i = 0; !err && i < a->n; i++)
		err = prepare(a, i);
	if (!err && mkdir(a->output, 0777) && errno != EEXIST)
		err = complain(errno, "-o: %s: %s", a->output, strerror(errno));
	if (!err)
		status = compare(a);
	for (unsigned i = 0; i < a->n; i++) {
		for (int w = 0; w < a->run[i].words; w++)
			free(a->run[i].word[w]);
		free(a->run[i].stats);
		free(a->run[i].log);
	}
	for (int w = 0; w < a->words; w++)
		free(a->word[w]);
	free(a);
	return status;
}
