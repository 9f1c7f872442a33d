// SPDX-License-Identifier: MIT
/*
 * Options that turned out to have no effect in this run, so that two rows of a comparison that are
 * equal are not taken for a finding. What can be known before a run is refused there
 * (options-check.c, cluster.c); here is what only the end knows. Defaults are never named.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/report/no-effect.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"
#include "sharing/subnet.h"

#define NEVER_NUMA                                                                                 \
	"the run never was in numa fidelity, outside of which it changes no time; give "           \
	"--fidelity numa, or let a guest begin a region of interest"

static bool never_numa(const struct run *r)
{
	return r->cluster.engine == &engine_sim && !r->cluster.memsys;
}

static char *policy(const struct run *r)
{
	const struct placement *pl = r->cluster.placement;
	const struct policy_kind *k = placement_policy(pl)->kind;

	if (!k->place && !k->moves)
		return NULL;
	if (never_numa(r))
		return xasprintf("--policy %s: " NEVER_NUMA, k->name);
	if (k->place || k->shuffle || placement_stats(pl)->hot)
		return NULL;
	return xasprintf("--policy %s: no page became hot, so it had nothing to move; trigger=%llu "
			 "misses of a node within reset=%llu ms make one hot",
		k->name, (unsigned long long)placement_policy(pl)->value[POLICY_TRIGGER],
		(unsigned long long)placement_policy(pl)->value[POLICY_RESET]);
}

static char *contention(const struct run *r)
{
	return r->options->contention && never_numa(r) ? xstrdup("--contention: " NEVER_NUMA)
						       : NULL;
}

static char *magic(const struct run *r)
{
	const char *word = r->options->magic;

	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		if (r->cluster.vm[i]->n_marks || r->cluster.vm[i]->marks_refused)
			return NULL;
	return strcmp(word, "all") ? xasprintf("--markers %s: no guest executed a magic "
					       "instruction; disco-mark is the program for it",
					     word)
				   : NULL;
}

static char *overcommit(const struct run *r)
{
	return r->options->overcommit && !r->was_short
		       ? xstrdup("--overcommit: machine memory never became short; more VMs or "
				 "larger ones would need it")
		       : NULL;
}

static char *net(const struct run *r)
{
	const char *option = options_of_net(r->options);
	struct subnet_stats s;

	if (!option || !r->cluster.subnet)
		return NULL;
	subnet_total(r->cluster.subnet, &s);
	return s.frames_received ? NULL : xasprintf("--%s: no packet crossed the subnet", option);
}

char *no_effect(const struct run *r, unsigned i)
{
	static char *(*const checks[])(const struct run *r) = {
		policy, contention, magic, overcommit, net};
	char *text = NULL;

	if (r->error || (r->end != RUN_ENDED && r->end != RUN_TIMED_OUT))
		return NULL; /* it may have been about to */
	for (size_t k = 0; k < ARRAY_SIZE(checks); k++) {
		text = checks[k](r);
		if (text && !i--)
			return text;
		free(text);
	}
	return NULL;
}
