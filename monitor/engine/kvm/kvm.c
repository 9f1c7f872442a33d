// SPDX-License-Identifier: MIT
/*
 * The kvm engine: see kvm.h. vCPUs run by themselves; the main loop here wakes every few
 * milliseconds for what the simulator does between quanta: time, consoles, the search for identical
 * pages, moves of hot ones. Devices need not wait for it: whoever has the lock is at a boundary.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "monitor/engine/kvm/kvm.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/subnet.h"

enum {
	TICK_NS = 10000000,
	SOON_NS = 100000, /* for work that was put off */
	LOOK_SHARE = 100, /* one part in so many */
	TSS_ADDRESS =
		0xfffbd000u, /* three pages and one, below the firmware's place, which is empty */
	IDENTITY_MAP = 0xfffbc000u,
};

struct kvm_host kvm_host = {.fd = -1, .uffd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- time */

static uint64_t host_ns(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) ? 0
					: (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t kvm_now_ns(void)
{
	return host_ns(CLOCK_MONOTONIC);
}

uint64_t kvm_work_ns(void)
{
	return host_ns(CLOCK_THREAD_CPUTIME_ID);
}

static uint64_t cycles_of(const struct machine *m, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * m->clock_hz / 1000000000u);
}

static void time_passes(void)
{
	struct cluster *c = kvm_host.c;

	c->now = cycles_of(c->machine, kvm_now_ns() - kvm_host.began);
}

/* ---- the main loop */

static void count_time(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			struct vcpu *vcpu = &c->vm[v]->vcpu[i];
			clockid_t clock;

			if (vcpu->e->started && !vcpu->e->ended &&
				!pthread_getcpuclockid(vcpu->e->thread, &clock))
				vcpu->ran_cycles = cycles_of(c->machine, host_ns(clock));
		}
}

static uint64_t vcpus_ran_ns(const struct cluster *c)
{
	double cycles = 0;

	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			cycles += (double)c->vm[v]->vcpu[i].ran_cycles;
	return (uint64_t)(cycles * 1e9 / (double)c->machine->clock_hz);
}

/*
 * Looks at the rate asked for, none beyond it on idle CPUs: here that is not free, as each page
 * found costs system calls and a fault when it is stored to next, and who needs the lock meanwhile
 * waits. So it is never more than a small share of time, either.
 */
static void look_at_content(struct cluster *c)
{
	uint64_t began = kvm_now_ns();

	if (!c->content || began < kvm_host.look_again)
		return;
	for (unsigned v = 0; v < c->n_vms; v++) {
		uint64_t ran = 0;

		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			ran += c->vm[v]->vcpu[i].ran_cycles;
		content_ran(c->content, v, ran);
	}
	content_tick(c->content, c->now, 0);
	kvm_host.look_again = began + (kvm_now_ns() - began) * LOOK_SHARE;
}

/*
 * Pages that move or become shared cost the host records (VMAs), of which it has a limit that no
 * fault may meet: near it, no page does any more. Counting takes long, so it is not done often.
 */
static bool short_of_vmas(const struct cluster *c)
{
	if (c->now >= kvm_host.count_again) {
		kvm_host.few_vmas = kvm_vmas() > kvm_vmas_max() / 4 * 3;
		kvm_host.count_again = c->now + c->machine->clock_hz;
	}
	return kvm_host.few_vmas;
}

/* False: no VM runs any more. */
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

static void settle(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		if (c->vm[v]->state == VM_RUNNING)
			device_run_deferred(c->vm[v]);
	if (c->subnet)
		subnet_run(c->subnet, c->now);
}

/* How long the main loop may wait before there is work for it that no doorbell tells of. */
static uint64_t next_work(const struct cluster *c, uint64_t tick)
{
	uint64_t arrives = c->subnet ? subnet_next(c->subnet) : UINT64_MAX, ns = tick;

	if (arrives <= c->now)
		return 0;
	if (arrives != UINT64_MAX) {
		double away = (double)(arrives - c->now) * 1e9 / (double)c->machine->clock_hz;

		ns = away < (double)ns ? (uint64_t)away : ns;
	}
	for (unsigned v = 0; v < c->n_vms; v++)
		if (c->vm[v]->deferred && c->vm[v]->state == VM_RUNNING)
			ns = MIN(ns, (uint64_t)SOON_NS);
	return ns;
}

/* Until the next tick: what drivers ask for, at once. With the lock, which it gives up meanwhile.
 */
static void serve_devices(struct cluster *c)
{
	uint64_t now = kvm_now_ns(), end = now + TICK_NS;

	for (; now < end; now = kvm_now_ns()) {
		uint64_t ns = next_work(c, end - now);
		int n;

		pthread_mutex_unlock(&kvm_host.lock);
		n = kvm_bells_wait(ns);
		pthread_mutex_lock(&kvm_host.lock);
		time_passes();
		kvm_bells_ring(n);
		settle(c);
	}
}

static void stop_all(struct cluster *c)
{
	kvm_host.stopping = true;
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			kvm_vcpu_kick(&c->vm[v]->vcpu[i]);
	pthread_mutex_unlock(&kvm_host.lock);
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			if (c->vm[v]->vcpu[i].e->started) {
				pthread_join(c->vm[v]->vcpu[i].e->thread, NULL);
				c->vm[v]->vcpu[i].e->started = false;
			}
	pthread_mutex_lock(&kvm_host.lock);
}

static int kvm_engine_run(struct cluster *c)
{
	pthread_mutex_lock(&kvm_host.lock);
	kvm_host.began = kvm_now_ns();
	kvm_faults_start();
	kvm_bells_create(c);
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			kvm_vcpu_run(&c->vm[v]->vcpu[i]);
	for (;;) {
		uint64_t locked = kvm_now_ns();

		time_passes();
		count_time(c);
		settle(c);
		if (!short_of_vmas(c)) {
			look_at_content(c);
			kvm_sample(vcpus_ran_ns(c));
		}
		placement_tick(c->placement, c->now);
		kvm_place(c, kvm_now_ns());
		if (!look_after(c) || c->stop || c->now >= c->stop_at)
			break;
		if (c->at_boundary)
			c->at_boundary(c, c->at_boundary_arg, 0);
		kvm_host.locked_ns += kvm_now_ns() - locked;
		serve_devices(c);
	}
	stop_all(c);
	time_passes();
	if (c->at_boundary)
		c->at_boundary(c, c->at_boundary_arg, 0);
	pthread_mutex_unlock(&kvm_host.lock);
	kvm_faults_stop();
	kvm_bells_destroy();
	return 0;
}

/* ---- the engine */

static int kvm_open(struct cluster *c, struct machine *m, uint64_t limit, bool huge)
{
	char why[256];
	int err = kvm_probe(why, sizeof(why));

	if (err)
		return complain(-err, "--engine kvm: %s; or use --engine sim", why);
	if (!m->host)
		return complain(EINVAL,
			"--engine kvm runs VMs on this computer, not on a simulated one: "
			"--machine host, or --engine sim");
	err = host_memory_size(m, limit);
	if (!err)
		err = host_memory_create(m, huge, &kvm_host.memory, &c->mem);
	if (err)
		return err;
	kvm_host.c = c;
	kvm_host.huge = huge;
	memory_take_runs(c->mem);
	kvm_bells_limit();
	kvm_place_look(c);
	kvm_cpuid_init();
	kvm_sampler_create();
	return 0;
}

static void kvm_close(struct cluster *c)
{
	(void)c;
	kvm_sampler_destroy();
	host_memory_destroy(kvm_host.memory);
	free(kvm_host.cpuid);
	kvm_unprobe();
	kvm_host.memory = NULL;
	kvm_host.cpuid = NULL;
}

static void must(int result, const struct vm *vm, const char *what)
{
	if (result < 0)
		die("KVM: %s for %s: %s", what, vm->name, strerror(errno));
}

static void kvm_vm_init(struct vm *vm)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	uint64_t identity = IDENTITY_MAP;
	int fd = ioctl(kvm_host.fd, KVM_CREATE_VM, 0);

	must(fd, vm, "no VM");
	must(ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity), vm, "no identity map");
	must(ioctl(fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS), vm, "no TSS");
	must(ioctl(fd, KVM_CREATE_IRQCHIP, 0), vm, "no interrupt controllers");
	must(ioctl(fd, KVM_CREATE_PIT2, &pit), vm, "no timer");
	vm->e = xcalloc(1, sizeof(*vm->e));
	memset(vm->e->irqfd, 0xff, sizeof(vm->e->irqfd));
	kvm_view_create(&vm->e->view, vm, fd, vm_home_node(vm));
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kvm_vcpu_create(&vm->vcpu[i]);
}

static void kvm_vm_free(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kvm_vcpu_destroy(&vm->vcpu[i]);
	kvm_irqfds_close(vm->e);
	kvm_view_destroy(&vm->e->view);
	close(vm->e->view.fd);
	free(vm->e);
}

static void kvm_shootdown(void *engine, uint32_t ppn, uint32_t old)
{
	struct vm *vm = engine;

	kvm_view_shootdown(&vm->e->view, ppn, old);
}

static void kvm_hold(void *engine, uint32_t ppn, uint32_t mpn)
{
	struct vm *vm = engine;

	(void)mpn;
	kvm_view_protect(&vm->e->view, ppn);
}

static void kvm_pages_replaced(struct vm *vm, uint32_t ppn, uint32_t n, bool done)
{
	if (done)
		kvm_view_update(&vm->e->view, ppn, n);
	else
		kvm_view_clear(&vm->e->view, ppn, n);
}

/* a0: the address of the boot parameters; a1: of the page tables. The others wait for a SIPI. */
static void kvm_vcpu_start(struct vcpu *vcpu, uint64_t pc, uint64_t a0, uint64_t a1)
{
	vcpu->e->rip = pc;
	vcpu->e->arg = a0;
	vcpu->e->cr3 = a1;
	vcpu->e->boot = true;
	vcpu->state = VCPU_RUNNABLE;
}

/* Options see to it that nobody clones under this engine. */
static void kvm_vm_clone(struct vm *to, const struct vm *from)
{
	(void)from;
	vm_fail(to, "a VM of the kvm engine cannot be cloned");
}

/* The host's CPUs have paid already. */
static void kvm_vcpu_charge(struct vcpu *vcpu, uint64_t cycles)
{
	(void)vcpu, (void)cycles;
}

/* Interrupts reach vCPUs by the controllers in the kernel. */
static void kvm_vcpu_irq(struct vcpu *vcpu, enum vcpu_irq irq, bool level)
{
	(void)vcpu, (void)irq, (void)level;
}

static uint64_t kvm_vcpu_now(const struct vcpu *vcpu)
{
	const struct cluster *c = vcpu->vm->cluster;

	return kvm_host.began ? cycles_of(c->machine, kvm_now_ns() - kvm_host.began) : c->now;
}

static void kvm_vcpu_mtimecmp(struct vcpu *vcpu, uint64_t ticks)
{
	(void)vcpu, (void)ticks;
}

static void kvm_page_written(struct vm *vm, uint32_t ppn)
{
	(void)vm, (void)ppn; /* caches of code are the CPU's, which are coherent */
}

/*
 * What its thread's CPU time does not say is asked of others: how long it was ready without a CPU,
 * and in the monitor. Whether the guest's program or its kernel ran, nobody tells: all of it is the
 * program's here.
 */
static void kvm_vcpu_account(const struct vcpu *vcpu, struct account *out)
{
	const struct vm *vm = vcpu->vm;
	const struct machine *m = vm->cluster->machine;
	uint64_t end = vm->state == VM_RUNNING ? vm->cluster->now : vm->stopped_at;
	uint64_t left = end - MIN(end, vm->started_at);

	*out = (struct account){0};
	out->monitor = MIN(left, cycles_of(m, vcpu->e->out_ns));
	left -= out->monitor;
	out->wait = MIN(left, cycles_of(m, vcpu->e->waited_ns));
	left -= out->wait;
	out->user = vcpu->ran_cycles > out->monitor ? vcpu->ran_cycles - out->monitor : 0;
	out->user = MIN(left, out->user);
	out->idle = left - out->user;
	out->count[EVENT_DEVICE] = vcpu->e->exits;
	out->cycles[EVENT_DEVICE] = out->monitor;
}

static uint64_t kvm_vcpu_instructions(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0; /* nobody counts them */
}

static uint64_t kvm_vcpu_digest(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0; /* no two runs are the same */
}

static void check_view(const struct kvm_view *v)
{
	const struct memory *mem = v->vm->cluster->mem;

	for (uint32_t ppn = 0; ppn < v->n_pages; ppn++) {
		bool writable;
		uint32_t mpn;

		if (v->mapped[ppn] != MAPPED_READ && v->mapped[ppn] != MAPPED_WRITE)
			continue;
		mpn = pmap_view(mem, v->vm->pmap, ppn, v->node, &writable);
		if (mpn != v->mpn[ppn] || (v->mapped[ppn] == MAPPED_WRITE && !writable))
			die("view of %s: page %u is frame %u%s, but the pmap says %u%s",
				v->vm->name, ppn, v->mpn[ppn],
				v->mapped[ppn] == MAPPED_WRITE ? ", writable" : "", mpn,
				writable ? ", writable" : "");
	}
}

static void kvm_check(const struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		check_view(&c->vm[v]->e->view);
}

static uint64_t kvm_vm_overhead_bytes(const struct vm *vm)
{
	return sizeof(*vm->e) + vm->n_vcpus * sizeof(struct engine_vcpu) +
	       vm->e->view.n_pages * (sizeof(vm->e->view.mpn[0]) + 1);
}

static void kvm_stats(const struct cluster *c, struct json_t *object)
{
	struct engine_vm sum = {0};
	uint64_t exits = 0, ran = vcpus_ran_ns(c);
	uint64_t out_ns = 0;

	for (unsigned v = 0; v < c->n_vms; v++) {
		const struct engine_vm *e = c->vm[v]->e;

		sum.doorbells += e->doorbells;
		sum.faults_missing += e->faults_missing;
		sum.faults_write += e->faults_write;
		sum.faults_worker += e->faults_worker;
		sum.faults_nowhere += e->faults_nowhere;
		sum.maps += e->maps;
		sum.unmaps += e->unmaps;
		sum.protects += e->protects;
		sum.sampled += e->sampled;
		sum.touched += e->touched;
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			exits += c->vm[v]->vcpu[i].e->exits;
			out_ns += c->vm[v]->vcpu[i].e->out_ns;
		}
	}
	json_object_set_new(object, "vmas", json_integer((json_int_t)kvm_vmas()));
	json_object_set_new(object, "huge_bytes", json_integer((json_int_t)kvm_huge_bytes()));
	json_object_set_new(object, "vmas_max", json_integer((json_int_t)kvm_vmas_max()));
	json_object_set_new(object, "lock_seconds", json_real((double)kvm_host.locked_ns / 1e9));
	json_object_set_new(object, "exits", json_integer((json_int_t)exits));
	json_object_set_new(object, "exit_seconds", json_real((double)out_ns / 1e9));
	json_object_set_new(object, "doorbells", json_integer((json_int_t)sum.doorbells));
	json_object_set_new(object, "retries", json_integer((json_int_t)kvm_host.retries));
	json_object_set_new(object, "faults_missing", json_integer((json_int_t)sum.faults_missing));
	json_object_set_new(object, "faults_write", json_integer((json_int_t)sum.faults_write));
	json_object_set_new(object, "faults_worker", json_integer((json_int_t)sum.faults_worker));
	json_object_set_new(object, "faults_nowhere", json_integer((json_int_t)sum.faults_nowhere));
	json_object_set_new(object, "maps", json_integer((json_int_t)sum.maps));
	json_object_set_new(object, "unmaps", json_integer((json_int_t)sum.unmaps));
	json_object_set_new(object, "protects", json_integer((json_int_t)sum.protects));
	json_object_set_new(object, "sampled", json_integer((json_int_t)sum.sampled));
	json_object_set_new(object, "touched", json_integer((json_int_t)sum.touched));
	json_object_set_new(object, "sampler", json_string(kvm_sample_source()));
	json_object_set_new(object, "samples_lost", json_integer((json_int_t)kvm_samples_lost()));
	json_object_set_new(object, "sampling_seconds", json_real((double)kvm_sample_ns() / 1e9));
	json_object_set_new(object, "sampling_share",
		json_real(ran ? (double)kvm_sample_ns() / (double)ran : 0));
}

static const struct pmap_ops kvm_pmap_ops = {.shootdown = kvm_shootdown, .hold = kvm_hold};

const struct engine engine_kvm = {
	.name = "kvm",
	.board = &board_pc,
	.open = kvm_open,
	.close = kvm_close,
	.vm_init = kvm_vm_init,
	.vm_free = kvm_vm_free,
	.pmap_ops = &kvm_pmap_ops,
	.vcpu_start = kvm_vcpu_start,
	.vm_clone = kvm_vm_clone,
	.vcpu_charge = kvm_vcpu_charge,
	.vcpu_irq = kvm_vcpu_irq,
	.vcpu_now = kvm_vcpu_now,
	.vcpu_mtimecmp = kvm_vcpu_mtimecmp,
	.page_written = kvm_page_written,
	.pages_replaced = kvm_pages_replaced,
	.run = kvm_engine_run,
	.vcpu_account = kvm_vcpu_account,
	.vcpu_instructions = kvm_vcpu_instructions,
	.vcpu_digest = kvm_vcpu_digest,
	.vm_overhead_bytes = kvm_vm_overhead_bytes,
	.placement_ops = &kvm_placement_ops,
	.check = kvm_check,
	.stats = kvm_stats,
};
