// SPDX-License-Identifier: MIT
/*
 * The replicating half of the paper's policy: a hot page that no CPU writes is copied to the node
 * of each CPU that misses on it, also where one copy instead of a move would do. Against `disco` it
 * shows what migration brings, and what copies cost in memory.
 */
#include "numa/policy/policy.h"

enum { WRITE = POLICY_COMMON, COLLAPSE, CAP };

static const struct policy_param params[] = {
	{"write", 1, 0, 1 << 20, "a page with more writes is not copied", "Verghese'96, RECALLED"},
	{"collapse", 1, 0, 255, "a page that collapsed more often in an interval is not copied",
		"as Verghese'96's migrate threshold, RECALLED"},
	{"cap", 100, 1, 255, "a page that collapsed this often ever is not copied",
		"the paper caps moves and prints no number; a guess"},
};

static struct policy_answer decide(const uint64_t *p, const struct page_view *v)
{
	if (!v->shared && policy_above(p, v, v->writes, p[WRITE]))
		return policy_leave(WHY_WRITTEN);
	if (!v->shared && (v->moves > p[COLLAPSE] || v->moves_ever >= p[CAP]))
		return policy_leave(WHY_MOBILE);
	return policy_move(p, v, POLICY_REPLICATE, v->initiator, WHY_READ_SHARED);
}

const struct policy_kind policy_replicate = {
	.name = "replicate",
	.help = "First touch; a hot page that is not written is copied to the node that misses.",
	.source = "Verghese et al., ASPLOS'96: replication alone",
	.param = params,
	.n_params = sizeof(params) / sizeof(params[0]),
	.moves = true,
	.decide = decide,
};
