// SPDX-License-Identifier: MIT
/*
 * The memory picture, stacked as in the paper's Fig. 6: for each snapshot a bar V (what the VMs
 * would need without sharing) and a bar M (machine memory in use), by kind. And the same of several
 * runs of one job: V of the first, which is about that of all, and M of each.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "monitor/plot/plot.h"
#include "numa/util.h"

/* Segments of a bar from the bottom; the key of the statistics file, the legend, the colour. */
static const struct {
	const char *key, *title, *colour;
} kinds[] = {
	{"private", "private", PLOT_BLUE},
	{"text", "kernel and boot files", PLOT_ORANGE},
	{"cache", "buffer cache", PLOT_GREEN},
	{"disk", "modified disk blocks", PLOT_PURPLE},
	{"same", "identical pages", PLOT_YELLOW},
	{"zero", "pages of zeroes", PLOT_SKY},
	{"cloned", "cloned", PLOT_RED},
	{"monitor", "monitor", PLOT_GREY},
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
	long long vms = json_integer_value(json_object_get(o, "vms"));
	size_t i;

	if (json_integer_value(json_object_get(root, "schema")) != 1 || !name || !(hz > 0))
		return -EINVAL;
	snprintf(p->title, sizeof(p->title), "Memory of %lld VM%s of %lld MB on %s", vms,
		vms == 1 ? "" : "s",
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

static void write_data(FILE *out, const struct picture *p)
{
	fprintf(out, "$bars << END\n");
	for (unsigned b = 0; b < p->n_bars; b++) {
		char number[PLOT_NUMBER];
		double low = 0;

		fprintf(out, "%g", p->bar[b].at);
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			fprintf(out, " %.3f %.3f", low, low + p->bar[b].mb[k]);
			low += p->bar[b].mb[k];
		}
		fprintf(out, " %.3f \"%s\"\n", low, plot_number(number, low));
	}
	fprintf(out, "END\n");
}

static void write_labels(FILE *out, const struct picture *p)
{
	fprintf(out, "set bmargin 5\n"
		     "set label 'V: virtual memory of the VMs   M: machine memory in use' "
		     "at graph 0.5, character 0.9 center\n");
	fprintf(out, "set xtics nomirror scale 0 (");
	for (unsigned b = 0; b < p->n_bars; b++)
		fprintf(out, "%s\"%c\" %g", b ? ", " : "", "VM"[b % 2], p -> bar[b].at);
	fprintf(out, ")\n");
	for (unsigned b = 0; b < p->n_bars; b += 2) {
		fprintf(out, "set label ");
		plot_quoted(out, p->bar[b].label);
		fprintf(out, " noenhanced at first %g, character 2.2 center\n",
			(p->bar[b].at + p->bar[b + 1].at) / 2);
	}
}

/* All but the labels below the bars. */
static void write_script(FILE *out, const struct picture *p)
{
	double right = p->bar[p->n_bars - 1].at + 0.8;

	fprintf(out, "set title ");
	plot_quoted(out, p->title);
	fprintf(out,
		" noenhanced\n"
		"set ylabel 'memory (MB)'\n"
		"set xrange [-0.8:%g]\nset yrange [0:%g]\n"
		"set border 3\nset ytics nomirror\nset grid ytics lc rgb '#dddddd'\n"
		"set key outside right top reverse Left invert samplen 1.5\n"
		"set boxwidth 0.75\nset style fill solid 1.0 noborder\n",
		right, p->top > 0 ? p->top * 1.12 : 1);
	write_data(out, p);
	fprintf(out, "plot ");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		fprintf(out,
			"$bars using 1:%zu:($1-0.375):($1+0.375):%zu:%zu with boxxyerror "
			"lc rgb '%s' title '%s', \\\n",
			3 + 2 * k, 2 + 2 * k, 3 + 2 * k, kinds[k].colour, kinds[k].title);
	fprintf(out, "$bars using 1:%zu:%zu with labels offset 0,0.7 notitle\n",
		2 + 2 * ARRAY_SIZE(kinds), 3 + 2 * ARRAY_SIZE(kinds));
}

int plot_memory(FILE *out, const json_t *root)
{
	struct picture p = {.n_bars = 0};
	int err = read_picture(root, &p);

	if (err)
		return err;
	write_labels(out, &p);
	write_script(out, &p);
	return 0;
}

/* --- several runs --- */

/* The bars of one run's last snapshot before power-off. */
static int read_last(const json_t *run, struct picture *p)
{
	p->n_bars = 0;
	if (read_picture(run, p))
		return -EINVAL;
	p->bar[0] = p->bar[p->n_bars - 2];
	p->bar[1] = p->bar[p->n_bars - 1];
	return 0;
}

int plot_compare_memory(FILE *out, const json_t *runs)
{
	struct picture all = {.n_bars = 0}, one = {.top = 0};
	const json_t *run;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		const char *name = json_string_value(json_object_get(run, "compared_as"));

		if (!json_is_object(run) || all.n_bars + 2 > ARRAY_SIZE(all.bar))
			continue;
		if (read_last(run, &one))
			return -EINVAL;
		if (!all.n_bars) {
			memcpy(all.title, one.title, sizeof(all.title));
			all.bar[all.n_bars] = one.bar[0];
			snprintf(all.bar[all.n_bars++].label, sizeof(one.bar[0].label), "virtual");
		}
		all.bar[all.n_bars] = one.bar[1];
		snprintf(all.bar[all.n_bars++].label, sizeof(one.bar[0].label), "%.40s",
			name ? name : "");
	}
	if (!all.n_bars)
		return -EINVAL;
	all.top = one.top;
	fprintf(out, "set xtics nomirror scale 0 noenhanced (");
	for (unsigned b = 0; b < all.n_bars; b++) {
		all.bar[b].at = b;
		fprintf(out, b ? ", " : "");
		plot_quoted(out, all.bar[b].label);
		fprintf(out, " %u", b);
	}
	fprintf(out, ")%s\n", all.n_bars > 5 ? " rotate by -30" : "");
	write_script(out, &all);
	return 0;
}
