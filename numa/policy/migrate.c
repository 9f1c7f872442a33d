// SPDX-License-Identifier: MIT
/*
 * The migrating half of the paper's policy: a hot page goes to the node that misses on it, unless
 * others use it as well. Against `disco` it shows what replication brings.
 */
#include "numa/policy/policy.h"

enum { SHARING = POLICY_COMMON, MIGRATE, CAP };

static const struct policy_param params[] = {
	{"sharing", 32, 0, 1 << 20, "a page stays if another node has more misses",
		"Verghese'96 (a quarter of the trigger), RECALLED"},
	{"migrate", 1, 0, 255, "a page that moved more often in an interval stays",
		"Verghese'96, RECALLED"},
	{"cap", 100, 1, 255, "a page that moved this often ever stays",
		"the paper caps moves and prints no number; a guess"},
};

static struct policy_answer decide(const uint64_t *p, const struct page_view *v)
{
	if (policy_above(p, v, policy_misses_of_others(v, v->initiator), p[SHARING]))
		return policy_leave(WHY_NOT_DONE);
	if (v->moves > p[MIGRATE] || v->moves_ever >= p[CAP])
		return policy_leave(WHY_MOBILE);
	return policy_move(p, v, POLICY_MIGRATE, v->initiator, WHY_ONE_NODE);
}

const struct policy_kind policy_migrate = {
	.name = "migrate",
	.help = "First touch; a hot page with one user migrates to it.",
	.source = "Verghese et al., ASPLOS'96: migration alone",
	.param = params,
	.n_params = sizeof(params) / sizeof(params[0]),
	.moves = true,
	.decide = decide,
};
