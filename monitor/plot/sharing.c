// SPDX-License-Identifier: MIT
/*
 * The picture of the share matrix: for each VM a bar of its memory when the job was done,
 * divided by the other users of its frames. VM 0 is apart because it is the one that serves where
 * one serves, and the one that others are cloned from.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "monitor/plot/plot.h"
#include "numa/util.h"

/* Segments of a bar from the bottom; the key of the statistics file, the legend, the colour. */
static const struct {
	const char *key, *title, *colour;
} parts[] = {
	{"own", "its own", PLOT_BLUE},
	{"disk", "disk blocks it alone uses", PLOT_SKY},
	{"first_disk", "shared with vm0: disk blocks", PLOT_GREEN},
	{"first_other", "shared with vm0: others", PLOT_YELLOW},
	{"others", "shared without vm0", PLOT_PURPLE},
	{"text", "kernel and boot files", PLOT_ORANGE},
	{"zero", "zeroes, without a frame", PLOT_PALE},
};

static int write_bars(FILE *out, const json_t *matrix, double *top)
{
	const json_t *vm;
	size_t i;

	fprintf(out, "$bars << END\n");
	json_array_foreach(matrix, i, vm)
	{
		char number[PLOT_NUMBER];
		double low = 0;

		fprintf(out, "%zu 0", i);
		for (size_t k = 0; k < ARRAY_SIZE(parts); k++) {
			const json_t *v = json_object_get(vm, parts[k].key);

			if (!json_is_integer(v))
				return -EINVAL;
			low += (double)json_integer_value(v) / (1 << 20);
			fprintf(out, " %.3f", low);
		}
		fprintf(out, " \"%s\"\n", plot_number(number, low));
		*top = MAX(*top, low);
	}
	fprintf(out, "END\n");
	return 0;
}

static void write_axes(FILE *out, const json_t *root, const json_t *snapshot, size_t n, double top)
{
	const json_t *machine = json_object_get(json_object_get(root, "inputs"), "machine");
	const char *event = json_string_value(json_object_get(snapshot, "event"));
	double hz = json_number_value(json_object_get(machine, "clock_hz"));
	size_t step = plot_every(n);
	char title[160];

	snprintf(title, sizeof(title), "Memory of each VM by who uses its frames (%.20s, %.2f s)",
		event ? event : "?",
		json_number_value(json_object_get(snapshot, "cycles")) / MAX(hz, 1));
	fprintf(out, "set title ");
	plot_quoted(out, title);
	fprintf(out,
		" noenhanced\nset ylabel 'mapped memory (MB)'\nset xrange [-0.7:%g]\n"
		"set yrange [0:%g]\nset border 3\nset ytics nomirror\n"
		"set grid ytics lc rgb '#dddddd'\nset key outside right top Left reverse invert "
		"samplen 1.5\nset style fill solid 1.0 noborder\nset xtics nomirror scale 0 (",
		(double)n - 0.3, top > 0 ? top * 1.12 : 1);
	for (size_t i = 0; i < n; i += step)
		fprintf(out, "%s'vm%zu' %zu", i ? ", " : "", i, i);
	fprintf(out, ")\n");
}

int plot_sharing(FILE *out, const json_t *root)
{
	const json_t *snapshot = plot_last_snapshot(root);
	const json_t *matrix = json_object_get(snapshot, "sharers");
	size_t n = json_array_size(matrix);
	double top = 0;

	if (json_integer_value(json_object_get(root, "schema")) != 1 || !n ||
		write_bars(out, matrix, &top))
		return -EINVAL;
	write_axes(out, root, snapshot, n, top);
	fprintf(out, "plot ");
	for (size_t k = 0; k < ARRAY_SIZE(parts); k++)
		fprintf(out,
			"$bars using 1:%zu:($1-0.38):($1+0.38):%zu:%zu with boxxyerror lc rgb '%s' "
			"title '%s', \\\n",
			3 + k, 2 + k, 3 + k, parts[k].colour, parts[k].title);
	if (n <= 10)
		fprintf(out, "$bars using 1:%zu:%zu with labels offset 0,0.7 notitle\n",
			2 + ARRAY_SIZE(parts), 3 + ARRAY_SIZE(parts));
	else
		fprintf(out, "1/0 notitle\n");
	return 0;
}
