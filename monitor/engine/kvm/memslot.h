/* SPDX-License-Identifier: MIT */
/*
 * The memslot mapping of a VM: a range of the monitor's address space behind the VM's KVM memory
 * slots. The engine maps frames into it, and learns by userfaultfd which pages are missing and
 * which stores are not permitted. vCPUs execute meanwhile.
 *
 * All functions need the lock. A thread that holds the lock must not access the bytes of a mapping:
 * the fault would wait for the lock. It reaches frames by frame_data(), which cannot fault so.
 */
#ifndef MONITOR_ENGINE_KVM_MEMSLOT_H
#define MONITOR_ENGINE_KVM_MEMSLOT_H

#include <stdint.h>

#include "monitor/vm/vm.h"

/* How a page is mapped. */
enum mapped {
	NOT_MAPPED,
	MAPPED_READ,
	MAPPED_WRITE,
	SAMPLED /* mapped, but absent from the page table, so that the next access faults */
};

/* What all CPUs of one VM see of its memory. */
struct kvm_memslots {
	struct vm *vm;
	unsigned node; /* the node whose replicas of pages it maps */
	uint8_t *base; /* the VM's memory, from its first page on */
	uint32_t n_pages;
	uint32_t *mpn;                   /* by ppn: the frame that is mapped */
	uint8_t *mapped;                 /* by ppn: enum mapped */
	uint64_t maps, unmaps, protects; /* statistics: runs of pages, runs, pages */
};

/* `fd` is KVM's VM, which gets the slots. */
void kvm_memslots_create(struct kvm_memslots *slots, struct vm *vm, int fd, unsigned node);
void kvm_memslots_destroy(struct kvm_memslots *slots);
/*
 * Make pages [ppn, ppn + n) what the pmap says they are: mapped to their frame, with or without the
 * right to write, or absent. CPUs may execute in the guest meanwhile. They see the old page or the
 * new one, and cannot store to a frame that they must not store to.
 */
void kvm_memslots_update(struct kvm_memslots *slots, uint32_t ppn, uint32_t n);
/* On return, no CPU uses frame `old` for this page. */
void kvm_memslots_shootdown(struct kvm_memslots *slots, uint32_t ppn, uint32_t old);
/* The VM has failed because this page has no frame: map private memory until its CPUs stop. */
void kvm_memslots_abandon(struct kvm_memslots *slots, uint32_t ppn);
/* Block stores to a page until kvm_memslots_update(). */
void kvm_memslots_protect(struct kvm_memslots *slots, uint32_t ppn);
/* Unmap all of these pages. */
void kvm_memslots_clear(struct kvm_memslots *slots, uint32_t ppn, uint32_t n);
/* Sample these pages: the next access to each is a fault. Returns the number of pages that are
 * mapped and were not sampled already. */
uint32_t kvm_memslots_sample(struct kvm_memslots *slots, uint32_t ppn, uint32_t n);
/* A sampled page was accessed: map it again. Stop sampling n pages. */
void kvm_memslots_restore(struct kvm_memslots *slots, uint32_t ppn);
void kvm_memslots_unsample(struct kvm_memslots *slots, uint32_t ppn, uint32_t n);
/* Threads that wait for a fault in these pages try again. */
void kvm_memslots_wake(struct kvm_memslots *slots, uint32_t ppn, uint32_t n);
/* die() unless the mapping agrees with the pmap. */
void kvm_memslots_check(const struct kvm_memslots *slots);

#endif
