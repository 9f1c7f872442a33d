// SPDX-License-Identifier: MIT
/*
 * The thread that answers what userfaultfd tells: a guest touched a page that is not there, or
 * stored to one it may not store to. Both are a pmap_fault() on the node of the vCPU that did it.
 * vCPUs wait inside KVM_RUN meanwhile, or the kernel has handed the wait to a thread of its own
 * (asynchronous page faults; Linux: virt/kvm/async_pf.c). That is a worker of the CPU on which the
 * vCPU ran, bound to it, so where it may run is the node.
 *
 * A page not there brings its neighbours in its 64 KiB that are absent, too: guests touch memory in
 * runs, and a fault costs more than the few pages that are never used. With huge pages it brings
 * all of one, mapped at once, as that is what it takes from the host.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/engine/kvm/kvm.h"
#include "numa/util.h"
#include "sharing/content.h"

enum { AROUND = 16, HUGE_AROUND = 512, BATCH = 16 };
#define FIRST_PID_NAMESPACE 0xeffffffcu

static bool workers_have_names; /* thread numbers of the kernel's are those that we may ask by */

static uint32_t around(void)
{
	return kvm_host.huge ? HUGE_AROUND : AROUND;
}

static struct kvm_view *view_of(uint64_t address)
{
	for (unsigned i = 0; i < kvm_host.c->n_vms; i++) {
		struct kvm_view *v = &kvm_host.c->vm[i]->e->view;

		if (address - (uint64_t)(uintptr_t)v->base < (uint64_t)v->n_pages << PAGE_SHIFT)
			return v;
	}
	return NULL;
}

/* In a PID namespace of its own the kernel's numbers of its workers mean nothing (or another
 * process): then it is anybody's guess whose fault it was. The number of the first namespace's
 * inode is part of Linux's interface (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
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
	node = workers_have_names ? host_task_node(m, (int)tid) : -1;
	vm->e->faults_worker++;
	vm->e->faults_nowhere += node < 0;
	return node < 0 ? vm_home_node(vm) : (unsigned)node;
}

/* Whoever waits for this page must come out of the kernel before it can be told to stop. */
static void exhausted(struct kvm_view *v, uint32_t ppn)
{
	struct vm *vm = v->vm;

	vm_fail(vm, "machine memory is exhausted");
	kvm_view_abandon(v, ppn);
	kvm_view_wake(v, ppn, 1);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kvm_vcpu_kick(&vm->vcpu[i]);
}

/* A page, and those around it that were not touched either: one known to be zero was. */
static int bring(struct kvm_view *v, uint32_t ppn, unsigned node)
{
	uint32_t first = ppn & ~(around() - 1), end = MIN(first + around(), v->n_pages);
	bool writable;
	void *host;
	int err = 0;

	for (uint32_t i = first; !err && i < end; i++)
		if (i == ppn || pmap_entry(v->vm->pmap, i)->kind == FRAME_FREE) {
			err = pmap_fault(v->vm->pmap, i, node, true, &host, &writable);
			content_touched(v->vm->log, i);
		}
	/* The host makes huge pages only where the monitor maps them. */
	if (kvm_host.huge && pmap_entry(v->vm->pmap, first)->mpn != MPN_NONE)
		(void)*(volatile uint8_t *)frame_data(
			kvm_host.c->mem, pmap_entry(v->vm->pmap, first)->mpn);
	return pmap_entry(v->vm->pmap, ppn)->mpn == MPN_NONE ? err : 0;
}

static void handle(const struct uffd_msg *m)
{
	uint64_t address = m->arg.pagefault.address;
	struct kvm_view *v = view_of(address);
	bool write = m->arg.pagefault.flags & (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
	bool minor = m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR, writable;
	bool missing = !minor && !(m->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
	uint32_t ppn, first, n = 1;
	uint64_t began = kvm_work_ns();
	unsigned node;
	void *host;
	int err = 0;

	if (!v)
		die("userfaultfd: a fault at %llx, where no VM is", (unsigned long long)address);
	ppn = first = (uint32_t)((address - (uint64_t)(uintptr_t)v->base) >> PAGE_SHIFT);
	node = node_of(v->vm, m->arg.pagefault.feat.ptid);
	if (minor)
		kvm_sample_touched(v, ppn, node, write);
	if (pmap_entry(v->vm->pmap, ppn)->mpn == MPN_NONE)
		err = bring(v, ppn, node);
	else if (write)
		err = pmap_fault(v->vm->pmap, ppn, node, true, &host, &writable);
	if (err) {
		exhausted(v, ppn);
		return;
	}
	v->vm->e->faults_missing += missing;
	v->vm->e->faults_write += !missing && !minor;
	if (minor)
		kvm_view_restore(v, ppn);
	if (missing) {
		first = ppn & ~(around() - 1);
		n = MIN(around(), v->n_pages - first);
	}
	kvm_view_update(v, first, n);
	kvm_view_wake(v, first, n);
	if (minor)
		kvm_sample_took(kvm_work_ns() - began);
}

static void *serve(void *arg)
{
	struct pollfd fd[2] = {{.fd = kvm_host.uffd, .events = POLLIN},
		{.fd = kvm_host.handler_stop, .events = POLLIN}};
	struct uffd_msg m[BATCH];

	for (;;) {
		ssize_t n;

		if (poll(fd, 2, -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (fd[1].revents)
			return arg;
		n = read(kvm_host.uffd, m, sizeof(m));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			die("userfaultfd: %s", strerror(errno));
		if (n <= 0)
			continue;
		pthread_mutex_lock(&kvm_host.lock);
		for (size_t i = 0; i < (size_t)n / sizeof(m[0]); i++)
			if (m[i].event == UFFD_EVENT_PAGEFAULT)
				handle(&m[i]);
		pthread_mutex_unlock(&kvm_host.lock);
	}
}

void kvm_faults_start(void)
{
	workers_have_names = in_first_pid_namespace();
	kvm_host.handler_stop = eventfd(0, EFD_CLOEXEC);
	if (kvm_host.handler_stop < 0 || pthread_create(&kvm_host.handler, NULL, serve, NULL))
		die("the thread that handles faults cannot be started");
}

void kvm_faults_stop(void)
{
	uint64_t one = 1;

	if (write(kvm_host.handler_stop, &one, sizeof(one)) != sizeof(one))
		die("eventfd: %s", strerror(errno));
	pthread_join(kvm_host.handler, NULL);
	close(kvm_host.handler_stop);
}
