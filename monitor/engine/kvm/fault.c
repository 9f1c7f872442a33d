// SPDX-License-Identifier: MIT
/*
 * The thread that answers userfaultfd: a guest accessed a page that is absent, or stored to one that
 * it may not store to. Both are a pmap_fault() on the node of the vCPU that did it. The vCPU waits
 * inside KVM_RUN meanwhile, or the kernel has handed the wait to a thread of its own (asynchronous
 * page faults; Linux: virt/kvm/async_pf.c). That thread is a worker bound to the CPU on which the
 * vCPU ran, so its affinity tells the node.
 *
 * The fault of an absent page also brings the absent pages of the same 64 KiB: guests access memory
 * in runs, and a fault costs more than the few pages that are never used. With huge pages it brings
 * all 2 MiB, mapped at once, because the host allocates that much.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/engine/kvm/fault.h"
#include "monitor/engine/kvm/sample.h"
#include "monitor/engine/kvm/vcpu.h"
#include "monitor/engine/kvm/vm.h"
#include "numa/util.h"
#include "sharing/content.h"

enum { AROUND = 16, HUGE_AROUND = 512, BATCH = 16 };
#define FIRST_PID_NAMESPACE 0xeffffffcu

struct kvm_faults {
	pthread_t thread;
	int stop;          /* eventfd: ends the thread */
	bool workers_told; /* thread numbers of the kernel's workers are valid in /proc */
};

/* Pages that one fault brings: a power of two. */
static uint32_t around(const struct kvm_host *h)
{
	return h->huge ? HUGE_AROUND : AROUND;
}

static struct kvm_memslots *slots_of(struct kvm_host *h, uint64_t address)
{
	for (unsigned i = 0; i < h->c->n_vms; i++) {
		struct kvm_memslots *slots = &h->c->vm[i]->kvm->slots;

		if (address - (uint64_t)(uintptr_t)slots->base < (uint64_t)slots->n_pages
									 << PAGE_SHIFT)
			return slots;
	}
	return NULL;
}

/* In a PID namespace of the monitor's own, the kernel's numbers of its workers mean nothing, or
 * another process: the node of such a fault is unknown. The number of the first namespace's inode
 * is part of Linux's interface (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
static bool in_first_pid_namespace(void)
{
	struct stat s;

	return !stat("/proc/self/ns/pid", &s) && s.st_ino == FIRST_PID_NAMESPACE;
}

static unsigned node_of(const struct vm *vm, uint32_t tid)
{
	const struct vcpu *by = kvm_vcpu_of(vm, tid);
	const struct machine *m = vm->cluster->machine;
	int node;

	if (by)
		return m->cpu_node[by->cpu];
	node = kvm_host_of(vm)->faults->workers_told ? host_task_node(m, (int)tid) : -1;
	vm->kvm->faults_worker++;
	vm->kvm->faults_nowhere += node < 0;
	return node < 0 ? vm_home_node(vm) : (unsigned)node;
}

/* A vCPU that waits for this page must leave the kernel before it can stop. */
static void exhausted(struct kvm_memslots *slots, uint32_t ppn)
{
	struct vm *vm = slots->vm;

	vm_fail(vm, "machine memory is exhausted");
	kvm_memslots_abandon(slots, ppn);
	kvm_memslots_wake(slots, ppn, 1);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kvm_vcpu_kick(&vm->vcpu[i]);
}

/* Give frames to a page and its absent neighbours; a page known to be zero is not absent. */
static int bring(struct kvm_memslots *slots, uint32_t ppn, unsigned node)
{
	struct kvm_host *h = kvm_host_of(slots->vm);
	uint32_t first = ppn & ~(around(h) - 1), end = MIN(first + around(h), slots->n_pages);
	bool writable;
	void *host;
	int err = 0;

	for (uint32_t i = first; !err && i < end; i++)
		if (i == ppn || pmap_entry(slots->vm->pmap, i)->kind == FRAME_FREE) {
			err = pmap_fault(slots->vm->pmap, i, node, true, &host, &writable);
			content_touched(slots->vm->log, i);
		}
	/* The host makes huge pages only where the monitor maps them. */
	if (h->huge && pmap_entry(slots->vm->pmap, first)->mpn != MPN_NONE)
		(void)*(volatile uint8_t *)frame_data(
			h->c->mem, pmap_entry(slots->vm->pmap, first)->mpn);
	return pmap_entry(slots->vm->pmap, ppn)->mpn == MPN_NONE ? err : 0;
}

static void handle(struct kvm_host *h, const struct uffd_msg *m)
{
	uint64_t address = m->arg.pagefault.address;
	struct kvm_memslots *slots = slots_of(h, address);
	bool write = m->arg.pagefault.flags & (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
	bool minor = m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR, writable;
	bool missing = !minor && !(m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	uint32_t ppn, first, n = 1;
	uint64_t began = kvm_work_ns();
	unsigned node;
	void *host;
	int err = 0;

	if (!slots)
		die("userfaultfd: a fault at %llx, where no VM is", (unsigned long long)address);
	ppn = first = (uint32_t)((address - (uint64_t)(uintptr_t)slots->base) >> PAGE_SHIFT);
	node = node_of(slots->vm, m->arg.pagefault.feat.ptid);
	if (minor)
		kvm_sample_touched(slots, ppn, node, write);
	if (pmap_entry(slots->vm->pmap, ppn)->mpn == MPN_NONE)
		err = bring(slots, ppn, node);
	else if (write)
		err = pmap_fault(slots->vm->pmap, ppn, node, true, &host, &writable);
	if (err) {
		exhausted(slots, ppn);
		return;
	}
	slots->vm->kvm->faults_missing += missing;
	slots->vm->kvm->faults_write += !missing && !minor;
	if (minor)
		kvm_memslots_restore(slots, ppn);
	if (missing) {
		first = ppn & ~(around(h) - 1);
		n = MIN(around(h), slots->n_pages - first);
	}
	kvm_memslots_update(slots, first, n);
	kvm_memslots_wake(slots, first, n);
	if (minor)
		kvm_sample_took(h, kvm_work_ns() - began);
}

static void *serve(void *arg)
{
	struct kvm_host *h = arg;
	struct pollfd fd[2] = {
		{.fd = h->uffd, .events = POLLIN}, {.fd = h->faults->stop, .events = POLLIN}};
	struct uffd_msg m[BATCH];

	for (;;) {
		ssize_t n;

		if (poll(fd, 2, -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (fd[1].revents)
			return NULL;
		n = read(h->uffd, m, sizeof(m));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			die("userfaultfd: %s", strerror(errno));
		if (n <= 0)
			continue;
		pthread_mutex_lock(&h->lock);
		for (size_t i = 0; i < (size_t)n / sizeof(m[0]); i++)
			if (m[i].event == UFFD_EVENT_PAGEFAULT)
				handle(h, &m[i]);
		pthread_mutex_unlock(&h->lock);
	}
}

void kvm_faults_start(struct kvm_host *h)
{
	struct kvm_faults *f = h->faults = xcalloc(1, sizeof(*f));

	f->workers_told = in_first_pid_namespace();
	f->stop = eventfd(0, EFD_CLOEXEC);
	if (f->stop < 0 || pthread_create(&f->thread, NULL, serve, h))
		die("the thread that handles faults cannot be started");
}

void kvm_faults_stop(struct kvm_host *h)
{
	struct kvm_faults *f = h->faults;
	uint64_t one = 1;

	if (write(f->stop, &one, sizeof(one)) != sizeof(one))
		die("eventfd: %s", strerror(errno));
	pthread_join(f->thread, NULL);
	close(f->stop);
	free(f);
	h->faults = NULL;
}
