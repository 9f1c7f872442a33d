// SPDX-License-Identifier: MIT
/*
 * From hot pages to moves: see placement.h. Nothing here knows a policy by name.
 */
#include <stdlib.h>
#include <string.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"
#include "numa/policy/placement.h"

enum {
	STATIC_INTERVAL_MS = 100, /* of policies that move nothing */
	VIEW_MS = 100,            /* how often policies get to see what the whole machine does */
};

struct placement {
	struct memory *mem;
	const struct machine *m;
	struct policy policy;
	const struct placement_ops *ops;
	void *arg;
	struct placement_stats stats;
	struct machine_view view;
	uint64_t interval, next;      /* cycles: length and end of the interval */
	uint64_t view_interval, seen; /* the same and begin of the view's, which is not longer */
	uint64_t moves;               /* in this interval */
	uint64_t random, shuffled;    /* for policies that shuffle: cycles up to which they did */
	unsigned initiator;           /* the node for which the move under way is */
	uint64_t copy_cycles;         /* what copying took in that move */
};

/* Called from within the move, while caches still have the page where it was. */
static void copied(void *arg, uint32_t from, uint32_t to)
{
	struct placement *pl = arg;

	pl->copy_cycles += pl->ops->copy ? pl->ops->copy(pl->arg, pl->initiator, from, to)
					 : pl->m->cost.page_copy;
}

struct placement *placement_create(struct memory *mem, const struct machine *m,
	const struct policy *policy, const struct placement_ops *ops, void *arg)
{
	struct placement *pl = xcalloc(1, sizeof(*pl));
	uint64_t ms = policy->kind->moves ? policy->value[POLICY_RESET] : STATIC_INTERVAL_MS;

	pl->mem = mem;
	pl->m = m;
	pl->policy = *policy;
	pl->ops = ops;
	pl->arg = arg;
	pl->view.n_nodes = m->n_nodes;
	pl->view.latency_ns = m->latency_ns;
	pl->interval = MAX(m->clock_hz / 1000 * ms, (uint64_t)1);
	pl->next = pl->interval;
	pl->view_interval = MIN(pl->interval, MAX(m->clock_hz / 1000 * VIEW_MS, (uint64_t)1));
	memory_set_placement(mem, policy->kind->place ? policy_place : NULL, &pl->policy);
	mem->copied = copied;
	mem->copied_arg = pl;
	return pl;
}

void placement_destroy(struct placement *pl)
{
	if (!pl)
		return;
	memory_set_placement(pl->mem, NULL, NULL);
	pl->mem->copied = NULL;
	free(pl);
}

uint64_t placement_trigger(const struct placement *pl)
{
	const struct policy_kind *k = pl->policy.kind;

	return k->moves && !k->shuffle ? pl->policy.value[POLICY_TRIGGER] : 0;
}

const struct policy *placement_policy(const struct placement *pl)
{
	return &pl->policy;
}

const struct placement_stats *placement_stats(const struct placement *pl)
{
	return &pl->stats;
}

/* ---- one signal -------------------------------------------------------------------------- */

static void charge(struct placement *pl, unsigned node, uint64_t cycles, uint64_t *what)
{
	*what += cycles;
	pl->stats.cycles_node[node] += cycles;
	pl->ops->charge(pl->arg, node, cycles);
}

static bool is_page(const struct memory *mem, uint32_t mpn)
{
	return frame_kind_info[frame_kind(mem, frame_master(mem, mpn))].guest;
}

static bool shared(const struct memory *mem, uint32_t mpn)
{
	return frame_kind(mem, mpn) != FRAME_PRIVATE || frame_users(mem, mpn) > 1;
}

/* What the policy sees of the page of this master. `misses` is the caller's. */
static struct page_view view_of(
	struct placement *pl, uint32_t mpn, unsigned initiator, uint32_t *misses)
{
	struct page_view v = {
		.machine = &pl->view,
		.initiator = initiator,
		.home = frame_node(pl->mem, mpn),
		.nodes = frame_nodes(pl->mem, mpn),
		.misses = misses,
		.moves = frame_recent_moves(pl->mem, mpn),
		.moves_ever = frame_moves(pl->mem, mpn),
		.shared = shared(pl->mem, mpn),
		.unseen = pl->ops->unseen ? pl->ops->unseen(pl->arg, mpn) : 0,
	};

	memset(misses, 0, pl->m->n_nodes * sizeof(misses[0]));
	for (unsigned node = 0; node < pl->m->n_nodes; node++) {
		uint32_t frame = frame_on(pl->mem, mpn, node);
		struct memory_usage u;

		if (frame != MPN_NONE)
			pl->ops->counts(pl->arg, frame, misses, &v.writes);
		memory_usage(pl->mem, (int)node, &u);
		pl->view.free_frames[node] = u.ready;
	}
	return v;
}

static void do_move(struct placement *pl, uint32_t mpn, unsigned initiator, struct policy_answer a)
{
	uint64_t interrupted = pl->ops->interrupted(pl->arg), cycles = pl->m->cost.page_fault;
	bool migrate = a.act == POLICY_MIGRATE;
	int err;

	pl->initiator = initiator;
	pl->copy_cycles = 0;
	err = migrate ? page_migrate(pl->mem, mpn, a.node, NULL)
		      : page_replicate(pl->mem, mpn, a.node, NULL);
	if (err) {
		pl->stats.refused++;
		charge(pl, initiator, cycles, &pl->stats.cycles_signal);
		return;
	}
	pl->moves++;
	(migrate ? pl->stats.migrated_to : pl->stats.replicated_to)[a.node]++;
	cycles += pl->copy_cycles;
	interrupted = pl->ops->interrupted(pl->arg) - interrupted;
	pl->stats.interrupted += interrupted;
	pl->stats.cycles_interrupted += interrupted * pl->m->cost.shootdown_interrupted;
	cycles += interrupted * pl->m->cost.shootdown;
	charge(pl, initiator, cycles,
		migrate ? &pl->stats.cycles_migrate : &pl->stats.cycles_replicate);
}

void placement_hot(struct placement *pl, uint32_t mpn, unsigned node)
{
	uint32_t misses[MACHINE_MAX_NODES];
	struct policy_answer a;
	struct page_view v;

	pl->stats.hot++;
	/* The signal's interrupt and the decision cost the same whatever is decided. */
	charge(pl, node, pl->m->cost.trap + pl->m->cost.monitor_call, &pl->stats.cycles_signal);
	if (!placement_trigger(pl))
		return;
	if (!is_page(pl->mem, mpn)) {
		pl->stats.stale++;
		return;
	}
	if (pl->moves >= pl->policy.value[POLICY_RATE]) {
		pl->stats.capped++;
		return;
	}
	mpn = frame_master(pl->mem, mpn);
	v = view_of(pl, mpn, node, misses);
	a = policy_decide(&pl->policy, &v, frame_user(pl->mem, mpn, 0));
	pl->stats.why[a.why]++;
	if (a.act != POLICY_LEAVE)
		do_move(pl, mpn, node, a);
}

/* ---- shuffling --------------------------------------------------------------------------- */

/* The page of a frame that was used at least once; all are as likely. */
static uint32_t random_page(struct placement *pl)
{
	const struct pool *pool = pl->mem->p->pool;
	uint64_t used = 0, at;
	unsigned node;

	for (node = 0; node < pl->m->n_nodes; node++)
		used += pool[node].used;
	if (!used)
		return MPN_NONE;
	at = splitmix64(&pl->random) % used;
	for (node = 0; at >= pool[node].used; node++)
		at -= pool[node].used;
	return pool[node].first + (uint32_t)at;
}

static void shuffle_page(struct placement *pl)
{
	unsigned initiator = (unsigned)(splitmix64(&pl->random) % pl->m->n_nodes);
	uint32_t mpn = random_page(pl), misses[MACHINE_MAX_NODES];
	struct policy_answer a;
	struct page_view v;

	if (mpn == MPN_NONE || !is_page(pl->mem, mpn))
		return;
	mpn = frame_master(pl->mem, mpn);
	v = view_of(pl, mpn, initiator, misses);
	v.random = splitmix64(&pl->random);
	a = policy_ask(&pl->policy, &v, frame_user(pl->mem, mpn, 0));
	pl->stats.why[a.why]++;
	if (a.act != POLICY_LEAVE)
		do_move(pl, mpn, initiator, a);
}

static void shuffle(struct placement *pl, uint64_t now)
{
	uint64_t ms = MAX(pl->m->clock_hz / 1000, (uint64_t)1), pages, n;

	pages = policy_shuffles(&pl->policy);
	n = (now - pl->shuffled) * pages / ms;
	/* What is left of a page's time counts the next time. */
	pl->shuffled += n * ms / pages;
	if (pl->ops->may_shuffle && !pl->ops->may_shuffle(pl->arg))
		return;
	while (n-- && pl->moves < pl->policy.value[POLICY_RATE])
		shuffle_page(pl);
}

/* ---- intervals --------------------------------------------------------------------------- */

static void update_view(struct placement *pl, uint64_t cycles)
{
	struct placement_load load = {0};
	struct machine_view *v = &pl->view;
	uint64_t all = 0;

	pl->ops->load(pl->arg, &load);
	for (unsigned node = 0; node < v->n_nodes; node++) {
		v->requests[node] = load.requests[node];
		all += load.requests[node];
	}
	v->requests_per_us = all * (pl->m->clock_hz / 1000000) / cycles;
	v->local_percent = load.misses ? (unsigned)(load.local * 100 / load.misses) : 100;
	v->read_percent =
		load.misses ? (unsigned)((load.misses - load.writes) * 100 / load.misses) : 100;
}

void placement_tick(struct placement *pl, uint64_t now)
{
	/* Idle time may make either longer than it should be, by whole intervals. */
	if (now - pl->seen >= pl->view_interval) {
		update_view(pl, now - pl->seen);
		pl->seen = now;
	}
	if (pl->policy.kind->shuffle)
		shuffle(pl, now);
	if (now < pl->next)
		return;
	pl->stats.intervals++;
	pl->ops->reset(pl->arg);
	memory_new_interval(pl->mem);
	pl->moves = 0;
	pl->next = now + pl->interval;
}
