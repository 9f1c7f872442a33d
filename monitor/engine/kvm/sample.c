// SPDX-License-Identifier: MIT
/*
 * Which pages are hot, on a host without counters of misses: samples. Where the processors record
 * accesses to memory themselves (perf.h), these are used. Else the sampler opens a few windows,
 * each some neighbouring pages of a VM, and removes them from the page table. The vCPU that accesses
 * a page first causes a fault, which tells its node and whether it stored. The next tick removes the
 * accessed pages again, a few times; then the window moves to a random place.
 *
 * A page that was accessed after a time t would have been accessed interval / t times in the
 * interval of the policy's counters. The access stands for as many misses, but for half the policy's
 * trigger at most: a page is hot once it was sampled twice.
 *
 * Most pages of a VM are on the node of its CPUs, and no other node uses them: policies can improve
 * nothing there. A window that has only such pages is opened one time in LOCAL, and its accesses
 * count LOCAL times in the load of the whole machine.
 *
 * Sampling is bounded to a share of the time that vCPUs ran. Removing pages and answering faults,
 * with the moves that follow, is measured; FAULT_NS is added for each fault, for its cost outside
 * the monitor. While more was spent than the share, no page is removed; those that are removed
 * already, at most WINDOWS * PAGES, may still fault.
 *
 * Counts are by frame and node. A list of the frames with counts makes a reset cheap.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/engine/kvm/perf.h"
#include "monitor/engine/kvm/sample.h"
#include "monitor/engine/kvm/vcpu.h"
#include "monitor/engine/kvm/vm.h"
#include "numa/util.h"

enum {
	WINDOWS = 8,
	PAGES = 16,
	ROUNDS = 4,
	LOCAL = 8,
	FIND_NS = 200000000, /* between searches for the pages of the processors' samples */
	TRIES = 64,          /* places to try for a new window */
	SHARE = 100,         /* sampling may take 1 / SHARE of vCPUs' time */
	FAULT_NS = 10000,    /* about two wake-ups and a fault, on servers of the 2020s */
	MOST = 65535,
};

struct window {
	struct kvm_memslots *slots; /* NULL: closed */
	uint32_t ppn;
	unsigned rounds; /* to go */
	unsigned scale;  /* 1 or LOCAL */
	uint64_t since;  /* host's ns of this round */
};

struct kvm_sampler {
	struct kvm_host *h;
	uint16_t *count;   /* by frame: misses of each node, then stores; lazily backed */
	uint32_t *counted; /* frames that have any */
	uint32_t n_counted, cap_counted;
	uint64_t random;
	uint64_t spent_ns;
	struct window window[WINDOWS];
	struct placement_load load; /* since placement last asked */
	struct perf *perf;          /* NULL: windows */
	uint64_t find_at;           /* host's ns of the next search */
};

static uint16_t *counts_of(const struct cluster *c, uint32_t mpn)
{
	return &c->kvm->sampler->count[(uint64_t)mpn * (c->mem->n_nodes + 1)];
}

static uint64_t count_bytes(const struct cluster *c)
{
	return (uint64_t)c->mem->n_frames * (c->mem->n_nodes + 1) * sizeof(uint16_t);
}

void kvm_sampler_create(struct kvm_host *h)
{
	struct kvm_sampler *s = h->sampler = xcalloc(1, sizeof(*s));

	s->h = h;
	s->count = lazy_alloc(count_bytes(h->c));
	s->random = 1;
	s->perf = perf_open();
}

void kvm_sampler_destroy(struct kvm_host *h)
{
	struct kvm_sampler *s = h->sampler;

	lazy_free(s->count, count_bytes(h->c));
	perf_close(s->perf);
	free(s->counted);
	free(s);
	h->sampler = NULL;
}

/* ---- windows */

static bool on_other_nodes(const struct vm *vm, unsigned node)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->cluster->machine->cpu_node[vm->vcpu[i].cpu] != node)
			return true;
	return false;
}

/* Does the window have a page whose access a policy could improve? */
static bool matters(const struct kvm_memslots *slots, uint32_t ppn)
{
	const struct memory *mem = slots->vm->cluster->mem;

	for (uint32_t i = ppn; i < ppn + PAGES; i++) {
		uint32_t mpn = slots->mapped[i] == NOT_MAPPED ? MPN_NONE : slots->mpn[i];

		if (mpn != MPN_NONE && (frame_users(mem, frame_master(mem, mpn)) > 1 ||
					       on_other_nodes(slots->vm, frame_node(mem, mpn))))
			return true;
	}
	return false;
}

static bool taken(const struct kvm_sampler *s, const struct kvm_memslots *slots, uint32_t ppn)
{
	for (unsigned i = 0; i < WINDOWS; i++)
		if (s->window[i].slots == slots && s->window[i].ppn == ppn)
			return true;
	return false;
}

static bool any_mapped(const struct kvm_memslots *slots, uint32_t ppn)
{
	for (uint32_t i = ppn; i < ppn + PAGES; i++)
		if (slots->mapped[i] != NOT_MAPPED)
			return true;
	return false;
}

static void open_window(struct kvm_sampler *s, struct window *w)
{
	const struct cluster *c = s->h->c;

	for (unsigned i = 0; i < TRIES; i++) {
		const struct vm *vm = c->vm[splitmix64(&s->random) % c->n_vms];
		struct kvm_memslots *slots = &vm->kvm->slots;
		uint32_t ppn =
			(uint32_t)(splitmix64(&s->random) % (slots->n_pages / PAGES)) * PAGES;

		if (vm->state != VM_RUNNING || taken(s, slots, ppn) || !any_mapped(slots, ppn))
			continue;
		if (matters(slots, ppn))
			*w = (struct window){
				.slots = slots, .ppn = ppn, .rounds = ROUNDS, .scale = 1};
		else if (splitmix64(&s->random) % LOCAL == 0)
			*w = (struct window){
				.slots = slots, .ppn = ppn, .rounds = ROUNDS, .scale = LOCAL};
		else
			continue;
		return;
	}
}

static void close_window(struct window *w)
{
	if (w->slots)
		kvm_memslots_unsample(w->slots, w->ppn, PAGES);
	w->slots = NULL;
}

void kvm_sample_took(struct kvm_host *h, uint64_t ns)
{
	h->sampler->spent_ns += ns + FAULT_NS;
}

uint64_t kvm_sample_ns(const struct kvm_host *h)
{
	return h->sampler->spent_ns;
}

/* ---- counting */

/* A CPU of `node` missed `misses` times; this stands for `scale` times as many of the machine. */
static void count(struct kvm_sampler *s, uint32_t mpn, unsigned node, uint32_t misses,
	uint32_t scale, bool write)
{
	struct cluster *c = s->h->c;
	unsigned n = c->mem->n_nodes, home = frame_node(c->mem, mpn), sum = 0;
	const uint64_t all = (uint64_t)misses * scale;
	uint16_t *of = counts_of(c, mpn);

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
	s->load.misses += all;
	s->load.local += home == node ? all : 0;
	s->load.writes += write ? all : 0;
	s->load.requests[home] += all;
	if (of[node] >= MIN(placement_trigger(c->placement), (uint64_t)MOST) && home != node)
		placement_hot(c->placement, mpn, node);
}

/* The most misses that a sample may stand for: a page is hot once it was sampled twice. */
static uint32_t most_of_a_sample(const struct cluster *c)
{
	return (uint32_t)(placement_policy(c->placement)->value[POLICY_TRIGGER] + 1) / 2;
}

/* ---- the processors' samples */

/* perf_find() finds a frame that VMs share in each; the thread tells which VM accessed it. */
static void accessed(void *arg, uint32_t ppn, uint32_t tid, uint32_t times, bool write)
{
	struct kvm_memslots *slots = arg;
	const struct vcpu *by = kvm_vcpu_of(slots->vm, tid);
	struct cluster *c = slots->vm->cluster;
	bool writable;
	uint32_t mpn =
		by ? pmap_view(c->mem, slots->vm->pmap, ppn, slots->node, &writable) : MPN_NONE;

	if (mpn == MPN_NONE || slots->mapped[ppn] == NOT_MAPPED || slots->mpn[ppn] != mpn)
		return;
	slots->vm->kvm->touched += times;
	count(c->kvm->sampler, mpn, c->machine->cpu_node[by->cpu], times * most_of_a_sample(c), 1,
		write);
}

static void find_samples(struct kvm_sampler *s)
{
	struct cluster *c = s->h->c;

	if (!perf_fetch(s->perf)) {
		perf_close(s->perf);
		s->perf = NULL;
		return;
	}
	if (kvm_now_ns() < s->find_at)
		return;
	s->find_at = kvm_now_ns() + FIND_NS;
	for (unsigned i = 0; i < c->n_vms; i++)
		if (c->vm[i]->state == VM_RUNNING) {
			struct kvm_memslots *slots = &c->vm[i]->kvm->slots;

			perf_find(s->perf, slots->base, slots->n_pages, accessed, slots);
		}
	perf_forget(s->perf);
}

/* ---- sampling */

void kvm_sample(struct kvm_host *h, uint64_t ran_ns)
{
	struct kvm_sampler *s = h->sampler;
	uint64_t began = kvm_work_ns();

	if (!placement_trigger(h->c->placement) || !h->c->n_vms || s->spent_ns > ran_ns / SHARE)
		return;
	if (s->perf)
		find_samples(s);
	for (unsigned i = 0; !s->perf && i < WINDOWS; i++) {
		struct window *w = &s->window[i];

		if (w->slots && (!w->rounds || w->slots->vm->state != VM_RUNNING))
			close_window(w);
		if (!w->slots)
			open_window(s, w);
		if (!w->slots)
			continue;
		w->slots->vm->kvm->sampled += kvm_memslots_sample(w->slots, w->ppn, PAGES);
		w->since = kvm_now_ns();
		w->rounds--;
	}
	s->spent_ns += kvm_work_ns() - began;
}

/* ---- touches */

/* The number of misses that an access stands for, `ns` after its page was removed. */
static uint32_t weight_of(const struct cluster *c, uint64_t ns)
{
	const struct policy *p = placement_policy(c->placement);
	uint64_t interval = p->value[POLICY_RESET] * 1000000;

	return (uint32_t)MIN((uint64_t)most_of_a_sample(c), interval / MAX(ns, (uint64_t)1) + 1);
}

void kvm_sample_touched(struct kvm_memslots *slots, uint32_t ppn, unsigned node, bool write)
{
	struct cluster *c = slots->vm->cluster;
	struct kvm_sampler *s = c->kvm->sampler;
	const struct window *w = s->window;
	bool writable;
	uint32_t mpn = pmap_view(c->mem, slots->vm->pmap, ppn, slots->node, &writable);

	while (w < s->window + WINDOWS && (w->slots != slots || ppn - w->ppn >= PAGES))
		w++;
	if (mpn == MPN_NONE || w == s->window + WINDOWS)
		return;
	slots->vm->kvm->touched++;
	count(s, mpn, node, weight_of(c, kvm_now_ns() - w->since), w->scale, write);
}

const char *kvm_sample_source(const struct kvm_host *h)
{
	return h->sampler->perf ? "processor" : "faults";
}

uint64_t kvm_samples_lost(const struct kvm_host *h)
{
	return h->sampler->perf ? perf_lost(h->sampler->perf) : 0;
}

/* ---- what page placement asks */

static void counts(void *arg, uint32_t mpn, uint32_t *misses, uint32_t *writes)
{
	const struct cluster *c = arg;
	const uint16_t *count = counts_of(c, mpn);

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
			seen |= 1ull << c->vm[u.owner]->kvm->slots.node;
	}
	return ~seen;
}

static void load(void *arg, struct placement_load *l)
{
	struct kvm_sampler *s = ((const struct cluster *)arg)->kvm->sampler;

	*l = s->load;
	memset(&s->load, 0, sizeof(*l));
}

static void reset(void *arg)
{
	const struct cluster *c = arg;
	struct kvm_sampler *s = c->kvm->sampler;

	for (uint32_t i = 0; i < s->n_counted; i++)
		memset(counts_of(c, s->counted[i]), 0, (c->mem->n_nodes + 1) * sizeof(uint16_t));
	s->n_counted = 0;
}

/* The host's CPUs have paid already. */
static void charge(void *arg, unsigned node, uint64_t cycles)
{
	(void)arg, (void)node, (void)cycles;
}

/* The kernel interrupts CPUs, and does not tell how many. */
static uint64_t interrupted(void *arg)
{
	(void)arg;
	return 0;
}

/* Moves take VMAs: see loop.c. */
static bool may_shuffle(void *arg)
{
	const struct cluster *c = arg;

	return !c->kvm->few_vmas;
}

const struct placement_ops kvm_placement_ops = {
	.counts = counts,
	.load = load,
	.unseen = unseen,
	.reset = reset,
	.charge = charge,
	.interrupted = interrupted,
	.may_shuffle = may_shuffle,
};
