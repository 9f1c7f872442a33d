// SPDX-License-Identifier: MIT
/*
 * Reading a paper's directory. Everything is checked before the first run, for a run takes minutes:
 * names that lead nowhere, expressions that are none, options that `disco run` refuses. What is
 * wrong is one line that begins with the file's name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/json.h"
#include "monitor/base/expr.h"
#include "monitor/run/options.h"
#include "monitor/paper/paper.h"
#include "numa/machine/data.h"
#include "numa/util.h"

static json_t *load(const struct paper *p, const char *name)
{
	char *path = xasprintf("%s/%s.json", p->dir, name);
	json_t *root = load_json(path);

	free(path);
	return root;
}

#define wrong(p, file, format, ...)                                                                \
	complain(EINVAL, "%s/%s.json: " format, (p)->dir, file, __VA_ARGS__)

/* The member `key` must be a text, else the line says so. */
static const char *text_of(const struct paper *p, const char *file, const char *where,
	const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text)
		wrong(p, file, "%s: a text '%s' is expected", where, key);
	return text;
}

static int check_expression(
	const struct paper *p, const char *file, const char *where, const json_t *v)
{
	char *fault;
	int err = 0;

	if (json_is_number(v))
		return 0;
	if (!json_is_string(v))
		return wrong(p, file, "%s: an expression or a number is expected", where);
	if (expr_check(json_string_value(v), &fault))
		err = wrong(p, file, "%s: '%s': %s", where, json_string_value(v), fault);
	free(fault);
	return err;
}

/* --- the commands of runs --- */

/* A value as text, for an option or in place of a variable. NULL: it has none. */
static char *value_text(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	if (json_is_integer(v))
		return xasprintf("%lld", (long long)json_integer_value(v));
	if (json_is_real(v))
		return xasprintf("%.17g", json_real_value(v));
	return NULL;
}

/* What @name@ stands for. NULL: nothing of that name. */
static char *variable(const struct paper *p, const json_t *set, const char *name, size_t n)
{
	if (n == 5 && !memcmp(name, "paper", n))
		return xstrdup(p->dir);
	if (n == 6 && !memcmp(name, "guests", n))
		return xstrdup(p->guests);
	return value_text(json_object_getn(set, name, n));
}

/* Put the variables of `set` in: the text, or NULL after a complaint. */
static char *substitute(const struct paper *p, const char *file, const char *run, const json_t *set,
	const char *text)
{
	char *out = xstrdup(""), *more, *value;
	const char *at;

	while ((at = strchr(text, '@'))) {
		size_t n = strcspn(at + 1, "@");

		value = at[n + 1] ? variable(p, set, at + 1, n) : NULL;
		if (!value) {
			wrong(p, file, "runs.%s: '%.*s' is not set", run, (int)MIN(n + 2, 40u), at);
			free(out);
			return NULL;
		}
		more = xasprintf("%s%.*s%s", out, (int)(at - text), text, value);
		free(value);
		free(out);
		out = more;
		text = at + n + 2;
	}
	more = xasprintf("%s%s", out, text);
	free(out);
	return more;
}

static void add_word(struct paper_run *r, char *word)
{
	r->word = xrealloc(r->word, ((size_t)r->words + 1) * sizeof(*r->word));
	r->word[r->words++] = word;
}

static int add_option(struct experiment *e, struct paper_run *r, const json_t *set, const char *key,
	const json_t *v)
{
	char *text, *value;
	const json_t *one;
	size_t i;
	int err = 0;

	if (json_is_array(v)) {
		json_array_foreach(v, i, one)
		{
			err = err ? err : add_option(e, r, set, key, one);
		}
		return err;
	}
	if (json_is_boolean(v)) {
		if (json_is_true(v))
			add_word(r, xasprintf("--%s", key));
		return 0;
	}
	text = value_text(v);
	if (!text)
		return wrong(e->of, e->name, "runs.%s: '%s' has no value", r->name, key);
	value = substitute(e->of, e->name, r->name, set, text);
	free(text);
	if (!value)
		return -EINVAL;
	add_word(r, xasprintf("--%s=%s", key, value));
	free(value);
	return 0;
}

/* What all runs have and what this one has, which wins. */
static json_t *merged(const struct experiment *e, const json_t *run, const char *common,
	const char *own, const char *own_too)
{
	json_t *o = json_object();

	json_object_update(o, json_object_get(e->file, common));
	json_object_update(o, json_object_get(run, own));
	if (own_too)
		json_object_update(o, json_object_get(run, own_too));
	return o;
}

static int make_command(struct experiment *e, struct paper_run *r, const json_t *run)
{
	const char *scale = e->of->scale, *key;
	json_t *options = merged(e, run, "options", "options", NULL), *v;
	json_t *set = merged(e, run, scale, "set", scale);
	struct run_options o;
	int err = 0;

	add_word(r, xstrdup("run"));
	json_object_foreach(options, key, v)
	{
		err = err ? err : add_option(e, r, set, key, v);
	}
	if (!err) {
		err = options_parse(r->words, r->word, &o);
		r->inputs = options_json(&o, false);
		options_free(&o);
	}
	add_word(r, xasprintf("--stats=%s", r->stats));
	json_decref(options);
	json_decref(set);
	return err;
}

static int load_run(struct experiment *e, const char *name, const json_t *run)
{
	const struct paper *p = e->of;
	const char *only = json_string_value(json_object_get(run, "only"));
	struct paper_run *r = &e->run[e->n_runs];

	if (only && strcmp(only, p->scale))
		return 0;
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return wrong(p, e->name, "runs: '%s' is not a name: a-z, 0-9, _", name);
	e->n_runs++;
	r->name = name;
	r->title = text_of(p, e->name, name, run, "title");
	if (!r->title)
		return -EINVAL;
	r->id = xasprintf("%s-%s", e->name, name);
	r->stats = xasprintf("%s/runs/%s.%s.json", p->output, r->id, p->scale);
	r->log = xasprintf("%s/runs/%s.%s.log", p->output, r->id, p->scale);
	return make_command(e, r, run);
}

static int load_runs(struct paper *p, struct experiment *e)
{
	json_t *runs = json_object_get(e->file, "runs"), *run;
	const char *name;
	int err = 0;

	e->use = e;
	if (json_is_string(runs)) {
		e->use = paper_experiment(p, json_string_value(runs));
		if (!e->use || e->use >= e)
			return wrong(p, e->name, "runs: '%s' is no experiment before this one",
				json_string_value(runs));
		return 0;
	}
	if (!json_object_size(runs))
		return wrong(p, e->name, "%s are expected", "runs");
	e->run = xcalloc(json_object_size(runs), sizeof(*e->run));
	json_object_foreach(runs, name, run)
	{
		err = err ? err : load_run(e, name, run);
	}
	return err;
}

/* --- experiments --- */

/* The expressions of a bar: a set of its own or a name in "values". */
static const json_t *bar_values(const struct experiment *e, const json_t *bar)
{
	const json_t *v = json_object_get(bar, "values");

	return json_is_string(v)
		       ? json_object_get(json_object_get(e->file, "values"), json_string_value(v))
		       : v;
}

static int check_bar(const struct paper *p, const struct experiment *e, const json_t *bar)
{
	const char *name = text_of(p, e->name, "bars", bar, "name"), *key;
	const json_t *run = json_object_get(bar, "run");
	json_t *values = (json_t *)bar_values(e, bar), *v;

	if (!name || !text_of(p, e->name, name, bar, "title"))
		return -EINVAL;
	if (!run)
		return 0;
	if (!json_is_string(run) ||
		!json_object_get(json_object_get(e->use->file, "runs"), json_string_value(run)))
		return wrong(p, e->name, "bars: %s: there is no such run", name);
	if (!json_object_size(values))
		return wrong(p, e->name, "bars: %s: which values?", name);
	json_object_foreach(values, key, v)
	{
		if (check_expression(p, e->name, key, v))
			return -EINVAL;
	}
	return 0;
}

/* Parts are stacked in the figure, others stand in the table. */
static int check_quantities(const struct paper *p, const struct experiment *e, const char *kind)
{
	const json_t *list = json_object_get(e->file, kind), *q;
	size_t i;

	json_array_foreach(list, i, q)
	{
		if (!text_of(p, e->name, kind, q, "name") || !text_of(p, e->name, kind, q, "title"))
			return -EINVAL;
		if (!strcmp(kind, "parts") && !text_of(p, e->name, kind, q, "colour"))
			return -EINVAL;
	}
	return 0;
}

/* The total of bars that have parts, if it is not given. */
static void add_totals(const struct experiment *e, json_t *bars)
{
	const json_t *parts = json_object_get(e->file, "parts"), *part;
	const char *name;
	json_t *bar;
	size_t i;

	json_object_foreach(bars, name, bar)
	{
		double sum = 0;

		json_array_foreach(parts, i, part)
		{
			sum += json_number_value(json_object_get(
				bar, json_string_value(json_object_get(part, "name"))));
		}
		if (json_array_size(parts) && !json_object_get(bar, "total"))
			json_object_set_new(bar, "total", json_real(sum));
	}
}

static int load_experiment(struct paper *p, struct experiment *e, const char *name)
{
	const json_t *bars, *bar, *printed;
	size_t i;

	e->of = p;
	e->name = name;
	e->file = load(p, name);
	if (!e->file)
		return -EINVAL;
	e->title = text_of(p, name, "experiment", e->file, "title");
	if (!e->title || load_runs(p, e) || check_quantities(p, e, "parts") ||
		check_quantities(p, e, "others"))
		return -EINVAL;
	bars = json_object_get(e->file, "bars");
	if (!json_array_size(bars))
		return wrong(p, name, "%s are expected", "bars");
	json_array_foreach(bars, i, bar)
	{
		if (check_bar(p, e, bar))
			return -EINVAL;
	}
	printed = json_object_get(json_object_get(p->printed, name), "bars");
	e->paper = printed ? json_deep_copy(printed) : json_object();
	add_totals(e, e->paper);
	return 0;
}

static int load_experiments(struct paper *p)
{
	const json_t *list = json_object_get(p->about, "experiments"), *name;
	size_t i;
	int err = 0;

	if (!json_array_size(list))
		return wrong(p, "paper", "%s are expected", "experiments");
	p->experiment = xcalloc(json_array_size(list), sizeof(*p->experiment));
	json_array_foreach(list, i, name)
	{
		if (!json_is_string(name))
			return wrong(p, "paper", "%s: names are expected", "experiments");
		p->n++;
		err = load_experiment(p, &p->experiment[i], json_string_value(name));
		if (err)
			break;
	}
	return err;
}

/* --- claims --- */

static int check_claim(const struct paper *p, const json_t *claim)
{
	static const char *const texts[] = {"claim", "where", "reading"};
	const char *name = text_of(p, "claims", "a claim", claim, "experiment");
	const json_t *in_part = json_object_get(claim, "in_part");
	const json_t *shows = json_object_get(claim, "shows"), *row;
	size_t i;

	if (!name)
		return -EINVAL;
	if (!paper_experiment(p, name))
		return wrong(p, "claims", "there is no experiment '%s'", name);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!text_of(p, "claims", name, claim, texts[i]))
			return -EINVAL;
	if (check_expression(p, "claims", name, json_object_get(claim, "holds")) ||
		(in_part && check_expression(p, "claims", name, in_part)))
		return -EINVAL;
	json_array_foreach(shows, i, row)
	{
		const json_t *theirs = json_object_get(row, "paper");

		if (!text_of(p, "claims", name, row, "what") ||
			check_expression(p, "claims", name, json_object_get(row, "ours")) ||
			(theirs && check_expression(p, "claims", name, theirs)))
			return -EINVAL;
	}
	return 0;
}

/* --- */

int paper_load(struct paper *p, const char *name, const char *scale, const char *output)
{
	const char *slash = strrchr(name, '/');
	const json_t *claim;
	char *data;
	size_t i;

	*p = (struct paper){.scale = scale, .name = xstrdup(slash ? slash + 1 : name)};
	data = data_dir();
	if (!data)
		return -ENOENT;
	p->guests = xasprintf("%s/guests", data);
	p->dir = slash ? xstrdup(name) : xasprintf("%s/papers/%s", data, name);
	free(data);
	p->output = output ? xstrdup(output) : xasprintf("build/papers/%s", p->name);
	p->about = load(p, "paper");
	p->printed = p->about ? load(p, "numbers") : NULL;
	p->claims = p->printed ? load(p, "claims") : NULL;
	if (!p->claims || !text_of(p, "paper", "paper", p->about, "title") ||
		!text_of(p, "paper", "paper", p->about, "citation") || load_experiments(p))
		return -EINVAL;
	json_array_foreach(p->claims, i, claim)
	{
		if (check_claim(p, claim))
			return -EINVAL;
	}
	return 0;
}

static void free_run(struct paper_run *r)
{
	for (int w = 0; w < r->words; w++)
		free(r->word[w]);
	free(r->word);
	free(r->id);
	free(r->stats);
	free(r->log);
	free(r->guest);
	free(r->machine);
	json_decref(r->inputs);
	json_decref(r->result);
}

void paper_free(struct paper *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct experiment *e = &p->experiment[i];

		for (unsigned k = 0; k < e->n_runs; k++)
			free_run(&e->run[k]);
		free(e->run);
		free(e->fault);
		json_decref(e->file);
		json_decref(e->paper);
		json_decref(e->ours);
		json_decref(e->numbers);
	}
	free(p->experiment);
	json_decref(p->about);
	json_decref(p->printed);
	json_decref(p->claims);
	free(p->name);
	free(p->dir);
	free(p->guests);
	free(p->output);
}

const struct experiment *paper_experiment(const struct paper *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!strcmp(p->experiment[i].name, name))
			return &p->experiment[i];
	return NULL;
}

struct paper_run *paper_run(const struct paper *p, unsigned i)
{
	for (unsigned k = 0; k < p->n; k++) {
		if (i < p->experiment[k].n_runs)
			return &p->experiment[k].run[i];
		i -= p->experiment[k].n_runs;
	}
	return NULL;
}
