// SPDX-License-Identifier: MIT
/*
 * Which pages are hot, on a host without counters of misses: samples. Where the processors note
 * accesses to memory themselves (perf.h), these. Else: a few windows, each some
 * neighbouring pages of a VM, are taken from the page table; the vCPU that touches a page first
 * says by its fault which node used it, and whether to store. At the next tick those touched are
 * taken out again, a few times, and then the window goes elsewhere, at random. A page that was
 * touched after a time t would have been touched about so many times as t goes into the interval
 * of the counters: so many misses the touch stands for, but at most half the policy's trigger. So a
 * page is hot when it was touched soon twice.
 *
 * Most of a VM's pages are on the node of its CPUs, and nobody else's: no policy has anything to do
 * there. Windows that hold nothing else are taken only once in LOCAL times, and their touches count
 * LOCAL times in what policies see of the whole machine.
 *
 * The work is bounded to a share of the time that vCPUs ran: what takes pages out and what answers
 * touches, with the moves that come of it, is measured, and FAULT_NS is added for each touch, for
 * what it takes beyond that. When more was spent than the share, no page is taken out; those
 * that are out, at most WINDOWS * PAGES, may still be touched.
 *
 * With the lock. Counts are by frame and node; a list of the frames that have any makes forgetting
 * cheap.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/engine/kvm/kvm.h"
#include "monitor/engine/kvm/perf.h"
#include "numa/util.h"

enum {
	WINDOWS = 8,
	PAGES = 16,
	ROUNDS = 4,
	LOCAL = 8,
	LOOK_NS = 200000000, /* the processors' samples are looked up so often */
	TRIES = 64,          /* places to look for a new window */
	SHARE = 100,         /* one part of vCPUs' time in so many */
	FAULT_NS = 10000,    /* two wake-ups and a fault, on servers of the 2020s, about */
	MOST = 65535,
};

struct window {
	struct kvm_view *view; /* NULL: nowhere */
	uint32_t ppn;
	unsigned rounds; /* to go */
	unsigned scale;  /* 1 or LOCAL */
	uint64_t since;  /* host's ns of this round */
};

struct kvm_sampler {
	uint16_t *count;   /* by frame: misses of each node, then stores; lazily backed */
	uint32_t *counted; /* frames that have any */
	uint32_t n_counted, cap_counted;
	uint64_t random;
	uint64_t spent_ns;
	struct window window[WINDOWS];
	struct placement_load load; /* since it was asked for last */
	struct perf *perf;          /* NULL: windows */
	uint64_t look_again;        /* host's ns */
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
	s->perf = perf_open();
}

void kvm_sampler_destroy(void)
{
	if (!kvm_host.sampler)
		return;
	lazy_free(kvm_host.sampler->count, count_bytes(kvm_host.c));
	perf_close(kvm_host.sampler->perf);
	free(kvm_host.sampler->counted);
	free(kvm_host.sampler);
	kvm_host.sampler = NULL;
}

/* ---- windows */

static bool on_other_nodes(const struct vm *vm, unsigned node)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->cluster->machine->cpu_node[vm->vcpu[i].cpu] != node)
			return true;
	return false;
}

/* Is there a page in the window that policies could do something about? */
static bool matters(const struct kvm_view *v, uint32_t ppn)
{
	const struct memory *mem = kvm_host.c->mem;

	for (uint32_t i = ppn; i < ppn + PAGES; i++) {
		uint32_t mpn = v->mapped[i] == NOT_MAPPED ? MPN_NONE : v->mpn[i];

		if (mpn != MPN_NONE && (frame_users(mem, frame_master(mem, mpn)) > 1 ||
					       on_other_nodes(v->vm, frame_node(mem, mpn))))
			return true;
	}
	return false;
}

static bool taken(const struct kvm_view *v, uint32_t ppn)
{
	for (unsigned i = 0; i < WINDOWS; i++)
		if (kvm_host.sampler->window[i].view == v && kvm_host.sampler->window[i].ppn == ppn)
			return true;
	return false;
}

static bool any_mapped(const struct kvm_view *v, uint32_t ppn)
{
	for (uint32_t i = ppn; i < ppn + PAGES; i++)
		if (v->mapped[i] != NOT_MAPPED)
			return true;
	return false;
}

static void open_window(struct window *w)
{
	struct kvm_sampler *s = kvm_host.sampler;
	const struct cluster *c = kvm_host.c;

	for (unsigned i = 0; i < TRIES; i++) {
		const struct vm *vm = c->vm[splitmix64(&s->random) % c->n_vms];
		struct kvm_view *v = &vm->e->view;
		uint32_t ppn = (uint32_t)(splitmix64(&s->random) % (v->n_pages / PAGES)) * PAGES;

		if (vm->state != VM_RUNNING || taken(v, ppn) || !any_mapped(v, ppn))
			continue;
		if (matters(v, ppn))
			*w = (struct window){.view = v, .ppn = ppn, .rounds = ROUNDS, .scale = 1};
		else if (splitmix64(&s->random) % LOCAL == 0)
			*w = (struct window){
				.view = v, .ppn = ppn, .rounds = ROUNDS, .scale = LOCAL};
		else
			continue;
		return;
	}
}

static void close_window(struct window *w)
{
	if (w->view)
		kvm_view_unsample(w->view, w->ppn, PAGES);
	w->view = NULL;
}

void kvm_sample_took(uint64_t ns)
{
	kvm_host.sampler->spent_ns += ns + FAULT_NS;
}

uint64_t kvm_sample_ns(void)
{
	return kvm_host.sampler->spent_ns;
}

/* ---- counting */

/* A CPU of `node` missed so often; of the whole machine's misses that is one in `scale`. */
static void count(uint32_t mpn, unsigned node, uint32_t misses, uint32_t scale, bool write)
{
	struct kvm_sampler *s = kvm_host.sampler;
	struct cluster *c = kvm_host.c;
	unsigned n = c->mem->n_nodes, home = frame_node(c->mem, mpn), sum = 0;
	uint16_t *of = counts_of(mpn);

	for (unsigned i = 0; i <= n; i++)
		sum += of[i];
	if (!sum) {
		if (s->n_counted == s->cap_counted) {
			s->cap_counted = MAX(1024u, 2 * s->cap_counted);
			s->counted = xrealloc(s->counted, s->cap_counted * sizeof(s->counted[0]));
		}
		s->counted[s->n_counted++] = mpn;
	}
	of[node] = (uint16_t)MIN(of[node] + misses, (uint32_t)MOST);
	if (write)
		of[n] = (uint16_t)MIN(of[n] + misses, (uint32_t)MOST);
	s->load.misses += misses * scale;
	s->load.local += home == node ? misses * scale : 0;
	s->load.writes += write ? misses * scale : 0;
	s->load.requests[home] += misses * scale;
	if (of[node] >= MIN(placement_trigger(c->placement), (uint64_t)MOST) && home != node)
		placement_hot(c->placement, mpn, node);
}

/* As many as a sample may stand for: a page is hot when it was sampled twice. */
static uint32_t most_of_a_sample(void)
{
	return (uint32_t)(placement_policy(kvm_host.c->placement)->value[POLICY_TRIGGER] + 1) / 2;
}

/* ---- the processors' samples */

/* A frame that VMs share is found in each; the thread tells whose access it was. */
static void accessed(void *arg, uint32_t ppn, uint32_t tid, uint32_t times, bool write)
{
	struct kvm_view *v = arg;
	const struct vcpu *by = kvm_vcpu_of(v->vm, tid);
	struct cluster *c = kvm_host.c;
	bool writable;
	uint32_t mpn = by ? pmap_view(c->mem, v->vm->pmap, ppn, v->node, &writable) : MPN_NONE;

	if (mpn == MPN_NONE || v->mapped[ppn] == NOT_MAPPED || v->mpn[ppn] != mpn)
		return;
	v->vm->e->touched += times;
	count(mpn, c->machine->cpu_node[by->cpu], times * most_of_a_sample(), 1, write);
}

static void look_up(struct kvm_sampler *s)
{
	struct cluster *c = kvm_host.c;

	if (!perf_fetch(s->perf)) {
		perf_close(s->perf);
		s->perf = NULL;
		return;
	}
	if (kvm_now_ns() < s->look_again)
		return;
	s->look_again = kvm_now_ns() + LOOK_NS;
	for (unsigned i = 0; i < c->n_vms; i++)
		if (c->vm[i]->state == VM_RUNNING) {
			struct kvm_view *v = &c->vm[i]->e->view;

			perf_find(s->perf, v->base, v->n_pages, accessed, v);
		}
	perf_forget(s->perf);
}

/* ---- sampling */

void kvm_sample(uint64_t ran_ns)
{
	struct kvm_sampler *s = kvm_host.sampler;
	uint64_t began = kvm_work_ns();

	if (!placement_trigger(kvm_host.c->placement) || !kvm_host.c->n_vms ||
		s->spent_ns > ran_ns / SHARE)
		return;
	if (s->perf)
		look_up(s);
	for (unsigned i = 0; !s->perf && i < WINDOWS; i++) {
		struct window *w = &s->window[i];

		if (w->view && (!w->rounds || w->view->vm->state != VM_RUNNING))
			close_window(w);
		if (!w->view)
			open_window(w);
		if (!w->view)
			continue;
		w->view->vm->e->sampled += kvm_view_sample(w->view, w->ppn, PAGES);
		w->since = kvm_now_ns();
		w->rounds--;
	}
	s->spent_ns += kvm_work_ns() - began;
}

/* ---- touches */

/* How many misses a touch stands for that came `ns` after the page was taken out. */
static uint32_t weight_of(uint64_t ns)
{
	const struct policy *p = placement_policy(kvm_host.c->placement);
	uint64_t interval = p->value[POLICY_RESET] * 1000000;

	return (uint32_t)MIN((uint64_t)most_of_a_sample(), interval / MAX(ns, (uint64_t)1) + 1);
}

void kvm_sample_touched(struct kvm_view *v, uint32_t ppn, unsigned node, bool write)
{
	const struct window *w = kvm_host.sampler->window;
	struct cluster *c = kvm_host.c;
	bool writable;
	uint32_t mpn = pmap_view(c->mem, v->vm->pmap, ppn, v->node, &writable);

	while (w < kvm_host.sampler->window + WINDOWS && (w->view != v || ppn - w->ppn >= PAGES))
		w++;
	if (mpn == MPN_NONE || w == kvm_host.sampler->window + WINDOWS)
		return;
	v->vm->e->touched++;
	count(mpn, node, weight_of(kvm_now_ns() - w->since), w->scale, write);
}

const char *kvm_sample_source(void)
{
	return kvm_host.sampler->perf ? "processor" : "faults";
}

uint64_t kvm_samples_lost(void)
{
	return kvm_host.sampler->perf ? perf_lost(kvm_host.sampler->perf) : 0;
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

/* All CPUs of a VM see its memory as one node does. */
static uint64_t unseen(void *arg, uint32_t mpn)
{
	const struct cluster *c = arg;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < frame_users(c->mem, mpn); i++) {
		struct frame_user u = frame_user(c->mem, mpn, i);

		if (u.owner < c->n_vms)
			seen |= 1ull << c->vm[u.owner]->e->view.node;
	}
	return ~seen;
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
	.unseen = unseen,
	.reset = reset,
	.charge = charge,
	.interrupted = interrupted,
	.may_stir = may_stir,
};
