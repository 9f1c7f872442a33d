// SPDX-License-Identifier: MIT
/*
 * Runs as child processes; see jobs.h. Signals are blocked and waited for, together with the end of
 * a child and the next moment of progress, so there is no handler and no race.
 *
 * On a terminal, what is going on stands in a few lines that are redrawn in place, below a line for
 * each run that has ended; elsewhere each news is a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/base/clock.h"
#include "monitor/cli/command.h"
#include "monitor/cli/jobs.h"
#include "numa/util.h"

enum { PROGRESS_SECONDS = 5, REDRAW_SECONDS = 1, ROWS_MAX = 8, LINE_BYTES = 512 };

struct jobs {
	struct job *job;
	unsigned n, at_once, before;
	unsigned started, ended;
	double since, sum; /* when all began; what those that ended well took together */
	unsigned timed;    /* how many `sum` is of */
	bool redraw;       /* stderr is a terminal */
	bool interrupted;
	unsigned rows; /* that stand there, to be redrawn */
};

/* --- what the user sees --- */

/* What a run said last; "" if nothing yet. A run's words must not drive the terminal. */
static void last_line(const char *log, char *line, size_t n)
{
	char end[LINE_BYTES];
	FILE *f = fopen(log, "re");
	size_t got;
	char *nl;

	*line = '\0';
	if (!f)
		return;
	if (fseek(f, -(long)sizeof(end) + 1, SEEK_END))
		rewind(f);
	got = fread(end, 1, sizeof(end) - 1, f);
	fclose(f);
	while (got && (unsigned char)end[got - 1] <= ' ')
		got--;
	end[got] = '\0';
	nl = strrchr(end, '\n');
	nl = nl ? nl + 1 : end;
	snprintf(line, n, "%s", nl + (strstr(nl, "disco: ") == nl ? 7 : 0));
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = ' ';
}

/* From what runs took so far; negative while that is not known. */
static double seconds_left(const struct jobs *g, double now)
{
	double mean = g->sum / MAX(g->timed, 1u), left = mean * (g->n - g->started);

	if (!g->timed)
		return -1;
	for (unsigned i = 0; i < g->started; i++)
		if (g->job[i].pid)
			left += MAX(mean - (now - g->job[i].started), 0.0);
	return left / MIN(g->at_once, g->n);
}

/* "2 of 6, 35 s, about 2 min left" */
static void head(const struct jobs *g, char *text, size_t n)
{
	double now = host_seconds(), left = seconds_left(g, now);
	char guess[40] = "";

	if (left >= 0 && g->ended < g->n)
		snprintf(guess, sizeof(guess), ", about %.0f %s left",
			left < 100    ? left
			: left < 6000 ? left / 60
				      : left / 3600,
			left < 100    ? "s"
			: left < 6000 ? "min"
				      : "h");
	snprintf(text, n, "%u of %u, %.0f s%s", g->before + g->ended, g->before + g->n,
		now - g->since, guess);
}

static void clear(struct jobs *g)
{
	if (g->rows)
		fprintf(stderr, "\033[%uA\033[J", g->rows);
	g->rows = 0;
}

__attribute__((format(printf, 2, 3))) static void row(struct jobs *g, const char *format, ...)
{
	struct winsize size = {.ws_col = 80};
	char text[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	fprintf(stderr, "%.*s\n", size.ws_col > 1 ? size.ws_col - 1 : 79, text);
	g->rows++;
}

static void draw(struct jobs *g)
{
	char text[LINE_BYTES];

	clear(g);
	if (g->ended == g->n)
		return;
	head(g, text, sizeof(text));
	row(g, "disco: %s", text);
	for (unsigned i = 0; i < g->started && g->rows <= ROWS_MAX; i++) {
		const struct job *j = &g->job[i];

		last_line(j->log, text, sizeof(text));
		if (j->pid)
			row(g, "  %s, %.0f s: %s", j->name, host_seconds() - j->started, text);
	}
	fflush(stderr);
}

enum news { STARTED, RUNNING, ENDED };

static void tell(struct jobs *g, const struct job *j, enum news news)
{
	double took = host_seconds() - j->started;
	char all[80], text[100];

	if (g->redraw && news != ENDED)
		return;
	clear(g);
	head(g, all, sizeof(all));
	fprintf(stderr, "disco: [%s] %s", all, j->name);
	if (news == STARTED) {
		fprintf(stderr, " starts\n");
	} else if (news == ENDED && !j->status) {
		fprintf(stderr, " is done, %.0f s\n", took);
	} else if (news == ENDED) {
		fprintf(stderr, " %s; see %s\n", g->interrupted ? "ended" : "failed", j->log);
	} else {
		last_line(j->log, text, sizeof(text));
		fprintf(stderr, ", %.0f s: %s\n", took, text);
	}
}

/* --- running --- */

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

static void reap(struct jobs *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < g->started; i++) {
			struct job *j = &g->job[i];

			if (j->pid != pid)
				continue;
			j->pid = 0;
			j->status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
			g->ended++;
			if (!j->status) {
				g->sum += host_seconds() - j->started;
				g->timed++;
			}
			tell(g, j, ENDED);
		}
}

/* Until something happens. */
static void wait_jobs(struct jobs *g, const sigset_t *waited)
{
	const struct timespec limit = {.tv_sec = g->redraw ? REDRAW_SECONDS : PROGRESS_SECONDS};
	int sig;

	if (g->redraw)
		draw(g);
	sig = sigtimedwait(waited, NULL, &limit);
	g->interrupted |= sig == SIGINT || sig == SIGTERM;
	reap(g);
	for (unsigned i = 0; i < g->started; i++) {
		if (g->job[i].pid && sig < 0)
			tell(g, &g->job[i], RUNNING);
		else if (g->job[i].pid && sig != SIGCHLD)
			kill(g->job[i].pid, SIGTERM);
	}
}

static unsigned running(const struct jobs *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->started; i++)
		n += g->job[i].pid > 0;
	return n;
}

int jobs_run(struct job *job, unsigned n, unsigned at_once, unsigned before)
{
	const char *term = getenv("TERM");
	struct jobs g = {.job = job,
		.n = n,
		.at_once = at_once,
		.before = before,
		.since = host_seconds(),
		.redraw = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0};
	sigset_t waited, mask;
	int err = 0;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGTERM);
	sigprocmask(SIG_BLOCK, &waited, &mask);
	do {
		if (g.started < n && running(&g) < at_once && !err && !g.interrupted) {
			err = start(&job[g.started], &mask);
			g.started++;
			if (!err)
				tell(&g, &job[g.started - 1], STARTED);
		} else if (running(&g)) {
			wait_jobs(&g, &waited);
		} else {
			break;
		}
	} while (true);
	clear(&g);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (!err && g.interrupted)
		err = complain(
			EINTR, "interrupted: %u of %u runs are done", before + g.timed, before + n);
	return err;
}
