// SPDX-License-Identifier: MIT
/*
 * Which pages are hot, on a host without counters of misses: samples. Every few milliseconds some
 * pages of the views, chosen at random, are taken out; the vCPU that touches one next says by its
 * fault which node used it, and whether to store. Each such touch stands for WEIGHT misses, so that
 * the policies' thresholds mean about what they mean on the simulated machine, and a page that is
 * touched at once whenever it is sampled reaches them.
 *
 * The work is bounded: after a batch that took t, the next comes no earlier than SHARE times t
 * later, and pages that nobody touches cost nothing until then. A touch costs its vCPU one fault.
 *
 * With the lock. Counts are by frame and node; a list of the frames that have any makes forgetting
 * cheap.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/engine/kvm/kvm.h"
#include "numa/util.h"

enum {
	BATCH = 16,  /* pages at a time */
	WEIGHT = 32, /* misses that a sampled touch stands for */
	SHARE = 200, /* one part of time in so many goes into taking pages out */
	MOST = 65535,
};

struct kvm_sampler {
	uint16_t *count;   /* by frame: misses of each node, then stores; lazily backed */
	uint32_t *counted; /* frames that have any */
	uint32_t n_counted, cap_counted;
	uint64_t random;
	uint64_t again;             /* host's ns: no batch before */
	struct placement_load load; /* since it was asked for last */
};

static uint16_t *counts_of(uint32_t mpn)
{
	return &kvm_host.sampler->count[(uint64_t)mpn * (kvm_host.c->mem->n_nodes + 1)];
}

static uint64_t count_bytes(const struct cluster *c)
{
	return (uint64_t)c->mem->n_frames * (c->mem->n_nodes + 1) * sizeof(uint16_t);
}

void kvm_sampler_create(void)
{
	struct kvm_sampler *s = kvm_host.sampler = xcalloc(1, sizeof(*s));

	s->count = lazy_alloc(count_bytes(kvm_host.c));
	s->random = 1;
}

void kvm_sampler_destroy(void)
{
	if (!kvm_host.sampler)
		return;
	lazy_free(kvm_host.sampler->count, count_bytes(kvm_host.c));
	free(kvm_host.sampler->counted);
	free(kvm_host.sampler);
	kvm_host.sampler = NULL;
}

void kvm_sample(uint64_t now_ns, uint64_t (*clock)(void))
{
	struct kvm_sampler *s = kvm_host.sampler;
	struct cluster *c = kvm_host.c;

	if (!placement_trigger(c->placement) || now_ns < s->again || !c->n_vms)
		return;
	for (unsigned i = 0; i < BATCH; i++) {
		struct vm *vm = c->vm[splitmix64(&s->random) % c->n_vms];
		struct kvm_view *v = &vm->e->view;
		uint32_t ppn = (uint32_t)(splitmix64(&s->random) % v->n_pages);

		if (vm->state != VM_RUNNING || v->mapped[ppn] == NOT_MAPPED ||
			v->mapped[ppn] == SAMPLED)
			continue;
		kvm_view_sample(v, ppn);
		vm->e->sampled++;
	}
	s->again = now_ns + (clock() - now_ns) * SHARE;
}

void kvm_sample_touched(struct kvm_view *v, uint32_t ppn, unsigned node, bool write)
{
	struct kvm_sampler *s = kvm_host.sampler;
	struct cluster *c = kvm_host.c;
	bool writable;
	uint32_t mpn = pmap_view(c->mem, v->vm->pmap, ppn, v->node, &writable);
	unsigned n = c->mem->n_nodes, home, sum = 0;
	uint16_t *count;

	if (mpn == MPN_NONE)
		return;
	v->vm->e->touched++;
	home = frame_node(c->mem, mpn);
	count = counts_of(mpn);
	for (unsigned i = 0; i <= n; i++)
		sum += count[i];
	if (!sum) {
		if (s->n_counted == s->cap_counted) {
			s->cap_counted = MAX(1024u, 2 * s->cap_counted);
			s->counted = xrealloc(s->counted, s->cap_counted * sizeof(s->counted[0]));
		}
		s->counted[s->n_counted++] = mpn;
	}
	count[node] = (uint16_t)MIN(count[node] + WEIGHT, MOST);
	if (write)
		count[n] = (uint16_t)MIN(count[n] + WEIGHT, MOST);
	s->load.misses += WEIGHT;
	s->load.local += home == node ? WEIGHT : 0;
	s->load.writes += write ? WEIGHT : 0;
	s->load.requests[home] += WEIGHT;
	if (count[node] >= placement_trigger(c->placement) && home != node)
		placement_hot(c->placement, mpn, node);
}

/* ---- what page placement asks */

static void counts(void *arg, uint32_t mpn, uint32_t *misses, uint32_t *writes)
{
	const struct cluster *c = arg;
	const uint16_t *count = counts_of(mpn);

	for (unsigned node = 0; node < c->mem->n_nodes; node++)
		misses[node] += count[node];
	*writes += count[c->mem->n_nodes];
}

static void load(void *arg, struct placement_load *l)
{
	(void)arg;
	*l = kvm_host.sampler->load;
	memset(&kvm_host.sampler->load, 0, sizeof(*l));
}

static void reset(void *arg)
{
	const struct cluster *c = arg;
	struct kvm_sampler *s = kvm_host.sampler;

	for (uint32_t i = 0; i < s->n_counted; i++)
		memset(counts_of(s->counted[i]), 0, (c->mem->n_nodes + 1) * sizeof(uint16_t));
	s->n_counted = 0;
}

/* The host's CPUs have paid already. */
static void charge(void *arg, unsigned node, uint64_t cycles)
{
	(void)arg, (void)node, (void)cycles;
}

/* The kernel sees to it, and does not tell how many. */
static uint64_t interrupted(void *arg)
{
	(void)arg;
	return 0;
}

/* Moves cost the host records: see short_of_vmas(). */
static bool may_stir(void *arg)
{
	(void)arg;
	return !kvm_host.few_vmas;
}

const struct placement_ops kvm_placement_ops = {
	.counts = counts,
	.load = load,
	.reset = reset,
	.charge = charge,
	.interrupted = interrupted,
	.may_stir = may_stir,
};
