// SPDX-License-Identifier: MIT
/*
 * Which CPU a guest sees: the host's, as far as KVM supports it. The leaves that say where in the
 * machine a CPU is are edited to say that each vCPU is a package by itself. So the guest sees a
 * uniform machine, and its scheduler assumes no shared caches (Intel SDM volume 2A, CPUID; AMD APM
 * volume 3, appendix E).
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "monitor/engine/kvm/cpuid.h"
#include "numa/util.h"

enum { MAX_LEAVES = 256 };

void kvm_cpuid_create(struct kvm_host *h)
{
	size_t bytes = sizeof(struct kvm_cpuid2) + MAX_LEAVES * sizeof(struct kvm_cpuid_entry2);

	h->cpuid = xcalloc(1, bytes);
	h->cpuid->nent = MAX_LEAVES;
	if (ioctl(h->fd, KVM_GET_SUPPORTED_CPUID, h->cpuid))
		die("KVM does not tell which CPUID leaves it supports: %s", strerror(errno));
}

void kvm_cpuid_destroy(struct kvm_host *h)
{
	free(h->cpuid);
	h->cpuid = NULL;
}

/* Returns false if the guest must not see this leaf. */
static bool edit(const struct kvm_host *h, struct kvm_cpuid_entry2 *e, unsigned id)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xff00) | 1u << 16 | id << 24;
		e->ecx |= 1u << 31;   /* there is a hypervisor */
		e->ecx &= ~(1u << 3); /* no MONITOR */
		if (ioctl(h->fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
			e->ecx |= 1u << 24;
		e->edx &= ~(1u << 28); /* one CPU in the package */
		return true;
	case 4: /* caches: private to each CPU */
		e->eax &= 0x3fff;
		return true;
	case 0xb:
	case 0x1f:
	case 0x8000001d:
	case 0x8000001e:
		return false;
	case 0x80000001:
		e->ecx &=
			~(1u << 1 | 1u << 2 | 1u << 22); /* no cores, no SVM, no topology leaves */
		return true;
	case 0x80000008:
		e->ecx = 0;
		return true;
	}
	return true;
}

void kvm_cpuid_set(const struct vcpu *vcpu, int fd)
{
	const struct kvm_host *h = kvm_host_of(vcpu->vm);
	const struct kvm_cpuid2 *all = h->cpuid;
	struct kvm_cpuid2 *mine =
		xcalloc(1, sizeof(*mine) + all->nent * sizeof(struct kvm_cpuid_entry2));

	for (uint32_t i = 0; i < all->nent; i++) {
		mine->entries[mine->nent] = all->entries[i];
		mine->nent += edit(h, &mine->entries[mine->nent], vcpu->id);
	}
	if (ioctl(fd, KVM_SET_CPUID2, mine))
		die("KVM refuses the CPU of %s: %s", vcpu->vm->name, strerror(errno));
	free(mine);
}
