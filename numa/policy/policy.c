// SPDX-License-Identifier: MIT
/*
 * The table of policies, and what they have in common: parameters, their parsing, and the few
 * questions most of them ask. See policy.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/policy/policy.h"
#include "numa/util.h"

extern const struct policy_kind policy_first_touch, policy_round_robin, policy_interleave,
	policy_migrate, policy_replicate, policy_disco, policy_carrefour, policy_shuffle;

static const struct policy_kind *const kinds[] = {
	&policy_first_touch,
	&policy_round_robin,
	&policy_interleave,
	&policy_migrate,
	&policy_replicate,
	&policy_disco,
	&policy_carrefour,
	&policy_shuffle,
};

static const struct policy_param common[POLICY_COMMON] = {
	[POLICY_TRIGGER] = {"trigger", 128, 1, 1 << 20,
		"misses of one node after which a page is hot",
		"Verghese'96, RECALLED; paying 67 us a move takes 112 remote misses of 600 ns"},
	[POLICY_RESET] = {"reset", 1000, 1, 1000000,
		"milliseconds after which all counters start anew",
		"Verghese'96 has 100, RECALLED; see numa/policy/disco.c"},
	[POLICY_RATE] = {"rate", 20000, 1, 1000000000, "most moves in one such interval",
		"four times the rate of the paper's Table 3 (about 4700 in a second)"},
	[POLICY_SPARE] = {"spare", 64, 0, 1 << 30,
		"free frames of a node that moves leave to new pages",
		"one VM's reserve for a quantum; tune with memory size"},
};

const char *const policy_why_name[POLICY_WHYS] = {"cold", "local", "written", "mobile", "full",
	"not_done", "unseen", "one_node", "read_shared", "balance", "random"};

const struct policy_kind *policy_kind(unsigned i)
{
	return i < ARRAY_SIZE(kinds) ? kinds[i] : NULL;
}

const struct policy_param *policy_kind_param(const struct policy_kind *k, unsigned i)
{
	unsigned n = k->moves ? POLICY_COMMON : 0;

	if (i < n)
		return &common[i];
	return i - n < k->n_params ? &k->param[i - n] : NULL;
}

/* ---- parsing ----------------------------------------------------------------------------- */

static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(text, word, n);
}

/* The names there are, for an error message. The caller frees it. */
static char *names(const struct policy_kind *k)
{
	char *all = xstrdup("");
	const char *name;

	for (unsigned i = 0;; i++) {
		char *longer;

		if (k)
			name = policy_kind_param(k, i) ? policy_kind_param(k, i)->name : NULL;
		else
			name = policy_kind(i) ? policy_kind(i)->name : NULL;
		if (!name)
			return all;
		longer = xasprintf("%s%s%s", all, *all ? ", " : "", name);
		free(all);
		all = longer;
	}
}

static int parse_value(const char *text, size_t n, const struct policy_param *p, uint64_t *value)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9' || v > p->max)
			goto bad;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (!n || v < p->min || v > p->max)
		goto bad;
	*value = v;
	return 0;
bad:
	return complain(EINVAL, "policy parameter '%s': '%.*s' is not a number from %llu to %llu",
		p->name, (int)n, text, (unsigned long long)p->min, (unsigned long long)p->max);
}

static int parse_param(struct policy *out, const char *text, size_t n, uint32_t *seen)
{
	const char *equals = memchr(text, '=', n);
	size_t length = equals ? (size_t)(equals - text) : n;
	const struct policy_param *p;
	char *there;

	for (unsigned i = 0; (p = policy_kind_param(out->kind, i)); i++) {
		if (!is_word(text, length, p->name))
			continue;
		if (!equals)
			return complain(EINVAL, "policy parameter '%s' needs a value: %s=%llu",
				p->name, p->name, (unsigned long long)p->value);
		if (*seen >> i & 1)
			return complain(EINVAL, "policy parameter '%s' is given twice", p->name);
		*seen |= 1u << i;
		return parse_value(equals + 1, n - length - 1, p, &out->value[i]);
	}
	there = names(out->kind);
	if (*there)
		complain(0, "policy '%s' has no parameter '%.*s'; it has: %s", out->kind->name,
			(int)length, text, there);
	else
		complain(0, "policy '%s' has no parameters, so '%.*s' means nothing",
			out->kind->name, (int)n, text);
	free(there);
	return -EINVAL;
}

int policy_parse(const char *text, unsigned n_nodes, struct policy *out)
{
	size_t n = strcspn(text, ",");
	struct policy p = {.n_nodes = n_nodes};
	uint32_t seen = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (is_word(text, n, kinds[i]->name))
			p.kind = kinds[i];
	if (!p.kind) {
		char *there = names(NULL);

		complain(0, "no policy is called '%.*s'; there are: %s", (int)n, text, there);
		free(there);
		return -EINVAL;
	}
	for (unsigned i = 0; policy_kind_param(p.kind, i); i++)
		p.value[i] = policy_kind_param(p.kind, i)->value;
	while (text[n] == ',') {
		text += n + 1;
		n = strcspn(text, ",");
		if (parse_param(&p, text, n, &seen))
			return -EINVAL;
	}
	*out = p;
	return 0;
}

char *policy_text(const struct policy *p)
{
	char *text = xstrdup(p->kind->name);

	for (unsigned i = 0; policy_kind_param(p->kind, i); i++) {
		char *longer = xasprintf("%s,%s=%llu", text, policy_kind_param(p->kind, i)->name,
			(unsigned long long)p->value[i]);

		free(text);
		text = longer;
	}
	return text;
}

static void list_param(FILE *out, const struct policy_param *p)
{
	fprintf(out, "      %-11s %s\n", p->name, p->help);
	fprintf(out, "      %-11s default %llu, from %llu to %llu (%s)\n", "",
		(unsigned long long)p->value, (unsigned long long)p->min,
		(unsigned long long)p->max, p->source);
}

void policy_list(FILE *out)
{
	const struct policy_kind *k;

	fprintf(out, "Placement policies, for --policy NAME[,PARAMETER=VALUE...]\n\n");
	for (unsigned i = 0; (k = policy_kind(i)); i++) {
		fprintf(out, "  %s\n      %s\n      Source: %s\n", k->name, k->help, k->source);
		for (unsigned n = 0; n < k->n_params; n++)
			list_param(out, &k->param[n]);
	}
	fprintf(out, "\n  Every policy that moves pages also has\n");
	for (unsigned n = 0; n < POLICY_COMMON; n++)
		list_param(out, &common[n]);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* The policy answered `what` number `n`, of `there_are`, about the page `user`. */
static _Noreturn void bad_answer(const struct policy *p, struct frame_user user, const char *what,
	unsigned n, unsigned there_are)
{
	static const struct {
		uint32_t first;
		const char *owner;
	} owners[] = {{OWNER_PACKET, "packet "}, {OWNER_DISK, "disk "}, {OWNER_IMAGE, "image "},
		{OWNER_VM, "vm"}};
	unsigned i = 0;

	while (user.owner < owners[i].first)
		i++;
	die("policy %s answered %s %u of %u (page %u of %s%u): mend it in numa/policy/",
		p->kind->name, what, n, there_are, user.page, owners[i].owner,
		user.owner - owners[i].first);
}

unsigned policy_place(const void *policy, struct frame_user user, unsigned node, uint64_t nth)
{
	const struct policy *p = policy;
	unsigned to = p->kind->place ? p->kind->place(p->n_nodes, user.page, node, nth) : node;

	if (unlikely(to >= p->n_nodes))
		bad_answer(p, user, "node", to, p->n_nodes);
	return to;
}

struct policy_answer policy_ask(
	const struct policy *p, const struct page_view *v, struct frame_user user)
{
	struct policy_answer a = p->kind->decide(p->value, v);

	if ((unsigned)a.act >= POLICY_ACTS)
		bad_answer(p, user, "act", a.act, POLICY_ACTS);
	if ((unsigned)a.why >= POLICY_WHYS)
		bad_answer(p, user, "reason", a.why, POLICY_WHYS);
	if (a.act != POLICY_LEAVE && a.node >= p->n_nodes)
		bad_answer(p, user, "node", a.node, p->n_nodes);
	return a;
}

struct policy_answer policy_decide(
	const struct policy *p, const struct page_view *v, struct frame_user user)
{
	if (policy_has(v, v->initiator))
		return policy_leave(WHY_LOCAL);
	if (v->misses[v->initiator] < p->value[POLICY_TRIGGER])
		return policy_leave(WHY_COLD);
	return policy_ask(p, v, user);
}

uint64_t policy_shuffles(const struct policy *p)
{
	uint64_t n = p->kind->shuffle(p->value);

	if (!n)
		die("policy %s answered that it shuffles 0 pages: mend it in numa/policy/",
			p->kind->name);
	return n;
}

/* ---- for policies ------------------------------------------------------------------------- */

struct policy_answer policy_move(const uint64_t *p, const struct page_view *v, enum policy_act act,
	unsigned node, enum policy_why why)
{
	if (node >= v->machine->n_nodes) /* policy_ask() tells whose answer it is */
		return (struct policy_answer){act, node, why};
	if (policy_has(v, node))
		return policy_leave(WHY_LOCAL);
	if (act == POLICY_REPLICATE && v->unseen >> node & 1)
		return policy_leave(WHY_UNSEEN);
	if (v->machine->free_frames[node] <= p[POLICY_SPARE])
		return policy_leave(WHY_FULL);
	return (struct policy_answer){act, node, why};
}

uint32_t policy_misses_of_others(const struct page_view *v, unsigned node)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < v->machine->n_nodes; i++)
		if (i != node)
			most = MAX(most, v->misses[i]);
	return most;
}
