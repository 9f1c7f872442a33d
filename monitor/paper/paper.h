// SPDX-License-Identifier: MIT
/*
 * A paper as a directory of data, papers/NAME: what it printed, which runs make ours, what is taken
 * from their statistics, and what is claimed. papers/README.md describes the files. paper.c reads
 * and checks them and makes the command of each run, numbers.c computes numbers and verdicts;
 * running is cli/reproduce.c, showing report.c and plot.c.
 */
#ifndef MONITOR_PAPER_PAPER_H
#define MONITOR_PAPER_PAPER_H

#include <jansson.h>
#include <stdbool.h>

struct paper_run {
	const char *name, *title;
	char *id;          /* EXPERIMENT-NAME */
	char *stats, *log; /* files */
	char **word;       /* of the command, word[0] is "run" */
	int words;
	json_t *inputs; /* what statistics of this run say of their inputs */
	/* Hashes that results must have: of the guest, and of the machine's file. NULL: any. */
	char *guest, *machine;
	json_t *result; /* statistics; NULL: not there, or not of these inputs */
};

struct experiment {
	const char *name, *title;
	const struct paper *of;
	json_t *file;          /* as read */
	struct paper_run *run; /* those of the scale; none if another experiment's are used */
	unsigned n_runs;
	const struct experiment *use; /* whose runs are meant: another's or its own */
	json_t *paper;                /* bar -> quantity -> number, with "total" */
	/* Made by paper_compute(): */
	json_t *ours;    /* the same of our runs */
	json_t *numbers; /* both, as expressions see them */
	char *fault;     /* why there is nothing of ours; NULL: there is */
	bool left_out;   /* by the caller, of the report: not asked for, and nothing of ours */
	bool drawn;      /* by paper_plot(): its picture is there */
};

struct paper {
	char *name, *dir, *output; /* output: the directory where results go */
	char *guests;              /* the directory of guests, for @guests@ */
	const char *scale;         /* "quick" or "full" */
	json_t *about, *printed, *claims;
	struct experiment *experiment;
	unsigned n;
};

/*
 * `name` is one of papers/ or, with a '/', a directory. All or nothing: 0, or a negative errno
 * after one line on stderr. paper_free() in either case.
 */
int paper_load(struct paper *p, const char *name, const char *scale, const char *output);
void paper_free(struct paper *p);
const struct experiment *paper_experiment(const struct paper *p, const char *name);
/* One of all runs by its number, from 0; NULL: no more. */
struct paper_run *paper_run(const struct paper *p, unsigned i);

/* Statistics from `file`, if they are of this run's inputs and it ended well; else NULL. */
json_t *paper_result(const struct paper_run *r, const char *file);

/* From all results that are there: numbers, or why there are none, of each experiment. */
void paper_compute(struct paper *p);
/* A quantity of a bar, on either side. False: there is none. */
bool paper_number(const json_t *bars, const char *bar, const char *quantity, double *v);
/* Is there anything of this bar of the experiment's file, on either side? */
bool paper_has_bar(const struct experiment *e, const json_t *bar);
/* An expression (a string) or number of a claim. False: something it needs is not there. */
bool paper_eval(const struct experiment *e, const json_t *expression, double *v);

enum verdict { CLAIM_HOLDS, CLAIM_IN_PART, CLAIM_DOES_NOT, CLAIM_UNKNOWN };
enum verdict paper_verdict(const struct experiment *e, const json_t *claim);

/* report.c: report.md and report.html, in the output directory. 0, or a negative errno after
 * one line on stderr. */
int paper_report(const struct paper *p);
/* plot.c: NAME.png and NAME.svg there; draws nothing if the experiment has nothing to draw.
 * As above. */
int paper_plot(struct experiment *e);
bool paper_has_plot(const struct experiment *e);

#endif
