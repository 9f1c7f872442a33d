// SPDX-License-Identifier: MIT
/*
 * A thread for each vCPU. It calls KVM_RUN and, with the lock, handles the exit. The kernel does
 * interrupts, timers and idling. To make a vCPU leave KVM_RUN, set immediate_exit, then send its
 * thread a signal, whose handler does nothing: the signal ends a KVM_RUN that executes, the flag one
 * that is about to begin.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/engine/kvm/cpuid.h"
#include "monitor/engine/kvm/vcpu.h"
#include "monitor/engine/kvm/vm.h"
#include "monitor/vm/board.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"

enum { KICK = SIGUSR1, MAX_RETRIES = 100000 };

/* ---- exits */

static uint64_t device_read(struct vcpu *vcpu, uint64_t pa, unsigned size)
{
	struct device *d = device_find(vcpu->vm, pa, size);

	/* Without a device the bus floats high, as on a PC. */
	return d ? d->ops->read(d, vcpu, pa - d->base, size) : UINT64_MAX;
}

static void device_write(struct vcpu *vcpu, uint64_t pa, unsigned size, uint64_t value)
{
	struct device *d = device_find(vcpu->vm, pa, size);

	if (d)
		d->ops->write(d, vcpu, pa - d->base, size, value);
}

static void port(struct vcpu *vcpu, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint64_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, size);
			device_write(vcpu, BOARD_PORT(run->io.port), size, value);
		} else {
			value = device_read(vcpu, BOARD_PORT(run->io.port), size);
			memcpy(data, &value, size);
		}
	}
}

/*
 * KVM interprets some instructions, and takes an address that these cannot reach for a device: also
 * memory whose mapping was being changed (memslot.c).
 */
static void memory(struct vcpu *vcpu, struct kvm_run *run, unsigned size)
{
	uint64_t pa = run->mmio.phys_addr;
	int err = run->mmio.is_write ? gm_write(vcpu->vm, pa, run->mmio.data, size)
				     : gm_read(vcpu->vm, pa, run->mmio.data, size);

	kvm_host_of(vcpu->vm)->retries++;
	if (err)
		vm_fail(vcpu->vm, "machine memory is exhausted");
}

static void mmio(struct vcpu *vcpu, struct kvm_run *run)
{
	unsigned size = MIN(run->mmio.len, 8u);
	uint64_t value = 0;

	if (gm_valid(vcpu->vm, run->mmio.phys_addr, size)) {
		memory(vcpu, run, size);
	} else if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, size);
		device_write(vcpu, run->mmio.phys_addr, size, value);
	} else {
		value = device_read(vcpu, run->mmio.phys_addr, size);
		memcpy(run->mmio.data, &value, size);
	}
}

static void act(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm->run;
	struct vm *vm = vcpu->vm;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		port(vcpu, run);
		break;
	case KVM_EXIT_MMIO:
		mmio(vcpu, run);
		break;
	case KVM_EXIT_SHUTDOWN:
		vm_fail(vm, "vCPU %u: triple fault", vcpu->id);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		vm_fail(vm, "KVM: system event %u", run->system_event.type);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vm_fail(vm, "vCPU %u: the CPU refuses its state (hardware reason %#llx)", vcpu->id,
			(unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vm_fail(vm, "vCPU %u: KVM cannot go on (suberror %u)", vcpu->id,
			run->internal.suberror);
		break;
	default:
		vm_fail(vm, "vCPU %u: KVM stopped for reason %u", vcpu->id, run->exit_reason);
	}
	if (vm->state != VM_RUNNING)
		for (unsigned i = 0; i < vm->n_vcpus; i++)
			kvm_vcpu_kick(&vm->vcpu[i]);
}

/* ---- the thread */

static void set_up(struct vcpu *vcpu)
{
	struct kvm_vcpu *e = vcpu->kvm;
	struct kvm_segment code = {.limit = 0xffffffff,
		.selector = 0x10,
		.type = 11,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1};
	struct kvm_segment data = {.limit = 0xffffffff,
		.selector = 0x18,
		.type = 3,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1};
	/* Where each of the two boot protocols looks for its argument. */
	struct kvm_regs regs = {.rip = e->rip, .rsi = e->arg, .rbx = e->arg, .rflags = 2};
	struct kvm_sregs s;

	if (ioctl(e->fd, KVM_GET_SREGS, &s))
		die("KVM_GET_SREGS: %s", strerror(errno));
	if (e->cr3) {
		s.cr0 = 0x80000033; /* PG, NE, ET, MP, PE */
		s.cr4 = 0x620;      /* OSXMMEXCPT, OSFXSR, PAE */
		s.efer = 0x500;     /* LMA, LME */
	} else {                    /* 32 bits, without paging */
		code.l = 0;
		code.db = 1;
		s.cr0 = 0x11; /* ET, PE */
		s.cr4 = 0;
		s.efer = 0;
	}
	s.cr3 = e->cr3;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	if (ioctl(e->fd, KVM_SET_SREGS, &s) || ioctl(e->fd, KVM_SET_REGS, &regs))
		die("KVM refuses the registers that %s begins with: %s", vcpu->vm->name,
			strerror(errno));
}

/* KVM_RUN failed: returns true if the thread must try again. `retries` counts failures in a row. */
static bool may_retry(struct vcpu *vcpu, unsigned *retries)
{
	struct kvm_host *h = kvm_host_of(vcpu->vm);

	if (errno == EINTR || errno == EAGAIN)
		return true;
	if (errno == EFAULT && ++*retries < MAX_RETRIES) {
		/* The thread that has the lock was changing a mapping. */
		pthread_mutex_lock(&h->lock);
		h->retries++;
		pthread_mutex_unlock(&h->lock);
		return true;
	}
	pthread_mutex_lock(&h->lock);
	vm_fail(vcpu->vm, "vCPU %u: KVM_RUN: %s", vcpu->id, strerror(errno));
	pthread_mutex_unlock(&h->lock);
	return false;
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	struct kvm_vcpu *e = vcpu->kvm;
	const struct machine *m = vcpu->vm->cluster->machine;
	struct kvm_host *h = kvm_host_of(vcpu->vm);
	bool go_on = true;
	unsigned retries = 0;
	char name[16];

	/* What `top -H` on the host shows: `vm3 cpu1`. */
	snprintf(name, sizeof(name), "%.8s cpu%u", vcpu->vm->name, vcpu->id % 1000);
	pthread_setname_np(pthread_self(), name);
	host_bind_thread(m, m->cpu_node[e->bound], -1);
	pthread_mutex_lock(&h->lock);
	e->tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_unlock(&h->lock);
	if (e->boot)
		set_up(vcpu);
	while (go_on) {
		int err = ioctl(e->fd, KVM_RUN, 0);
		uint64_t out = kvm_now_ns();

		if (err && !may_retry(vcpu, &retries))
			break;
		pthread_mutex_lock(&h->lock);
		if (!err) {
			retries = 0;
			e->exits++;
			act(vcpu);
		}
		go_on = vcpu->vm->state == VM_RUNNING && !h->stopping;
		pthread_mutex_unlock(&h->lock);
		e->out_ns += kvm_now_ns() - out;
	}
	pthread_mutex_lock(&h->lock);
	e->ended = true;
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void woken(int signal)
{
	(void)signal;
}

void kvm_vcpu_run(struct vcpu *vcpu)
{
	struct sigaction action = {.sa_handler = woken};
	struct kvm_vcpu *e = vcpu->kvm;

	sigaction(KICK, &action, NULL);
	e->started = true;
	e->ended = false;
	e->bound = vcpu->cpu;
	vcpu->state = VCPU_RUNNABLE;
	if (pthread_create(&e->thread, NULL, run_vcpu, vcpu))
		die("no thread for a vCPU of %s", vcpu->vm->name);
}

void kvm_vcpu_kick(struct vcpu *vcpu)
{
	struct kvm_vcpu *e = vcpu->kvm;

	if (!e->started || e->ended)
		return;
	__atomic_store_n(&e->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(e->thread, KICK);
}

void kvm_vcpu_join(struct vcpu *vcpu)
{
	if (vcpu->kvm->started)
		pthread_join(vcpu->kvm->thread, NULL);
	vcpu->kvm->started = false;
}

const struct vcpu *kvm_vcpu_of(const struct vm *vm, uint32_t tid)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if ((uint32_t)vm->vcpu[i].kvm->tid == tid)
			return &vm->vcpu[i];
	return NULL;
}

uint64_t kvm_vcpus_ran_ns(const struct cluster *c)
{
	uint64_t cycles = 0;

	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			cycles += c->vm[v]->vcpu[i].ran_cycles;
	return kvm_ns(c->machine, cycles);
}

/* ---- making and unmaking */

void kvm_vcpu_create(struct vcpu *vcpu)
{
	struct kvm_vcpu *e = vcpu->kvm = xcalloc(1, sizeof(*e));
	int bytes = ioctl(kvm_host_of(vcpu->vm)->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	e->fd = ioctl(vcpu->vm->kvm->fd, KVM_CREATE_VCPU, vcpu->id);
	if (e->fd < 0 || bytes < (int)sizeof(struct kvm_run))
		die("KVM makes no vCPU %u for %s: %s", vcpu->id, vcpu->vm->name, strerror(errno));
	e->run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
	if (e->run == MAP_FAILED)
		die("KVM: %s", strerror(errno));
	kvm_cpuid_set(vcpu, e->fd);
}

void kvm_vcpu_destroy(struct vcpu *vcpu)
{
	munmap(vcpu->kvm->run, (size_t)ioctl(kvm_host_of(vcpu->vm)->fd, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu->kvm->fd);
	free(vcpu->kvm);
}
