// SPDX-License-Identifier: MIT
/*
 * After Carrefour (Dashti et al., ASPLOS'13): on machines where a remote access costs little more
 * than a local one, what hurts is congestion, so traffic is to be balanced and not only made local.
 * First the machine as a whole decides what may be done at all: nothing while memory is hardly
 * used; replicate while nearly all misses are reads; interleave while controllers are unequally
 * busy; migrate while too few misses are local. Then each hot page: with one user it migrates to
 * it; read only, it is replicated; otherwise, if its controller is busier than the average, it goes
 * to the idlest. Carrefour samples accesses (IBS); here the counters see every miss. It draws the
 * target of an interleaved page at random; the idlest is the same on every run. All thresholds are
 * RECALLED.
 */
#include "numa/policy/policy.h"

enum { USED = POLICY_COMMON, READS, IMBALANCE, LOCALITY, OTHERS, CAP };

static const struct policy_param params[] = {
	{"used", 1, 0, 1000000, "memory requests a microsecond below which nothing is done",
		"Carrefour has 50 (RECALLED), for CPUs that overlap misses; these make 1 to 3 "
		"each"},
	{"reads", 95, 0, 100, "percent of misses that must be reads for pages to be copied",
		"Carrefour, RECALLED"},
	{"imbalance", 35, 0, 1000,
		"deviation of controllers' requests, in percent of the mean, to balance from",
		"Carrefour, RECALLED"},
	{"locality", 80, 0, 101, "percent of local misses below which pages migrate",
		"Carrefour, RECALLED"},
	{"others", 10, 0, 100,
		"other nodes' misses, in percent of the initiator's, that it may have",
		"here: Carrefour has samples of one node only, which is 0"},
	{"cap", 100, 1, 255, "a page that moved this often ever stays", "as for disco"},
};

/* Standard deviation of the controllers' requests above `percent` of their mean? */
static bool unbalanced(const struct machine_view *m, uint64_t percent)
{
	unsigned __int128 squares = 0, sum = 0, n = m->n_nodes;

	for (unsigned i = 0; i < m->n_nodes; i++) {
		sum += m->requests[i];
		squares += (unsigned __int128)m->requests[i] * m->requests[i];
	}
	/* n squares - sum^2 is n^2 times the variance; sum^2 is n^2 times the mean's square. */
	return (n * squares - sum * sum) * 10000 > sum * sum * percent * percent;
}

static struct policy_answer balance(const uint64_t *p, const struct page_view *v)
{
	const struct machine_view *m = v->machine;
	uint64_t sum = 0;
	unsigned idlest = 0;

	if (v->nodes & (v->nodes - 1))
		return policy_leave(WHY_NOT_DONE);
	for (unsigned i = 0; i < m->n_nodes; i++) {
		sum += m->requests[i];
		if (m->requests[i] < m->requests[idlest])
			idlest = i;
	}
	if (m->requests[v->home] * m->n_nodes <= sum || !unbalanced(m, p[IMBALANCE]))
		return policy_leave(WHY_NOT_DONE);
	return policy_move(p, v, POLICY_MIGRATE, idlest, WHY_BALANCE);
}

static struct policy_answer decide(const uint64_t *p, const struct page_view *v)
{
	const struct machine_view *m = v->machine;
	uint64_t others = 0, own = v->misses[v->initiator];

	if (m->requests_per_us < p[USED])
		return policy_leave(WHY_COLD);
	if (v->moves_ever >= p[CAP])
		return policy_leave(WHY_MOBILE);
	for (unsigned i = 0; i < m->n_nodes; i++)
		others += i == v->initiator ? 0 : v->misses[i];
	if (others * 100 <= own * p[OTHERS] && !(v->nodes & (v->nodes - 1))) {
		if (m->local_percent >= p[LOCALITY])
			return policy_leave(WHY_NOT_DONE);
		return policy_move(p, v, POLICY_MIGRATE, v->initiator, WHY_ONE_NODE);
	}
	if ((v->shared || !v->writes) && m->read_percent >= p[READS])
		return policy_move(p, v, POLICY_REPLICATE, v->initiator, WHY_READ_SHARED);
	return balance(p, v);
}

const struct policy_kind policy_carrefour = {
	.name = "carrefour",
	.help = "First touch; hot pages move so that controllers are equally busy, and misses "
		"local.",
	.source = "Dashti et al., ASPLOS'13",
	.param = params,
	.n_params = sizeof(params) / sizeof(params[0]),
	.moves = true,
	.decide = decide,
};
