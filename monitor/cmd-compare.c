// SPDX-License-Identifier: MIT
/*
 * `disco compare`: one job several times, with different values of one option: the placement
 * policy, or any other. Each run is a child process that does what `disco run` does, so runs cannot
 * disturb each other, and its statistics file is all that is known of it afterwards; the table and
 * the picture are made from those files.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/command.h"
#include "monitor/compare.h"
#include "monitor/options.h"
#include "monitor/plot.h"
#include "numa/policy.h"
#include "numa/util.h"

enum { RUNS_MAX = 16, WORDS_MAX = 256 };

struct job {
	const char *value; /* of the option that varies */
	char *stats, *log; /* files */
	char *word[WORDS_MAX + 8];
	int words;
	pid_t pid; /* 0: not running */
	int status;
};

struct args {
	const char *output;
	const char *vary; /* name of the option */
	uint64_t jobs;
	struct job job[RUNS_MAX];
	unsigned n;
	char *word[WORDS_MAX]; /* options of each run */
	int words;
};

static int add_run(struct args *a, char *value)
{
	if (a->n == RUNS_MAX)
		return complain(ERANGE, "more than %d runs", RUNS_MAX);
	for (unsigned i = 0; i < a->n; i++)
		if (!strcmp(a->job[i].value, value))
			return complain(EINVAL, "'%s' is there twice", value);
	a->job[a->n++].value = value;
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
	const struct argp_child children[] = {{&command_help, 0, NULL, 0}, {0}};
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
	return command_parse(&argp, argc, argv, a);
}

/* --- preparing --- */

/* A value as part of a file's name. */
static char *file_name(const struct args *a, unsigned i, const char *end)
{
	char *value = xstrdup(a->job[i].value), *name;

	for (char *c = value; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-=.", *c))
			*c = '_';
	name = xasprintf("%s/%u-%.60s.%s", a->output, i + 1, value, end);
	free(value);
	return name;
}

/* Things that are wrong are better known before the first run than after it. */
static int check_job(struct job *j, bool *has_fidelity)
{
	struct run_options o;
	struct policy policy;
	int err = options_parse(j->words, j->word, &o);

	if (!err)
		err = policy_parse(o.policy, 1, &policy);
	*has_fidelity = o.fidelity != NULL;
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
	struct job *j = &a->job[i];
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

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* In the child: does not return. */
static _Noreturn void run_job(struct job *j)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(j->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (in < 0 || out < 0)
		exit(-complain(errno, "%s: %s", j->log, strerror(errno)) ? STATUS_USAGE : 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	exit(cmd_run(j->words, j->word));
}

static int start(struct job *j)
{
	fflush(NULL);
	unlink(j->stats); /* of an earlier comparison */
	j->pid = fork();
	if (j->pid < 0)
		return complain(errno, "fork: %s", strerror(errno));
	if (!j->pid)
		run_job(j);
	return 0;
}

/* Wait for one of the runs. */
static void wait_job(struct args *a)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	for (unsigned i = 0; i < a->n; i++) {
		struct job *j = &a->job[i];

		if (pid < 0 && interrupted && j->pid > 0)
			kill(j->pid, SIGTERM);
		if (pid <= 0 || j->pid != pid)
			continue;
		j->pid = 0;
		j->status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
		fprintf(stderr, "disco: %s: %s\n", j->value, j->status ? "failed" : "done");
	}
}

static int run_all(struct args *a)
{
	struct sigaction sa = {.sa_handler = on_signal};
	unsigned started = 0, running;
	int err = 0;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	do {
		running = 0;
		for (unsigned i = 0; i < started; i++)
			running += a->job[i].pid > 0;
		if (started < a->n && running < a->jobs && !err && !interrupted)
			err = start(&a->job[started++]);
		else if (running)
			wait_job(a);
		else
			break;
	} while (true);
	return err;
}

/* --- the results --- */

/* What the runs wrote, in order, each with what it is called; runs without a file are null. */
static json_t *collect(const struct args *a)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < a->n; i++) {
		json_t *root = access(a->job[i].stats, R_OK) ? NULL : plot_load(a->job[i].stats);

		if (root)
			json_object_set_new(root, "compared_as", json_string(a->job[i].value));
		json_array_append_new(list, root ? root : json_null());
	}
	return list;
}

static int status_of(const struct args *a)
{
	int status = STATUS_OK;

	if (interrupted)
		return STATUS_INTERRUPTED;
	for (unsigned i = 0; i < a->n; i++)
		if (a->job[i].status) {
			fprintf(stderr, "disco: %s failed; see %s\n", a->job[i].value,
				a->job[i].log);
			status = STATUS_FAILED;
		}
	return status;
}

static int compare(struct args *a)
{
	const char *value[RUNS_MAX];
	char *picture = xasprintf("%s/compare.png", a->output);
	json_t *runs;
	int status;

	if (run_all(a)) {
		free(picture);
		return STATUS_FAILED;
	}
	status = status_of(a);
	runs = collect(a);
	for (unsigned i = 0; i < a->n; i++)
		value[i] = a->job[i].value;
	compare_print(runs, a->vary, value, stdout);
	if (!plot_draw(strcmp(a->vary, "share") ? plot_compare : plot_compare_memory, runs,
		    a->output, picture))
		printf("\n%s\n", picture);
	else
		status = MAX(status, STATUS_FAILED);
	json_decref(runs);
	free(picture);
	return status;
}

int cmd_compare(int argc, char **argv)
{
	struct args a = {.output = "compare", .vary = "policy", .jobs = 1};
	int err = read_arguments(argc, argv, &a), status = STATUS_USAGE;

	if (!err)
		err = check_words(&a);
	for (unsigned i = 0; !err && i < a.n; i++)
		err = prepare(&a, i);
	if (!err && mkdir(a.output, 0777) && errno != EEXIST)
		err = complain(errno, "-o: %s: %s", a.output, strerror(errno));
	if (!err)
		status = compare(&a);
	for (unsigned i = 0; i < a.n; i++) {
		for (int w = 0; w < a.job[i].words; w++)
			free(a.job[i].word[w]);
		free(a.job[i].stats);
		free(a.job[i].log);
	}
	for (int w = 0; w < a.words; w++)
		free(a.word[w]);
	return status;
}
