// SPDX-License-Identifier: MIT
/*
 * `disco plot`: draws what a statistics file has. The pictures are in
 * monitor/plot/; one more is a row here.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/args.h"
#include "monitor/base/json.h"
#include "monitor/cli/command.h"
#include "monitor/plot/plot.h"
#include "numa/util.h"

static const struct {
	const char *name;
	plot_fn *script;
	bool numa;       /* only of runs with the memory system */
	bool region, at; /* knows these options */
} kinds[] = {
	{"memory", plot_memory, false, false, true},
	{"sharing", plot_sharing, false, false, true},
	{"misses", plot_misses, true, true, false},
	{"stall", plot_stall, true, true, false},
	{"pages", plot_pages, true, false, false},
};

struct args {
	const char *stats;
	const char *output; /* NULL: the statistics file's name with .png */
	int kind;           /* -1: all there are */
	uint64_t region;    /* 0: all */
	double at;          /* seconds of machine time; negative: not given */
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "Picture to write, .png or .svg (default: STATS.png)", 0},
	{"kind", 'k', "KIND", 0,
		"memory: virtual (V) against machine (M) memory by kind, at each snapshot; "
		"sharing: "
		"each VM's memory by who else uses its frames; misses: "
		"local and remote over time; stall: how CPU time divides; pages: on which node "
		"each page is. Default: memory, and after a run in numa fidelity all of them, as "
		"FILE-KIND.png",
		0},
	{"region", 'r', "N", 0, "Misses and stall: of the Nth region of interest alone", 0},
	{"at", 'a', "TIME", 0,
		"Memory and sharing: at the last snapshot that is not after TIME, in seconds of "
		"machine time",
		0},
	{0},
};

static error_t set_kind(struct args *a, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name)) {
			a->kind = (int)i;
			return 0;
		}
	complain(0, "--kind: '%s' is none of memory, sharing, misses, stall, pages", name);
	return ECANCELED;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	char *end;

	switch (key) {
	case 'o':
		a->output = arg;
		return 0;
	case 'k':
		return set_kind(a, arg);
	case 'r':
		if (!parse_size(arg, &a->region) && a->region >= 1)
			return 0;
		complain(0, "--region: '%s' is not a number from 1", arg);
		return ECANCELED;
	case 'a':
		a->at = strtod(arg, &end);
		if (end > arg && !*end && a->at >= 0)
			return 0;
		complain(0, "--at: '%s' is not a time in seconds", arg);
		return ECANCELED;
	default:
		return args_stats_file(key, arg, state, &a->stats);
	}
}

static const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
static const struct argp argp = {options, parse, "STATS.json",
	"Draws the statistics of a run: memory, who shares it, and after a run in numa fidelity "
	"misses, stalls and where the pages are.",
	children, NULL, NULL};

static char *default_output(const char *stats)
{
	const char *dot = strrchr(stats, '.'), *slash = strrchr(stats, '/');
	size_t n = dot && (!slash || dot > slash) ? (size_t)(dot - stats) : strlen(stats);

	return xasprintf("%.*s.png", (int)n, stats);
}

static int draw(const struct args *a, const json_t *root, size_t kind, const char *output)
{
	int err = plot_draw(kinds[kind].script, root, a->stats, output);

	if (!err)
		printf("%s\n", output);
	return err;
}

/* Does the picture know what was asked for? */
static bool is_meant(const struct args *a, size_t kind)
{
	if (!a->region && a->at < 0)
		return true;
	return (a->region && kinds[kind].region) || (a->at >= 0 && kinds[kind].at);
}

/* a.png: a-memory.png, a-misses.png and so on. */
static int draw_all(const struct args *a, const json_t *root, const char *output)
{
	const char *dot = strrchr(output, '.');
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(kinds); i++) {
		char *name =
			xasprintf("%.*s-%s%s", (int)(dot - output), output, kinds[i].name, dot);

		if (is_meant(a, i))
			err = draw(a, root, i, name);
		free(name);
	}
	return err;
}

/* Leave the last snapshot that is not after a->at. */
static int select_snapshot(const struct args *a, json_t *root)
{
	json_t *list = json_object_get(root, "snapshots"), *one;
	const json_t *machine = json_object_get(json_object_get(root, "inputs"), "machine");
	double hz = json_number_value(json_object_get(machine, "clock_hz"));
	size_t i, found = 0;

	json_array_foreach(list, i, one)
	{
		if (json_number_value(json_object_get(one, "cycles")) <= a->at * hz)
			found = i + 1;
	}
	if (!found)
		return complain(EINVAL,
			"--at: %s has no snapshot before %g s; the first is at %g s", a->stats,
			a->at,
			json_number_value(json_object_get(json_array_get(list, 0), "cycles")) /
				(hz > 0 ? hz : 1));
	json_object_set_new(root, "snapshots", json_pack("[O]", json_array_get(list, found - 1)));
	return 0;
}

static int select_part(const struct args *a, json_t *root)
{
	const json_t *numa = json_object_get(root, "numa");
	size_t regions = json_array_size(json_object_get(numa, "regions"));

	if (a->kind >= 0 && a->region && !kinds[a->kind].region)
		return complain(
			EINVAL, "--region: '%s' is not one of misses, stall", kinds[a->kind].name);
	if (a->kind >= 0 && a->at >= 0 && !kinds[a->kind].at)
		return complain(
			EINVAL, "--at: '%s' is not one of memory, sharing", kinds[a->kind].name);
	if (a->region > regions)
		return complain(EINVAL, "--region: %s has %zu region%s of interest, not %llu",
			a->stats, regions, regions == 1 ? "" : "s", (unsigned long long)a->region);
	json_object_set_new(root, PLOT_REGION, json_integer((json_int_t)a->region));
	return a->at >= 0 ? select_snapshot(a, root) : 0;
}

static int plot(const struct args *a, const char *output)
{
	json_t *root;
	int err;

	if (!plot_is_picture(output))
		return complain(EINVAL, "%s: a picture ends in .png or .svg", output);
	root = load_json(a->stats);
	if (!root)
		return -EINVAL;
	bool modelled = json_is_true(json_object_get(json_object_get(root, "numa"), "modelled"));

	if ((a->region || (a->kind >= 0 && kinds[a->kind].numa)) && !modelled &&
		json_object_get(root, "schema"))
		err = complain(
			EINVAL, "%s: the run had no caches: 'disco run --fidelity numa'", a->stats);
	else if (select_part(a, root))
		err = -EINVAL;
	else if (a->kind < 0 && modelled)
		err = draw_all(a, root, output);
	else
		err = draw(a, root, MAX(a->kind, 0), output);
	json_decref(root);
	return err;
}

int cmd_plot(int argc, char **argv)
{
	struct args a = {.kind = -1, .at = -1};
	char *output;
	int err;

	if (args_parse(&argp, argc, argv, &a))
		return STATUS_USAGE;
	output = a.output ? xstrdup(a.output) : default_output(a.stats);
	err = plot(&a, output);
	free(output);
	return err ? STATUS_USAGE : STATUS_OK;
}
