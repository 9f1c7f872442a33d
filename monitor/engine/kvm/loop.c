// SPDX-License-Identifier: MIT
/*
 * The main loop. vCPUs run in their own threads; this one does what the simulator does between
 * quanta: time, consoles, the scan for identical pages, moves of hot ones. It wakes every TICK_NS
 * for these. Devices need not wait for it: every holder of the lock is at a boundary. But it serves
 * doorbells as soon as they ring.
 */
#include <stdlib.h>

#include "monitor/engine/kvm/doorbell.h"
#include "monitor/engine/kvm/fault.h"
#include "monitor/engine/kvm/loop.h"
#include "monitor/engine/kvm/place.h"
#include "monitor/engine/kvm/sample.h"
#include "monitor/engine/kvm/vcpu.h"
#include "monitor/vm/boundary.h"
#include "numa/util.h"
#include "sharing/subnet.h"

enum {
	TICK_NS = 10000000,
	SOON_NS = 100000, /* until deferred work of a device is tried again */
	SCAN_SHARE = 100, /* scans may take 1 / SCAN_SHARE of the loop's time */
};

struct kvm_loop {
	uint64_t locked_ns; /* the loop held the lock */
	uint64_t scan_at;   /* host's ns: no scan before */
	uint64_t vmas_at;   /* cycles: VMAs are not counted before */
};

void kvm_loop_create(struct kvm_host *h)
{
	h->loop = xcalloc(1, sizeof(*h->loop));
}

void kvm_loop_destroy(struct kvm_host *h)
{
	free(h->loop);
	h->loop = NULL;
}

uint64_t kvm_loop_locked_ns(const struct kvm_host *h)
{
	return h->loop->locked_ns;
}

/* ---- what the loop does at each tick */

static void time_passes(struct kvm_host *h)
{
	h->c->now = kvm_machine_now(h);
}

static void count_time(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			struct vcpu *vcpu = &c->vm[v]->vcpu[i];

			if (vcpu->kvm->started && !vcpu->kvm->ended)
				vcpu->ran_cycles = MAX(vcpu->ran_cycles,
					kvm_cycles(c->machine, kvm_thread_ns(vcpu->kvm->thread)));
		}
}

/*
 * Scans at the rate that the user asked for, and not faster on idle CPUs: here a scan is not free.
 * Each page that it shares costs system calls and a fault at the next store, and threads wait for
 * the lock meanwhile. So it takes a small share of time at most.
 */
static void scan(struct kvm_host *h)
{
	struct cluster *c = h->c;
	uint64_t began = kvm_now_ns();

	if (!c->content || began < h->loop->scan_at)
		return;
	boundary_scan(c, false);
	h->loop->scan_at = began + (kvm_now_ns() - began) * SCAN_SHARE;
}

/*
 * Pages that move or become shared take VMAs, of which the host has a limit that no fault may meet:
 * near it, stop moving and sharing. Counting them takes long, so it is done once a second.
 */
static bool short_of_vmas(struct kvm_host *h)
{
	struct cluster *c = h->c;

	if (c->now >= h->loop->vmas_at) {
		h->few_vmas = kvm_vmas() > kvm_vmas_max() / 4 * 3;
		h->loop->vmas_at = c->now + c->machine->clock_hz;
	}
	return h->few_vmas;
}

/* Stop the vCPUs of VMs that have ended. Returns false if no VM runs. */
static bool look_after(struct cluster *c)
{
	bool any = false;

	for (unsigned v = 0; v < c->n_vms; v++) {
		struct vm *vm = c->vm[v];

		any = any || vm->state == VM_RUNNING;
		for (unsigned i = 0; i < vm->n_vcpus; i++)
			if (vm->state != VM_RUNNING)
				kvm_vcpu_kick(&vm->vcpu[i]);
	}
	return any;
}

/* ---- what it does between ticks */

/* The time, `tick` at most, until the loop has work that no doorbell announces. */
static uint64_t next_work(const struct cluster *c, uint64_t tick)
{
	uint64_t arrives = c->subnet ? subnet_next(c->subnet) : UINT64_MAX, ns = tick;

	if (arrives <= c->now)
		return 0;
	if (arrives != UINT64_MAX)
		ns = MIN(ns, kvm_ns(c->machine, arrives - c->now));
	for (unsigned v = 0; v < c->n_vms; v++)
		if (c->vm[v]->deferred && c->vm[v]->state == VM_RUNNING)
			ns = MIN(ns, (uint64_t)SOON_NS);
	return ns;
}

/* Serve devices until the next tick. With the lock, which it releases while it waits. */
static void serve_devices(struct kvm_host *h)
{
	uint64_t now = kvm_now_ns(), end = now + TICK_NS;

	for (; now < end; now = kvm_now_ns()) {
		uint64_t ns = next_work(h->c, end - now);
		int n;

		pthread_mutex_unlock(&h->lock);
		n = kvm_bells_wait(h, ns);
		pthread_mutex_lock(&h->lock);
		time_passes(h);
		kvm_bells_ring(h, n);
		boundary_release_deferred(h->c);
	}
}

/* ---- the run */

static void start_all(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			kvm_vcpu_run(&c->vm[v]->vcpu[i]);
}

static void stop_all(struct kvm_host *h)
{
	struct cluster *c = h->c;

	h->stopping = true;
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			kvm_vcpu_kick(&c->vm[v]->vcpu[i]);
	pthread_mutex_unlock(&h->lock);
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			kvm_vcpu_join(&c->vm[v]->vcpu[i]);
	pthread_mutex_lock(&h->lock);
}

int kvm_loop_run(struct cluster *c)
{
	struct kvm_host *h = c->kvm;

	pthread_mutex_lock(&h->lock);
	h->began = kvm_now_ns();
	kvm_faults_start(h);
	kvm_bells_create(h);
	start_all(c);
	for (;;) {
		uint64_t locked = kvm_now_ns();

		time_passes(h);
		count_time(c);
		boundary_release_deferred(c);
		if (!short_of_vmas(h)) {
			scan(h);
			kvm_sample(h, kvm_vcpus_ran_ns(c));
		}
		placement_tick(c->placement, c->now);
		kvm_place(h, kvm_now_ns());
		if (!look_after(c) || c->stop || c->now >= c->stop_at)
			break;
		if (c->at_boundary)
			c->at_boundary(c, c->at_boundary_arg, 0);
		h->loop->locked_ns += kvm_now_ns() - locked;
		serve_devices(h);
	}
	stop_all(h);
	time_passes(h);
	if (c->at_boundary)
		c->at_boundary(c, c->at_boundary_arg, 0);
	pthread_mutex_unlock(&h->lock);
	kvm_faults_stop(h);
	kvm_bells_destroy(h);
	return 0;
}
