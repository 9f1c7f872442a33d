// SPDX-License-Identifier: MIT
/*
 * `disco plot`: the memory picture of a statistics file, stacked as in the paper's Fig. 6: for each
 * snapshot a bar V (what the VMs would need without sharing) and a bar M (machine memory in use),
 * by kind. gnuplot draws it, from a script on its standard input, so that no text of the file is
 * ever a shell's business.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/command.h"
#include "numa/util.h"

struct args {
	const char *stats;
	const char *output; /* NULL: the statistics file's name with .png */
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "Picture to write, .png or .svg (default: STATS.png)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'o':
		a->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0) {
			complain(0, "more than one statistics file");
			return ECANCELED;
		}
		a->stats = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->stats)
			return 0;
		complain(0, "which statistics file? See 'disco plot --help'");
		return ECANCELED;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&command_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, "STATS.json",
	"Draws virtual (V) against machine (M) memory by kind, for each snapshot of a run.",
	children, NULL, NULL};

/* Segments of a bar from the bottom; the key of the statistics file, the legend, the colour. */
static const struct {
	const char *key, *title, *colour;
} kinds[] = {
	{"private", "private", "#4c72b0"},
	{"text", "kernel and boot files", "#dd8452"},
	{"cache", "buffer cache", "#55a868"},
	{"disk", "modified disk blocks", "#8172b3"},
	{"monitor", "monitor", "#937860"},
};

struct bar {
	char label[48];
	double at; /* position on the x axis */
	double mb[ARRAY_SIZE(kinds)];
};

struct picture {
	char title[160];
	unsigned n_bars;
	struct bar bar[2 * 16];
	double top;
};

/* --- from JSON --- */

static int read_bar(const json_t *bytes, double monitor, struct bar *b, double *top)
{
	double sum = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const json_t *v = json_object_get(bytes, kinds[k].key);

		if (!json_is_integer(v))
			return -EINVAL;
		b->mb[k] = (double)json_integer_value(v) / (1 << 20);
		if (!strcmp(kinds[k].key, "monitor"))
			b->mb[k] += monitor;
		sum += b->mb[k];
	}
	*top = MAX(*top, sum);
	return 0;
}

static int read_picture(const json_t *root, struct picture *p)
{
	const json_t *inputs = json_object_get(root, "inputs"), *snapshot;
	const json_t *machine = json_object_get(inputs, "machine");
	const json_t *o = json_object_get(inputs, "options");
	const char *name = json_string_value(json_object_get(machine, "name"));
	double hz = json_number_value(json_object_get(machine, "clock_hz"));
	size_t i;

	if (json_integer_value(json_object_get(root, "schema")) != 1 || !name || !(hz > 0))
		return -EINVAL;
	snprintf(p->title, sizeof(p->title), "Memory of %lld VMs of %lld MB on %s",
		(long long)json_integer_value(json_object_get(o, "vms")),
		(long long)json_integer_value(json_object_get(o, "memory")) >> 20, name);
	json_array_foreach(json_object_get(root, "snapshots"), i, snapshot)
	{
		const char *event = json_string_value(json_object_get(snapshot, "event"));
		double seconds = json_number_value(json_object_get(snapshot, "cycles")) / hz;
		double monitor =
			json_number_value(json_object_get(snapshot, "monitor_bytes")) / (1 << 20);
		struct bar *v = &p->bar[p->n_bars], *m = v + 1;

		/* Once they are done, VMs only power off. */
		if (event && p->n_bars > 2 && !strcmp(event, "end"))
			continue;
		if (!event || p->n_bars + 2 > ARRAY_SIZE(p->bar) ||
			read_bar(json_object_get(snapshot, "virtual_bytes"), monitor, v, &p->top) ||
			read_bar(json_object_get(snapshot, "machine_bytes"), monitor, m, &p->top))
			return -EINVAL;
		v->at = (double)p->n_bars / 2 * 2.6;
		m->at = v->at + 0.9;
		snprintf(v->label, sizeof(v->label), "%.20s, %.2f s", event, seconds);
		p->n_bars += 2;
	}
	return p->n_bars ? 0 : -EINVAL;
}

/* --- to gnuplot --- */

/* A string in single quotes: only the quote itself needs care, and a newline has no place. */
static void quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
	fputc('\'', out);
}

static void write_data(FILE *out, const struct picture *p)
{
	fprintf(out, "$bars << END\n");
	for (unsigned b = 0; b < p->n_bars; b++) {
		double low = 0;

		fprintf(out, "%g", p->bar[b].at);
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			fprintf(out, " %.3f %.3f", low, low + p->bar[b].mb[k]);
			low += p->bar[b].mb[k];
		}
		fprintf(out, " %.3f %c\n", low, "VM"[b % 2]);
	}
	fprintf(out, "END\n");
}

static void write_labels(FILE *out, const struct picture *p)
{
	fprintf(out, "set xtics nomirror scale 0 (");
	for (unsigned b = 0; b < p->n_bars; b++)
		fprintf(out, "%s\"%c\" %g", b ? ", " : "", "VM"[b % 2], p -> bar[b].at);
	fprintf(out, ")\n");
	for (unsigned b = 0; b < p->n_bars; b += 2) {
		fprintf(out, "set label ");
		quoted(out, p->bar[b].label);
		fprintf(out, " noenhanced at first %g, character 2.2 center\n",
			(p->bar[b].at + p->bar[b + 1].at) / 2);
	}
}

static void write_script(FILE *out, const struct picture *p, const char *file, bool svg)
{
	double right = p->bar[p->n_bars - 1].at + 0.8;

	fprintf(out, "set terminal %s\nset output ",
		svg ? "svg size 900,560 font 'DejaVu Sans,13' background '#ffffff'"
		    : "pngcairo size 1350,840 font 'DejaVu Sans,12' fontscale 1.5");
	quoted(out, file);
	fprintf(out, "\nset title ");
	quoted(out, p->title);
	fprintf(out,
		" noenhanced\n"
		"set ylabel 'memory (MB)'\n"
		"set xrange [-0.8:%g]\nset yrange [0:%g]\n"
		"set border 3\nset ytics nomirror\nset grid ytics lc rgb '#dddddd'\n"
		"set bmargin 5\nset key outside right top reverse Left invert samplen 1.5\n"
		"set boxwidth 0.75\nset style fill solid 1.0 noborder\n"
		"set label 'V: virtual memory of the VMs   M: machine memory in use' "
		"at graph 0.5, character 0.9 center\n",
		right, p->top > 0 ? p->top * 1.12 : 1);
	write_data(out, p);
	write_labels(out, p);
	fprintf(out, "plot ");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		fprintf(out,
			"$bars using 1:%zu:($1-0.375):($1+0.375):%zu:%zu with boxxyerror "
			"lc rgb '%s' title '%s', \\\n",
			3 + 2 * k, 2 + 2 * k, 3 + 2 * k, kinds[k].colour, kinds[k].title);
	fprintf(out,
		"$bars using 1:%zu:(sprintf('%%.0f', $%zu)) with labels offset 0,0.7 notitle\n",
		2 + 2 * ARRAY_SIZE(kinds), 2 + 2 * ARRAY_SIZE(kinds));
}

static int draw(const struct picture *p, const char *file, bool svg)
{
	FILE *out = popen("gnuplot", "w");
	int status;

	if (!out)
		return complain(errno, "gnuplot cannot be started: %s", strerror(errno));
	write_script(out, p, file, svg);
	status = pclose(out);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return complain(ENOENT, "gnuplot is missing: install gnuplot-nox");
	if (status)
		return complain(EIO, "gnuplot failed");
	return 0;
}

static char *default_output(const char *stats)
{
	const char *dot = strrchr(stats, '.'), *slash = strrchr(stats, '/');
	size_t n = dot && (!slash || dot > slash) ? (size_t)(dot - stats) : strlen(stats);

	return xasprintf("%.*s.png", (int)n, stats);
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static int plot(const struct args *a, const char *output)
{
	struct picture p = {.n_bars = 0};
	bool svg = ends_in(output, ".svg");
	json_error_t fault;
	json_t *root;
	char *temporary;
	int err;

	if (!svg && !ends_in(output, ".png"))
		return complain(EINVAL, "%s: a picture ends in .png or .svg", output);
	root = json_load_file(a->stats, 0, &fault);
	if (!root && fault.line > 0)
		return complain(EINVAL, "%s:%d: %s", a->stats, fault.line, fault.text);
	if (!root)
		return complain(EINVAL, "%s: %s", a->stats, fault.text);
	err = read_picture(root, &p);
	json_decref(root);
	if (err)
		return complain(EINVAL, "%s: not statistics of 'disco run' (schema 1)", a->stats);
	temporary = xasprintf("%s.%ld.tmp", output, (long)getpid());
	err = draw(&p, temporary, svg);
	if (!err && rename(temporary, output))
		err = complain(errno, "%s: %s", output, strerror(errno));
	if (err)
		unlink(temporary);
	free(temporary);
	return err;
}

int cmd_plot(int argc, char **argv)
{
	struct args a = {0};
	char *output;
	int err;

	if (command_parse(&argp, argc, argv, &a))
		return STATUS_USAGE;
	output = a.output ? xstrdup(a.output) : default_output(a.stats);
	err = plot(&a, output);
	if (!err)
		printf("%s\n", output);
	free(output);
	return err ? STATUS_USAGE : STATUS_OK;
}
