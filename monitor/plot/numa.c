// SPDX-License-Identifier: MIT
/*
 * Pictures of a run in numa fidelity, from the "numa" object of its statistics: misses over time,
 * where CPU time went, and a map of pages. Everything read is checked: a
 * user may have the file from elsewhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/plot/plot.h"
#include "monitor/vm/counts.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

static const json_t *get(const json_t *root, const char *a, const char *b)
{
	return json_object_get(json_object_get(root, a), b);
}

static double clock_hz(const json_t *root)
{
	return json_number_value(json_object_get(get(root, "inputs", "machine"), "clock_hz"));
}

static double at(const json_t *array, size_t i)
{
	return json_number_value(json_array_get(array, i));
}

static void write_title(FILE *out, const json_t *root, const char *what)
{
	const char *machine =
		json_string_value(json_object_get(get(root, "inputs", "machine"), "name"));
	const char *policy = json_string_value(get(root, "numa", "policy"));
	json_int_t region = json_integer_value(json_object_get(root, PLOT_REGION));
	char text[200], part[32] = "";

	if (region)
		snprintf(part, sizeof(part), ", region %lld", (long long)region);
	snprintf(text, sizeof(text), "%s: %zu VM%s on %s, %.60s%s", what,
		json_array_size(json_object_get(root, "vms")),
		json_array_size(json_object_get(root, "vms")) == 1 ? "" : "s",
		machine ? machine : "?", policy ? policy : "?", part);
	plot_quoted(out, text);
}

static void title(FILE *out, const json_t *root, const char *what)
{
	fprintf(out, "set title ");
	write_title(out, root, what);
	fprintf(out, " noenhanced\n");
}

/* --- misses --- */

/* Columns of the series that are shown, in the order of $series after the time. */
static const char *const shown[] = {"local", "remote", "migrations", "replications", "collapses"};

static int write_series(FILE *out, const json_t *series, double hz)
{
	const json_t *cycles = json_object_get(series, "cycles");
	size_t n = json_array_size(cycles);

	if (n < 2 || !(hz > 0))
		return -EINVAL;
	fprintf(out, "$series << END\n");
	for (size_t i = 1; i < n; i++) {
		double from = at(cycles, i - 1) / hz, to = at(cycles, i) / hz;

		if (!(to > from))
			continue;
		for (int side = 0; side < 2;
			side++) { /* a rate holds from one sample to the next */
			fprintf(out, "%.9g", side ? to : from);
			for (size_t k = 0; k < ARRAY_SIZE(shown); k++) {
				const json_t *column = json_object_get(series, shown[k]);

				if (json_array_size(column) != n)
					return -EINVAL;
				fprintf(out, " %.6g",
					(at(column, i) - at(column, i - 1)) / ((to - from) * 1e3));
			}
			fprintf(out, "\n");
		}
	}
	fprintf(out, "END\n");
	return 0;
}

/*
 * The time that is shown: the region that was asked for, or the part of a series in which there
 * were misses, as a job may have been positioned without caches.
 */
static int write_range(FILE *out, const json_t *root, const json_t *series, double hz)
{
	const json_t *cycles = json_object_get(series, "cycles");
	const json_t *local = json_object_get(series, "local");
	const json_t *remote = json_object_get(series, "remote");
	size_t first = 0, last = json_array_size(cycles) - 1;
	json_int_t region = json_integer_value(json_object_get(root, PLOT_REGION));
	struct plot_span span[REGIONS_MAX];

	if (region) {
		if (region < 1 || region > plot_regions(root, span))
			return -EINVAL;
		fprintf(out, "set xrange [%.9g:%.9g]\n", span[region - 1].from / hz,
			span[region - 1].to / hz);
		return 0;
	}
	while (first + 1 < last && !(at(local, first + 1) + at(remote, first + 1) > 0))
		first++;
	while (last > first + 1 &&
		at(local, last) + at(remote, last) == at(local, last - 1) + at(remote, last - 1))
		last--;
	fprintf(out, "set xrange [%.9g:%.9g]\n", at(cycles, first) / hz, at(cycles, last) / hz);
	return 0;
}

/* Did all CPUs go without a miss for some time between others? */
static bool has_gap(const json_t *series)
{
	const json_t *local = json_object_get(series, "local");
	const json_t *remote = json_object_get(series, "remote");
	size_t n = json_array_size(local);
	bool some = false, none = false;

	for (size_t i = 1; i < n; i++) {
		double misses = at(local, i) + at(remote, i) - at(local, i - 1) - at(remote, i - 1);

		if (misses > 0 && some && none)
			return true;
		some |= misses > 0;
		none = some && !(misses > 0);
	}
	return false;
}

/* Vertical lines where regions of interest begin and end: how many regions. */
static unsigned write_regions(FILE *out, const json_t *root, double hz)
{
	json_int_t region = json_integer_value(json_object_get(root, PLOT_REGION));
	struct plot_span span[REGIONS_MAX];
	unsigned n = plot_regions(root, span);

	for (unsigned i = 0; i < 2 * n; i++) {
		double x = (i % 2 ? span[i / 2].to : span[i / 2].from) / hz;

		if (region && i / 2 + 1 != region)
			continue;
		fprintf(out,
			"set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead "
			"dt 2 lw 1.5 lc rgb '" PLOT_BLACK "' front\n",
			x, x);
	}
	return n;
}

int plot_misses(FILE *out, const json_t *root)
{
	const json_t *series = get(root, "numa", "series");
	double hz = clock_hz(root);
	bool moves = json_is_object(get(root, "numa", "moves"));
	const char *key = "set key at graph 1.02, graph 1 left top Left reverse samplen 1.5\n";
	const char *time;
	unsigned regions;

	if (write_series(out, series, hz))
		return -EINVAL;
	fprintf(out, "set border 3\nset tics nomirror out\nset grid ytics lc rgb '#dddddd'\n%s",
		key);
	fprintf(out, "set lmargin 11\nset rmargin 19\nset yrange [0:*]\n");
	if (write_range(out, root, series, hz))
		return -EINVAL;
	regions = write_regions(out, root, hz);
	time = has_gap(series) ? "set xlabel 'machine time (s); gaps: CPUs idle, or in functional "
				 "fidelity'\n"
			       : "set xlabel 'machine time (s)'\n";
	fprintf(out, "%s", moves ? "set multiplot layout 2,1\n" : time);
	title(out, root, "L2 misses");
	fprintf(out,
		"set ylabel 'misses per ms'\nset style fill solid 1.0 noborder\n"
		"plot $series using 1:($2+$3) with filledcurves y1=0 lc rgb '%s' title 'remote', "
		"\\\n"
		"$series using 1:2 with filledcurves y1=0 lc rgb '%s' title 'local'%s\n",
		plot_stall_colour[STALL_REMOTE], plot_stall_colour[STALL_LOCAL],
		regions ? ", \\\nNaN with lines dt 2 lw 1.5 lc rgb '" PLOT_BLACK
			  "' title \"region's limits\""
			: "");
	if (moves)
		fprintf(out,
			"unset title\n%sset ylabel 'moves per ms'\n"
			"plot $series using 1:4 with lines lw 2 lc rgb '" PLOT_GREEN "' title "
			"'migrations', \\\n"
			"$series using 1:5 with lines lw 2 lc rgb '" PLOT_PURPLE "' title "
			"'replications', \\\n"
			"$series using 1:6 with lines lw 2 lc rgb '" PLOT_ORANGE
			"' title 'collapses'\n"
			"unset multiplot\n",
			time);
	return 0;
}

/* --- stalls --- */

static int write_bar(FILE *out, const json_t *vm, size_t i)
{
	double all = json_number_value(json_object_get(vm, "cpu_cycles")), low, stalls = 0;
	const json_t *stall = json_object_get(vm, "stall");

	for (int k = 0; k < MEMSYS_STALLS; k++) {
		const json_t *v = json_object_get(stall, memsys_stall_name[k]);

		if (!json_is_number(v))
			return -EINVAL;
		stalls += json_number_value(v);
	}
	if (!(all > 0)) { /* it never ran in numa fidelity: no bar */
		fprintf(out, "%zu 0 0 0 0 0 0 0 0\n", i);
		return 0;
	}
	low = MAX(0, 100 - 100 * stalls / all);
	fprintf(out, "%zu 0 %.4f", i, low);
	for (int k = 0; k < MEMSYS_STALLS; k++) {
		low += 100 * json_number_value(json_object_get(stall, memsys_stall_name[k])) / all;
		fprintf(out, " %.4f", low);
	}
	fprintf(out, "\n");
	return 0;
}

int plot_stall(FILE *out, const json_t *root)
{
	const json_t *vms = get(root, "numa", "vms"), *vm;
	json_int_t region = json_integer_value(json_object_get(root, PLOT_REGION));
	size_t n = region ? 1 : json_array_size(vms), every = plot_every(n), i;

	if (!n)
		return -EINVAL;
	fprintf(out, "$bars << END\n");
	if (region &&
		write_bar(out, json_array_get(get(root, "numa", "regions"), (size_t)region - 1), 0))
		return -EINVAL;
	json_array_foreach(vms, i, vm)
	{
		if (!region && write_bar(out, vm, i))
			return -EINVAL;
	}
	fprintf(out, "END\n");
	title(out, root, "CPU time in numa fidelity");
	fprintf(out, "set xtics nomirror scale 0 (");
	for (i = 0; i < n; i += every) {
		const char *name =
			json_string_value(json_object_get(json_array_get(vms, i), "name"));

		fprintf(out, "%s", i ? ", " : "");
		plot_quoted(out, region ? "all VMs" : name ? name : "?");
		fprintf(out, " %zu", i);
	}
	fprintf(out,
		")\nset border 3\nset ytics nomirror\nset grid ytics lc rgb '#dddddd'\n"
		"set ylabel '%% of CPU time'\nset yrange [0:100]\nset xrange [%g:%g]\n"
		"set key outside right top Left reverse invert samplen 1.5\n"
		"set style fill solid 1.0 noborder\nplot ",
		n < 4 ? -0.5 - (4 - (double)n) / 2 : -0.6,
		(double)n - 1 + (n < 4 ? 0.5 + (4 - (double)n) / 2 : 0.6));
	for (int k = -1; k < MEMSYS_STALLS; k++)
		fprintf(out,
			"$bars using 1:%d:($1-0.35):($1+0.35):%d:%d with boxxyerror lc rgb '%s' "
			"title '%s'%s",
			4 + k, 3 + k, 4 + k, k < 0 ? PLOT_BUSY_COLOUR : plot_stall_colour[k],
			k < 0 ? "computing" : plot_stall_title[k],
			k + 1 < MEMSYS_STALLS ? ", \\\n" : "\n");
	return 0;
}

/* --- pages --- */

enum {
	PANELS_MAX = 64,     /* VMs shown */
	CELLS_MAX = 1 << 18, /* of all of them; beyond, a cell is several pages */
	PAGE_ABSENT = -1,    /* as values of a cell; else the node */
	PAGE_REPLICATED = 0xff,
};

/* One run of "NODE[+][*COUNT]" or "-[*COUNT]". Where it ends, or NULL if it is none. */
static const char *read_run(const char *text, int *place, uint64_t *count)
{
	char *end = (char *)text + 1;

	*place = PAGE_ABSENT;
	if (*text != '-') {
		long node = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;

		if (node < 0 || node >= MACHINE_MAX_NODES)
			return NULL;
		*place = (int)node;
	}
	if (*place >= 0 && *end == '+') {
		*place = PAGE_REPLICATED;
		end++;
	}
	*count = 1;
	if (*end == '*')
		*count = strtoull(end + 1, &end, 10);
	if (*count > UINT32_MAX || !*count || (*end && *end != ' '))
		return NULL;
	return *end ? end + 1 : end;
}

static uint64_t map_pages(const char *text)
{
	uint64_t n = 0, count;
	int place;

	while (text && *text) {
		text = read_run(text, &place, &count);
		n += text ? count : 0;
	}
	return text ? n : 0;
}

/* Pages a cell stands for, where `panels` VMs are shown. */
static uint64_t map_group(uint64_t pages, size_t panels)
{
	uint64_t group = 1;

	while (pages / group > CELLS_MAX / panels)
		group *= 2;
	return group;
}

/* Columns of a map of `cells` cells: a power of two, so that equal strides stand in columns. */
static uint64_t map_columns(uint64_t cells)
{
	uint64_t columns = 64;

	while (columns * columns < cells)
		columns *= 2;
	return columns;
}

/*
 * 0xRRGGBB. A few nodes have colours of their own, Okabe and Ito's; many have a scale from dark to
 * light, viridis, of which a reader can tell neighbourhoods.
 */
static uint32_t colour(int place, uint64_t nodes)
{
	static const uint32_t first[] = {
		0x0072b2, 0xe69f00, 0x009e73, 0xd55e00, 0x56b4e9, 0xf0e442, 0xcc79a7, 0x999999};
	static const uint32_t scale[] = {0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962,
		0xaddc30, 0xfde725}; /* viridis without its darkest eighth: black is replicated */
	const uint32_t last = ARRAY_SIZE(scale) - 1;
	uint32_t n = (uint32_t)place, rgb = 0;
	double x, part;

	if (place == PAGE_ABSENT)
		return 0xf0f0f0;
	if (place == PAGE_REPLICATED)
		return 0;
	if (nodes <= ARRAY_SIZE(first))
		return first[n % ARRAY_SIZE(first)];
	x = (double)MIN(n, nodes - 1) / (double)(nodes - 1) * last;
	n = MIN((uint32_t)x, last - 1);
	part = x - n;
	for (int shift = 0; shift < 24; shift += 8)
		rgb |= (uint32_t)((scale[n] >> shift & 255) * (1 - part) +
				  (scale[n + 1] >> shift & 255) * part + 0.5)
		       << shift;
	return rgb;
}

static void write_cell(FILE *out, uint64_t cell, uint64_t columns, int place, uint64_t nodes)
{
	uint32_t rgb = colour(place, nodes);

	fprintf(out, "%llu %llu %u %u %u\n", (unsigned long long)(cell % columns),
		(unsigned long long)(cell / columns), rgb >> 16, rgb >> 8 & 255, rgb & 255);
}

/* x, y, red, green, blue of each cell, which stands for the first of `group` pages. */
static void write_cells(
	FILE *out, const char *text, size_t vm, uint64_t group, uint64_t columns, uint64_t nodes)
{
	uint64_t page = 0, count, cells = 0;
	int place;

	fprintf(out, "$map%zu << END\n", vm);
	while (*text) {
		text = read_run(text, &place, &count);
		for (; cells * group < page + count; cells++)
			write_cell(out, cells, columns, place, nodes);
		page += count;
	}
	for (; cells % columns; cells++)
		write_cell(out, cells, columns, PAGE_ABSENT, nodes);
	fprintf(out, "END\n");
}

static void write_panel(FILE *out, const json_t *vm, size_t i, size_t panels, uint64_t nodes)
{
	const char *text = json_string_value(json_object_get(vm, "pages"));
	const char *name = json_string_value(json_object_get(vm, "name"));
	uint64_t pages = map_pages(text), group = map_group(pages, panels);
	uint64_t columns = map_columns(pages / group);

	write_cells(out, text, i, group, columns, nodes);
	fprintf(out, "set title ");
	plot_quoted(out, name ? name : "?");
	fprintf(out,
		" noenhanced offset 0,%s font ',%d'\nset xrange [-0.5:%llu.5]\nset yrange "
		"[%llu.5:-0.5]\n",
		panels > 16 ? "-0.9" : "-0.7", panels > 16 ? 9 : 12,
		(unsigned long long)columns - 1,
		(unsigned long long)((pages / group + columns - 1) / columns) - 1);
	fprintf(out, "plot $map%zu using 1:2:3:4:5 with rgbimage notitle\n", i);
}

/* A panel of its own with a square and a word for each colour. */
static void write_legend(FILE *out, const json_t *root, uint64_t nodes)
{
	bool moves = json_is_object(get(root, "numa", "moves"));
	uint64_t step = (nodes + 15) / 16;

	fprintf(out,
		"set origin 0.84,0.02\nset size 0.16,0.88\nunset title\nunset border\nset xrange "
		"[0:1]\n"
		"set yrange [0:1]\nset key at screen 0.99,0.9 top Left reverse samplen 0.5\nplot ");
	for (uint64_t i = 0; i < nodes; i += step)
		fprintf(out, "-1 with points pt 5 ps 2 lc rgb %u title 'node %llu', \\\n",
			colour((int)i, nodes), (unsigned long long)i);
	if (moves)
		fprintf(out, "-1 with points pt 5 ps 2 lc rgb %u title 'replicated', \\\n",
			colour(PAGE_REPLICATED, nodes));
	fprintf(out, "-1 with points pt 5 ps 2 lc rgb %u title 'untouched'\nunset multiplot\n",
		colour(PAGE_ABSENT, nodes));
}

int plot_pages(FILE *out, const json_t *root)
{
	const json_t *vms = get(root, "numa", "vms");
	size_t n = json_array_size(vms), shown_vms = MIN(n, (size_t)PANELS_MAX), across = 1, down;
	uint64_t nodes = json_array_size(json_object_get(get(root, "inputs", "machine"), "nodes"));
	uint64_t pages, row;
	char what[100];

	if (!n || !nodes || nodes > MACHINE_MAX_NODES)
		return -EINVAL;
	for (size_t i = 0; i < shown_vms; i++)
		if (!map_pages(json_string_value(json_object_get(json_array_get(vms, i), "pages"))))
			return -EINVAL;
	while (across * across < shown_vms)
		across++;
	down = (shown_vms + across - 1) / across;
	pages = map_pages(json_string_value(json_object_get(json_array_get(vms, 0), "pages")));
	row = map_group(pages, shown_vms) * map_columns(pages / map_group(pages, shown_vms));
	snprintf(what, sizeof(what), "Pages by node (a row is %llu KB%s%s)",
		(unsigned long long)(row * PAGE_SIZE >> 10),
		map_group(pages, shown_vms) > 1 ? ", sampled" : "",
		n > shown_vms ? "; the first VMs" : "");
	fprintf(out, "unset tics\nunset key\nset border lc rgb '#999999'\nset multiplot title ");
	write_title(out, root, what);
	fprintf(out, " noenhanced\n");
	fprintf(out, "set tmargin %s\nset bmargin 0.3\nset lmargin 0.5\nset rmargin 0.5\n",
		shown_vms > 16 ? "0.9" : "1.5");
	for (size_t i = 0; i < shown_vms; i++) {
		size_t line = i / across;

		fprintf(out, "set origin %.4f,%.4f\nset size %.4f,%.4f\n",
			0.83 * (double)(i % across) / (double)across,
			0.92 - 0.92 * (double)(line + 1) / (double)down, 0.83 / (double)across,
			0.92 / (double)down);
		write_panel(out, json_array_get(vms, i), i, shown_vms, nodes);
	}
	write_legend(out, root, nodes);
	return 0;
}
