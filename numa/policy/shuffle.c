// SPDX-License-Identifier: MIT
/*
 * Shuffle: pages taken at random move to nodes taken at random, or get copies there, all the time.
 * It makes nothing faster. Tests use it: moves must go unnoticed by guests, by devices with
 * transfers under way, by engines, and by all other code that keeps a frame's number.
 */
#include "numa/policy/policy.h"

enum { PAGES = POLICY_COMMON, COPIES, STAY };

static const struct policy_param params[] = {
	{"pages", 4, 1, 100000, "pages taken in a millisecond of machine time",
		"half the default rate at which pages are scanned"},
	{"copies", 25, 0, 100, "of a hundred moves, how many make a copy", "a guess"},
	{"stay", 0, 0, 255, "moves after which a page comes to node 0 and stays (0: none does)",
		"none"},
};

static uint64_t shuffle(const uint64_t *p)
{
	return p[PAGES];
}

static struct policy_answer decide(const uint64_t *p, const struct page_view *v)
{
	bool copy = v->random % 100 < p[COPIES];

	if (p[STAY] && v->moves_ever >= p[STAY])
		return policy_move(p, v, POLICY_MIGRATE, 0, WHY_RANDOM);
	return policy_move(
		p, v, copy ? POLICY_REPLICATE : POLICY_MIGRATE, v->initiator, WHY_RANDOM);
}

const struct policy_kind policy_shuffle = {
	.name = "shuffle",
	.help = "First touch; pages at random move or are copied to random nodes: for testing.",
	.source = "none",
	.param = params,
	.n_params = sizeof(params) / sizeof(params[0]),
	.moves = true,
	.decide = decide,
	.shuffle = shuffle,
};
