// SPDX-License-Identifier: MIT
/*
 * Runs as child processes; see jobs.h. Signals are blocked and waited for, together with the end of
 * a child and the next word of progress, so there is no handler and no race.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/base/clock.h"
#include "monitor/cli/command.h"
#include "monitor/cli/jobs.h"
#include "numa/util.h"

enum { PROGRESS_SECONDS = 5 };

/* In the child. */
static _Noreturn void run_job(const struct job *j)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(j->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (in < 0 || out < 0) {
		complain(errno, "%s: %s", j->log, strerror(errno));
		exit(STATUS_USAGE);
	}
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	exit(cmd_run(j->words, j->word));
}

static int start(struct job *j, const sigset_t *mask)
{
	fflush(NULL);
	j->started = host_seconds();
	j->pid = fork();
	if (j->pid < 0) {
		j->pid = 0;
		j->status = STATUS_FAILED;
		return complain(errno, "fork: %s", strerror(errno));
	}
	if (!j->pid) {
		sigprocmask(SIG_SETMASK, mask, NULL);
		run_job(j);
	}
	return 0;
}

static void reap(struct job *job, unsigned n, job_event_fn *event, void *arg)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < n; i++) {
			if (job[i].pid != pid)
				continue;
			job[i].pid = 0;
			job[i].status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
			event(arg, &job[i], JOB_ENDED);
		}
}

/* Until something happens. True: the user wants an end. */
static bool wait_jobs(
	struct job *job, unsigned n, const sigset_t *waited, job_event_fn *event, void *arg)
{
	const struct timespec limit = {.tv_sec = PROGRESS_SECONDS};
	int sig = sigtimedwait(waited, NULL, &limit);

	reap(job, n, event, arg);
	for (unsigned i = 0; i < n; i++) {
		if (job[i].pid && sig < 0)
			event(arg, &job[i], JOB_RUNNING);
		else if (job[i].pid && sig != SIGCHLD)
			kill(job[i].pid, SIGTERM);
	}
	return sig == SIGINT || sig == SIGTERM;
}

int jobs_run(struct job *job, unsigned n, unsigned at_once, job_event_fn *event, void *arg)
{
	sigset_t waited, before;
	unsigned started = 0, running;
	bool interrupted = false;
	int err = 0;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGTERM);
	sigprocmask(SIG_BLOCK, &waited, &before);
	do {
		running = 0;
		for (unsigned i = 0; i < started; i++)
			running += job[i].pid > 0;
		if (started < n && running < at_once && !err && !interrupted) {
			err = start(&job[started], &before);
			if (!err)
				event(arg, &job[started], JOB_STARTED);
			started++;
		} else if (running) {
			interrupted |= wait_jobs(job, started, &waited, event, arg);
		} else {
			break;
		}
	} while (true);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err ? err : interrupted ? -EINTR : 0;
}
