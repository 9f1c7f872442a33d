/* SPDX-License-Identifier: MIT */
/*
 * The engine's part of a VM. State only: the functions are those of the parts that the fields
 * belong to. With the lock.
 */
#ifndef MONITOR_ENGINE_KVM_VM_H
#define MONITOR_ENGINE_KVM_VM_H

#include <stdint.h>

#include "monitor/engine/kvm/memslot.h"

enum { KVM_LINES = 24 }; /* inputs of the I/O APIC */

struct kvm_vm {
	int fd; /* KVM's VM */
	struct kvm_memslots slots;
	uint32_t lines;       /* levels of interrupt lines, by GSI; pc.c */
	int irqfd[KVM_LINES]; /* by GSI: interrupts of virtio devices; -1: none; doorbell.c */
	/* Statistics: doorbell.c; fault.c; sample.c. */
	uint64_t doorbells;
	uint64_t faults_missing, faults_write, faults_worker, faults_nowhere;
	uint64_t sampled, touched;
};

#endif
