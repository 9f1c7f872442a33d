// SPDX-License-Identifier: MIT
/*
 * Recursive descent, evaluated as it is read; see expr.h. A wrong expression sets p->fault and what
 * follows no longer matters. A path that leads to nothing is not wrong: it gives no values and sets
 * p->missing, which first() takes back.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/expr.h"
#include "numa/util.h"

enum { DEPTH_MAX = 64 };

struct vec {
	double *v;
	size_t n;
};

struct parser {
	const char *at;
	const json_t *root;
	char *fault;   /* NULL: none */
	char *missing; /* the first path that leads to nothing; NULL: none */
	int depth;
};

static struct vec parse_or(struct parser *p);

static struct vec scalar(double v)
{
	struct vec r = {xcalloc(1, sizeof(*r.v)), 1};

	r.v[0] = v;
	return r;
}

static struct vec nothing(void)
{
	return (struct vec){NULL, 0};
}

static void set_fault(struct parser *p, char *text)
{
	if (p->fault)
		free(text);
	else
		p->fault = text;
}

static void blanks(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

/* Skip the sign or word if it is next. */
static bool accept(struct parser *p, const char *token)
{
	size_t n = strlen(token);

	blanks(p);
	if (strncmp(p->at, token, n))
		return false;
	if (isalpha((unsigned char)*token) && (isalnum((unsigned char)p->at[n]) || p->at[n] == '_'))
		return false;
	p->at += n;
	return true;
}

static void expect(struct parser *p, const char *token)
{
	if (!p->fault && !accept(p, token))
		set_fault(p, xasprintf("'%s' is expected before '%.20s'", token, p->at));
}

/* --- paths --- */

struct nodes {
	const json_t **v;
	size_t n;
};

static void add_node(struct nodes *to, const json_t *node)
{
	if (!node || json_is_null(node))
		return;
	to->v = xrealloc(to->v, (to->n + 1) * sizeof(*to->v));
	to->v[to->n++] = node;
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*s) && *s != '_')
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

static void take_member(struct parser *p, const struct nodes *from, struct nodes *to)
{
	size_t n = name_length(p->at);

	if (!n) {
		set_fault(p, xasprintf("a name is expected before '%.20s'", p->at));
		return;
	}
	for (size_t i = 0; i < from->n; i++)
		add_node(to, json_object_getn(from->v[i], p->at, n));
	p->at += n;
}

static bool matches(const json_t *node, const char *key, size_t n, const char *value, size_t m)
{
	const char *text = json_string_value(json_object_getn(node, key, n));

	return text && strlen(text) == m && !memcmp(text, value, m);
}

/* What stands between brackets. */
static void take_elements(struct parser *p, const struct nodes *from, struct nodes *to)
{
	size_t key = name_length(p->at), length = strcspn(p->at, "]"), i;
	const char *value = p->at + key + 1;
	char *end = (char *)p->at;
	unsigned long index = isdigit((unsigned char)*p->at) ? strtoul(p->at, &end, 10) : 0;
	bool all = length == 1 && *p->at == '*';
	bool selects = key && p->at[key] == '=' && length > key + 1;
	const json_t *e;

	if (p->at[length] != ']' || (!all && !selects && end != p->at + length)) {
		set_fault(p, xasprintf("'[%.20s' is none of [*], [NUMBER], [NAME=TEXT]", p->at));
		return;
	}
	for (size_t f = 0; f < from->n; f++) {
		json_array_foreach(from->v[f], i, e)
		{
			if (all || (selects && matches(e, p->at, key, value, length - key - 1)) ||
				(!selects && i == index))
				add_node(to, e);
		}
	}
	p->at += length + 1;
}

static struct vec values_of(struct parser *p, const struct nodes *from, const char *path, size_t n)
{
	struct vec r = {xcalloc(from->n + 1, sizeof(*r.v)), from->n};

	for (size_t i = 0; i < from->n; i++) {
		if (json_is_number(from->v[i]))
			r.v[i] = json_number_value(from->v[i]);
		else if (json_is_boolean(from->v[i]))
			r.v[i] = json_is_true(from->v[i]);
		else
			set_fault(p, xasprintf("'%.*s' is not a number", (int)n, path));
	}
	if (!r.n && !p->missing)
		p->missing = xasprintf("there is no '%.*s'", (int)n, path);
	return r;
}

static struct vec parse_path(struct parser *p)
{
	const char *path = p->at;
	struct nodes from = {NULL, 0};
	struct vec r;
	bool dot = true, bracket = false;

	add_node(&from, p->root);
	do {
		struct nodes to = {NULL, 0};

		if (dot)
			take_member(p, &from, &to);
		else
			take_elements(p, &from, &to);
		free(from.v);
		from = to;
		dot = !p->fault && *p->at == '.';
		bracket = !p->fault && *p->at == '[';
		p->at += dot || bracket;
	} while (dot || bracket);
	r = p->fault ? nothing() : values_of(p, &from, path, (size_t)(p->at - path));
	free(from.v);
	return r;
}

/* --- functions --- */

static double fold(const char *name, const struct vec *a)
{
	double r = a->v[0];

	if (!strcmp(name, "count"))
		return (double)a->n;
	for (size_t i = 1; i < a->n; i++)
		r = !strcmp(name, "min")   ? MIN(r, a->v[i])
		    : !strcmp(name, "max") ? MAX(r, a->v[i])
					   : r + a->v[i];
	return !strcmp(name, "mean") ? r / (double)a->n : r;
}

static void append(struct vec *to, struct vec more)
{
	to->v = xrealloc(to->v, (to->n + more.n + 1) * sizeof(*to->v));
	if (more.n)
		memcpy(to->v + to->n, more.v, more.n * sizeof(*to->v));
	to->n += more.n;
	free(more.v);
}

static struct vec parse_first(struct parser *p)
{
	char *missing = p->missing;
	struct vec a, b;

	p->missing = NULL;
	a = parse_or(p);
	expect(p, ",");
	if (!p->missing) {
		p->missing = missing;
		b = parse_or(p);
		/* What is not taken may be missing. */
		if (p->missing != missing) {
			free(p->missing);
			p->missing = missing;
		}
		free(b.v);
		return a;
	}
	free(p->missing);
	p->missing = missing;
	free(a.v);
	return parse_or(p);
}

static struct vec parse_call(struct parser *p, const char *name)
{
	struct vec a = {NULL, 0};
	double r;

	if (!strcmp(name, "first"))
		return parse_first(p);
	do
		append(&a, parse_or(p));
	while (!p->fault && accept(p, ","));
	if (!strcmp(name, "abs")) {
		for (size_t i = 0; i < a.n; i++)
			a.v[i] = fabs(a.v[i]);
		return a;
	}
	if (!a.n || p->fault)
		return a;
	r = fold(name, &a);
	free(a.v);
	return scalar(r);
}

/* --- operators --- */

static double apply(struct parser *p, char op, double a, double b)
{
	switch (op) {
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	case '/':
		if (b == 0)
			set_fault(p, xstrdup("division by zero"));
		return b == 0 ? 0 : a / b;
	case '<':
		return a < b;
	case '>':
		return a > b;
	case 'l':
		return a <= b;
	case 'g':
		return a >= b;
	case '=':
		return a == b;
	case '&':
		return a != 0 && b != 0;
	default:
		return a != 0 || b != 0;
	}
}

static struct vec combine(struct parser *p, char op, struct vec a, struct vec b)
{
	size_t n = !a.n || !b.n ? 0 : MAX(a.n, b.n);
	struct vec r = {xcalloc(n + 1, sizeof(*r.v)), n};

	if (a.n > 1 && b.n > 1 && a.n != b.n)
		set_fault(p, xasprintf("%zu values meet %zu", a.n, b.n));
	else
		for (size_t i = 0; i < n; i++)
			r.v[i] = apply(p, op, a.v[a.n > 1 ? i : 0], b.v[b.n > 1 ? i : 0]);
	free(a.v);
	free(b.v);
	return r;
}

static struct vec parse_primary(struct parser *p)
{
	static const char *const functions[] = {
		"sum", "min", "max", "mean", "count", "abs", "first"};
	const char *at;
	char *end;
	struct vec r;

	blanks(p);
	at = p->at;
	if (accept(p, "(")) {
		r = parse_or(p);
		expect(p, ")");
		return r;
	}
	if (isdigit((unsigned char)*at)) {
		r = scalar(strtod(at, &end));
		p->at = end;
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (accept(p, functions[i]) && accept(p, "(")) {
			r = parse_call(p, functions[i]);
			expect(p, ")");
			return r;
		}
		p->at = at;
	}
	if (name_length(at))
		return parse_path(p);
	set_fault(p, *at ? xasprintf("a value is expected before '%.20s'", at)
			 : xstrdup("a value is expected at the end"));
	return nothing();
}

static struct vec parse_unary(struct parser *p)
{
	struct vec r;

	if (++p->depth > DEPTH_MAX)
		set_fault(p, xasprintf("more than %d levels deep", DEPTH_MAX));
	if (p->fault)
		r = nothing();
	else if (accept(p, "-"))
		r = combine(p, '-', scalar(0), parse_unary(p));
	else
		r = parse_primary(p);
	p->depth--;
	return r;
}

static struct vec parse_product(struct parser *p)
{
	struct vec r = parse_unary(p);

	while (!p->fault)
		if (accept(p, "*"))
			r = combine(p, '*', r, parse_unary(p));
		else if (accept(p, "/"))
			r = combine(p, '/', r, parse_unary(p));
		else
			break;
	return r;
}

static struct vec parse_sum(struct parser *p)
{
	struct vec r = parse_product(p);

	while (!p->fault)
		if (accept(p, "+"))
			r = combine(p, '+', r, parse_product(p));
		else if (accept(p, "-"))
			r = combine(p, '-', r, parse_product(p));
		else
			break;
	return r;
}

static struct vec parse_comparison(struct parser *p)
{
	static const struct {
		const char *sign;
		char op;
	} signs[] = {{"<=", 'l'}, {">=", 'g'}, {"==", '='}, {"<", '<'}, {">", '>'}};
	struct vec r = parse_sum(p);

	for (size_t i = 0; !p->fault && i < ARRAY_SIZE(signs); i++)
		if (accept(p, signs[i].sign))
			return combine(p, signs[i].op, r, parse_sum(p));
	return r;
}

static struct vec parse_not(struct parser *p)
{
	struct vec r;

	if (++p->depth > DEPTH_MAX)
		set_fault(p, xasprintf("more than %d levels deep", DEPTH_MAX));
	if (p->fault)
		r = nothing();
	else if (accept(p, "not"))
		r = combine(p, '=', scalar(0), parse_not(p));
	else
		r = parse_comparison(p);
	p->depth--;
	return r;
}

static struct vec parse_and(struct parser *p)
{
	struct vec r = parse_not(p);

	while (!p->fault && accept(p, "and"))
		r = combine(p, '&', r, parse_not(p));
	return r;
}

static struct vec parse_or(struct parser *p)
{
	struct vec r = parse_and(p);

	while (!p->fault && accept(p, "or"))
		r = combine(p, '|', r, parse_and(p));
	return r;
}

/* --- */

static struct vec parse_all(struct parser *p)
{
	struct vec r = parse_or(p);

	blanks(p);
	if (!p->fault && *p->at)
		set_fault(p, xasprintf("'%.20s' is too much", p->at));
	return r;
}

int expr_eval(const char *text, const json_t *root, double *result, char **fault)
{
	struct parser p = {.at = text, .root = root};
	struct vec r = parse_all(&p);
	bool missing = !p.fault && p.missing;

	if (!p.fault && p.missing)
		set_fault(&p, xstrdup(p.missing));
	else if (!p.fault && r.n != 1)
		set_fault(&p, xasprintf("%zu values where one is expected", r.n));
	else if (!p.fault && !isfinite(r.v[0]))
		set_fault(&p, xstrdup("not a finite number"));
	if (!p.fault)
		*result = r.v[0];
	free(r.v);
	free(p.missing);
	*fault = p.fault;
	return !p.fault ? 0 : missing ? -ENOENT : -EINVAL;
}

int expr_check(const char *text, char **fault)
{
	json_t *empty = json_object();
	struct parser p = {.at = text, .root = empty};

	free(parse_all(&p).v);
	free(p.missing);
	json_decref(empty);
	*fault = p.fault;
	return p.fault ? -EINVAL : 0;
}
