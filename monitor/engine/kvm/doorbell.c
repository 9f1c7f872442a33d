// SPDX-License-Identifier: MIT
/*
 * Doorbells and interrupts by eventfd (Linux: Documentation/virt/kvm/api.rst, KVM_IOEVENTFD and
 * KVM_IRQFD). A driver that notifies its device does not leave the guest for the monitor: KVM
 * signals an eventfd and resumes the guest. The main loop waits for all these eventfds and writes to
 * the device's register in the driver's place. The device interrupts by another eventfd, as an edge:
 * each signal is one interrupt, and no level has to be lowered.
 *
 * A doorbell that rings twice before the main loop reads it acts once.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monitor/engine/kvm/doorbell.h"
#include "numa/util.h"

enum { BATCH = 64 };

struct bell {
	struct device *d;
	uint32_t value; /* that the driver writes */
	int fd;
	struct bell *next;
};

struct kvm_bells {
	int epoll;
	struct bell *first;
	struct epoll_event event[BATCH]; /* of the last wait */
};

static int new_eventfd(const struct vm *vm)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die("no eventfd for %s: %s%s", vm->name, strerror(errno),
			errno == EMFILE ? " (ulimit -n is too small for so many VMs)" : "");
	return fd;
}

static void add_bell(struct kvm_bells *bells, struct device *d, uint32_t value)
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
	b->next = bells->first;
	bells->first = b;
	if (ioctl(d->vm->kvm->fd, KVM_IOEVENTFD, &io) ||
		epoll_ctl(bells->epoll, EPOLL_CTL_ADD, b->fd, &event))
		die("KVM: a doorbell of %s: %s", d->vm->name, strerror(errno));
}

static void add_interrupt(struct device *d)
{
	struct kvm_irqfd irq = {.gsi = d->irq};

	irq.fd = (uint32_t)new_eventfd(d->vm);
	if (ioctl(d->vm->kvm->fd, KVM_IRQFD, &irq))
		die("KVM: an interrupt of %s: %s", d->vm->name, strerror(errno));
	d->vm->kvm->irqfd[d->irq] = (int)irq.fd;
}

void kvm_bells_limit(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

void kvm_bells_create(struct kvm_host *h)
{
	struct kvm_bells *bells = h->bells = xcalloc(1, sizeof(*bells));
	const struct cluster *c = h->c;

	bells->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (bells->epoll < 0)
		die("epoll: %s", strerror(errno));
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_devices; i++) {
			struct device *d = c->vm[v]->device[i];

			for (unsigned n = 0; n < d->n_doorbells; n++)
				add_bell(bells, d, n);
			if (d->n_doorbells && d->irq)
				add_interrupt(d);
		}
}

void kvm_bells_destroy(struct kvm_host *h)
{
	while (h->bells->first) {
		struct bell *b = h->bells->first;

		h->bells->first = b->next;
		close(b->fd);
		free(b);
	}
	close(h->bells->epoll);
	free(h->bells);
	h->bells = NULL;
}

void kvm_irqfds_close(struct kvm_vm *e)
{
	for (unsigned i = 0; i < KVM_LINES; i++)
		if (e->irqfd[i] >= 0)
			close(e->irqfd[i]);
}

int kvm_bells_wait(struct kvm_host *h, uint64_t ns)
{
	struct timespec wait = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	int n = epoll_pwait2(h->bells->epoll, h->bells->event, BATCH, &wait, NULL);

	if (n < 0 && errno != EINTR)
		die("epoll: %s", strerror(errno));
	return MAX(n, 0);
}

void kvm_bells_ring(struct kvm_host *h, int n)
{
	for (int i = 0; i < n; i++) {
		struct bell *b = h->bells->event[i].data.ptr;
		struct vm *vm = b->d->vm;
		uint64_t times;

		/* Read first: what the driver adds while the device works rings again. */
		if (read(b->fd, &times, sizeof(times)) != sizeof(times))
			continue;
		vm->kvm->doorbells++;
		if (vm->state == VM_RUNNING)
			b->d->ops->write(b->d, NULL, b->d->doorbell, sizeof(uint32_t), b->value);
	}
}
