// SPDX-License-Identifier: MIT
/*
 * From statistics to a paper's bars, and from bars to verdicts; see paper.h. What belongs to a host
 * or a moment is never read, so the same results give the same numbers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/json.h"
#include "monitor/base/version.h"
#include "monitor/base/expr.h"
#include "monitor/paper/paper.h"
#include "numa/util.h"

/* Did every VM's command succeed? */
static bool ended_well(const json_t *stats)
{
	const json_t *vm, *code;
	size_t i;

	if (strcmp(text_at(stats, "end"), "ended"))
		return false;
	json_array_foreach(json_object_get(stats, "vms"), i, vm)
	{
		code = json_object_get(vm, "exit");
		if (strcmp(text_at(vm, "state"), "done") || json_integer_value(code))
			return false;
	}
	return true;
}

/* Does it say the hash that is wanted? */
static bool same(const char *wanted, const json_t *hash)
{
	return !wanted || (json_is_string(hash) && !strcmp(json_string_value(hash), wanted));
}

json_t *paper_result(const struct paper_run *r, const char *file)
{
	json_t *stats = json_load_file(file, 0, NULL);
	const json_t *inputs = json_object_get(stats, "inputs");

	if (!strcmp(text_at(stats, "model"), disco_model) && ended_well(stats) &&
		json_equal(json_object_get(inputs, "options"), r->inputs) &&
		same(r->guest, json_object_get(inputs, "guest")) &&
		same(r->machine, json_object_get(json_object_get(inputs, "machine"), "hash")))
		return stats;
	json_decref(stats);
	return NULL;
}

/* --- numbers --- */

static const struct paper_run *find_run(const struct experiment *e, const char *name)
{
	for (unsigned i = 0; i < e->n_runs; i++)
		if (!strcmp(e->run[i].name, name))
			return &e->run[i];
	return NULL;
}

static json_t *compute_bar(
	struct experiment *e, const char *name, const struct paper_run *r, json_t *values)
{
	json_t *bar = json_object(), *v;
	const char *key;

	json_object_foreach(values, key, v)
	{
		double number = json_number_value(v);
		char *fault = NULL;

		if (json_is_string(v) &&
			expr_eval(json_string_value(v), r->result, &number, &fault) && !e->fault)
			e->fault = xasprintf("%s of %s in %s: %s", key, name, r->stats, fault);
		free(fault);
		json_object_set_new(bar, key, json_real(number));
	}
	return bar;
}

static double sum_parts(const struct experiment *e, const json_t *bar)
{
	const json_t *part;
	double sum = 0;
	size_t i;

	json_array_foreach(json_object_get(e->file, "parts"), i, part)
	{
		sum += json_number_value(json_object_get(bar, text_at(part, "name")));
	}
	return sum;
}

static void scale_parts(const struct experiment *e, json_t *bar, double factor)
{
	const json_t *part;
	size_t i;

	json_array_foreach(json_object_get(e->file, "parts"), i, part)
	{
		const char *key = text_at(part, "name");
		double v;

		if (json_object_get(bar, key)) {
			v = json_number_value(json_object_get(bar, key));
			json_object_set_new(bar, key, json_real(v * factor));
		}
	}
}

/* Totals; and parts in percent of the bar that each names, as papers print them. */
static void finish_bars(struct experiment *e)
{
	const json_t *raw = json_deep_copy(e->ours), *bar;
	size_t i;

	json_array_foreach(json_object_get(e->file, "bars"), i, bar)
	{
		const char *base = json_string_value(json_object_get(bar, "percent_of"));
		double whole = sum_parts(e, json_object_get(raw, base ? base : ""));
		json_t *ours = json_object_get(e->ours, text_at(bar, "name"));

		if (!ours || !json_array_size(json_object_get(e->file, "parts")))
			continue;
		if (base && !(whole > 0) && !e->fault)
			e->fault = xasprintf("%s is nothing to be a percentage of", base);
		if (base)
			scale_parts(e, ours, 100 / whole);
		json_object_set_new(ours, "total", json_real(sum_parts(e, ours)));
	}
	json_decref((json_t *)raw);
}

static void compute(struct experiment *e)
{
	const json_t *bar, *values, *run;
	size_t i;

	e->ours = json_object();
	for (unsigned k = 0; k < e->use->n_runs && !e->fault; k++)
		if (!e->use->run[k].result)
			e->fault = xasprintf("the run %s is not there", e->use->run[k].id);
	json_array_foreach(json_object_get(e->file, "bars"), i, bar)
	{
		const struct paper_run *r;

		run = json_object_get(bar, "run");
		r = run ? find_run(e->use, json_string_value(run)) : NULL;
		if (!r || e->fault)
			continue; /* of the paper alone, or of the other scale */
		values = json_object_get(bar, "values");
		if (json_is_string(values))
			values = json_object_get(
				json_object_get(e->file, "values"), json_string_value(values));
		json_object_set_new(e->ours, text_at(bar, "name"),
			compute_bar(e, text_at(bar, "name"), r, (json_t *)values));
	}
	if (!e->fault)
		finish_bars(e);
	if (e->fault)
		json_object_clear(e->ours);
	e->numbers = json_pack("{s:O, s:O}", "paper", e->paper, "ours", e->ours);
}

void paper_compute(struct paper *p)
{
	for (unsigned i = 0; i < p->n; i++)
		compute(&p->experiment[i]);
}

bool paper_number(const json_t *bars, const char *bar, const char *quantity, double *v)
{
	const json_t *n = json_object_get(json_object_get(bars, bar), quantity);

	*v = json_number_value(n);
	return json_is_number(n);
}

bool paper_has_bar(const struct experiment *e, const json_t *bar)
{
	const char *name = text_at(bar, "name");

	return json_object_get(e->paper, name) || json_object_get(e->ours, name);
}

/* --- claims --- */

bool paper_eval(const struct experiment *e, const json_t *expression, double *v)
{
	char *fault;
	int err;

	if (json_is_number(expression)) {
		*v = json_number_value(expression);
		return true;
	}
	if (!json_is_string(expression))
		return false;
	err = expr_eval(json_string_value(expression), e->numbers, v, &fault);
	free(fault);
	return !err;
}

enum verdict paper_verdict(const struct experiment *e, const json_t *claim)
{
	double v;

	if (!paper_eval(e, json_object_get(claim, "holds"), &v))
		return CLAIM_UNKNOWN;
	if (v != 0)
		return CLAIM_HOLDS;
	if (paper_eval(e, json_object_get(claim, "in_part"), &v) && v != 0)
		return CLAIM_IN_PART;
	return CLAIM_DOES_NOT;
}
