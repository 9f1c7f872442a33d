// SPDX-License-Identifier: MIT
/*
 * Several runs of `disco run`, each a child process with its own log, so that they cannot disturb
 * each other; what is known of one afterwards is its exit status and the statistics file it was
 * told to write. `disco compare` and `disco reproduce` are made of this.
 */
#ifndef MONITOR_CLI_JOBS_H
#define MONITOR_CLI_JOBS_H

#include <stdbool.h>
#include <sys/types.h>

struct job {
	const char *name;
	const char *log; /* file for its standard output and error */
	char **word;     /* what cmd_run() gets; word[0] is "run" */
	int words;
	/* Set by jobs_run(): */
	pid_t pid;      /* 0: not running */
	double started; /* host time, seconds */
	int status;     /* when it has ended: an exit status of command.h */
};

/*
 * Run all, in order, `at_once` at the same time, and show on stderr how far they are: on a terminal
 * redrawn in place, with a guess of the time left; `before` runs more are counted as done already.
 * 0 when all have ended, whatever came of them; -EINTR, after one line, when the user interrupted
 * (running ones were ended, the others not started); or the negative errno of a fork that failed,
 * after one line on stderr.
 */
int jobs_run(struct job *job, unsigned n, unsigned at_once, unsigned before);

#endif
