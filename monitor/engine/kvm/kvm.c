// SPDX-License-Identifier: MIT
/*
 * The kvm engine: x86-64 VMs on a Linux host with hardware virtualization. This file is its top: it
 * opens and closes the parts, and answers what the monitor asks of an engine. Each file uses only
 * those above it in this list:
 *
 *   host.c      descriptors, the monitor's lock, the clock
 *   probe.c     can this host run VMs, and if not, why
 *   cpuid.c     which CPU the guest sees
 *   memslot.c   the mapping behind a VM's memory slots
 *   vm.h        the engine's part of a VM
 *   vcpu.c      a thread for each vCPU: exits
 *   perf.c      accesses to memory that the host's processors record
 *   sample.c    which pages are hot
 *   fault.c     the thread that answers page faults
 *   doorbell.c  drivers' notices and devices' interrupts
 *   place.c     which node a vCPU runs on
 *   map.h       the PC board's addresses
 *   acpi.c      the tables that describe it
 *   boot.c      loading a bzImage, or an ELF kernel
 *   pc.c        the board: power, reset, interrupt lines
 *   loop.c      the main loop
 */
#include <errno.h>
#include <jansson.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "monitor/engine/kvm/cpuid.h"
#include "monitor/engine/kvm/doorbell.h"
#include "monitor/engine/kvm/loop.h"
#include "monitor/engine/kvm/pc.h"
#include "monitor/engine/kvm/place.h"
#include "monitor/engine/kvm/probe.h"
#include "monitor/engine/kvm/sample.h"
#include "monitor/engine/kvm/vcpu.h"
#include "monitor/engine/kvm/vm.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"

/* Four pages below the firmware's place, which is empty: three for the TSS above the identity map. */
enum { TSS_ADDRESS = 0xfffbd000u, IDENTITY_MAP = 0xfffbc000u };

static int open_memory(struct kvm_host *h, struct machine *m, uint64_t limit)
{
	char why[256];
	int err = kvm_probe(h, why, sizeof(why));

	if (err)
		return complain(-err, "--engine kvm: %s; or use --engine sim", why);
	if (!m->host)
		return complain(EINVAL,
			"--engine kvm runs VMs on this computer, not on a simulated one: "
			"--machine host, or --engine sim");
	err = host_memory_size(m, limit);
	return err ? err : host_memory_create(m, h->huge, &h->memory, &h->c->mem);
}

static int kvm_open(struct cluster *c, struct machine *m, uint64_t limit, bool huge)
{
	struct kvm_host *h = kvm_host_create(c);
	int err;

	h->huge = huge;
	err = open_memory(h, m, limit);
	if (err) {
		kvm_unprobe(h);
		kvm_host_destroy(h);
		return err;
	}
	c->kvm = h;
	memory_take_runs(c->mem);
	kvm_bells_limit();
	kvm_place_create(h);
	kvm_cpuid_create(h);
	kvm_sampler_create(h);
	kvm_loop_create(h);
	return 0;
}

static void kvm_close(struct cluster *c)
{
	struct kvm_host *h = c->kvm;

	if (!h)
		return;
	kvm_loop_destroy(h);
	kvm_sampler_destroy(h);
	kvm_cpuid_destroy(h);
	kvm_place_destroy(h);
	host_memory_destroy(h->memory);
	kvm_unprobe(h);
	kvm_host_destroy(h);
	c->kvm = NULL;
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
	int fd = ioctl(kvm_host_of(vm)->fd, KVM_CREATE_VM, 0);

	must(fd, vm, "no VM");
	must(ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity), vm, "no identity map");
	must(ioctl(fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS), vm, "no TSS");
	must(ioctl(fd, KVM_CREATE_IRQCHIP, 0), vm, "no interrupt controllers");
	must(ioctl(fd, KVM_CREATE_PIT2, &pit), vm, "no timer");
	vm->kvm = xcalloc(1, sizeof(*vm->kvm));
	memset(vm->kvm->irqfd, 0xff, sizeof(vm->kvm->irqfd));
	vm->kvm->fd = fd;
	kvm_memslots_create(&vm->kvm->slots, vm, fd, vm_home_node(vm));
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kvm_vcpu_create(&vm->vcpu[i]);
}

static void kvm_vm_free(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kvm_vcpu_destroy(&vm->vcpu[i]);
	kvm_irqfds_close(vm->kvm);
	kvm_memslots_destroy(&vm->kvm->slots);
	close(vm->kvm->fd);
	free(vm->kvm);
}

static void kvm_shootdown(void *engine, uint32_t ppn, uint32_t old)
{
	struct vm *vm = engine;

	kvm_memslots_shootdown(&vm->kvm->slots, ppn, old);
}

static void kvm_write_block(void *engine, uint32_t ppn, uint32_t mpn)
{
	struct vm *vm = engine;

	(void)mpn;
	kvm_memslots_protect(&vm->kvm->slots, ppn);
}

static void kvm_pages_replaced(struct vm *vm, uint32_t ppn, uint32_t n, bool done)
{
	if (done)
		kvm_memslots_update(&vm->kvm->slots, ppn, n);
	else
		kvm_memslots_clear(&vm->kvm->slots, ppn, n);
}

/* a0: the address of the boot parameters; a1: of the page tables. The others wait for a SIPI. */
static void kvm_vcpu_start(struct vcpu *vcpu, uint64_t pc, uint64_t a0, uint64_t a1)
{
	vcpu->kvm->rip = pc;
	vcpu->kvm->arg = a0;
	vcpu->kvm->cr3 = a1;
	vcpu->kvm->boot = true;
	vcpu->state = VCPU_RUNNABLE;
}

/* The options refuse clones under this engine. */
static void kvm_vm_clone(struct vm *to, const struct vm *from)
{
	(void)from;
	vm_fail(to, "a VM of the kvm engine cannot be cloned");
}

/* The host's CPUs spent the time already. */
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
	return kvm_machine_now(kvm_host_of(vcpu->vm));
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
 * The thread's CPU time does not include the time that it was ready without a CPU (place.c) nor tell
 * the time in the monitor (vcpu.c). The host does not tell whether the guest's program or its kernel
 * ran: all of it counts as the program's.
 */
static void kvm_vcpu_account(const struct vcpu *vcpu, struct account *out)
{
	const struct vm *vm = vcpu->vm;
	const struct machine *m = vm->cluster->machine;
	uint64_t end = vm->state == VM_RUNNING ? vm->cluster->now : vm->stopped_at;
	uint64_t left = end - MIN(end, vm->started_at);

	*out = (struct account){0};
	out->monitor = MIN(left, kvm_cycles(m, vcpu->kvm->out_ns));
	left -= out->monitor;
	out->wait = MIN(left, kvm_cycles(m, vcpu->kvm->waited_ns));
	left -= out->wait;
	out->user = vcpu->ran_cycles > out->monitor ? vcpu->ran_cycles - out->monitor : 0;
	out->user = MIN(left, out->user);
	out->idle = left - out->user;
	out->count[EVENT_DEVICE] = vcpu->kvm->exits;
	out->cycles[EVENT_DEVICE] = out->monitor;
}

static uint64_t kvm_vcpu_instructions(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0; /* not counted */
}

static uint64_t kvm_vcpu_digest(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0; /* no two runs are the same */
}

static void kvm_check(const struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		kvm_memslots_check(&c->vm[v]->kvm->slots);
}

static uint64_t kvm_vm_overhead_bytes(const struct vm *vm)
{
	return sizeof(*vm->kvm) + vm->n_vcpus * sizeof(struct kvm_vcpu) +
	       vm->kvm->slots.n_pages * (sizeof(vm->kvm->slots.mpn[0]) + 1);
}

static void kvm_stats(const struct cluster *c, struct json_t *object)
{
	struct kvm_vm sum = {0};
	uint64_t exits = 0, out_ns = 0, ran = kvm_vcpus_ran_ns(c);
	const struct kvm_host *h = c->kvm;

	for (unsigned v = 0; v < c->n_vms; v++) {
		const struct kvm_vm *e = c->vm[v]->kvm;

		sum.doorbells += e->doorbells;
		sum.faults_missing += e->faults_missing;
		sum.faults_write += e->faults_write;
		sum.faults_worker += e->faults_worker;
		sum.faults_nowhere += e->faults_nowhere;
		sum.slots.maps += e->slots.maps;
		sum.slots.unmaps += e->slots.unmaps;
		sum.slots.protects += e->slots.protects;
		sum.sampled += e->sampled;
		sum.touched += e->touched;
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			exits += c->vm[v]->vcpu[i].kvm->exits;
			out_ns += c->vm[v]->vcpu[i].kvm->out_ns;
		}
	}
	json_object_set_new(object, "vmas", json_integer((json_int_t)kvm_vmas()));
	json_object_set_new(object, "huge_bytes", json_integer((json_int_t)kvm_huge_bytes()));
	json_object_set_new(object, "vmas_max", json_integer((json_int_t)kvm_vmas_max()));
	json_object_set_new(object, "lock_seconds", json_real((double)kvm_loop_locked_ns(h) / 1e9));
	json_object_set_new(object, "exits", json_integer((json_int_t)exits));
	json_object_set_new(object, "exit_seconds", json_real((double)out_ns / 1e9));
	json_object_set_new(object, "doorbells", json_integer((json_int_t)sum.doorbells));
	json_object_set_new(object, "retries", json_integer((json_int_t)h->retries));
	json_object_set_new(object, "faults_missing", json_integer((json_int_t)sum.faults_missing));
	json_object_set_new(object, "faults_write", json_integer((json_int_t)sum.faults_write));
	json_object_set_new(object, "faults_worker", json_integer((json_int_t)sum.faults_worker));
	json_object_set_new(object, "faults_nowhere", json_integer((json_int_t)sum.faults_nowhere));
	json_object_set_new(object, "maps", json_integer((json_int_t)sum.slots.maps));
	json_object_set_new(object, "unmaps", json_integer((json_int_t)sum.slots.unmaps));
	json_object_set_new(object, "protects", json_integer((json_int_t)sum.slots.protects));
	json_object_set_new(object, "sampled", json_integer((json_int_t)sum.sampled));
	json_object_set_new(object, "touched", json_integer((json_int_t)sum.touched));
	json_object_set_new(object, "sampler", json_string(kvm_sample_source(h)));
	json_object_set_new(object, "samples_lost", json_integer((json_int_t)kvm_samples_lost(h)));
	json_object_set_new(object, "sampling_seconds", json_real((double)kvm_sample_ns(h) / 1e9));
	json_object_set_new(object, "sampling_share",
		json_real(ran ? (double)kvm_sample_ns(h) / (double)ran : 0));
}

static const struct pmap_ops kvm_pmap_ops = {
	.shootdown = kvm_shootdown, .write_block = kvm_write_block};

/* The VMAs allowed (host.c), idle CPUs (place.c). What is in /proc/self every run may read. */
static const char *const kvm_reads[] = {"/proc/stat", "/proc/sys/vm/max_map_count", NULL};

const struct engine engine_kvm = {
	.name = "kvm",
	.board = &board_pc,
	.host_time = true,
	.open = kvm_open,
	.close = kvm_close,
	.reads = kvm_reads,
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
	.run = kvm_loop_run,
	.vcpu_account = kvm_vcpu_account,
	.vcpu_instructions = kvm_vcpu_instructions,
	.vcpu_digest = kvm_vcpu_digest,
	.vm_overhead_bytes = kvm_vm_overhead_bytes,
	.placement_ops = &kvm_placement_ops,
	.check = kvm_check,
	.stats = kvm_stats,
};
