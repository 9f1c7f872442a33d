// SPDX-License-Identifier: MIT
/*
 * The figure of an experiment: the paper's bars beside ours, each a stack of the same parts. Where
 * both are percentages they stand on one axis, pair by pair; else (megabytes of 1997 and of today)
 * each side has a panel and an axis of its own. What to draw is put together as JSON first, because
 * a picture is a function of JSON (plot.h).
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/base/json.h"
#include "monitor/paper/paper.h"
#include "monitor/plot/plot.h"
#include "numa/util.h"

/* --- what to draw --- */

static void add_bar(json_t *bars, const struct experiment *e, const json_t *side, const json_t *bar,
	double x, const char *label)
{
	const char *name = text_at(bar, "name");
	json_t *values = json_array();
	const json_t *part;
	double v, total;
	size_t i;

	if (!paper_number(side, name, "total", &total)) {
		json_decref(values);
		return;
	}
	json_array_foreach(json_object_get(e->file, "parts"), i, part)
	{
		paper_number(side, name, text_at(part, "name"), &v);
		json_array_append_new(values, json_real(v));
	}
	json_array_append_new(bars, json_pack("{s:f, s:s, s:f, s:o}", "x", x, "label", label,
					    "total", total, "values", values));
}

/* Bars may stand in the table alone. */
static bool is_drawn(const json_t *bar)
{
	return !json_is_false(json_object_get(bar, "plot"));
}

/* Pairs on one axis. */
static json_t *paired(const struct experiment *e)
{
	json_t *bars = json_array(), *groups = json_array();
	const json_t *bar;
	size_t i;

	json_array_foreach(json_object_get(e->file, "bars"), i, bar)
	{
		double x = 2.5 * (double)json_array_size(groups);

		if (!is_drawn(bar) || !paper_has_bar(e, bar))
			continue;
		add_bar(bars, e, e->paper, bar, x, "paper");
		add_bar(bars, e, e->ours, bar, x + 1, "ours");
		json_array_append_new(groups,
			json_pack("{s:f, s:s}", "x", x + 0.5, "label", text_at(bar, "title")));
	}
	return json_pack("[{s:s, s:o, s:o}]", "title", "", "bars", bars, "groups", groups);
}

static json_t *side_by_side(const struct experiment *e)
{
	json_t *panels = json_array();
	const json_t *bar;
	size_t i;

	for (int ours = 0; ours < 2; ours++) {
		json_t *bars = json_array();

		json_array_foreach(json_object_get(e->file, "bars"), i, bar)
		{
			if (is_drawn(bar))
				add_bar(bars, e, ours ? e->ours : e->paper, bar,
					(double)json_array_size(bars), text_at(bar, "title"));
		}
		if (!json_array_size(bars)) { /* an experiment of ours alone */
			json_decref(bars);
			continue;
		}
		json_array_append_new(panels, json_pack("{s:s, s:o}", "title",
						      ours ? "ours" : "the paper", "bars", bars));
	}
	return panels;
}

/* --- drawing --- */

static void write_bars(FILE *out, const json_t *bars, size_t panel)
{
	const json_t *bar, *v;
	size_t i, k;

	fprintf(out, "$bars%zu << END\n", panel);
	json_array_foreach(bars, i, bar)
	{
		char number[PLOT_NUMBER];
		double low = 0, total = json_number_value(json_object_get(bar, "total"));
		char *point = strstr(plot_number(number, total), ".0");

		if (point && !point[2])
			*point = '\0'; /* short, and the paper's are whole numbers */
		fprintf(out, "%g 0", json_number_value(json_object_get(bar, "x")));
		json_array_foreach(json_object_get(bar, "values"), k, v)
		{
			low += json_number_value(v);
			fprintf(out, " %.6g", low);
		}
		fprintf(out, " %.6g \"%s\"\n", low, number);
	}
	fprintf(out, "END\n");
}

/* The longest label, and the longest word of any. */
static unsigned longest(const json_t *list, bool word)
{
	const json_t *item;
	unsigned n = 1;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *label = text_at(item, "label");

		n = MAX(n, word ? plot_longest_word(label) : (unsigned)strlen(label));
	}
	return n;
}

/* The lines of the label that takes most, at `width` characters a line. */
static unsigned most_lines(const json_t *list, unsigned width)
{
	const json_t *item;
	unsigned n = 1;
	size_t i;

	json_array_foreach(list, i, item)
	{
		n = MAX(n, plot_lines(text_at(item, "label"), width));
	}
	return n;
}

/* What each pair is, below it. */
static void write_groups(FILE *out, const json_t *groups, unsigned width, int font)
{
	const json_t *group;
	size_t i;

	json_array_foreach(groups, i, group)
	{
		fprintf(out, "set label ");
		plot_wrapped(out, text_at(group, "label"), width);
		fprintf(out, " at first %g, graph -0.11 center noenhanced font ',%d'\n",
			json_number_value(json_object_get(group, "x")), font);
	}
}

/*
 * Labels stand below their bars, in as many lines as the room for each asks for; where not even
 * their words fit, they are turned, and the margin is what the longest takes.
 */
static void write_axes(FILE *out, const json_t *panel, double width, bool many)
{
	enum { FONT = 12, SMALL = 8 };
	const json_t *bars = json_object_get(panel, "bars"), *bar;
	const json_t *groups = json_object_get(panel, "groups");
	size_t n = json_array_size(groups ? groups : bars);
	/* Characters of a panel, and what is left of them for one label. */
	unsigned room = (unsigned)(70 * width / (double)MAX(n, (size_t)1));
	unsigned word = longest(groups ? groups : bars, true);
	int font = room >= word ? FONT : MAX(FONT * (int)room / (int)word, (int)SMALL);
	bool turned = !groups && room < word;
	double first = 0, last = 0;
	size_t i;

	room = MAX(room, word);
	fprintf(out, "set xtics nomirror scale 0 noenhanced font ',%d' %s (",
		turned   ? (many ? 9 : 11)
		: groups ? (n > 6 ? 8 : 10)
			 : FONT,
		turned ? "rotate by 45 right" : "norotate");
	json_array_foreach(bars, i, bar)
	{
		double x = json_number_value(json_object_get(bar, "x"));

		first = i ? MIN(first, x) : x;
		last = MAX(last, x);
		fprintf(out, "%s", i ? ", " : "");
		plot_wrapped(out, text_at(bar, "label"), turned ? UINT16_MAX : room);
		fprintf(out, " %g", x);
	}
	fprintf(out, ")\nset xrange [%g:%g]\nset bmargin %g\nunset label\n", first - 0.8,
		last + 0.8,
		turned   ? 1.5 + 0.34 * longest(bars, false)
		: groups ? 3.5 + most_lines(groups, room)
			 : 1.5 + most_lines(bars, room));
	write_groups(out, groups, room, font);
}

static void write_stack(FILE *out, const json_t *parts, size_t panel, bool titles, bool many)
{
	size_t n = json_array_size(parts), i;
	const json_t *part;

	fprintf(out, "plot ");
	json_array_foreach(parts, i, part)
	{
		fprintf(out,
			"$bars%zu using 1:%zu:($1-0.4):($1+0.4):%zu:%zu with boxxyerror lc rgb ",
			panel, i + 3, i + 2, i + 3);
		plot_quoted(out, text_at(part, "colour"));
		if (titles) {
			fprintf(out, " title ");
			plot_quoted(out, text_at(part, "title"));
			fprintf(out, " noenhanced, \\\n");
		} else {
			fprintf(out, " notitle, \\\n");
		}
	}
	fprintf(out, "$bars%zu using 1:%zu:%zu with labels font ',%d' offset 0,0.7 notitle\n",
		panel, n + 3, n + 4, many ? 8 : 11);
}

static int plot_figure(FILE *out, const json_t *figure)
{
	const json_t *panels = json_object_get(figure, "panels"), *panel;
	size_t n = json_array_size(panels), i;
	bool many = false; /* bars in a panel, for letters of the usual size */

	fprintf(out, "set border 3\nset ytics nomirror\nset grid ytics lc rgb '#dddddd'\n"
		     "set style fill solid 1.0 noborder\nset yrange [0:*]\nset offsets 0,0,graph "
		     "0.06,0\n"
		     "set ylabel ");
	plot_quoted(out, text_at(figure, "unit"));
	fprintf(out, " noenhanced\n");
	json_array_foreach(panels, i, panel)
	{
		write_bars(out, json_object_get(panel, "bars"), i);
		many |= json_array_size(json_object_get(panel, "bars")) > (n > 1 ? 8 : 16);
	}
	fprintf(out, "set multiplot title ");
	plot_quoted(out, text_at(figure, "title"));
	fprintf(out, " noenhanced\n");
	json_array_foreach(panels, i, panel)
	{
		double width = n == 1 ? 1 : i ? 0.57 : 0.43; /* the key is with the last */

		fprintf(out, "set origin %g,0\nset size %g,0.95\nset title ", i ? 0.43 : 0, width);
		plot_quoted(out, text_at(panel, "title"));
		fprintf(out, "\n");
		if (i + 1 == n)
			fprintf(out, "set key outside right top Left reverse invert samplen 1\n");
		else
			fprintf(out, "unset key\n");
		write_axes(out, panel, n == 1 ? 0.95 : 0.5, many);
		write_stack(out, json_object_get(figure, "parts"), i, i + 1 == n, many);
	}
	fprintf(out, "unset multiplot\n");
	return 0;
}

bool paper_has_plot(const struct experiment *e)
{
	return json_array_size(json_object_get(e->file, "parts")) && json_object_size(e->ours);
}

int paper_plot(struct experiment *e)
{
	static const char *const ends[] = {"png", "svg"};
	const json_t *parts = json_object_get(e->file, "parts");
	json_t *figure;
	int err = 0;

	if (!paper_has_plot(e))
		return 0;
	figure = json_pack("{s:s, s:s, s:O, s:o}", "title", e->title, "unit",
		text_at(e->file, "unit"), "parts", parts, "panels",
		json_is_true(json_object_get(e->file, "paired")) ? paired(e) : side_by_side(e));
	for (size_t i = 0; !err && i < ARRAY_SIZE(ends); i++) {
		char *file = xasprintf("%s/%s.%s", e->of->output, e->name, ends[i]);

		err = plot_draw(plot_figure, figure, e->name, file);
		free(file);
	}
	json_decref(figure);
	e->drawn = !err;
	return err;
}
