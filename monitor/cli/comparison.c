// SPDX-License-Identifier: MIT
/*
 * Runs side by side, as a table and as a picture; see comparison.h.
 */
#include <errno.h>
#include <string.h>

#include "monitor/cli/comparison.h"
#include "monitor/plot/plot.h"
#include "numa/util.h"

enum measure { MEASURE_REGION, MEASURE_JOB, MEASURE_ALL };

/* What one run comes to. */
struct result {
	bool there;
	const char *value;
	double seconds;
	double local, stalls; /* % of misses, % of CPU time; negative: there were none */
	double share[MEMSYS_STALLS];
	double moves, cost; /* how many; % of CPU time */
	bool modelled;
	double virtual, machine; /* memory when the job was done, bytes */
};

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static const json_t *numa_of(const json_t *run)
{
	return json_object_get(run, "numa");
}

/* From the first VM's being ready to the last command's end; 0 if some VM never came to either. */
static double job_cycles(const json_t *run)
{
	double from = 0, to = 0;
	const json_t *vm;
	size_t i;

	json_array_foreach(json_object_get(run, "vms"), i, vm)
	{
		if (!json_is_integer(json_object_get(vm, "ready_cycles")) ||
			!json_is_integer(json_object_get(vm, "exit_cycles")))
			return 0;
		from = i ? MIN(from, number(vm, "ready_cycles")) : number(vm, "ready_cycles");
		to = MAX(to, number(vm, "exit_cycles"));
	}
	return to - from;
}

static double run_cycles(const json_t *run, enum measure m)
{
	return m == MEASURE_REGION ? number(json_object_get(numa_of(run), "region"), "cycles")
	       : m == MEASURE_JOB  ? job_cycles(run)
				   : number(run, "cycles");
}

/* The narrowest that every run has. */
static enum measure choose_measure(const json_t *runs)
{
	enum measure m = MEASURE_REGION;
	const json_t *run;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		while (json_is_object(run) && m != MEASURE_ALL && !(run_cycles(run, m) > 0))
			m++;
	}
	return m;
}

static struct result read_result(const json_t *run, enum measure m)
{
	const json_t *numa = numa_of(run), *v;
	const json_t *counts = json_object_get(numa, m == MEASURE_REGION ? "region" : "total");
	const json_t *moves = json_object_get(m == MEASURE_REGION ? counts : numa, "moves");
	const json_t *machine = json_object_get(json_object_get(run, "inputs"), "machine");
	const json_t *snapshot = plot_last_snapshot(run);
	double cpu = MAX(number(counts, "cpu_cycles"), 1);
	struct result r = {.there = json_is_object(numa), .local = -1, .stalls = -1};

	if (!r.there)
		return r;
	r.value = json_string_value(json_object_get(run, "compared_as"));
	r.modelled = json_is_true(json_object_get(numa, "modelled"));
	r.virtual = number(json_object_get(snapshot, "virtual_bytes"), "total") +
		    number(snapshot, "monitor_bytes");
	r.machine = number(json_object_get(snapshot, "machine_bytes"), "total") +
		    number(snapshot, "monitor_bytes");
	r.seconds = run_cycles(run, m) / MAX(number(machine, "clock_hz"), 1);
	v = json_object_get(counts, "local_share");
	if (json_is_number(v))
		r.local = 100 * json_number_value(v);
	v = json_object_get(counts, "stall_share");
	if (json_is_number(v))
		r.stalls = 100 * json_number_value(v);
	for (int k = 0; k < MEMSYS_STALLS; k++)
		r.share[k] =
			100 * number(json_object_get(counts, "stall"), memsys_stall_name[k]) / cpu;
	r.moves = number(moves, "migrations") + number(moves, "replications") +
		  number(moves, "collapses");
	r.cost = 100 * number(moves, "cycles") / cpu;
	return r;
}

/* --- the table --- */

static void print_share(FILE *out, double v)
{
	if (v < 0)
		fprintf(out, " %9s", "-");
	else
		fprintf(out, " %9.1f", v);
}

static void print_head(FILE *out, int width, const char *vary, bool modelled)
{
	fprintf(out, "%-*s %10s %9s", width, vary, "time", "to first");
	if (modelled)
		fprintf(out, " %9s %9s %9s %9s", "local", "stall", "moves", "cost");
	fprintf(out, " %9s %9s\n%-*s %10s %9s", "memory", "saved", width, "", "s", "%");
	if (modelled)
		fprintf(out, " %9s %9s %9s %9s", "% misses", "% CPU", "", "% CPU");
	fprintf(out, " %9s %9s\n", "MB", "%");
}

void compare_print(const json_t *runs, const char *vary, const char *const *value, FILE *out)
{
	static const char *const what[] = {[MEASURE_REGION] = "the region of interest",
		[MEASURE_JOB] = "the first VM's being up to the last command's end",
		[MEASURE_ALL] = "the whole run"};
	enum measure m = choose_measure(runs);
	double first = 0;
	bool modelled = false;
	int width = 12;

	for (size_t i = 0; i < json_array_size(runs); i++) {
		width = MAX(width, (int)strlen(value[i]));
		modelled |= read_result(json_array_get(runs, i), m).modelled;
	}
	print_head(out, width, vary, modelled);
	for (size_t i = 0; i < json_array_size(runs); i++) {
		struct result r = read_result(json_array_get(runs, i), m);

		fprintf(out, "%-*s ", width, value[i]);
		if (!r.there) {
			fprintf(out, "%10s\n", "failed");
			continue;
		}
		if (!(first > 0))
			first = r.seconds;
		fprintf(out, "%10.6f %9.1f", r.seconds, first > 0 ? 100 * r.seconds / first : 100);
		if (modelled) {
			print_share(out, r.local);
			print_share(out, r.stalls);
			fprintf(out, " %9.0f %9.2f", r.moves, r.cost);
		}
		fprintf(out, " %9.1f %9.1f\n", r.machine / (1 << 20),
			r.virtual > r.machine ? 100 * (1 - r.machine / r.virtual) : 0);
	}
	fprintf(out, "Time is that of %s%s.\n", what[m],
		!modelled             ? ""
		: m == MEASURE_REGION ? ", as are misses, stalls and moves"
				      : "; misses, stalls and moves are of the whole run");
	fprintf(out,
		"Memory is machine memory when the job was done; saved is what sharing takes off "
		"it.\n");
}

/* --- the picture: run time as a percentage of the first run's, divided as CPU time was --- */

static void write_bars(
	FILE *out, const json_t *runs, enum measure m, double first, double *top, bool *local)
{
	fprintf(out, "$bars << END\n");
	for (size_t i = 0; i < json_array_size(runs); i++) {
		struct result r = read_result(json_array_get(runs, i), m);
		double height = 100 * r.seconds / first, low;
		char number[PLOT_NUMBER];

		if (!r.there)
			continue;
		*top = MAX(*top, height);
		*local |= r.local >= 0;
		low = height * (100 - MAX(r.stalls, 0)) / 100;
		fprintf(out, "%zu 0 %.4f", i, low);
		for (int k = 0; k < MEMSYS_STALLS; k++) {
			low += height * r.share[k] / 100;
			fprintf(out, " %.4f", low);
		}
		if (r.local >= 0)
			fprintf(out, " %.4f \"%s%%\"\n", height, plot_number(number, r.local));
		else
			fprintf(out, " %.4f \"\"\n", height);
	}
	fprintf(out, "END\n");
}

static void write_labels(FILE *out, const json_t *runs, enum measure m)
{
	fprintf(out, "set xtics nomirror scale 0 noenhanced (");
	for (size_t i = 0; i < json_array_size(runs); i++) {
		struct result r = read_result(json_array_get(runs, i), m);
		char name[40];

		/* Parameters too long for an axis are in the table. */
		if (r.value && strlen(r.value) <= 17)
			snprintf(name, sizeof(name), "%s", r.value);
		else
			snprintf(name, sizeof(name), "%.*s,…",
				r.value ? (int)MIN(strcspn(r.value, ","), (size_t)30) : 0,
				r.value ? r.value : "");
		fprintf(out, "%s", i ? ", " : "");
		plot_quoted(out, r.there ? name : "failed");
		fprintf(out, " %zu", i);
	}
	fprintf(out, ")%s\n", json_array_size(runs) > 6 ? " rotate by -30" : "");
}

int plot_compare(FILE *out, const json_t *runs)
{
	static const char *const what[] = {[MEASURE_REGION] = "region of interest",
		[MEASURE_JOB] = "job",
		[MEASURE_ALL] = "whole run"};
	enum measure m = choose_measure(runs);
	size_t n = json_array_size(runs);
	bool local = false;
	double first = 0, top = 100, room = n < 4 ? (4 - (double)n) / 2 : 0;

	for (size_t i = 0; i < n && !(first > 0); i++) {
		struct result r = read_result(json_array_get(runs, i), m);

		first = r.there ? r.seconds : 0;
	}
	if (!(first > 0))
		return -EINVAL;
	write_bars(out, runs, m, first, &top, &local);
	write_labels(out, runs, m);
	fprintf(out,
		"set title 'Time of the %s%s'\n"
		"set border 3\nset ytics nomirror\nset grid ytics lc rgb '#dddddd'\n"
		"set ylabel '%% of the first run'\nset yrange [0:%g]\nset xrange [%g:%g]\n"
		"set key outside right top Left reverse invert samplen 1.5\n"
		"set style fill solid 1.0 noborder\nplot ",
		what[m], local ? "; above a bar: local misses" : "", top * 1.12, -0.6 - room,
		(double)n - 0.4 + room);
	for (int k = -1; k < MEMSYS_STALLS; k++)
		fprintf(out,
			"$bars using 1:%d:($1-0.35):($1+0.35):%d:%d with boxxyerror lc rgb '%s' "
			"title '%s', \\\n",
			4 + k, 3 + k, 4 + k, k < 0 ? PLOT_BUSY_COLOUR : plot_stall_colour[k],
			k < 0 ? "computing" : plot_stall_title[k]);
	fprintf(out, "$bars using 1:%d:%d with labels offset 0,0.7 notitle\n", 4 + MEMSYS_STALLS,
		5 + MEMSYS_STALLS);
	return 0;
}
