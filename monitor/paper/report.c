// SPDX-License-Identifier: MIT
/*
 * The report of a paper's experiments: report.md for reading beside the pictures, report.html with
 * the pictures in it. Both are written by the same calls (heading, paragraph, table, picture). It
 * is a function of the results alone: no date, no host, no time of the host.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/json.h"
#include "monitor/base/output.h"
#include "monitor/paper/paper.h"
#include "monitor/plot/plot.h"
#include "numa/util.h"

struct doc {
	FILE *md, *html;
	const char *dir;
};

/* --- both formats --- */

static void escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else
			fputc(*text, out);
	}
}

__attribute__((format(printf, 3, 4))) static void heading(
	struct doc *d, int level, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die("out of memory");
	va_end(args);
	fprintf(d->md, "%.*s %s\n\n", level, "####", text);
	fprintf(d->html, "<h%d>", level);
	escaped(d->html, text);
	fprintf(d->html, "</h%d>\n", level);
	free(text);
}

__attribute__((format(printf, 2, 3))) static void paragraph(struct doc *d, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die("out of memory");
	va_end(args);
	fprintf(d->md, "%s\n\n", text);
	fprintf(d->html, "<p>");
	escaped(d->html, text);
	fprintf(d->html, "</p>\n");
	free(text);
}

/* Cells of one row; the first row of a table is its head. */
static void row(struct doc *d, bool head, size_t n, char **cell)
{
	const char *tag = head ? "th" : "td";

	fprintf(d->html, "%s<tr>", head ? "<table>\n" : "");
	fprintf(d->md, "|");
	for (size_t i = 0; i < n; i++) {
		fprintf(d->md, " ");
		for (const char *c = cell[i]; *c; c++)
			fprintf(d->md, *c == '|' ? "\\%c" : "%c", *c);
		fprintf(d->md, " |");
		fprintf(d->html, "<%s>", tag);
		escaped(d->html, cell[i]);
		fprintf(d->html, "</%s>", tag);
		free(cell[i]);
	}
	fprintf(d->html, "</tr>\n");
	fprintf(d->md, "\n");
	if (head) {
		fprintf(d->md, "|---|");
		for (size_t i = 1; i < n; i++)
			fprintf(d->md, "---:|");
		fprintf(d->md, "\n");
	}
}

static void end_table(struct doc *d)
{
	fprintf(d->md, "\n");
	fprintf(d->html, "</table>\n");
}

static void write_base64(FILE *out, FILE *in)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char b[3];
	size_t n;

	while ((n = fread(b, 1, sizeof(b), in))) {
		unsigned v = (unsigned)b[0] << 16 | (n > 1 ? (unsigned)b[1] << 8 : 0) |
			     (n > 2 ? b[2] : 0);

		fputc(digit[v >> 18], out);
		fputc(digit[v >> 12 & 63], out);
		fputc(n > 1 ? digit[v >> 6 & 63] : '=', out);
		fputc(n > 2 ? digit[v & 63] : '=', out);
	}
}

static void picture(struct doc *d, const char *name, const char *title)
{
	char *path = xasprintf("%s/%s.svg", d->dir, name);
	FILE *in = fopen(path, "r");

	free(path);
	fprintf(d->md, "![%s](%s.png)\n\n", title, name);
	if (!in)
		return;
	fprintf(d->html, "<p><img alt=\"%s\" src=\"data:image/svg+xml;base64,", name);
	write_base64(d->html, in);
	fprintf(d->html, "\"></p>\n");
	fclose(in);
}

/* Three digits that matter. */
static char *number_text(double v)
{
	char text[PLOT_NUMBER];

	return xstrdup(plot_number(text, v));
}

static char *number_or_dash(bool there, double v)
{
	return there ? number_text(v) : xstrdup("-");
}

/* --- an experiment --- */

static const char *const verdict_text[] = {[CLAIM_HOLDS] = "holds",
	[CLAIM_IN_PART] = "holds in part",
	[CLAIM_DOES_NOT] = "does not hold",
	[CLAIM_UNKNOWN] = "not known"};

static void quantity_row(struct doc *d, const struct experiment *e, const char *name,
	const char *title, const char *unit)
{
	const json_t *bars = json_object_get(e->file, "bars"), *bar;
	size_t n = 1, i;
	double v;
	char **cell = xcalloc(json_array_size(bars) + 1, sizeof(*cell));

	cell[0] = *unit ? xasprintf("%s, %s", title, unit) : xstrdup(title);
	json_array_foreach(bars, i, bar)
	{
		const char *key = text_at(bar, "name");
		char *theirs, *ours;

		if (!paper_has_bar(e, bar))
			continue;
		bool a = paper_number(e->paper, key, name, &v);

		theirs = number_or_dash(a, v);
		bool b = paper_number(e->ours, key, name, &v);

		ours = number_or_dash(b, v);
		if (!json_object_size(e->paper))
			cell[n++] = xstrdup(b ? ours : "");
		else
			cell[n++] = a || b ? xasprintf("%s / %s", theirs, ours) : xstrdup("");
		free(theirs);
		free(ours);
	}
	row(d, false, n, cell);
	free(cell);
}

static void numbers_table(struct doc *d, const struct experiment *e)
{
	const json_t *bars = json_object_get(e->file, "bars"), *bar, *q;
	const char *unit = text_at(e->file, "unit");
	size_t n = 1, i;
	char **cell = xcalloc(json_array_size(bars) + 1, sizeof(*cell));

	cell[0] = xstrdup(json_object_size(e->paper) ? "paper / ours" : "ours");
	json_array_foreach(bars, i, bar)
	{
		if (paper_has_bar(e, bar))
			cell[n++] = xstrdup(text_at(bar, "title"));
	}
	row(d, true, n, cell);
	free(cell);
	json_array_foreach(json_object_get(e->file, "parts"), i, q)
	{
		quantity_row(d, e, text_at(q, "name"), text_at(q, "title"), unit);
	}
	if (json_array_size(json_object_get(e->file, "parts")))
		quantity_row(d, e, "total", "total", unit);
	json_array_foreach(json_object_get(e->file, "others"), i, q)
	{
		quantity_row(d, e, text_at(q, "name"), text_at(q, "title"), text_at(q, "unit"));
	}
	end_table(d);
}

static void claim(struct doc *d, const struct experiment *e, const json_t *c)
{
	const json_t *shows = json_object_get(c, "shows"), *show;
	size_t i;

	paragraph(d, "“%s” (%s): %s.", text_at(c, "claim"), text_at(c, "where"),
		verdict_text[paper_verdict(e, c)]);
	json_array_foreach(shows, i, show)
	{
		double v;
		char *cell[3] = {xstrdup(text_at(show, "what"))};

		if (!i)
			row(d, true, 3, (char *[]){xstrdup(""), xstrdup("paper"), xstrdup("ours")});
		bool there = paper_eval(e, json_object_get(show, "paper"), &v);

		cell[1] = number_or_dash(there, v);
		there = paper_eval(e, json_object_get(show, "ours"), &v);
		cell[2] = number_or_dash(there, v);
		row(d, false, 3, cell);
	}
	if (json_array_size(shows))
		end_table(d);
	paragraph(d, "%s", text_at(c, "reading"));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Where each number comes from: options that are not defaults are those of the command. */
static void runs_table(struct doc *d, const struct experiment *e)
{
	row(d, true, 4,
		(char *[]){xstrdup("run"), xstrdup("statistics"), xstrdup("digest"),
			xstrdup("machine time, s")});
	for (unsigned i = 0; i < e->n_runs; i++) {
		const struct paper_run *r = &e->run[i];
		const json_t *machine =
			json_object_get(json_object_get(r->result, "inputs"), "machine");
		double hz = json_number_value(json_object_get(machine, "clock_hz"));

		row(d, false, 4,
			(char *[]){xstrdup(r->title), xasprintf("runs/%s", base_name(r->stats)),
				xstrdup(text_at(r->result, "digest")),
				xasprintf("%.3f",
					json_number_value(json_object_get(r->result, "cycles")) /
						MAX(hz, 1))});
	}
	end_table(d);
}

static void experiment(struct doc *d, const struct paper *p, const struct experiment *e)
{
	const json_t *c, *about = json_object_get(e->file, "about"), *text;
	size_t i;

	heading(d, 2, "%s", e->title);
	json_array_foreach(about, i, text)
	{
		paragraph(d, "%s", json_string_value(text) ? json_string_value(text) : "");
	}
	if (e->fault) {
		paragraph(d, "Nothing of ours: %s.", e->fault);
		return;
	}
	if (e->drawn)
		picture(d, e->name, e->title);
	else if (paper_has_plot(e))
		paragraph(d, "No picture: it could not be drawn.");
	numbers_table(d, e);
	if (json_object_size(e->paper))
		paragraph(d, "The paper's numbers: %s.",
			text_at(json_object_get(p->printed, e->name), "source"));
	json_array_foreach(p->claims, i, c)
	{
		if (!strcmp(text_at(c, "experiment"), e->name))
			claim(d, e, c);
	}
	if (e->n_runs)
		runs_table(d, e);
	else
		paragraph(d, "From the runs of %s.", e->use->name);
}

/* --- the whole --- */

static void summary(struct doc *d, const struct paper *p)
{
	const json_t *c;
	size_t i;

	heading(d, 2, "Claims");
	row(d, true, 6,
		(char *[]){xstrdup("claim"), xstrdup("experiment"), xstrdup("in our runs"),
			xstrdup("measured by"), xstrdup("paper"), xstrdup("ours")});
	json_array_foreach(p->claims, i, c)
	{
		const struct experiment *e = paper_experiment(p, text_at(c, "experiment"));
		const json_t *show = json_array_get(json_object_get(c, "shows"), 0);
		double theirs, ours;

		if (e->left_out)
			continue;
		bool a = paper_eval(e, json_object_get(show, "paper"), &theirs);
		bool b = paper_eval(e, json_object_get(show, "ours"), &ours);

		row(d, false, 6,
			(char *[]){xstrdup(text_at(c, "claim")), xstrdup(e->name),
				xstrdup(verdict_text[paper_verdict(e, c)]),
				xstrdup(text_at(show, "what")), number_or_dash(a, theirs),
				number_or_dash(b, ours)});
	}
	end_table(d);
}

static void left_out(struct doc *d, const struct paper *p)
{
	char *names = xstrdup("");

	for (unsigned k = 0; k < p->n; k++)
		if (p->experiment[k].left_out) {
			char *more = xasprintf(
				"%s%s%s", names, *names ? ", " : "", p->experiment[k].name);

			free(names);
			names = more;
		}
	if (*names)
		paragraph(d, "Not asked for, and not made: %s.", names);
	free(names);
}

static void write_report(struct doc *d, const struct paper *p)
{
	const json_t *text;
	size_t i;

	fprintf(d->html,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
		"charset=\"utf-8\"><title>%s</title>\n"
		"<style>body{font:16px/1.45 sans-serif;max-width:64em;margin:2em auto;padding:0 "
		"1em}"
		"table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;"
		"padding:.2em .6em;text-align:right}td:first-child,th:first-child{text-align:left}"
		"img{max-width:100%%}</style></head><body>\n",
		p->name);
	heading(d, 1, "%s", text_at(p->about, "title"));
	paragraph(d, "%s", text_at(p->about, "citation"));
	paragraph(d,
		"Scale of the workloads: %s. Made by: disco reproduce %s --%s. Each number is "
		"computed from the statistics of the runs that are listed with its experiment; "
		"the files are in runs/ of the directory where the results go (-o; default: "
		"build/papers/%s). A second run of the same inputs writes the same bytes, but for "
		"the host's times.",
		p->scale, p->name, p->scale, p->name);
	json_array_foreach(json_object_get(p->about, "reading"), i, text)
	{
		paragraph(d, "%s", json_string_value(text) ? json_string_value(text) : "");
	}
	summary(d, p);
	for (unsigned k = 0; k < p->n; k++)
		if (!p->experiment[k].left_out)
			experiment(d, p, &p->experiment[k]);
	left_out(d, p);
	fprintf(d->html, "</body></html>\n");
}

int paper_report(const struct paper *p)
{
	char *md = xasprintf("%s/report.md", p->output);
	char *html = xasprintf("%s/report.html", p->output);
	struct output out[2];
	int err = output_open(&out[0], md);

	if (!err) {
		err = output_open(&out[1], html);
		if (!err) {
			struct doc d = {out[0].file, out[1].file, p->output};

			write_report(&d, p);
			err = output_close(&out[1], true);
		}
		if (output_close(&out[0], !err) && !err)
			err = -EIO;
	}
	free(md);
	free(html);
	return err;
}
