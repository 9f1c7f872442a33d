// SPDX-License-Identifier: MIT
/*
 * Driving gnuplot; see plot.h. gnuplot reads the script from its standard input, so that no text of
 * a statistics file is ever a shell's business, and writes the picture to its standard output: it
 * does not say when a file cannot be written, and we do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/base/output.h"
#include "monitor/plot/plot.h"
#include "numa/util.h"

const char *const plot_stall_colour[MEMSYS_STALLS] = {
	[STALL_L2] = PLOT_SKY,
	[STALL_LOCAL] = PLOT_BLUE,
	[STALL_REMOTE] = PLOT_RED,
	[STALL_UPGRADE] = PLOT_YELLOW,
	[STALL_TLB] = PLOT_PURPLE,
	[STALL_QUEUE] = PLOT_BLACK,
};
const char *const plot_stall_title[MEMSYS_STALLS] = {
	[STALL_L2] = "L2 hits",
	[STALL_LOCAL] = "local misses",
	[STALL_REMOTE] = "remote misses",
	[STALL_UPGRADE] = "upgrades",
	[STALL_TLB] = "TLB misses",
	[STALL_QUEUE] = "queues",
};

/* A string in single quotes: only the quote itself needs care, and a newline has no place. */
void plot_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
	fputc('\'', out);
}

const char *plot_number(char text[PLOT_NUMBER], double v)
{
	double a = v < 0 ? -v : v;

	snprintf(text, PLOT_NUMBER, "%.*f",
		a < 0.0005  ? 0
		: a < 0.995 ? 3
		: a < 9.995 ? 2
		: a < 99.95 ? 1
			    : 0,
		a < 0.0005 ? 0 : v);
	return text;
}

size_t plot_every(size_t bars)
{
	return bars <= 10 ? 1 : (bars + 7) / 8;
}

/* How much of text, which begins with a word, the next line takes. */
static size_t line_length(const char *text, unsigned width)
{
	size_t n = strcspn(text, " "), more;

	while (text[n]) {
		more = n + 1 + strcspn(text + n + 1, " ");
		if (more > width)
			break;
		n = more;
	}
	return n;
}

unsigned plot_lines(const char *text, unsigned width)
{
	unsigned lines = 1;

	for (text += line_length(text, width); *text; lines++)
		text += 1 + line_length(text + 1, width);
	return lines;
}

unsigned plot_longest_word(const char *text)
{
	size_t longest = 0, n;

	for (;; text += n + 1) {
		n = strcspn(text, " ");
		longest = MAX(longest, n);
		if (!text[n])
			return (unsigned)longest;
	}
}

void plot_wrapped(FILE *out, const char *text, unsigned width)
{
	for (;;) {
		size_t n = line_length(text, width);
		char *line = xasprintf("%.*s", (int)n, text);

		plot_quoted(out, line);
		free(line);
		if (!text[n])
			return;
		fprintf(out, ".\"\\n\".");
		text += n + 1;
	}
}

const json_t *plot_last_snapshot(const json_t *run)
{
	const json_t *list = json_object_get(run, "snapshots"), *found = NULL, *s;
	size_t i;

	json_array_foreach(list, i, s)
	{
		const char *event = json_string_value(json_object_get(s, "event"));

		if (!found || (event && strcmp(event, "end")))
			found = s;
	}
	return found;
}

bool plot_is_picture(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (!strcmp(dot, ".svg") || !strcmp(dot, ".png"));
}

/* The script, or NULL when the file does not have what it needs. */
static char *make_script(plot_fn *script, const json_t *root, bool svg)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	int err;

	if (!out)
		die("out of memory");
	fprintf(out, "set terminal %s\n",
		svg ? "svg standalone size 900,560 font 'DejaVu Sans,13' background '#ffffff'"
		    : "pngcairo size 1200,750 font 'DejaVu Sans,12' fontscale 1.33");
	err = script(out, root);
	if (fclose(out))
		die("out of memory");
	if (!err)
		return text;
	free(text);
	return NULL;
}

/* gnuplot as a child with `fd` as its standard input and output. Its pid, or a negative errno. */
static pid_t start(const char *option, int fd)
{
	char *word[] = {xstrdup("gnuplot"), option ? xstrdup(option) : NULL, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	err = posix_spawnp(&pid, "gnuplot", &actions, NULL, word, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(word[0]);
	free(word[1]);
	if (err == ENOENT)
		return complain(ENOENT, "gnuplot is missing: install gnuplot-nox for pictures");
	return err ? complain(err, "gnuplot cannot be started: %s", strerror(err)) : pid;
}

static int finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!status)
		return 0;
	if (WIFSIGNALED(status))
		return complain(EIO, "gnuplot failed: %s", strsignal(WTERMSIG(status)));
	return complain(EIO, "gnuplot failed with status %d", WEXITSTATUS(status));
}

int plot_check(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = start("--version", null);

	close(null);
	return pid < 0 ? pid : finish(pid);
}

/* Give gnuplot the script and take the picture, whichever goes on. Bytes of the picture. */
static size_t talk(int fd, const char *script, FILE *out)
{
	size_t left = strlen(script), all = 0;
	char block[1 << 14];
	ssize_t n;

	for (;;) {
		struct pollfd p = {fd, (short)(POLLIN | (left ? POLLOUT : 0)), 0};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return all;
		n = left ? send(fd, script, left, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
		script += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
		if (n > 0 && !left)
			shutdown(fd, SHUT_WR);
		n = recv(fd, block, sizeof(block), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return all;
		all += n > 0 ? fwrite(block, 1, (size_t)n, out) : 0;
	}
}

/* What gnuplot makes of the script. */
static int draw(const char *script, FILE *out)
{
	int end[2];
	size_t drawn = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end))
		return complain(errno, "gnuplot cannot be started: %s", strerror(errno));
	pid = start(NULL, end[1]);
	close(end[1]);
	if (pid > 0)
		drawn = talk(end[0], script, out);
	close(end[0]);
	if (pid < 0)
		return pid;
	if (finish(pid))
		return -EIO;
	return drawn || ferror(out) ? 0 : complain(EIO, "gnuplot drew nothing");
}

int plot_draw(plot_fn *script, const json_t *root, const char *from, const char *output)
{
	const char *dot = strrchr(output, '.');
	char *text = make_script(script, root, dot && !strcmp(dot, ".svg"));
	struct output o;
	int err;

	if (!text)
		return complain(EINVAL,
			"%s: not statistics of 'disco run' (schema 1) with what this picture shows",
			from);
	err = output_open(&o, output);
	if (!err) {
		err = draw(text, o.file);
		if (output_close(&o, !err) && !err)
			err = -EIO;
	}
	free(text);
	return err;
}
