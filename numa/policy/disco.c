// SPDX-License-Identifier: MIT
/*
 * The paper's policy (Disco, section 4.2.3): a page used heavily by one node migrates there, one
 * that several read gets a copy on each heavy reader, one that several write stays. The thresholds
 * are those of Verghese et al., ASPLOS'96, from which Disco derived its own: a node's misses reach
 * `trigger`, and the page is hot; if another node's exceed `sharing`, it is shared; a shared page
 * with more than `write` writes stays; one that moved more than `migrate` times in the interval
 * stays. Disco prints no numbers, and Verghese's are RECALLED: sweep them.
 *
 * What is ours, and why. The trigger is the price of a move in misses saved (112 by the paper's
 * figures), so it does not depend on how much memory a program uses. The reset interval limits just
 * that: a CPU that only waits for remote memory makes 111,000 misses of 900 ns in Verghese's 100
 * ms, so of pages used evenly those beyond 868 (3.4 MB) never reach 128, however long the program
 * runs. With the one second here they do up to 34 MB for each CPU, and the coldest page that moves
 * has paid for it a second later. Longer would tell ever less about what comes next.
 *
 * In a long interval one decision is not enough: a page may have stayed because its former user's
 * misses were still in the counters, or because a limit was reached. So the signal comes again at
 * twice the trigger, four times, and so on: a page that rightly stays costs eight decisions for
 * 16,000 misses. `sharing` and `write` are for a page just hot. A later decision scales them as the
 * initiator's misses have grown, or the few writes of a second would count as those of its tenth.
 */
#include "numa/policy/policy.h"

enum { SHARING = POLICY_COMMON, WRITE, MIGRATE, CAP };

static const struct policy_param params[] = {
	{"sharing", 32, 0, 1 << 20, "a page is shared if another node has more misses",
		"Verghese'96 (a quarter of the trigger), RECALLED"},
	{"write", 1, 0, 1 << 20, "a shared page with more writes stays", "Verghese'96, RECALLED"},
	{"migrate", 1, 0, 255, "a page that moved or collapsed more often in an interval stays",
		"Verghese'96, RECALLED"},
	{"cap", 100, 1, 255, "a page that moved or collapsed this often ever stays",
		"the paper caps moves and prints no number; a guess"},
};

static struct policy_answer decide(const uint64_t *p, const struct page_view *v)
{
	/* A page with copies is shared already: it has no one node to go to. */
	bool shared = policy_above(p, v, policy_misses_of_others(v, v->initiator), p[SHARING]) ||
		      (v->nodes & (v->nodes - 1));

	/* Stores to a copy-on-write frame make another frame; they do not end this one's copies. */
	if (shared && v->shared)
		return policy_move(p, v, POLICY_REPLICATE, v->initiator, WHY_READ_SHARED);
	if (shared && policy_above(p, v, v->writes, p[WRITE]))
		return policy_leave(WHY_WRITTEN);
	if (v->moves > p[MIGRATE] || v->moves_ever >= p[CAP])
		return policy_leave(WHY_MOBILE);
	if (shared)
		return policy_move(p, v, POLICY_REPLICATE, v->initiator, WHY_READ_SHARED);
	return policy_move(p, v, POLICY_MIGRATE, v->initiator, WHY_ONE_NODE);
}

const struct policy_kind policy_disco = {
	.name = "disco",
	.help = "First touch; a hot page migrates to its one user or is copied to its readers.",
	.source = "Disco, section 4.2.3; Verghese et al., ASPLOS'96",
	.param = params,
	.n_params = sizeof(params) / sizeof(params[0]),
	.moves = true,
	.decide = decide,
};
