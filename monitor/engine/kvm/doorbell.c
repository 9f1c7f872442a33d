// SPDX-License-Identifier: MIT
/*
 * Doorbells and interrupts by eventfd (Linux: Documentation/virt/kvm/api.rst, KVM_IOEVENTFD and
 * KVM_IRQFD). A driver that notifies its device does not leave the guest for the monitor: KVM
 * signals an eventfd and goes on, and the main loop, which waits for all of them, writes to the
 * device's register in the driver's place. What the device gives back interrupts by another
 * eventfd, as an edge: each signal is one interrupt, and there is no level to take back.
 *
 * A doorbell rung twice before it is heard is heard once: it says "look", not how often.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monitor/engine/kvm/kvm.h"
#include "numa/util.h"

enum { BATCH = 64 };

struct bell {
	struct device *d;
	uint32_t value; /* that the driver writes */
	int fd;
	struct bell *next;
};

static struct {
	int epoll;
	struct bell *first;
	struct epoll_event event[BATCH];
} bells = {.epoll = -1};

static int new_eventfd(const struct vm *vm)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die("no eventfd for %s: %s%s", vm->name, strerror(errno),
			errno == EMFILE ? " (ulimit -n is too small for so many VMs)" : "");
	return fd;
}

static void add_bell(struct device *d, uint32_t value)
{
	struct bell *b = xcalloc(1, sizeof(*b));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = b};
	struct kvm_ioeventfd io = {.datamatch = value,
		.addr = d->base + d->doorbell,
		.len = sizeof(uint32_t),
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH};

	b->d = d;
	b->value = value;
	io.fd = b->fd = new_eventfd(d->vm);
	b->next = bells.first;
	bells.first = b;
	if (ioctl(d->vm->e->view.fd, KVM_IOEVENTFD, &io) ||
		epoll_ctl(bells.epoll, EPOLL_CTL_ADD, b->fd, &event))
		die("KVM: a doorbell of %s: %s", d->vm->name, strerror(errno));
}

static void add_interrupt(struct device *d)
{
	struct kvm_irqfd irq = {.gsi = d->irq};

	irq.fd = (uint32_t)new_eventfd(d->vm);
	if (ioctl(d->vm->e->view.fd, KVM_IRQFD, &irq))
		die("KVM: an interrupt of %s: %s", d->vm->name, strerror(errno));
	d->vm->e->irqfd[d->irq] = (int)irq.fd;
}

void kvm_bells_limit(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

void kvm_bells_create(const struct cluster *c)
{
	bells.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (bells.epoll < 0)
		die("epoll: %s", strerror(errno));
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_devices; i++) {
			struct device *d = c->vm[v]->device[i];

			for (unsigned n = 0; n < d->n_doorbells; n++)
				add_bell(d, n);
			if (d->n_doorbells && d->irq)
				add_interrupt(d);
		}
}

void kvm_bells_destroy(void)
{
	while (bells.first) {
		struct bell *b = bells.first;

		bells.first = b->next;
		close(b->fd);
		free(b);
	}
	close(bells.epoll);
	bells.epoll = -1;
}

void kvm_irqfds_close(struct engine_vm *e)
{
	for (unsigned i = 0; i < KVM_LINES; i++)
		if (e->irqfd[i] >= 0)
			close(e->irqfd[i]);
}

int kvm_bells_wait(uint64_t ns)
{
	struct timespec wait = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	int n = epoll_pwait2(bells.epoll, bells.event, BATCH, &wait, NULL);

	if (n < 0 && errno != EINTR)
		die("epoll: %s", strerror(errno));
	return MAX(n, 0);
}

void kvm_bells_ring(int n)
{
	for (int i = 0; i < n; i++) {
		struct bell *b = bells.event[i].data.ptr;
		struct vm *vm = b->d->vm;
		uint64_t times;

		/* Emptied before the device looks: what comes while it does rings again. */
		if (read(b->fd, &times, sizeof(times)) != sizeof(times))
			continue;
		vm->e->doorbells++;
		if (vm->state == VM_RUNNING)
			b->d->ops->write(b->d, NULL, b->d->doorbell, sizeof(uint32_t), b->value);
	}
}
