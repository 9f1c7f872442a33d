// SPDX-License-Identifier: MIT
/*
 * Placement policies. A policy says on which node a new page goes, and what to do with a page that
 * the miss counters found hot: leave it, migrate it, or give a node a copy. It is a pure function
 * of its parameters and of what it is shown; all state (counters, moves so far) is kept for it. An
 * answer with a node, act or reason that there is not ends the program with a line that names the
 * policy and the page, before memory's bookkeeping is touched.
 *
 * To write one: a file numa/policy-NAME.c of about 100 lines that defines a `const struct
 * policy_kind`, and a row for it in the table of policy.c. `disco policies`, --policy and the
 * errors follow from that.
 */
#ifndef NUMA_POLICY_POLICY_H
#define NUMA_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "numa/machine/machine.h"
#include "numa/memory/frame.h"

/* A parameter: a whole number. Every policy that moves pages has those of POLICY_COMMON too. */
struct policy_param {
	const char *name;
	uint64_t value; /* the default */
	uint64_t min, max;
	const char *help;   /* one line, with the unit */
	const char *source; /* of the default; "RECALLED": from memory of the paper, not its text */
};

/* The whole machine, over the last tenth of a second (or a shorter interval) that ended. */
struct machine_view {
	unsigned n_nodes;
	const uint32_t (*latency_ns)[MACHINE_MAX_NODES]; /* [from][to] */
	uint64_t free_frames[MACHINE_MAX_NODES];         /* now */
	uint64_t requests[MACHINE_MAX_NODES]; /* that each node's memory controller served */
	unsigned local_percent;   /* of all misses, those served by the initiator's node */
	unsigned read_percent;    /* of all misses, those that were no stores */
	uint64_t requests_per_us; /* over all controllers */
};

/* A hot page. */
struct page_view {
	const struct machine_view *machine;
	unsigned initiator;     /* the node whose misses reached the trigger */
	unsigned home;          /* the node of the master */
	uint64_t nodes;         /* bit set: nodes that have it, the home among them */
	const uint32_t *misses; /* by node, since the counters were reset */
	uint32_t writes;        /* stores among them */
	unsigned moves;         /* migrations and collapses since the counters were reset */
	unsigned moves_ever;    /* and since the page was taken, at most 255 */
	bool shared;            /* copy-on-write: no CPU stores to this frame */
	uint64_t unseen;        /* bit set: nodes on which no CPU would use a copy */
	uint64_t random;        /* for policies that shuffle */
};

enum policy_act { POLICY_LEAVE, POLICY_MIGRATE, POLICY_REPLICATE, POLICY_ACTS };

enum policy_why {
	WHY_COLD,        /* left: too few misses */
	WHY_LOCAL,       /* left: the initiator has it */
	WHY_WRITTEN,     /* left: shared, and stored to */
	WHY_MOBILE,      /* left: moved too often */
	WHY_FULL,        /* left: the node is short of frames */
	WHY_NOT_DONE,    /* left: this policy does not do what would help */
	WHY_UNSEEN,      /* left: no CPU of the node would use a copy */
	WHY_ONE_NODE,    /* migrated: one node uses it */
	WHY_READ_SHARED, /* replicated: several nodes read it */
	WHY_BALANCE,     /* migrated: its controller is the busiest */
	WHY_RANDOM,      /* moved: for no reason */
	POLICY_WHYS
};
extern const char *const policy_why_name[POLICY_WHYS];

struct policy_answer {
	enum policy_act act;
	unsigned node; /* where to */
	enum policy_why why;
};

struct policy_kind {
	const char *name;
	const char *help;   /* one line */
	const char *source; /* where it is described */
	const struct policy_param *param;
	unsigned n_params;
	bool moves; /* has the common parameters and decide() */
	/*
	 * The node of an owner's `page`, first used by a CPU of `node`, its `nth` new page. NULL:
	 * the first user's node. Any thread, both phases.
	 */
	unsigned (*place)(unsigned n_nodes, uint32_t page, unsigned node, uint64_t nth);
	/* Of a page that is hot for a node which does not have it; p: values in the order of
	 * .param, the common ones first. Boundary. */
	struct policy_answer (*decide)(const uint64_t *p, const struct page_view *v);
	/* NULL, or: this policy is not asked about hot pages, but about this number of pages, taken
	 * at random in a millisecond of machine time, each with an initiator that is as random. */
	uint64_t (*shuffle)(const uint64_t *p);
};

/* Positions of the common parameters; a policy's own come after. */
enum { POLICY_TRIGGER, POLICY_RESET, POLICY_RATE, POLICY_SPARE, POLICY_COMMON, POLICY_MAX = 16 };

struct policy {
	const struct policy_kind *kind;
	uint64_t value[POLICY_MAX];
	unsigned n_nodes; /* of the machine it is for */
};

/*
 * "NAME" or "NAME,PARAM=VALUE,...": 0, or -EINVAL after one line on stderr that says what is wrong
 * and what there is. *out is then untouched.
 */
int policy_parse(const char *text, unsigned n_nodes, struct policy *out);

/* All that can be parsed back, every parameter spelled out. The caller frees it. */
char *policy_text(const struct policy *p);

/* What `disco policies` prints. */
void policy_list(FILE *out);

/* The registry, and parameter i of a policy, common ones included; NULL past the end. */
const struct policy_kind *policy_kind(unsigned i);
const struct policy_param *policy_kind_param(const struct policy_kind *k, unsigned i);

/* A place_fn (numa/memory/frame.h) whose argument is a struct policy. */
unsigned policy_place(const void *policy, struct frame_user user, unsigned node, uint64_t nth);

/* What to do with the page `user`: nothing if the initiator has it or misses less than the trigger,
 * whatever the policy; else as its decide() says, which it must have. Boundary. */
struct policy_answer policy_decide(
	const struct policy *p, const struct page_view *v, struct frame_user user);
/* What its decide() says of a page taken at random, and its shuffle(): never 0. Boundary. */
struct policy_answer policy_ask(
	const struct policy *p, const struct page_view *v, struct frame_user user);
uint64_t policy_shuffles(const struct policy *p);

/* ---- for policies ---- */

static inline struct policy_answer policy_leave(enum policy_why why)
{
	return (struct policy_answer){POLICY_LEAVE, 0, why};
}

static inline bool policy_has(const struct page_view *v, unsigned node)
{
	return v->nodes >> node & 1;
}

/* A move to `node`, unless that is short of frames, or it is a copy that no CPU there would use. */
struct policy_answer policy_move(const uint64_t *p, const struct page_view *v, enum policy_act act,
	unsigned node, enum policy_why why);

/* The most misses of any node but `node`. */
uint32_t policy_misses_of_others(const struct page_view *v, unsigned node);

/* Thresholds are for a page that has just reached the trigger. If the initiator has missed more
 * often since, so may the others: is `count` more than its share? */
static inline bool policy_above(
	const uint64_t *p, const struct page_view *v, uint64_t count, uint64_t threshold)
{
	return count * p[POLICY_TRIGGER] > threshold * v->misses[v->initiator];
}

#endif
