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

enum job_event { JOB_STARTED, JOB_RUNNING, JOB_ENDED };
/* JOB_RUNNING comes every few seconds for each job that runs. */
typedef void job_event_fn(void *arg, const struct job *j, enum job_event e);

/*
 * Run all, in order, so many at the same time. 0 when all that were started have ended, whatever
 * came of them; -EINTR when the user interrupted (running ones were ended, the others not started);
 * or the negative errno of a fork that failed, after one line on stderr.
 */
int jobs_run(struct job *job, unsigned n, unsigned at_once, job_event_fn *event, void *arg);

#endif
