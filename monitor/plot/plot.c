// SPDX-License-Identifier: MIT
/*
 * Driving gnuplot; see plot.h. The script goes to its standard input, so that no text of a
 * statistics file is ever a shell's business.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/plot/plot.h"
#include "numa/util.h"

const char *const plot_stall_colour[MEMSYS_STALLS] = {
	[STALL_L2] = "#9bc9a0",
	[STALL_LOCAL] = "#4c72b0",
	[STALL_REMOTE] = "#c44e52",
	[STALL_UPGRADE] = "#dd8452",
	[STALL_TLB] = "#8172b3",
	[STALL_QUEUE] = "#333333",
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
static char *make_script(plot_fn *script, const json_t *root)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	int err;

	if (!out)
		die("out of memory");
	err = script(out, root);
	if (fclose(out))
		die("out of memory");
	if (!err)
		return text;
	free(text);
	return NULL;
}

static int draw(const char *script, const char *file, bool svg)
{
	FILE *out = popen("gnuplot", "w");
	int status;

	if (!out)
		return complain(errno, "gnuplot cannot be started: %s", strerror(errno));
	fprintf(out, "set terminal %s\nset output ",
		svg ? "svg standalone size 900,560 font 'DejaVu Sans,13' background '#ffffff'"
		    : "pngcairo size 1200,750 font 'DejaVu Sans,12' fontscale 1.33");
	plot_quoted(out, file);
	fprintf(out, "\n%s", script);
	status = pclose(out);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return complain(ENOENT, "gnuplot is missing: install gnuplot-nox");
	if (status)
		return complain(EIO, "gnuplot failed");
	return 0;
}

int plot_draw(plot_fn *script, const json_t *root, const char *from, const char *output)
{
	char *text = make_script(script, root), *temporary;
	const char *dot = strrchr(output, '.');
	int err;

	if (!text)
		return complain(EINVAL,
			"%s: not statistics of 'disco run' (schema 1) with what this picture shows",
			from);
	temporary = xasprintf("%s.%ld.tmp", output, (long)getpid());
	err = draw(text, temporary, dot && !strcmp(dot, ".svg"));
	if (!err && rename(temporary, output))
		err = complain(errno, "%s: %s", output, strerror(errno));
	if (err)
		unlink(temporary);
	free(temporary);
	free(text);
	return err;
}
