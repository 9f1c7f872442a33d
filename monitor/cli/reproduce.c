// SPDX-License-Identifier: MIT
/*
 * `disco reproduce`: the experiments of a paper, each a list of independent runs. A run whose
 * statistics are there, of the same model and inputs, is not run again, so what was interrupted goes on where
 * it was, and what others ran is as good as what we ran. From all that is there come figures and a
 * report. This file knows no experiment: they are data (paper.h).
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/base/args.h"
#include "monitor/base/output.h"
#include "monitor/cli/command.h"
#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/cli/jobs.h"
#include "monitor/paper/paper.h"
#include "monitor/plot/plot.h"
#include "monitor/run/guest-files.h"
#include "numa/util.h"

enum { KEY_QUICK = 0x100, KEY_FULL, KEY_PRINT, KEY_COLLECT, JOBS_MAX = 64 };

struct args {
	const char *paper;
	char **experiment; /* names; none: all */
	int n_experiments;
	const char *scale, *output;
	uint64_t jobs;
	bool print, collect;
	const char *from; /* --collect=DIR; NULL: only what is there */
};

static const struct argp_option options[] = {
	{"quick", KEY_QUICK, NULL, 0, "Small workloads, to see the shape (default)", 0},
	{"full", KEY_FULL, NULL, 0, "The workloads at the size the experiments are meant for", 0},
	{"jobs", 'j', "N", 0, "How many runs at the same time (default: 1)", 0},
	{"output", 'o', "DIR", 0,
		"Where statistics, figures and the report go (default: build/papers/PAPER)", 0},
	{"print-jobs", KEY_PRINT, NULL, 0,
		"Run nothing; print the command of each run that is missing, one a line, for GNU "
		"parallel or a Slurm array",
		0},
	{"collect", KEY_COLLECT, "DIR", OPTION_ARG_OPTIONAL,
		"Run nothing; report on what is there, and on what of it is in DIR", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case KEY_QUICK:
		a->scale = "quick";
		return 0;
	case KEY_FULL:
		a->scale = "full";
		return 0;
	case 'j':
		if (!parse_size(arg, &a->jobs) && a->jobs >= 1 && a->jobs <= JOBS_MAX)
			return 0;
		complain(0, "--jobs: '%s' is not a number from 1 to %d", arg, JOBS_MAX);
		return ECANCELED;
	case 'o':
		a->output = arg;
		return 0;
	case KEY_PRINT:
		a->print = true;
		return 0;
	case KEY_COLLECT:
		a->collect = true;
		a->from = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (a->paper)
			return ARGP_ERR_UNKNOWN; /* all others come as ARGP_KEY_ARGS */
		a->paper = arg;
		return 0;
	case ARGP_KEY_ARGS:
		a->experiment = state->argv + state->next;
		a->n_experiments = state->argc - state->next;
		return 0;
	case ARGP_KEY_END:
		if (a->print && a->collect) {
			complain(0, "--print-jobs and --collect exclude each other");
			return ECANCELED;
		}
		if (a->paper)
			return 0;
		complain(0, "which paper? See 'disco reproduce --help'");
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, "PAPER [EXPERIMENT...]",
	"Runs the experiments of a paper (all, or those named), and reports which of its claims "
	"hold here: figures with the paper's bars beside ours, report.md, report.html. PAPER is a "
	"directory of papers/, or with a '/' any other. Runs that are there already are kept.",
	children, NULL, NULL};

/* --- which runs --- */

static bool is_all(const struct args *a)
{
	return !a->n_experiments || (a->n_experiments == 1 && !strcmp(a->experiment[0], "all"));
}

static int check_names(const struct args *a, const struct paper *p)
{
	for (int i = 0; !is_all(a) && i < a->n_experiments; i++)
		if (!paper_experiment(p, a->experiment[i]))
			return complain(EINVAL, "%s has no experiment '%s'; see %s/paper.json",
				p->name, a->experiment[i], p->dir);
	return 0;
}

/* Does one of the experiments that were asked for use this one's runs? */
static bool is_wanted(const struct args *a, const struct paper *p, const struct paper_run *r)
{
	if (is_all(a))
		return true;
	for (int i = 0; i < a->n_experiments; i++) {
		const struct experiment *e = paper_experiment(p, a->experiment[i])->use;

		if (r >= e->run && r < e->run + e->n_runs)
			return true;
	}
	return false;
}

/* All wanted runs without a result; the caller frees the list. */
static struct paper_run **missing_runs(const struct args *a, const struct paper *p, unsigned *n)
{
	struct paper_run **list = NULL, *r;

	*n = 0;
	for (unsigned i = 0; (r = paper_run(p, i)); i++) {
		if (r->result || !is_wanted(a, p, r))
			continue;
		list = xrealloc(list, (*n + 1) * sizeof(struct paper_run *));
		list[(*n)++] = r;
	}
	return list;
}

/* --- what is there --- */

static int copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "re");
	struct output out;
	char block[4096];
	size_t n;
	int err;

	if (!in)
		return complain(errno, "%s: %s", from, strerror(errno));
	err = output_open(&out, to);
	if (!err) {
		while ((n = fread(block, 1, sizeof(block), in)))
			fwrite(block, 1, n, out.file);
		if (ferror(in))
			err = complain(EIO, "%s: cannot be read", from);
		if (output_close(&out, !err))
			err = -EIO;
	}
	fclose(in);
	return err;
}

/* Keep the list of packages that the guest was made of beside the results; a guest may have none. */
static int keep_packages(const struct paper *p, const char *dir, const char *arch)
{
	char *from = xasprintf("%s/packages.lock", dir);
	char *to = xasprintf("%s/packages-%s.lock", p->output, arch);
	int err = access(from, F_OK) ? 0 : copy_file(from, to);

	free(from);
	free(to);
	return err;
}

/* Results are of today's guest only, if there is a run to be made: what is collected is taken. */
static int find_guests(const struct args *a, const struct paper *p)
{
	char dir[PATH_MAX], last[128] = "", wanted[128], hash[GUEST_HASH_BYTES] = "";
	struct paper_run *r;
	int err = 0;

	for (unsigned i = 0; !err && (r = paper_run(p, i)); i++) {
		const char *guest = json_string_value(json_object_get(r->inputs, "guest"));
		const char *name = json_string_value(json_object_get(r->inputs, "engine"));

		if (!guest || !is_wanted(a, p, r))
			continue;
		snprintf(wanted, sizeof(wanted), "%s %s", name, guest);
		if (strcmp(wanted, last)) {
			const char *arch = engine_find(name)->board->arch;

			memcpy(last, wanted, sizeof(last));
			err = guest_fetch(guest, arch, dir);
			if (!err)
				err = keep_packages(p, dir, arch);
			if (!err)
				guest_hash(dir, hash);
			if (!err && !*hash)
				err = complain(ENOENT,
					"%s/hash: missing, so results of another '%s' could not "
					"be told apart",
					dir, guest);
		}
		r->guest = xstrdup(hash);
	}
	return err;
}

/* ... and of today's machine files. */
static int find_machines(const struct paper *p)
{
	struct paper_run *r;
	int err = 0;

	for (unsigned i = 0; !err && (r = paper_run(p, i)); i++) {
		const char *name = json_string_value(json_object_get(r->inputs, "machine"));
		struct machine *m;

		if (!name || !strcmp(name, "host"))
			continue;
		err = machine_load(name, &m);
		if (!err) {
			r->machine = xasprintf("%016llx", (unsigned long long)m->file_hash);
			machine_free(m);
		}
	}
	return err;
}

static void read_results(const struct paper *p)
{
	struct paper_run *r;

	for (unsigned i = 0; (r = paper_run(p, i)); i++) {
		json_decref(r->result);
		r->result = paper_result(r, r->stats);
	}
}

/* Take what is missing from DIR, or from DIR/runs. */
static int collect(const struct args *a, const struct paper *p)
{
	unsigned n;
	struct paper_run **list = missing_runs(a, p, &n);
	int err = 0;

	for (unsigned i = 0; !err && i < 2 * n; i++) {
		struct paper_run *r = list[i / 2];
		char *from = xasprintf(
			"%s%s/%s", a->from, i % 2 ? "/runs" : "", strrchr(r->stats, '/') + 1);

		if (!r->result) {
			r->result = paper_result(r, from);
			err = r->result ? copy_file(from, r->stats) : 0;
		}
		free(from);
	}
	free(list);
	return err;
}

/* --- running --- */

/* Several at a time share the host's CPUs. */
static char *threads_word(uint64_t jobs)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return xasprintf("--threads=%ld", MAX(cpus / (long)jobs, 1L));
}

static int run_missing(const struct args *a, const struct paper *p)
{
	unsigned n, all = 0;
	struct paper_run **list = missing_runs(a, p, &n), *r;
	struct job *job = xcalloc(n + 1, sizeof(*job));
	int err;

	for (unsigned i = 0; (r = paper_run(p, i)); i++)
		all += is_wanted(a, p, r);
	fprintf(stderr, "disco: %u runs, %u of them there already\n", all, all - n);
	for (unsigned i = 0; i < n; i++) {
		r = list[i];
		if (a->jobs > 1) {
			r->word = xrealloc(r->word, ((size_t)r->words + 1) * sizeof(*r->word));
			r->word[r->words++] = threads_word(a->jobs);
		}
		job[i] = (struct job){
			.name = r->id, .log = r->log, .word = r->word, .words = r->words};
	}
	err = jobs_run(job, n, (unsigned)a->jobs, all - n);
	free(job);
	free(list);
	return err;
}

/* --- --print-jobs --- */

static void print_quoted(const char *word)
{
	if (!word[strspn(word,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:%")]) {
		printf("%s", word);
		return;
	}
	putchar('\'');
	for (; *word; word++)
		if (*word == '\'')
			printf("'\\''");
		else
			putchar(*word);
	putchar('\'');
}

static int print_jobs(const struct args *a, const struct paper *p)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	unsigned n;
	struct paper_run **list;

	if (length < 0)
		return complain(errno, "/proc/self/exe: %s", strerror(errno));
	program[length] = '\0';
	list = missing_runs(a, p, &n);
	for (unsigned i = 0; i < n; i++) {
		print_quoted(program);
		for (int w = 0; w < list[i]->words; w++) {
			putchar(' ');
			print_quoted(list[i]->word[w]);
		}
		/* A shell that reads the lines one by one must keep its input. */
		printf(" </dev/null >");
		print_quoted(list[i]->log);
		printf(" 2>&1\n");
	}
	free(list);
	return 0;
}

/* --- the end --- */

static bool all_there(const struct experiment *e)
{
	for (unsigned i = 0; i < e->n_runs; i++)
		if (!e->run[i].result)
			return false;
	return true;
}

static bool asked_for(const struct args *a, const struct experiment *e)
{
	bool asked = is_all(a);

	for (int i = 0; i < a->n_experiments; i++)
		asked |= !strcmp(a->experiment[i], e->name);
	return asked;
}

static int show(const struct args *a, struct paper *p)
{
	static const char *const text[] = {[CLAIM_HOLDS] = "holds",
		[CLAIM_IN_PART] = "holds in part",
		[CLAIM_DOES_NOT] = "does not hold",
		[CLAIM_UNKNOWN] = "not known"};
	unsigned n;
	struct paper_run **list = missing_runs(a, p, &n);
	const json_t *c;
	size_t i;
	int err = 0, not_drawn = 0;

	paper_compute(p);
	for (unsigned k = 0; k < p->n; k++)
		p->experiment[k].left_out =
			p->experiment[k].fault && !asked_for(a, &p->experiment[k]);
	for (unsigned k = 0; k < p->n && !not_drawn; k++)
		not_drawn = paper_plot(&p->experiment[k]);
	err = paper_report(p);
	json_array_foreach(p->claims, i, c)
	{
		const struct experiment *e =
			paper_experiment(p, json_string_value(json_object_get(c, "experiment")));

		if (!err && e && !e->fault)
			printf("%-8s %-14s %s\n", e->name, text[paper_verdict(e, c)],
				json_string_value(json_object_get(c, "claim")));
	}
	if (!err)
		printf("\n%s/report.html\n", p->output);
	for (unsigned k = 0; k < p->n && !n; k++)
		if (p->experiment[k].fault && all_there(p->experiment[k].use))
			err = complain(EINVAL, "%s", p->experiment[k].fault);
	if (n)
		err = complain(ENOENT, "%u results are missing, the first is %s", n, list[0]->id);
	free(list);
	return err ? err : not_drawn;
}

static int make_directories(const char *dir)
{
	char *path = xasprintf("%s/runs", dir);
	int err = 0;

	for (char *slash = path + 1; !err && slash;) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			err = complain(errno, "-o: %s: %s", path, strerror(errno));
		if (slash)
			*slash++ = '/';
	}
	free(path);
	return err;
}

static int reproduce(const struct args *a, struct paper *p)
{
	int err = 0;

	if (check_names(a, p) || find_machines(p) || make_directories(p->output) ||
		(!a->collect && find_guests(a, p)))
		return STATUS_USAGE;
	read_results(p);
	if (a->print)
		return print_jobs(a, p) ? STATUS_USAGE : STATUS_OK;
	if (!a->collect)
		plot_check(); /* said before the runs; the report is made without pictures too */
	if (a->collect)
		err = a->from ? collect(a, p) : 0;
	else
		err = run_missing(a, p);
	if (err)
		return err == -EINTR ? STATUS_INTERRUPTED : STATUS_FAILED;
	read_results(p);
	return show(a, p) ? STATUS_FAILED : STATUS_OK;
}

int cmd_reproduce(int argc, char **argv)
{
	struct args a = {.scale = "quick", .jobs = 1};
	struct paper p = {0};
	int status = STATUS_USAGE;

	if (!args_parse(&argp, argc, argv, &a) && !paper_load(&p, a.paper, a.scale, a.output))
		status = reproduce(&a, &p);
	paper_free(&p);
	return status;
}
